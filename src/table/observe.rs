//! Somebody who hears of every change of a key: client-side caching.
//!
//! He is told while the key's stripe is locked, so that no read and no other change of the key can come in between, and
//! by the same door through which every change goes: no handler can forget him. While nobody needs to hear, a change
//! costs the look at one flag.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Table;

/// See the head of the file.
pub trait Observer: Send + Sync {
    /// A key changed, or is about to under its stripe's lock. `hash` is the table's hash of the key, `author` the number
    /// of the client that changes it, 0 where nobody does: its time has come.
    fn changed(&self, key: &[u8], hash: u64, author: u64);
}

/// The table's observer.
#[derive(Default)]
pub(super) struct Observed {
    on: AtomicBool,
    by: OnceLock<Box<dyn Observer>>,
}

impl Observed {
    #[inline]
    pub(super) fn tell(&self, key: &[u8], hash: u64, author: u64) {
        // Relaxed is enough. Whoever turns it on and then reads a key has done so before it let go of the key's stripe,
        // and a change comes after that it has locked the stripe.
        if self.on.load(Ordering::Relaxed) {
            self.tell_now(key, hash, author);
        }
    }

    #[cold]
    fn tell_now(&self, key: &[u8], hash: u64, author: u64) {
        if let Some(observer) = self.by.get() {
            observer.changed(key, hash, author);
        }
    }
}

impl Table {
    /// Names the observer, once.
    pub fn set_observer(&self, observer: Box<dyn Observer>) {
        // Set once: a second one would be a defect of the wiring, and the first goes on hearing everything.
        let _ = self.observed.by.set(observer);
    }

    /// Whether the observer needs to hear of changes.
    pub fn observe(&self, on: bool) {
        self.observed.on.store(on, Ordering::Relaxed);
    }
}
