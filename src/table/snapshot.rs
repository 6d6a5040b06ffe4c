//! The walker of a cut: see the table's own description for why it is exact.

use std::sync::atomic::Ordering;

use super::Table;
use crate::base::clock::Millis;
use crate::value::ValueRef;

/// A walk over the table as it was when every worker stood still. One at a time; dropping it ends it, finished or not.
pub struct Cut<'t> {
    table: &'t Table,
    /// (number, place) of the databases as clients knew them at the cut, in ascending order of numbers.
    databases: Vec<(usize, usize)>,
}

impl Table {
    /// Makes the cut. Every worker must stand still; none when another walk is under way.
    pub fn cut(&self) -> Option<Cut<'_>> {
        if self.capturing.swap(true, Ordering::AcqRel) {
            return None;
        }
        self.epoch.fetch_add(1, Ordering::AcqRel);
        let databases = (0..self.databases())
            .map(|number| (number, self.places[number].load(Ordering::Relaxed) as usize))
            .filter(|&(_, place)| self.databases[place].get().is_some())
            .collect();
        Some(Cut { table: self, databases })
    }
}

impl Cut<'_> {
    /// The databases that were in use at the cut, by number.
    pub fn databases(&self) -> Vec<usize> {
        self.databases.iter().map(|&(number, _)| number).collect()
    }

    /// Number of stripes of each database.
    pub fn stripes(&self) -> usize {
        self.table.stripes()
    }

    /// Emits every entry that the stripe held at the cut and forgets about it. To be called once for each stripe of
    /// each database. The stripe is locked meanwhile, but for big values, so `emit` should do no more than serialise into
    /// memory.
    pub fn walk_stripe(
        &self,
        number: usize,
        index: usize,
        mut emit: impl FnMut(&[u8], ValueRef<'_>, Millis),
    ) {
        let Some(&(_, place)) = self.databases.iter().find(|&&(db, _)| db == number) else { return };
        let Some(database) = self.table.databases[place].get() else { return };
        let epoch = self.table.epoch();
        let mut stripe = database.stripes[index].lock();
        let mut later = stripe.captured.take().map_or_else(Vec::new, |captured| *captured);
        for entry in stripe.entries_mut().filter(|entry| entry.epoch() != epoch) {
            match entry.copy_if_big(|_| true) {
                Some(copy) => later.push(copy),
                None => emit(entry.key(), entry.value(), entry.expiry()),
            }
            entry.set_epoch(epoch);
        }
        drop(stripe);
        for entry in &later {
            emit(entry.key(), entry.value(), entry.expiry());
        }
    }
}

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        self.table.capturing.store(false, Ordering::Release);
        // An unfinished walk leaves values laid aside that nobody will come for.
        for database in self.table.databases.iter().filter_map(|database| database.get()) {
            for stripe in &database.stripes {
                let captured = stripe.lock().captured.take();
                drop(captured);
            }
        }
    }
}
