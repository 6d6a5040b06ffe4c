//! Faults that need no other rights than a user has: a snapshot that cannot be written, a log that somebody removes or moves
//! away, a second server. `scripts/faults` has those that need more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test may end itself, and does to the server's files what an accident would"
)]

mod support;

use std::fs;
use std::process::Command;
use std::time::Duration;

use support::client::Client;
use support::server::Server;

/// Calls until the reply is as expected. What never comes ends the test by the runner's patience, not by a clock here.
fn until(client: &mut Client, request: &str, expected: &str) {
    while !client.call(request).text().contains(expected) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_snapshot_that_failed_stops_writes_if_there_are_save_points_and_not_otherwise() {
    let server = Server::start(&[]);
    let mut client = server.client();
    // Where the snapshot's temporary file should be stands a directory.
    let obstacle = server.dir().join("temp-dump.rdb");
    fs::create_dir(&obstacle).unwrap();
    client.call("BGSAVE");
    until(&mut client, "INFO persistence", "rdb_last_bgsave_status:err");
    assert_eq!(client.call("SET a 1").text(), "OK");
    client.try_call(&["CONFIG", "SET", "save", "3600 1000000"]).unwrap();
    for refused in ["SET a 2", "DEL a", "PING"] {
        let reply = client.call(refused);
        let text = reply.error().unwrap_or_else(|| panic!("{refused} was not refused: {reply:?}"));
        assert!(text.starts_with("MISCONF Redis is configured to save RDB snapshots, but"), "{text}");
    }
    assert_eq!(client.call("GET a").text(), "1");
    client.call("MULTI");
    assert!(client.call("SET a 2").error().is_some());
    assert!(client.call("EXEC").error().unwrap().starts_with("EXECABORT"));
    client.call("CONFIG SET stop-writes-on-bgsave-error no");
    assert_eq!(client.call("SET a 3").text(), "OK");
    client.call("CONFIG SET stop-writes-on-bgsave-error yes");
    fs::remove_dir(&obstacle).unwrap();
    client.call("BGSAVE");
    until(&mut client, "INFO persistence", "rdb_last_bgsave_status:ok");
    assert_eq!(client.call("SET a 4").text(), "OK");
}

#[test]
fn a_save_whose_failure_somebody_is_told_stops_no_writes() {
    let server = Server::start(&["--save", "3600 1000000"]);
    let mut client = server.client();
    let obstacle = server.dir().join("temp-dump.rdb");
    fs::create_dir(&obstacle).unwrap();
    for told in ["SAVE", "SHUTDOWN SAVE", "SHUTDOWN"] {
        assert!(client.call(told).error().is_some(), "{told}");
        assert_eq!(client.call("PING").text(), "PONG", "after {told}");
        assert_eq!(client.call("SET a 1").text(), "OK", "after {told}");
        let page = client.call("INFO persistence").text();
        assert!(page.contains("rdb_last_bgsave_status:ok\r\nrdb_last_bgsave_time_sec:-1\r\n"), "{page}");
    }
    client.call("BGSAVE");
    until(&mut client, "INFO persistence", "rdb_last_bgsave_status:err");
    assert!(client.call("SET a 2").error().is_some());
    // A SAVE that succeeds shows that the disk is well.
    fs::remove_dir(&obstacle).unwrap();
    assert_eq!(client.call("SAVE").text(), "OK");
    assert_eq!(client.call("SET a 2").text(), "OK");
}

#[test]
fn a_log_that_somebody_removed_or_moved_is_written_anew_by_itself() {
    let mut server = Server::start(&["--appendfsync", "always"]);
    let mut client = server.client();
    client.call("SET kept 1");
    let directory = server.dir().join("appendonlydir");
    for round in 0..3 {
        match round {
            0 => fs::rename(&directory, directory.with_extension("away")).unwrap(),
            1 => fs::remove_dir_all(&directory).unwrap(),
            _ => {
                let mut entries = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
                let increment = entries.find(|path| path.to_string_lossy().ends_with(".incr.aof"));
                fs::remove_file(increment.unwrap()).unwrap();
            }
        }
        until(&mut client, "INFO persistence", &format!("pinstripe_aof_repairs:{}\r\n", round + 1));
        until(&mut client, "INFO persistence", "aof_last_write_status:ok");
        until(&mut client, "INFO persistence", "aof_rewrite_in_progress:0");
        assert_eq!(client.call(&format!("SET round {round}")).text(), "OK");
    }
    server.kill9();
    server.start_again();
    let mut client = server.client();
    assert_eq!((client.call("GET kept").text(), client.call("GET round").text()), ("1".into(), "2".into()));
}

#[test]
fn a_second_server_in_the_directory_ends_and_touches_nothing() {
    let server = Server::start(&[]);
    server.client().call("SET a 1");
    let path = server.dir().join("appendonlydir/appendonly.aof.manifest");
    let before = fs::read(&path).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pinstripe"))
        .args(["--port", "0", "--unixsocket"])
        .arg(server.dir().join("socket"))
        .arg("--dir")
        .arg(server.dir())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(75), "{output:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(server.client().call("GET a").text(), "1");
}

/// A log file that is not there yet is made, in the directory of the data if it has no other.
#[test]
fn a_log_file_is_made_where_there_is_none() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("new.log");
    let server = Server::start(&["--logfile", path.to_str().unwrap()]);
    assert_eq!(server.client().call("PING").render(), "PONG");
    assert!(std::fs::read_to_string(&path).unwrap().contains("pinstripe"));
}
