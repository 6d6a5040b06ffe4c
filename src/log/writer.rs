//! The live log: units go into a pending buffer under the locks of their keys, and from there to the
//! operating system in groups.
//!
//! ```text
//! append       flush                    sync
//! ──────► pending ──────► file (kernel) ──────► device
//! appended         written              durable          sequence numbers, each ≤ the one before
//! ```
//!
//! `append` is one short lock: the number is taken and the bytes are placed in the same step, so the order
//! of the file is the order of the numbers, and a flush never finds a hole. `flush` takes all that is
//! pending and writes it in one call, with a line that checks it; whoever comes first writes for all.
//! `sync` is in the file beside this one.
//!
//! A write that fails is undone by cutting the file back to its last whole group. What was pending stays,
//! in its order, and is tried again by the next flush. Until then there is a fault, and nothing may be
//! acknowledged.

use std::sync::Arc;

use super::fault::{LogFault, LogFaultKind};
use super::generation::{Generation, KeepHistory};
use super::groups::{GroupSizes, Groups};
use super::place::Place;
use super::record::{Check, GROUP_LINE, Section, Seq, TIME_PREFIX, encode_command};
use super::storage::{File, write_all};
use super::sync::{Signal, Waiters};
use super::tap::{Databases, Tap};
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};

/// When what was written is synced to the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// Before it is acknowledged.
    Always,
    /// Once a second.
    EverySecond,
    /// When the operating system pleases.
    Never,
}

/// How a log is run.
#[derive(Debug, Clone, Copy)]
pub struct LogOptions {
    pub fsync: Fsync,
    /// Whether groups carry `#TS` lines, with which Redis's tools can cut a log at a point in time.
    pub timestamps: bool,
}

/// What INFO tells about the log. Sizes in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogStats {
    pub on: bool,
    /// Base and increments, as they were after the last rewrite or start.
    pub base_size: u64,
    /// Base and increments now.
    pub current_size: u64,
    /// Appended and not written yet.
    pub pending_bytes: u64,
    pub fsyncs: u64,
    /// Writes that waited for a sync, because the last one was more than two seconds ago.
    pub delayed_fsyncs: u64,
    pub last_write_ok: bool,
    pub last_fsync_ok: bool,
    pub rewrite_in_progress: bool,
    pub rewrites: u64,
    pub last_rewrite_ok: bool,
    /// Bytes kept by `aof-keep-history`.
    pub history_bytes: u64,
    /// Unfinished ends that the start has kept aside, and their bytes.
    pub torn_tails: u64,
    pub torn_bytes: u64,
    /// New generations that were begun because the log could not be continued.
    pub repairs: u64,
}

/// In `EverySecond` a write waits for the disk when the oldest unsynced one is older than this, in
/// milliseconds: the promise to lose at most about a second is kept by slowing writers down.
const SYNC_LAG_MS_MAX: i64 = 2000;

/// Room in front of the pending bytes for a group line and a `#TS` line (10 digits last until the year 2286).
const HEAD_LEN: usize = GROUP_LINE.len() + 16;
/// A buffer larger than this is given back after use.
const BUFFER_KEPT_MAX: usize = 4 * 1024 * 1024;

/// The log. Shared by all workers.
pub struct Log {
    pub(super) place: Place,
    pub(super) on: AtomicBool,
    /// What `appendonly` says. It decides at the cut of a rewrite whether the log is on from there.
    pub(super) wanted: AtomicBool,
    pub(super) appended: AtomicU64,
    pub(super) written: AtomicU64,
    pub(super) durable: AtomicU64,
    pub(super) pending: Mutex<Pending>,
    pub(super) out: Mutex<Out>,
    pub(super) generation: Mutex<Generation>,
    pub(super) fsync: AtomicU8,
    /// `no-appendfsync-on-rewrite`
    pub(super) no_sync_on_rewrite: AtomicBool,
    pub(super) faulty: AtomicBool,
    pub(super) fault: Mutex<Option<(LogFault, u64)>>,
    pub(super) keep_history: Mutex<KeepHistory>,
    pub(super) sync_turn: Mutex<()>,
    pub(super) waiters: Waiters,
    pub(super) signal: Arc<Signal>,
    pub(super) tap: Tap,
    pub(super) counters: Counters,
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) fsyncs: AtomicU64,
    pub(super) delayed: AtomicU64,
    pub(super) rewrites: AtomicU64,
    pub(super) pending_bytes: AtomicU64,
    pub(super) out_len: AtomicU64,
    /// Bytes in all files but the one being written.
    pub(super) size_before: AtomicU64,
    /// Bytes in all files at the start or after the last rewrite.
    pub(super) size_at_start: AtomicU64,
    pub(super) groups: Groups,
    /// Bytes in files that are kept only to go back in time.
    pub(super) history_bytes: AtomicU64,
    pub(super) torn_tails: AtomicU64,
    pub(super) torn_bytes: AtomicU64,
    pub(super) repairs: AtomicU64,
    pub(super) last_rewrite_failed: AtomicBool,
    pub(super) rewriting: AtomicBool,
    /// Wall time of the first write since the last sync began, in ms; 0 when there is none.
    pub(super) unsynced_since_ms: AtomicI64,
    /// The latest wall time that a flush was given, in ms.
    pub(super) now_ms: AtomicI64,
}

/// What was appended and not taken by a flush yet.
pub(super) struct Pending {
    /// `HEAD_LEN` bytes of room, then the commands.
    bytes: Vec<u8>,
    last: Seq,
    /// The database that the stream is in; `None` when nobody may rely on it.
    pub(super) db: Option<u32>,
}

impl Pending {
    pub(super) fn new(last: Seq) -> Self {
        Self { bytes: vec![0; HEAD_LEN], last, db: None }
    }

    /// Forgets what is pending; a rewrite's base holds it.
    pub(super) fn discard(&mut self) -> Seq {
        self.bytes.truncate(HEAD_LEN);
        self.db = None;
        self.last
    }
}

/// The file being written, and where in its chain of checks it is.
pub(super) struct Out {
    pub(super) file: Option<Arc<dyn File>>,
    /// The file's number in the manifest.
    pub(super) number: u64,
    /// End of the last whole group.
    pub(super) len: u64,
    /// Files cut off by a rewrite and not synced since.
    pub(super) retired: Vec<(u64, Arc<dyn File>)>,
    /// No manifest has ever named the file: it belongs to a detached rewrite.
    pub(super) unnamed: bool,
    pub(super) seed: u32,
    chain: u32,
    /// Whether the section's line has been written.
    pub(super) in_section: bool,
    /// The watermark of the last check line.
    pub(super) watermark: Seq,
    /// A group that could not be written, or an empty buffer: `HEAD_LEN` bytes of room, then commands.
    pub(super) group: Vec<u8>,
    group_last: Seq,
    /// The file may be longer than `len`.
    dirty_tail: bool,
    timestamps: bool,
    last_timestamp_s: i64,
}

impl Out {
    /// Goes on at the end of a file. `seed` is that of the file's last section, or 0.
    pub(super) fn new(
        file: Option<Arc<dyn File>>,
        number: u64,
        len: u64,
        seed: u32,
        timestamps: bool,
    ) -> Self {
        Self {
            file,
            number,
            len,
            retired: Vec::new(),
            unnamed: false,
            seed,
            chain: 0,
            in_section: false,
            watermark: 0,
            group: vec![0; HEAD_LEN],
            group_last: 0,
            dirty_tail: false,
            timestamps,
            last_timestamp_s: 0,
        }
    }

    /// Whether groups carry `#TS` lines.
    pub(super) fn timestamps(&self) -> bool {
        self.timestamps
    }

    pub(super) fn set_timestamps(&mut self, on: bool) {
        self.timestamps = on;
    }

    /// Continues with a new, empty file. The one before waits for its sync.
    pub(super) fn switch(&mut self, file: Arc<dyn File>, number: u64) {
        if let Some(before) = self.file.replace(file) {
            self.retired.push((self.number, before));
        }
        (self.number, self.len, self.seed, self.in_section) = (number, 0, 0, false);
        // The new file tells the time from its beginning on.
        (self.dirty_tail, self.watermark, self.last_timestamp_s) = (false, 0, 0);
    }

    pub(super) fn discard(&mut self) {
        self.group.truncate(HEAD_LEN);
    }
}

impl Log {
    /// Appends one unit: a command, or several between MULTI and EXEC that `encode` writes too. To be
    /// called with all locks of the unit held. Returns its sequence number, or 0 when the log is off.
    pub fn append(&self, db: u32, encode: impl FnOnce(&mut Vec<u8>)) -> Seq {
        self.append_unit((db, db), encode, None)
    }

    /// As [`Log::append`] for a unit that changes the database by SELECT, and of which a follower may get
    /// another form: `told`, whole.
    pub fn append_unit(
        &self,
        databases: Databases,
        encode: impl FnOnce(&mut Vec<u8>),
        told: Option<&[u8]>,
    ) -> Seq {
        if !self.is_on() {
            if self.tap.is_open() {
                let mut unit = Vec::new();
                encode(&mut unit);
                self.tap.hand(databases, told.unwrap_or(&unit));
            }
            return 0;
        }
        let mut guard = self.pending.lock();
        let pending = &mut *guard;
        let (first, last) = databases;
        if pending.db != Some(first) {
            let index = itoa::Buffer::new().format(first).to_owned();
            encode_command(&mut pending.bytes, [b"SELECT".as_slice(), index.as_bytes()].into_iter());
        }
        pending.db = Some(last);
        let start = pending.bytes.len();
        encode(&mut pending.bytes);
        pending.last += 1;
        let seq = pending.last;
        self.counters.pending_bytes.store((pending.bytes.len() - HEAD_LEN) as u64, Ordering::Relaxed);
        self.appended.store(seq, Ordering::Release);
        if self.tap.is_open() {
            // Under the lock that gives the numbers: whoever follows hears the units in their order.
            self.tap.hand(databases, told.unwrap_or(pending.bytes.get(start..).unwrap_or_default()));
        }
        seq
    }

    /// Whether writes are logged (`appendonly yes`).
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// The last number given out.
    pub fn appended(&self) -> Seq {
        self.appended.load(Ordering::Acquire)
    }

    /// Up to here the operating system has it: the end of the process does not lose it.
    pub fn written(&self) -> Seq {
        self.written.load(Ordering::Acquire)
    }

    /// Up to here the device has it: a power cut does not lose it.
    pub fn durable(&self) -> Seq {
        self.durable.load(Ordering::Acquire)
    }

    /// When it returns `Ok`, everything up to `seq` is with the operating system. Writes all that is
    /// pending, in one call, unless another worker has done so meanwhile. `now_unix_ms` is wall time.
    pub fn flush(&self, seq: Seq, now_unix_ms: i64) -> Result<(), LogFault> {
        if self.written() < seq {
            let mut out = self.out.lock();
            if self.written() < seq {
                self.flush_into(&mut out, now_unix_ms)?;
            }
        }
        self.sticky_fault()?;
        self.keep_pace(now_unix_ms);
        Ok(())
    }

    /// Writes all that is pending, under the file's lock.
    pub(super) fn flush_into(&self, out: &mut Out, now_unix_ms: i64) -> Result<(), LogFault> {
        {
            let mut pending = self.pending.lock();
            out.group_last = pending.last;
            if out.group.len() == HEAD_LEN {
                std::mem::swap(&mut out.group, &mut pending.bytes);
            } else {
                out.group.extend_from_slice(pending.bytes.get(HEAD_LEN..).unwrap_or_default());
            }
            pending.bytes.truncate(HEAD_LEN);
            if pending.bytes.capacity() > BUFFER_KEPT_MAX {
                pending.bytes.shrink_to(BUFFER_KEPT_MAX);
            }
            self.counters.pending_bytes.store(0, Ordering::Relaxed);
        }
        self.counters.now_ms.store(now_unix_ms, Ordering::Relaxed);
        if out.group.len() == HEAD_LEN {
            return Ok(());
        }
        match self.write_group(out, now_unix_ms) {
            Ok(()) => {
                out.group.truncate(HEAD_LEN);
                self.written.store(out.group_last, Ordering::Release);
                self.clear_write_fault();
                let since = &self.counters.unsynced_since_ms;
                let _ = since.compare_exchange(0, now_unix_ms.max(1), Ordering::Relaxed, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                let kept = (out.group.len() - HEAD_LEN) as u64;
                self.counters.pending_bytes.fetch_add(kept, Ordering::Relaxed);
                let path = self.place.path(&self.place.increment_name(out.number));
                let kind = match error.kind() {
                    std::io::ErrorKind::FileTooLarge => LogFaultKind::TooLong,
                    _ => LogFaultKind::Write,
                };
                let fault = LogFault::new(kind, "cannot write to", &path, &error);
                self.set_fault(fault.clone(), out.number);
                Err(fault)
            }
        }
    }

    fn write_group(&self, out: &mut Out, now_unix_ms: i64) -> std::io::Result<()> {
        let now_s = now_unix_ms / 1000;
        let stamped = out.timestamps && now_s != out.last_timestamp_s && (1..10_000_000_000).contains(&now_s);
        let mut head = GROUP_LINE.to_vec();
        if stamped {
            head.extend_from_slice(TIME_PREFIX);
            head.extend_from_slice(format!("{now_s:010}\r\n").as_bytes());
        }
        let start = HEAD_LEN - head.len();
        if let Some(room) = out.group.get_mut(start..HEAD_LEN) {
            room.copy_from_slice(&head);
        }
        let len = out.group.len();
        let result = self.write_checked(out, start);
        out.group.truncate(len);
        if result.is_ok() && stamped {
            out.last_timestamp_s = now_s;
        }
        result
    }

    /// Writes `out.group[start..]` with a check line behind it, or nothing.
    fn write_checked(&self, out: &mut Out, start: usize) -> std::io::Result<()> {
        let Some(file) = out.file.clone() else { return Ok(()) };
        let before = out.len;
        if out.dirty_tail {
            file.truncate(out.len)?;
            out.dirty_tail = false;
        }
        if !out.in_section {
            let is_broken =
                |fault: &(LogFault, u64)| fault.0.kind == LogFaultKind::Sync && fault.1 == out.number;
            if self.fault.lock().as_ref().is_some_and(is_broken) {
                return Err(std::io::Error::other("a sync of this file has failed"));
            }
            let mut line = Vec::new();
            let section = Section { id: random_id(), first: self.written() };
            let seed = section.encode(out.seed, &mut line);
            self.write_or_undo(out, &*file, &line)?;
            // All that follows hangs on this line: a power cut that keeps later pages and not this one would leave
            // groups that nobody can tell from damage. So it is synced even while another file has a fault. A file that
            // no manifest names yet is synced as a whole before one does.
            if !out.unnamed
                && let Err(error) = file.sync()
            {
                out.len -= line.len() as u64;
                out.dirty_tail = true;
                let path = self.place.path(&self.place.increment_name(out.number));
                self.set_fault(LogFault::new(LogFaultKind::Sync, "cannot sync", &path, &error), out.number);
                return Err(error);
            }
            (out.seed, out.chain, out.in_section) = (seed, seed, true);
        }
        let durable = self.durable();
        let seq = if out.group.len() > HEAD_LEN { out.group_last } else { self.written() };
        let bytes = out.group.get(start..).unwrap_or_default();
        let check = Check::of(bytes, seq, durable, out.seed, out.chain);
        check.encode(&mut out.group);
        let group = std::mem::take(&mut out.group);
        let result = self.write_or_undo(out, &*file, group.get(start..).unwrap_or_default());
        out.group = group;
        result?;
        (out.chain, out.watermark) = (check.chain, durable);
        if seq > self.written() {
            self.counters.groups.add(seq - self.written(), out.len - before);
        }
        Ok(())
    }

    fn write_or_undo(&self, out: &mut Out, file: &dyn File, bytes: &[u8]) -> std::io::Result<()> {
        match write_all(file, bytes) {
            Ok(()) => {
                out.len += bytes.len() as u64;
                self.counters.out_len.store(out.len, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                out.dirty_tail = file.truncate(out.len).is_err();
                Err(error)
            }
        }
    }

    /// Writes a check line without a group, to tell a later reader how far the device has it.
    pub(super) fn write_watermark(&self, out: &mut Out) -> std::io::Result<()> {
        let len = out.group.len();
        let result = self.write_checked(out, HEAD_LEN);
        out.group.truncate(len);
        result
    }

    /// Slows a writer down when the device is behind by more than was promised.
    fn keep_pace(&self, now_unix_ms: i64) {
        let since = self.counters.unsynced_since_ms.load(Ordering::Relaxed);
        if since != 0
            && now_unix_ms.saturating_sub(since) > SYNC_LAG_MS_MAX
            && self.fsync() == Fsync::EverySecond
            && !self.leaves_out_sync()
        {
            self.counters.delayed.fetch_add(1, Ordering::Relaxed);
            // Its failure sticks as a fault, and the next flush tells it.
            let _ = self.sync();
        }
    }

    /// Whether groups carry `#TS` lines from now on.
    pub fn set_timestamps(&self, on: bool) {
        self.out.lock().set_timestamps(on);
    }

    /// How much of what rewrites replace is kept. What is too much already goes with the next rewrite, or within a
    /// minute.
    pub fn set_keep_history(&self, keep: KeepHistory) {
        *self.keep_history.lock() = keep;
    }

    /// To be told the wall time now and then, also while nobody writes.
    pub fn tell_time(&self, now_unix_ms: i64) {
        self.counters.now_ms.store(now_unix_ms, Ordering::Relaxed);
    }

    /// Deletes what is not to be kept of the history any more.
    pub(super) fn trim_history(&self) {
        let now_unix_s = self.counters.now_ms.load(Ordering::Relaxed) / 1000;
        let kept = self.generation.lock().drop_history(&self.place, *self.keep_history.lock(), now_unix_s);
        self.counters.history_bytes.store(kept, Ordering::Relaxed);
    }

    /// Figures for INFO.
    pub fn stats(&self) -> LogStats {
        let counters = &self.counters;
        let fault = self.fault();
        LogStats {
            on: self.is_on(),
            base_size: counters.size_at_start.load(Ordering::Relaxed),
            current_size: counters.size_before.load(Ordering::Relaxed)
                + counters.out_len.load(Ordering::Relaxed),
            pending_bytes: counters.pending_bytes.load(Ordering::Relaxed),
            fsyncs: counters.fsyncs.load(Ordering::Relaxed),
            delayed_fsyncs: counters.delayed.load(Ordering::Relaxed),
            last_write_ok: !matches!(fault, Some(LogFaultKind::Write | LogFaultKind::TooLong)),
            last_fsync_ok: fault
                .is_none_or(|kind| matches!(kind, LogFaultKind::Write | LogFaultKind::TooLong)),
            rewrite_in_progress: counters.rewriting.load(Ordering::Relaxed),
            rewrites: counters.rewrites.load(Ordering::Relaxed),
            last_rewrite_ok: !counters.last_rewrite_failed.load(Ordering::Relaxed),
            history_bytes: counters.history_bytes.load(Ordering::Relaxed),
            torn_tails: counters.torn_tails.load(Ordering::Relaxed),
            torn_bytes: counters.torn_bytes.load(Ordering::Relaxed),
            repairs: counters.repairs.load(Ordering::Relaxed),
        }
    }

    /// How large the groups were that were handed to the operating system since the start.
    pub fn groups(&self) -> GroupSizes {
        self.counters.groups.sizes()
    }

    /// What is wrong, if anything: while there is something, writes are refused with `-MISCONF`.
    pub fn fault(&self) -> Option<LogFaultKind> {
        if !self.faulty.load(Ordering::Acquire) {
            return None;
        }
        self.fault.lock().as_ref().map(|(fault, _)| fault.kind)
    }

    /// `fault` in words.
    #[inline]
    pub fn fault_text(&self) -> Option<String> {
        if self.faulty.load(Ordering::Acquire) { self.words_of_fault() } else { None }
    }

    #[cold]
    fn words_of_fault(&self) -> Option<String> {
        self.fault.lock().as_ref().map(|(fault, _)| fault.text.clone())
    }

    /// An error while the log cannot go on as it is: only a rewrite helps.
    pub fn sticky_fault(&self) -> Result<(), LogFault> {
        if !self.faulty.load(Ordering::Acquire) {
            return Ok(());
        }
        match &*self.fault.lock() {
            Some((fault, _)) if fault.kind.is_sticky() => Err(fault.clone()),
            _ => Ok(()),
        }
    }

    /// An error while the log cannot get this record to the device as things are: waiting does not help, or nobody knows how
    /// long. What is with the operating system already can still be synced while the disk is full.
    pub fn blocked(&self, seq: Seq) -> Result<(), LogFault> {
        if !self.faulty.load(Ordering::Acquire) {
            return Ok(());
        }
        match &*self.fault.lock() {
            Some((fault, _)) if fault.kind.is_sticky() || self.written() < seq => Err(fault.clone()),
            _ => Ok(()),
        }
    }

    /// Records a fault of the file with this number. One that sticks is replaced only by one of a later file, which needs
    /// a later rewrite to end.
    pub(super) fn set_fault(&self, fault: LogFault, number: u64) {
        let mut current = self.fault.lock();
        let is_known = |(present, of): &(LogFault, u64)| present.kind == fault.kind && *of == number;
        let is_known = current.as_ref().is_some_and(is_known);
        let outlasts = |(present, of): &(LogFault, u64)| {
            present.kind.is_sticky() && !(fault.kind.is_sticky() && *of < number)
        };
        if !current.as_ref().is_some_and(outlasts) {
            *current = Some((fault, number));
        }
        self.faulty.store(true, Ordering::Release);
        // Those who wait are told by the sync thread, since whoever finds a fault may hold the file's lock. Not each time that
        // a write fails again: it is the sync thread that tries, and it would wake itself.
        if !is_known {
            self.signal.ring(false);
        }
    }

    fn clear_write_fault(&self) {
        self.clear_fault_if(|kind, _| kind == LogFaultKind::Write);
    }

    pub(super) fn clear_fault_if(&self, passes: impl FnOnce(LogFaultKind, u64) -> bool) {
        if !self.faulty.load(Ordering::Acquire) {
            return;
        }
        let mut current = self.fault.lock();
        if current.as_ref().is_some_and(|(fault, number)| passes(fault.kind, *number)) {
            *current = None;
            self.faulty.store(false, Ordering::Release);
        }
    }
}

/// A number that nobody can guess: the standard library's hash keys, which come from the operating system.
pub(super) fn random_id() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}
