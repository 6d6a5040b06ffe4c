//! `FIELDS n field ...`, the end of every command over fields that came with their deadlines; and its place in the log.

use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::effect::Record;
use crate::exec::{Args, Effect};
use crate::table::Slot;

/// What HEXPIRE and its siblings say of a number that is none or not positive.
pub(super) const NOT_GREATER: Refusal = Refusal::line("ERR Parameter `numFields` should be greater than 0");
/// What the others say of it.
pub(super) const NOT_POSITIVE: Refusal = Refusal::line("ERR Number of fields must be a positive integer");

/// Reads the names; nothing may follow them. `bad_number` is the refusal of a number that is none or not positive.
pub(super) fn read<'a>(args: &mut Args<'a>, bad_number: Refusal) -> Result<Vec<&'a [u8]>, Refusal> {
    if !args.accept("FIELDS") {
        return Err(Refusal::line("ERR Mandatory argument FIELDS is missing or not at the right position"));
    }
    let count = count(args).ok_or(bad_number)?;
    if count != args.left() {
        return Err(Refusal::line("ERR The `numfields` parameter must match the number of arguments"));
    }
    Ok(args.rest().collect())
}

/// Reads the number of fields; none if it is not positive.
pub(super) fn count(args: &mut Args<'_>) -> Option<usize> {
    let count = usize::try_from(number::parse_i64(args.next()?)?).ok()?;
    Some(count).filter(|&count| count > 0)
}

/// Adds a command over fields: `words FIELDS n names`.
pub(super) fn push(record: &mut Record, words: &[&[u8]], names: &[&[u8]]) {
    let mut number = itoa::Buffer::new();
    let count = number.format(names.len()).as_bytes();
    let all: Vec<&[u8]> = words.iter().chain([&b"FIELDS"[..], count].iter()).chain(names).copied().collect();
    record.push_words(&all);
}

/// The effect of one such command.
pub(super) fn effect(words: &[&[u8]], names: &[&[u8]]) -> Effect {
    let mut record = Record::default();
    push(&mut record, words, names);
    Effect::Instead(record)
}

/// The effect of having removed these fields, and with the last of them perhaps the key.
pub(super) fn removed(slot: &Slot<'_>, names: &[&[u8]]) -> Effect {
    if !slot.exists() {
        return Effect::instead([b"DEL", slot.key()]);
    }
    let mut words: Vec<&[u8]> = vec![b"HDEL", slot.key()];
    words.extend(names);
    let mut record = Record::default();
    record.push_words(&words);
    Effect::Instead(record)
}
