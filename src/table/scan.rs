//! SCAN: a walk in the order of the keyed hash.
//!
//! A cursor is a position in that order, so a key that is there throughout is returned exactly once, however the table
//! grows or shrinks meanwhile. It has 53 bits: clients that read numbers as floats must not lose any. Keys that share
//! these bits are returned together.

use super::Table;
use super::entry::Entry;
use crate::base::clock::Millis;

/// Bits of a hash that the cursor leaves out.
const SHIFT: u32 = 64 - 53;

/// The outcome of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Where the next step begins; 0 when the walk is complete.
    pub cursor: u64,
}

impl Table {
    /// Visits about `count` entries of a database from `cursor` on (0 begins a walk). Those whose time has come are only
    /// named, to `lapsed`.
    pub fn scan(
        &self,
        db: usize,
        cursor: u64,
        count: usize,
        now: Millis,
        mut visit: impl FnMut(&Entry),
        mut lapsed: impl FnMut(&[u8]),
    ) -> Page {
        let stripes = self.stripes_of(db);
        let bits = 53 - self.stripe_bits;
        let mut left = count.max(1);
        let first = (cursor >> bits) as usize;
        for (index, stripe) in stripes.iter().enumerate().skip(first) {
            let stripe = stripe.lock();
            let mut previous = None;
            let mut stopped_at = None;
            let from = if index == first { cursor << SHIFT } else { 0 };
            stripe.map().walk(from, SHIFT, self.order(), self.seed(), |position, entry| {
                if left == 0 && previous != Some(position) {
                    stopped_at = Some(position);
                    return false;
                }
                previous = Some(position);
                left = left.saturating_sub(1);
                if entry.expiry() > now {
                    visit(entry);
                } else {
                    lapsed(entry.key());
                }
                true
            });
            if let Some(position) = stopped_at {
                return Page { cursor: position };
            }
            if left == 0 {
                let next = (index as u64 + 1) << bits;
                return Page { cursor: if index + 1 < stripes.len() { next } else { 0 } };
            }
        }
        Page { cursor: 0 }
    }
}
