//! GETRANGE key start end — the bytes from start to end, both included; SUBSTR is its old name.
//!
//! Negative positions count from the string's end. One that lies before the start even so means the first byte, so that
//! `GETRANGE key 0 -100` gives the first byte of a short string rather than nothing. That is how Redis has it.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] =
    &[GETRANGE, Spec { name: "substr", since: "1.0.0", replaced_by: Some("`GETRANGE`"), ..GETRANGE }];

const GETRANGE: Spec = Spec {
    name: "getrange",
    arity: 4,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::STRING,
    since: "2.4.0",
    group: Group::String,
    summary: "Returns a part of the string that a key holds.",
    complexity: "O(N) where N is the length of the returned string",
    syntax: "key start end",
    run: Run::Read(getrange),
    ..Spec::DEFAULT
};

fn getrange(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let (start, end) = (args.int()?, args.int()?);
    match entry {
        Some(entry) => reply.bulk(part(entry.text()?.bytes(&mut itoa::Buffer::new()), start, end)),
        None => reply.bulk(b""),
    }
    Ok(())
}

/// The part of `text` between two positions, either of which may lie outside of it.
fn part(text: &[u8], start: i64, end: i64) -> &[u8] {
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let length = text.len() as i64;
    let place = |position: i64| if position < 0 { (position + length).max(0) } else { position };
    let (first, last) = (place(start), place(end).min(length - 1));
    text.get(first as usize..(last + 1) as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn positions_outside_of_the_text_are_moved_into_it() {
        let text = b"hello";
        for (start, end, expected) in [
            (0, 4, "hello"),
            (0, -1, "hello"),
            (1, 1, "e"),
            (-3, -2, "ll"),
            (-2, -3, ""),
            (3, 1, ""),
            (0, -100, "h"),
            (-100, -100, "h"),
            (-100, 100, "hello"),
            (5, 9, ""),
            (6, 9, ""),
            (i64::MIN, i64::MAX, "hello"),
            (i64::MAX, i64::MAX, ""),
            (i64::MIN, i64::MIN, "h"),
        ] {
            assert_eq!(part(text, start, end), expected.as_bytes(), "{start} {end}");
        }
    }

    #[test]
    fn nothing_is_part_of_the_empty_text() {
        for start in [i64::MIN, -1, 0, 1, i64::MAX] {
            for end in [i64::MIN, -1, 0, 1, i64::MAX] {
                assert_eq!(part(b"", start, end), b"", "{start} {end}");
            }
        }
    }
}
