//! A scripted run of appends, flushes, syncs and rewrites, ended at every single operation on the disk, by
//! a kill, a power cut, or a power cut that leaves a random part of what was unsynced. After each end a
//! start must find a prefix of the log that holds everything acknowledged, exactly once: the units are
//! INCRs, so one applied twice or left out shows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::rdb::{Decoder, Header, Item, RdbWriter};
use super::storage::{Fault, FaultyStorage, MemoryStorage, Operation, Storage};
use super::*;
use crate::value::{Text, TextRef, Value, ValueRef};

pub(super) type Model = BTreeMap<Vec<u8>, i64>;
pub(super) type Booted = (Model, Seq, Result<Arc<Log>, OpenError>);

pub(super) const OPTIONS: LogOptions = LogOptions { fsync: Fsync::EverySecond, timestamps: true };

pub(super) fn header(seq: Seq) -> Header<'static> {
    Header {
        redis_version: "7.0.15",
        created_unix_s: 1_700_000_000,
        used_memory: 1,
        aof_base: true,
        seq: Some(seq),
    }
}

/// The state after so many units.
pub(super) fn state_at(seq: Seq) -> Model {
    let mut model = Model::new();
    for unit in 1..=seq {
        for key in keys_of(unit) {
            *model.entry(key.into_bytes()).or_default() += 1;
        }
    }
    model
}

/// Every third unit is a transaction of two commands.
fn keys_of(unit: Seq) -> Vec<String> {
    let first = format!("k{}", unit % 4);
    if unit.is_multiple_of(3) { vec![first, "both".to_owned()] } else { vec![first] }
}

pub(super) struct Run {
    pub(super) log: Arc<Log>,
    pub(super) units: Seq,
    /// Acknowledged as with the operating system, and as on the device.
    pub(super) flushed: Seq,
    pub(super) synced: Seq,
    pub(super) now_ms: i64,
}

impl Run {
    pub(super) fn new(log: Arc<Log>) -> Self {
        let last = log.appended();
        Self { log, units: last, flushed: last, synced: last, now_ms: 1_700_000_000_000 }
    }

    pub(super) fn write(&mut self, units: u64) {
        for _ in 0..units {
            self.units += 1;
            let keys = keys_of(self.units);
            let seq = self.log.append((self.units % 2) as u32, |out| {
                let word = |out: &mut Vec<u8>, word: &'static str| {
                    encode_command(out, [word.as_bytes()].into_iter());
                };
                if keys.len() > 1 {
                    word(out, "MULTI");
                }
                for key in &keys {
                    encode_command(out, [b"INCR".as_slice(), key.as_bytes()].into_iter());
                }
                if keys.len() > 1 {
                    word(out, "EXEC");
                }
            });
            assert_eq!(seq, self.units);
        }
        self.now_ms = self.now_ms.saturating_add(400);
        if self.log.flush(self.units, self.now_ms).is_ok() {
            self.flushed = self.units;
        }
    }

    pub(super) fn sync(&mut self) {
        if let Ok(seq) = self.log.sync() {
            self.synced = self.synced.max(seq);
        }
        assert!(self.log.durable() <= self.log.written() && self.log.written() <= self.log.appended());
    }

    /// A rewrite with writes between its steps.
    pub(super) fn rewrite(&mut self) -> Result<(), LogFault> {
        let mut rewrite = self.log.begin_rewrite()?;
        self.write(2);
        let cut = rewrite.cut(self.now_ms)?;
        assert_eq!(cut, self.units);
        let state = state_at(cut);
        self.write(3);
        let io = |e: std::io::Error| LogFault::new(LogFaultKind::Rewrite, "write", Path::new(""), &e);
        let mut writer = RdbWriter::new(rewrite.base_file()?, &header(cut), true).map_err(io)?;
        for (key, value) in &state {
            writer.key(key, ValueRef::Text(TextRef::Int(*value)), None).map_err(io)?;
        }
        let file = writer.finish().map_err(io)?;
        self.write(1);
        rewrite.finish(file)?;
        self.synced = self.synced.max(self.log.durable());
        if self.log.fault().is_none() {
            self.flushed = self.flushed.max(cut);
        }
        Ok(())
    }

    fn script(&mut self) {
        self.write(3);
        self.sync();
        self.write(1);
        self.log.tick(1);
        self.log.tick(2);
        self.synced = self.synced.max(self.log.durable());
        self.write(2);
        let _ = self.rewrite();
        self.write(1);
        self.sync();
        self.write(2);
        let _ = self.rewrite();
        self.write(1);
        if self.log.shutdown(self.now_ms).is_ok() {
            self.synced = self.units;
        }
    }
}

pub(super) fn open_on(storage: Arc<dyn Storage>) -> Result<Opened, OpenError> {
    let lock = DirectoryLock::take(&*storage, Path::new("d"));
    let io = |error| OpenError::Io { doing: "lock", path: "d".into(), error };
    open(storage, Arc::new(lock.map_err(io)?), Names::default())
}

/// Opens, loads and starts; gives the state, and the log if it could be started.
pub(super) fn boot(storage: Arc<dyn Storage>) -> Result<Booted, OpenError> {
    let mut opened = open_on(storage.clone())?;
    let mut model = Model::new();
    if let Some(base) = &opened.base {
        let error = |error| OpenError::Io { doing: "read", path: base.path.clone(), error };
        let bytes = storage.read_all(&base.path).map_err(error)?;
        let mut decoder = Decoder::new(&bytes).unwrap();
        while let Some(item) = decoder.next().unwrap() {
            if let Item::Entry { key, value: Value::Text(Text::Int(n)), .. } = item {
                model.insert(key.into_owned(), n);
            }
        }
    }
    let recovery = opened.replay(|batch| {
        for unit in batch.units() {
            for command in unit.commands() {
                assert_eq!(u64::from(command.db), unit.seq % 2);
                assert_eq!(command.args[0], b"INCR");
                *model.entry(command.args[1].to_vec()).or_default() += 1;
            }
        }
    })?;
    let last = recovery.last;
    Ok((model, last, opened.start(OPTIONS, &header(0))))
}

#[derive(Debug, Clone, Copy)]
enum End {
    Kill,
    PowerCut,
    TornPowerCut(u64),
}

/// One run that ends at operation `halt`, and what comes after. Returns whether the run got to its own end.
fn run_until(halt: u64, end: End, faults: &[Fault]) -> bool {
    let what = format!("halted at {halt}, {end:?}, {faults:?}");
    let memory = MemoryStorage::new();
    let faulty = FaultyStorage::new(Arc::new(memory.clone()));
    faulty.halt_at(halt);
    for fault in faults {
        faulty.inject(*fault);
    }
    let (mut flushed, mut synced, mut units) = (0, 0, 0);
    if let Ok((_, _, Ok(log))) = boot(Arc::new(faulty.clone())) {
        let mut run = Run::new(log);
        run.script();
        (flushed, synced, units) = (run.flushed, run.synced, run.units);
    }
    let promised = match end {
        End::Kill => flushed,
        _ => synced,
    };
    match end {
        End::Kill => memory.kill(),
        End::PowerCut => memory.crash(),
        End::TornPowerCut(seed) => memory.crash_torn(seed),
    }
    // The recovery is cut short too, at several places, before one is let through.
    for again in [2, 5, 9, 14] {
        let faulty = FaultyStorage::new(Arc::new(memory.clone()));
        faulty.halt_at(again);
        let _ = boot(Arc::new(faulty));
        match end {
            End::Kill => memory.kill(),
            End::PowerCut => memory.crash(),
            End::TornPowerCut(seed) => memory.crash_torn(seed + again),
        }
    }
    let (model, last, log) = boot(Arc::new(memory.clone())).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(last >= promised && last <= units, "{what}: {promised} <= {last} <= {units}");
    assert_eq!(model, state_at(last), "{what}");

    // What a start has served must not be lost by a power cut right after it.
    assert!(log.is_ok(), "{what}");
    memory.crash();
    let (model, again, log) = boot(Arc::new(memory.clone())).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!((again, &model), (last, &state_at(last)), "{what}");

    // Life goes on from there, and the next start finds it.
    let mut run = Run::new(log.unwrap_or_else(|e| panic!("{what}: {e}")));
    run.write(4);
    run.sync();
    run.rewrite().unwrap_or_else(|e| panic!("{what}: {e}"));
    run.write(1);
    run.sync();
    assert_eq!(run.synced, run.units, "{what}");
    memory.crash();
    let (model, last, _) = boot(Arc::new(memory)).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!((last, model), (run.units, state_at(run.units)), "{what}");
    faulty.operations() < halt
}

fn at_every_operation(faults: &[Fault], seeds: u64) {
    let ends = [End::Kill, End::PowerCut].into_iter().chain((1..=seeds).map(|s| End::TornPowerCut(s * 7919)));
    for end in ends {
        let mut halt = 1;
        while !run_until(halt, end, faults) {
            halt += 1;
        }
        assert!(halt > 60, "the run is too short to tell anything: {halt}");
    }
}

#[test]
fn a_crash_at_any_operation_loses_nothing_acknowledged() {
    at_every_operation(&[], 12);
}

#[test]
fn a_crash_at_any_operation_after_a_failed_sync_loses_nothing_acknowledged() {
    for nth in 5..16 {
        let fault = Fault { operation: Operation::Sync, nth, errno: 5, sticky: false, short: 0 };
        at_every_operation(&[fault], 1);
    }
}

#[test]
fn a_crash_at_any_operation_after_a_full_disk_loses_nothing_acknowledged() {
    for (nth, short) in [(3, 0), (4, 7), (6, 1), (9, 30)] {
        let fault = Fault { operation: Operation::Write, nth, errno: 28, sticky: false, short };
        let no_cut = Fault { operation: Operation::Truncate, nth: 1, errno: 5, sticky: false, short: 0 };
        at_every_operation(&[fault], 1);
        at_every_operation(&[fault, no_cut], 1);
    }
}

pub(super) fn started() -> (MemoryStorage, FaultyStorage, Run) {
    let memory = MemoryStorage::new();
    let faulty = FaultyStorage::new(Arc::new(memory.clone()));
    let run = Run::new(boot(Arc::new(faulty.clone())).unwrap().2.unwrap());
    (memory, faulty, run)
}

#[test]
fn a_full_disk_is_a_fault_until_there_is_room_and_then_everything_is_written_in_order() {
    let (memory, faulty, mut run) = started();
    run.write(2);
    faulty.inject(Fault { operation: Operation::Write, nth: 1, errno: 28, sticky: true, short: 5 });
    run.write(2);
    assert_eq!((run.log.fault(), run.flushed, run.log.written()), (Some(LogFaultKind::Write), 2, 2));
    assert!(!run.log.stats().last_write_ok && run.log.stats().pending_bytes > 0);
    faulty.heal();
    run.log.tick(1);
    assert_eq!((run.log.fault(), run.log.written(), run.log.durable()), (None, 4, 4));
    assert!(run.log.fault_text().is_none());
    drop(run);
    memory.crash();
    assert_eq!(boot(Arc::new(memory)).unwrap().0, state_at(4));
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_until_a_rewrite_and_no_sync_is_tried_again() {
    let (_, faulty, mut run) = started();
    run.write(2);
    faulty.inject(Fault { operation: Operation::Sync, nth: 1, errno: 5, sticky: false, short: 0 });
    run.sync();
    assert_eq!((run.log.fault(), run.log.durable()), (Some(LogFaultKind::Sync), 0));
    let syncs = faulty.count(Operation::Sync);
    run.log.tick(1);
    run.write(1);
    run.sync();
    assert_eq!((run.flushed, run.synced, faulty.count(Operation::Sync)), (2, 0, syncs));
    run.rewrite().unwrap();
    run.write(1);
    run.sync();
    assert_eq!((run.log.fault(), run.synced), (None, run.units));
}

#[test]
fn a_removed_file_is_noticed_and_a_rewrite_helps() {
    let (memory, _, mut run) = started();
    run.write(1);
    memory.remove(Path::new("d/appendonlydir/appendonly.aof.1.incr.aof")).unwrap();
    run.log.tick(1);
    assert_eq!(run.log.fault(), Some(LogFaultKind::Unlinked));
    run.rewrite().unwrap();
    assert_eq!(run.log.fault(), None);
    run.write(1);
    run.sync();
    memory.crash();
    assert_eq!(boot(Arc::new(memory)).unwrap().0, state_at(run.units));
}

#[test]
fn those_who_wait_for_the_device_are_called_when_it_has_their_writes_or_when_it_will_not() {
    let (_, faulty, mut run) = started();
    let (tell, told) = std::sync::mpsc::channel();
    let wait = |seq: Seq| {
        let tell = tell.clone();
        Box::new(move || tell.send(seq).unwrap())
    };
    run.write(2);
    run.log.on_durable(2, wait(2));
    run.log.on_durable(3, wait(3));
    assert!(told.try_recv().is_err());
    run.sync();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [2]);
    run.log.on_durable(1, wait(1));
    assert_eq!(told.try_recv(), Ok(1));
    faulty.inject(Fault { operation: Operation::Sync, nth: 1, errno: 5, sticky: false, short: 0 });
    run.write(1);
    run.sync();
    assert_eq!(told.try_recv(), Ok(3));
    assert_eq!(run.log.durable(), 2);
}

#[test]
fn the_sync_thread_syncs_when_asked_and_ends_with_shutdown() {
    let (_, _, mut run) = started();
    run.log.spawn_sync_thread().unwrap();
    run.write(3);
    let (tell, told) = std::sync::mpsc::channel();
    run.log.on_durable(3, Box::new(move || tell.send(()).unwrap()));
    told.recv().unwrap();
    assert_eq!(run.log.durable(), 3);
    run.write(1);
    run.log.shutdown(run.now_ms).unwrap();
    assert_eq!(run.log.durable(), 4);
}

/// A rewrite of a log whose data is empty.
fn rewrite_empty(log: &Arc<Log>) {
    let mut rewrite = log.begin_rewrite().unwrap();
    let cut = rewrite.cut(0).unwrap();
    let writer = RdbWriter::new(rewrite.base_file().unwrap(), &header(cut), true).unwrap();
    rewrite.finish(writer.finish().unwrap()).unwrap();
}

#[test]
fn a_log_that_is_turned_off_during_a_rewrite_stays_off() {
    let (memory, _, mut run) = started();
    run.write(3);
    let mut rewrite = run.log.begin_rewrite().unwrap();
    run.log.turn_off(0).unwrap();
    assert!(rewrite.cut(0).is_err());
    drop(rewrite);
    assert!(!run.log.is_on());
    // On and off again before the rewrite that turning it on had ordered.
    run.log.want_on();
    run.log.turn_off(0).unwrap();
    rewrite_empty(&run.log);
    assert!(!run.log.is_on());
    let rewrite = run.log.begin_rewrite().unwrap();
    drop(rewrite);
    assert!(!run.log.is_on());
    memory.crash();
    assert!(boot(Arc::new(memory)).is_ok());
}

#[test]
fn a_log_that_was_off_is_turned_on_by_a_rewrite_and_off_again() {
    let memory = MemoryStorage::new();
    let storage: Arc<dyn Storage> = Arc::new(memory.clone());
    let lock = Arc::new(DirectoryLock::take(&*storage, Path::new("d")).unwrap());
    let log = Log::off(storage, lock, Names::default(), OPTIONS);
    assert_eq!(log.append(0, |_| unreachable!()), 0);
    rewrite_empty(&log);
    assert!(!log.is_on(), "nobody wanted it on");
    assert_eq!(log.append(0, |_| unreachable!()), 0);
    log.want_on();
    rewrite_empty(&log);
    assert!(log.is_on());
    let mut run = Run::new(log);
    run.write(4);
    run.log.turn_off(0).unwrap();
    assert_eq!(run.log.append(0, |_| unreachable!()), 0);
    memory.crash();
    assert_eq!(boot(Arc::new(memory)).unwrap().0, state_at(4));
}

#[test]
fn a_second_server_is_kept_out_and_damage_is_told_with_its_place() {
    let (memory, _, mut run) = started();
    assert!(matches!(open_on(Arc::new(memory.clone())), Err(OpenError::Io { doing: "lock", .. })));
    run.write(2);
    run.log.shutdown(run.now_ms).unwrap();
    drop(run);
    let path = Path::new("d/appendonlydir/appendonly.aof.1.incr.aof");
    let mut bytes = memory.read_all(path).unwrap();
    let at = memchr::memmem::find(&bytes, b"INCR").unwrap();
    bytes[at] = b'X';
    super::storage::write_all(&*memory.create(path).unwrap(), &bytes).unwrap();
    let error = boot(Arc::new(memory.clone())).err().unwrap();
    assert!(matches!(error, OpenError::Corrupt { seq: 0, .. }), "{error}");
    assert_eq!(memory.read_all(path).unwrap(), bytes);
}

#[test]
fn files_without_a_manifest_are_refused_and_a_single_old_file_is_adopted() {
    let (memory, _, mut run) = started();
    run.write(2);
    drop(run);
    memory.kill();
    memory.remove(Path::new("d/appendonlydir/appendonly.aof.manifest")).unwrap();
    assert!(matches!(boot(Arc::new(memory)), Err(OpenError::NoManifest { .. })));

    let memory = MemoryStorage::new();
    let file = memory.create(Path::new("d/appendonly.aof")).unwrap();
    super::storage::write_all(&*file, b"*1\r\n$4\r\nPING\r\n").unwrap();
    let opened = open_on(Arc::new(memory)).unwrap();
    let base = opened.base.as_ref().unwrap();
    assert_eq!((base.kind, base.len, opened.fresh), (BaseKind::Commands, 14, false));
    opened.start(OPTIONS, &header(0)).map(|log| assert!(log.is_on())).unwrap();
}

#[test]
fn a_torn_end_is_kept_aside_with_all_that_follows_it_however_often_the_recovery_is_cut_short() {
    const FIRST: &str = "d/appendonlydir/appendonly.aof.1.incr.aof";
    for halt in 1..40 {
        let (memory, _, mut run) = started();
        run.write(2);
        run.sync();
        run.write(2);
        // Two rewrites that get no further than their cuts leave three increments.
        for _ in 0..2 {
            run.log.begin_rewrite().unwrap().cut(run.now_ms).unwrap();
            run.write(1);
        }
        drop(run);
        memory.kill();
        let path = Path::new(FIRST);
        let whole = memory.read_all(path).unwrap();
        let file = memory.open_append(path).unwrap();
        file.truncate(whole.len() as u64 - 3).unwrap();
        for number in 1..=3 {
            let name = format!("d/appendonlydir/appendonly.aof.{number}.incr.aof");
            memory.open_append(Path::new(&name)).unwrap().sync().unwrap();
        }

        let faulty = FaultyStorage::new(Arc::new(memory.clone()));
        faulty.halt_at(halt);
        let _ = boot(Arc::new(faulty));
        memory.crash();
        let mut opened = open_on(Arc::new(memory.clone())).unwrap();
        let recovery = opened.replay(|_| ()).unwrap().clone();
        assert_eq!(recovery.last, 2, "halted at {halt}");
        drop(opened);
        let kept = memory.read_all(Path::new(&format!("{FIRST}.tail-2"))).unwrap();
        let left = memory.read_all(path).unwrap();
        assert_eq!([left, kept].concat(), whole[..whole.len() - 3], "halted at {halt}");
        for number in [2, 3] {
            // Whoever was ended between the two steps has left it under its own name, where nothing reads it.
            let name = format!("d/appendonlydir/appendonly.aof.{number}.incr.aof");
            let kept = memory.read_all(Path::new(&format!("{name}.tail-2")));
            let kept = kept.or_else(|_| memory.read_all(Path::new(&name))).unwrap();
            assert!(kept.starts_with(b"#PS:"), "halted at {halt}");
        }
        let manifest = memory.read_all(Path::new("d/appendonlydir/appendonly.aof.manifest")).unwrap();
        assert!(!manifest.windows(6).any(|name| name == b"2.incr" || name == b"3.incr"), "halted at {halt}");
        assert_eq!(boot(Arc::new(memory)).unwrap().0, state_at(2), "halted at {halt}");
    }
}
