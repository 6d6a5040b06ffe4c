//! What happens to keys, kept until the unit of work tells it: the source of keyspace notifications.
//!
//! The table itself tells what it does: a key was made, removed, found expired, or looked for in vain. What else happened is
//! named by the command's row or handler ([`Slot::tell`]). All of it is kept in the stripe, whose lock the unit holds, and is
//! taken from there when the unit is in the log ([`Slot::take_told`], [`Locked::take_told`]). While nobody wants to hear of
//! it, nothing is kept, and asking costs one load of a flag that nobody writes.

use std::sync::atomic::Ordering;

use super::Table;
use super::locked::Locked;
use super::slot::Slot;
use super::stripe::Stripe;
use crate::base::event::Event;

/// Something that happened to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// Orders what happened in several stripes.
    order: u64,
    /// The database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
    /// What happened.
    pub event: Event,
}

impl Table {
    /// True while somebody wants to hear what happens to keys.
    #[inline]
    pub fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Sets whether somebody wants to hear what happens to keys.
    pub fn set_heard(&self, heard: bool) {
        self.heard.store(heard, Ordering::Relaxed);
    }
}

impl Slot<'_> {
    /// Tells what happened to the key, if somebody wants to hear of it.
    #[inline]
    pub fn tell(&mut self, event: Event) {
        if self.table.is_heard() {
            self.keep(event);
        }
    }

    #[cold]
    fn keep(&mut self, event: Event) {
        let order = self.table.happenings.fetch_add(1, Ordering::Relaxed);
        let db = self.table.number_of(self.stripe.database as usize);
        let happening = Happening { order, db, key: self.key().into(), event };
        self.stripe.told.get_or_insert_default().push(happening);
    }

    /// What happened in the key's stripe since this was last asked.
    pub fn take_told(&mut self) -> Vec<Happening> {
        self.stripe.take_told()
    }
}

impl Stripe {
    /// What an earlier unit told, and nobody asked for, is nobody's.
    #[inline]
    pub(super) fn forget_told(&mut self) {
        if self.told.is_some() {
            self.told = None;
        }
    }

    pub(super) fn take_told(&mut self) -> Vec<Happening> {
        self.told.take().map_or_else(Vec::new, |told| *told)
    }
}

impl Locked<'_> {
    /// What happened to keys of the unit since this was last asked, in order.
    pub fn take_told(&mut self) -> Vec<Happening> {
        let mut told: Vec<Happening> = self.stripes().flat_map(Stripe::take_told).collect();
        told.sort_unstable_by_key(|happening| happening.order);
        told
    }
}

/// Puts the event of a command's row among what its handler left in the slot of its only key: behind the making of the key,
/// before its removal. A handler that names events itself knows better.
pub fn complete(told: &mut Vec<Happening>, slot: &Slot<'_>, event: Event) {
    if told.iter().any(|happening| !happening.event.is_of_table()) {
        return;
    }
    let at = told.iter().position(|happening| happening.event == crate::base::event::DEL);
    let db = slot.table.number_of(slot.stripe.database as usize);
    let happening = Happening { order: 0, db, key: slot.key().into(), event };
    told.insert(at.unwrap_or(told.len()), happening);
}
