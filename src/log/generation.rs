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
        Entry { name: place.base_name(number), number }
    }

    pub(super) fn new_increment(&mut self, place: &Place) -> Entry {
        let number = self.next_increment;
        self.next_increment += 1;
        Entry { name: place.increment_name(number), number }
    }

    /// Replaces the manifest on the device, then here.
    pub(super) fn install(&mut self, place: &Place, manifest: Manifest) -> Result<(), CommitError> {
        replace_file(&place.storage, &place.manifest(), manifest.render().as_bytes())?;
        self.manifest = manifest;
        Ok(())
    }

    /// Deletes the files of the history, then takes them off the manifest. A failure only leaves them for
    /// the next time.
    pub(super) fn drop_history(&mut self, place: &Place) {
        if self.manifest.history.is_empty() {
            return;
        }
        for entry in &self.manifest.history {
            // Absent already when an earlier attempt was cut short.
            let _ = place.storage.remove(&place.path(&entry.name));
        }
        let manifest = Manifest { history: Vec::new(), ..self.manifest.clone() };
        let _ = self.install(place, manifest);
    }
}
