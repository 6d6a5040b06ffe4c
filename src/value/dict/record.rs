//! One member as it lies in a segment's bytes.
//!
//! ```text
//! head           varint: length of the member << 2 | has a deadline << 1 | has a value
//! value length   varint, if it has a value
//! deadline       i64 little-endian, if it has one
//! member         bytes
//! value          bytes, if it has one
//! ```
//!
//! A varint has 7 bits a byte, the lowest first; the top bit says that more follow. So a member of a set that is
//! shorter than 32 bytes costs one byte more than itself.

use crate::base::clock::{Millis, NEVER};

/// A member with what belongs to it, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The member, or field.
    pub member: &'a [u8],
    /// Its value; members of sets have none.
    pub value: Option<&'a [u8]>,
    /// When it is to go, [`NEVER`] without deadline.
    pub deadline: Millis,
}

const HAS_VALUE: u64 = 1;
const HAS_DEADLINE: u64 = 2;

impl<'a> Record<'a> {
    /// Bytes that [`Record::write`] appends.
    pub(super) fn size(&self) -> usize {
        let value = self.value.map_or(0, |value| varint_size(value.len() as u64) + value.len());
        varint_size(self.head()) + self.deadline_size() + self.member.len() + value
    }

    fn head(&self) -> u64 {
        let value = if self.value.is_some() { HAS_VALUE } else { 0 };
        let deadline = if self.deadline != NEVER { HAS_DEADLINE } else { 0 };
        (self.member.len() as u64) << 2 | deadline | value
    }

    fn deadline_size(&self) -> usize {
        if self.deadline != NEVER { size_of::<Millis>() } else { 0 }
    }

    /// Appends the record.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write_varint(out, self.head());
        if let Some(value) = self.value {
            write_varint(out, value.len() as u64);
        }
        if self.deadline != NEVER {
            out.extend_from_slice(&self.deadline.to_le_bytes());
        }
        out.extend_from_slice(self.member);
        out.extend_from_slice(self.value.unwrap_or_default());
    }

    /// Writes the record over one of the same member that takes as many bytes and has a deadline if this one has: only
    /// deadline and value can differ.
    pub(super) fn overwrite(&self, bytes: &mut [u8]) {
        let value = self.value.unwrap_or_default();
        let (head, old) = bytes.split_at_mut(bytes.len() - value.len());
        old.copy_from_slice(value);
        if self.deadline != NEVER {
            let at = head.len() - self.member.len() - self.deadline_size();
            head[at..at + self.deadline_size()].copy_from_slice(&self.deadline.to_le_bytes());
        }
    }

    /// The record at the front of `bytes`; none if they are not one.
    #[inline]
    pub(super) fn read(bytes: &'a [u8]) -> Option<Record<'a>> {
        let (head, mut rest) = read_varint(bytes)?;
        let value_length = if head & HAS_VALUE != 0 {
            let (length, after) = read_varint(rest)?;
            rest = after;
            Some(usize::try_from(length).ok()?)
        } else {
            None
        };
        let mut deadline = NEVER;
        if head & HAS_DEADLINE != 0 {
            let (bytes, after) = rest.split_first_chunk()?;
            deadline = Millis::from_le_bytes(*bytes);
            rest = after;
        }
        let (member, rest) = rest.split_at_checked(usize::try_from(head >> 2).ok()?)?;
        let value = match value_length {
            Some(length) => Some(rest.get(..length)?),
            None => None,
        };
        Some(Record { member, value, deadline })
    }
}

fn varint_size(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

#[expect(clippy::cast_possible_truncation, reason = "the lowest 7 bits are meant")]
fn write_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[inline]
fn read_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, mut rest) = bytes.split_first()?;
    let mut number = u64::from(first & 0x7f);
    let (mut shift, mut last) = (7, first);
    while last & 0x80 != 0 {
        (last, rest) = rest.split_first().map(|(&byte, rest)| (byte, rest))?;
        number |= u64::from(last & 0x7f).checked_shl(shift)?;
        shift += 7;
    }
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_short_member_costs_one_byte_more() {
        let size =
            |length| Record { member: &vec![b'x'; length], value: None, deadline: NEVER }.size() - length;
        assert_eq!([size(0), size(31), size(32), size(4095), size(4096)], [1, 1, 2, 2, 3]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            member in prop::collection::vec(any::<u8>(), 0..300),
            value in prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
            deadline in prop_oneof![Just(NEVER), any::<i64>()],
            after in any::<u8>(),
        ) {
            let record = Record { member: &member, value: value.as_deref(), deadline };
            let mut bytes = Vec::new();
            record.write(&mut bytes);
            prop_assert_eq!(bytes.len(), record.size());
            (0..bytes.len()).for_each(|cut| assert_eq!(Record::read(&bytes[..cut]), None));
            bytes.push(after);
            prop_assert_eq!(Record::read(&bytes), Some(record));
        }

        #[test]
        fn what_is_written_over_is_read(
            member in prop::collection::vec(any::<u8>(), 0..200),
            old in prop::collection::vec(any::<u8>(), 0..200),
            fill in any::<u8>(),
            deadlines in prop::option::of((0..i64::MAX, 0..i64::MAX)),
        ) {
            let (before, after) = deadlines.map_or((NEVER, NEVER), |(before, after)| (before, after));
            let mut bytes = Vec::new();
            Record { member: &member, value: Some(&old), deadline: before }.write(&mut bytes);
            let new = vec![fill; old.len()];
            let record = Record { member: &member, value: Some(&new), deadline: after };
            record.overwrite(&mut bytes);
            prop_assert_eq!(Record::read(&bytes), Some(record));
        }

        #[test]
        fn no_bytes_make_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            Record::read(&bytes);
        }
    }
}
