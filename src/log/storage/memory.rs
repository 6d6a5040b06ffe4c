//! A file system in memory that knows what a power cut would leave of it.
//!
//! It is as unkind as POSIX allows: contents last only after `sync`, names (created, renamed, removed) only
//! after `sync_dir`. Each file has its contents and the contents last synced; each directory its names and
//! the names last synced. `crash` goes back to what was synced, `crash_torn` to something between.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{File, LockGuard, Storage, parent_of};

/// See the head of this file. Clones share the same files.
#[derive(Clone, Default)]
pub struct MemoryStorage {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    names: BTreeMap<PathBuf, Arc<Inode>>,
    synced_names: BTreeMap<PathBuf, Arc<Inode>>,
    locked: BTreeSet<PathBuf>,
    /// Counts crashes, so that the guard of a dead process does not release the lock of the next.
    life: u64,
}

#[derive(Default)]
struct Inode {
    bytes: Mutex<Contents>,
}

#[derive(Default, Clone)]
struct Contents {
    now: Vec<u8>,
    synced: Vec<u8>,
    unlinked: bool,
}

impl MemoryStorage {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// The power goes: only what was synced is left, nobody holds a lock, and files still open lead nowhere.
    pub fn crash(&self) {
        self.restart(|contents| contents.synced.clone(), |_| false);
    }

    /// The process is killed: everything handed to the operating system is still there, and what was not synced
    /// can still be lost to a power cut later.
    pub fn kill(&self) {
        let mut state = self.state.lock();
        let mut successors: BTreeMap<*const Inode, Arc<Inode>> = BTreeMap::new();
        let mut succeed = |inode: &Arc<Inode>| {
            let copy = || Arc::new(Inode { bytes: Mutex::new(inode.bytes.lock().clone()) });
            successors.entry(Arc::as_ptr(inode)).or_insert_with(copy).clone()
        };
        state.names = state.names.iter().map(|(path, inode)| (path.clone(), succeed(inode))).collect();
        state.synced_names =
            state.synced_names.iter().map(|(path, inode)| (path.clone(), succeed(inode))).collect();
        state.locked.clear();
        state.life += 1;
    }

    /// The power goes while the system was writing back: of what was appended since the last sync some
    /// prefix is there, or its length with zeros for contents; of the names some are new and some old.
    pub fn crash_torn(&self, seed: u64) {
        let mut random = seed | 1;
        let mut draw = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        let mut draw_name = draw;
        draw_name();
        self.restart(
            |contents| {
                let Some(added) = contents.now.strip_prefix(contents.synced.as_slice()) else {
                    return if draw().is_multiple_of(2) {
                        contents.now.clone()
                    } else {
                        contents.synced.clone()
                    };
                };
                let keep = draw() as usize % (added.len() + 1);
                let mut bytes = contents.synced.clone();
                bytes.extend_from_slice(added.get(..keep).unwrap_or_default());
                if draw().is_multiple_of(3) {
                    bytes.resize(contents.now.len(), 0);
                }
                bytes
            },
            move |_| draw_name().is_multiple_of(2),
        );
    }

    fn restart(
        &self,
        mut contents: impl FnMut(&Contents) -> Vec<u8>,
        mut new_name: impl FnMut(&Path) -> bool,
    ) {
        let mut state = self.state.lock();
        let paths: BTreeSet<PathBuf> = state.names.keys().chain(state.synced_names.keys()).cloned().collect();
        let mut names = BTreeMap::new();
        for path in paths {
            let from = if new_name(&path) { &state.names } else { &state.synced_names };
            if let Some(inode) = from.get(&path) {
                let bytes = contents(&inode.bytes.lock());
                let contents = Contents { now: bytes.clone(), synced: bytes, unlinked: false };
                names.insert(path, Arc::new(Inode { bytes: Mutex::new(contents) }));
            }
        }
        state.synced_names = names.clone();
        state.names = names;
        state.locked.clear();
        state.life += 1;
    }

    fn inode(&self, path: &Path) -> io::Result<Arc<Inode>> {
        self.state.lock().names.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Storage for MemoryStorage {
    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(MemoryFile(self.inode(path)?)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let inode = self.state.lock().names.entry(path.to_path_buf()).or_default().clone();
        inode.bytes.lock().now.clear();
        Ok(Arc::new(MemoryFile(inode)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        Ok(Box::new(io::Cursor::new(self.read_all(path)?)))
    }

    fn read_all(&self, path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.inode(path)?.bytes.lock().now.clone())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let inode = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        if let Some(replaced) = state.names.insert(to.to_path_buf(), inode) {
            replaced.bytes.lock().unlinked = true;
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let inode = self.state.lock().names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        inode.bytes.lock().unlinked = true;
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.synced_names.retain(|path, _| parent_of(path) != dir);
        let here: Vec<_> = state
            .names
            .iter()
            .filter(|(path, _)| parent_of(path) == dir)
            .map(|(path, inode)| (path.clone(), inode.clone()))
            .collect();
        state.synced_names.extend(here);
        Ok(())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let state = self.state.lock();
        Ok(state.names.keys().any(|name| name == path || parent_of(name) == path))
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(self.inode(path)?.bytes.lock().now.len() as u64)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        let here = state.names.keys().filter(|path| parent_of(path) == dir);
        Ok(here.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<LockGuard> {
        let mut state = self.state.lock();
        if !state.locked.insert(path.to_path_buf()) {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        Ok(Box::new(MemoryLock { path: path.to_path_buf(), life: state.life, state: self.state.clone() }))
    }
}

struct MemoryLock {
    path: PathBuf,
    life: u64,
    state: Arc<Mutex<State>>,
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        if state.life == self.life {
            state.locked.remove(&self.path);
        }
    }
}

struct MemoryFile(Arc<Inode>);

impl File for MemoryFile {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.bytes.lock().now.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn sync(&self) -> io::Result<()> {
        let mut contents = self.0.bytes.lock();
        contents.synced = contents.now.clone();
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.bytes.lock().now.truncate(len as usize);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.bytes.lock().now.len() as u64)
    }

    fn is_unlinked(&self) -> io::Result<bool> {
        Ok(self.0.bytes.lock().unlinked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_takes_what_was_not_synced_and_a_kill_takes_nothing() {
        let storage = MemoryStorage::new();
        let path = Path::new("d/a");
        let file = storage.create(path).unwrap();
        file.write(b"kept").unwrap();
        file.sync().unwrap();
        file.write(b" lost").unwrap();
        storage.kill();
        assert_eq!(storage.read_all(path).unwrap(), b"kept lost");

        file.write(b" by a dead process").unwrap();
        storage.sync_dir(Path::new("d")).unwrap();
        storage.crash();
        assert_eq!(storage.read_all(path).unwrap(), b"kept");
    }

    #[test]
    fn a_name_lasts_only_after_its_directory_was_synced() {
        let storage = MemoryStorage::new();
        storage.create(Path::new("d/a")).unwrap().sync().unwrap();
        storage.crash();
        assert!(!storage.exists(Path::new("d/a")).unwrap());

        storage.create(Path::new("d/a")).unwrap();
        storage.sync_dir(Path::new("d")).unwrap();
        storage.rename(Path::new("d/a"), Path::new("d/b")).unwrap();
        storage.crash();
        assert_eq!(storage.list(Path::new("d")).unwrap(), ["a"]);
    }
}
