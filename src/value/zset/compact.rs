//! The compact form: one listpack of member, score, member, score, in the order of (score, member).
//!
//! A score is kept as the text that Redis 7.0 prints (`%.17g`), except that integral ones up to 2^62 are kept as
//! integers, even where their text would have an exponent. So the bytes are those that Redis would have.
//!
//! Every search walks: the thresholds see to it that there is little to walk.

use std::collections::BTreeSet;
use std::ops::Range;

use super::leaf::compare;
use crate::base::number;
use crate::value::listpack::{Entries, Listpack, Pos};
use crate::value::text::TextRef;

/// Integral scores up to this are kept as integers.
const INTEGER_MAX: f64 = (1_u64 << 62) as f64;

/// Members and scores in one listpack.
#[derive(Debug, Clone)]
pub(super) struct Compact(Listpack);

/// A pair in the listpack.
#[derive(Debug, Clone, Copy)]
struct Pair<'a> {
    /// Where the member lies.
    pos: Pos,
    member: TextRef<'a>,
    score: f64,
}

impl Compact {
    pub(super) fn new() -> Compact {
        Compact(Listpack::new())
    }

    /// Reads a listpack from outside. `None` if it is none, or not one of pairs in order, or has a member twice.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Compact> {
        let pack = Listpack::from_bytes(bytes).ok()?;
        are_pairs_in_order(&pack)?.then_some(Compact(pack))
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len() / 2
    }

    /// Heap bytes held.
    pub(super) fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    /// Whether the format can take another member of this length.
    pub(super) fn has_room(&self, length: usize) -> bool {
        self.0.fits(length.saturating_add(SCORE_MAX), 2)
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        let pos = self.0.find(member, 1)?;
        self.pair(pos).map(|pair| pair.score)
    }

    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let pos = self.0.find(member, 1)?;
        let rank = self.0.entries_between(self.0.start(), pos).count() / 2;
        Some((rank, self.pair(pos)?.score))
    }

    /// Adds a member that is not there.
    pub(super) fn add(&mut self, member: &[u8], score: f64) {
        let score = score + 0.0;
        let after = self.pairs().find(|pair| !is_less((pair.score, pair.member), (score, member)));
        let pos = after.map_or(self.0.end(), |pair| pair.pos);
        self.0.insert(pos, member);
        if let Some(pos) = self.0.next(pos) {
            let mut text = Vec::with_capacity(SCORE_MAX);
            write_score(&mut text, score);
            self.0.insert(pos, &text);
        }
    }

    /// Adds a member that comes after all that are there.
    pub(super) fn push(&mut self, member: &[u8], score: f64) {
        let mut text = Vec::with_capacity(SCORE_MAX);
        write_score(&mut text, score);
        self.0.push_back(member);
        self.0.push_back(&text);
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let pos = self.0.find(member, 1)?;
        let score = self.pair(pos)?.score;
        self.0.remove(pos, 2);
        Some(score)
    }

    pub(super) fn remove_ranks(&mut self, ranks: Range<usize>) {
        self.0.remove_range(2 * ranks.start, 2 * ranks.len());
    }

    /// The number of pairs at the front for which `is_before` holds.
    pub(super) fn partition(&self, mut is_before: impl FnMut(f64, &[u8]) -> bool) -> usize {
        self.pairs()
            .take_while(|pair| {
                let mut buffer = itoa::Buffer::new();
                is_before(pair.score, pair.member.bytes(&mut buffer))
            })
            .count()
    }

    /// The pairs of these ranks.
    pub(super) fn iter(&self, ranks: Range<usize>) -> Iter<'_> {
        let place = |rank: usize| self.0.at(2 * rank).unwrap_or(self.0.end());
        let (from, to) = (place(ranks.start), place(ranks.end));
        Iter(self.0.entries_between(from, to.max(from)))
    }

    fn pairs(&self) -> impl Iterator<Item = Pair<'_>> {
        let mut entries = self.0.entries();
        std::iter::from_fn(move || {
            let ((pos, member), (_, score)) = (entries.next()?, entries.next()?);
            Some(Pair { pos, member, score: score_of(score)? })
        })
    }

    fn pair(&self, pos: Pos) -> Option<Pair<'_>> {
        let score = self.0.item(self.0.next(pos)?)?;
        Some(Pair { pos, member: self.0.item(pos)?, score: score_of(score)? })
    }
}

/// Pairs from both ends.
#[derive(Debug, Clone)]
pub(super) struct Iter<'a>(Entries<'a>);

impl<'a> Iterator for Iter<'a> {
    type Item = (TextRef<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        let ((_, member), (_, score)) = (self.0.next()?, self.0.next()?);
        Some((member, score_of(score)?))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let ((_, score), (_, member)) = (self.0.next_back()?, self.0.next_back()?);
        Some((member, score_of(score)?))
    }
}

/// Whether members and scores ascend and no member occurs twice; `None` where something is no score.
fn are_pairs_in_order(pack: &Listpack) -> Option<bool> {
    let (mut entries, mut members) = (pack.iter(), BTreeSet::new());
    let mut previous: Option<(f64, TextRef<'_>)> = None;
    while let Some(member) = entries.next() {
        let score = score_of(entries.next()?)?;
        let mut buffer = itoa::Buffer::new();
        if previous.is_some_and(|previous| !is_less(previous, (score, member.bytes(&mut buffer)))) {
            return Some(false);
        }
        previous = Some((score, member));
        // A member that spells an integer is always kept as one, so equal members are equal here.
        let known = match member {
            TextRef::Int(integer) => (Some(integer), [].as_slice()),
            TextRef::Bytes(bytes) => (None, bytes),
        };
        if !members.insert(known) {
            return Some(false);
        }
    }
    Some(true)
}

/// Room for the longest text of a score.
const SCORE_MAX: usize = 32;

fn is_less(pair: (f64, TextRef<'_>), other: (f64, &[u8])) -> bool {
    let mut buffer = itoa::Buffer::new();
    compare((pair.0, pair.1.bytes(&mut buffer)), other).is_lt()
}

/// The score that an entry spells; `None` also for NaN.
fn score_of(entry: TextRef<'_>) -> Option<f64> {
    match entry {
        TextRef::Int(integer) => Some(integer as f64),
        TextRef::Bytes(text) => number::parse_f64(text).map(|score| score + 0.0),
    }
}

fn write_score(out: &mut Vec<u8>, score: f64) {
    if score.trunc() == score && score.abs() <= INTEGER_MAX {
        number::write_i64(out, score as i64);
    } else {
        number::write_double(out, score);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What redis-server 7.0.15's DUMP holds after ZADD of one member `a`, without type, version and checksum.
    #[test]
    fn scores_are_kept_as_redis_keeps_them() {
        for (score, entry) in [
            (0.0, b"\x00\x01".as_slice()),
            (1.5, b"\x831.5\x04"),
            (1e17, b"\xf4\x00\x00\x8a\x5d\x78\x45\x63\x01\x09"),
            (4_611_686_018_427_387_904.0, b"\xf4\x00\x00\x00\x00\x00\x00\x00\x40\x09"),
            (-4_611_686_018_427_387_904.0, b"\xf4\x00\x00\x00\x00\x00\x00\x00\xc0\x09"),
            (4_611_686_018_427_388_928.0, b"\x964.6116860184273889e+18\x17"),
            (5e18, b"\x855e+18\x06"),
            (f64::NEG_INFINITY, b"\x84-inf\x05"),
        ] {
            let mut compact = Compact::new();
            compact.add(b"a", score);
            let expected =
                [&[10 + entry.len() as u8, 0, 0, 0, 2, 0], b"\x81a\x02".as_slice(), entry, b"\xff"];
            assert_eq!(compact.bytes(), expected.concat(), "{score}");
            assert_eq!(compact.score(b"a"), Some(score));
        }
    }

    #[test]
    fn what_is_no_sorted_set_is_not_taken() {
        let pack = |entries: &[&str]| entries.iter().collect::<Listpack>().as_bytes().to_vec();
        let ok = Compact::from_bytes(&pack(&["b", "-1.5", "10", "2", "9", "2"])).unwrap();
        assert_eq!((ok.rank(b"9"), ok.len()), (Some((2, 2.0)), 3));
        for wrong in [
            &["a"][..],
            &["a", "x"],
            &["a", "nan"],
            &["a", "2", "b", "1"],
            &["b", "1", "a", "1"],
            &["9", "2", "10", "2"],
            &["a", "1", "a", "1"],
            &["a", "1", "b", "2", "a", "3"],
            &["7", "1", "b", "2", "7", "3"],
        ] {
            assert!(Compact::from_bytes(&pack(wrong)).is_none(), "{wrong:?}");
        }
        assert!(Compact::from_bytes(b"").is_none());
    }
}
