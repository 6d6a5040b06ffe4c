//! Keys that are about to be looked up, and the memory that this will need.
//!
//! A lookup goes from the stripe to a bucket and from there to the entry, and with millions of keys misses the caches at
//! each step. [`look_ahead`] goes these steps for many keys together, so that the misses of all of them are waited for at
//! the same time.

use std::ptr;

use crossbeam_utils::CachePadded;

use super::latch::Mutex;
use super::map::Order;
use super::stripe::Stripe;
use super::{Address, Entry, Table};
use crate::base::prefetch::{self, AHEAD};
use crate::value::Wanted;

/// A key's stripe, found and not yet locked, and its hash. Good until the next SWAPDB, that is, for a turn.
#[derive(Clone, Copy)]
pub struct Aim<'t> {
    pub(super) stripe: &'t CachePadded<Mutex<Stripe>>,
    pub(super) hash: u64,
    order: Order,
}

impl Table {
    /// Finds the stripe of an address.
    #[inline]
    pub fn aim(&self, address: Address) -> Aim<'_> {
        let (place, index) = self.locate(address.stripe);
        let stripe = &self.database(place).stripes[index];
        Aim { stripe, hash: address.hash, order: self.order() }
    }
}

/// What tells which stripe a key is in: its address, or an aim, where the stripe was found before.
pub trait Aimed<'t> {
    /// The key's stripe and hash.
    fn aim(self, table: &'t Table) -> Aim<'t>;
}

impl<'t> Aimed<'t> for Address {
    #[inline]
    fn aim(self, table: &'t Table) -> Aim<'t> {
        table.aim(self)
    }
}

impl<'t> Aimed<'t> for Aim<'t> {
    #[inline]
    fn aim(self, _: &'t Table) -> Aim<'t> {
        self
    }
}

/// Asks for what looking up these keys will need. Whatever is wrong by then costs a miss, no more.
#[inline]
pub fn look_ahead(aims: &[Aim<'_>]) {
    for aims in aims.chunks(AHEAD) {
        aims.iter()
            .for_each(|aim| prefetch::bytes(ptr::from_ref(aim.stripe).cast(), size_of::<Mutex<Stripe>>()));
        aims.iter().for_each(|aim| prefetch::line(aim.bucket()));
        aims.iter().for_each(|aim| prefetch::bytes(aim.entry(), Entry::NEAR));
    }
}

impl Aim<'_> {
    /// The keyed hash of the key.
    #[inline]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Whether it is the other's key, as far as the hash tells.
    #[inline]
    pub fn is_same(&self, other: &Aim<'_>) -> bool {
        self.hash == other.hash && ptr::eq(self.stripe, other.stripe)
    }

    /// Asks for what commands on this key will need that want this of its value.
    pub fn look_into<'w>(&self, key: &[u8], wanted: impl Iterator<Item = Wanted<'w>>) {
        if let Some(stripe) = self.stripe.try_lock()
            && let Some(entry) = stripe.find(key, self.hash, self.order).and_then(|place| stripe.at(place))
        {
            entry.value().look_ahead(wanted);
        }
    }

    /// Where the key's bucket lies now. Null where somebody holds the lock: he is not waited for.
    #[inline]
    fn bucket(&self) -> *const u8 {
        let stripe = self.stripe.try_lock();
        stripe.map_or(ptr::null(), |stripe| stripe.map().home(self.hash, self.order))
    }

    /// Where the entry lies now that is likely to be the key's; null where there is none, or somebody holds the lock.
    #[inline]
    fn entry(&self) -> *const u8 {
        let stripe = self.stripe.try_lock();
        stripe.map_or(ptr::null(), |stripe| stripe.map().candidate(self.hash, self.order))
    }
}
