//! Where the log's files are, and what they are called.
//!
//! ```text
//! <dir>/pinstripe.lock                              one server a directory
//! <dir>/dump.rdb                                    SAVE and BGSAVE; not the log's
//! <dir>/appendonlydir/appendonly.aof.manifest
//! <dir>/appendonlydir/appendonly.aof.1.base.rdb
//! <dir>/appendonlydir/appendonly.aof.1.incr.aof
//! <dir>/appendonlydir/….tail-<seq>                  bytes that a recovery has cut off, kept for a look
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::storage::{LockGuard, Storage};

/// The parts of the names that the configuration decides.
#[derive(Debug, Clone)]
pub struct Names {
    /// `appenddirname`
    pub directory: String,
    /// `appendfilename`
    pub file: String,
}

impl Default for Names {
    fn default() -> Self {
        Self { directory: "appendonlydir".to_owned(), file: "appendonly.aof".to_owned() }
    }
}

/// The right to use a data directory. Another server that asks for it gets `ErrorKind::ResourceBusy`.
pub struct DirectoryLock {
    dir: PathBuf,
    _guard: LockGuard,
}

impl DirectoryLock {
    /// Locks `dir`, which must exist. The kernel frees it when the process ends, however that happens.
    pub fn take(storage: &dyn Storage, dir: &Path) -> io::Result<Self> {
        let guard: LockGuard = match cfg!(feature = "canary-no-lock") {
            true => Box::new(()),
            false => storage.lock(&dir.join("pinstripe.lock"))?,
        };
        Ok(Self { dir: dir.to_path_buf(), _guard: guard })
    }

    /// No lock at all, for who only looks and changes nothing.
    pub(super) fn not_taken(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf(), _guard: Box::new(()) }
    }

    /// The locked directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// The log's directory with all that is needed to work in it.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) lock: Arc<DirectoryLock>,
    pub(crate) names: Names,
}

impl Place {
    pub(crate) fn dir(&self) -> PathBuf {
        self.lock.dir().join(&self.names.directory)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.path(&format!("{}.manifest", self.names.file))
    }

    pub(crate) fn base_name(&self, number: u64) -> String {
        format!("{}.{number}.base.rdb", self.names.file)
    }

    pub(crate) fn increment_name(&self, number: u64) -> String {
        format!("{}.{number}.incr.aof", self.names.file)
    }

    /// The number in a name that `base_name` or `increment_name` made, or that Redis made likewise.
    pub(crate) fn number_in(&self, name: &str) -> Option<u64> {
        let rest = name.strip_prefix(self.names.file.as_str())?.strip_prefix('.')?;
        let (number, kind) = rest.split_once('.')?;
        matches!(kind, "base.rdb" | "base.aof" | "incr.aof").then(|| number.parse().ok())?
    }
}
