//! WATCH: who wants to know that a key changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One client's interest: marked when any of its watched keys changes.
#[derive(Debug, Clone, Default)]
pub struct Watch(Arc<AtomicBool>);

impl Watch {
    /// True when a watched key changed. Reliable only while the stripes of all watched keys are locked.
    pub fn is_dirty(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Marks it.
    pub fn mark(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is(&self, other: &Watch) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The watched keys of a stripe. Empty, and then free of cost, nearly always.
#[derive(Default)]
#[expect(clippy::box_collection, reason = "one word in each of thousands of stripes, instead of six")]
pub(super) struct Watchers(Option<Box<HashMap<Box<[u8]>, Watched>>>);

struct Watched {
    hash: u64,
    by: Vec<Watch>,
}

impl Watchers {
    pub(super) fn add(&mut self, key: &[u8], hash: u64, watch: &Watch) {
        let watched = self.0.get_or_insert_default().entry(key.into());
        let by = &mut watched.or_insert_with(|| Watched { hash, by: Vec::new() }).by;
        if !by.iter().any(|other| other.is(watch)) {
            by.push(watch.clone());
        }
    }

    pub(super) fn remove(&mut self, key: &[u8], watch: &Watch) {
        let Some(map) = &mut self.0 else { return };
        if let Some(watched) = map.get_mut(key) {
            watched.by.retain(|other| !other.is(watch));
            if watched.by.is_empty() {
                map.remove(key);
            }
        }
        if map.is_empty() {
            self.0 = None;
        }
    }

    #[inline]
    pub(super) fn touch(&mut self, key: &[u8]) {
        if let Some(map) = &self.0
            && let Some(watched) = map.get(key)
        {
            watched.by.iter().for_each(Watch::mark);
        }
    }

    pub(super) fn keys(&self) -> Vec<Box<[u8]>> {
        self.0.iter().flat_map(|map| map.keys().cloned()).collect()
    }

    /// Marks the watchers of every key for which `is_dirty(key, hash)` holds.
    pub(super) fn touch_where(&self, is_dirty: impl Fn(&[u8], u64) -> bool) {
        for (key, watched) in self.0.iter().flat_map(|map| map.iter()) {
            if is_dirty(key, watched.hash) {
                watched.by.iter().for_each(Watch::mark);
            }
        }
    }
}
