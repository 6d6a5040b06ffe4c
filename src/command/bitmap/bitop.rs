//! BITOP AND | OR | XOR | NOT destkey key [key ...] — stores what an operation makes of the bits of strings.
//!
//! Shorter strings, and keys that are not there, count as filled up with zeros. An empty result removes the destination.

use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Entry, Expiry, Locked};
use crate::value::Text;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "bitop",
    arity: -4,
    keys: &[KeySpec::at(2, key::OW | key::UPDATE), KeySpec::all(3, 1, key::RO | key::ACCESS)],
    flags: flag::WRITE | flag::DENYOOM,
    acl: acl::BITMAP,
    since: "2.6.0",
    group: Group::Bitmap,
    summary: "Stores what a bitwise operation makes of strings.",
    complexity: "O(N)",
    syntax: "operation destkey key [key ...]",
    run: Run::Keys(bitop),
    ..Spec::DEFAULT
}];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    And,
    Or,
    Xor,
    Not,
}

impl Operation {
    fn read(word: &[u8]) -> Result<Operation, Refusal> {
        let known = [("and", Self::And), ("or", Self::Or), ("xor", Self::Xor), ("not", Self::Not)];
        let found = known.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, operation)| operation).ok_or(Refusal::Syntax)
    }

    /// The result over strings, of which there is at least one; as long as the longest.
    fn over(self, strings: &[&[u8]]) -> Vec<u8> {
        let length = strings.iter().map(|string| string.len()).max().unwrap_or(0);
        let Some((first, others)) = strings.split_first() else { return Vec::new() };
        let mut result = Vec::with_capacity(length);
        result.extend_from_slice(first);
        result.resize(length, 0);
        if self == Operation::Not {
            result.iter_mut().for_each(|byte| *byte = !*byte);
        }
        for other in others {
            let (covered, beyond) = result.split_at_mut(other.len());
            let pairs = covered.iter_mut().zip(*other);
            match self {
                Operation::And => {
                    pairs.for_each(|(byte, other)| *byte &= other);
                    beyond.fill(0);
                }
                Operation::Or => pairs.for_each(|(byte, other)| *byte |= other),
                Operation::Xor => pairs.for_each(|(byte, other)| *byte ^= other),
                Operation::Not => {}
            }
        }
        result
    }
}

fn bitop(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let (db, operation, target) = (args.db(), Operation::read(args.word()?)?, args.word()?);
    if operation == Operation::Not && args.left() != 1 {
        return Err(Refusal::line("ERR BITOP NOT must be called with a single source key."));
    }
    let entries = locked.entries(db, args.rest(), true);
    let texts: Vec<_> =
        entries.into_iter().map(|entry| entry.map(Entry::text).transpose()).collect::<Result<_, _>>()?;
    let mut digits = vec![itoa::Buffer::new(); texts.len()];
    let strings: Vec<&[u8]> = texts
        .iter()
        .zip(&mut digits)
        .map(|(text, digits)| text.map_or(&[][..], |text| text.bytes(digits)))
        .collect();
    let result = operation.over(&strings);
    reply.int(result.len() as i64);
    let mut slot = locked.slot(db, target);
    if result.is_empty() {
        return Ok(if slot.remove() { Effect::Same } else { Effect::None });
    }
    slot.put(Text::Grown(result), Expiry::Clear);
    slot.tell(event::SET);
    Ok(Effect::Same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_strings_are_filled_up_with_zeros() {
        let strings: [&[u8]; 3] = [&[0b1100, 1], &[0b1010, 2, 0xff], &[]];
        for (operation, expected) in [
            (Operation::And, vec![0, 0, 0]),
            (Operation::Or, vec![0b1110, 3, 0xff]),
            (Operation::Xor, vec![0b0110, 3, 0xff]),
        ] {
            assert_eq!(operation.over(&strings), expected);
        }
        assert_eq!(Operation::And.over(&strings[..2]), [0b1000, 0, 0]);
        assert_eq!(Operation::Not.over(&[&[0b1010, 0xff]]), [0xf5, 0]);
        assert!(Operation::Or.over(&[&[], &[]]).is_empty());
    }
}
