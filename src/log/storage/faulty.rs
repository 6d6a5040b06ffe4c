//! A `Storage` whose operations fail on command: the full disk, the broken disk, and the moment of a crash.
//!
//! Operations are counted, all together and by kind. `inject` makes the n-th of a kind fail with an errno,
//! once or from then on; `halt_at` makes every operation fail from the n-th of all on, as if the process
//! had ended there.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::{File, LockGuard, Storage};

/// The kinds of operation that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    OpenAppend,
    Create,
    Read,
    Rename,
    Remove,
    SyncDir,
    CreateDir,
    Lock,
    Write,
    Sync,
    Truncate,
}

/// One planned failure.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub operation: Operation,
    /// Which one of its kind fails, counted from the call of `inject`; 1 is the next.
    pub nth: u64,
    /// The system's error number, for example 28 for "no space left"; 0 for a write that succeeds, but is short.
    pub errno: i32,
    /// Whether all later ones of its kind fail as well, until `heal`.
    pub sticky: bool,
    /// For a write: so many bytes are written nevertheless before the error.
    pub short: usize,
}

/// See the head of this file. Clones share the plan.
#[derive(Clone)]
pub struct FaultyStorage {
    inner: Arc<dyn Storage>,
    plan: Arc<Mutex<Plan>>,
    held: Arc<Held>,
}

/// Syncs that do not come back.
#[derive(Default)]
struct Held {
    held: Mutex<bool>,
    bell: Condvar,
}

#[derive(Default)]
struct Plan {
    faults: Vec<Fault>,
    counts: HashMap<Operation, u64>,
    total: u64,
    halt_at: Option<u64>,
}

/// What an operation is told before it runs.
enum Orders {
    Go,
    Fail { errno: i32, short: usize },
}

const ERRNO_IO: i32 = 5;

impl FaultyStorage {
    /// Passes everything on to `inner` until told otherwise.
    pub fn new(inner: Arc<dyn Storage>) -> Self {
        Self { inner, plan: Arc::default(), held: Arc::default() }
    }

    /// Plans a failure.
    pub fn inject(&self, fault: Fault) {
        let mut plan = self.plan.lock();
        let done = plan.counts.get(&fault.operation).copied().unwrap_or_default();
        plan.faults.push(Fault { nth: fault.nth + done, ..fault });
    }

    /// Every operation from the `n`-th of all on fails (1 is the first one ever).
    pub fn halt_at(&self, n: u64) {
        self.plan.lock().halt_at = Some(n);
    }

    /// From now on no sync of a file comes back, until it is called with false.
    pub fn hold_syncs(&self, on: bool) {
        *self.held.held.lock() = on;
        self.held.bell.notify_all();
    }

    /// Forgets all planned failures.
    pub fn heal(&self) {
        let mut plan = self.plan.lock();
        plan.faults.clear();
        plan.halt_at = None;
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.plan.lock().total
    }

    /// How many operations of one kind there were.
    pub fn count(&self, operation: Operation) -> u64 {
        self.plan.lock().counts.get(&operation).copied().unwrap_or_default()
    }

    fn ask(&self, operation: Operation) -> io::Result<()> {
        match self.plan.lock().next(operation) {
            Orders::Go => Ok(()),
            Orders::Fail { errno, .. } => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    fn wrap(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(FaultyFile { inner: file, storage: self.clone() })
    }
}

impl Plan {
    fn next(&mut self, operation: Operation) -> Orders {
        self.total += 1;
        let count = self.counts.entry(operation).or_default();
        *count += 1;
        let count = *count;
        if self.halt_at.is_some_and(|n| self.total >= n) {
            return Orders::Fail { errno: ERRNO_IO, short: 0 };
        }
        let hit = |f: &&Fault| f.operation == operation && (count == f.nth || (f.sticky && count > f.nth));
        match self.faults.iter().find(hit) {
            Some(fault) => Orders::Fail { errno: fault.errno, short: fault.short },
            None => Orders::Go,
        }
    }
}

impl Storage for FaultyStorage {
    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.ask(Operation::OpenAppend)?;
        Ok(self.wrap(self.inner.open_append(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.ask(Operation::Create)?;
        Ok(self.wrap(self.inner.create(path)?))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        self.ask(Operation::Read)?;
        self.inner.open_read(path)
    }

    fn read_all(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.ask(Operation::Read)?;
        self.inner.read_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(Operation::Rename)?;
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.ask(Operation::Remove)?;
        self.inner.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.ask(Operation::SyncDir)?;
        self.inner.sync_dir(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.inner.exists(path)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        self.inner.len(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.inner.list(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.ask(Operation::CreateDir)?;
        self.inner.create_dir_all(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<LockGuard> {
        self.ask(Operation::Lock)?;
        self.inner.lock(path)
    }
}

struct FaultyFile {
    inner: Arc<dyn File>,
    storage: FaultyStorage,
}

impl File for FaultyFile {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let orders = self.storage.plan.lock().next(Operation::Write);
        match orders {
            Orders::Go => self.inner.write(bytes),
            Orders::Fail { errno: 0, short } => {
                self.inner.write(bytes.get(..short.min(bytes.len())).unwrap_or_default())
            }
            Orders::Fail { errno, short } => {
                if let Some(part) = bytes.get(..short.min(bytes.len())) {
                    self.inner.write(part)?;
                }
                Err(io::Error::from_raw_os_error(errno))
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.storage.ask(Operation::Sync)?;
        {
            let mut held = self.storage.held.held.lock();
            while *held {
                self.storage.held.bell.wait(&mut held);
            }
        }
        self.inner.sync()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.storage.ask(Operation::Truncate)?;
        self.inner.truncate(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn is_unlinked(&self) -> io::Result<bool> {
        self.inner.is_unlinked()
    }

    fn is_named(&self, path: &Path) -> io::Result<bool> {
        self.inner.is_named(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::storage::MemoryStorage;

    #[test]
    fn the_second_write_fails_once_and_half_of_it_is_there() {
        let storage = FaultyStorage::new(Arc::new(MemoryStorage::new()));
        let file = storage.create(Path::new("a")).unwrap();
        storage.inject(Fault { operation: Operation::Write, nth: 2, errno: 28, sticky: false, short: 2 });
        assert_eq!(file.write(b"one").unwrap(), 3);
        assert_eq!(file.write(b"two").unwrap_err().raw_os_error(), Some(28));
        assert_eq!(file.write(b"three").unwrap(), 5);
        assert_eq!(storage.read_all(Path::new("a")).unwrap(), b"onetwthree");
    }
}
