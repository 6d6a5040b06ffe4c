//! Which record of the log holds what a stripe shows: what must be on the disk before anybody may be told of it.
//!
//! ```text
//! a change                 the stripe's last record is not known
//! its record is written    whoever wrote it tells the number, the stripe still being locked
//! a read                   what it saw is safe once the log is safe up to that number
//! ```
//!
//! Nobody has to remember to tell. Where it was not told, as after FLUSHALL or an expiry, a reader asks the log how far
//! it goes: the record was written before the stripe was unlocked, so it is among those. That reader may wait for more
//! than it has seen, never for less, and leaves the number behind for the next. Once a second the regular tasks do so in the
//! place of a reader.

use super::Table;
use super::locked::Locked;
use super::slot::Slot;
use super::stripe::Stripe;

/// The number of a stripe's last record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LastRecord(u64);

impl LastRecord {
    /// In the place of a number, none of which gets this far.
    const NOT_TOLD: u64 = u64::MAX;

    /// The stripe was changed.
    #[inline]
    pub(super) fn forget(&mut self) {
        self.0 = Self::NOT_TOLD;
    }

    /// Every change so far is in this record or in one before.
    #[inline]
    fn tell(&mut self, number: u64) {
        self.0 = number;
    }

    /// What whoever looks now has to wait for. `newest` gives the number of the log's newest record.
    #[inline]
    fn or_newest(&mut self, newest: impl FnOnce() -> u64) -> u64 {
        if self.0 == Self::NOT_TOLD {
            self.0 = newest();
        }
        self.0
    }
}

impl Table {
    /// Tells every stripe that was not told its number that this is in the record with the number `newest`, or before. To be
    /// done now and then: else who looks later waits for what has nothing to do with it, and while the disk is full that is
    /// for ever.
    pub fn note_records(&self, newest: impl Fn() -> u64) {
        for database in self.databases.iter().filter_map(|database| database.get()) {
            for stripe in &database.stripes {
                stripe.lock().last_record.or_newest(&newest);
            }
        }
    }
}

impl Slot<'_> {
    /// Says that all that was changed in the stripe is in the record with this number, or in one before it.
    #[inline]
    pub fn recorded(&mut self, number: u64) {
        self.stripe.last_record.tell(number);
    }

    /// The record that must be safe before what the slot shows may be told. `newest` gives the number of the log's newest
    /// record. To be asked after [`Slot::recorded`].
    #[inline]
    pub fn last_record(&mut self, newest: impl FnOnce() -> u64) -> u64 {
        self.stripe.last_record.or_newest(newest)
    }
}

impl Locked<'_> {
    /// As [`Slot::recorded`], of all stripes that are locked.
    pub fn recorded(&mut self, number: u64) {
        // A stripe that was only looked at keeps its number: what is in it may be safe already.
        let is_changed = |stripe: &&mut Stripe| stripe.last_record.0 == LastRecord::NOT_TOLD;
        self.stripes().filter(is_changed).for_each(|stripe| stripe.last_record.tell(number));
    }

    /// As [`Slot::last_record`], of all stripes that are locked.
    pub fn last_record(&mut self, newest: impl Fn() -> u64) -> u64 {
        self.stripes().map(|stripe| stripe.last_record.or_newest(&newest)).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Expiry;
    use super::*;
    use crate::base::hash::Seed;

    fn change(table: &Table, number: Option<u64>) {
        table.write(table.address(0, b"k"), b"k", 0, |slot| {
            slot.put_text(b"v", Expiry::Clear);
            number.into_iter().for_each(|number| slot.recorded(number));
        });
    }

    fn seen(table: &Table, newest: u64) -> u64 {
        table.read(table.address(0, b"k"), b"k", 0, |slot| slot.last_record(|| newest))
    }

    #[test]
    fn a_reader_waits_for_the_record_of_the_last_change() {
        let table = Table::new(2, Seed::from_keys(1, 2));
        assert_eq!(seen(&table, 9), 0);
        change(&table, Some(4));
        assert_eq!(seen(&table, 9), 4);
        change(&table, Some(7));
        assert_eq!(seen(&table, 9), 7);
    }

    #[test]
    fn where_the_record_was_not_told_it_is_the_newest_that_the_first_reader_finds() {
        let table = Table::new(2, Seed::from_keys(1, 2));
        let changes: [&dyn Fn(); 3] = [&|| change(&table, None), &|| table.clear(0), &|| table.swap(0, 1, 0)];
        for (newest, make) in (10..).step_by(10).zip(changes) {
            change(&table, Some(4));
            make();
            assert_eq!((seen(&table, newest), seen(&table, newest + 5)), (newest, newest));
        }
    }

    #[test]
    fn who_looks_after_a_round_waits_for_no_more_than_there_was_in_it() {
        let table = Table::new(2, Seed::from_keys(1, 2));
        change(&table, None);
        table.note_records(|| 5);
        assert_eq!(seen(&table, 9), 5);
        change(&table, Some(6));
        table.note_records(|| 8);
        assert_eq!(seen(&table, 9), 6);
    }

    #[test]
    fn of_several_stripes_the_latest_counts_and_only_changed_ones_get_the_number() {
        let table = Table::new(2, Seed::from_keys(1, 2));
        let (one, other) = (b"one".as_slice(), b"other".as_slice());
        let addresses = [one, other].map(|key| table.address(0, key));
        assert_ne!(addresses[0].stripe(), addresses[1].stripe());
        let mut locked = Locked::new(&table, addresses.into_iter(), 0);
        locked.open(0, one).put_text(b"v", Expiry::Clear);
        locked.recorded(3);
        locked.open(0, other).put_text(b"v", Expiry::Clear);
        locked.recorded(5);
        assert_eq!(locked.open(0, one).last_record(|| 9), 3);
        assert_eq!(locked.last_record(|| 9), 5);
        locked.open(0, one).put_text(b"w", Expiry::Clear);
        assert_eq!(locked.last_record(|| 9), 9);
    }
}
