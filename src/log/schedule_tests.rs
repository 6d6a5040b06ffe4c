//! Appenders, those who wait for the device, the sync thread and a rewrite, under a scheduler that tries thousands of orders
//! in which they may meet (see `base/sync.rs`). Each order must come to an end, which no lost call allows; whoever is told
//! that a record is on the device finds it there after a power cut; and no number is given out twice or left out.
//!
//! `cargo test --features shuttle --lib schedule_tests`

use std::path::Path;
use std::sync::Arc;

use shuttle::sync::{Mutex, mpsc};
use shuttle::thread;

use super::crash_tests::{Model, boot, header};
use super::rdb::RdbWriter;
use super::storage::MemoryStorage;
use super::*;
use crate::value::{TextRef, ValueRef};

const NOW: i64 = 1_700_000_000_000;
const WRITERS: usize = 3;
const UNITS: i64 = 2;

/// The table: changed while its lock is held, as a stripe is, with the record's number taken meanwhile.
type Table = Arc<Mutex<Model>>;

fn write(log: &Log, table: &Table, key: &str) -> Seq {
    let mut table = table.lock().unwrap();
    *table.entry(key.as_bytes().to_vec()).or_default() += 1;
    let db = (log.appended() + 1) % 2;
    log.append(db as u32, |out| encode_command(out, [b"INCR".as_slice(), key.as_bytes()].into_iter()))
}

/// As a worker does with `appendfsync always`: it comes back when the record is on the device.
fn wait_for_device(log: &Log, seq: Seq, syncs_itself: bool) {
    log.flush(seq, NOW).unwrap();
    if syncs_itself {
        log.sync_unless_busy().transpose().unwrap();
    }
    while log.durable() < seq {
        let (sender, receiver) = mpsc::channel();
        log.on_durable(seq, Box::new(move || sender.send(()).unwrap()));
        receiver.recv().unwrap();
    }
}

fn started() -> (MemoryStorage, Arc<Log>, Table) {
    let memory = MemoryStorage::new();
    let log = boot(Arc::new(memory.clone())).unwrap().2.unwrap();
    log.set_fsync(Fsync::Always);
    log.spawn_sync_thread().unwrap();
    (memory, log, Table::default())
}

fn writers(log: &Arc<Log>, table: &Table) -> Vec<thread::JoinHandle<()>> {
    let writer = |n: usize| {
        let (log, table) = (log.clone(), table.clone());
        thread::spawn(move || {
            for _ in 0..UNITS {
                let seq = write(&log, &table, &format!("k{n}"));
                wait_for_device(&log, seq, n > 0);
            }
        })
    };
    (0..WRITERS).map(writer).collect()
}

/// Ends it all and cuts the power: everything was told to be on the device.
fn verify(memory: &MemoryStorage, log: Arc<Log>, table: &Table) {
    let all = (WRITERS as i64 * UNITS) as Seq;
    assert_eq!((log.appended(), log.durable()), (all, all));
    memory.crash();
    // Its files lead nowhere now. The thread must be gone before the scheduler counts who is left.
    let _ = log.shutdown(NOW);
    drop(log);
    assert_eq!(boot(Arc::new(memory.clone())).unwrap().0, *table.lock().unwrap());
}

fn who_waits_is_called() {
    let (memory, log, table) = started();
    writers(&log, &table).into_iter().for_each(|writer| writer.join().unwrap());
    verify(&memory, log, &table);
}

fn a_rewrite_goes_on_beside() {
    let (memory, log, table) = started();
    let writers = writers(&log, &table);
    let mut rewrite = log.begin_rewrite().unwrap();
    let (cut, state) = {
        let table = table.lock().unwrap();
        (rewrite.cut(NOW).unwrap(), table.clone())
    };
    let fault = |e: std::io::Error| LogFault::new(LogFaultKind::Rewrite, "write", Path::new(""), &e);
    let mut base = RdbWriter::new(rewrite.base_file().unwrap(), &header(cut), true).map_err(fault).unwrap();
    for (key, value) in &state {
        base.key(key, ValueRef::Text(TextRef::Int(*value)), None).unwrap();
    }
    rewrite.finish(base.finish().unwrap()).unwrap();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    verify(&memory, log, &table);
}

#[test]
fn whoever_waits_for_the_device_is_called_in_every_order() {
    shuttle::check_random(who_waits_is_called, 2_000);
    shuttle::check_pct(who_waits_is_called, 2_000, 3);
}

#[test]
fn a_rewrite_loses_nothing_in_any_order() {
    shuttle::check_random(a_rewrite_goes_on_beside, 1_500);
    shuttle::check_pct(a_rewrite_goes_on_beside, 1_500, 3);
}
