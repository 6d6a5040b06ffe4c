//! What is removed by opening a slot, because its time had come: a key, or fields of a hash.
//!
//! ```text
//! due                              removed              record in the log
//! the key                          the key              DEL key
//! all fields of a hash             the key              DEL key
//! some fields of a hash            these fields         HDEL key field ...
//! ```
//!
//! Whoever opens a slot asks for it ([`Slot::take_lapsed`]) and records it before anything else is recorded of the key.

use std::sync::atomic::Ordering;

use super::Slot;
use crate::base::event;
use crate::value::Value;

/// What opening a slot removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lapsed {
    /// The key.
    Key,
    /// These fields of a hash, others being left.
    Fields(Box<Vec<Box<[u8]>>>),
}

impl Slot<'_> {
    /// Passes the key over, if its time has come and expiry is held.
    #[cold]
    pub(super) fn pass_over(&mut self) -> bool {
        let passed_over =
            self.table.holds_expiry(self.now) && self.entry().is_some_and(|entry| entry.expiry() <= self.now);
        if passed_over {
            self.place = None;
            // To those who watch it, it has gone.
            self.stripe.watchers.touch(self.key());
        }
        passed_over
    }

    /// Removes what is due: at least a bound says that something may be.
    #[cold]
    pub(super) fn lapse(&mut self) {
        let Some(entry) = self.entry() else { return };
        let is_due = entry.expiry() <= self.now;
        self.stripe.lapsed = if is_due { Some(Lapsed::Key) } else { self.lapse_fields() };
        if self.stripe.lapsed.is_some() && !is_due {
            self.tell(event::FIELDS_EXPIRED);
        }
        if self.stripe.lapsed == Some(Lapsed::Key) {
            if is_due {
                self.discard();
                self.tell(event::EXPIRED);
            } else {
                self.remove();
            }
            self.table.expired.fetch_add(1, Ordering::Relaxed);
        }
        self.has_lapsed = self.stripe.lapsed.is_some();
        // Of what the opener of the slot does, nothing has been done yet.
        self.changed = false;
    }

    /// Removes the fields that are due; [`Lapsed::Key`] when none is left and the key has to go.
    fn lapse_fields(&mut self) -> Option<Lapsed> {
        let (place, now) = (self.place?, self.now);
        self.capture(place);
        let mut names: Vec<Box<[u8]>> = Vec::new();
        let change = |value: &mut Value| {
            if let Ok(hash) = value.hash_mut() {
                hash.remove_due(now, usize::MAX, |name| names.push(name.into()));
            }
            value.is_void()
        };
        // Not `Slot::change`: where only the bound was out of date, nobody who watches the key should hear of it.
        let is_void = self.stripe.change(place, |entry| entry.change(change))?;
        if is_void {
            return Some(Lapsed::Key);
        }
        if names.is_empty() {
            return None;
        }
        self.mark_changed();
        Some(Lapsed::Fields(Box::new(names)))
    }

    /// What opening the slot removed; the first time it is asked.
    #[inline]
    pub fn take_lapsed(&mut self) -> Option<Lapsed> {
        if !self.has_lapsed {
            return None;
        }
        self.has_lapsed = false;
        self.stripe.lapsed.take()
    }
}
