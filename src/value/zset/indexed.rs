//! The big form: the tree for order and rank, the index for finding a member.

use std::ops::Range;

use smallvec::SmallVec;

use super::index::Index;
use super::tree::{Iter, Tree, Watch};
use crate::base::number::parse_f64;
use crate::base::prefetch::AHEAD;
use crate::value::{Wanted, seed};

/// Members in order, and their index.
#[derive(Debug, Clone)]
pub(super) struct Indexed {
    tree: Tree,
    index: Index,
}

/// What a search found: the member's tag, and where it is, if it is there.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    tag: u32,
    place: Option<Place>,
}

impl Found {
    /// The member's score.
    pub(super) fn score(&self) -> Option<f64> {
        self.place.map(|place| place.score)
    }
}

/// Where a member is.
#[derive(Debug, Clone, Copy)]
struct Place {
    leaf: u32,
    at: usize,
    score: f64,
}

impl Indexed {
    pub(super) fn new() -> Indexed {
        Indexed { tree: Tree::new(), index: Index::new() }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.tree.len()
    }

    /// Heap bytes held.
    pub(super) fn heap_bytes(&self) -> usize {
        self.tree.heap_bytes() + self.index.heap_bytes()
    }

    pub(super) fn seek(&self, member: &[u8]) -> Found {
        let tag = tag(member);
        Found { tag, place: self.find(tag, member) }
    }

    /// True where it is too big for the caches to hold much of it: a lookup ahead of its time pays.
    pub(super) fn is_far(&self) -> bool {
        self.index.is_far()
    }

    /// Asks for the memory that looking up these members will need, and that giving them these scores will need, or removing
    /// those at the ends: step by step for all of them, so that the misses of one step are waited for together.
    pub(super) fn look_ahead<'a>(&self, wanted: impl Iterator<Item = Wanted<'a>>) {
        let mut leaves: SmallVec<[u32; 2 * AHEAD]> = SmallVec::new();
        let mut tags: SmallVec<[u32; 2 * AHEAD]> = SmallVec::new();
        let (mut lowest, mut highest) = (0, 0);
        for wanted in wanted {
            match wanted {
                Wanted::Words(first, member) => {
                    tags.push(tag(member));
                    let score = if first == member { None } else { parse_f64(first) };
                    leaves.extend(score.map(|score| self.tree.leaf_of(score)));
                }
                Wanted::Lowest => lowest += 1,
                Wanted::Highest => highest += 1,
            }
        }
        let sought = tags.len();
        if let Some((leaf, at)) = self.tree.locate(0).filter(|_| lowest > 0) {
            tags.extend((at..leaf.len().min(lowest)).map(|at| leaf.tag(at)));
        }
        if let Some((leaf, at)) = self.tree.locate(self.len().saturating_sub(1)).filter(|_| highest > 0) {
            tags.extend((0..=at).rev().take(highest).map(|at| leaf.tag(at)));
        }
        self.index.prefetch(&tags);
        // Where those at the ends are is known.
        leaves.extend(tags[..sought].iter().filter_map(|&tag| self.index.leaves(tag).next()));
        self.tree.prefetch(&leaves);
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.seek(member).score()
    }

    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.tree.rank(score, member), score))
    }

    /// Asks `decide` for the new score, given the old one; `None` changes nothing. Returns both.
    pub(super) fn update(
        &mut self,
        member: &[u8],
        found: Found,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> (Option<f64>, Option<f64>) {
        let Found { tag, place } = found;
        let old = found.score();
        let new = decide(old).map(|score| score + 0.0);
        match (place, new) {
            (None, Some(new)) => self.tree.insert(new, member, tag, &mut self.index),
            (Some(Place { leaf, at, score }), Some(new))
                if score != new && !self.tree.rescore(leaf, at, new) =>
            {
                let mut index = Rescored { index: &mut self.index, from: leaf };
                self.tree.remove_entry((score, member), at, &mut index);
                self.tree.insert(new, member, tag, &mut index);
            }
            _ => {}
        }
        (old, new)
    }

    /// Adds a member that is not there.
    pub(super) fn add(&mut self, member: &[u8], score: f64) {
        self.tree.insert(score + 0.0, member, tag(member), &mut self.index);
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let place = self.seek(member).place?;
        self.tree.remove_entry((place.score, member), place.at, &mut self.index);
        Some(place.score)
    }

    pub(super) fn remove_ranks(&mut self, ranks: Range<usize>) {
        self.tree.remove(ranks, &mut self.index);
    }

    pub(super) fn partition(&self, is_before: impl FnMut(f64, &[u8]) -> bool) -> usize {
        self.tree.partition(is_before)
    }

    pub(super) fn iter(&self, ranks: Range<usize>) -> Iter<'_> {
        self.tree.iter(ranks)
    }

    /// Visits about `count` entries in the order of their tags from tag `cursor` on. Returns where to go on, 0 at the
    /// end. Members of one tag are visited together.
    pub(super) fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8], f64)) -> u64 {
        let (mut left, mut previous, mut next) = (count.max(1), None, 0);
        self.index.walk(cursor, |tag, id| {
            if left == 0 && previous.is_some_and(|(other, _)| other != tag) {
                next = u64::from(tag);
                return false;
            }
            // Two members of one tag in one leaf stand in the index twice.
            if previous.replace((tag, id)) != Some((tag, id)) {
                let leaf = self.tree.leaf(id);
                for at in leaf.tagged(tag) {
                    visit(leaf.member(at), leaf.score(at));
                    left = left.saturating_sub(1);
                }
            }
            true
        });
        next
    }

    #[inline]
    fn find(&self, tag: u32, member: &[u8]) -> Option<Place> {
        self.index.leaves(tag).find_map(|id| {
            let leaf = self.tree.leaf(id);
            leaf.find(tag, member).map(|at| Place { leaf: id, at, score: leaf.score(at) })
        })
    }
}

/// Has the index keep a member's entry while the member leaves its leaf and comes into another: then the entry is written
/// over, where it would be taken out and put in again.
struct Rescored<'a> {
    index: &'a mut Index,
    /// The leaf that the member was in. The index names it until the member is placed, even should the leaf go.
    from: u32,
}

impl Watch for Rescored<'_> {
    fn placed(&mut self, tag: u32, leaf: u32) {
        if leaf != self.from {
            self.index.moved(tag, self.from, leaf);
        }
    }

    /// Only the member that comes back.
    fn gone(&mut self, _: u32, _: u32) {}

    fn moved(&mut self, tag: u32, from: u32, to: u32) {
        self.index.moved(tag, from, to);
    }
}

/// The part of a member's hash that the index knows.
#[inline]
fn tag(member: &[u8]) -> u32 {
    let hash = (seed::hash(member) >> 32) as u32;
    // Tests want members of equal tags to be common.
    if cfg!(test) { hash & 0xf800_001f } else { hash }
}

#[cfg(test)]
impl Indexed {
    /// Number of leaves.
    pub(super) fn leaves(&self) -> usize {
        self.tree.leaf_ids().len()
    }

    /// Panics if tree, index and account do not agree.
    pub(super) fn check(&self) {
        self.tree.check();
        let entries = self.tree.leaf_ids().into_iter().flat_map(|id| {
            let leaf = self.tree.leaf(id);
            (0..leaf.len()).map(move |at| {
                assert_eq!(leaf.tag(at), tag(leaf.member(at)));
                (leaf.tag(at), id)
            })
        });
        self.index.check(entries.collect());
    }
}
