//! Keys to values: databases, each cut into stripes, each stripe behind one lock.
//!
//! **The locking rule.** Whoever touches several stripes locks them in ascending order of (database, stripe) and holds
//! all of them until the effect has its sequence number: [`Locked`] does this, and is the only way to hold two. A lock
//! is never held over a wait for disk, network or another thread's turn.
//!
//! A key's stripe is the top bits of its keyed hash, and SCAN walks in the order of that hash, so that a stripe is a
//! range of the walk and growth neither repeats nor skips a key.
//!
//! **Snapshots without fork.** A cut raises the table's epoch while every worker stands still. From then on each entry
//! whose own epoch is older still holds the value it had at the cut; whoever is about to change such an entry first
//! lays its old value aside in the stripe (`captured`). The walker visits stripe after stripe, emits what is laid aside
//! and what is still old, and marks it. Every entry alive at the cut is emitted exactly once, with its value then.

pub mod access;
mod aim;
pub mod entry;
pub mod expire;
mod garbage;
mod lapsed;
mod latch;
pub mod locked;
mod map;
mod observe;
mod recorded;
mod sample;
mod scan;
pub mod slot;
mod snapshot;
mod stripe;
pub mod told;
pub mod wait;
mod watch;

pub use aim::{Aim, Aimed, look_ahead};
pub use entry::Entry;
pub use garbage::Garbage;
pub use lapsed::Lapsed;
pub use locked::Locked;
pub use observe::Observer;
pub use scan::Page;
pub use slot::{Expiry, Slot};
pub use snapshot::Cut;
pub use told::Happening;
pub use wait::{Served, Waiter};
pub use watch::Watch;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU16, AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use crate::base::clock::Millis;
use crate::base::hash::Seed;
use crate::base::random::Random;
use latch::{Mutex, MutexGuard};
use map::Order;
use stripe::Stripe;

/// Stripes of a database: enough that two workers rarely meet, and that a stripe's map stays small enough to grow in
/// a fraction of a millisecond with millions of keys. 4096 empty stripes cost half a megabyte a database in use.
pub const STRIPES: usize = 4096;

/// All databases.
pub struct Table {
    seed: Seed,
    /// Made when first used; a place in this list never changes its database.
    databases: Box<[OnceLock<Database>]>,
    /// The place of each database number: SWAPDB exchanges two of these.
    places: Box<[AtomicU16]>,
    /// The binary logarithm of the number of stripes of each database.
    stripe_bits: u32,
    epoch: AtomicU8,
    capturing: AtomicBool,
    /// How accesses are recorded; changed by `maxmemory-policy`.
    pub access: access::Policy,
    /// Keys removed because their time had come, since the start.
    expired: AtomicU64,
    /// Times an expiry cycle ended because its time was up, since the start.
    expire_cycles_cut: AtomicU64,
    /// See [`Table::hold_expiry`].
    held_until: AtomicI64,
    /// See [`Table::marks`].
    marks: AtomicU64,
    /// See [`Table::is_heard`].
    heard: AtomicBool,
    /// Happenings that were kept, since the start.
    happenings: AtomicU64,
    /// Who is told of changes, while somebody is.
    observed: observe::Observed,
    /// See [`Table::take_garbage`].
    bin: garbage::Bin,
    /// See [`Table::waits`]. In a cache line of its own: nobody shall wait for a counter as well.
    waits: CachePadded<AtomicU64>,
}

struct Database {
    stripes: Box<[CachePadded<Mutex<Stripe>>]>,
}

const _: () = assert!(size_of::<CachePadded<Mutex<Stripe>>>() == 128, "a stripe is two cache lines");

/// Counters of one database, summed over its stripes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys, those included whose time has come but that nobody has removed yet.
    pub keys: usize,
    /// Keys with an expiry.
    pub expires: usize,
    /// Sum of the deadlines' distances from now in milliseconds, for the average that INFO shows.
    pub ttl_sum_ms: u128,
    /// Bytes of keys, values and their headers.
    pub bytes: usize,
}

/// A key's place before its lock is taken: which stripe, and the hash to find it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Address {
    /// Place of the database and number of the stripe in one; locks are taken in ascending order of it.
    pub(crate) stripe: u32,
    pub(crate) hash: u64,
}

impl Address {
    /// The keyed hash of the key.
    pub fn hash(self) -> u64 {
        self.hash
    }

    /// The number of its stripe: keys with different numbers can be worked on at the same time.
    pub fn stripe(self) -> usize {
        self.stripe as usize
    }
}

impl Table {
    /// An empty table of `databases` databases.
    pub fn new(databases: usize, seed: Seed) -> Self {
        Self::with_stripes(databases, STRIPES, seed)
    }

    /// As [`Table::new`] with another number of stripes, which must be a power of two of at least 2.
    pub fn with_stripes(databases: usize, stripes: usize, seed: Seed) -> Self {
        assert!(stripes.is_power_of_two() && stripes >= 2, "stripes are picked by the top bits of a hash");
        Table {
            seed,
            databases: (0..databases).map(|_| OnceLock::new()).collect(),
            places: (0..databases).map(|place| AtomicU16::new(place as u16)).collect(),
            stripe_bits: stripes.trailing_zeros(),
            epoch: AtomicU8::new(0),
            capturing: AtomicBool::new(false),
            access: access::Policy::default(),
            expired: AtomicU64::new(0),
            expire_cycles_cut: AtomicU64::new(0),
            held_until: AtomicI64::new(0),
            marks: AtomicU64::new(0),
            heard: AtomicBool::new(false),
            happenings: AtomicU64::new(0),
            observed: observe::Observed::default(),
            bin: garbage::Bin::default(),
            waits: CachePadded::default(),
        }
    }

    /// Number of databases.
    pub fn databases(&self) -> usize {
        self.places.len()
    }

    #[inline]
    fn order(&self) -> Order {
        Order { stripe_bits: self.stripe_bits }
    }

    #[inline]
    fn seed(&self) -> &Seed {
        &self.seed
    }

    /// The keyed hash of a key.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.seed.hash(key)
    }

    /// Where `key` of database `db` lives. Valid until the next SWAPDB, that is, for a turn.
    #[inline]
    pub fn address(&self, db: usize, key: &[u8]) -> Address {
        self.address_of(db, self.hash(key))
    }

    /// Where a key with this hash lives in database `db`, as [`Table::address`].
    #[inline]
    pub fn address_of(&self, db: usize, hash: u64) -> Address {
        let place = self.places[db].load(Ordering::Relaxed) as usize;
        let stripe = (hash >> (64 - self.stripe_bits)) as usize;
        Address { stripe: (place << self.stripe_bits | stripe) as u32, hash }
    }

    /// The place of the database that a stripe's number names, and the stripe's place in it.
    #[inline]
    fn locate(&self, stripe: u32) -> (usize, usize) {
        let stripe = stripe as usize;
        (stripe >> self.stripe_bits, stripe & (self.stripes() - 1))
    }

    /// Stripes of each database.
    #[inline]
    fn stripes(&self) -> usize {
        1 << self.stripe_bits
    }

    /// Runs `body` on the slot of one key, its stripe locked. Where `seq` of the body's effect matters, the body takes
    /// it before it returns.
    #[inline]
    pub fn write<'t, R>(
        &'t self,
        at: impl Aimed<'t>,
        key: &[u8],
        now: Millis,
        body: impl FnOnce(&mut Slot<'_>) -> R,
    ) -> R {
        let aim = at.aim(self);
        let mut stripe = self.enter(aim.stripe);
        stripe.forget_told();
        body(&mut Slot::to_write(self, &mut stripe, key, aim.hash, now))
    }

    /// As [`Table::write`], for who only reads: see [`Table::hold_expiry`].
    #[inline]
    pub fn read<'t, R>(
        &'t self,
        at: impl Aimed<'t>,
        key: &[u8],
        now: Millis,
        body: impl FnOnce(&mut Slot<'_>) -> R,
    ) -> R {
        let aim = at.aim(self);
        let mut stripe = self.enter(aim.stripe);
        stripe.forget_told();
        body(&mut Slot::to_read(self, &mut stripe, key, aim.hash, now))
    }

    /// As [`Table::read`], at no time: a key whose time has come is still there, and nothing is removed that had to be recorded.
    pub fn peek<'t, R>(&'t self, at: impl Aimed<'t>, key: &[u8], body: impl FnOnce(&mut Slot<'_>) -> R) -> R {
        self.read(at, key, Millis::MIN, body)
    }

    /// Until then, who only reads leaves keys in place whose time has come, though it does not see them: CLIENT PAUSE
    /// promises that nothing changes meanwhile, and a log with a fault takes no records.
    pub fn hold_expiry(&self, until: Millis) {
        self.held_until.store(until, Ordering::Relaxed);
    }

    /// As [`Table::hold_expiry`], unless it is held for longer already.
    pub fn hold_expiry_longer(&self, until: Millis) {
        self.held_until.fetch_max(until, Ordering::Relaxed);
    }

    /// True while expiry is held.
    pub fn holds_expiry(&self, now: Millis) -> bool {
        self.held_until.load(Ordering::Relaxed) > now
    }

    /// Locks the stripe with this number over all databases.
    #[inline]
    fn lock(&self, stripe: u32) -> MutexGuard<'_, Stripe> {
        let (place, index) = self.locate(stripe);
        self.enter(&self.database(place).stripes[index])
    }

    /// Locks a stripe for a command.
    #[inline]
    fn enter<'s>(&self, stripe: &'s Mutex<Stripe>) -> MutexGuard<'s, Stripe> {
        stripe.try_lock().unwrap_or_else(|| self.wait_and_enter(stripe))
    }

    #[cold]
    fn wait_and_enter<'s>(&self, stripe: &'s Mutex<Stripe>) -> MutexGuard<'s, Stripe> {
        self.waits.fetch_add(1, Ordering::Relaxed);
        stripe.lock()
    }

    /// Times that a command found its stripe locked, since the start.
    pub fn waits(&self) -> u64 {
        self.waits.load(Ordering::Relaxed)
    }

    #[inline]
    fn database(&self, place: usize) -> &Database {
        self.databases[place].get_or_init(|| Database {
            stripes: (0..self.stripes())
                .map(|_| CachePadded::new(Mutex::new(Stripe::of(place as u16))))
                .collect(),
        })
    }

    /// The stripes of a database, none where it was never used.
    fn stripes_of(&self, db: usize) -> &[CachePadded<Mutex<Stripe>>] {
        let place = self.places[db].load(Ordering::Relaxed) as usize;
        self.databases[place].get().map_or(&[], |database| &database.stripes)
    }

    /// Makes room for so many keys, so that loading them need not grow the table again and again.
    pub fn reserve(&self, db: usize, keys: usize) {
        let mean = keys >> self.stripe_bits;
        // Chance gives some stripes more than others; nearly none gets more than this.
        let room = mean + 3 * mean.isqrt();
        let place = self.places[db].load(Ordering::Relaxed) as usize;
        for stripe in &self.database(place).stripes {
            stripe.lock().reserve(room, self.order(), self.seed());
        }
    }

    /// Visits all stripes of a database, those that somebody holds after the others. In the order of their numbers one would
    /// catch up with an expiry cycle that is under way, and then wait for it at each stripe that is left.
    fn visit(&self, db: usize, mut visit: impl FnMut(&mut Stripe)) {
        let mut held = Vec::new();
        for stripe in self.stripes_of(db) {
            match stripe.try_lock() {
                Some(mut free) => visit(&mut free),
                None => held.push(stripe),
            }
        }
        held.into_iter().for_each(|stripe| visit(&mut stripe.lock()));
    }

    /// Number of keys, expired ones that are still there included.
    pub fn len(&self, db: usize) -> usize {
        let mut sum = 0;
        self.visit(db, |stripe| sum += stripe.len());
        sum
    }

    /// True when a database holds no key.
    pub fn is_empty(&self, db: usize) -> bool {
        self.stripes_of(db).iter().all(|stripe| stripe.lock().len() == 0)
    }

    /// Counters of a database.
    pub fn counts(&self, db: usize, now: Millis) -> Counts {
        let mut sum = Counts::default();
        self.visit(db, |stripe| stripe.add_counts(now, &mut sum));
        sum
    }

    /// Bytes of keys, values and their headers in all databases.
    pub fn bytes(&self) -> usize {
        let mut sum = 0;
        (0..self.databases()).for_each(|db| self.visit(db, |stripe| sum += stripe.bytes()));
        sum
    }

    /// Keys removed because their time had come, since the start.
    pub fn expired(&self) -> u64 {
        self.expired.load(Ordering::Relaxed)
    }

    /// Empties a database. Every worker must stand still. What was in it is left to [`Table::take_garbage`].
    pub fn clear(&self, db: usize) {
        for stripe in self.stripes_of(db) {
            stripe.lock().clear(self).into_iter().for_each(|garbage| self.bin.add(garbage));
        }
    }

    /// The keys of a database that somebody watches, whether they are there or not.
    pub fn watched_keys(&self, db: usize) -> Vec<Box<[u8]>> {
        self.stripes_of(db).iter().flat_map(|stripe| stripe.lock().watchers.keys()).collect()
    }

    /// Exchanges two databases. Every worker must stand still. Watchers and waiters stay with the number that they watch
    /// or wait for.
    pub fn swap(&self, one: usize, other: usize, now: Millis) {
        if one == other {
            return;
        }
        let place = |db: usize| self.places[db].load(Ordering::Relaxed);
        let (place_one, place_other) = (place(one), place(other));
        let order = self.order();
        // Both must exist, because a key that is not there can be watched as well.
        let facing =
            self.database(place_one.into()).stripes.iter().zip(&self.database(place_other.into()).stripes);
        for (a, b) in facing {
            let (mut a, mut b) = (a.lock(), b.lock());
            // A key whose time has come is no key, on either side.
            let is_live = |entry: Option<&Entry>| entry.is_some_and(|entry| entry.expiry() > now);
            a.touch_watched(|key, hash, entry| is_live(entry) || b.has_live(key, hash, order, now), order);
            b.touch_watched(|key, hash, entry| is_live(entry) || a.has_live(key, hash, order, now), order);
            std::mem::swap(&mut a.watchers, &mut b.watchers);
            std::mem::swap(&mut a.waiters, &mut b.waiters);
            a.last_record.forget();
            b.last_record.forget();
            a.mark_awaited(order, &self.marks);
            b.mark_awaited(order, &self.marks);
        }
        self.places[one].store(place_other, Ordering::Relaxed);
        self.places[other].store(place_one, Ordering::Relaxed);
    }

    /// A key picked at random, none when the database is empty. Keys whose time has come are passed over, and named to
    /// `lapsed`.
    pub fn random_key(
        &self,
        db: usize,
        now: Millis,
        random: &mut Random,
        mut lapsed: impl FnMut(&[u8]),
    ) -> Option<Vec<u8>> {
        let stripes = self.stripes_of(db);
        if stripes.is_empty() {
            return None;
        }
        for _ in 0..4 * stripes.len() {
            let stripe = stripes[random.below(stripes.len() as u64) as usize].lock();
            match stripe.random(random) {
                Some(entry) if entry.expiry() > now => return Some(entry.key().to_vec()),
                Some(entry) => lapsed(entry.key()),
                None => {}
            }
        }
        stripes.iter().find_map(|stripe| {
            let stripe = stripe.lock();
            let live = stripe.first_live(now).map(|entry| entry.key().to_vec());
            if live.is_none() {
                stripe.entries().for_each(|entry| lapsed(entry.key()));
            }
            live
        })
    }

    /// Visits every live entry of a database, stripe by stripe, none locked for longer than its own visit.
    pub fn for_each(&self, db: usize, now: Millis, mut visit: impl FnMut(&Entry)) {
        self.visit(db, |stripe| stripe.entries().filter(|entry| entry.expiry() > now).for_each(&mut visit));
    }

    #[inline]
    fn epoch(&self) -> u8 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// True while a walker still has entries of the last cut to visit.
    #[inline]
    fn is_capturing(&self) -> bool {
        self.capturing.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod collision_tests;
#[cfg(test)]
mod tests;
