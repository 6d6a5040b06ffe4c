//! From the operating system to the device: the sync thread, and those who wait for it.
//!
//! One sync serves everybody whose write came before it. The thread has a rhythm of one second, and is
//! woken at once when somebody waits. A period starts anew after each wake, so no written unit is older
//! than a second plus one sync before its own sync begins; no clock is needed for that.
//!
//! A sync that has failed is never tried again on the same file: the kernel has dropped the pages it could
//! not write, so a second try "succeeds" without them (known since 2018 as fsyncgate). The fault sticks
//! until a rewrite has put everything into new files.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::fault::{LogFault, LogFaultKind};
use super::gather::{Company, Gather};
use super::record::Seq;
use super::writer::{Fsync, Log};
use crate::base::clock::Clock;
use crate::base::sync::atomic::{AtomicUsize, Ordering};
use crate::base::sync::{Condvar, JoinHandle, Mutex, MutexGuard, spawn};

const PERIOD: Duration = Duration::from_secs(1);
/// While the disk is full a write is tried again this often, so that service resumes soon after there is room.
const RETRY_PERIOD: Duration = Duration::from_millis(200);
/// In `Never` the watermark still moves, so that damage to old data is not taken for a torn tail.
const PERIODS_PER_SYNC_IN_NEVER: u32 = 30;

/// How often what is kept of the history is looked through.
const PERIODS_PER_TRIM: u32 = 60;

/// The right to sync.
type Turn<'a> = MutexGuard<'a, ()>;

type Callback = Box<dyn FnOnce() + Send>;

/// Those who wait for durability.
#[derive(Default)]
pub(super) struct Waiters {
    waiting: Mutex<Vec<(Seq, Callback)>>,
    count: AtomicUsize,
}

impl Waiters {
    fn add(&self, seq: Seq, callback: Callback) {
        let mut waiting = self.waiting.lock();
        waiting.push((seq, callback));
        self.count.store(waiting.len(), Ordering::Release);
    }

    fn wake(&self, upto: Seq) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut due = Vec::new();
        {
            let mut waiting = self.waiting.lock();
            let mut i = 0;
            while let Some((seq, _)) = waiting.get(i) {
                if *seq <= upto { due.push(waiting.swap_remove(i)) } else { i += 1 }
            }
            self.count.store(waiting.len(), Ordering::Release);
        }
        for (_, callback) in due {
            callback();
        }
    }

    pub(super) fn wake_all(&self) {
        self.wake(Seq::MAX);
    }
}

/// The bell of the sync thread.
#[derive(Default)]
pub(super) struct Signal {
    state: Mutex<State>,
    bell: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    asked: bool,
    stop: bool,
}

impl Signal {
    pub(super) fn ring(&self, stop: bool) {
        let mut state = self.state.lock();
        state.asked = true;
        state.stop |= stop;
        self.bell.notify_one();
    }

    /// Waits until the log has been handed the company's records, as it is rung for each that comes. What was rung for
    /// until then is served by the sync that follows.
    fn wait_for(&self, company: Company, log: &Log, clock: &Clock) {
        let goal = log.durable() + company.records;
        let end = clock.elapsed() + company.at_most;
        let mut state = self.state.lock();
        while !state.stop && log.written() < goal {
            let left = end.saturating_sub(clock.elapsed());
            if left.is_zero() {
                break;
            }
            self.bell.wait_for(&mut state, left);
        }
        state.asked = false;
    }

    /// Waits for a ring or the end of a period. `None` when the thread is to end, otherwise whether it was
    /// rung for.
    fn wait(&self, period: Duration) -> Option<bool> {
        let mut state = self.state.lock();
        if !state.asked && !state.stop {
            self.bell.wait_for(&mut state, period);
        }
        let asked = std::mem::take(&mut state.asked);
        (!state.stop).then_some(asked)
    }
}

impl Log {
    /// Syncs everything written so far and returns up to which number that reaches. Callers that come while
    /// one runs share the next.
    pub fn sync(&self) -> Result<Seq, LogFault> {
        let target = self.written();
        self.sync_in_turn(&self.sync_turn.lock(), target)
    }

    /// The same on the thread that a reply waits on; `None` while another thread syncs, as then the log's own does well to
    /// do the next one, too.
    pub fn sync_unless_busy(&self) -> Option<Result<Seq, LogFault>> {
        let target = self.written();
        let turn = self.sync_turn.try_lock()?;
        self.attend();
        Some(self.sync_in_turn(&turn, target))
    }

    fn sync_in_turn(&self, turn: &Turn<'_>, target: Seq) -> Result<Seq, LogFault> {
        let result = self.sync_written(turn, target);
        if result.is_err() {
            self.waiters.wake_all();
        }
        result
    }

    /// Syncs, while it is the caller's turn, what has been written, unless somebody has done so up to `target` meanwhile.
    fn sync_written(&self, _turn: &Turn<'_>, target: Seq) -> Result<Seq, LogFault> {
        self.sticky_fault()?;
        self.counters.unsynced_since_ms.store(0, Ordering::Relaxed);
        if self.durable() >= target {
            return Ok(self.durable());
        }
        let (files, retired, seq) = {
            let out = self.out.lock();
            let current = out.file.iter().map(|file| (out.number, file.clone()));
            let files: Vec<_> = out.retired.iter().cloned().chain(current).collect();
            (files, out.retired.len(), self.written())
        };
        for (number, file) in &files {
            self.counters.fsyncs.fetch_add(1, Ordering::Relaxed);
            let synced = match file.sync() {
                Err(_) if cfg!(feature = "canary-sync-error-ignored") => Ok(()),
                Err(_) if cfg!(feature = "canary-sync-retried") => file.sync(),
                synced => synced,
            };
            if let Err(error) = synced {
                let path = self.place.path(&self.place.increment_name(*number));
                let fault = LogFault::new(LogFaultKind::Sync, "cannot sync", &path, &error);
                self.set_fault(fault.clone(), *number);
                return Err(fault);
            }
        }
        let mut out = self.out.lock();
        // A rewrite may have emptied the list meanwhile, or added to its end.
        let retired = retired.min(out.retired.len());
        out.retired.drain(..retired);
        drop(out);
        self.made_durable(seq);
        Ok(seq)
    }

    pub(super) fn made_durable(&self, seq: Seq) {
        self.durable.fetch_max(seq, Ordering::AcqRel);
        self.waiters.wake(self.durable());
    }

    /// Calls back once, from the sync thread or at once, when `seq` is durable or a fault has come up; the
    /// caller looks at `durable()` and `blocked()`. One registration a worker suffices: that with the highest
    /// number serves all of its connections.
    pub fn on_durable(&self, seq: Seq, callback: Box<dyn FnOnce() + Send>) {
        if self.durable() >= seq || self.blocked(seq).is_err() {
            return callback();
        }
        self.waiters.add(seq, callback);
        // Between the look above and the adding it may have happened.
        if self.blocked(seq).is_err() {
            self.waiters.wake_all();
        } else {
            self.waiters.wake(self.durable());
        }
        self.signal.ring(false);
    }

    /// Has everything synced that is written by now, at once.
    pub fn ask_for_sync(&self) {
        self.signal.ring(false);
    }

    /// Changes the mode, effective at once.
    pub fn set_fsync(&self, fsync: Fsync) {
        self.fsync.store(fsync as u8, Ordering::Relaxed);
        self.signal.ring(false);
    }

    /// The mode.
    pub fn fsync(&self) -> Fsync {
        match self.fsync.load(Ordering::Relaxed) {
            0 => Fsync::Always,
            1 => Fsync::EverySecond,
            _ => Fsync::Never,
        }
    }

    /// Starts the sync thread. It ends with `shutdown`, or when the log is dropped.
    pub fn spawn_sync_thread(self: &Arc<Self>) -> std::io::Result<()> {
        let signal = self.signal.clone();
        let log = Arc::downgrade(self);
        *self.signal.thread.lock() = Some(spawn("log-sync", move || run(&signal, &log))?);
        Ok(())
    }

    /// What is to be done each second: `attend`, the mode's sync, and, when all is quiet, the watermark.
    /// `period` counts the calls.
    pub fn tick(&self, period: u32) {
        self.attend();
        if self.stats().history_bytes > 0 && period.is_multiple_of(PERIODS_PER_TRIM) {
            self.trim_history();
        }
        let due = match self.fsync() {
            Fsync::Never => period.is_multiple_of(PERIODS_PER_SYNC_IN_NEVER),
            _ => !self.leaves_out_sync(),
        };
        if due {
            let quiet = self.durable() == self.appended();
            if self.sync().is_ok() && quiet {
                self.settle();
            }
        }
    }

    /// Whether the sync of each second is left out for the length of a rewrite (`no-appendfsync-on-rewrite`). In
    /// `Always` nothing is: there a reply says that its write is on the device.
    pub(super) fn leaves_out_sync(&self) -> bool {
        self.no_sync_on_rewrite.load(Ordering::Relaxed)
            && self.counters.rewriting.load(Ordering::Relaxed)
            && self.fsync() == Fsync::EverySecond
    }

    /// Sets `no-appendfsync-on-rewrite`.
    pub fn set_no_sync_on_rewrite(&self, on: bool) {
        self.no_sync_on_rewrite.store(on, Ordering::Relaxed);
    }

    /// The sync that somebody has asked for. Where each answer waits for one, it may wait for more to ask.
    fn sync_for_all(&self, signal: &Signal, gather: &mut Gather, clock: &Clock) {
        let is_gathering = self.fsync() == Fsync::Always && self.fault().is_none();
        if is_gathering && let Some(company) = gather.company() {
            signal.wait_for(company, self, clock);
        }
        self.attend();
        let (before, began) = (self.durable(), clock.elapsed());
        // A failure sticks as a fault and wakes all who wait.
        if let Ok(durable) = self.sync()
            && is_gathering
        {
            gather.synced(durable.saturating_sub(before), clock.elapsed() - began);
        }
    }

    /// Tries a failed write again, and looks whether the file still has its name.
    fn attend(&self) {
        let now = self.counters.now_ms.load(Ordering::Relaxed);
        let retry = self.fault() == Some(LogFaultKind::Write);
        if retry || self.written() < self.appended() {
            // A failure is on record as the fault.
            let _ = self.flush_into(&mut self.out.lock(), now);
        }
        self.notice_unlinking();
        if self.fault().is_some() {
            self.waiters.wake_all();
        }
    }

    /// Writes and syncs the watermark, if the file does not have it yet. From then on damage to any group
    /// is told from a torn tail.
    fn settle(&self) {
        let _turn = self.sync_turn.lock();
        let file = {
            let mut out = self.out.lock();
            let wanted =
                out.in_section && out.watermark < self.durable() && self.durable() == self.appended();
            if !wanted || self.write_watermark(&mut out).is_err() {
                return;
            }
            out.file.clone().map(|file| (out.number, file))
        };
        if let Some((number, file)) = file {
            self.counters.fsyncs.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = file.sync() {
                let path = self.place.path(&self.place.increment_name(number));
                self.set_fault(LogFault::new(LogFaultKind::Sync, "cannot sync", &path, &error), number);
            }
        }
    }

    fn notice_unlinking(&self) {
        let (file, number) = {
            let out = self.out.lock();
            (out.file.clone(), out.number)
        };
        // A file adopted from another server may have any name.
        let path = self.generation.try_lock().and_then(|generation| {
            let named = generation.manifest.increments.iter().find(|entry| entry.number == number);
            Some(self.place.path(&named?.name))
        });
        let Some(path) = path else { return };
        if file.is_some_and(|file| !file.is_named(&path).unwrap_or(true)) {
            self.note_unlinked(number, &path);
        }
    }

    /// The file with this number was found without its name. If it is no longer the one being written, a rewrite has
    /// removed it meanwhile, as it should; a rewrite goes on to another file before it removes one.
    pub(super) fn note_unlinked(&self, number: u64, path: &Path) {
        let out = self.out.lock();
        if out.number == number {
            let error = std::io::Error::from(std::io::ErrorKind::NotFound);
            self.set_fault(LogFault::new(LogFaultKind::Unlinked, "somebody removed", path, &error), number);
        }
    }

    /// Writes and syncs everything, whatever the mode, and ends the sync thread. `Ok` means that nothing is
    /// lost.
    pub fn shutdown(&self, now_unix_ms: i64) -> Result<(), LogFault> {
        self.signal.ring(true);
        if let Some(thread) = self.signal.thread.lock().take() {
            // A panic of the thread has been reported by its hook; the work below is done either way.
            let _ = thread.join();
        }
        self.seal(now_unix_ms)
    }

    /// Puts all that was appended on the device and, behind it, that it is there: what is damaged later is then never taken for
    /// an end that was not finished. To be done at the end, when nobody appends any more.
    pub fn seal(&self, now_unix_ms: i64) -> Result<(), LogFault> {
        self.flush_into(&mut self.out.lock(), now_unix_ms)?;
        self.sync()?;
        self.settle();
        self.sticky_fault()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.signal.ring(true);
    }
}

fn run(signal: &Signal, log: &Weak<Log>) {
    let mut period = 0u32;
    let mut pause = PERIOD;
    let (mut gather, clock) = (Gather::default(), Clock::real());
    while let Some(asked) = signal.wait(pause) {
        let Some(log) = log.upgrade() else { return };
        let is_retry = pause == RETRY_PERIOD && !asked;
        if is_retry {
            log.attend();
        } else if asked {
            // Most who come while a sync is under way are served by the one after it, and ring for another.
            if log.durable() < log.appended() || log.fault().is_some() {
                log.sync_for_all(signal, &mut gather, &clock);
            }
        } else {
            period = period.wrapping_add(1);
            log.tick(period);
        }
        pause = if log.fault() == Some(LogFaultKind::Write) { RETRY_PERIOD } else { PERIOD };
    }
}
