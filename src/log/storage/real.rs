//! `Storage` on the file system: the home of `std::fs`.
//!
//! Files are made readable for their owner only, since they hold everybody's data. Directories get the
//! usual mode, as Redis gives them. Locks are `flock`s: the kernel drops them with the process, so a killed
//! server leaves none behind.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this file is the one home of std::fs"
)]

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use super::{File, LockGuard, Storage};

const FILE_MODE: u32 = 0o600;

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealStorage;

struct RealFile(fs::File);

impl Storage for RealStorage {
    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(RealFile(fs::OpenOptions::new().append(true).open(path)?)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = fs::OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)?;
        file.set_len(0)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        Ok(Box::new(fs::File::open(path)?))
    }

    fn read_all(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                // A name that is not UTF-8 is none of ours: the manifest cannot hold it either.
                if let Ok(name) = entry.file_name().into_string() {
                    names.push(name);
                }
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<LockGuard> {
        let file =
            fs::OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::ResourceBusy.into()),
            Err(fs::TryLockError::Error(e)) => Err(e),
        }
    }
}

impl File for RealFile {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        (&self.0).write(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn is_unlinked(&self) -> io::Result<bool> {
        Ok(self.0.metadata()?.nlink() == 0)
    }

    fn is_named(&self, path: &Path) -> io::Result<bool> {
        let own = self.0.metadata()?;
        match fs::metadata(path) {
            Ok(found) => Ok((found.dev(), found.ino()) == (own.dev(), own.ino())),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// Sets the permission bits of a file that is not data: the Unix socket.
pub fn set_permissions(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::storage::write_all;

    #[test]
    fn a_second_lock_is_refused_until_the_first_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LOCK");
        let held = RealStorage.lock(&path).unwrap();
        assert_eq!(RealStorage.lock(&path).err().map(|e| e.kind()), Some(io::ErrorKind::ResourceBusy));
        drop(held);
        assert!(RealStorage.lock(&path).is_ok());
    }

    #[test]
    fn appends_cuts_and_notices_that_it_was_unlinked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let file = RealStorage.create(&path).unwrap();
        write_all(&*file, b"hello").unwrap();
        file.truncate(2).unwrap();
        write_all(&*file, b"y").unwrap();
        file.sync().unwrap();
        assert_eq!(RealStorage.read_all(&path).unwrap(), b"hey");
        assert_eq!(RealStorage.list(dir.path()).unwrap(), ["a"]);
        assert!(!file.is_unlinked().unwrap() && file.is_named(&path).unwrap());
        let moved = dir.path().join("b");
        RealStorage.rename(&path, &moved).unwrap();
        assert!(!file.is_unlinked().unwrap() && !file.is_named(&path).unwrap());
        RealStorage.create(&path).unwrap();
        assert!(!file.is_named(&path).unwrap());
        RealStorage.remove(&moved).unwrap();
        assert!(file.is_unlinked().unwrap());
    }

    #[test]
    fn files_are_their_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        RealStorage.create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }
}
