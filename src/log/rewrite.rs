//! Rewriting the log: a new base from memory takes the place of the old base and all increments up to the
//! cut.
//!
//! ```text
//! begin      the next increment is created and named in the manifest, all synced    (old file written)
//! cut        every worker stands still: pending → old file, all later → new file   (microseconds)
//! base       the caller writes the state at the cut into a `ReplaceFile`           (new file written)
//! finish     base synced and renamed; manifest {new base, new increment}; old files deleted
//! ```
//!
//! What a crash finds, and why it loads to the same data:
//!
//! ```text
//! before the cut    old base, old increments, an empty new one
//! after the cut     old base, old increments up to the cut, the new one from there on. The old one's last
//!                   bytes may not be on the device when some of the new one's are. The sync thread syncs
//!                   the old one first, so nothing behind its end has been called durable by then, and
//!                   the recovery ends the log there
//! in finish         the same until the manifest is replaced; then new base and new increment, with the
//!                   old files listed as history until they are deleted
//! ```
//!
//! With a fault that sticks (a failed sync, a file removed by somebody) or with the log off there is no old
//! file to continue. Then the rewrite is *detached*: the new increment is named in the manifest only
//! together with the new base, and until then nothing is acknowledged. `finish` syncs the new increment,
//! and so ends the fault.
//!
//! With `aof-keep-history` the old files stay for a while, named in the manifest as history (`generation`).
//!
//! Numbers of files are never used twice, and after a manifest replacement whose outcome is unknown nothing
//! is deleted that either version names.

use std::sync::Arc;

use super::fault::{LogFault, LogFaultKind};
use super::generation::Generation;
use super::manifest::{Entry, Manifest};
use super::record::Seq;
use super::replace::{CommitError, ReplaceFile};
use super::storage::File;
use super::writer::Log;
use crate::base::sync::atomic::Ordering;

/// A rewrite under way. Dropped before `finish`, it is given up: the directory still loads to the same data.
pub struct Rewrite {
    log: Arc<Log>,
    base: Entry,
    increment: Entry,
    file: Arc<dyn File>,
    detached: bool,
    /// The log was off before, and is off again if this fails.
    turns_on: bool,
    /// It is off afterwards, too: nobody wanted it on at the cut. Then there are files for a later start, and that is all.
    stays_off: bool,
    cut: Option<Seq>,
    /// Wall time of the cut, in Unix seconds.
    cut_unix_s: i64,
    succeeded: bool,
}

impl Log {
    /// First step. `Busy` when a rewrite is running.
    pub fn begin_rewrite(self: &Arc<Self>) -> Result<Rewrite, LogFault> {
        if self.counters.rewriting.swap(true, Ordering::AcqRel) {
            return Err(LogFault::busy("a rewrite is running already"));
        }
        let prepared = self.prepare_rewrite();
        if prepared.is_err() {
            self.counters.rewriting.store(false, Ordering::Release);
            self.counters.last_rewrite_failed.store(true, Ordering::Relaxed);
        }
        prepared
    }

    fn prepare_rewrite(self: &Arc<Self>) -> Result<Rewrite, LogFault> {
        let (place, storage) = (&self.place, &self.place.storage);
        let turns_on = !self.is_on();
        let detached = turns_on || self.sticky_fault().is_err();
        let mut generation = self.generation.lock();
        if detached {
            // The directory itself may be what is missing.
            let made = storage.create_dir_all(&place.dir()).and_then(|()| storage.sync_dir(place.lock.dir()));
            made.map_err(|e| LogFault::new(LogFaultKind::Rewrite, "cannot create", &place.dir(), &e))?;
        }
        if turns_on {
            *generation = self.look_around()?;
        }
        let (base, increment) = (generation.new_base(place), generation.new_increment(place));
        let path = place.path(&increment.name);
        let created = storage.create(&path).and_then(|file| {
            file.sync()?;
            storage.sync_dir(&place.dir())?;
            Ok(file)
        });
        let file = created.map_err(|e| LogFault::new(LogFaultKind::Rewrite, "cannot create", &path, &e))?;
        if !detached {
            let mut manifest = generation.manifest.clone();
            manifest.increments.push(increment.clone());
            generation.install(place, manifest).map_err(|e| self.manifest_fault(&e, &increment))?;
        }
        drop(generation);
        self.counters.repairs.fetch_add(u64::from(detached && !turns_on), Ordering::Relaxed);
        Ok(Rewrite {
            log: self.clone(),
            base,
            increment,
            file,
            detached,
            turns_on,
            stays_off: false,
            cut: None,
            cut_unix_s: 0,
            succeeded: false,
        })
    }

    /// A log that was off may find files of an earlier time, which the rewrite will replace.
    fn look_around(&self) -> Result<Generation, LogFault> {
        let (place, storage) = (&self.place, &self.place.storage);
        let fault = |e: std::io::Error| LogFault::new(LogFaultKind::Rewrite, "cannot use", &place.dir(), &e);
        let names = storage.list(&place.dir()).map_err(fault)?;
        let manifest = match storage.exists(&place.manifest()).map_err(fault)? {
            // One that cannot be read is about to be replaced; the files' names still give free numbers.
            true => Manifest::parse(&storage.read_all(&place.manifest()).map_err(fault)?).unwrap_or_default(),
            false => Manifest::default(),
        };
        Ok(Generation::new(manifest, place, &names))
    }

    /// The manifest could not be replaced. If it surely is the old one, the file that the new one would
    /// have added goes.
    fn manifest_fault(&self, failure: &CommitError, added: &Entry) -> LogFault {
        if !failure.visible {
            let _ = self.place.storage.remove(&self.place.path(&added.name));
        }
        LogFault::new(LogFaultKind::Rewrite, "cannot replace", &self.place.manifest(), &failure.error)
    }

    /// The log is wanted on (`appendonly yes`): a rewrite, which somebody has to order, turns it on.
    pub fn want_on(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Whether it is wanted on and is not: the rewrite that should turn it on is still to come, or has failed.
    pub fn is_missed(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) && !self.is_on()
    }

    /// Turns the log off (`appendonly no`): what is pending is written and synced, the files stay. A rewrite that is under way
    /// does not turn it on again.
    pub fn turn_off(&self, now_unix_ms: i64) -> Result<(), LogFault> {
        let flushed = {
            let mut out = self.out.lock();
            self.wanted.store(false, Ordering::Relaxed);
            self.on.store(false, Ordering::Relaxed);
            self.flush_into(&mut out, now_unix_ms)
        };
        let result = flushed.and_then(|()| self.sync().map(|_| ()));
        let mut out = self.out.lock();
        (out.file, out.number) = (None, 0);
        out.retired.clear();
        result
    }
}

impl Rewrite {
    /// Second step, while no worker is between its first lock and its unlock: the state in memory is that
    /// at the sequence number returned, and everything appended later goes to the new increment. An error
    /// means that nothing has changed; give up then.
    pub fn cut(&mut self, now_unix_ms: i64) -> Result<Seq, LogFault> {
        let log = &self.log;
        let mut out = log.out.lock();
        if !log.wanted.load(Ordering::Relaxed) && !self.turns_on {
            return Err(LogFault::busy("the log was turned off meanwhile"));
        }
        self.stays_off = !log.wanted.load(Ordering::Relaxed);
        if self.detached {
            // The base will hold what is pending: it need not be written, and has nowhere to go.
            let seq = log.pending.lock().discard();
            out.discard();
            log.counters.pending_bytes.store(0, Ordering::Relaxed);
            log.written.store(seq, Ordering::Release);
            if !self.turns_on {
                let path = log.place.path(&self.increment.name);
                let error = std::io::Error::other("a rewrite has to be finished first");
                let number = out.number;
                log.set_fault(LogFault::new(LogFaultKind::Detached, "cannot use", &path, &error), number);
            }
        } else {
            log.sticky_fault()?;
            log.flush_into(&mut out, now_unix_ms)?;
        }
        let seq = log.written();
        (self.cut, self.cut_unix_s) = (Some(seq), now_unix_ms / 1000);
        if self.stays_off {
            return Ok(seq);
        }
        log.counters.size_before.fetch_add(out.len, Ordering::Relaxed);
        if out.unnamed {
            // Of an attempt before this one, which has failed. Nothing in it was ever acknowledged.
            let _ = log.place.storage.remove(&log.place.path(&log.place.increment_name(out.number)));
        }
        out.unnamed = self.detached;
        out.switch(self.file.clone(), self.increment.number);
        log.counters.out_len.store(0, Ordering::Relaxed);
        log.pending.lock().db = None;
        log.on.store(true, Ordering::Relaxed);
        Ok(seq)
    }

    /// The sequence number of the cut, for the base's header.
    pub fn cut_seq(&self) -> Option<Seq> {
        self.cut
    }

    /// Where the base is to be written, after the cut.
    pub fn base_file(&self) -> Result<ReplaceFile, LogFault> {
        let path = self.log.place.path(&self.base.name);
        ReplaceFile::create(&self.log.place.storage, &path)
            .map_err(|e| LogFault::new(LogFaultKind::Rewrite, "cannot create", &path, &e))
    }

    /// Last step: the finished base takes its place. After an error the log goes on with the files it had.
    pub fn finish(mut self, base: ReplaceFile) -> Result<(), LogFault> {
        let log = self.log.clone();
        let place = &log.place;
        let Some(cut) = self.cut else { return Err(LogFault::busy("a rewrite without a cut")) };
        let path = place.path(&self.base.name);
        let failed = |e: CommitError| LogFault::new(LogFaultKind::Rewrite, "cannot write", &path, &e.error);
        let base_len = base.commit().map_err(failed)?;
        if self.detached && !self.stays_off {
            // From here on a manifest may name the file. The line that opens its section is on the device by then: it is
            // written before this sync, or it is synced by whoever writes it.
            log.out.lock().unnamed = false;
            let synced = self.file.sync();
            log.out.lock().unnamed = synced.is_err();
            let path = place.path(&self.increment.name);
            synced.map_err(|e| LogFault::new(LogFaultKind::Rewrite, "cannot sync", &path, &e))?;
        }
        self.install_manifest(base_len)?;
        // What was before the cut is in the base: old files need no sync any more, and their faults are over.
        {
            let mut out = log.out.lock();
            let first = self.increment.number;
            out.retired.retain(|(number, _)| *number >= first);
            log.clear_fault_if(|kind, number| kind.is_sticky() && number < first);
        }
        log.made_durable(cut);
        let keep = *log.keep_history.lock();
        let kept = log.generation.lock().drop_history(place, keep, self.cut_unix_s);
        log.counters.history_bytes.store(kept, Ordering::Relaxed);
        log.counters.rewrites.fetch_add(1, Ordering::Relaxed);
        self.succeeded = true;
        Ok(())
    }

    fn install_manifest(&self, base_len: u64) -> Result<(), LogFault> {
        let log = &self.log;
        let mut generation = log.generation.lock();
        let old = generation.manifest.clone();
        let loses = cfg!(feature = "canary-rewrite-loses");
        let (mut kept, replaced): (Vec<_>, Vec<_>) =
            old.increments.into_iter().partition(|entry| entry.number >= self.increment.number && !loses);
        if self.detached {
            kept = vec![self.increment.clone()];
        }
        let now_replaced = |entry| Entry { replaced_unix_s: Some(self.cut_unix_s), ..entry };
        let replaced = old.base.into_iter().chain(replaced).map(now_replaced);
        let history = old.history.into_iter().chain(replaced).collect();
        let manifest = Manifest { base: Some(self.base.clone()), history, increments: kept };
        generation.install(&log.place, manifest).map_err(|e| log.manifest_fault(&e, &self.base))?;
        log.counters.size_before.store(base_len, Ordering::Relaxed);
        let size = base_len + log.counters.out_len.load(Ordering::Relaxed);
        log.counters.size_at_start.store(size, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Rewrite {
    fn drop(&mut self) {
        let counters = &self.log.counters;
        if self.turns_on && self.cut.is_some() && !self.succeeded {
            // Nothing that a start would find holds what was appended since the cut.
            self.log.on.store(false, Ordering::Relaxed);
            self.log.out.lock().file = None;
        }
        counters.last_rewrite_failed.store(!self.succeeded, Ordering::Relaxed);
        counters.rewriting.store(false, Ordering::Release);
    }
}
