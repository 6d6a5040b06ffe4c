//! Faults of the disk, one at a time: what is acknowledged meanwhile (nothing that does not hold), and how service resumes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::crash_tests::{OPTIONS, Run, boot, header, started, state_at};
use super::rdb::RdbWriter;
use super::storage::{Fault, MemoryStorage, Operation, Storage};
use super::*;

const ENOSPC: i32 = 28;
const EINTR: i32 = 4;
const EFBIG: i32 = 27;
const EIO: i32 = 5;

fn fault(operation: Operation, nth: u64, errno: i32) -> Fault {
    Fault { operation, nth, errno, sticky: false, short: 0 }
}

/// The state that a start finds after a power cut.
fn after_crash(memory: MemoryStorage, run: Run) {
    let units = run.units;
    drop(run);
    memory.crash();
    assert_eq!(boot(Arc::new(memory)).unwrap().0, state_at(units));
}

#[test]
fn short_writes_and_interruptions_are_invisible() {
    let (memory, faulty, mut run) = started();
    for n in 0..40 {
        faulty.inject(Fault { short: n % 7 + 1, ..fault(Operation::Write, 1, 0) });
        faulty.inject(fault(Operation::Write, 2, EINTR));
        run.write(1);
        assert_eq!((run.log.fault(), run.flushed), (None, run.units));
    }
    run.sync();
    after_crash(memory, run);
}

#[test]
fn a_write_that_writes_nothing_is_a_fault_that_passes() {
    let (memory, faulty, mut run) = started();
    faulty.inject(Fault { short: 0, ..fault(Operation::Write, 1, 0) });
    run.write(1);
    assert_eq!((run.log.fault(), run.flushed), (Some(LogFaultKind::Write), 0));
    run.log.tick(1);
    assert_eq!(run.log.fault(), None);
    after_crash(memory, run);
}

#[test]
fn a_file_that_may_not_grow_is_continued_by_a_shorter_one() {
    let (memory, faulty, mut run) = started();
    run.write(2);
    faulty.inject(Fault { short: 9, ..fault(Operation::Write, 1, EFBIG) });
    run.write(2);
    assert_eq!((run.log.fault(), run.flushed), (Some(LogFaultKind::TooLong), 2));
    // Waiting does not help, and nothing is acknowledged meanwhile although the disk would take it.
    run.log.tick(1);
    run.write(1);
    run.sync();
    assert_eq!((run.log.fault(), run.flushed, run.synced), (Some(LogFaultKind::TooLong), 2, 0));
    assert!(!run.log.stats().last_write_ok && run.log.stats().last_fsync_ok);
    run.rewrite().unwrap();
    run.write(1);
    run.sync();
    assert_eq!((run.log.fault(), run.synced), (None, run.units));
    after_crash(memory, run);
}

#[test]
fn attempts_to_begin_a_new_generation_that_fail_leave_nothing_acknowledged_and_no_pile_of_files() {
    let (memory, faulty, mut run) = started();
    run.write(2);
    run.sync();
    faulty.inject(fault(Operation::Sync, 1, EIO));
    run.write(1);
    run.sync();
    assert_eq!(run.log.fault(), Some(LogFaultKind::Sync));
    for _ in 0..5 {
        // The base cannot be put in place.
        faulty.inject(fault(Operation::Rename, 1, EIO));
        assert!(run.rewrite().is_err());
        assert!(run.log.fault().is_some());
        run.write(1);
        assert_eq!((run.flushed, run.synced), (3, 2));
        assert!(!run.log.stats().last_rewrite_ok);
    }
    let names = memory.list(Path::new("d/appendonlydir")).unwrap();
    assert!(names.len() <= 5, "{names:?}");
    run.rewrite().unwrap();
    run.write(1);
    run.sync();
    assert_eq!((run.log.fault(), run.synced), (None, run.units));
    assert_eq!(run.log.stats().repairs, 6);
    let names = memory.list(Path::new("d/appendonlydir")).unwrap();
    assert_eq!(names.len(), 3, "{names:?}");
    after_crash(memory, run);
}

#[test]
fn a_new_file_opens_with_a_line_that_lasts_even_while_the_file_before_it_has_a_fault() {
    for syncs_that_fail in [1, 2] {
        let (memory, faulty, mut run) = started();
        run.write(2);
        let mut rewrite = run.log.begin_rewrite().unwrap();
        let cut = rewrite.cut(run.now_ms).unwrap();
        (1..=syncs_that_fail).for_each(|nth| faulty.inject(fault(Operation::Sync, nth, EIO)));
        run.sync();
        assert_eq!(run.log.fault(), Some(LogFaultKind::Sync));
        run.write(1);
        let base = RdbWriter::new(rewrite.base_file().unwrap(), &header(cut), true).unwrap();
        rewrite.finish(base.finish().unwrap()).unwrap();
        let is_whole = syncs_that_fail == 1;
        // The rewrite ends the old file's fault, but not one of the file that goes on.
        assert_eq!(run.log.fault(), (!is_whole).then_some(LogFaultKind::Sync));
        memory.crash();
        let left = memory.read_all(Path::new("d/appendonlydir/appendonly.aof.2.incr.aof")).unwrap();
        assert_eq!(left.starts_with(b"#PS:1:"), is_whole, "{}", left.escape_ascii());
    }
}

#[test]
fn a_file_that_a_rewrite_has_removed_is_missed_by_nobody_however_late_its_absence_is_seen() {
    let (_, _, mut run) = started();
    run.write(1);
    let path = Path::new("d/appendonlydir/appendonly.aof.1.incr.aof");
    run.rewrite().unwrap();
    run.log.note_unlinked(1, path);
    assert_eq!(run.log.fault(), None);
    run.log.note_unlinked(2, path);
    assert_eq!(run.log.fault(), Some(LogFaultKind::Unlinked));
}

#[test]
fn the_sync_thread_resumes_by_itself_when_there_is_room() {
    let (memory, faulty, mut run) = started();
    run.log.spawn_sync_thread().unwrap();
    faulty.inject(Fault { sticky: true, ..fault(Operation::Write, 1, ENOSPC) });
    run.write(2);
    assert_eq!((run.log.fault(), run.flushed), (Some(LogFaultKind::Write), 0));
    faulty.heal();
    while run.log.fault().is_some() || run.log.durable() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    after_crash(memory, run);
}

#[test]
fn who_waits_for_the_device_is_told_nothing_while_a_sync_does_not_come_back() {
    let (_, faulty, mut run) = started();
    // The first write of a file waits for a sync of its own: that of the line that opens the section.
    run.write(1);
    run.log.sync().unwrap();
    run.log.spawn_sync_thread().unwrap();
    faulty.hold_syncs(true);
    run.write(2);
    let (tell, told) = std::sync::mpsc::channel();
    run.log.on_durable(3, Box::new(move || tell.send(()).unwrap()));
    assert!(told.recv_timeout(Duration::from_millis(50)).is_err());
    assert_eq!((run.log.written(), run.log.durable()), (3, 1));
    faulty.hold_syncs(false);
    told.recv().unwrap();
    assert_eq!(run.log.durable(), 3);
}

#[test]
fn the_sync_of_each_second_is_left_out_for_a_rewrite_only_where_nobody_was_promised_it() {
    let (_, faulty, mut run) = started();
    run.log.set_no_sync_on_rewrite(true);
    let rewrite = run.log.begin_rewrite().unwrap();
    run.write(1);
    let syncs = faulty.count(Operation::Sync);
    run.log.tick(1);
    assert_eq!((run.log.durable(), faulty.count(Operation::Sync)), (0, syncs));
    run.log.set_fsync(Fsync::Always);
    run.log.tick(2);
    assert_eq!(run.log.durable(), 1);
    run.log.set_fsync(Fsync::EverySecond);
    run.write(1);
    drop(rewrite);
    run.log.tick(3);
    assert_eq!(run.log.durable(), 2);
}

#[test]
fn a_clock_that_jumps_harms_no_write_and_no_sync() {
    let (memory, _, mut run) = started();
    for now in [i64::MIN, i64::MAX, 0, -1, 1 << 40, i64::MIN + 1, 1_700_000_000_000] {
        run.now_ms = now.saturating_sub(400);
        run.write(2);
        assert_eq!(run.flushed, run.units, "{now}");
        run.log.tick(1);
        assert_eq!(run.log.durable(), run.units, "{now}");
        run.rewrite().unwrap();
    }
    assert_eq!(OPTIONS.fsync, Fsync::EverySecond);
    run.sync();
    after_crash(memory, run);
}
