//! The members of one range of hashes, sorted by hash: what a write copies at most.
//!
//! ```text
//! marks   (hash, place) (hash, place) ...          ascending by hash; 8 bytes each
//!                  |
//! bytes   [record][record][waste][record] ...      records in the order they came
//! large   record  record ...                       those of more than LARGE bytes, shared one by one
//! ```
//!
//! Sorted marks instead of a hash table: hashes are evenly spread, so a guess by proportion lands within a few dozen
//! marks of the right one, and a few steps in the same cache line or the next end there. In return growth is a cut in the
//! middle, a scan's page is a slice, and a uniformly random member is a random index. Records in one piece instead
//! of an allocation each: copying a segment is two memcpys, and a member costs no allocator's rounding.
//!
//! What is removed or rewritten leaves waste behind; it is squeezed out when it exceeds what is live.

use triomphe::Arc;

use super::record::Record;
use crate::base::clock::{Millis, NEVER};
use crate::base::prefetch;
use crate::value::ARC_HEAD;

/// Members a segment has before it is cut in two.
pub(super) const MEMBERS_MAX: usize = 512;
/// Bytes of records a segment has before it is cut in two, so that members of middling size keep copies short, too.
pub(super) const BYTES_MAX: usize = 16 * 1024;
/// Records of more bytes lie in an allocation of their own, which a copy shares instead of copying.
const LARGE: usize = 256;
/// Waste below which nothing is squeezed, in bytes.
const WASTE_MIN: usize = 256;
/// The bit of a place that says: an index into `large`, not an offset into `bytes`.
const IN_LARGE: u32 = 1 << 31;
/// How many marks to either side of a guess by proportion are looked at one by one: two standard deviations at 512 members.
const NEAR: usize = 24;

/// Where a member's record is, by its hash.
#[derive(Debug, Clone, Copy)]
struct Mark {
    hash: u32,
    place: u32,
}

/// A large record. The box under the reference count spares copying the record once more when it is made.
#[derive(Debug, Clone)]
struct Large(Arc<Box<[u8]>>);

impl Large {
    fn new(record: &Record<'_>) -> Large {
        let mut bytes = Vec::with_capacity(record.size());
        record.write(&mut bytes);
        Large(Arc::new(bytes.into_boxed_slice()))
    }

    /// Bytes of the record, of the box and of the reference count.
    fn heap_bytes(&self) -> usize {
        ARC_HEAD + self.0.len() + size_of::<Box<[u8]>>()
    }
}

/// The members whose hashes begin with the same `depth` bits.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    /// The lowest hash that belongs here.
    first: u32,
    /// Bits that all hashes here have in common; at most 32.
    depth: u32,
    marks: Vec<Mark>,
    bytes: Vec<u8>,
    large: Vec<Large>,
    /// Bytes of `bytes` that no mark refers to.
    waste: usize,
    /// Heap bytes of the large records.
    large_bytes: usize,
    /// Members with a deadline.
    deadlines: usize,
    /// No deadline here is earlier; [`NEVER`] without deadlines.
    earliest: Millis,
}

/// What the dictionary adds up over its segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Totals {
    pub(super) members: usize,
    pub(super) deadlines: usize,
    pub(super) heap_bytes: usize,
}

impl Segment {
    /// No members; for hashes from `first` on that share its `depth` highest bits.
    pub(super) fn new(first: u32, depth: u32) -> Segment {
        Segment {
            first,
            depth,
            marks: Vec::new(),
            bytes: Vec::new(),
            large: Vec::new(),
            waste: 0,
            large_bytes: 0,
            deadlines: 0,
            earliest: NEVER,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.marks.len()
    }

    pub(super) fn first(&self) -> u32 {
        self.first
    }

    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    pub(super) fn earliest(&self) -> Millis {
        self.earliest
    }

    /// Bytes of inline records in use.
    pub(super) fn live_bytes(&self) -> usize {
        self.bytes.len() - self.waste
    }

    /// True when it should be cut in two, and its hashes differ so that this can help.
    pub(super) fn is_full(&self) -> bool {
        (self.len() > MEMBERS_MAX || self.live_bytes() > BYTES_MAX)
            && self.marks.first().map(|mark| mark.hash) != self.marks.last().map(|mark| mark.hash)
    }

    pub(super) fn totals(&self) -> Totals {
        let own = ARC_HEAD + size_of::<Segment>();
        let marks = self.marks.capacity() * size_of::<Mark>();
        let large = self.large.capacity() * size_of::<Large>() + self.large_bytes;
        let heap_bytes = own + marks + self.bytes.capacity() + large;
        Totals { members: self.len(), deadlines: self.deadlines, heap_bytes }
    }

    /// Where the first mark whose hash is not below `hash` is likely to be: at most [`Segment::len`].
    #[inline]
    fn guess(&self, hash: u32) -> usize {
        // The hash without the bits in common, as a fraction of 2^32, times the number of members.
        let fraction = u64::from(hash.wrapping_sub(self.first)) << self.depth;
        usize::try_from((fraction.min(u64::from(u32::MAX)) * self.marks.len() as u64) >> 32).unwrap_or(0)
    }

    /// Index of the first mark whose hash is not below `hash`. From the guess on it goes step by step: what it looks at then
    /// are one or two cache lines, where a binary search would look at five.
    #[inline]
    pub(super) fn lower_bound(&self, hash: u32) -> usize {
        let guess = self.guess(hash).min(self.marks.len());
        let (below, above) = self.marks.split_at(guess);
        let steps = below.iter().rev().take(NEAR).take_while(|mark| mark.hash >= hash).count();
        if steps == NEAR {
            return below[..guess - NEAR].partition_point(|mark| mark.hash < hash);
        }
        if steps > 0 {
            return guess - steps;
        }
        let steps = above.iter().take(NEAR).take_while(|mark| mark.hash < hash).count();
        if steps == NEAR {
            return guess + NEAR + above[NEAR..].partition_point(|mark| mark.hash < hash);
        }
        guess + steps
    }

    /// Asks for the marks among which [`Segment::lower_bound`] will look.
    #[inline]
    pub(super) fn prefetch_marks(&self, hash: u32) {
        prefetch::around(self.marks.as_ptr().wrapping_add(self.guess(hash)).cast());
    }

    /// Asks for the record of the first member with this hash, if there is one.
    #[inline]
    pub(super) fn prefetch_record(&self, hash: u32) {
        if let Some(mark) = self.marks.get(self.lower_bound(hash)).filter(|mark| mark.hash == hash)
            && mark.place & IN_LARGE == 0
        {
            let record = self.bytes.as_ptr().wrapping_add(mark.place as usize);
            prefetch::bytes(record, 2 * prefetch::LINE);
        }
    }

    /// Index of `member`, or where it is to be inserted.
    #[inline]
    pub(super) fn find(&self, hash: u32, member: &[u8]) -> Result<usize, usize> {
        let mut index = self.lower_bound(hash);
        while let Some(mark) = self.marks.get(index)
            && mark.hash == hash
        {
            if self.at(*mark).member == member {
                return Ok(index);
            }
            index += 1;
        }
        Err(index)
    }

    /// The hash and the record at `index`, in the order of the hashes.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<(u32, Record<'_>)> {
        let mark = self.marks.get(index)?;
        Some((mark.hash, self.at(*mark)))
    }

    #[inline]
    fn at(&self, mark: Mark) -> Record<'_> {
        let bytes = if mark.place & IN_LARGE == 0 {
            self.bytes.get(mark.place as usize..)
        } else {
            self.large.get((mark.place ^ IN_LARGE) as usize).map(|large| &large.0[..])
        };
        // Every mark refers to a record that was written whole; the empty one only spares a panic.
        let read = bytes.and_then(Record::read);
        debug_assert!(read.is_some(), "a mark without a record");
        read.unwrap_or(Record { member: b"", value: None, deadline: NEVER })
    }

    /// Inserts a record at the index that [`Segment::find`] gave.
    pub(super) fn insert(&mut self, index: usize, hash: u32, record: &Record<'_>) {
        self.note(record.deadline);
        let place = self.store(record);
        if self.marks.len() == self.marks.capacity() {
            self.marks.reserve_exact(4 + self.marks.len() / 8);
        }
        self.marks.insert(index, Mark { hash, place });
    }

    /// Puts another record for the same member in the place of the one at `index`.
    pub(super) fn replace(&mut self, index: usize, record: &Record<'_>) {
        let Some(&mark) = self.marks.get(index) else { return };
        let old = self.at(mark);
        let (old_deadline, old_size) = (old.deadline, old.size());
        if old_deadline != NEVER {
            self.deadlines -= 1;
        }
        self.note(record.deadline);
        let size = record.size();
        let place = mark.place as usize;
        let same_shape = size == old_size && (record.deadline != NEVER) == (old_deadline != NEVER);
        if mark.place & IN_LARGE == 0 && same_shape {
            // Counters and the like keep their length most of the time: written over, nothing is wasted.
            record.overwrite(&mut self.bytes[place..place + size]);
            return;
        }
        self.discard(mark, old_size);
        let place = self.store(record);
        self.marks[index].place = place;
        self.tidy();
    }

    /// Removes the member at `index`.
    pub(super) fn remove(&mut self, index: usize) {
        let Some(&mark) = self.marks.get(index) else { return };
        let record = self.at(mark);
        let size = record.size();
        if record.deadline != NEVER {
            self.deadlines -= 1;
        }
        self.discard(mark, size);
        self.marks.remove(index);
        if self.deadlines == 0 {
            self.earliest = NEVER;
        }
        if self.marks.len() < self.marks.capacity() / 4 {
            self.marks.shrink_to(self.marks.len() * 2);
        }
        self.tidy();
    }

    /// Counts a deadline that is coming in.
    fn note(&mut self, deadline: Millis) {
        if deadline != NEVER {
            self.deadlines += 1;
            self.earliest = self.earliest.min(deadline);
        } else if self.deadlines == 0 {
            self.earliest = NEVER;
        }
    }

    /// Writes a record; where it is.
    fn store(&mut self, record: &Record<'_>) -> u32 {
        let size = record.size();
        match u32::try_from(self.bytes.len()) {
            Ok(place) if size <= LARGE && place < IN_LARGE => {
                self.reserve(size);
                record.write(&mut self.bytes);
                place
            }
            _ => self.store_large(Large::new(record)),
        }
    }

    /// Makes room for a record. By an eighth, as doubling would leave a quarter of all segments' bytes unused.
    fn reserve(&mut self, size: usize) {
        if self.bytes.capacity() - self.bytes.len() < size {
            self.bytes.reserve_exact(size + self.bytes.len() / 8);
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "2^31 records of over 256 bytes do not fit into one segment"
    )]
    fn store_large(&mut self, large: Large) -> u32 {
        self.large_bytes += large.heap_bytes();
        if self.large.len() == self.large.capacity() {
            self.large.reserve_exact(1 + self.large.len() / 4);
        }
        self.large.push(large);
        (self.large.len() - 1) as u32 | IN_LARGE
    }

    /// Gives up a record of `size` bytes.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "2^31 records of over 256 bytes do not fit into one segment"
    )]
    fn discard(&mut self, mark: Mark, size: usize) {
        if mark.place & IN_LARGE == 0 {
            self.waste += size;
            return;
        }
        let index = (mark.place ^ IN_LARGE) as usize;
        self.large_bytes -= self.large.swap_remove(index).heap_bytes();
        // The last one moved here: its mark has to follow.
        let moved = self.large.len() as u32 | IN_LARGE;
        if moved != mark.place
            && let Some(other) = self.marks.iter_mut().find(|other| other.place == moved)
        {
            other.place = mark.place;
        }
    }

    /// Squeezes the waste out if there is much.
    fn tidy(&mut self) {
        if self.waste > WASTE_MIN && self.waste > self.live_bytes() {
            let mut bytes = Vec::with_capacity(self.live_bytes() + self.live_bytes() / 8);
            for mark in &mut self.marks {
                if mark.place & IN_LARGE == 0
                    && let Some(record) = self.bytes.get(mark.place as usize..).and_then(Record::read)
                {
                    mark.place = u32::try_from(bytes.len()).unwrap_or(0);
                    record.write(&mut bytes);
                }
            }
            (self.bytes, self.waste) = (bytes, 0);
        }
    }

    /// Appends copies of those of another's members that `keep` agrees to; their hashes must not be below those here.
    fn extend(&mut self, from: &Segment, range: std::ops::Range<usize>, keep: impl Fn(&Record<'_>) -> bool) {
        self.marks.reserve_exact(range.len());
        // What they take by proportion, and room for a few more.
        let bytes = from.live_bytes() * range.len() / from.len().max(1);
        self.bytes.reserve_exact(bytes + bytes / 8);
        for &mark in &from.marks[range] {
            let record = from.at(mark);
            if !keep(&record) {
                continue;
            }
            self.note(record.deadline);
            let place = match from.large.get((mark.place ^ IN_LARGE) as usize) {
                Some(large) => self.store_large(large.clone()),
                None => self.store(&record),
            };
            self.marks.push(Mark { hash: mark.hash, place });
        }
    }

    /// The two halves of its range.
    pub(super) fn split(&self) -> (Segment, Segment) {
        let depth = self.depth + 1;
        // The caller does not split below one hash, so that depth is at most 32.
        let middle = self.first | 1_u32.checked_shl(32 - depth).unwrap_or(0);
        let cut = self.lower_bound(middle);
        let (mut left, mut right) = (Segment::new(self.first, depth), Segment::new(middle, depth));
        left.extend(self, 0..cut, |_| true);
        right.extend(self, cut..self.len(), |_| true);
        (left, right)
    }

    /// The union of the two halves of a range.
    pub(super) fn merge(left: &Segment, right: &Segment) -> Segment {
        let mut whole = Segment::new(left.first, left.depth - 1);
        whole.extend(left, 0..left.len(), |_| true);
        whole.extend(right, 0..right.len(), |_| true);
        whole
    }

    /// A copy without the members that are due at `now`, and with an exact `earliest`.
    pub(super) fn without_due(&self, now: Millis) -> Segment {
        let mut kept = Segment::new(self.first, self.depth);
        kept.extend(self, 0..self.len(), |record| record.deadline > now);
        kept.marks.shrink_to_fit();
        kept
    }

    /// Its records in the order of their hashes.
    pub(super) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.marks.iter().map(|&mark| self.at(mark))
    }

    /// Every number that is kept up to date, counted anew.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert!(self.marks.is_sorted_by_key(|mark| mark.hash));
        let inline: usize = self
            .marks
            .iter()
            .filter(|mark| mark.place & IN_LARGE == 0)
            .map(|&mark| self.at(mark).size())
            .sum();
        assert_eq!(self.live_bytes(), inline);
        let in_large = self.marks.iter().filter(|mark| mark.place & IN_LARGE != 0).count();
        assert_eq!(self.large.len(), in_large);
        assert_eq!(self.large_bytes, self.large.iter().map(Large::heap_bytes).sum::<usize>());
        let deadlines = || self.records().map(|record| record.deadline).filter(|&deadline| deadline != NEVER);
        assert_eq!(self.deadlines, deadlines().count());
        assert!(deadlines().all(|deadline| deadline >= self.earliest));
        assert!(self.deadlines > 0 || self.earliest == NEVER);
        assert!(self.waste <= WASTE_MIN || self.waste <= self.live_bytes());
        for mark in &self.marks {
            assert_eq!(u64::from(mark.hash ^ self.first) << self.depth >> 32, 0, "a hash of another range");
        }
    }
}
