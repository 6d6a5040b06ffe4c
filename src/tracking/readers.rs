//! Who has read which key: a table in many parts, each behind a lock that is held for a moment and under which no other
//! is taken but one of the list of clients.

use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use parking_lot::Mutex;
use smallvec::SmallVec;

/// Parts of the table: enough that two workers rarely meet. Empty they cost 32 KiB together.
const PARTS: usize = 256;
/// With at least so many readers of a key it is worth while to look for those that are gone, before room is made for more.
const CROWD: usize = 8;

/// Numbers of clients, in ascending order.
pub(super) type Ids = SmallVec<[u64; 2]>;

struct Read {
    key: Box<[u8]>,
    hash: u64,
    by: Ids,
}

/// See the head of the file.
pub(super) struct Readers {
    parts: Box<[CachePadded<Mutex<HashTable<Read>>>]>,
    keys: AtomicUsize,
    items: AtomicUsize,
    /// The part from which [`Readers::take_any`] takes next.
    next: AtomicUsize,
}

impl Default for Readers {
    fn default() -> Self {
        Readers {
            parts: (0..PARTS).map(|_| CachePadded::default()).collect(),
            keys: AtomicUsize::new(0),
            items: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
        }
    }
}

impl Readers {
    fn part(&self, hash: u64) -> &Mutex<HashTable<Read>> {
        // The lowest and the highest bits pick the place within a part.
        &self.parts[(hash >> 32) as usize % PARTS]
    }

    /// Adds a reader of a key; true when the key is new. `is_alive` tells whether a client still tracks.
    pub(super) fn add(&self, key: &[u8], hash: u64, id: u64, is_alive: impl Fn(u64) -> bool) -> bool {
        let mut part = self.part(hash).lock();
        match part.entry(hash, |read| read.hash == hash && *read.key == *key, |read| read.hash) {
            Entry::Vacant(vacant) => {
                vacant.insert(Read { key: key.into(), hash, by: SmallVec::from_slice(&[id]) });
                self.keys.fetch_add(1, Ordering::Relaxed);
                self.items.fetch_add(1, Ordering::Relaxed);
                true
            }
            Entry::Occupied(mut occupied) => {
                let by = &mut occupied.get_mut().by;
                if by.len() >= CROWD && by.len() == by.capacity() {
                    let before = by.len();
                    by.retain(|id| is_alive(*id));
                    self.items.fetch_sub(before - by.len(), Ordering::Relaxed);
                }
                if let Err(place) = by.binary_search(&id) {
                    by.insert(place, id);
                    self.items.fetch_add(1, Ordering::Relaxed);
                }
                false
            }
        }
    }

    /// Forgets a key and returns its readers.
    pub(super) fn take(&self, key: &[u8], hash: u64) -> Option<Ids> {
        let mut part = self.part(hash).lock();
        let found = part.find_entry(hash, |read| read.hash == hash && *read.key == *key).ok()?;
        let (read, _) = found.remove();
        self.forget(&read);
        Some(read.by)
    }

    /// Forgets a key, whichever, and returns it with its readers; none when there is none.
    pub(super) fn take_any(&self) -> Option<(Box<[u8]>, Ids)> {
        for _ in 0..PARTS {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let mut part = self.parts[next % PARTS].lock();
            let Some(hash) = part.iter().next().map(|read| read.hash) else { continue };
            if let Ok(found) = part.find_entry(hash, |read| read.hash == hash) {
                let (read, _) = found.remove();
                self.forget(&read);
                return Some((read.key, read.by));
            }
        }
        None
    }

    fn forget(&self, read: &Read) {
        self.keys.fetch_sub(1, Ordering::Relaxed);
        self.items.fetch_sub(read.by.len(), Ordering::Relaxed);
    }

    /// Forgets all keys.
    pub(super) fn clear(&self) {
        for part in &self.parts {
            let old = std::mem::take(&mut *part.lock());
            old.iter().for_each(|read| self.forget(read));
        }
    }

    /// Number of keys.
    pub(super) fn keys(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    /// Number of readers, summed over the keys.
    pub(super) fn items(&self) -> usize {
        self.items.load(Ordering::Relaxed)
    }
}

const _: () = assert!(size_of::<Read>() == 48, "what a key costs is told at the head of the module");
