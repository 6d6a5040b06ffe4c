//! The broadcasting mode: prefixes, who wants to hear of them, and the keys that are laid up until the turn ends.
//!
//! A turn may change many keys, and one message names them all. So a change is laid up with each prefix that it matches;
//! whoever ends a turn sends what is there, also what others have laid up meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

use super::{Stale, Tracker};

/// Parts in which a prefix lays up keys, so that workers that change different keys rarely meet.
const PARTS: usize = 16;

/// Keys with the number of the client that changed each last, 0 for none.
type Keys = HashMap<Box<[u8]>, u64>;

struct Prefix {
    text: Box<[u8]>,
    by: Mutex<Vec<Arc<Tracker>>>,
    pending: [CachePadded<Mutex<Keys>>; PARTS],
}

/// All prefixes, in order. The list is replaced as a whole, by one at a time; `Tracking` sees to that.
#[derive(Default)]
pub(super) struct Prefixes {
    all: ArcSwap<Vec<Arc<Prefix>>>,
    count: AtomicUsize,
    has_pending: AtomicBool,
}

impl Prefixes {
    /// Adds a client to the prefixes that it names, and takes over its options for those that it has.
    pub(super) fn join(&self, tracker: &Arc<Tracker>, texts: &[&[u8]]) {
        let mut all = Vec::clone(&self.all.load());
        for text in texts {
            let place = match all.binary_search_by(|prefix| (*prefix.text).cmp(text)) {
                Ok(place) => place,
                Err(place) => {
                    let pending = Default::default();
                    let prefix = Prefix { text: (*text).into(), by: Mutex::default(), pending };
                    all.insert(place, Arc::new(prefix));
                    place
                }
            };
            all[place].by.lock().push(tracker.clone());
        }
        for prefix in &all {
            let mut by = prefix.by.lock();
            by.iter_mut().filter(|other| other.id == tracker.id).for_each(|other| *other = tracker.clone());
        }
        self.replace(all);
    }

    /// Takes a client out of all its prefixes.
    pub(super) fn leave(&self, id: u64) {
        if self.len() == 0 {
            return;
        }
        let mut all = Vec::clone(&self.all.load());
        all.retain(|prefix| {
            let mut by = prefix.by.lock();
            by.retain(|tracker| tracker.id != id);
            !by.is_empty()
        });
        self.replace(all);
    }

    fn replace(&self, all: Vec<Arc<Prefix>>) {
        self.count.store(all.len(), Ordering::Relaxed);
        self.all.store(Arc::new(all));
    }

    /// Number of prefixes.
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Lays up a key that has changed.
    pub(super) fn changed(&self, key: &[u8], hash: u64, author: u64) {
        if self.len() == 0 {
            return;
        }
        for prefix in self.all.load().iter().filter(|prefix| key.starts_with(&prefix.text)) {
            prefix.pending[(hash >> 32) as usize % PARTS].lock().insert(key.into(), author);
            // Behind the key, so that whoever finds nothing set has nothing to send.
            self.has_pending.store(true, Ordering::Release);
        }
    }

    /// True when a key may be laid up.
    #[inline]
    pub(super) fn has_pending(&self) -> bool {
        self.has_pending.load(Ordering::Relaxed)
    }

    /// Sends what is laid up.
    pub(super) fn broadcast(&self) {
        // Before the keys are taken: one that comes later sets it again.
        self.has_pending.swap(false, Ordering::AcqRel);
        for prefix in self.all.load().iter() {
            let mut keys: Vec<(Box<[u8]>, u64)> = Vec::new();
            prefix.pending.iter().for_each(|part| keys.extend(std::mem::take(&mut *part.lock())));
            if keys.is_empty() {
                continue;
            }
            keys.sort_unstable();
            let by = prefix.by.lock().clone();
            for tracker in by {
                let keys = keys.iter().filter(|(_, author)| tracker.hears_of(*author));
                let keys: Vec<&[u8]> = keys.map(|(key, _)| &**key).collect();
                if !keys.is_empty() {
                    (tracker.tell)(Stale::Keys(&keys));
                }
            }
        }
    }
}
