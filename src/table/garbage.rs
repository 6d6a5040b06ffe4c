//! What has left the table and would take long to free.
//!
//! A value of a million members is thousands of allocations. Whoever removes it holds a stripe, so it is only laid into a bin
//! here; the end of the turn takes the bin's contents ([`Table::take_garbage`]) and has them freed by somebody who holds
//! nothing. Small values are freed where they are: handing them over would cost more.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::Table;
use super::entry::Entry;

/// What is no longer in the table and only waits to be freed, which dropping it does.
pub struct Garbage {
    /// Keys.
    pub objects: usize,
    /// Bytes of keys, values and their headers, as the table has counted them.
    pub bytes: usize,
    #[expect(dead_code, reason = "held to be dropped later")]
    waste: Box<dyn Send>,
}

impl Garbage {
    /// Garbage of this size.
    pub fn new(objects: usize, bytes: usize, waste: impl Send + 'static) -> Self {
        Garbage { objects, bytes, waste: Box::new(waste) }
    }
}

/// Where garbage lies until somebody takes it.
#[derive(Default)]
pub(super) struct Bin {
    /// Read at the end of every turn, so that the lock is only taken where there is something.
    is_used: AtomicBool,
    garbage: Mutex<Vec<Garbage>>,
}

impl Bin {
    /// Lays garbage into the bin. May be called with stripes locked: the bin's lock is held for this alone.
    pub(super) fn add(&self, garbage: Garbage) {
        self.garbage.lock().push(garbage);
        self.is_used.store(true, Ordering::Release);
    }

    /// Frees an entry, or lays it into the bin where that would take long.
    pub(super) fn discard(&self, entry: Entry) {
        if entry.is_big() {
            self.add(Garbage::new(1, entry.bytes(), entry));
        }
    }
}

impl Table {
    /// What was removed since this was last asked and would take long to free. To be asked with no stripe locked, at the end
    /// of a turn, and dropped elsewhere.
    #[inline]
    pub fn take_garbage(&self) -> Vec<Garbage> {
        if self.bin.is_used.load(Ordering::Relaxed) { self.empty_bin() } else { Vec::new() }
    }

    #[cold]
    fn empty_bin(&self) -> Vec<Garbage> {
        let mut garbage = self.bin.garbage.lock();
        self.bin.is_used.store(false, Ordering::Relaxed);
        std::mem::take(&mut *garbage)
    }
}
