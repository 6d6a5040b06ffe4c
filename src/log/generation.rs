//! The set of files that the log consists of at the moment, and the numbers for the next ones.

use super::manifest::{Entry, Manifest};
use super::place::Place;
use super::replace::{CommitError, replace_file};

/// See the head of this file.
#[derive(Debug, Clone, Default)]
pub(super) struct Generation {
    /// What the manifest says, as far as it is known to be on the device.
    pub(super) manifest: Manifest,
    /// Numbers only rise, also over failures: after a replacement that failed half-way a power cut may
    /// bring back a manifest that names the file of the failed attempt.
    next_base: u64,
    next_increment: u64,
}

impl Generation {
    /// Takes the manifest and the names of all files in the directory.
    pub(super) fn new(manifest: Manifest, place: &Place, names: &[String]) -> Self {
        let files = manifest.base.iter().chain(&manifest.history).chain(&manifest.increments);
        let highest =
            files.map(|entry| entry.number).chain(names.iter().filter_map(|name| place.number_in(name)));
        let next = highest.max().unwrap_or(0).saturating_add(1);
        Self { manifest, next_base: next, next_increment: next }
    }

    pub(super) fn new_base(&mut self, place: &Place) -> Entry {
        let number = self.next_base;
        self.next_base += 1;
        Entry::new(place.base_name(number), number)
    }

    pub(super) fn new_increment(&mut self, place: &Place) -> Entry {
        let number = self.next_increment;
        self.next_increment += 1;
        Entry::new(place.increment_name(number), number)
    }

    /// Replaces the manifest on the device, then here.
    pub(super) fn install(&mut self, place: &Place, manifest: Manifest) -> Result<(), CommitError> {
        replace_file(&place.storage, &place.manifest(), manifest.render().as_bytes())?;
        self.manifest = manifest;
        Ok(())
    }

    /// Deletes what is not to be kept of the history, then takes it off the manifest. A failure only leaves it for the
    /// next time. Returns how many bytes of history are left.
    pub(super) fn drop_history(&mut self, place: &Place, keep: KeepHistory, now_unix_s: i64) -> u64 {
        let len = |entry: &Entry| place.storage.len(&place.path(&entry.name)).unwrap_or_default();
        let mut lens: Vec<u64> = self.manifest.history.iter().map(len).collect();
        let mut gone = 0;
        while gone < self.manifest.history.len() {
            let bytes: u64 = lens.iter().skip(gone).sum();
            let oldest =
                self.manifest.history.iter().skip(gone).take(segment_len(&self.manifest.history, gone));
            if oldest.clone().all(|entry| keep.holds(entry, bytes, now_unix_s)) {
                break;
            }
            gone += oldest.count();
        }
        if gone > 0 {
            for entry in self.manifest.history.iter().take(gone) {
                // Absent already when an earlier attempt was cut short.
                let _ = place.storage.remove(&place.path(&entry.name));
            }
            let mut manifest = self.manifest.clone();
            manifest.history.drain(..gone);
            let _ = self.install(place, manifest);
            lens.drain(..gone);
        }
        lens.iter().sum()
    }
}

/// How many files from `at` on belong together: a base and the increments behind it.
fn segment_len(history: &[Entry], at: usize) -> usize {
    let behind = history.iter().skip(at + 1);
    1 + behind.take_while(|entry| entry.name.ends_with(".incr.aof")).count()
}

/// How much of what a rewrite has replaced stays (`aof-keep-history`). With both bounds what exceeds either goes; with
/// none nothing stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeepHistory {
    pub seconds: Option<u64>,
    pub bytes: Option<u64>,
}

impl KeepHistory {
    /// Whether anything is kept.
    pub fn is_on(self) -> bool {
        self.seconds.is_some() || self.bytes.is_some()
    }

    fn holds(self, entry: &Entry, bytes: u64, now_unix_s: i64) -> bool {
        let Some(replaced) = entry.replaced_unix_s.filter(|_| self.is_on()) else { return false };
        let age = now_unix_s.saturating_sub(replaced);
        self.seconds.is_none_or(|seconds| age <= i64::try_from(seconds).unwrap_or(i64::MAX))
            && self.bytes.is_none_or(|most| bytes <= most)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::log::place::{DirectoryLock, Names};
    use crate::log::storage::{MemoryStorage, Storage, write_all};

    #[test]
    fn history_goes_by_age_and_by_size_oldest_first_and_a_base_with_its_increments() {
        let check = |seconds: Option<u64>, bytes: Option<u64>, left: &[&str]| {
            let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
            let lock = Arc::new(DirectoryLock::take(&*storage, Path::new("d")).unwrap());
            let place = Place { storage, lock, names: Names::default() };
            let mut generation = Generation::default();
            for (name, replaced) in
                [("1.base.rdb", 100), ("1.incr.aof", 100), ("2.base.rdb", 200), ("2.incr.aof", 200)]
            {
                let file = place.storage.create(&place.path(name)).unwrap();
                write_all(&*file, &[0; 10]).unwrap();
                let entry = Entry { replaced_unix_s: Some(replaced), ..Entry::new(name.to_owned(), 1) };
                generation.manifest.history.push(entry);
            }
            let kept = generation.drop_history(&place, KeepHistory { seconds, bytes }, 260);
            let names: Vec<_> = generation.manifest.history.iter().map(|entry| entry.name.as_str()).collect();
            assert_eq!((names.as_slice(), kept), (left, 10 * left.len() as u64), "{seconds:?} {bytes:?}");
            let mut files = place.storage.list(&place.dir()).unwrap();
            files.retain(|name| !name.ends_with(".manifest"));
            assert_eq!(files, left);
        };
        let (all, second) =
            (&["1.base.rdb", "1.incr.aof", "2.base.rdb", "2.incr.aof"], &["2.base.rdb", "2.incr.aof"]);
        check(None, None, &[]);
        check(Some(160), None, all);
        check(Some(159), None, second);
        check(Some(59), None, &[]);
        check(None, Some(40), all);
        check(None, Some(39), second);
        check(None, Some(19), &[]);
        check(Some(1000), Some(39), second);
        check(Some(159), Some(1000), second);
    }
}
