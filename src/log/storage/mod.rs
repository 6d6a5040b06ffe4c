//! The only door to files in the whole program.
//!
//! Everything that reads, writes, renames or syncs goes through the `Storage` trait, so that a test can say
//! "the disk is full from the third write on" or "the power goes here" and see what a start afterwards
//! finds.
//!
//! ```text
//! RealStorage     the file system (std::fs lives there and nowhere else)
//! MemoryStorage   a file system in memory that knows what a power cut would leave
//! FaultyStorage   any of the two, with operations that fail on command
//! ```
//!
//! All calls block. They are made from the log's own thread, at start, or (one `write` a turn) from a worker.

mod faulty;
mod memory;
mod real;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use faulty::{Fault, FaultyStorage, Operation};
pub use memory::MemoryStorage;
pub use real::{RealStorage, set_permissions};

/// Keeps a lock file locked until it is dropped (or the process ends, however it ends).
pub type LockGuard = Box<dyn Send + Sync>;

/// A file system. Paths are used as given; relative ones are relative to the process's directory.
pub trait Storage: Send + Sync {
    /// Opens an existing file for appending.
    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Creates a file, or empties the one that is there, for appending.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Opens a file for reading from its beginning.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>>;
    /// The whole file.
    fn read_all(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Replaces `to` by `from` in one step. Lasting only after `sync_dir`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in this directory lasting.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Length in bytes.
    fn len(&self, path: &Path) -> io::Result<u64>;
    /// The names (not paths) of the files in a directory, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Locks a file (created when absent). `ErrorKind::ResourceBusy` when another holder has it.
    fn lock(&self, path: &Path) -> io::Result<LockGuard>;
}

/// A file open for appending. Methods take `&self`: one thread syncs while another writes.
pub trait File: Send + Sync {
    /// Appends; may write less than given, and tells how much.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;
    /// fdatasync: contents and length are on the device when it returns. After an error the state of the
    /// file is unknown for ever, and a second call that succeeds proves nothing: the kernel has dropped the
    /// dirty pages.
    fn sync(&self) -> io::Result<()>;
    fn truncate(&self, len: u64) -> io::Result<()>;
    fn len(&self) -> io::Result<u64>;
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }
    /// True when no directory names this file any more: what is written to it is lost at its closing.
    fn is_unlinked(&self) -> io::Result<bool>;
    /// Whether this name leads to this file: a start would find what is written to it.
    fn is_named(&self, path: &Path) -> io::Result<bool> {
        let _ = path;
        self.is_unlinked().map(|gone| !gone)
    }
}

/// How often a write that would block is tried again before that counts as a failure. A regular file does not
/// answer so, but a network file system may for a moment.
const WOULD_BLOCK_TRIES_MAX: u32 = 1000;

/// Appends all of `bytes`; interruptions and short writes are continued. On an error a part may have been
/// written.
pub fn write_all(file: &dyn File, mut bytes: &[u8]) -> io::Result<()> {
    let mut tries = 0;
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && tries < WOULD_BLOCK_TRIES_MAX => {
                tries += 1;
                std::thread::yield_now();
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// The directory that holds `path`; for a bare file name the current one.
pub fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
