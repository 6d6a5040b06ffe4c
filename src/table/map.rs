//! A stripe's map: buckets of one cache line, seven slots each.
//!
//! ```text
//! | 7 tags | passed | 7 slots of 8 bytes: an entry or nothing |      64 bytes
//! ```
//!
//! A tag is seven bits of the hash with the top bit set; an empty slot's is zero. An entry lies in its home bucket, or in
//! one behind it when that is full; every bucket that it had to pass counts it (`passed`), so a lookup goes on only
//! where there is something to find, and a removal leaves no tombstone.
//!
//! The home bucket follows the order of the hash: entries of a part of the hash's range lie together, whatever the number
//! of buckets. SCAN walks in that order. Nothing wraps around: one bucket more than homes stands at the end, and an entry
//! that finds no room there makes the map grow.

use std::ptr;

use super::entry::Entry;
use crate::base::hash::Seed;
use crate::base::prefetch;
use crate::base::random::Random;

/// Slots of a bucket.
const SLOTS: usize = 7;
/// Cache lines of a memory page.
const PAGE_LINES: usize = 64;
/// Buckets whose entries are asked for together when all are visited: some seventy of them, whose lines fit into the nearest
/// cache.
const WALKED_TOGETHER: usize = 16;
/// As [`WALKED_TOGETHER`], where a few entries will do.
const SAMPLED_TOGETHER: usize = 2;
/// `passed` of a bucket that more entries passed than it can count: it stays so until the map is rebuilt.
const PASSED_MANY: u8 = u8::MAX;

/// Where an entry lies; good until the next insertion or removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    bucket: u32,
    slot: u32,
}

#[derive(Default)]
pub(super) struct Map {
    buckets: Vec<Bucket>,
    len: usize,
}

#[derive(Default)]
#[repr(C, align(64))]
struct Bucket {
    /// The tags of the slots, then `passed`: one word, and read as one.
    head: [u8; 8],
    slots: [Option<Entry>; SLOTS],
}

const _: () = assert!(size_of::<Bucket>() == 64, "a bucket is a cache line");

/// The part of a hash that orders entries within a stripe: what is below the bits that chose the stripe.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    /// Bits that chose the stripe.
    pub(super) stripe_bits: u32,
}

impl Order {
    /// The home of a hash among so many buckets.
    #[inline]
    fn home(self, hash: u64, homes: usize) -> usize {
        ((u128::from(hash << self.stripe_bits) * homes as u128) >> 64) as usize
    }
}

#[inline]
fn tag(hash: u64) -> u8 {
    hash as u8 | 0x80
}

impl Place {
    #[inline]
    fn new(bucket: usize, slot: usize) -> Place {
        // A stripe has far fewer buckets than fit into 32 bits: that would be 256 GiB of them.
        Place { bucket: bucket as u32, slot: slot as u32 }
    }
}

impl Bucket {
    /// A mask with the top bit of each byte whose tag is this one. It may have a bit too many, never too few; the key
    /// is compared anyway.
    #[inline]
    fn matches(&self, tag: u8) -> u64 {
        const LOW: u64 = 0x0001_0101_0101_0101;
        const HIGH: u64 = 0x0080_8080_8080_8080;
        let differing = u64::from_le_bytes(self.head) ^ (u64::from(tag) * LOW);
        differing.wrapping_sub(LOW) & !differing & HIGH
    }

    fn free(&self) -> Option<usize> {
        self.head[..SLOTS].iter().position(|tag| *tag == 0)
    }

    #[inline]
    fn passed(&self) -> u8 {
        self.head[SLOTS]
    }

    fn passed_mut(&mut self) -> &mut u8 {
        &mut self.head[SLOTS]
    }
}

impl Map {
    /// Number of entries.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Buckets that can be a home.
    #[inline]
    fn homes(&self) -> usize {
        self.buckets.len().saturating_sub(1)
    }

    /// Slots, as an estimate of what fits.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buckets.len() * SLOTS
    }

    /// The place of a key's entry.
    #[inline]
    pub(super) fn find(&self, key: &[u8], hash: u64, order: Order) -> Option<Place> {
        let mut at = order.home(hash, self.homes());
        loop {
            let bucket = self.buckets.get(at)?;
            let mut mask = bucket.matches(tag(hash));
            while mask != 0 {
                let slot = mask.trailing_zeros() as usize / 8;
                if let Some(Some(entry)) = bucket.slots.get(slot)
                    && entry.key() == key
                {
                    return Some(Place::new(at, slot));
                }
                mask &= mask - 1;
            }
            if bucket.passed() == 0 {
                return None;
            }
            at += 1;
        }
    }

    /// Where the home bucket of a hash lies, to be prefetched.
    #[inline]
    pub(super) fn home(&self, hash: u64, order: Order) -> *const u8 {
        let bucket = self.buckets.get(order.home(hash, self.homes()));
        bucket.map_or(ptr::null(), |bucket| ptr::from_ref(bucket).cast())
    }

    /// Where the first entry in it lies whose tag fits, to be prefetched. It need not be the right one.
    #[inline]
    pub(super) fn candidate(&self, hash: u64, order: Order) -> *const u8 {
        let Some(bucket) = self.buckets.get(order.home(hash, self.homes())) else { return ptr::null() };
        let slot = bucket.matches(tag(hash)).trailing_zeros() as usize / 8;
        bucket.slots.get(slot).and_then(Option::as_ref).map_or(ptr::null(), Entry::address)
    }

    #[inline]
    pub(super) fn get(&self, place: Place) -> Option<&Entry> {
        self.buckets.get(place.bucket as usize)?.slots.get(place.slot as usize)?.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Entry> {
        self.buckets.get_mut(place.bucket as usize)?.slots.get_mut(place.slot as usize)?.as_mut()
    }

    /// Adds an entry whose key is not there yet; its place.
    pub(super) fn insert(&mut self, entry: Entry, hash: u64, order: Order, seed: &Seed) -> Place {
        if (self.len + 1) * 8 > self.homes() * SLOTS * 7 {
            self.rebuild(grown(self.homes()), order, seed);
        }
        let mut entry = entry;
        loop {
            match self.place(entry, hash, order) {
                Ok(place) => {
                    self.len += 1;
                    return place;
                }
                // No room before the end: seldom, as a bucket's load would have to be far above the mean.
                Err(back) => {
                    entry = back;
                    self.rebuild(grown(self.homes()), order, seed);
                }
            }
        }
    }

    /// Makes room for so many entries at once.
    pub(super) fn reserve(&mut self, entries: usize, order: Order, seed: &Seed) {
        let homes = entries.saturating_mul(8).div_ceil(SLOTS * 7);
        if homes > self.homes() {
            self.rebuild(fitting(homes), order, seed);
        }
    }

    /// Puts an entry into the first free slot from its home on, or gives it back.
    fn place(&mut self, entry: Entry, hash: u64, order: Order) -> Result<Place, Entry> {
        let home = order.home(hash, self.homes());
        let found = (home..self.buckets.len()).find_map(|at| Some((at, self.buckets[at].free()?)));
        let Some((at, slot)) = found else { return Err(entry) };
        for passed in self.buckets[home..at].iter_mut().map(Bucket::passed_mut) {
            *passed = passed.saturating_add(1);
        }
        let bucket = &mut self.buckets[at];
        bucket.head[slot] = tag(hash);
        bucket.slots[slot] = Some(entry);
        Ok(Place::new(at, slot))
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, place: Place, hash: u64, order: Order, seed: &Seed) -> Option<Entry> {
        let (at, slot) = (place.bucket as usize, place.slot as usize);
        let bucket = self.buckets.get_mut(at)?;
        let entry = bucket.slots.get_mut(slot)?.take()?;
        bucket.head[slot] = 0;
        self.len -= 1;
        let home = order.home(hash, self.homes());
        for passed in self.buckets[home..at].iter_mut().map(Bucket::passed_mut) {
            if *passed != PASSED_MANY {
                *passed -= 1;
            }
        }
        // A map that shrank to a quarter gives its room back, so that mass deletion returns memory.
        if self.homes() > 8 && self.len * 4 < self.homes() * SLOTS {
            self.rebuild(fitting(self.homes() / 2), order, seed);
        }
        Some(entry)
    }

    /// Lays all entries out anew.
    fn rebuild(&mut self, homes: usize, order: Order, seed: &Seed) {
        let mut homes = homes;
        let mut next = Map::with_homes(homes);
        let mut rest: Vec<Entry> = Vec::with_capacity(self.len);
        for bucket in std::mem::take(&mut self.buckets) {
            rest.extend(bucket.slots.into_iter().flatten());
        }
        while let Some(entry) = rest.pop() {
            // Each entry is a cache miss of its own, so the ones to come are asked for in time.
            if let Some(soon) = rest.len().checked_sub(8).and_then(|at| rest.get(at)) {
                prefetch::bytes(soon.address(), Entry::NEAR);
            }
            let hash = seed.hash(entry.key());
            if let Err(entry) = next.place(entry, hash, order) {
                homes = grown(homes);
                let misfit = std::mem::replace(&mut next, Map::with_homes(homes));
                rest.push(entry);
                for bucket in misfit.buckets {
                    rest.extend(bucket.slots.into_iter().flatten());
                }
            }
        }
        self.buckets = next.buckets;
    }

    fn with_homes(homes: usize) -> Map {
        Map { buckets: (0..=homes).map(|_| Bucket::default()).collect(), len: 0 }
    }

    /// All entries.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.buckets.chunks(WALKED_TOGETHER).flat_map(|buckets| {
            ask_for_entries(buckets);
            buckets.iter().flat_map(|bucket| bucket.slots.iter().flatten())
        })
    }

    /// All entries, from a random one on: each is as likely the first as any other.
    pub(super) fn iter_from_random(&self, random: &mut Random) -> impl Iterator<Item = &Entry> {
        let at = self.random_slot(random).unwrap_or(0);
        let (before, from) = self.buckets.split_at(at / SLOTS);
        let pieces = from.chunks(SAMPLED_TOGETHER).chain(before.chunks(SAMPLED_TOGETHER));
        let slots = pieces.flat_map(|buckets| {
            ask_for_entries(buckets);
            buckets.iter().flat_map(|bucket| bucket.slots.iter())
        });
        let passed = from.first().map_or(&[][..], |bucket| &bucket.slots[..at % SLOTS]);
        slots.skip(at % SLOTS).chain(passed).flatten()
    }

    /// All entries, for changing what is not their key.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.buckets.chunks_mut(WALKED_TOGETHER).flat_map(|buckets| {
            ask_for_entries(buckets);
            buckets.iter_mut().flat_map(|bucket| bucket.slots.iter_mut().flatten())
        })
    }

    /// All entries, the map being of no more use.
    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.buckets.into_iter().flat_map(|bucket| bucket.slots.into_iter().flatten())
    }

    /// An entry picked at random, none from an empty map.
    pub(super) fn random(&self, random: &mut Random) -> Option<&Entry> {
        let at = self.random_slot(random)?;
        self.get(Place::new(at / SLOTS, at % SLOTS))
    }

    /// The slot, counted from the first bucket's first, of an entry picked at random.
    fn random_slot(&self, random: &mut Random) -> Option<usize> {
        let slots = (self.buckets.len() * SLOTS) as u64;
        let pick = |()| random.below(slots) as usize;
        let is_taken = |at: &usize| self.get(Place::new(at / SLOTS, at % SLOTS)).is_some();
        (self.len > 0).then(|| std::iter::repeat(()).map(pick).find(is_taken)).flatten()
    }

    /// Visits the entries whose hash is at least `from`, ordered by the hash's upper bits (all but `shift`), home by home,
    /// until `visit` returns false.
    pub(super) fn walk<'m>(
        &'m self,
        from: u64,
        shift: u32,
        order: Order,
        seed: &Seed,
        mut visit: impl FnMut(u64, &'m Entry) -> bool,
    ) {
        let mut here: Vec<(u64, &Entry)> = Vec::new();
        for home in order.home(from, self.homes())..self.homes() {
            here.clear();
            let mut at = home;
            while let Some(bucket) = self.buckets.get(at) {
                for entry in bucket.slots.iter().flatten() {
                    let hash = seed.hash(entry.key());
                    if order.home(hash, self.homes()) == home && hash >> shift >= from >> shift {
                        here.push((hash >> shift, entry));
                    }
                }
                if bucket.passed() == 0 {
                    break;
                }
                at += 1;
            }
            here.sort_unstable_by_key(|&(position, _)| position);
            for &(position, entry) in &here {
                if !visit(position, entry) {
                    return;
                }
            }
        }
    }
}

/// Asks for the memory of all entries in some buckets: each is a cache miss of its own.
fn ask_for_entries(buckets: &[Bucket]) {
    let entries = buckets.iter().flat_map(|bucket| bucket.slots.iter().flatten());
    entries.for_each(|entry| prefetch::bytes(entry.address(), Entry::NEAR));
}

/// The next larger number of homes that makes good use of memory. The allocator has blocks of every power of two and of one
/// half as large again, so that is how a map grows: by a third or a half, to slots that are 58 % to 66 % full.
fn grown(homes: usize) -> usize {
    fitting(homes + 1)
}

/// At least so many homes: as many as fit into the block that is needed for them. Only blocks of a power of two up to a
/// page begin where a cache line does; in the others, room for one bucket is lost to that.
fn fitting(homes: usize) -> usize {
    let whole = |lines: usize| if lines > PAGE_LINES { lines - 1 } else { lines };
    let least = homes + 1;
    let up = least.next_power_of_two().max(2);
    let half_as_large_again = |lines: usize| lines * 3 / 2 - 1;
    let buckets = [half_as_large_again(up / 2), whole(up)].into_iter().find(|buckets| *buckets >= least);
    buckets.unwrap_or(half_as_large_again(up)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_grows_in_the_steps_of_the_allocator() {
        let mut homes = 0;
        let mut buckets = Vec::new();
        while homes < 400 {
            homes = grown(homes);
            buckets.push(homes + 1);
        }
        assert_eq!(buckets, [2, 4, 5, 8, 11, 16, 23, 32, 47, 64, 95, 127, 191, 255, 383, 511]);
    }

    #[test]
    fn what_fits_is_enough_and_not_far_more() {
        for homes in 1..10_000 {
            let fits = fitting(homes);
            assert!(fits >= homes && fits <= homes + homes / 2 + 2, "{homes}: {fits}");
            assert_eq!(fitting(fits), fits);
        }
    }
}
