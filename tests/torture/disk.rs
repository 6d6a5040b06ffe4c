//! A disk that keeps no more than it promised, for the real log code.
//!
//! Contents last only once synced, names only once their directory is. Until then a power cut keeps whatever it likes:
//!
//! ```text
//! contents            sector by sector (512 bytes): as it was synced, as any write since then left it, or rubbish
//! length              any that the file had since then, or one between; what was never written reads as zeros
//! each unsynced name  kept or gone, in any choice
//! after a failed sync what it was to sync may be there or not, for ever: a later sync that succeeds proves nothing, but
//!                     for the sectors that were written anew in between
//! ```
//!
//! Each operation can be told to fail, once or from then on; before each one the whole disk can be photographed, so that one
//! run gives the disk at every moment of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use pinstripe::log::storage::{File, LockGuard, Storage, parent_of};

use super::dice::Dice;

const SECTOR_LEN: usize = 512;

/// A write or a truncation that is not on the device yet.
#[derive(Clone)]
enum Pending {
    Write(Arc<[u8]>),
    Truncate(usize),
}

#[derive(Clone, Default)]
struct Inode {
    /// What the operating system shows.
    now: Arc<Vec<u8>>,
    /// What the device surely holds, and what came after.
    synced: Arc<Vec<u8>>,
    pending: Vec<(Pending, Trust)>,
    unlinked: bool,
}

/// How far a pending write can be relied on.
#[derive(Clone, Copy, PartialEq)]
enum Trust {
    /// Not synced yet.
    Fresh,
    /// A sync that should have covered it has failed.
    Doubtful,
    /// Synced, behind something doubtful.
    Safe,
}

#[derive(Clone)]
enum Naming {
    Create(PathBuf, usize),
    Rename(PathBuf, PathBuf, usize),
    Remove(PathBuf),
}

/// All of a disk at one moment.
#[derive(Clone, Default)]
pub(crate) struct Image {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    namings: Vec<Naming>,
    /// A power cut has left sectors that were never written so.
    pub(crate) has_rubbish: bool,
}

/// What shall go wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    /// Which operation, counted from 1.
    pub(crate) nth: u64,
    pub(crate) errno: i32,
    /// Whether all later ones fail as well, until `heal`.
    pub(crate) sticky: bool,
    /// Of a write so many bytes are done before it fails.
    pub(crate) short: usize,
}

type Photographer = Box<dyn FnMut(&Image) + Send>;

#[derive(Default)]
struct State {
    image: Image,
    locked: BTreeSet<PathBuf>,
    operations: u64,
    failure: Option<Failure>,
    photographer: Option<Photographer>,
}

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

impl Disk {
    pub(crate) fn of(image: Image) -> Disk {
        Disk(Arc::new(Mutex::new(State { image, ..State::default() })))
    }

    /// Calls `photographer` before each operation that changes something.
    pub(crate) fn photograph(&self, photographer: Photographer) {
        self.lock().photographer = Some(photographer);
    }

    pub(crate) fn fail(&self, failure: Failure) {
        self.lock().failure = Some(failure);
    }

    pub(crate) fn heal(&self) {
        self.lock().failure = None;
    }

    pub(crate) fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// As it is now.
    pub(crate) fn image(&self) -> Image {
        self.lock().image.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Counts an operation; the number of bytes of a write that are done before it fails, and how.
    fn begin(&self) -> Result<std::sync::MutexGuard<'_, State>, (usize, io::Error)> {
        let mut state = self.lock();
        if let Some(mut photographer) = state.photographer.take() {
            photographer(&state.image);
            state.photographer = Some(photographer);
        }
        state.operations += 1;
        let at = state.operations;
        let hit = state.failure.filter(|f| at == f.nth || (f.sticky && at > f.nth));
        match hit {
            Some(failure) => Err((failure.short, io::Error::from_raw_os_error(failure.errno))),
            None => Ok(state),
        }
    }

    fn change<R>(&self, body: impl FnOnce(&mut Image) -> io::Result<R>) -> io::Result<R> {
        match self.begin() {
            Ok(mut state) => body(&mut state.image),
            Err((_, error)) => Err(error),
        }
    }
}

impl Image {
    /// A process was killed: nothing is lost, and everything that was open is closed. (What a failed sync left in doubt is
    /// taken for unsynced: the next process cannot know of it, on this disk as on a real one.)
    pub(crate) fn after_kill(&self) -> Image {
        let mut image = self.clone();
        for inode in &mut image.inodes {
            let doubtful = inode.pending.iter_mut().filter(|(_, trust)| *trust == Trust::Doubtful);
            doubtful.for_each(|(_, trust)| *trust = Trust::Fresh);
        }
        image
    }

    /// What the power cut leaves of it, by chance.
    pub(crate) fn after_power_cut(&self, dice: &mut Dice) -> Image {
        // Some cuts are kind to all, some to nobody; most are neither.
        let mood = dice.below(8);
        let mut names = self.synced_names.clone();
        for naming in &self.namings {
            let kept = match mood {
                0 => true,
                1 => false,
                _ => dice.one_in(2),
            };
            match naming {
                _ if !kept => {}
                Naming::Create(path, inode) => drop(names.insert(path.clone(), *inode)),
                Naming::Rename(from, to, inode) => {
                    if names.get(from) == Some(inode) {
                        names.remove(from);
                    }
                    names.insert(to.clone(), *inode);
                }
                Naming::Remove(path) => drop(names.remove(path)),
            }
        }
        let mut left = Image { has_rubbish: self.has_rubbish, ..Image::default() };
        let mut moved = BTreeMap::new();
        for (path, at) in names {
            let to = *moved.entry(at).or_insert_with(|| {
                let bytes = Arc::new(self.inodes[at].after_power_cut(mood, dice, &mut left.has_rubbish));
                left.inodes.push(Inode { now: bytes.clone(), synced: bytes, ..Inode::default() });
                left.inodes.len() - 1
            });
            left.names.insert(path, to);
        }
        left.synced_names = left.names.clone();
        left
    }

    /// A number that is the same only for the same files.
    pub(crate) fn fingerprint(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        for (path, at) in &self.names {
            (path, &self.inodes[*at].now).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// A disk that holds these files, synced.
    pub(crate) fn of_files(files: impl IntoIterator<Item = (PathBuf, Arc<Vec<u8>>)>) -> Image {
        let mut image = Image::default();
        for (path, bytes) in files {
            image.inodes.push(Inode { now: bytes.clone(), synced: bytes, ..Inode::default() });
            image.names.insert(path, image.inodes.len() - 1);
        }
        image.synced_names = image.names.clone();
        image
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Inode {
    fn write(&mut self, bytes: &[u8]) {
        Arc::make_mut(&mut self.now).extend_from_slice(bytes);
        self.pending.push((Pending::Write(bytes.into()), Trust::Fresh));
    }

    fn sync(&mut self) {
        if self.pending.iter().all(|(_, trust)| *trust != Trust::Doubtful) {
            self.synced = self.now.clone();
            self.pending.clear();
            return;
        }
        // What a failed sync left in doubt stays so; what came later is safe, in its own place.
        for (_, trust) in self.pending.iter_mut().filter(|(_, trust)| *trust == Trust::Fresh) {
            *trust = Trust::Safe;
        }
    }

    fn after_power_cut(&self, mood: usize, dice: &mut Dice, has_rubbish: &mut bool) -> Vec<u8> {
        if self.pending.is_empty() {
            return self.synced.to_vec();
        }
        // The file after each of the pending writes, and up to which of them it is safe.
        let mut versions = vec![self.synced.to_vec()];
        let mut safe_version = 0;
        for (at, (pending, trust)) in self.pending.iter().enumerate() {
            let mut next = versions[at].clone();
            match pending {
                Pending::Write(new) => next.extend_from_slice(new),
                Pending::Truncate(len) => next.truncate(*len),
            }
            versions.push(next);
            if *trust == Trust::Safe {
                safe_version = at + 1;
            }
        }
        let newest = versions.len() - 1;
        let low = safe_version;
        let pick = |dice: &mut Dice, low: usize| match mood {
            0 => newest,
            1 => low,
            _ => dice.between(low, newest),
        };
        let chosen = pick(dice, low);
        let mut len = versions[chosen].len();
        if mood > 1 && chosen < newest && versions[chosen + 1].len() > len && dice.one_in(2) {
            len = dice.between(len, versions[chosen + 1].len());
        }
        let mut bytes = vec![0; len];
        for (index, sector) in bytes.chunks_mut(SECTOR_LEN).enumerate() {
            let start = index * SECTOR_LEN;
            let part = |version: usize| {
                let bytes = &versions[version];
                &bytes[start.min(bytes.len())..(start + SECTOR_LEN).min(bytes.len())]
            };
            // A version is safe for a sector if a sync that is to be trusted came after the write that made it.
            let least = (1..=safe_version)
                .rev()
                .find(|version| {
                    self.pending[version - 1].1 == Trust::Safe && part(*version) != part(version - 1)
                })
                .unwrap_or(0);
            // Whoever trusts a length trusts what is before it, too, if the disk is kind.
            let version = if mood > 2 && dice.one_in(3) { chosen.max(least) } else { pick(dice, least) };
            let from = part(version);
            let n = from.len().min(sector.len());
            sector[..n].copy_from_slice(&from[..n]);
            let is_settled = part(least) == part(newest);
            if mood > 4 && !is_settled && dice.one_in(6) {
                // A torn sector: only what was synced and not touched since is what it was.
                let old = part(least).len().min(n);
                *has_rubbish |= old < sector.len();
                sector[old..].iter_mut().for_each(|byte| *byte = dice.next() as u8);
            }
        }
        bytes
    }
}

impl Storage for Disk {
    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let inode = self.change(|image| image.find(path))?;
        Ok(Arc::new(Handle { disk: self.clone(), inode }))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let inode = self.change(|image| {
            if let Ok(inode) = image.find(path) {
                let file = &mut image.inodes[inode];
                file.now = Arc::default();
                file.pending.push((Pending::Truncate(0), Trust::Fresh));
                return Ok(inode);
            }
            image.inodes.push(Inode::default());
            let inode = image.inodes.len() - 1;
            image.names.insert(path.to_path_buf(), inode);
            image.namings.push(Naming::Create(path.to_path_buf(), inode));
            Ok(inode)
        })?;
        Ok(Arc::new(Handle { disk: self.clone(), inode }))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(io::Cursor::new(self.read_all(path)?)))
    }

    fn read_all(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.change(|image| Ok(image.inodes[image.find(path)?].now.to_vec()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|image| {
            let inode = image.find(from)?;
            image.names.remove(from);
            if let Some(replaced) = image.names.insert(to.to_path_buf(), inode) {
                image.inodes[replaced].unlinked = true;
            }
            image.namings.push(Naming::Rename(from.to_path_buf(), to.to_path_buf(), inode));
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(|image| {
            let inode = image.find(path)?;
            image.names.remove(path);
            image.inodes[inode].unlinked = true;
            image.namings.push(Naming::Remove(path.to_path_buf()));
            Ok(())
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.change(|image| {
            image.synced_names.retain(|path, _| parent_of(path) != dir);
            let here = image.names.iter().filter(|(path, _)| parent_of(path) == dir);
            image.synced_names.extend(here.map(|(path, inode)| (path.clone(), *inode)));
            image.namings.retain(|naming| match naming {
                Naming::Create(path, _) | Naming::Rename(path, _, _) | Naming::Remove(path) => {
                    parent_of(path) != dir
                }
            });
            Ok(())
        })
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let state = self.lock();
        Ok(state.image.names.keys().any(|name| name == path || parent_of(name) == path))
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        let state = self.lock();
        Ok(state.image.inodes[state.image.find(path)?].now.len() as u64)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.lock();
        let here = state.image.names.keys().filter(|path| parent_of(path) == dir);
        Ok(here.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        self.change(|_| Ok(()))
    }

    fn lock(&self, path: &Path) -> io::Result<LockGuard> {
        if !Disk::lock(self).locked.insert(path.to_path_buf()) {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        Ok(Box::new(Locked { disk: self.clone(), path: path.to_path_buf() }))
    }
}

struct Locked {
    disk: Disk,
    path: PathBuf,
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.disk.lock().locked.remove(&self.path);
    }
}

struct Handle {
    disk: Disk,
    inode: usize,
}

impl File for Handle {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.disk.begin() {
            Ok(mut state) => {
                state.image.inodes[self.inode].write(bytes);
                Ok(bytes.len())
            }
            Err((short, error)) => {
                let done = short.min(bytes.len());
                if done > 0 {
                    self.disk.lock().image.inodes[self.inode].write(&bytes[..done]);
                }
                Err(error)
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        match self.disk.begin() {
            Ok(mut state) => {
                state.image.inodes[self.inode].sync();
                Ok(())
            }
            Err((_, error)) => {
                // The kernel takes the pages for clean now.
                let mut state = self.disk.lock();
                let pending = state.image.inodes[self.inode].pending.iter_mut();
                for (_, trust) in pending.filter(|(_, trust)| *trust == Trust::Fresh) {
                    *trust = Trust::Doubtful;
                }
                Err(error)
            }
        }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.disk.change(|image| {
            let file = &mut image.inodes[self.inode];
            Arc::make_mut(&mut file.now).truncate(len as usize);
            file.pending.push((Pending::Truncate(len as usize), Trust::Fresh));
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.lock().image.inodes[self.inode].now.len() as u64)
    }

    fn is_unlinked(&self) -> io::Result<bool> {
        Ok(self.disk.lock().image.inodes[self.inode].unlinked)
    }
}
