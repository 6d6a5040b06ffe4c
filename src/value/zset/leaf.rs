//! Up to 128 neighbours of a big sorted set in one piece: what a write copies at most.
//!
//! ```text
//! slots   (score, tag, place, length) ...        in order; 16 bytes each
//!                        |
//! bytes   [member][member][waste][member] ...    in the order they came
//! long    member, member ...                     those of 256 bytes and more, shared one by one
//! ```
//!
//! The order is that of (score, member bytes). An insertion moves slots only; members stay where they were put. What
//! is removed leaves waste behind, which is squeezed out when it exceeds what is live; slots removed at the front are only
//! passed over, so that ZPOPMIN moves nothing. The tag is the member's hash as
//! the index has it: so a member that was found by hash is found here by comparing numbers.

use std::cmp::Ordering;
use std::mem::size_of;
use std::ops::Range;

use triomphe::Arc;

use crate::base::prefetch;
use crate::value::ARC_HEAD;

/// Entries a leaf has before it is cut in two. Tests use small leaves, so that few entries make a deep tree.
pub(super) const ENTRIES_MAX: usize = if cfg!(test) { 8 } else { 128 };
/// Bytes of members (long ones apart) from which on a leaf is cut in two, so that a copy stays short.
pub(super) const BYTES_MAX: usize = 4096;
/// Members of this many bytes lie in an allocation of their own, which a copy of the leaf shares.
const LONG_MIN: usize = 256;
/// The length that says: the place is an index into `long`.
const LONG: u16 = u16::MAX;
/// Waste below which nothing is squeezed, in bytes.
const WASTE_MIN: usize = 256;

/// One entry. Places fit 16 bits: 128 members of at most 255 bytes, and as much waste.
#[derive(Debug, Clone, Copy)]
struct Slot {
    score: f64,
    tag: u32,
    place: u16,
    length: u16,
}

/// Neighbours in the order of (score, member).
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    slots: Vec<Slot>,
    bytes: Vec<u8>,
    long: Vec<Arc<[u8]>>,
    /// Slots at the front that were removed.
    passed: u32,
    /// Bytes in `bytes` that belong to no slot.
    waste: u32,
    /// Heap bytes behind `long`.
    long_bytes: usize,
}

/// The order of entries.
#[inline]
pub(super) fn compare(a: (f64, &[u8]), b: (f64, &[u8])) -> Ordering {
    // No NaN and no negative zero get in, so the total order of floats is the usual one.
    a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1))
}

impl Leaf {
    pub(super) fn new() -> Leaf {
        Leaf { slots: Vec::new(), bytes: Vec::new(), long: Vec::new(), passed: 0, waste: 0, long_bytes: 0 }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.passed as usize
    }

    #[inline]
    fn live(&self) -> &[Slot] {
        self.slots.get(self.passed as usize..).unwrap_or_default()
    }

    fn live_mut(&mut self) -> &mut [Slot] {
        self.slots.get_mut(self.passed as usize..).unwrap_or_default()
    }

    #[inline]
    fn slot(&self, at: usize) -> &Slot {
        &self.slots[self.passed as usize + at]
    }

    /// Bytes of members that are not long.
    pub(super) fn live_bytes(&self) -> usize {
        self.bytes.len() - self.waste as usize
    }

    /// Whether a member of `length` bytes may be put in without cutting the leaf first.
    pub(super) fn has_room(&self, length: usize) -> bool {
        let added = if length < LONG_MIN { length } else { 0 };
        self.len() < ENTRIES_MAX && (self.len() < 2 || self.live_bytes() + added <= BYTES_MAX)
    }

    /// Whether this leaf and `other` are so empty that one is enough, with room to grow.
    pub(super) fn could_join(&self, other: &Leaf) -> bool {
        self.len() + other.len() <= ENTRIES_MAX / 2 && self.live_bytes() + other.live_bytes() <= BYTES_MAX / 2
    }

    /// Asks for the memory of the slots, and of where members are put.
    pub(super) fn prefetch(&self) {
        prefetch::bytes(self.live().as_ptr().cast(), self.len() * size_of::<Slot>());
        prefetch::line(self.bytes.as_ptr_range().end);
    }

    /// Heap bytes held.
    pub(super) fn heap_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.bytes.capacity()
            + self.long.capacity() * size_of::<Arc<[u8]>>()
            + self.long_bytes
    }

    #[inline]
    pub(super) fn score(&self, at: usize) -> f64 {
        self.slot(at).score
    }

    #[inline]
    pub(super) fn tag(&self, at: usize) -> u32 {
        self.slot(at).tag
    }

    #[inline]
    pub(super) fn member(&self, at: usize) -> &[u8] {
        self.member_of(self.slot(at))
    }

    #[inline]
    fn member_of(&self, slot: &Slot) -> &[u8] {
        let place = slot.place as usize;
        match slot.length {
            LONG => &self.long[place],
            length => &self.bytes[place..place + length as usize],
        }
    }

    /// The entry's key in the order.
    #[inline]
    pub(super) fn key(&self, at: usize) -> (f64, &[u8]) {
        let slot = self.slot(at);
        (slot.score, self.member_of(slot))
    }

    /// The number of entries at the front for which `is_before` holds.
    pub(super) fn partition(&self, mut is_before: impl FnMut(f64, &[u8]) -> bool) -> usize {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = usize::midpoint(from, to);
            let (score, member) = self.key(middle);
            if is_before(score, member) {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        from
    }

    /// Where the member of this tag is.
    #[inline]
    pub(super) fn find(&self, tag: u32, member: &[u8]) -> Option<usize> {
        self.tagged(tag).find(|&at| self.member(at) == member)
    }

    /// Where entries of this tag are.
    #[inline]
    pub(super) fn tagged(&self, tag: u32) -> impl Iterator<Item = usize> {
        self.live().iter().enumerate().filter(move |(_, slot)| slot.tag == tag).map(|(at, _)| at)
    }

    /// Puts an entry in at `at`.
    pub(super) fn insert(&mut self, at: usize, score: f64, tag: u32, member: &[u8]) {
        let (place, length) = if member.len() < LONG_MIN {
            (self.put_bytes(member), member.len() as u16)
        } else {
            (self.put_long(Arc::from(member)), LONG)
        };
        self.put_slot(at, Slot { score, tag, place, length });
    }

    /// Puts a slot in at `at`, and moves the shorter side where slots were removed at the front.
    fn put_slot(&mut self, at: usize, slot: Slot) {
        let passed = self.passed as usize;
        if passed > 0 && at <= self.len() / 2 {
            self.slots.copy_within(passed..passed + at, passed - 1);
            self.slots[passed - 1 + at] = slot;
            self.passed -= 1;
            return;
        }
        if self.slots.len() == self.slots.capacity() {
            self.close_front();
        }
        grow(&mut self.slots, 1);
        self.slots.insert(self.passed as usize + at, slot);
    }

    /// Forgets the slots that were removed at the front.
    fn close_front(&mut self) {
        self.slots.drain(..self.passed as usize);
        self.passed = 0;
    }

    /// Changes a score; the caller has seen that the order stays.
    pub(super) fn set_score(&mut self, at: usize, score: f64) {
        self.live_mut()[at].score = score;
    }

    /// Takes entries out.
    pub(super) fn remove(&mut self, range: Range<usize>) {
        let mut long_gone = false;
        for at in range.clone() {
            match self.slot(at).length {
                LONG => long_gone = true,
                length => self.waste += u32::from(length),
            }
        }
        if range.start == 0 {
            self.passed += range.len() as u32;
        } else {
            let passed = self.passed as usize;
            self.slots.drain(range.start + passed..range.end + passed);
        }
        if long_gone {
            self.renew_long();
        }
        if self.waste as usize > self.live_bytes().max(WASTE_MIN) {
            self.squeeze(self.live_bytes());
        }
        if self.slots.capacity() > 2 * self.len() + 16 {
            self.close_front();
            self.slots.shrink_to(self.len() + 4);
        }
    }

    /// Moves the entries from `at` on into a leaf of their own.
    pub(super) fn split_off(&mut self, at: usize) -> Leaf {
        let mut right = Leaf::new();
        right.slots.reserve_exact(self.len() - at + 1);
        right.bytes.reserve_exact((at..self.len()).map(|i| self.bytes_of(i)).sum());
        for i in at..self.len() {
            right.copy_in(right.len(), self, i);
        }
        self.remove(at..self.len());
        self.squeeze(self.live_bytes());
        self.slots.shrink_to(self.slots.len() + self.len() / 4);
        right
    }

    /// Adds all entries of `other`, which lie before this leaf's, or behind.
    pub(super) fn absorb(&mut self, other: &Leaf, before: bool) {
        let first = if before { 0 } else { self.len() };
        for i in 0..other.len() {
            self.copy_in(first + i, other, i);
        }
    }

    fn copy_in(&mut self, at: usize, other: &Leaf, i: usize) {
        let slot = *other.slot(i);
        let place = match slot.length {
            LONG => self.put_long(other.long[slot.place as usize].clone()),
            _ => self.put_bytes(other.member(i)),
        };
        self.put_slot(at, Slot { place, ..slot });
    }

    /// Bytes that the entry has in `bytes`.
    fn bytes_of(&self, at: usize) -> usize {
        match self.slot(at).length {
            LONG => 0,
            length => length as usize,
        }
    }

    fn put_bytes(&mut self, member: &[u8]) -> u16 {
        // Where members come and go in turn, squeezing for the room of one would copy the leaf each time.
        if self.bytes.capacity() - self.bytes.len() < member.len()
            && self.waste as usize > self.bytes.len() / 8
        {
            let live = self.live_bytes();
            self.squeeze(live + member.len().max(live / 4));
        }
        grow(&mut self.bytes, member.len());
        let place = self.bytes.len() as u16;
        self.bytes.extend_from_slice(member);
        place
    }

    fn put_long(&mut self, member: Arc<[u8]>) -> u16 {
        self.long_bytes += ARC_HEAD + member.len();
        let place = self.long.len() as u16;
        grow(&mut self.long, 1);
        self.long.push(member);
        place
    }

    /// Forgets the long members that no slot has any more.
    fn renew_long(&mut self) {
        let old = std::mem::take(&mut self.long);
        let (mut kept, mut bytes) = (Vec::new(), 0);
        for slot in self.live_mut().iter_mut().filter(|slot| slot.length == LONG) {
            let member = old[slot.place as usize].clone();
            bytes += ARC_HEAD + member.len();
            slot.place = kept.len() as u16;
            kept.push(member);
        }
        (self.long, self.long_bytes) = (kept, bytes);
    }

    /// Squeezes the waste out, and leaves room for `capacity` bytes in all.
    fn squeeze(&mut self, capacity: usize) {
        let mut bytes = Vec::with_capacity(capacity);
        let old = std::mem::take(&mut self.bytes);
        for slot in self.live_mut().iter_mut().filter(|slot| slot.length != LONG) {
            let place = slot.place as usize;
            slot.place = bytes.len() as u16;
            bytes.extend_from_slice(&old[place..place + slot.length as usize]);
        }
        self.bytes = bytes;
        self.waste = 0;
    }

    /// Panics if the parts do not agree.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let live: usize = (0..self.len()).map(|at| self.bytes_of(at)).sum();
        assert_eq!(live, self.live_bytes());
        assert_eq!(self.long.iter().map(|member| ARC_HEAD + member.len()).sum::<usize>(), self.long_bytes);
        assert_eq!(self.live().iter().filter(|slot| slot.length == LONG).count(), self.long.len());
        assert!(self.slots.capacity() <= 2 * self.len() + 16);
        assert!((1..self.len()).all(|at| compare(self.key(at - 1), self.key(at)).is_lt()));
    }
}

/// Makes room for `more`. Vectors double by themselves; leaves are many, so they grow by a quarter.
pub(super) fn grow<T>(vec: &mut Vec<T>, more: usize) {
    if vec.capacity() - vec.len() < more {
        vec.reserve_exact(more.max(vec.len() / 4).max(4));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_within_their_bits_whatever_comes_and_goes() {
        // The most that a leaf is ever given: 128 members of 255 bytes, while others make waste.
        let mut leaf = Leaf::new();
        for i in 0..127_u8 {
            leaf.insert(i as usize, f64::from(i), 0, &[i; 255]);
        }
        for round in 0..500_u32 {
            let at = (round * 37 % 127) as usize;
            let (score, first) = (leaf.score(at), leaf.member(at)[0]);
            leaf.insert(at, score, 1, &[first; 254]);
            leaf.remove(at + 1..at + 2);
            leaf.check();
            assert!(leaf.bytes.len() < usize::from(u16::MAX), "{round}");
            assert!((0..leaf.len()).all(|at| leaf.member(at).iter().all(|&b| usize::from(b) == at)));
        }
    }

    #[test]
    fn members_that_come_and_go_in_turn_are_seldom_squeezed_and_leave_little_room() {
        let mut leaf = Leaf::new();
        (0..100_u8).for_each(|i| leaf.insert(i as usize, f64::from(i), 0, &[i; 20]));
        let (mut squeezed, mut place) = (0, 0);
        for round in 0..1000_usize {
            let at = round * 37 % 100;
            let (score, first) = (leaf.score(at), leaf.member(at)[0]);
            leaf.remove(at..at + 1);
            leaf.insert(at, score, 0, &[first; 20]);
            leaf.check();
            squeezed += usize::from(leaf.bytes.len() <= place);
            place = leaf.bytes.len();
            assert!(leaf.bytes.capacity() <= 2000 * 3 / 2, "{round}");
        }
        assert!(squeezed <= 1000 / 20, "{squeezed}");
    }

    #[test]
    fn a_copy_shares_long_members() {
        let mut leaf = Leaf::new();
        leaf.insert(0, 1.0, 7, &[b'x'; 100_000]);
        leaf.insert(1, 2.0, 8, b"y");
        let copy = leaf.clone();
        assert!(std::ptr::eq(leaf.member(0), copy.member(0)));
        leaf.remove(0..1);
        assert_eq!(
            (leaf.member(0), leaf.find(8, b"y"), leaf.find(7, b"y")),
            (b"y".as_slice(), Some(0), None)
        );
        assert!(leaf.heap_bytes() < 200 && copy.heap_bytes() > 100_000);
    }
}
