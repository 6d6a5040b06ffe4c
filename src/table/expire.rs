//! The expiry cycle: removing what nobody asks for any more.
//!
//! Each stripe knows a time before which none of its entries is due, so a cycle looks only into stripes where something
//! may be, and a full look makes that time exact. The caller bounds each call by a deadline and continues where the
//! last one ended.

use std::sync::atomic::Ordering;

use super::stripe::Stripe;
use super::{Happening, Lapsed, Slot, Table};
use crate::base::clock::Millis;

/// Keys removed from a stripe before its lock is let go once: a fraction of a millisecond.
const AT_ONCE_MAX: usize = 256;

/// Where the cycle will go on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cursor {
    stripe: u32,
}

/// What a call of [`Table::expire_some`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The last stripe has been looked at; the next call begins with the first.
    Done,
    /// Time was up before that.
    MoreToDo,
}

impl Table {
    /// Removes entries whose time has come, and fields of hashes, until `is_time_up` says so or all stripes have been
    /// visited. `removed` is called with the database number, the key, what was removed and what is to be told of it, while
    /// the stripe is locked: it logs the removal.
    pub fn expire_some(
        &self,
        cursor: &mut Cursor,
        now: Millis,
        is_time_up: impl Fn() -> bool,
        mut removed: impl FnMut(usize, &[u8], &Lapsed, Vec<Happening>),
    ) -> Progress {
        let all = (self.databases() * self.stripes()) as u32;
        loop {
            let (place, index) = self.locate(cursor.stripe);
            match self.databases[place].get() {
                Some(database) => {
                    let stripe = &mut database.stripes[index].lock();
                    if self.expire_stripe(stripe, place, now, &mut removed) {
                        cursor.stripe += 1;
                    }
                }
                None => cursor.stripe = ((place + 1) * self.stripes()) as u32,
            }
            if cursor.stripe == all {
                cursor.stripe = 0;
                return Progress::Done;
            }
            if is_time_up() {
                self.expire_cycles_cut.fetch_add(1, Ordering::Relaxed);
                return Progress::MoreToDo;
            }
        }
    }

    /// Removes what is due in a stripe, up to a number of keys; true when nothing is left.
    fn expire_stripe(
        &self,
        stripe: &mut Stripe,
        place: usize,
        now: Millis,
        removed: &mut impl FnMut(usize, &[u8], &Lapsed, Vec<Happening>),
    ) -> bool {
        if !stripe.has_due(now) {
            return true;
        }
        let db = self.number_of(place);
        let due = stripe.due(now, AT_ONCE_MAX);
        for key in &due {
            // Opening the slot is what removes it.
            let mut slot = Slot::to_write(self, stripe, key, self.hash(key), now);
            if let Some(lapsed) = slot.take_lapsed() {
                removed(db, key, &lapsed, slot.take_told());
            }
        }
        due.len() < AT_ONCE_MAX
    }

    /// Expiry cycles that ended because their time was up, since the start.
    pub fn expire_cycles_cut(&self) -> u64 {
        self.expire_cycles_cut.load(Ordering::Relaxed)
    }

    /// The number under which clients know the database at a place.
    pub(super) fn number_of(&self, place: usize) -> usize {
        self.places
            .iter()
            .position(|number| number.load(Ordering::Relaxed) as usize == place)
            .unwrap_or(place)
    }
}
