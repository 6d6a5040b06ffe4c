//! Sorted sets: members, each with a score, in the order of (score, member bytes).
//!
//! ```text
//! compact    one listpack of pairs                       "listpack"
//! indexed    counted B+ tree, and index by member        "skiplist", the name that Redis's form has
//! ```
//!
//! A set begins compact and becomes indexed when it has more entries, or a longer member, than the thresholds allow;
//! it never goes back by itself, as in Redis. Why a tree and not a skip list: a leaf has 128 neighbours in one piece of
//! memory, so walking is fast; an entry costs 30 bytes beyond its member where redis-server 7.0.15 takes 95 (a million
//! members of 13 bytes); and a clone shares the leaves.
//!
//! Everything that reads or removes a stretch of the set works on ranks: [`ZSet::span_by_score`] and
//! [`ZSet::span_by_lex`] turn other ranges into ranks, [`limit`] cuts them, [`ZSet::range`] reads them and
//! [`ZSet::remove_span`] removes them.
//!
//! Scores are never NaN (the caller refuses it), and negative zero is kept as zero. Redis keeps its sign in a skiplist and
//! drops it in a listpack; here both forms hold the same, so a value does not depend on which of them it went through.

mod compact;
mod index;
mod indexed;
mod leaf;
mod range;
mod slab;
mod tree;

#[cfg(test)]
mod tests;

use std::mem::size_of;
use std::ops::Range;

pub use range::{Direction, LexBound, LexRange, ScoreRange, limit, ranks};

use smallvec::SmallVec;

use super::Wanted;
use super::text::TextRef;
use crate::base::random::Random;
use compact::Compact;
use indexed::Indexed;

pub use indexed::Found;

/// Members that were removed, with their scores: of one, which is not long, nothing has to be allocated.
pub type Popped = SmallVec<[(SmallVec<[u8; 40]>, f64); 1]>;

/// Up to where a set stays compact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Most entries: `zset-max-listpack-entries`.
    pub entries: usize,
    /// Most bytes of a member: `zset-max-listpack-value`.
    pub value_bytes: usize,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds { entries: 128, value_bytes: 64 }
    }
}

/// What [`ZSet::update`] found and left: the scores, `None` where the member is not in the set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Update {
    /// The score before.
    pub old: Option<f64>,
    /// The score after.
    pub new: Option<f64>,
}

/// What [`ZSet::seek`] found, of which a later update makes use.
#[derive(Debug, Clone, Copy)]
pub enum Sought {
    /// In the compact form: the score.
    Compact(Option<f64>),
    /// In the indexed form: the hash, and where the member is.
    Indexed(Found),
}

impl Sought {
    /// The member's score, `None` if it is not in the set.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        match self {
            Sought::Compact(score) => *score,
            Sought::Indexed(found) => found.score(),
        }
    }
}

/// A sorted set.
#[derive(Debug, Clone)]
pub struct ZSet(Form);

#[derive(Debug, Clone)]
enum Form {
    Compact(Compact),
    Indexed(Box<Indexed>),
}

impl Default for ZSet {
    fn default() -> Self {
        ZSet::new()
    }
}

impl ZSet {
    /// No members.
    #[must_use]
    pub fn new() -> ZSet {
        ZSet(Form::Compact(Compact::new()))
    }

    /// No members yet, but about `entries` to come: too many to be compact, perhaps.
    #[must_use]
    pub fn with_capacity(entries: usize, thresholds: &Thresholds) -> ZSet {
        if entries > thresholds.entries {
            return ZSet(Form::Indexed(Box::new(Indexed::new())));
        }
        ZSet::new()
    }

    /// The set that a listpack of pairs is. `None` if the bytes are no listpack, are no pairs of member and score in
    /// order, or have a member twice.
    #[must_use]
    pub fn from_listpack(bytes: &[u8]) -> Option<ZSet> {
        Compact::from_bytes(bytes).map(|compact| ZSet(Form::Compact(compact)))
    }

    /// The listpack of a compact set.
    #[must_use]
    pub fn as_listpack(&self) -> Option<&[u8]> {
        match &self.0 {
            Form::Compact(compact) => Some(compact.bytes()),
            Form::Indexed(_) => None,
        }
    }

    /// Number of members.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Compact(compact) => compact.len(),
            Form::Indexed(indexed) => indexed.len(),
        }
    }

    /// True without members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `listpack` or `skiplist`.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Compact(_) => "listpack",
            Form::Indexed(_) => "skiplist",
        }
    }

    /// Heap bytes held beyond the value's own size; what clones share counts in each.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Compact(compact) => compact.heap_bytes(),
            Form::Indexed(indexed) => size_of::<Indexed>() + indexed.heap_bytes(),
        }
    }

    /// A member's score.
    #[must_use]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Form::Compact(compact) => compact.score(member),
            Form::Indexed(indexed) => indexed.score(member),
        }
    }

    /// How many members come before this one, and its score. ZREVRANK is `len - 1 - rank`.
    #[must_use]
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.0 {
            Form::Compact(compact) => compact.rank(member),
            Form::Indexed(indexed) => indexed.rank(member),
        }
    }

    /// Gives a member a score. Returns the old one, or `None` if the member is new.
    pub fn insert(&mut self, member: &[u8], score: f64, thresholds: &Thresholds) -> Option<f64> {
        self.update(member, thresholds, |_| Some(score)).old
    }

    /// Adds to a member's score; a new member starts from 0. Returns the new score; `None`, and no change, if that would
    /// be NaN.
    pub fn increment(&mut self, member: &[u8], by: f64, thresholds: &Thresholds) -> Option<f64> {
        let sum = |old: Option<f64>| Some(old.unwrap_or(0.0) + by).filter(|sum| !sum.is_nan());
        let mut result = None;
        self.update(member, thresholds, |old| {
            result = sum(old);
            result
        });
        result.map(|score| score + 0.0)
    }

    /// Looks a member up and gives it the score that `decide` makes of the old one (`None`: not in the set). If it
    /// decides for `None`, nothing changes.
    pub fn update(
        &mut self,
        member: &[u8],
        thresholds: &Thresholds,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Update {
        self.update_sought(member, self.seek(member), thresholds, decide)
    }

    /// Asks for the memory that commands which want this will need, if the set is too big for the caches.
    pub fn look_ahead<'w>(&self, wanted: impl Iterator<Item = Wanted<'w>>) {
        if let Form::Indexed(indexed) = &self.0
            && indexed.is_far()
        {
            indexed.look_ahead(wanted);
        }
    }

    /// Looks for a member, for [`ZSet::update_sought`].
    #[must_use]
    pub fn seek(&self, member: &[u8]) -> Sought {
        match &self.0 {
            Form::Compact(compact) => Sought::Compact(compact.score(member)),
            Form::Indexed(indexed) => Sought::Indexed(indexed.seek(member)),
        }
    }

    /// As [`ZSet::update`], where the member was looked for and the set has not changed since.
    pub fn update_sought(
        &mut self,
        member: &[u8],
        sought: Sought,
        thresholds: &Thresholds,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Update {
        let (compact, old) = match (&mut self.0, sought) {
            (Form::Compact(compact), Sought::Compact(old)) => (compact, old),
            (Form::Compact(compact), Sought::Indexed(_)) => {
                let old = compact.score(member);
                (compact, old)
            }
            (Form::Indexed(indexed), sought) => {
                let found = match sought {
                    Sought::Indexed(found) => found,
                    Sought::Compact(_) => indexed.seek(member),
                };
                let (old, new) = indexed.update(member, found, decide);
                return Update { old, new: new.or(old) };
            }
        };
        let Some(new) = decide(old).map(|score| score + 0.0) else { return Update { old, new: old } };
        let update = Update { old, new: Some(new) };
        match old {
            Some(old) if old == new => {}
            Some(_) => {
                compact.remove(member);
                compact.add(member, new);
            }
            None if compact.len() < thresholds.entries
                && member.len() <= thresholds.value_bytes
                && compact.has_room(member.len()) =>
            {
                compact.add(member, new);
            }
            None => self.make_indexed().add(member, new),
        }
        update
    }

    /// Removes a member. Returns its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.0 {
            Form::Compact(compact) => compact.remove(member),
            Form::Indexed(indexed) => indexed.remove(member),
        }
    }

    /// The ranks of the scores in a range.
    #[must_use]
    pub fn span_by_score(&self, range: &ScoreRange) -> Range<usize> {
        let start = self.partition(|score, _| range.is_after(score));
        let end = self.partition(|score, _| range.reaches(score));
        start..end.max(start)
    }

    /// The ranks of the members in a range. Where scores differ the result is some range: members are only in order
    /// within a score.
    #[must_use]
    pub fn span_by_lex(&self, range: &LexRange<'_>) -> Range<usize> {
        let start = self.partition(|_, member| range.is_after(member));
        let end = self.partition(|_, member| range.reaches(member));
        start..end.max(start)
    }

    /// All pairs, in order and from both ends.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        self.range(0..self.len())
    }

    /// The pairs of these ranks, as far as there are any; from both ends. ZREVRANGE's `ranks` are counted from the
    /// other end first: [`ZSet::mirrored`].
    #[must_use]
    pub fn range(&self, ranks: Range<usize>) -> Iter<'_> {
        let ranks = self.within(ranks);
        let left = ranks.len();
        match &self.0 {
            Form::Compact(compact) => Iter { left, pairs: Pairs::Compact(compact.iter(ranks)) },
            Form::Indexed(indexed) => Iter { left, pairs: Pairs::Indexed(indexed.iter(ranks)) },
        }
    }

    /// The same entries, counted from the other end.
    #[must_use]
    pub fn mirrored(&self, ranks: Range<usize>) -> Range<usize> {
        let (length, ranks) = (self.len(), self.within(ranks));
        length - ranks.end..length - ranks.start
    }

    /// The pair of this rank.
    #[must_use]
    pub fn nth(&self, rank: usize) -> Option<(TextRef<'_>, f64)> {
        self.range(rank..rank.saturating_add(1)).next()
    }

    /// A pair by chance, each as likely as any other.
    #[must_use]
    pub fn random(&self, random: &mut Random) -> Option<(TextRef<'_>, f64)> {
        self.nth(random.below(self.len() as u64) as usize)
    }

    /// Removes the members of these ranks. Returns how many there were.
    pub fn remove_span(&mut self, ranks: Range<usize>) -> usize {
        let ranks = self.within(ranks);
        let removed = ranks.len();
        match &mut self.0 {
            Form::Compact(compact) => compact.remove_ranks(ranks),
            Form::Indexed(indexed) => indexed.remove_ranks(ranks),
        }
        removed
    }

    /// Removes up to `count` members with the lowest scores and returns them, lowest first.
    pub fn pop_min(&mut self, count: usize) -> Popped {
        let ranks = 0..count.min(self.len());
        let popped = self.range(ranks.clone()).map(owned).collect();
        self.remove_span(ranks);
        popped
    }

    /// Removes up to `count` members with the highest scores and returns them, highest first.
    pub fn pop_max(&mut self, count: usize) -> Popped {
        let ranks = self.len().saturating_sub(count)..self.len();
        let popped = self.range(ranks.clone()).rev().map(owned).collect();
        self.remove_span(ranks);
        popped
    }

    /// Visits about `count` pairs from `cursor` on (0 begins), and returns the next cursor, 0 at the end. A member that
    /// is there from the first call to the last is visited exactly once; a compact set is visited whole.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8], f64)) -> u64 {
        match &self.0 {
            Form::Compact(_) => {
                for (member, score) in self.iter() {
                    visit(member.bytes(&mut itoa::Buffer::new()), score);
                }
                0
            }
            Form::Indexed(indexed) => indexed.scan(cursor, count, visit),
        }
    }

    /// Makes the set compact if the thresholds allow it: for results that were built indexed.
    pub fn pack(&mut self, thresholds: &Thresholds) {
        let fits = |member: TextRef<'_>| member.len() <= thresholds.value_bytes;
        if matches!(self.0, Form::Compact(_))
            || self.len() > thresholds.entries
            || !self.iter().all(|(member, _)| fits(member))
        {
            return;
        }
        let mut packed = Compact::new();
        for (member, score) in self.iter() {
            let mut buffer = itoa::Buffer::new();
            let member = member.bytes(&mut buffer);
            if !packed.has_room(member.len()) {
                return;
            }
            packed.push(member, score);
        }
        self.0 = Form::Compact(packed);
    }

    fn make_indexed(&mut self) -> &mut Indexed {
        if let Form::Compact(_) = self.0 {
            let mut indexed = Indexed::new();
            for (member, score) in self.iter() {
                indexed.add(member.bytes(&mut itoa::Buffer::new()), score);
            }
            self.0 = Form::Indexed(Box::new(indexed));
        }
        match &mut self.0 {
            Form::Indexed(indexed) => indexed,
            Form::Compact(_) => unreachable!("the lines above made it indexed"),
        }
    }

    fn partition(&self, is_before: impl FnMut(f64, &[u8]) -> bool) -> usize {
        match &self.0 {
            Form::Compact(compact) => compact.partition(is_before),
            Form::Indexed(indexed) => indexed.partition(is_before),
        }
    }

    fn within(&self, ranks: Range<usize>) -> Range<usize> {
        let end = ranks.end.min(self.len());
        ranks.start.min(end)..end
    }
}

fn owned((member, score): (TextRef<'_>, f64)) -> (SmallVec<[u8; 40]>, f64) {
    (SmallVec::from_slice(member.bytes(&mut itoa::Buffer::new())), score)
}

/// Equal when members and scores are, however they are kept.
impl PartialEq for ZSet {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): ((TextRef<'_>, f64), (TextRef<'_>, f64))| {
            let (mut first, mut second) = (itoa::Buffer::new(), itoa::Buffer::new());
            a.1 == b.1 && a.0.bytes(&mut first) == b.0.bytes(&mut second)
        };
        self.len() == other.len() && self.iter().zip(other.iter()).all(same)
    }
}

/// Pairs of member and score, in order and from both ends.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    left: usize,
    pairs: Pairs<'a>,
}

#[derive(Debug, Clone)]
enum Pairs<'a> {
    Compact(compact::Iter<'a>),
    Indexed(tree::Iter<'a>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (TextRef<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let next = match &mut self.pairs {
            Pairs::Compact(pairs) => pairs.next(),
            Pairs::Indexed(pairs) => pairs.next().map(|(member, score)| (TextRef::Bytes(member), score)),
        };
        self.left -= usize::from(next.is_some());
        next
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let next = match &mut self.pairs {
            Pairs::Compact(pairs) => pairs.next_back(),
            Pairs::Indexed(pairs) => pairs.next_back().map(|(member, score)| (TextRef::Bytes(member), score)),
        };
        self.left -= usize::from(next.is_some());
        next
    }
}

impl ExactSizeIterator for Iter<'_> {}
