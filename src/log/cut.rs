//! Cutting off, at a start, what a crash has left unfinished: the end of one increment, and all increments behind it.
//!
//! ```text
//! the end of a file   copied to <file>.tail-<seq>, synced; then the file is made shorter, and synced
//! a whole file        taken off the manifest, in one replacement for all of them; then renamed to <file>.tail-<seq>
//! ```
//!
//! Whole files go first, so a crash at any point of that leaves a directory that recovers to the same. They are not
//! emptied in place: a power cut in the middle of that may leave a file without its beginning, and such a file looks like
//! damage to something that had been synced.

use std::path::{Path, PathBuf};

use super::manifest::Manifest;
use super::open::{OpenError, Opened, failed};
use super::storage::write_all;

/// A tail that was cut.
#[derive(Debug, Clone)]
pub struct Cut {
    pub path: PathBuf,
    pub offset: u64,
    /// Bytes cut off.
    pub len: u64,
    pub kept_as: PathBuf,
    pub reason: &'static str,
}

impl Opened {
    /// Ends the log at an offset of an increment. `seed_before` is the seed of the increment before that one.
    pub(super) fn cut(
        &mut self,
        index: usize,
        offset: u64,
        reason: &'static str,
        seed_before: u32,
    ) -> Result<(), OpenError> {
        let takes_all = offset == 0 && index > 0;
        let kept = if takes_all { index } else { index + 1 };
        self.take_off(kept, if takes_all { reason } else { BEHIND })?;
        if takes_all {
            self.seed = seed_before;
            return Ok(());
        }
        self.cut_file(index, offset, reason)
    }

    /// Takes all increments off the manifest but the first `kept`, and their names from the files.
    fn take_off(&mut self, kept: usize, reason: &'static str) -> Result<(), OpenError> {
        let mut increments = self.generation.manifest.increments.clone();
        if increments.len() <= kept {
            return Ok(());
        }
        let gone = increments.split_off(kept);
        self.install(Manifest { increments, ..self.generation.manifest.clone() })?;
        for (at, entry) in gone.iter().enumerate() {
            let path = self.place.path(&entry.name);
            let kept_as = self.free_name(&path, |_| false)?;
            let storage = &self.place.storage;
            let moved = storage.open_append(&path).and_then(|file| {
                file.sync()?;
                storage.rename(&path, &kept_as)?;
                file.len()
            });
            let len = moved.map_err(failed("keep aside", path.clone()))?;
            self.sizes = self.sizes.saturating_sub(len);
            let reason = if at == 0 { reason } else { BEHIND };
            self.recovery.cuts.push(Cut { path, offset: 0, len, kept_as, reason });
        }
        self.place.storage.sync_dir(&self.place.dir()).map_err(failed("sync", self.place.dir()))
    }

    fn cut_file(&mut self, index: usize, offset: u64, reason: &'static str) -> Result<(), OpenError> {
        let path = self.path_of(index);
        let bytes = self.read_increment(index)?;
        let tail = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        if tail.is_empty() {
            return Ok(());
        }
        let kept_as = self.keep_aside(&path, tail)?;
        let cut = self.place.storage.open_append(&path).and_then(|file| {
            file.truncate(offset)?;
            file.sync()
        });
        cut.map_err(failed("cut", path.clone()))?;
        self.sizes = self.sizes.saturating_sub(tail.len() as u64);
        self.recovery.cuts.push(Cut { path, offset, len: tail.len() as u64, kept_as, reason });
        Ok(())
    }

    /// Copies a tail under a name of its own. An equal copy from an interrupted recovery is good enough.
    fn keep_aside(&self, path: &Path, tail: &[u8]) -> Result<PathBuf, OpenError> {
        let storage = &self.place.storage;
        let is_beginning = |found: &Path| storage.read_all(found).is_ok_and(|found| tail.starts_with(&found));
        let kept_as = self.free_name(path, is_beginning)?;
        let kept = storage.create(&kept_as).and_then(|file| {
            write_all(&*file, tail)?;
            file.sync()?;
            storage.sync_dir(&self.place.dir())
        });
        kept.map_err(failed("write", kept_as.clone()))?;
        Ok(kept_as)
    }

    /// The first name for what is cut off `path` that no file has, or one that may be overwritten.
    fn free_name(&self, path: &Path, may_go: impl Fn(&Path) -> bool) -> Result<PathBuf, OpenError> {
        let mut attempt = 0u32;
        loop {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".tail-{}", self.recovery.last));
            if attempt > 0 {
                name.push(format!("-{attempt}"));
            }
            let candidate = PathBuf::from(name);
            let storage = &self.place.storage;
            let is_taken = storage.exists(&candidate).map_err(failed("look for", candidate.clone()))?;
            if !is_taken || may_go(&candidate) {
                return Ok(candidate);
            }
            attempt += 1;
        }
    }
}

const BEHIND: &str = "it continues what was cut";
