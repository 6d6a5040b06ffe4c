//! Client-side caching: who has read which key, and who wants to hear of keys with a prefix.
//!
//! ```text
//! a client in the usual mode reads a key      remember     readers    key -> numbers of clients, each told once
//! a client in the broadcasting mode           start        prefixes   prefix -> clients, told of every change
//! whoever changes a key                       changed      tells the readers, and lays the key up for the prefixes
//! the end of a turn                           broadcast    tells the prefixes' clients what was laid up
//! ```
//!
//! **No invalidation is missed.** A reader is remembered, and a change is told, while the lock of the key's stripe is
//! held. So for every read and every change of a key one comes wholly before the other: either the read has seen the
//! change, or the reader is in the table when the change looks for readers. (A command that locks its keys itself is
//! remembered before it does: that is early, never late.) What was told waits in the client's outbox, which its connection
//! empties only behind the reply of the command under way: an invalidation never overtakes the reply that it is about. It
//! may come late, and then takes a fresh value out of a cache for nothing, which does no harm. With `appendfsync always` it
//! may come before the change is on the disk: whoever then asks again waits until it is.
//!
//! **Cost.** While nobody tracks, a change reads one flag of the table (see `table::Observer`), and a read looks at
//! nothing but its own session. A key in the table occupies a slot of 48 bytes, which holds the numbers of two readers,
//! and its name: about 100 bytes with a name of 20. Each further reader of the same key takes 8. The table forgets the
//! clients that are gone only when it meets them.
//!
//! What a message looks like is not known here: a client brings the function that sends it.

mod prefixes;
mod readers;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;
use parking_lot::{Mutex, RwLock};

use prefixes::Prefixes;
use readers::Readers;

/// Parts of the list of clients, each behind a lock of its own.
const PARTS: usize = 16;

/// What a client is told to forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale<'k> {
    /// One key.
    Key(&'k [u8]),
    /// Several keys, in one message.
    Keys(&'k [&'k [u8]]),
    /// Everything.
    All,
}

/// A client that tracks.
pub struct Tracker {
    /// The client's number.
    pub id: u64,
    /// It is told of all keys with its prefixes, whether it read them or not.
    pub broadcasts: bool,
    /// It does not want to hear of its own changes.
    pub no_loop: bool,
    /// Sends a message.
    pub tell: Tell,
}

/// See [`Tracker::tell`].
pub type Tell = Box<dyn Fn(Stale<'_>) + Send + Sync>;

impl Tracker {
    fn hears_of(&self, author: u64) -> bool {
        !(self.no_loop && self.id == author)
    }
}

/// Who tracks, by the number of the client.
type Trackers = HashMap<u64, Arc<Tracker>>;

/// All that is tracked.
pub struct Tracking {
    readers: Readers,
    prefixes: Prefixes,
    trackers: [CachePadded<RwLock<Trackers>>; PARTS],
    /// The most keys to remember, 0 for any number.
    max_keys: AtomicUsize,
    count: AtomicUsize,
    /// Held by whoever begins or ends tracking.
    changes: Mutex<()>,
}

/// What INFO shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Clients that track.
    pub clients: usize,
    /// Keys that somebody has read.
    pub keys: usize,
    /// Readers, summed over the keys.
    pub items: usize,
    /// Prefixes.
    pub prefixes: usize,
}

impl Default for Tracking {
    fn default() -> Self {
        Tracking {
            readers: Readers::default(),
            prefixes: Prefixes::default(),
            trackers: Default::default(),
            max_keys: AtomicUsize::new(0),
            count: AtomicUsize::new(0),
            changes: Mutex::default(),
        }
    }
}

impl Tracking {
    fn part(&self, id: u64) -> &RwLock<HashMap<u64, Arc<Tracker>>> {
        &self.trackers[id as usize % PARTS]
    }

    fn find(&self, id: u64) -> Option<Arc<Tracker>> {
        self.part(id).read().get(&id).cloned()
    }

    /// A client begins to track, or goes on with other options and more prefixes. `observe` is called before anything
    /// can be missed: from then on all changes must be told.
    pub fn start(&self, tracker: Tracker, prefixes: &[&[u8]], observe: impl FnOnce()) {
        let _changes = self.changes.lock();
        observe();
        let tracker = Arc::new(tracker);
        if tracker.broadcasts {
            self.prefixes.join(&tracker, prefixes);
        }
        if self.part(tracker.id).write().insert(tracker.id, tracker).is_none() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A client tracks no more. `rest` is called when it was the last one: changes need not be told any more.
    pub fn stop(&self, id: u64, rest: impl FnOnce()) {
        let _changes = self.changes.lock();
        if self.part(id).write().remove(&id).is_none() {
            return;
        }
        self.prefixes.leave(id);
        if self.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            // Whoever starts to track waits for this lock, so nobody can be remembered meanwhile.
            rest();
            self.readers.clear();
        }
    }

    /// True when somebody tracks.
    pub fn is_on(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// A client reads a key: see above for when this is said. `hash` is any evenly spread one of the key.
    pub fn remember(&self, key: &[u8], hash: u64, id: u64) {
        let is_new = self.readers.add(key, hash, id, |id| self.part(id).read().contains_key(&id));
        if is_new {
            self.trim();
        }
    }

    /// A key has changed, its stripe is locked. `author` is the number of the client that changed it, 0 where it was none.
    pub fn changed(&self, key: &[u8], hash: u64, author: u64) {
        self.prefixes.changed(key, hash, author);
        for id in self.readers.take(key, hash).into_iter().flatten() {
            self.tell_reader(id, key, author);
        }
    }

    fn tell_reader(&self, id: u64, key: &[u8], author: u64) {
        // What a client read before it went over to broadcasting is its prefixes' matter.
        if let Some(tracker) = self.find(id).filter(|it| !it.broadcasts && it.hears_of(author)) {
            (tracker.tell)(Stale::Key(key));
        }
    }

    /// A database was emptied, or exchanged: everybody is told to forget everything. Every worker must stand still.
    pub fn flushed(&self) {
        if !self.is_on() {
            return;
        }
        self.readers.clear();
        for part in &self.trackers {
            let trackers: Vec<_> = part.read().values().cloned().collect();
            trackers.iter().for_each(|tracker| (tracker.tell)(Stale::All));
        }
    }

    /// Tells the broadcasting clients what has changed since the last time. To be called at the end of each turn.
    #[inline]
    pub fn broadcast(&self) {
        if self.prefixes.has_pending() {
            self.prefixes.broadcast();
        }
    }

    /// Sets the most keys to remember, 0 for any number, and forgets what is too much. Who has read a key that is
    /// forgotten is told, as if it had changed.
    pub fn set_max_keys(&self, max: usize) {
        self.max_keys.store(max, Ordering::Relaxed);
        self.trim();
    }

    fn trim(&self) {
        let max = self.max_keys.load(Ordering::Relaxed);
        while max > 0 && self.readers.keys() > max {
            let Some((key, readers)) = self.readers.take_any() else { return };
            readers.into_iter().for_each(|id| self.tell_reader(id, &key, 0));
        }
    }

    /// What INFO shows.
    pub fn totals(&self) -> Totals {
        Totals {
            clients: self.count.load(Ordering::Relaxed),
            keys: self.readers.keys(),
            items: self.readers.items(),
            prefixes: self.prefixes.len(),
        }
    }
}

#[cfg(test)]
mod tests;
