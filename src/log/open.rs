//! Opening a log: from a directory, through the caller's replay, to a running `Log`.
//!
//! ```text
//! open            read the manifest, find the files; change nothing (but move an old single file in)
//! replay          each increment's units in order; what a crash has left at the end is kept aside, cut
//! start           sync what was found, begin to append
//! ```
//!
//! The base is the caller's to load first (`Opened::base`), with `rdb::Decoder` or, if another server wrote
//! it as commands, `Reader`.
//!
//! A tail is cut only where nothing in it can have been promised (see `reader`), and kept aside (see `cut`).

use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use super::batch::Batch;
use super::cut::Cut;
use super::generation::Generation;
use super::judge::{Increments, Outcome};
use super::manifest::{Entry, Manifest, ManifestError};
use super::place::{DirectoryLock, Names, Place};
use super::rdb::{Header, RdbWriter, base_seq};
use super::reader::{Reader, Summary};
use super::record::Seq;
use super::replace::{CommitError, ReplaceFile};
use super::storage::{File, Storage};
use super::writer::{Counters, Log, LogOptions, Out, Pending};
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Why a log cannot be opened. `Display` gives one line that names the file.
#[derive(Debug)]
pub enum OpenError {
    Io {
        doing: &'static str,
        path: PathBuf,
        error: io::Error,
    },
    Manifest {
        path: PathBuf,
        error: ManifestError,
    },
    /// There are files of a log, but nothing tells which of them count.
    NoManifest {
        dir: PathBuf,
        file: String,
    },
    /// Acknowledged data is damaged. `seq` is the last good sequence number, `offset` where the damage
    /// begins.
    Corrupt {
        path: PathBuf,
        offset: u64,
        seq: Seq,
        reason: &'static str,
    },
    /// The end was never finished, as a crash leaves it, and the caller wants none cut.
    Torn {
        path: PathBuf,
        offset: u64,
        seq: Seq,
        reason: &'static str,
    },
    /// Sequence numbers are missing (or twice there) between this file and what is before it.
    Gap {
        path: PathBuf,
        seq: Seq,
        found: Seq,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, path, error } => write!(f, "cannot {doing} {}: {error}", path.display()),
            Self::Manifest { path, error } => {
                write!(f, "{}, line {}: {}", path.display(), error.line, error.reason)
            }
            Self::NoManifest { dir, file } => {
                write!(f, "{} holds {file}, but no manifest tells which files are the data", dir.display())
            }
            Self::Corrupt { path, offset, seq, reason } => {
                let path = path.display();
                write!(f, "{path} is damaged at byte {offset}, after sequence number {seq}: {reason}")
            }
            Self::Torn { path, offset, seq, reason } => {
                let path = path.display();
                write!(
                    f,
                    "{path} was never finished behind byte {offset}, sequence number {seq}, as a crash leaves it: \
                     {reason}. With `aof-load-truncated yes` the rest is kept aside and the server starts"
                )
            }
            Self::Gap { path, seq, found } => {
                let path = path.display();
                write!(
                    f,
                    "{path} continues from sequence number {found}, but what is before it ends with {seq}"
                )
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// What a base is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseKind {
    /// RDB; commands may follow behind its end (`Decoder::offset`).
    Rdb,
    /// Commands of another server.
    Commands,
}

/// The base, to be loaded before the increments.
#[derive(Debug, Clone)]
pub struct Base {
    pub path: PathBuf,
    pub kind: BaseKind,
    /// Bytes.
    pub len: u64,
    /// The sequence number whose state it holds, if the base is ours.
    pub seq: Option<Seq>,
}

/// What came of a replay.
#[derive(Debug, Clone, Default)]
pub struct Recovery {
    /// The last sequence number.
    pub last: Seq,
    pub cuts: Vec<Cut>,
}

/// A log found in a directory, not running yet.
pub struct Opened {
    pub(super) place: Place,
    pub(super) generation: Generation,
    /// Whether there was no log: `start` makes one, and the caller may want to bring in a `dump.rdb` first
    /// (`set_first_base`).
    pub fresh: bool,
    pub base: Option<Base>,
    expected: Option<Seq>,
    /// Of the last section of the increment read last.
    pub(super) seed: u32,
    pub(super) recovery: Recovery,
    /// Bytes in base and increments.
    pub(super) sizes: u64,
    refuses_torn: bool,
}

pub(super) fn failed(doing: &'static str, path: PathBuf) -> impl FnOnce(io::Error) -> OpenError {
    move |error| OpenError::Io { doing, path, error }
}

/// The last increment's number, and the file open for appending.
type LastIncrement = (u64, Arc<dyn File>);

/// Looks what is there. The lock is kept for the life of the log.
pub fn open(storage: Arc<dyn Storage>, lock: Arc<DirectoryLock>, names: Names) -> Result<Opened, OpenError> {
    let place = Place { storage, lock, names };
    let storage = &place.storage;
    let exists = storage.exists(&place.manifest()).map_err(failed("look for", place.manifest()))?;
    let listed = storage.list(&place.dir()).unwrap_or_default();
    let manifest = if exists {
        let bytes = storage.read_all(&place.manifest()).map_err(failed("read", place.manifest()))?;
        Some(Manifest::parse(&bytes).map_err(|error| OpenError::Manifest { path: place.manifest(), error })?)
    } else {
        refuse_orphans(&place, &listed)?;
        adopt_single_file(&place)?
    };
    let fresh = manifest.is_none();
    let manifest = manifest.unwrap_or_default();
    let mut sizes = 0;
    for entry in &manifest.increments {
        sizes += storage.len(&place.path(&entry.name)).map_err(failed("find", place.path(&entry.name)))?;
    }
    let base = manifest.base.as_ref().map(|entry| look_at_base(&place, entry)).transpose()?;
    sizes += base.as_ref().map_or(0, |base| base.len);
    let expected = base.as_ref().and_then(|base| base.seq);
    let generation = Generation::new(manifest, &place, &listed);
    let recovery = Recovery { last: expected.unwrap_or_default(), cuts: Vec::new() };
    Ok(Opened { place, generation, fresh, base, expected, seed: 0, recovery, sizes, refuses_torn: false })
}

/// Files without a manifest are data that somebody misses, except those of a first start that was cut
/// short: there the increment is empty, and the base holds the state before the first number.
fn refuse_orphans(place: &Place, listed: &[String]) -> Result<(), OpenError> {
    for name in listed.iter().filter(|name| place.number_in(name).is_some()) {
        let path = place.path(name);
        let len = place.storage.len(&path).map_err(failed("find", path))?;
        let entry = Entry::new(name.clone(), 0);
        if len > 0 && look_at_base(place, &entry)?.seq != Some(0) {
            return Err(OpenError::NoManifest { dir: place.dir(), file: name.clone() });
        }
    }
    Ok(())
}

/// A log of a Redis before 7.0 is one file beside the directory. It becomes the base.
fn adopt_single_file(place: &Place) -> Result<Option<Manifest>, OpenError> {
    let storage = &place.storage;
    let outside = place.lock.dir().join(&place.names.file);
    let inside = place.path(&place.names.file);
    if storage.exists(&outside).map_err(failed("look for", outside.clone()))? {
        storage.create_dir_all(&place.dir()).map_err(failed("create", place.dir()))?;
        storage.rename(&outside, &inside).map_err(failed("move", outside))?;
        storage.sync_dir(&place.dir()).map_err(failed("sync", place.dir()))?;
        storage.sync_dir(place.lock.dir()).map_err(failed("sync", place.lock.dir().to_path_buf()))?;
    } else if !storage.exists(&inside).map_err(failed("look for", inside))? {
        return Ok(None);
    }
    let base = Entry::new(place.names.file.clone(), 1);
    let manifest = Manifest { base: Some(base), ..Manifest::default() };
    let installed = Generation::default().install(place, manifest.clone());
    installed.map_err(|CommitError { error, .. }| failed("write", place.manifest())(error))?;
    Ok(Some(manifest))
}

/// A base tells its sequence number within so many bytes.
const BASE_BEGINNING_LEN: u64 = 4096;

fn look_at_base(place: &Place, entry: &Entry) -> Result<Base, OpenError> {
    let path = place.path(&entry.name);
    let mut beginning = Vec::new();
    let opened = place.storage.open_read(&path);
    let read = opened.and_then(|file| file.take(BASE_BEGINNING_LEN).read_to_end(&mut beginning));
    read.map_err(failed("read", path.clone()))?;
    let len = place.storage.len(&path).map_err(failed("find", path.clone()))?;
    let kind = if beginning.starts_with(b"REDIS") { BaseKind::Rdb } else { BaseKind::Commands };
    Ok(Base { path, kind, len, seq: base_seq(&beginning) })
}

impl Opened {
    /// How many increments there are to replay.
    pub fn increments(&self) -> usize {
        self.generation.manifest.increments.len()
    }

    /// Bytes in base and increments.
    pub fn size(&self) -> u64 {
        self.sizes
    }

    /// What was recovered so far.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Replays all increments: `apply` gets every batch of units in order. Then whatever a crash has left
    /// at the end is cut.
    pub fn replay(&mut self, mut apply: impl FnMut(&Batch<'_>)) -> Result<&Recovery, OpenError> {
        for index in 0..self.increments() {
            let bytes = self.read_increment(index)?;
            let mut reader = self.reader(&bytes);
            while let Some(batch) = reader.next_batch() {
                apply(batch);
            }
            let summary = reader.finish();
            if !self.conclude(index, &bytes, &summary)? {
                break;
            }
        }
        Ok(&self.recovery)
    }

    /// The bytes of an increment. (This and the two below are `replay` in its parts, for a caller that
    /// spreads the work over threads.)
    pub fn read_increment(&self, index: usize) -> Result<Vec<u8>, OpenError> {
        self.files().read(index)
    }

    /// A reader for the next increment.
    pub fn reader<'a>(&self, bytes: &'a [u8]) -> Reader<'a> {
        Reader::new(bytes, self.expected)
    }

    /// To be told how an increment ended, before the next is read. `Ok(false)`: the log ends here, do not
    /// read on.
    pub fn conclude(&mut self, index: usize, bytes: &[u8], summary: &Summary) -> Result<bool, OpenError> {
        self.recovery.last = summary.last;
        let seed_before = std::mem::replace(&mut self.seed, summary.seed);
        match self.files().judge(index, bytes, summary)? {
            Outcome::GoesOn => {
                if summary.first.is_some() {
                    self.expected = Some(summary.last);
                }
                Ok(true)
            }
            Outcome::EndsAt { offset, reason } if self.refuses_torn => {
                Err(OpenError::Torn { path: self.path_of(index), offset, seq: summary.last, reason })
            }
            Outcome::EndsAt { offset, reason } => {
                self.cut(index, offset, reason, seed_before)?;
                Ok(false)
            }
        }
    }

    fn files(&self) -> Increments<'_> {
        Increments { place: &self.place, entries: &self.generation.manifest.increments }
    }

    /// An end as a crash leaves it is refused from here on, too (`aof-load-truncated no`).
    pub fn refuse_torn(&mut self) {
        self.refuses_torn = true;
    }

    pub(super) fn path_of(&self, index: usize) -> PathBuf {
        self.files().path(index)
    }

    /// For a fresh log whose data comes from elsewhere (a `dump.rdb`): writes the first base with what
    /// `fill` writes, so that no crash can leave a log that is emptier than its origin. `header.seq` must
    /// be `Some(0)`.
    pub fn set_first_base(
        &mut self,
        header: &Header<'_>,
        fill: impl FnOnce(&mut RdbWriter<ReplaceFile>) -> io::Result<()>,
    ) -> Result<(), OpenError> {
        let place = &self.place;
        let entry = self.generation.new_base(place);
        let path = place.path(&entry.name);
        if !self.fresh {
            return Err(failed("replace the base of", place.manifest())(io::ErrorKind::AlreadyExists.into()));
        }
        let written = place.storage.create_dir_all(&place.dir()).and_then(|()| {
            let mut writer = RdbWriter::new(ReplaceFile::create(&place.storage, &path)?, header, true)?;
            fill(&mut writer)?;
            writer.finish()?.commit().map_err(|e| e.error)
        });
        self.sizes += written.map_err(failed("write", path))?;
        self.generation.manifest.base = Some(entry);
        Ok(())
    }

    /// Begins to append. `header` is for the first, empty base of a fresh log. Everything found is on the
    /// device when it returns.
    pub fn start(self, options: LogOptions, header: &Header<'_>) -> Result<Arc<Log>, OpenError> {
        let place = self.place.clone();
        let log = Log::off(place.storage, place.lock, place.names, options);
        self.attach(&log, header)?;
        Ok(log)
    }

    /// As `start`, for a log that is there already and off: it is turned on and continues what was found. To
    /// be called before anybody appends.
    pub fn attach(mut self, log: &Log, header: &Header<'_>) -> Result<(), OpenError> {
        if self.fresh && self.generation.manifest.base.is_none() {
            self.set_first_base(&Header { aof_base: true, seq: Some(0), ..header.clone() }, |_| Ok(()))?;
        }
        let place = self.place.clone();
        let storage = &place.storage;
        if self.generation.manifest.increments.is_empty() {
            let entry = self.generation.new_increment(&place);
            let path = place.path(&entry.name);
            let created = storage.create(&path).and_then(|file| file.sync());
            created.and_then(|()| storage.sync_dir(&place.dir())).map_err(failed("create", path))?;
            let mut manifest = self.generation.manifest.clone();
            manifest.increments.push(entry);
            self.install(manifest)?;
            let root = place.lock.dir().to_path_buf();
            storage.sync_dir(&root).map_err(failed("sync", root))?;
        }
        let last = self.sync_increments()?;
        storage.sync_dir(&place.dir()).map_err(failed("sync", place.dir()))?;
        let now_unix_s = header.created_unix_s;
        let kept = self.generation.drop_history(&place, *log.keep_history.lock(), now_unix_s);
        log.counters.history_bytes.store(kept, Ordering::Relaxed);
        self.remove_leftovers();
        let (number, file) = last.map_or((0, None), |(number, file)| (number, Some(file)));
        let len = match &file {
            Some(file) => file.len().map_err(failed("measure", place.dir()))?,
            None => 0,
        };
        let cuts = &self.recovery.cuts;
        log.counters.torn_tails.store(cuts.len() as u64, Ordering::Relaxed);
        log.counters.torn_bytes.store(cuts.iter().map(|cut| cut.len).sum(), Ordering::Relaxed);
        let last = self.recovery.last;
        let mut out = log.out.lock();
        let timestamps = out.timestamps();
        *out = Out::new(file, number, len, self.seed, timestamps);
        drop(out);
        *log.pending.lock() = Pending::new(last);
        *log.generation.lock() = self.generation;
        log.counters.out_len.store(len, Ordering::Relaxed);
        for counter in [&log.appended, &log.written, &log.durable] {
            counter.store(last, Ordering::Release);
        }
        log.counters.size_before.store(self.sizes.saturating_sub(len), Ordering::Relaxed);
        log.counters.size_at_start.store(self.sizes, Ordering::Relaxed);
        log.wanted.store(true, Ordering::Relaxed);
        log.on.store(true, Ordering::Release);
        Ok(())
    }

    /// Puts on the device what a killed server has written and may still be with the operating system only.
    pub(super) fn sync_increments(&self) -> Result<Option<LastIncrement>, OpenError> {
        let mut last = None;
        for entry in &self.generation.manifest.increments {
            let path = self.place.path(&entry.name);
            let opened = self.place.storage.open_append(&path).and_then(|file| file.sync().map(|()| file));
            last = Some((entry.number, opened.map_err(failed("sync", path))?));
        }
        Ok(last)
    }

    pub(super) fn install(&mut self, manifest: Manifest) -> Result<(), OpenError> {
        let installed = self.generation.install(&self.place, manifest);
        installed.map_err(|error| failed("write", self.place.manifest())(error.error))
    }

    /// Temporary files of a rewrite that did not get to its end, and files of a first start that did not.
    fn remove_leftovers(&self) {
        let prefix = format!("temp-{}", self.place.names.file);
        let manifest = &self.generation.manifest;
        let listed =
            |name: &str| manifest.base.iter().chain(&manifest.increments).any(|entry| entry.name == name);
        for name in self.place.storage.list(&self.place.dir()).unwrap_or_default() {
            let early = self.fresh && self.place.number_in(&name).is_some() && !listed(&name);
            if early || name.starts_with(&prefix) {
                // Best effort: a leftover costs space only.
                let _ = self.place.storage.remove(&self.place.path(&name));
            }
        }
    }
}

impl Log {
    /// Looks into the log's own directory: to load it before it is turned on, or again while nobody appends.
    pub fn open_again(&self) -> Result<Opened, OpenError> {
        open(self.place.storage.clone(), self.place.lock.clone(), self.place.names.clone())
    }

    /// A log that is off (`appendonly no`). A rewrite turns it on, once it is wanted on.
    pub fn off(
        storage: Arc<dyn Storage>,
        lock: Arc<DirectoryLock>,
        names: Names,
        options: LogOptions,
    ) -> Arc<Self> {
        let place = Place { storage, lock, names };
        Arc::new(Self {
            place,
            on: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            appended: AtomicU64::new(0),
            written: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            pending: Mutex::new(Pending::new(0)),
            out: Mutex::new(Out::new(None, 0, 0, 0, options.timestamps)),
            generation: Mutex::default(),
            fsync: AtomicU8::new(options.fsync as u8),
            no_sync_on_rewrite: AtomicBool::new(false),
            faulty: AtomicBool::new(false),
            fault: Mutex::new(None),
            keep_history: Mutex::default(),
            sync_turn: Mutex::default(),
            waiters: Default::default(),
            signal: Default::default(),
            tap: Default::default(),
            counters: Counters::default(),
        })
    }
}
