//! The id of a stream's entry: a time in milliseconds, and a number among those of the same millisecond.

use smallvec::SmallVec;

use crate::base::number;

/// An id. Ids are ordered by time, then by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Id {
    /// Unix milliseconds, as a rule.
    pub ms: u64,
    /// Tells entries of the same millisecond apart.
    pub seq: u64,
}

/// Room for the longest text of an id: two numbers of 20 digits and a dash.
type IdText = SmallVec<[u8; 64]>;

impl Id {
    /// The lowest id, which no entry has.
    pub const MIN: Id = Id { ms: 0, seq: 0 };
    /// The highest id.
    pub const MAX: Id = Id { ms: u64::MAX, seq: u64::MAX };

    /// The id right after this one; none after the last.
    #[must_use]
    pub fn next(self) -> Option<Id> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => Some(Id { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The id right before this one; none before the first.
    #[must_use]
    pub fn previous(self) -> Option<Id> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => Some(Id { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// `ms` or `ms-seq`; where the second number is missing, it is this one.
    #[must_use]
    pub fn parse(text: &[u8], missing_seq: u64) -> Option<Id> {
        match memchr::memchr(b'-', text) {
            None => Some(Id { ms: part(text)?, seq: missing_seq }),
            Some(dash) => {
                let (ms, seq) = text.split_at_checked(dash)?;
                Some(Id { ms: part(ms)?, seq: part(seq.get(1..)?)? })
            }
        }
    }

    /// `ms-seq`
    #[must_use]
    pub fn text(self) -> IdText {
        let mut text = IdText::new();
        let mut buffer = itoa::Buffer::new();
        text.extend_from_slice(buffer.format(self.ms).as_bytes());
        text.push(b'-');
        text.extend_from_slice(buffer.format(self.seq).as_bytes());
        text
    }

    /// 16 bytes, the highest first: how RDB has it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    /// Reads [`Id::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Id {
        let [high, low] =
            [u128::from_be_bytes(bytes) >> 64, u128::from_be_bytes(bytes) & u128::from(u64::MAX)];
        Id { ms: u64::try_from(high).unwrap_or(u64::MAX), seq: u64::try_from(low).unwrap_or(u64::MAX) }
    }

    /// How far both numbers lie above those of `base`, as a chunk keeps them: the second may lie below.
    pub(super) fn minus(self, base: Id) -> (i64, i64) {
        (self.ms.wrapping_sub(base.ms).cast_signed(), self.seq.wrapping_sub(base.seq).cast_signed())
    }

    /// Undoes [`Id::minus`].
    pub(super) fn plus(self, (ms, seq): (i64, i64)) -> Id {
        Id { ms: self.ms.wrapping_add(ms.cast_unsigned()), seq: self.seq.wrapping_add(seq.cast_unsigned()) }
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// One of the two numbers. Redis reads it as C does: blanks, a plus sign and zeros may stand in front.
fn part(text: &[u8]) -> Option<u64> {
    if let Some(number) = number::parse_i64(text) {
        return u64::try_from(number).ok();
    }
    let text = std::str::from_utf8(text).ok()?.trim_ascii_start();
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_number_or_two() {
        let id = |ms, seq| Some(Id { ms, seq });
        for (text, expected) in [
            ("5", id(5, 9)),
            ("5-0", id(5, 0)),
            ("5-18446744073709551615", id(5, u64::MAX)),
            ("18446744073709551615-1", id(u64::MAX, 1)),
            ("18446744073709551616-1", None),
            ("", None),
            ("-", None),
            ("-1", None),
            ("1-", None),
            ("1--1", None),
            ("1-2-3", None),
            ("a-1", None),
            ("007-01", id(7, 1)),
        ] {
            assert_eq!(Id::parse(text.as_bytes(), 9), expected, "{text:?}");
        }
    }

    #[test]
    fn neighbours_cross_milliseconds_and_end_at_the_ends() {
        assert_eq!(Id { ms: 1, seq: u64::MAX }.next(), Some(Id { ms: 2, seq: 0 }));
        assert_eq!(Id { ms: 2, seq: 0 }.previous(), Some(Id { ms: 1, seq: u64::MAX }));
        assert_eq!((Id::MAX.next(), Id::MIN.previous()), (None, None));
        let (a, b) = (Id { ms: 5, seq: 10 }, Id { ms: 9, seq: 1 });
        assert_eq!(a.plus(b.minus(a)), b);
        assert_eq!(Id::from_bytes(b.to_bytes()), b);
        assert_eq!((&b.text()[..], b.to_string().as_str()), (&b"9-1"[..], "9-1"));
    }
}
