//! A file that appears whole or not at all.
//!
//! The bytes go to a temporary name beside the real one. `commit` syncs the file, renames it and syncs the
//! directory, in that order: after a power cut at any point the name leads to the old contents or to the
//! new ones, never to a part.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::storage::{File, Storage, parent_of, write_all};

/// Bytes gathered before they are handed to the operating system.
const BUFFER_LEN: usize = 256 * 1024;
/// A big file is synced every so many bytes, so that the sync at its end does not hold up every other user
/// of the disk.
const SYNC_EVERY_LEN: u64 = 32 * 1024 * 1024;

/// A new file under a temporary name. Implements `io::Write`; dropped without `commit`, it removes itself.
pub struct ReplaceFile {
    storage: Arc<dyn Storage>,
    file: Arc<dyn File>,
    temporary: PathBuf,
    path: PathBuf,
    buffer: Vec<u8>,
    len: u64,
    unsynced: u64,
    renamed: bool,
    /// After a failed write what is under the temporary name is no beginning of anything.
    failed: bool,
}

impl ReplaceFile {
    /// Creates `path` under its temporary name.
    pub fn create(storage: &Arc<dyn Storage>, path: &Path) -> io::Result<Self> {
        let mut name = std::ffi::OsString::from("temp-");
        name.push(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
        let temporary = parent_of(path).join(name);
        let file = storage.create(&temporary)?;
        Ok(Self {
            storage: storage.clone(),
            file,
            temporary,
            path: path.to_path_buf(),
            buffer: Vec::new(),
            len: 0,
            unsynced: 0,
            renamed: false,
            failed: false,
        })
    }

    /// Makes the file appear under its name, lasting. Returns its length in bytes.
    pub fn commit(mut self) -> Result<u64, CommitError> {
        let staged = match cfg!(feature = "canary-rename-before-sync") {
            true => self.hand_over(),
            false => self.hand_over().and_then(|()| self.file.sync()),
        };
        let renamed = staged.and_then(|()| self.storage.rename(&self.temporary, &self.path));
        renamed.map_err(|error| CommitError { error, visible: false })?;
        self.renamed = true;
        let synced = match cfg!(feature = "canary-no-directory-sync") {
            true => Ok(()),
            false => self.storage.sync_dir(&parent_of(&self.path)),
        };
        synced.map_err(|error| CommitError { error, visible: true })?;
        Ok(self.len)
    }

    /// Opens for reading what was written so far. It can be read to its end also when this is dropped and the file has no
    /// name any more.
    pub fn reopen(&mut self) -> io::Result<(Box<dyn io::Read + Send>, u64)> {
        self.hand_over()?;
        Ok((self.storage.open_read(&self.temporary)?, self.len))
    }

    fn hand_over(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.failed, true) {
            return Err(io::Error::other("an earlier write failed"));
        }
        write_all(&*self.file, &self.buffer)?;
        self.len += self.buffer.len() as u64;
        self.unsynced += self.buffer.len() as u64;
        self.buffer.clear();
        if self.unsynced >= SYNC_EVERY_LEN {
            self.unsynced = 0;
            self.file.sync()?;
        }
        self.failed = false;
        Ok(())
    }
}

impl Write for ReplaceFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_LEN {
            self.hand_over()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_over()
    }
}

impl Drop for ReplaceFile {
    fn drop(&mut self) {
        if !self.renamed {
            // Best effort: a leftover costs space, and the next attempt overwrites it.
            let _ = self.storage.remove(&self.temporary);
        }
    }
}

/// Why a replacement failed.
#[derive(Debug)]
pub struct CommitError {
    pub error: io::Error,
    /// The name leads to the new contents already, but a power cut may bring the old ones back. Both must
    /// be usable until a later replacement succeeds.
    pub visible: bool,
}

/// Replaces the contents of `path` by `bytes`.
pub fn replace_file(storage: &Arc<dyn Storage>, path: &Path, bytes: &[u8]) -> Result<(), CommitError> {
    let written =
        ReplaceFile::create(storage, path).and_then(|mut file| file.write_all(bytes).map(|()| file));
    written.map_err(|error| CommitError { error, visible: false })?.commit().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::storage::{FaultyStorage, MemoryStorage};

    #[test]
    fn a_crash_at_any_operation_leaves_the_old_contents_or_the_new() {
        let path = Path::new("d/file");
        for halt in 1..20 {
            let memory = MemoryStorage::new();
            let plain: Arc<dyn Storage> = Arc::new(memory.clone());
            replace_file(&plain, path, b"old").unwrap();
            let faulty = FaultyStorage::new(plain);
            faulty.halt_at(halt);
            let storage: Arc<dyn Storage> = Arc::new(faulty.clone());
            let outcome = replace_file(&storage, path, b"new");
            memory.crash_torn(halt);
            let found = memory.read_all(path).unwrap();
            assert!(found == b"new" || (outcome.is_err() && found == b"old"), "{halt}: {found:?}");
        }
    }

    #[test]
    fn an_abandoned_file_removes_itself() {
        let memory = MemoryStorage::new();
        let storage: Arc<dyn Storage> = Arc::new(memory.clone());
        let mut file = ReplaceFile::create(&storage, Path::new("d/file")).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert!(memory.list(Path::new("d")).unwrap().is_empty());
    }
}
