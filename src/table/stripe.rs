//! One stripe: a map of entries with its counters, and what hangs on its keys. Always behind its lock.

use super::entry::Entry;
use super::garbage::Garbage;
use super::lapsed::Lapsed;
use super::map::{Map, Order, Place};
use super::recorded::LastRecord;
use super::told::Happening;
use super::wait::Waiters;
use super::watch::Watchers;
use super::{Counts, Table};
use crate::base::clock::{Millis, NEVER};
use crate::base::hash::Seed;
use crate::base::random::Random;

#[derive(Default)]
pub(super) struct Stripe {
    map: Map,
    bytes: usize,
    expires: u32,
    /// Hashes of which a field has a deadline.
    lapsing: u32,
    /// No entry's time, nor that of a field, comes before this. It may be too early (after a removal), never too late.
    next_due: Millis,
    /// Entries as they were at the cut, changed since: the walker takes them from here.
    #[expect(clippy::box_collection, reason = "one word in each of thousands of stripes, instead of three")]
    pub(super) captured: Option<Box<Vec<Entry>>>,
    /// What opening the slot removed that was opened last, until somebody asks for it.
    pub(super) lapsed: Option<Lapsed>,
    /// What happened to keys, until somebody asks for it.
    #[expect(clippy::box_collection, reason = "one word in each of thousands of stripes, instead of three")]
    pub(super) told: Option<Box<Vec<Happening>>>,
    /// The place of its database.
    pub(super) database: u16,
    pub(super) last_record: LastRecord,
    pub(super) watchers: Watchers,
    pub(super) waiters: Waiters,
}

impl Stripe {
    /// An empty stripe of the database at this place.
    pub(super) fn of(database: u16) -> Self {
        Stripe { database, ..Stripe::default() }
    }

    #[inline]
    pub(super) fn find(&self, key: &[u8], hash: u64, order: Order) -> Option<Place> {
        self.map.find(key, hash, order)
    }

    /// True when the key is there and its time has not come.
    pub(super) fn has_live(&self, key: &[u8], hash: u64, order: Order, now: Millis) -> bool {
        let entry = self.find(key, hash, order).and_then(|place| self.at(place));
        entry.is_some_and(|entry| entry.expiry() > now)
    }

    #[inline]
    pub(super) fn at(&self, place: Place) -> Option<&Entry> {
        self.map.get(place)
    }

    /// Changes the entry at a place and keeps the counters true. The caller has captured it if that was due.
    #[inline]
    pub(super) fn change<R>(&mut self, place: Place, change: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        let entry = self.map.get_mut(place)?;
        let (bytes, expires, lapses) = (entry.bytes(), entry.expiry() != NEVER, entry.has_field_deadlines());
        let result = change(entry);
        self.bytes = self.bytes - bytes + entry.bytes();
        self.expires = self.expires - u32::from(expires) + u32::from(entry.expiry() != NEVER);
        self.lapsing = self.lapsing - u32::from(lapses) + u32::from(entry.has_field_deadlines());
        let due = entry.due();
        self.note_due(due);
        Some(result)
    }

    /// Changes what is not counted: the record of use, the epoch, a value that takes as much room as the one before.
    #[inline]
    pub(super) fn mark<R>(&mut self, place: Place, mark: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        self.map.get_mut(place).map(mark)
    }

    /// Adds an entry whose key is not there yet; returns its place.
    #[inline]
    pub(super) fn insert(&mut self, entry: Entry, hash: u64, order: Order, seed: &Seed) -> Place {
        self.bytes += entry.bytes();
        self.expires += u32::from(entry.expiry() != NEVER);
        self.lapsing += u32::from(entry.has_field_deadlines());
        self.note_due(entry.due());
        self.map.insert(entry, hash, order, seed)
    }

    pub(super) fn reserve(&mut self, entries: usize, order: Order, seed: &Seed) {
        self.map.reserve(entries, order, seed);
    }

    pub(super) fn remove(&mut self, place: Place, hash: u64, order: Order, seed: &Seed) -> Option<Entry> {
        let entry = self.map.remove(place, hash, order, seed)?;
        self.bytes -= entry.bytes();
        self.expires -= u32::from(entry.expiry() != NEVER);
        self.lapsing -= u32::from(entry.has_field_deadlines());
        Some(entry)
    }

    /// Empties the stripe; what was in it, as far as a running snapshot does not need it.
    pub(super) fn clear(&mut self, table: &Table) -> Option<Garbage> {
        self.touch_watched(|_, _, entry| entry.is_some(), table.order());
        self.last_record.forget();
        self.waiters.mark_all_gone(&table.marks);
        let map = std::mem::take(&mut self.map);
        let bytes = std::mem::take(&mut self.bytes);
        (self.expires, self.lapsing, self.next_due) = (0, 0, NEVER);
        if !table.is_capturing() {
            return (map.len() > 0).then(|| Garbage::new(map.len(), bytes, map));
        }
        let epoch = table.epoch();
        let (old, new): (Vec<Entry>, Vec<Entry>) =
            map.into_entries().partition(|entry| entry.epoch() != epoch);
        self.captured.get_or_insert_default().extend(old);
        let bytes = new.iter().map(Entry::bytes).sum();
        (!new.is_empty()).then(|| Garbage::new(new.len(), bytes, new))
    }

    /// Marks the watched keys for which `is_dirty(key, hash, entry)` holds.
    pub(super) fn touch_watched(
        &mut self,
        is_dirty: impl Fn(&[u8], u64, Option<&Entry>) -> bool,
        order: Order,
    ) {
        let map = &self.map;
        let entry = |key: &[u8], hash| map.get(map.find(key, hash, order)?);
        self.watchers.touch_where(|key, hash| is_dirty(key, hash, entry(key, hash)));
    }

    /// Marks the keys that somebody waits for and that are there.
    pub(super) fn mark_awaited(&mut self, order: Order, marks: &std::sync::atomic::AtomicU64) {
        let map = &self.map;
        self.waiters.mark_where(|key, hash| map.find(key, hash, order).is_some(), marks);
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn map(&self) -> &Map {
        &self.map
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.map.iter()
    }

    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.map.iter_mut()
    }

    pub(super) fn first_live(&self, now: Millis) -> Option<&Entry> {
        self.entries().find(|entry| entry.expiry() > now)
    }

    /// An entry picked at random, none from an empty stripe.
    pub(super) fn random(&self, random: &mut Random) -> Option<&Entry> {
        self.map.random(random)
    }

    /// Shows up to `count` entries, from a random one on, and only such as have a deadline where these are wanted; how many.
    pub(super) fn sample(
        &self,
        count: usize,
        expiring: bool,
        random: &mut Random,
        visit: impl FnMut(&Entry),
    ) -> usize {
        if expiring && self.expires == 0 {
            return 0;
        }
        let wanted = self.map.iter_from_random(random).filter(|entry| !expiring || entry.expiry() != NEVER);
        wanted.take(count).map(visit).count()
    }

    pub(super) fn add_counts(&self, now: Millis, sum: &mut Counts) {
        sum.keys += self.map.len();
        sum.expires += self.expires as usize;
        sum.bytes += self.bytes;
        if self.expires > 0 {
            let distances =
                self.entries().filter_map(Entry::deadline).map(|at| at.saturating_sub(now).max(0));
            sum.ttl_sum_ms += distances.map(|ms| ms as u128).sum::<u128>();
        }
    }

    /// True when the time of an entry or a field may have come.
    pub(super) fn has_due(&self, now: Millis) -> bool {
        self.expires + self.lapsing > 0 && self.next_due <= now
    }

    /// The keys of at most `max` entries whose time may have come, or that of a field. When these are all, `next_due` is the
    /// time of the others. Opening their slots makes it exact.
    pub(super) fn due(&mut self, now: Millis, max: usize) -> Vec<Box<[u8]>> {
        let mut due = Vec::new();
        let mut next = NEVER;
        for entry in self.map.iter() {
            if entry.due() > now {
                next = next.min(entry.due());
            } else {
                due.push(entry.key().into());
                if due.len() == max {
                    // There may be more.
                    return due;
                }
            }
        }
        self.next_due = next;
        due
    }

    #[inline]
    fn note_due(&mut self, expiry: Millis) {
        // The default of 0 means "never looked", which is early enough for every deadline.
        self.next_due = self.next_due.min(expiry);
    }
}
