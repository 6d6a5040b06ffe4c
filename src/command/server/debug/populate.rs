//! DEBUG POPULATE count [prefix] [size] — makes string keys, for tests and measurements.
//!
//! Keys that exist stay as they are. What was made is one MSET after another in the log, each of a bounded size.

use crate::base::limits::STRING_BYTES_MAX;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::effect::Record;
use crate::exec::{Args, Context, Effect};
use crate::resp::reply::Reply;
use crate::table::Expiry;

/// Keys of one MSET at most, and the bytes of keys and values after which it ends.
const MSET_KEYS_MAX: usize = 512;
const MSET_BYTES: usize = 256 * 1024;

pub(super) fn populate(args: &mut Args<'_>, ctx: &Context, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let count = positive(args.word()?)?;
    let prefix = args.next().unwrap_or(b"key");
    let size = args.next().map(positive).transpose()?.unwrap_or(0) as usize;
    if size > STRING_BYTES_MAX {
        return Err(Refusal::err("string exceeds maximum allowed size (proto-max-bulk-len)"));
    }
    let mut made = Made::default();
    for number in 0..count {
        let key = [prefix, b":", itoa::Buffer::new().format(number).as_bytes()].concat();
        let mut value = format!("value:{number}").into_bytes();
        if size > 0 {
            value.resize(size, 0);
        }
        let address = ctx.table.address(args.db(), &key);
        let is_new = ctx.table.write(address, &key, args.now(), |slot| {
            let is_new = !slot.exists();
            if is_new {
                slot.put_text(&value, Expiry::Clear);
            }
            is_new
        });
        if is_new {
            made.add(key, value);
        }
    }
    reply.ok();
    Ok(made.into_effect())
}

fn positive(word: &[u8]) -> Result<u64, Refusal> {
    let number = number::parse_i64(word).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| Refusal::err("value is out of range, must be positive"))
}

/// What was made, as commands.
#[derive(Default)]
struct Made {
    record: Record,
    /// Keys and values in turn.
    words: Vec<Vec<u8>>,
    bytes: usize,
}

impl Made {
    fn add(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.words.extend([key, value]);
        if self.words.len() >= 2 * MSET_KEYS_MAX || self.bytes >= MSET_BYTES {
            self.end_command();
        }
    }

    fn end_command(&mut self) {
        if self.words.is_empty() {
            return;
        }
        let words: Vec<&[u8]> =
            std::iter::once(b"MSET".as_slice()).chain(self.words.iter().map(Vec::as_slice)).collect();
        self.record.push_words(&words);
        self.words.clear();
        self.bytes = 0;
    }

    fn into_effect(mut self) -> Effect {
        self.end_command();
        Effect::instead_if_any(self.record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(keys: usize, value_bytes: usize) -> usize {
        let mut made = Made::default();
        (0..keys).for_each(|_| made.add(b"k".to_vec(), vec![0; value_bytes]));
        match made.into_effect() {
            Effect::Instead(record) => record.commands(),
            _ => 0,
        }
    }

    #[test]
    fn commands_are_bounded_by_keys_and_by_bytes() {
        assert_eq!(commands(0, 1), 0);
        assert_eq!(commands(MSET_KEYS_MAX, 1), 1);
        assert_eq!(commands(MSET_KEYS_MAX + 1, 1), 2);
        assert_eq!(commands(3, MSET_BYTES), 3);
    }
}
