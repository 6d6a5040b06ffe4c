//! The end that somebody orders, by SHUTDOWN or SIGTERM: what was acknowledged is there at the next start, also without a
//! log, and whatever is under way meanwhile.

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

use std::thread;
use std::time::Duration;

use support::client::{Client, encode};
use support::server::Server;

const WITHOUT_LOG: [&str; 6] =
    ["--appendonly", "no", "--enable-debug-command", "yes", "--save", "1000000 1000000"];

/// Counts up until the connection breaks; the last number that was acknowledged.
fn count(mut client: Client, key: &str) -> u64 {
    (1..)
        .take_while(|n| {
            client.try_call(&["SET", key, &n.to_string()]).is_ok_and(|reply| reply.error().is_none())
        })
        .count() as u64
}

/// Ends a server by `end` while three clients write, and starts it again.
fn loses_nothing(server: &mut Server, end: impl FnOnce(&mut Server)) {
    let writers = ["a", "b", "c"].map(|key| {
        let client = server.client();
        (key, thread::spawn(move || count(client, key)))
    });
    thread::sleep(Duration::from_millis(300));
    end(server);
    let acknowledged = writers.map(|(key, writer)| (key, writer.join().expect("a writer")));
    server.start_again();
    let mut client = server.client();
    for (key, last) in acknowledged {
        let kept: u64 = client.call(&format!("GET {key}")).text().parse().unwrap_or_default();
        assert!(
            last > 0 && kept >= last,
            "{key}: {last} were acknowledged, {kept} kept\n{}",
            server.output()
        );
    }
}

fn shutdown(server: &mut Server, words: &[&str]) {
    server.client().send_raw(&encode(words)).expect("sent");
    assert!(server.wait_for_end().success());
}

#[test]
fn a_snapshot_at_the_end_has_all_that_was_acknowledged() {
    let mut server = Server::start(&WITHOUT_LOG);
    server.client().call("DEBUG POPULATE 100000 key 100");
    loses_nothing(&mut server, |server| shutdown(server, &["SHUTDOWN"]));
    loses_nothing(&mut server, |server| shutdown(server, &["SHUTDOWN", "SAVE"]));
    loses_nothing(&mut server, |server| assert!(server.terminate().success()));
    assert_eq!(server.client().call("EXISTS key:99999").render(), "(integer) 1");
}

#[test]
fn a_snapshot_under_way_does_not_keep_the_server_from_ending() {
    let mut server = Server::start(&WITHOUT_LOG);
    let mut client = server.client();
    client.call("DEBUG POPULATE 300000 key 100");
    for _ in 0..3 {
        assert!(client.call("BGSAVE").error().is_none());
        loses_nothing(&mut server, |server| assert!(server.terminate().success()));
        client = server.client();
        assert_eq!(client.call("EXISTS key:299999").render(), "(integer) 1");
    }
}

#[test]
fn a_json_file_that_cannot_be_written_keeps_nobody_from_ending_who_has_a_log() {
    let mut server = Server::start(&["--json-save", "kv.json 1000"]);
    server.client().call("SET k v");
    std::fs::create_dir(server.dir().join("kv.json")).unwrap();
    assert!(server.terminate().success());
    server.start_again();
    assert_eq!(server.client().call("GET k").text(), "v");
}

#[test]
fn an_end_by_force_answers_nothing() {
    let mut server = Server::start(&WITHOUT_LOG);
    let mut client = server.client();
    client.call("SET k v");
    // Where the snapshot's temporary file would be.
    std::fs::create_dir(server.dir().join("temp-dump.rdb")).unwrap();
    assert!(
        client.call("SHUTDOWN").error().is_some_and(|line| line.starts_with("ERR Errors trying to SHUTDOWN"))
    );
    assert_eq!(client.call("PING").render(), "PONG");
    client.send_raw(&encode(&["SHUTDOWN", "FORCE"])).unwrap();
    assert!(client.read().is_err(), "it was answered");
    assert!(!server.wait_for_end().success());
}

/// What is damaged after an ordered end was on the disk: it is not taken for an end that was never finished.
#[test]
fn damage_after_an_ordered_end_is_told_from_an_unfinished_end() {
    for fsync in ["everysec", "no", "always"] {
        let mut server = Server::start(&["--appendfsync", fsync]);
        let mut client = server.client();
        (0..500).for_each(|n| assert!(client.call(&format!("SET key:{n} value")).error().is_none()));
        shutdown(&mut server, &["SHUTDOWN"]);
        let path = server.dir().join("appendonlydir/appendonly.aof.1.incr.aof");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[700] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let checked = std::process::Command::new(env!("CARGO_BIN_EXE_pinstripe"))
            .arg("check")
            .arg(server.dir())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert_eq!(checked.status.code(), Some(2), "{fsync}: {told}");
    }
}
