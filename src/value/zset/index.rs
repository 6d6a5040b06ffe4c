//! From a member to its leaf: the hash index of a big sorted set.
//!
//! ```text
//! directory    the top bits of a tag ──► segment
//! segment      (tag, leaf) (tag, leaf) ...        ascending; 8 bytes each, up to 512
//! ```
//!
//! A tag is 32 bits of the member's keyed hash. The index keeps neither members nor scores: the leaf has them, and its
//! few entries are searched for the tag. So a member costs 8 bytes here, plus what a segment leaves empty, and lies in
//! memory once. A table of scores by member would answer ZSCORE without the way to the leaf, about half the time in a
//! set of a million; it would cost a second copy of every member.
//!
//! Segments are sorted, so ZSCAN's cursor is a place in the order of tags: no growth can make it skip or repeat.
//! Growth cuts one segment in two; the directory doubles when a segment's range is a single place of it (extendible
//! hashing; Fagin, Nievergelt, Pippenger and Strong, 1979).

use std::mem::size_of;

use super::leaf::grow;
use super::slab::Slab;
use super::tree::Watch;
use crate::base::prefetch;

/// Entries a segment has before it is cut in two. Tests use small ones, so that few members make a deep directory.
const ENTRIES_MAX: usize = if cfg!(test) { 8 } else { 512 };
/// A tag's bits that the directory can tell apart. Segments of equal ones grow instead.
const DEPTH_MAX: u32 = if cfg!(test) { 10 } else { 26 };
/// From so many segments on, looking ahead pays.
const SEGMENTS_FAR: usize = 16;
/// How far a guess of a place is first trusted, in entries: a cache line, of some three that the guess is off.
const GUESS: usize = 8;

/// Where the members are, by tag.
#[derive(Debug, Clone)]
pub(super) struct Index {
    /// The directory has 2 to this many places.
    bits: u32,
    directory: Vec<u32>,
    segments: Slab<Segment>,
    /// Heap bytes of the segments.
    heap: usize,
}

#[derive(Debug, Clone)]
struct Segment {
    /// `tag << 32 | leaf`, ascending.
    entries: Vec<u64>,
    /// The lowest tag that belongs here.
    first: u32,
    /// How many top bits all tags here have in common.
    depth: u32,
}

fn entry(tag: u32, leaf: u32) -> u64 {
    u64::from(tag) << 32 | u64::from(leaf)
}

impl Segment {
    /// The first place that could hold this entry. Tags are evenly spread, so a guess by proportion comes close; from
    /// there the search widens until it has the place between two bounds.
    #[inline]
    fn place(&self, wanted: u64) -> usize {
        let entries = self.entries.as_slice();
        let guess = self.guess((wanted >> 32) as u32);
        let (mut from, mut to, mut step) = (guess, guess, GUESS);
        while from > 0 && entries[from - 1] >= wanted {
            from = from.saturating_sub(step);
            step *= 2;
        }
        step = GUESS;
        while to < entries.len() && entries[to] < wanted {
            to = (to + step).min(entries.len());
            step *= 2;
        }
        from + entries[from..to].partition_point(|&entry| entry < wanted)
    }

    /// A place near that of a tag.
    #[inline]
    fn guess(&self, tag: u32) -> usize {
        let offset = u64::from(tag.saturating_sub(self.first));
        let guess = (offset * self.entries.len() as u64) >> (32 - self.depth);
        (guess as usize).min(self.entries.len())
    }

    /// Asks for the entries near a tag's place.
    #[inline]
    fn prefetch(&self, tag: u32) {
        prefetch::around(self.entries.as_ptr().wrapping_add(self.guess(tag)).cast());
    }

    /// One more than the highest tag that belongs here.
    fn end(&self) -> u64 {
        u64::from(self.first) + (1 << (32 - self.depth))
    }

    fn insert(&mut self, new: u64) {
        let place = self.place(new);
        grow(&mut self.entries, 1);
        self.entries.insert(place, new);
    }

    fn remove(&mut self, old: u64) {
        let place = self.place(old);
        if self.entries.get(place) == Some(&old) {
            self.entries.remove(place);
        }
        if self.entries.capacity() > 2 * self.entries.len() + 16 {
            self.entries.shrink_to(self.entries.len() + 4);
        }
    }
}

impl Index {
    pub(super) fn new() -> Index {
        let mut index = Index { bits: 0, directory: Vec::new(), segments: Slab::new(), heap: 0 };
        let only = index.add(Segment { entries: Vec::new(), first: 0, depth: 0 });
        index.directory.push(only);
        index
    }

    /// Heap bytes held.
    pub(super) fn heap_bytes(&self) -> usize {
        self.heap + self.segments.heap_bytes() + self.directory.capacity() * size_of::<u32>()
    }

    /// The leaves that have members of this tag.
    #[inline]
    pub(super) fn leaves(&self, tag: u32) -> impl Iterator<Item = u32> {
        let segment = self.segments.get(self.segment(tag));
        let from = segment.place(entry(tag, 0));
        segment.entries[from..].iter().take_while(move |&&e| (e >> 32) as u32 == tag).map(|&e| e as u32)
    }

    /// Whether there are so many segments that the caches do not hold them.
    pub(super) fn is_far(&self) -> bool {
        self.segments.len() >= SEGMENTS_FAR
    }

    /// Asks for the memory that looking up these tags needs, step by step for all of them.
    pub(super) fn prefetch(&self, tags: &[u32]) {
        let segments = || tags.iter().map(|&tag| (tag, self.segment(tag)));
        segments().for_each(|(_, segment)| self.segments.prefetch_place(segment));
        segments().for_each(|(_, segment)| self.segments.prefetch(segment));
        segments().for_each(|(tag, segment)| self.segments.get(segment).prefetch(tag));
    }

    /// Calls `visit` with each (tag, leaf) from tag `from` on, in order, until it says false.
    pub(super) fn walk(&self, from: u64, mut visit: impl FnMut(u32, u32) -> bool) {
        let mut at = from;
        while let Ok(tag) = u32::try_from(at) {
            let segment = self.segments.get(self.segment(tag));
            for &e in &segment.entries[segment.place(entry(tag, 0))..] {
                if !visit((e >> 32) as u32, e as u32) {
                    return;
                }
            }
            at = segment.end();
        }
    }

    #[inline]
    fn segment(&self, tag: u32) -> u32 {
        self.directory[(u64::from(tag) >> (32 - self.bits)) as usize]
    }

    fn add(&mut self, segment: Segment) -> u32 {
        self.heap += Slab::<Segment>::NODE_BYTES + segment.entries.capacity() * size_of::<u64>();
        self.segments.add(segment)
    }

    fn edit<R>(&mut self, id: u32, change: impl FnOnce(&mut Segment) -> R) -> R {
        let before = self.segments.get(id).entries.capacity();
        let segment = self.segments.get_mut(id);
        let result = change(segment);
        self.heap = self.heap + segment.entries.capacity() * size_of::<u64>() - before * size_of::<u64>();
        result
    }

    /// Makes the directory lead to `id` for the segment's range.
    fn enter(&mut self, id: u32) {
        let segment = self.segments.get(id);
        let shift = 32 - self.bits;
        let (from, to) = (u64::from(segment.first) >> shift, segment.end() >> shift);
        self.directory[from as usize..to as usize].fill(id);
    }

    /// Cuts a segment in the middle of its range.
    fn cut(&mut self, id: u32) {
        let depth = self.segments.get(id).depth + 1;
        if depth > self.bits {
            self.directory = self.directory.iter().flat_map(|&segment| [segment; 2]).collect();
            self.bits += 1;
        }
        let upper = self.edit(id, |segment| {
            let first = segment.first | 1 << (32 - depth);
            segment.depth = depth;
            let entries = segment.entries.split_off(segment.place(entry(first, 0)));
            segment.entries.shrink_to(segment.entries.len() + segment.entries.len() / 4);
            Segment { entries, first, depth }
        });
        let upper = self.add(upper);
        self.enter(upper);
    }

    /// Joins a segment with its other half, if both have become small.
    fn join(&mut self, id: u32) {
        let segment = self.segments.get(id);
        if segment.depth == 0 {
            return;
        }
        let other = self.segment(segment.first ^ 1 << (32 - segment.depth));
        let brother = self.segments.get(other);
        if brother.depth != segment.depth || brother.entries.len() + segment.entries.len() > ENTRIES_MAX / 4 {
            return;
        }
        let (lower, upper) = if brother.first < segment.first { (other, id) } else { (id, other) };
        // Reckoned before it is taken: a copy of a shared one has another capacity.
        let capacity = self.segments.get(upper).entries.capacity();
        self.heap -= Slab::<Segment>::NODE_BYTES + capacity * size_of::<u64>();
        let upper = self.segments.take(upper);
        self.edit(lower, |segment| {
            segment.depth -= 1;
            segment.entries.extend_from_slice(&upper.entries);
        });
        self.enter(lower);
        self.shorten();
    }

    /// Halves the directory while it is much larger than needed. It is looked through only when the number of
    /// segments has halved, so that emptying a set takes time in proportion to its size.
    fn shorten(&mut self) {
        let segments = self.segments.len();
        while segments.is_power_of_two()
            && self.bits > 0
            && self.directory.chunks_exact(2).all(|pair| pair[0] == pair[1])
        {
            self.directory = self.directory.iter().copied().step_by(2).collect();
            self.bits -= 1;
        }
    }
}

impl Watch for Index {
    fn placed(&mut self, tag: u32, leaf: u32) {
        let mut id = self.segment(tag);
        loop {
            let segment = self.segments.get(id);
            if segment.entries.len() < ENTRIES_MAX || segment.depth == DEPTH_MAX {
                break;
            }
            self.cut(id);
            id = self.segment(tag);
        }
        self.edit(id, |segment| segment.insert(entry(tag, leaf)));
    }

    fn gone(&mut self, tag: u32, leaf: u32) {
        let id = self.segment(tag);
        self.edit(id, |segment| segment.remove(entry(tag, leaf)));
        self.join(id);
    }

    fn moved(&mut self, tag: u32, from: u32, to: u32) {
        let id = self.segment(tag);
        self.edit(id, |segment| {
            let place = segment.place(entry(tag, from));
            let alone = |other: Option<&u64>| other.is_none_or(|&e| (e >> 32) as u32 != tag);
            let before = place.checked_sub(1).and_then(|before| segment.entries.get(before));
            if alone(before) && alone(segment.entries.get(place + 1)) {
                segment.entries[place] = entry(tag, to);
            } else {
                // Several members of one tag: a rare case, where the order may change.
                segment.entries.remove(place);
                let place = segment.place(entry(tag, to));
                segment.entries.insert(place, entry(tag, to));
            }
        });
    }
}

#[cfg(test)]
impl Index {
    /// Panics if segments, directory and account do not agree, or the entries are not these.
    pub(super) fn check(&self, mut expected: Vec<(u32, u32)>) {
        let mut all = Vec::new();
        self.walk(0, |tag, leaf| {
            all.push((tag, leaf));
            true
        });
        expected.sort_unstable();
        assert_eq!(all, expected);
        assert_eq!(self.directory.len(), 1 << self.bits);
        let mut heap = 0;
        for id in self.segments.ids() {
            let segment = self.segments.get(id);
            heap += Slab::<Segment>::NODE_BYTES + segment.entries.capacity() * size_of::<u64>();
            let places = self.directory.iter().filter(|&&other| other == id).count();
            assert_eq!(places, 1 << (self.bits - segment.depth));
            assert_eq!(self.segment(segment.first), id);
            let range = u64::from(segment.first)..segment.end();
            assert!(segment.entries.iter().all(|e| range.contains(&(e >> 32))));
        }
        assert_eq!(self.heap, heap);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Tags that often agree: in the top bits, so that ranges fill, or wholly.
    fn tags() -> impl Strategy<Value = u32> {
        prop_oneof![any::<u32>(), 0..4_u32, (0..16_u32).prop_map(|n| 0xabc0_0000 | n), Just(u32::MAX)]
    }

    proptest! {
        #[test]
        fn entries_come_go_and_move(steps in prop::collection::vec((0..4_u8, tags(), 0..3_u32), 0..400)) {
            let mut index = Index::new();
            let mut model: Vec<(u32, u32)> = Vec::new();
            for (what, tag, leaf) in steps {
                let known = model.iter().position(|&e| e == (tag, leaf));
                match (what, known) {
                    (0 | 1, _) => {
                        index.placed(tag, leaf);
                        model.push((tag, leaf));
                    }
                    (2, Some(at)) => {
                        index.gone(tag, leaf);
                        model.swap_remove(at);
                    }
                    (3, Some(at)) => {
                        index.moved(tag, leaf, leaf + 1);
                        model[at].1 += 1;
                    }
                    _ => {}
                }
                let mut leaves: Vec<u32> = model.iter().filter(|e| e.0 == tag).map(|e| e.1).collect();
                leaves.sort_unstable();
                prop_assert_eq!(index.leaves(tag).collect::<Vec<_>>(), leaves);
            }
            index.check(model.clone());
            let copy = index.clone();
            for (tag, leaf) in model.drain(..) {
                index.gone(tag, leaf);
            }
            index.check(Vec::new());
            let mut kept = 0;
            copy.walk(0, |_, _| { kept += 1; true });
            prop_assert!(index.segments.len() == 1 || kept > ENTRIES_MAX);
        }
    }
}
