//! The big form of hashes and sets: members by their hash, in segments that clones share.
//!
//! ```text
//! directory   [0][0][1][2]             2^depth slots: the highest bits of a hash choose one
//!              |     |  |
//! shards      [segment 0] [1] [2]      up to 512 members each, shared by reference count: see segment.rs
//! ```
//!
//! Extendible hashing (Fagin et al., 1979): a segment that is full is cut in two by the next bit of the hash, and only
//! when it had used all the directory's bits does the directory double, by four bytes a slot. So no insertion ever
//! moves more than one segment's members. Two halves that have become small are joined again.
//!
//! - A clone copies the directory and counts references, O(members / 512); a write then copies the segment it
//!   hits, a few KiB, and never the whole. Snapshots and long replies read from clones.
//! - The order of iteration is the order of the hashes, and a SCAN cursor is a hash: a member that is there throughout
//!   is returned exactly once however the dictionary grows or shrinks meanwhile. 32 bits of the hash are kept;
//!   members that share them are returned together.
//! - Hashes are keyed (see [`super::seed`]). Should many agree in all 32 bits nevertheless, their segment grows
//!   beyond its measure, slower but right, and the directory does not double for their sake.

mod record;
mod segment;

pub use record::Record;

use super::seed;
use crate::base::clock::{Millis, NEVER};
use crate::base::prefetch::{self, AHEAD};
use crate::base::random::Random;
use segment::{BYTES_MAX, MEMBERS_MAX, Segment, Totals};
use smallvec::SmallVec;
use std::collections::HashSet;
use triomphe::Arc;

/// Directory slots there may be for each segment. Even hashes need two or three; this bounds what uneven ones cost.
const SLOTS_PER_SHARD: usize = 64;
/// Up to so many segments, a random member is found by walking them.
const WALKED: usize = 8;
/// From so many segments on, some hundred KiB, a dictionary is far away.
const SHARDS_FAR: usize = 16;
/// Attempts to hit a member before giving up and walking: enough that a walk is a rarity even when segments are cut
/// by size and hold an eighth of what they might.
const ATTEMPTS: usize = 64;

/// A map from byte strings to optional values and deadlines.
#[derive(Clone)]
pub struct Dict {
    /// Indices into `shards`; 2^depth of them.
    directory: Vec<u32>,
    depth: u32,
    shards: Vec<Shard>,
    /// Shards whose segment uses all `depth` bits: at 0 the directory can be halved.
    deepest: usize,
    totals: Totals,
    /// The least of the shards' or less: see [`Dict::earliest`].
    earliest: Millis,
}

/// A segment, and of its contents what is looked at without touching it.
#[derive(Clone)]
struct Shard {
    segment: Arc<Segment>,
    /// As [`Segment::earliest`].
    earliest: Millis,
}

/// Where a member is: shard and index within.
type Place = (usize, usize);

impl Dict {
    /// No members.
    #[must_use]
    pub fn new() -> Dict {
        let segment = Segment::new(0, 0);
        let totals = segment.totals();
        let shards = vec![Shard { segment: Arc::new(segment), earliest: NEVER }];
        Dict { directory: vec![0], depth: 0, shards, deepest: 1, totals, earliest: NEVER }
    }

    /// Number of members.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.totals.members
    }

    /// True without members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Heap bytes held; what clones share counts in full for each.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let directory = self.directory.capacity() * size_of::<u32>();
        directory + self.shards.capacity() * size_of::<Shard>() + self.totals.heap_bytes
    }

    /// The record of `member`.
    #[inline]
    #[must_use]
    pub fn get(&self, member: &[u8]) -> Option<Record<'_>> {
        self.get_hashed(hash_of(member), member)
    }

    /// True if `member` is one.
    #[inline]
    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.get(member).is_some()
    }

    /// True where it is too big for the caches to hold much of it: a lookup ahead of its time pays.
    pub fn is_far(&self) -> bool {
        self.shards.len() >= SHARDS_FAR
    }

    /// Asks for the memory that looking up these members will need, step by step for all of them, so that the misses of one
    /// step are waited for together: a lookup by itself misses the caches four or five times in a row.
    pub fn look_ahead<'m>(&self, members: impl Iterator<Item = &'m [u8]>) {
        let hashes: SmallVec<[u32; AHEAD]> = members.map(hash_of).collect();
        for hashes in hashes.chunks(AHEAD) {
            let segments = || hashes.iter().map(|&hash| (hash, &self.shards[self.shard_of(hash)].segment));
            segments()
                .for_each(|(_, segment)| prefetch::bytes(Arc::as_ptr(segment).cast(), size_of::<Segment>()));
            segments().for_each(|(hash, segment)| segment.prefetch_marks(hash));
            segments().for_each(|(hash, segment)| segment.prefetch_record(hash));
        }
    }

    /// Stores a record, in place of the one with the same member if there is one. True if the member is new.
    pub fn insert(&mut self, record: Record<'_>) -> bool {
        self.insert_hashed(hash_of(record.member), record)
    }

    /// Removes `member`; false if it was none.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        self.remove_hashed(hash_of(member), member)
    }

    /// Removes a member and returns it, each as likely as any other; none of an empty dictionary.
    pub fn pop_random(&mut self, random: &mut Random) -> Option<Vec<u8>> {
        let (shard, index) = self.random_place(random)?;
        let (hash, record) = self.shards.get(shard)?.segment.get(index)?;
        let member = record.member.to_vec();
        self.change(shard, |segment| segment.remove(index));
        self.join(hash);
        Some(member)
    }

    /// The records in the order of their members' hashes.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        self.segments().flat_map(Segment::records)
    }

    /// Visits about `count` records from `cursor` on; 0 begins a walk. Returns the cursor for the next step, which is
    /// below 2^32, or 0 when the walk is complete.
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, mut visit: impl FnMut(Record<'a>)) -> u64 {
        let Ok(from) = u32::try_from(cursor) else { return 0 };
        let mut left = count.max(1);
        let mut previous = None;
        for segment in self.segments_from(self.slot(from)) {
            for index in segment.lower_bound(from)..segment.len() {
                let Some((hash, record)) = segment.get(index) else { break };
                if left == 0 && previous != Some(hash) {
                    return u64::from(hash);
                }
                visit(record);
                previous = Some(hash);
                left = left.saturating_sub(1);
            }
        }
        0
    }

    /// A record, each as likely as any other; none of an empty dictionary.
    #[must_use]
    pub fn random(&self, random: &mut Random) -> Option<Record<'_>> {
        self.record(self.random_place(random)?)
    }

    /// `count` different records, or all if there are not so many; every choice is equally likely. In no useful order.
    #[must_use]
    pub fn sample(&self, count: usize, random: &mut Random) -> Vec<Record<'_>> {
        if count >= self.len() / 4 {
            return choose(self.iter(), self.len(), count, random);
        }
        let mut chosen = HashSet::with_capacity(count);
        let mut records = Vec::with_capacity(count);
        while records.len() < count {
            let Some(place) = self.random_place(random) else { break };
            if chosen.insert(place) {
                records.extend(self.record(place));
            }
        }
        records
    }

    /// Number of members with a deadline.
    #[must_use]
    pub fn deadlines(&self) -> usize {
        self.totals.deadlines
    }

    /// A time before which no member is due, [`NEVER`] without deadlines. It can be earlier than the earliest deadline,
    /// after that was moved or removed; [`Dict::remove_due`] makes it exact.
    #[must_use]
    pub fn earliest(&self) -> Millis {
        if self.totals.deadlines == 0 {
            return NEVER;
        }
        self.earliest
    }

    /// Removes members whose deadlines are not after `now`, telling each to `removed` first. Stops between segments
    /// once at least `limit` were removed. Returns how many were.
    pub fn remove_due(&mut self, now: Millis, limit: usize, mut removed: impl FnMut(Record<'_>)) -> usize {
        let mut count = 0;
        let mut shrunk = Vec::new();
        for shard in &mut self.shards {
            if shard.earliest > now {
                continue;
            }
            if count >= limit {
                break;
            }
            let before = shard.segment.totals();
            shard.segment.records().filter(|record| record.deadline <= now).for_each(&mut removed);
            let kept = shard.segment.without_due(now);
            shard.earliest = kept.earliest();
            let after = kept.totals();
            if after.members == before.members {
                // Only the bound was out of date. The segment's own is left so, rather than copying it.
                continue;
            }
            count += before.members - after.members;
            shrunk.push(kept.first());
            shard.segment = Arc::new(kept);
            self.totals.exchange(before, after);
        }
        shrunk.into_iter().for_each(|first| self.join(first));
        self.earliest = self.shards.iter().map(|shard| shard.earliest).min().unwrap_or(NEVER);
        count
    }

    /// The slot of the directory for a hash.
    #[inline]
    fn slot(&self, hash: u32) -> usize {
        // Shifted as 64 bits, because a directory of one slot shifts by 32.
        (u64::from(hash) >> (32 - self.depth)) as usize
    }

    #[inline]
    fn shard_of(&self, hash: u32) -> usize {
        self.directory[self.slot(hash)] as usize
    }

    /// Number of slots that refer to a segment of this depth.
    fn span(&self, depth: u32) -> usize {
        1 << (self.depth - depth)
    }

    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.segments_from(0)
    }

    /// The segments in the order of the hashes, from that of a slot on.
    fn segments_from(&self, slot: usize) -> impl Iterator<Item = &Segment> {
        let mut slot = slot;
        std::iter::from_fn(move || {
            let segment = &*self.shards.get(*self.directory.get(slot)? as usize)?.segment;
            slot = self.slot(segment.first()) + self.span(segment.depth());
            Some(segment)
        })
    }

    #[inline]
    fn get_hashed(&self, hash: u32, member: &[u8]) -> Option<Record<'_>> {
        let segment = &self.shards[self.shard_of(hash)].segment;
        Some(segment.get(segment.find(hash, member).ok()?)?.1)
    }

    fn insert_hashed(&mut self, hash: u32, record: Record<'_>) -> bool {
        let shard = self.shard_of(hash);
        let segment = &self.shards[shard].segment;
        match segment.find(hash, record.member) {
            Ok(index) => {
                // Storing what is there already must not copy a shared segment.
                if segment.get(index) != Some((hash, record)) {
                    self.change(shard, |segment| segment.replace(index, &record));
                    self.cut(hash);
                }
                false
            }
            Err(index) => {
                self.change(shard, |segment| segment.insert(index, hash, &record));
                self.cut(hash);
                true
            }
        }
    }

    fn remove_hashed(&mut self, hash: u32, member: &[u8]) -> bool {
        let shard = self.shard_of(hash);
        let Ok(index) = self.shards[shard].segment.find(hash, member) else { return false };
        self.change(shard, |segment| segment.remove(index));
        self.join(hash);
        true
    }

    /// Changes a segment, after copying it if a clone shares it.
    fn change(&mut self, shard: usize, change: impl FnOnce(&mut Segment)) {
        let shard = &mut self.shards[shard];
        let before = shard.segment.totals();
        let segment = Arc::make_mut(&mut shard.segment);
        change(segment);
        shard.earliest = segment.earliest();
        self.earliest = self.earliest.min(shard.earliest);
        self.totals.exchange(before, segment.totals());
    }

    /// Cuts the segment of `hash` in two while it is full.
    fn cut(&mut self, hash: u32) {
        loop {
            let shard = self.shard_of(hash);
            let segment = &self.shards[shard].segment;
            if !segment.is_full() {
                return;
            }
            if segment.depth() == self.depth {
                if 2 * self.directory.len() > SLOTS_PER_SHARD * (self.shards.len() + 1) {
                    return;
                }
                self.directory = self.directory.iter().flat_map(|&shard| [shard, shard]).collect();
                self.depth += 1;
                self.deepest = 0;
            }
            let before = segment.totals();
            let (left, right) = segment.split();
            self.totals.exchange(before, left.totals());
            self.totals.exchange(Totals::default(), right.totals());
            if left.depth() == self.depth {
                self.deepest += 2;
            }
            self.shards[shard] = Shard::new(left);
            self.shards.push(Shard::new(right));
            self.point_at(self.shards.len() - 1);
        }
    }

    /// Joins the segment of `hash` with the other half of its range while both are small.
    fn join(&mut self, hash: u32) {
        loop {
            let shard = self.shard_of(hash);
            let segment = &self.shards[shard].segment;
            let Some(bits) = segment.depth().checked_sub(1) else { return };
            let other = self.shard_of(segment.first() ^ (1 << 31 >> bits));
            let other_segment = &self.shards[other].segment;
            if segment.depth() != other_segment.depth()
                || segment.len() + other_segment.len() > MEMBERS_MAX / 2
                || segment.live_bytes() + other_segment.live_bytes() > BYTES_MAX / 2
            {
                return;
            }
            let in_order = segment.first() < other_segment.first();
            let (left, right) = if in_order { (segment, other_segment) } else { (other_segment, segment) };
            let whole = Segment::merge(left, right);
            let (gone, before) = (other_segment.totals(), segment.totals());
            self.totals.exchange(before, whole.totals());
            self.totals.exchange(gone, Totals::default());
            let was_deepest = segment.depth() == self.depth;
            self.shards[shard] = Shard::new(whole);
            self.point_at(shard);
            self.shards.swap_remove(other);
            if other < self.shards.len() {
                self.point_at(other);
            }
            if self.shards.len() < self.shards.capacity() / 4 {
                self.shards.shrink_to(self.shards.len() * 2);
            }
            if was_deepest {
                self.deepest -= 2;
                self.halve();
            }
        }
    }

    /// Halves the directory while no segment needs its last bit.
    fn halve(&mut self) {
        while self.deepest == 0 && self.depth > 0 {
            self.directory = self.directory.iter().copied().step_by(2).collect();
            self.depth -= 1;
            self.deepest = self.shards.iter().filter(|shard| shard.segment.depth() == self.depth).count();
        }
    }

    /// Makes the directory refer to a shard for the whole range of its segment.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "2^32 shards would need 2^37 bytes for themselves alone"
    )]
    fn point_at(&mut self, shard: usize) {
        let segment = &self.shards[shard].segment;
        let start = self.slot(segment.first());
        let end = start + self.span(segment.depth());
        self.directory[start..end].fill(shard as u32);
    }

    fn record(&self, (shard, index): Place) -> Option<Record<'_>> {
        Some(self.shards.get(shard)?.segment.get(index)?.1)
    }

    /// Where a record is, each as likely as any other.
    #[expect(clippy::cast_possible_truncation, reason = "below a usize")]
    fn random_place(&self, random: &mut Random) -> Option<Place> {
        if self.shards.len() > WALKED {
            // A random place of a random segment, until it is one in use: every member has the same chance. Segments
            // beyond their measure, which equal hashes alone can make, get a little less.
            for _ in 0..ATTEMPTS {
                let shard = random.below(self.shards.len() as u64) as usize;
                let index = random.below(MEMBERS_MAX as u64) as usize;
                if index < self.shards[shard].segment.len() {
                    return Some((shard, index));
                }
            }
        }
        let mut rank = random.below(self.len() as u64) as usize;
        for (shard, at) in self.shards.iter().zip(0..) {
            let members = shard.segment.len();
            if rank < members {
                return Some((at, rank));
            }
            rank -= members;
        }
        None
    }
}

/// `count` of `items`, of which there are `len`, every choice equally likely (selection sampling: Knuth, TAOCP 2,
/// 3.4.2 S). In their order.
pub(super) fn choose<T>(
    items: impl Iterator<Item = T>,
    len: usize,
    count: usize,
    random: &mut Random,
) -> Vec<T> {
    let mut chosen = Vec::with_capacity(count.min(len));
    let mut wanted = count.min(len) as u64;
    for (item, left) in items.zip((1..=len as u64).rev()) {
        if random.below(left) < wanted {
            chosen.push(item);
            wanted -= 1;
        }
    }
    chosen
}

/// The bits of the hash that a dictionary uses: the highest.
#[inline]
fn hash_of(member: &[u8]) -> u32 {
    (seed::hash(member) >> 32) as u32
}

impl Shard {
    fn new(segment: Segment) -> Shard {
        Shard { earliest: segment.earliest(), segment: Arc::new(segment) }
    }
}

impl Totals {
    /// Accounts for a segment that had `before` and has `after`.
    fn exchange(&mut self, before: Totals, after: Totals) {
        self.members = self.members + after.members - before.members;
        self.deadlines = self.deadlines + after.deadlines - before.deadlines;
        self.heap_bytes = self.heap_bytes + after.heap_bytes - before.heap_bytes;
    }
}

impl Default for Dict {
    fn default() -> Dict {
        Dict::new()
    }
}

/// Equal when the members, values and deadlines are.
impl PartialEq for Dict {
    fn eq(&self, other: &Dict) -> bool {
        self.len() == other.len() && self.iter().all(|record| other.get(record.member) == Some(record))
    }
}

impl std::fmt::Debug for Dict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;
