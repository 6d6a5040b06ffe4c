//! From a member to its leaf: the hash index of a big sorted set.
//!
//! ```text
//! directory    the top bits of a tag ──► segment
//! segment      (tag, leaf) (tag, gone) ...        ascending; 8 bytes each, up to 256
//! ```
//!
//! A tag is 32 bits of the member's keyed hash. The index keeps neither members nor scores: the leaf has them, and its
//! few entries are searched for the tag. So a member costs 8 bytes here, plus what a segment leaves empty, and lies in
//! memory once. A table of scores by member would answer ZSCORE without the way to the leaf, about half the time in a
//! set of a million; it would cost a second copy of every member.
//!
//! What is removed is only marked, which writes one line of memory where closing the gap would move some ten; the next
//! that comes there takes the place.
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
const ENTRIES_MAX: usize = if cfg!(test) { 8 } else { 256 };
/// A tag's bits that the directory can tell apart. Segments of equal ones grow instead.
const DEPTH_MAX: u32 = if cfg!(test) { 10 } else { 26 };
/// From so many segments on, looking ahead pays.
const SEGMENTS_FAR: usize = 32;
/// How far a guess of a place is first trusted, in entries: a cache line, of some three that the guess is off.
const GUESS: usize = 8;
/// The leaf of an entry that was removed. No leaf has this number, and the mark stands behind all other entries of its tag.
const GONE: u32 = u32::MAX;

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
    /// How many of these are marked as gone.
    gone: u32,
    /// The lowest tag that belongs here.
    first: u32,
    /// How many top bits all tags here have in common.
    depth: u32,
}

fn entry(tag: u32, leaf: u32) -> u64 {
    u64::from(tag) << 32 | u64::from(leaf)
}

#[inline]
fn tag_of(entry: u64) -> u32 {
    (entry >> 32) as u32
}

#[inline]
fn leaf_of(entry: u64) -> u32 {
    entry as u32
}

impl Segment {
    fn new(entries: Vec<u64>, first: u32, depth: u32) -> Segment {
        Segment { entries, gone: 0, first, depth }
    }

    /// How many entries are not gone.
    fn live(&self) -> usize {
        self.entries.len() - self.gone as usize
    }

    fn is_gone(&self, place: usize) -> bool {
        self.entries.get(place).is_some_and(|&entry| leaf_of(entry) == GONE)
    }

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
        let free =
            [Some(place), place.checked_sub(1)].into_iter().flatten().find(|&place| self.is_gone(place));
        if let Some(free) = free {
            self.entries[free] = new;
            self.gone -= 1;
            return;
        }
        let is_full = self.entries.len() == self.entries.capacity();
        let place = if is_full && self.close_gaps() { self.place(new) } else { place };
        grow(&mut self.entries, 1);
        self.entries.insert(place, new);
    }

    /// Takes the entry at this place out.
    fn take(&mut self, place: usize) {
        let tag = tag_of(self.entries[place]);
        let next = self.entries.get(place + 1).filter(|_| !self.is_gone(place + 1));
        if next.is_some_and(|&next| tag_of(next) == tag) {
            // The mark would have to stand behind it.
            self.entries.remove(place);
        } else {
            self.entries[place] = entry(tag, GONE);
            self.gone += 1;
        }
    }

    fn remove(&mut self, old: u64) {
        let place = self.place(old);
        if self.entries.get(place) == Some(&old) {
            self.take(place);
        }
        if self.entries.capacity() > 2 * self.live() + 16 {
            self.close_gaps();
            self.entries.shrink_to(self.entries.len() + 4);
        }
    }

    /// Forgets what is marked as gone. False if nothing is.
    fn close_gaps(&mut self) -> bool {
        let any = std::mem::take(&mut self.gone) > 0;
        if any {
            self.entries.retain(|&entry| leaf_of(entry) != GONE);
        }
        any
    }

    /// Writes another leaf to an entry.
    fn lead(&mut self, old: u64, new: u64) {
        let place = self.place(old);
        let alone = |other: Option<&u64>| other.is_none_or(|&other| tag_of(other) != tag_of(old));
        let before = place.checked_sub(1).and_then(|before| self.entries.get(before));
        if alone(before) && (alone(self.entries.get(place + 1)) || self.is_gone(place + 1)) {
            self.entries[place] = new;
        } else {
            // Several members of one tag: a rare case, where the order may change.
            self.take(place);
            self.insert(new);
        }
    }
}

impl Index {
    pub(super) fn new() -> Index {
        let mut index = Index { bits: 0, directory: Vec::new(), segments: Slab::new(), heap: 0 };
        let only = index.add(Segment::new(Vec::new(), 0, 0));
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
        let same = segment.entries[from..].iter().take_while(move |&&entry| tag_of(entry) == tag);
        // Marks stand behind what is there.
        same.map(|&entry| leaf_of(entry)).take_while(|&leaf| leaf != GONE)
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
            let entries = &segment.entries[segment.place(entry(tag, 0))..];
            for &entry in entries.iter().filter(|&&entry| leaf_of(entry) != GONE) {
                if !visit(tag_of(entry), leaf_of(entry)) {
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
            segment.close_gaps();
            let entries = segment.entries.split_off(segment.place(entry(first, 0)));
            segment.depth = depth;
            segment.entries.shrink_to(segment.entries.len() + segment.entries.len() / 4);
            Segment::new(entries, first, depth)
        });
        let upper = self.add(upper);
        self.enter(upper);
    }

    /// Joins a segment with its other half, if both have become small.
    fn join(&mut self, id: u32) {
        let segment = self.segments.get(id);
        // Nearly always this one tells that they are not, and the other is not touched.
        if segment.depth == 0 || segment.live() > ENTRIES_MAX / 4 {
            return;
        }
        let other = self.segment(segment.first ^ 1 << (32 - segment.depth));
        let brother = self.segments.get(other);
        if brother.depth != segment.depth || brother.live() + segment.live() > ENTRIES_MAX / 4 {
            return;
        }
        let (lower, upper) = if brother.first < segment.first { (other, id) } else { (id, other) };
        // Reckoned before it is taken: a copy of a shared one has another capacity.
        let capacity = self.segments.get(upper).entries.capacity();
        self.heap -= Slab::<Segment>::NODE_BYTES + capacity * size_of::<u64>();
        let upper = self.segments.take(upper);
        self.edit(lower, |segment| {
            segment.depth -= 1;
            segment.close_gaps();
            segment.entries.extend(upper.entries.iter().filter(|&&entry| leaf_of(entry) != GONE));
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
            if segment.live() <= ENTRIES_MAX / 8 * 7 {
                self.edit(id, Segment::close_gaps);
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
        self.edit(id, |segment| segment.lead(entry(tag, from), entry(tag, to)));
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
            assert!(segment.entries.is_sorted());
            let gone = segment.entries.iter().filter(|&&entry| leaf_of(entry) == GONE).count();
            assert_eq!(segment.gone as usize, gone);
            assert!(segment.entries.capacity() <= 2 * segment.live() + 16);
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
