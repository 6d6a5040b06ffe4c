//! Several stripes, locked in ascending order and held together.

use smallvec::SmallVec;

use super::aim::{Aim, look_ahead};
use super::entry::Entry;
use super::lapsed::Lapsed;
use super::latch::MutexGuard;
use super::slot::Slot;
use super::stripe::Stripe;
use super::{Address, Table, wait};
use crate::base::clock::Millis;
use crate::base::event;
use crate::base::prefetch::AHEAD;

/// The stripes of a unit of work. Keys outside of them cannot be reached through it.
pub struct Locked<'t> {
    table: &'t Table,
    now: Millis,
    only_reads: bool,
    lapsed: Vec<(usize, Vec<u8>, Lapsed)>,
    /// Slots opened that held a key, and that did not.
    lookups: (u64, u64),
    guards: SmallVec<[(u32, MutexGuard<'t, Stripe>); 4]>,
    /// The keys of the unit and those that their waiters need; empty when nobody waits in these stripes.
    pub(super) awaited: Vec<Address>,
    /// See [`Locked::take_left`].
    pub(super) left: Vec<Address>,
    /// See [`Locked::by`].
    author: u64,
}

impl<'t> Locked<'t> {
    /// Locks the stripes of all `addresses`, each once, in ascending order: so that no two units can wait for each
    /// other. Where somebody sleeps on one of these keys, what serving it needs is locked as well.
    pub fn new(table: &'t Table, addresses: impl Iterator<Item = Address>, now: Millis) -> Self {
        let mut addresses: SmallVec<[Address; 16]> = addresses.collect();
        if addresses.len() > 1 {
            // The memory of all keys is waited for together; one alone is needed at once anyway.
            let aims: SmallVec<[Aim<'_>; AHEAD]> =
                addresses.iter().map(|address| table.aim(*address)).collect();
            look_ahead(&aims);
        }
        let guards = loop {
            let mut stripes: SmallVec<[u32; 16]> = addresses.iter().map(|address| address.stripe).collect();
            stripes.sort_unstable();
            stripes.dedup();
            let guards: SmallVec<[(u32, MutexGuard<'t, Stripe>); 4]> =
                stripes.into_iter().map(|stripe| (stripe, table.lock(stripe))).collect();
            if guards.iter().all(|(_, stripe)| stripe.waiters.is_empty()) {
                addresses.clear();
                break guards;
            }
            let waiters_of = |number: u32| {
                let place = guards.binary_search_by_key(&number, |(stripe, _)| *stripe).ok()?;
                guards.get(place).map(|(_, stripe)| &stripe.waiters)
            };
            if !wait::add_second_keys(table, &mut addresses, waiters_of) {
                break guards;
            }
            // More is needed than was known: let go of all, and lock all of it in order.
        };
        let awaited = addresses.to_vec();
        let mut guards = guards;
        guards.iter_mut().for_each(|(_, stripe)| stripe.forget_told());
        Locked {
            table,
            now,
            only_reads: false,
            lapsed: Vec::new(),
            lookups: (0, 0),
            guards,
            awaited,
            left: Vec::new(),
            author: 0,
        }
    }

    /// Says that nothing will be changed: see [`Table::hold_expiry`].
    #[must_use]
    pub fn only_reading(mut self, only_reads: bool) -> Self {
        self.only_reads = only_reads;
        self
    }

    /// The stripe of an address, if it is among those locked.
    pub(super) fn stripe(&mut self, address: Address) -> Option<&mut Stripe> {
        let held = self.guards.binary_search_by_key(&address.stripe, |(stripe, _)| *stripe).ok()?;
        self.guards.get_mut(held).map(|(_, stripe)| &mut **stripe)
    }

    pub(super) fn stripes(&mut self) -> impl Iterator<Item = &mut Stripe> {
        self.guards.iter_mut().map(|(_, stripe)| &mut **stripe)
    }

    /// The time of the turn, in Unix milliseconds.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// From now on changes are made on behalf of the client with this number: see [`Slot::by`].
    pub fn by(&mut self, author: u64) {
        self.author = author;
    }

    /// The slot of a key of database `db`, for a handler: what opening it removed, and whether the key was there, is kept
    /// for [`Locked::take_lapsed`] and [`Locked::take_lookups`].
    ///
    /// # Panics
    ///
    /// As [`Locked::open`].
    pub fn slot<'s>(&'s mut self, db: usize, key: &'s [u8]) -> Slot<'s> {
        let mut slot = Self::open_among(self.table, &mut self.guards, (self.now, self.only_reads), db, key);
        slot.by(self.author);
        self.lapsed.extend(slot.take_lapsed().map(|lapsed| (db, key.to_vec(), lapsed)));
        match slot.exists() {
            true => self.lookups.0 += 1,
            false => {
                self.lookups.1 += 1;
                slot.tell(event::KEY_MISS);
            }
        }
        slot
    }

    /// The slot of a key of database `db`, for who asks it himself what opening it removed.
    ///
    /// # Panics
    ///
    /// When the key's stripe was not among the addresses locked: a defect of the command's key specification, which
    /// must end loudly rather than touch a key that nobody checked.
    pub fn open<'s>(&'s mut self, db: usize, key: &'s [u8]) -> Slot<'s> {
        let mut slot = Self::open_among(self.table, &mut self.guards, (self.now, self.only_reads), db, key);
        slot.by(self.author);
        slot
    }

    #[expect(clippy::panic, reason = "an undeclared key is a defect of the program, not of its input")]
    fn open_among<'s>(
        table: &'s Table,
        guards: &'s mut [(u32, MutexGuard<'t, Stripe>)],
        (now, only_reads): (Millis, bool),
        db: usize,
        key: &'s [u8],
    ) -> Slot<'s> {
        let address = table.address(db, key);
        match guards.binary_search_by_key(&address.stripe, |(stripe, _)| *stripe) {
            Ok(index) if only_reads => Slot::to_read(table, &mut guards[index].1, key, address.hash, now),
            Ok(index) => Slot::to_write(table, &mut guards[index].1, key, address.hash, now),
            Err(_) => panic!("a command touched a key that its specification does not name"),
        }
    }

    /// The entry of a key, for looking at several at the same time. It removes nothing: a key whose time has come is as
    /// if it were not there, but opening its [`Locked::slot`] before is what gets it removed and counted.
    pub fn entry(&self, db: usize, key: &[u8]) -> Option<&Entry> {
        let address = self.table.address(db, key);
        let held = self.guards.binary_search_by_key(&address.stripe, |(stripe, _)| *stripe);
        let (_, stripe) = self.guards.get(held.ok()?)?;
        let entry = stripe.at(stripe.find(key, address.hash, self.table.order())?);
        entry.filter(|entry| entry.expiry() > self.now)
    }

    /// Opens the slots of several keys, which removes what has expired, and gives their entries for looking at them together.
    /// `uses` them as a reader does whose looks count.
    pub fn entries<'k>(
        &mut self,
        db: usize,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
        uses: bool,
    ) -> Vec<Option<&Entry>> {
        for key in keys.clone() {
            let mut slot = self.slot(db, key);
            if uses {
                slot.mark_used();
            }
        }
        keys.map(|key| self.entry(db, key)).collect()
    }

    /// What was found expired, and removed, since this was last asked, with databases and keys: each needs a record.
    pub fn take_lapsed(&mut self) -> Vec<(usize, Vec<u8>, Lapsed)> {
        std::mem::take(&mut self.lapsed)
    }

    /// How many slots were opened that held a key and that did not, since this was last asked.
    pub fn take_lookups(&mut self) -> (u64, u64) {
        std::mem::take(&mut self.lookups)
    }

    /// The table that the stripes belong to.
    pub fn table(&self) -> &'t Table {
        self.table
    }
}
