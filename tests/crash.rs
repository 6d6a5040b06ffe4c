//! Kill -9 with an oracle of acknowledged writes.
//!
//! Writers with keys of their own store growing numbers, push to a list of strings, move money between accounts in
//! transactions and count; each notes the last number that was acknowledged. At a moment of chance the process is killed.
//! After the restart every key holds at least what was acknowledged and nothing that was never sent, and no transaction
//! is there by half. The log is rewritten meanwhile in every second round.
//!
//! `PINSTRIPE_CRASH_ROUNDS` sets the rounds of each mode; a run counts only if enough was acknowledged before the kills.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test may end itself, and uses the real clock"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use support::client::{Client, Value};
use support::server::Server;

/// Clients that write at the same time.
const WRITERS: usize = 4;
/// Fewer acknowledged writes than this in all rounds, and the run would prove nothing.
const ACKNOWLEDGED_MIN: u64 = 100;

/// What one writer knows when its connection breaks.
#[derive(Default, Debug)]
struct Witness {
    /// The last number sent, and the last that was acknowledged.
    sent: u64,
    acknowledged: u64,
}

/// Writes until the connection breaks.
fn write(mut client: Client, id: usize, pipeline: usize, from: u64) -> Witness {
    let mut seen = Witness { sent: from, acknowledged: from };
    loop {
        let mut bytes = Vec::new();
        let first = seen.sent + 1;
        for n in first..first + pipeline as u64 {
            // A value and its shadow, in one transaction; a counter; a string that grows.
            for words in [
                vec!["MULTI".to_owned()],
                vec!["SET".into(), format!("a:{id}"), n.to_string()],
                vec!["SET".into(), format!("b:{id}"), n.to_string()],
                vec!["INCR".into(), format!("count:{id}")],
                vec!["EXEC".into()],
                vec!["SET".into(), format!("last:{id}"), format!("value-{n}"), "EX".into(), "1000".into()],
            ] {
                bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
                for word in words {
                    bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
                }
            }
            seen.sent = n;
        }
        if client.send_raw(&bytes).is_err() {
            return seen;
        }
        for n in first..first + pipeline as u64 {
            // MULTI, three times QUEUED, EXEC's array, SET.
            for _ in 0..6 {
                match client.read() {
                    Ok(reply) => assert!(reply.error().is_none(), "refused: {reply:?}"),
                    Err(_) => return seen,
                }
            }
            seen.acknowledged = n;
        }
    }
}

fn number(client: &mut Client, key: &str) -> u64 {
    match client.call(&format!("GET {key}")) {
        Value::Nil => 0,
        reply => reply.text().trim_start_matches("value-").parse().expect("a number"),
    }
}

/// Runs rounds of writing, killing and looking in one mode of `appendfsync`.
fn torture(fsync: &str, workers: &str) {
    let rounds: u64 =
        std::env::var("PINSTRIPE_CRASH_ROUNDS").map_or(4, |text| text.parse().expect("a number"));
    let mut server = Server::start(&["--appendfsync", fsync, "--io-threads", workers]);
    let mut from = [0u64; WRITERS];
    let mut acknowledged = 0;
    for round in 0..rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|id| {
                let (client, from) = (server.client(), from[id]);
                thread::spawn(move || write(client, id, 1 + id * 5, from))
            })
            .collect();
        let rewriter = (round % 2 == 1).then(|| {
            let (mut client, stop) = (server.client(), stop.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) && client.try_call(&["BGREWRITEAOF"]).is_ok() {
                    thread::sleep(Duration::from_millis(15));
                }
            })
        });
        // Another moment in each round; chance comes from the scheduling of so many threads.
        thread::sleep(Duration::from_millis(60 + round * 37 % 120));
        server.kill9();
        stop.store(true, Ordering::Relaxed);
        let witnesses: Vec<Witness> =
            writers.into_iter().map(|writer| writer.join().expect("a writer")).collect();
        if let Some(rewriter) = rewriter {
            rewriter.join().expect("the rewriter");
        }
        server.start_again();
        let mut client = server.client();
        for (id, seen) in witnesses.iter().enumerate() {
            let place = format!("{fsync}, round {round}, writer {id}: {seen:?}");
            let (a, b) = (number(&mut client, &format!("a:{id}")), number(&mut client, &format!("b:{id}")));
            let (count, last) =
                (number(&mut client, &format!("count:{id}")), number(&mut client, &format!("last:{id}")));
            assert!(a >= seen.acknowledged && a <= seen.sent, "lost or invented: a = {a}; {place}");
            assert_eq!(a, b, "half a transaction; {place}");
            assert_eq!(a, count, "a transaction was lost or repeated; {place}");
            assert!(
                last >= seen.acknowledged && last <= seen.sent,
                "lost or invented: last = {last}; {place}"
            );
            assert!(last == a || last + 1 == a, "out of order: last = {last}, a = {a}; {place}");
            if last > 0 {
                let ttl = client.call(&format!("PTTL last:{id}")).render();
                assert!(!ttl.contains('-'), "the deadline was lost: {ttl}; {place}");
            }
            acknowledged += seen.acknowledged - from[id];
            from[id] = a;
        }
    }
    eprintln!(
        "{fsync} with {workers} worker(s): {rounds} kills, {acknowledged} acknowledged units, none lost"
    );
    assert!(acknowledged >= ACKNOWLEDGED_MIN, "void: only {acknowledged} writes were acknowledged");
}

/// A mistake of ours is told, and ends the process like a kill: with nothing lost, and nothing of what was under way.
#[test]
fn a_panic_ends_the_process_and_loses_nothing() {
    let mut server = Server::start(&["--enable-debug-command", "yes"]);
    let mut client = server.client();
    client.call("SET before 1");
    client.send_raw(b"MULTI\r\nSET inside 1\r\nDEBUG PANIC\r\nEXEC\r\n").expect("sent");
    let status = server.wait_for_end();
    assert!(!status.success(), "{status}");
    let told = server.output();
    for part in
        ["a mistake in Pinstripe itself", "asked for by DEBUG PANIC", "debug/mod.rs", "thread=\"worker-"]
    {
        assert!(told.contains(part), "{part} is not in what it said: {told}");
    }
    server.start_again();
    let mut client = server.client();
    assert_eq!(client.call("MGET before inside").render(), "1) \"1\"\n2) (nil)");
}

#[test]
fn everysec_loses_nothing_to_a_kill() {
    torture("everysec", "2");
}

#[test]
fn always_loses_nothing_to_a_kill() {
    torture("always", "2");
}

#[test]
fn no_fsync_loses_nothing_to_a_kill() {
    torture("no", "1");
}
