//! DEBUG OBJECT key — how a value is kept, on one line.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Context};
use crate::log::rdb::encode_value;
use crate::resp::reply::Reply;
use crate::table::Entry;
use crate::value::ValueRef;

pub(super) fn object(args: &mut Args<'_>, ctx: &Context, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let key = args.word()?;
    let address = ctx.table.address(args.db(), key);
    ctx.table.peek(address, key, |slot| {
        let entry = slot.entry().filter(|entry| entry.expiry() > args.now()).ok_or(Refusal::NoSuchKey)?;
        let compress = args.settings().persistence.rdbcompression;
        reply.simple(line(entry, compress, ctx.table.access.idle_seconds(entry.access(), args.now())));
        Ok(())
    })
}

fn line(entry: &Entry, compress: bool, idle_seconds: u32) -> String {
    format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{idle_seconds}",
        entry,
        entry.encoding(),
        serialized_length(entry.value(), compress),
        // Redis keeps 24 bits of it.
        entry.access() & 0x00ff_ffff,
    )
}

/// Bytes of the value in a snapshot, without its type.
fn serialized_length(value: ValueRef<'_>, compress: bool) -> usize {
    let mut bytes = Vec::new();
    encode_value(value, compress, &mut bytes);
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Text;

    #[test]
    fn lengths_are_those_of_redis() {
        for (text, expected) in
            [("1", 2), ("300", 3), ("70000", 5), ("7000000000", 11), ("hello", 6), ("", 1), ("-129", 3)]
        {
            let text = Text::new(text.as_bytes());
            assert_eq!(serialized_length(ValueRef::Text(text.as_ref()), true), expected, "{text:?}");
        }
        let long = Text::new(&[b'x'; 64]);
        assert_eq!(serialized_length(ValueRef::Text(long.as_ref()), false), 66);
        assert!(serialized_length(ValueRef::Text(long.as_ref()), true) < 20);
    }
}
