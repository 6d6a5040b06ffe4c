//! With `appendfsync always` and a disk that takes nothing more: a write that waits in memory for room is not shown, and
//! everything else is. Who only looks is refused what he may not see, and keeps his connection.

use std::time::Duration;

use super::durable_tests::{PATIENCE, Served, http, resp, serve};
use crate::exec::outage::HOLD_MS;
use crate::log::storage::{Fault, Operation};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
/// Its time comes when the disk is full already: else its removal could be what waits for room.
const BRIEFLY: &str = " PX 700";
const REFUSED: &str = "-MISCONF What was changed last is not on the disk";

/// A key in another stripe than `key`.
fn elsewhere(served: &Served, key: &str) -> String {
    let stripe = |key: &str| served.ctx.table.address(0, key.as_bytes()).stripe();
    (0..).map(|n| format!("key:{n}")).find(|other| stripe(other) != stripe(key)).unwrap()
}

/// The disk is full, and one write, `SET stuck 2`, was executed before anybody knew.
fn full() -> (Served, String) {
    let served = serve();
    let other = elsewhere(&served, "stuck");
    let mut writer = resp(&served);
    for (key, rest) in [("stuck", ""), (other.as_str(), ""), ("brief", BRIEFLY)] {
        writer.send(&format!("SET {key} 1{rest}\r\n"));
        writer.hears("+OK\r\n");
    }
    served.disk.inject(Fault { operation: Operation::Write, nth: 1, errno: ENOSPC, sticky: true, short: 3 });
    writer.send("SET stuck 2\r\n");
    // Whether it will last nobody can say yet.
    writer.is_closed_unanswered();
    std::thread::sleep(Duration::from_millis(750));
    (served, other)
}

#[test]
fn only_what_waits_for_room_is_refused() {
    let (served, other) = full();
    let mut reader = resp(&served);
    let not_stuck: &[(String, &str)] = &[
        ("HELLO 2".to_owned(), "proto"),
        ("SELECT 0".to_owned(), "+OK\r\n"),
        ("CLIENT SETNAME me".to_owned(), "+OK\r\n"),
        (format!("GET {other}"), "$1\r\n1\r\n"),
        (format!("MGET {other} {other}"), "*2\r\n$1\r\n1\r\n$1\r\n1\r\n"),
        (format!("MULTI\r\nGET {other}\r\nEXEC"), "*1\r\n$1\r\n1\r\n"),
        ("INFO persistence".to_owned(), "aof_last_write_status:err"),
        ("CONFIG GET appendfsync".to_owned(), "always"),
        ("GET nothing".to_owned(), "$-1\r\n"),
        // Its time has come; that it goes must not be recorded now.
        ("GET brief".to_owned(), "$-1\r\n"),
        (format!("SET {other} 2"), "-MISCONF Errors writing to the AOF file"),
    ];
    let stuck = [
        "GET stuck".to_owned(),
        "TTL stuck".to_owned(),
        "LLEN stuck".to_owned(),
        format!("MGET {other} stuck"),
        "MULTI\r\nGET stuck\r\nEXEC".to_owned(),
        "EVAL_RO \"return redis.call('get', KEYS[1])\" 1 stuck".to_owned(),
        "DBSIZE".to_owned(),
        "KEYS *".to_owned(),
        "SCAN 0".to_owned(),
    ];
    for (look, sees) in not_stuck {
        reader.send(&format!("{look}\r\n"));
        reader.hears(sees);
    }
    for look in stuck {
        reader.send(&format!("{look}\r\n"));
        reader.hears(REFUSED);
    }
    let mut gateway = http(&served);
    let ask = |key: &str| format!("GET /-/redis/get/{key} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    gateway.send(&ask("stuck"));
    gateway.hears("HTTP/1.1 503");
    gateway.send(&ask(&other));
    gateway.hears("\"1\"");
}

#[test]
fn what_waited_is_shown_when_there_is_room() {
    let (served, _) = full();
    let mut reader = resp(&served);
    reader.send("GET stuck\r\n");
    reader.hears(REFUSED);
    served.disk.heal();
    let began = served.ctx.clock.elapsed();
    while served.ctx.log.fault().is_some() && served.ctx.clock.elapsed() - began < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
    reader.send("GET stuck\r\n");
    reader.hears("$1\r\n2\r\n");
    // Whose time came meanwhile goes now.
    std::thread::sleep(Duration::from_millis(2 * HOLD_MS as u64));
    reader.send("GET brief\r\n");
    reader.hears("$-1\r\n");
    reader.send("DBSIZE\r\n");
    reader.hears(":2\r\n");
}

#[test]
fn nobody_tries_again_and_again_while_the_disk_is_full() {
    let (served, _) = full();
    let before = served.disk.count(Operation::Write);
    let mut reader = resp(&served);
    let began = served.ctx.clock.elapsed();
    while served.ctx.clock.elapsed() - began < Duration::from_millis(500) {
        reader.send("GET stuck\r\n");
        reader.hears(REFUSED);
    }
    let tried = served.disk.count(Operation::Write) - before;
    assert!(tried <= 20, "{tried} writes were tried");
}

/// The log fails while looks that wait for a sync are under way.
#[test]
fn looks_under_way_are_refused_when_the_sync_fails() {
    let served = serve();
    let other = elsewhere(&served, "stuck");
    let mut writers = [0; 2].map(|_| resp(&served));
    writers[0].send("SET stuck 1\r\n");
    writers[0].hears("+OK\r\n");
    writers[0].looks_around();
    served.disk.hold_syncs(true);
    for (writer, write) in
        writers.iter_mut().zip([format!("SET {other} 1\r\n"), "SET stuck 2\r\n".to_owned()])
    {
        let before = served.ctx.log.written();
        let syncs = served.disk.count(Operation::Sync);
        writer.send(&write);
        while served.ctx.log.written() == before || served.disk.count(Operation::Sync) == syncs && before == 1
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        // The sync under way is the first write's; the next one fails.
        if before == 1 {
            served.disk.inject(Fault {
                operation: Operation::Sync,
                nth: 1,
                errno: EIO,
                sticky: true,
                short: 0,
            });
        }
    }
    let mut reader = resp(&served);
    let mut mover = resp(&served);
    reader.send("GET stuck\r\nGET nothing\r\n");
    mover.send("GET stuck\r\nSELECT 1\r\n");
    reader.hears_nothing();
    mover.hears_nothing();
    served.disk.hold_syncs(false);
    writers[0].hears("+OK\r\n");
    writers[1].is_closed_unanswered();
    reader.hears(&format!("{REFUSED}, and cannot be shown before it is"));
    reader.send("GET nothing\r\n");
    reader.hears("$-1\r\n");
    // It did something else as well, which no refusal may deny.
    mover.is_closed_unanswered();
}

/// The worker syncs itself, and that fails.
#[test]
fn who_waits_for_a_sync_that_fails_is_not_answered() {
    let served = serve();
    let mut writer = resp(&served);
    writer.send("SET k 1\r\n");
    writer.hears("+OK\r\n");
    served.disk.inject(Fault { operation: Operation::Sync, nth: 1, errno: EIO, sticky: true, short: 0 });
    writer.send("SET k 2\r\n");
    writer.is_closed_unanswered();
    let mut reader = resp(&served);
    reader.send("GET k\r\n");
    reader.hears(REFUSED);
    reader.send("SET other 1\r\n");
    reader.hears("-MISCONF Errors writing to the AOF file");
}
