//! One key under its lock: the only door to changing it.
//!
//! Opening a slot removes the entry if its time has come, and the fields of a hash whose time has, so a handler never
//! sees what has expired. The caller asks [`Slot::take_lapsed`] and logs the removal before the command's own effect.
//! Every change lays the old value aside for a running snapshot, marks the watchers of the key and tells the table's
//! observer: no handler can forget any of it, and one that must not tell says so by [`Slot::change_aside`]. What happens to the key is told where somebody wants to hear of it: see
//! [`super::told`].

use super::Table;
use super::entry::Entry;
use super::map::Place;
use super::stripe::Stripe;
use super::watch::Watch;
use crate::base::clock::{Millis, NEVER};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::value::{Text, TextRef, Value};

/// What a write does to the key's deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It stays as it is; a new key has none.
    Keep,
    /// It is removed.
    Clear,
    /// It becomes this Unix time in milliseconds.
    At(Millis),
}

/// A key, its entry if there is one, and the means to change it.
pub struct Slot<'a> {
    pub(super) table: &'a Table,
    pub(super) stripe: &'a mut Stripe,
    key: &'a [u8],
    hash: u64,
    pub(super) now: Millis,
    pub(super) place: Option<Place>,
    pub(super) has_lapsed: bool,
    pub(super) changed: bool,
    /// See [`Slot::by`].
    author: u64,
}

impl<'a> Slot<'a> {
    #[inline]
    pub(super) fn to_write(
        table: &'a Table,
        stripe: &'a mut Stripe,
        key: &'a [u8],
        hash: u64,
        now: Millis,
    ) -> Self {
        let mut slot = Slot::at(table, stripe, key, hash, now);
        if slot.is_due() {
            slot.lapse();
        }
        slot
    }

    /// As [`Slot::to_write`], for who only reads: while expiry is held, a key whose time has come is passed over, not removed.
    /// Nothing may be stored in the slot then, because the key is still there.
    #[inline]
    pub(super) fn to_read(
        table: &'a Table,
        stripe: &'a mut Stripe,
        key: &'a [u8],
        hash: u64,
        now: Millis,
    ) -> Self {
        let mut slot = Slot::at(table, stripe, key, hash, now);
        if slot.is_due() && !slot.pass_over() {
            slot.lapse();
        }
        slot
    }

    /// The key's place, whether its time has come or not.
    #[inline]
    fn at(table: &'a Table, stripe: &'a mut Stripe, key: &'a [u8], hash: u64, now: Millis) -> Self {
        let place = stripe.find(key, hash, table.order());
        Slot { table, stripe, key, hash, now, place, has_lapsed: false, changed: false, author: 0 }
    }

    #[inline]
    fn is_due(&self) -> bool {
        self.entry().is_some_and(|entry| entry.due() <= self.now)
    }

    /// The key.
    pub fn key(&self) -> &'a [u8] {
        self.key
    }

    /// The hash of the key.
    #[inline]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// From now on changes are made on behalf of the client with this number: observers are told. What opening the slot
    /// removed, nobody did.
    #[inline]
    pub fn by(&mut self, author: u64) {
        self.author = author;
    }

    /// The time of the turn, in Unix milliseconds: what is due at it, is expired.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// The entry, none when the key does not exist.
    #[inline]
    pub fn entry(&self) -> Option<&Entry> {
        self.stripe.at(self.place?)
    }

    /// True when the key exists.
    pub fn exists(&self) -> bool {
        self.place.is_some()
    }

    /// True when a change was made since the slot was opened.
    #[inline]
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// The string, none when the key does not exist, a refusal when it holds another type.
    #[inline]
    pub fn text(&self) -> Result<Option<TextRef<'_>>, Refusal> {
        self.entry().map(Entry::text).transpose()
    }

    /// Records that the key was used.
    #[inline]
    pub fn mark_used(&mut self) {
        let Some(place) = self.place else { return };
        let Some(entry) = self.stripe.at(place) else { return };
        let record = self.table.access.used(entry.access(), self.hash ^ self.now as u64);
        // Written only when it differs: a read must not make the cache line dirty for the other cores.
        if record != entry.access() {
            self.stripe.mark(place, |entry| entry.set_access(record));
        }
    }

    /// Sets the record of use, for RESTORE and loading: see [`super::access`].
    pub fn set_access(&mut self, record: u32) {
        if let Some(place) = self.place {
            self.stripe.mark(place, |entry| entry.set_access(record));
        }
    }

    /// Takes over how the key was used elsewhere, as far as the policy records it.
    pub fn set_use(&mut self, idle_seconds: Option<u64>, frequency: Option<u8>) {
        let access = &self.table.access;
        let record = idle_seconds.and_then(|seconds| access.idle_for(seconds));
        let record = record.or_else(|| frequency.and_then(|frequency| access.with_frequency(frequency)));
        record.into_iter().for_each(|record| self.set_access(record));
    }

    /// Stores a value, whatever was there.
    pub fn put(&mut self, value: impl Into<Value>, expiry: Expiry) {
        let (deadline, access, epoch) = self.marks(expiry);
        let entry = Entry::new(self.key, value.into(), deadline, access, epoch);
        self.store(entry);
    }

    /// Stores a string, as an integer where the bytes spell one.
    #[inline]
    pub fn put_text(&mut self, bytes: &[u8], expiry: Expiry) {
        let (deadline, access, epoch) = self.marks(expiry);
        if let Some(place) = self.place
            && self.is_captured(place)
        {
            let overwrite = |entry: &mut Entry| entry.overwrite(bytes, deadline, access, epoch);
            let is_done = match deadline {
                NEVER => self.stripe.mark(place, overwrite),
                _ => self.stripe.change(place, overwrite),
            };
            if is_done == Some(true) {
                self.mark_changed();
                return;
            }
        }
        self.store(Entry::with_text(self.key, bytes, deadline, access, epoch));
    }

    /// Stores an integer, with the deadline that the key has.
    #[inline]
    pub fn put_integer(&mut self, integer: i64) {
        if let Some(place) = self.place
            && self.is_captured(place)
            && self.stripe.mark(place, |entry| entry.overwrite_integer(integer)) == Some(true)
        {
            self.mark_changed();
        } else if self.change(|value| *value = Text::Int(integer).into()).is_none() {
            self.put(Text::Int(integer), Expiry::Clear);
        }
    }

    /// Deadline, record of use and epoch of what is about to be stored.
    #[inline]
    fn marks(&self, expiry: Expiry) -> (Millis, u32, u8) {
        let entry = self.entry();
        let deadline = match expiry {
            Expiry::Keep => entry.map_or(NEVER, Entry::expiry),
            Expiry::Clear => NEVER,
            Expiry::At(at) => at,
        };
        let access = &self.table.access;
        let access = entry.map_or_else(|| access.fresh(), |entry| access.replaced(entry.access()));
        (deadline, access, self.table.epoch())
    }

    fn store(&mut self, entry: Entry) {
        self.mark_changed();
        self.stripe.waiters.mark(self.key, &self.table.marks);
        let Some(place) = self.place else {
            let (order, seed) = (self.table.order(), self.table.seed());
            self.place = Some(self.stripe.insert(entry, self.hash, order, seed));
            self.tell(event::NEW);
            return;
        };
        let captured = self.is_captured(place);
        let old = self.stripe.change(place, |present| std::mem::replace(present, entry));
        match captured {
            true => old.into_iter().for_each(|old| self.table.bin.discard(old)),
            false => self.stripe.captured.get_or_insert_default().extend(old),
        }
    }

    /// True unless a running snapshot has yet to see the entry at this place.
    #[inline]
    fn is_captured(&self, place: Place) -> bool {
        !self.table.is_capturing()
            || self.stripe.at(place).is_none_or(|entry| entry.epoch() == self.table.epoch())
    }

    /// The value for changing it in place; none when the key does not exist. Counts as a change.
    pub fn change<R>(&mut self, change: impl FnOnce(&mut Value) -> R) -> Option<R> {
        self.place?;
        self.tell_watchers();
        self.change_aside(change)
    }

    /// As [`Slot::change`], for what a value carries beside what it is, as a stream its groups: who watches the key, or caches
    /// what was read of it, is not told. A running snapshot, the log and those who sleep are.
    pub fn change_aside<R>(&mut self, change: impl FnOnce(&mut Value) -> R) -> Option<R> {
        let place = self.place?;
        self.capture(place);
        self.mark_stored();
        self.stripe.waiters.mark(self.key, &self.table.marks);
        self.stripe.change(place, |entry| entry.change(change))
    }

    /// Sets or removes the deadline. False when the key does not exist or the deadline was that already.
    pub fn set_deadline(&mut self, deadline: Option<Millis>) -> bool {
        let at = deadline.unwrap_or(NEVER);
        let Some(place) = self.place else { return false };
        if self.entry().is_none_or(|entry| entry.expiry() == at) {
            return false;
        }
        self.capture(place);
        self.mark_changed();
        self.stripe.change(place, |entry| entry.set_expiry(at));
        true
    }

    /// Takes the key out of its place; its value and deadline ([`NEVER`] without one), if it existed. Nobody is told that it
    /// was removed: see [`Slot::remove`].
    pub fn take(&mut self) -> Option<(Value, Millis)> {
        let (entry, captured) = self.unhook()?;
        if captured {
            return Some(entry.into_value());
        }
        let result = (entry.to_value(), entry.expiry());
        self.stripe.captured.get_or_insert_default().push(entry);
        Some(result)
    }

    /// Removes the key; true when it existed.
    pub fn remove(&mut self) -> bool {
        let existed = self.discard();
        if existed {
            self.tell(event::DEL);
        }
        existed
    }

    /// Removes the key to make room; the bytes that it took, none if it does not exist.
    pub fn evict(&mut self) -> Option<usize> {
        let bytes = self.entry()?.bytes();
        self.discard();
        self.tell(event::EVICTED);
        Some(bytes)
    }

    /// As [`Slot::remove`], but nobody is told.
    pub(super) fn discard(&mut self) -> bool {
        let Some((entry, captured)) = self.unhook() else { return false };
        match captured {
            true => self.table.bin.discard(entry),
            false => self.stripe.captured.get_or_insert_default().push(entry),
        }
        true
    }

    /// Takes the entry out of the stripe, if the key exists; and true unless a running snapshot has yet to see it.
    fn unhook(&mut self) -> Option<(Entry, bool)> {
        let (order, seed) = (self.table.order(), self.table.seed());
        let place = self.place.take()?;
        let captured = self.is_captured(place);
        let entry = self.stripe.remove(place, self.hash, order, seed)?;
        self.mark_changed();
        self.stripe.waiters.mark_gone(self.key, &self.table.marks);
        Some((entry, captured))
    }

    /// True when somebody sleeps until the key has something for it: see [`super::wait`].
    #[inline]
    pub fn is_awaited(&self) -> bool {
        !self.stripe.waiters.is_empty() && self.stripe.waiters.has(self.key)
    }

    /// From now on any change of the key marks `watch`.
    pub fn watch(&mut self, watch: &Watch) {
        self.stripe.watchers.add(self.key, self.hash, watch);
    }

    /// Ends [`Slot::watch`].
    pub fn unwatch(&mut self, watch: &Watch) {
        self.stripe.watchers.remove(self.key, watch);
    }

    /// Marks the watchers of the key without a change of its value (SWAPDB, FLUSHALL, an expiry).
    pub fn touch(&mut self) {
        self.mark_changed();
    }

    pub(super) fn mark_changed(&mut self) {
        self.mark_stored();
        self.tell_watchers();
    }

    fn tell_watchers(&mut self) {
        self.stripe.watchers.touch(self.key);
        self.table.observed.tell(self.key, self.hash, self.author);
    }

    /// What every change brings with it, whether somebody watches for it or not.
    fn mark_stored(&mut self) {
        self.changed = true;
        self.stripe.last_record.forget();
    }

    /// Lays the present value aside if a running snapshot has not seen it yet.
    pub(super) fn capture(&mut self, place: Place) {
        if self.is_captured(place) {
            return;
        }
        let epoch = self.table.epoch();
        if let Some(entry) = self.stripe.at(place) {
            let copy = entry.duplicate();
            self.stripe.captured.get_or_insert_default().push(copy);
            self.stripe.mark(place, |entry| entry.set_epoch(epoch));
        }
    }
}
