//! `pinstripe check`, `repair` and `restore` on the directories of a real server: the undoing of an accidental FLUSHALL, a
//! torn end, damage, and what redis-server's own tools say of the result.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test may end itself, and looks at the files of the server under test"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use support::server::Server;

/// Runs a sub-command; its exit code and what it said.
fn pinstripe(words: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_pinstripe")).args(words).output().expect("the program");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("an exit code"), String::from_utf8_lossy(&text).into_owned())
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn check(dir: &Path) -> (i32, String) {
    pinstripe(&["check", text(dir)])
}

fn increment(dir: &Path) -> PathBuf {
    let mut names: Vec<_> =
        fs::read_dir(dir.join("appendonlydir")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names.pop_if(|name| name.ends_with("appendonly.aof.manifest")).expect("a manifest");
    names.pop().expect("an increment")
}

/// Waits for the beginning of another second, and gives the one before.
fn second_over() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let rest = 1_000_000_000 - u64::from(since.subsec_nanos());
    std::thread::sleep(Duration::from_nanos(rest) + Duration::from_millis(20));
    since.as_secs()
}

#[test]
fn an_accidental_flushall_is_undone_although_the_log_was_rewritten_after_it() {
    let mut server = Server::start(&["--aof-keep-history", "3600"]);
    let mut client = server.client();
    for n in 0..50 {
        client.call(&format!("SET key:{n} value-{n}"));
    }
    client.call("HSET h f v");
    client.call("HEXPIRE h 1000 FIELDS 1 f");
    client.call("BGREWRITEAOF");
    while client.call("INFO persistence").text().contains("aof_rewrite_in_progress:1") {}
    client.call("MULTI");
    client.call("RPUSH list a b c");
    client.call("INCR count");
    client.call("EXEC");
    client.call("SELECT 3");
    client.call("SET other 1");
    let before = second_over();
    client.call("FLUSHALL");
    client.call("SET after 1");
    client.call("BGREWRITEAOF");
    while client.call("INFO persistence").text().contains("aof_rewrite_in_progress:1") {}
    let info = client.call("INFO persistence").text();
    assert!(!info.contains("pinstripe_aof_history_bytes:0\r\n"), "{info}");
    client.call("SET later 1");
    // Beside the running server, then of what it has left.
    for round in 0..2 {
        let new = server.dir().parent().unwrap().join(format!("new{round}"));
        let (dir, at) = (server.dir(), before.to_string());
        let (code, said) = pinstripe(&["restore", text(&dir), "--at", &at, "--into", text(&new)]);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("left out: "), "{said}");
        server.terminate();
        server.start_again();
    }
    let new = server.dir().parent().unwrap().join("new0");
    server.terminate();
    fs::remove_dir_all(server.dir()).unwrap();
    fs::rename(new, server.dir()).unwrap();
    server.start_again();
    let mut client = server.client();
    assert_eq!(client.call("DBSIZE").render(), "(integer) 53");
    assert_eq!(client.call("GET key:49").text(), "value-49");
    assert_eq!(client.call("LLEN list").render(), "(integer) 3");
    assert_eq!(
        client.call("HTTL h FIELDS 1 nothing").render(),
        client.call("HTTL h FIELDS 1 nothing").render()
    );
    assert_eq!(client.call("GET after").render(), "(nil)");
    client.call("SELECT 3");
    assert_eq!(client.call("GET other").text(), "1");
}

#[test]
fn check_tells_clean_torn_and_damaged_by_its_exit_code_and_repair_saves_what_is_good() {
    let mut server = Server::start(&["--appendfsync", "always"]);
    let mut client = server.client();
    for n in 1..=20 {
        client.call(&format!("SET key:{n} value-{n}"));
    }
    server.kill9();
    let dir = server.dir();
    let (code, said) = check(&dir);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("verdict: clean: 20 keys up to sequence number 20"), "{said}");
    assert!(said.contains("sequence 1 to 20, 20 records"), "{said}");

    // An unfinished end: the server starts, and says so.
    let path = increment(&dir);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [&whole, b"#G\r\n*3\r\n$3\r\nSET".as_slice()].concat()).unwrap();
    let (code, said) = check(&dir);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("verdict: an unfinished end"), "{said}");
    server.start_again();
    let info = server.client().call("INFO persistence").text();
    assert!(info.contains("pinstripe_aof_torn_tails:1\r\npinstripe_aof_torn_bytes:15\r\n"), "{info}");
    server.kill9();

    // A changed byte in what was acknowledged.
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(8).position(|window| window == b"value-11").unwrap();
    bytes[at + 7] = b'9';
    fs::write(&path, &bytes).unwrap();
    let (code, said) = check(&dir);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("DAMAGED at byte") && said.contains("after sequence number 10"), "{said}");
    let new = dir.parent().unwrap().join("new");
    let (code, said) = pinstripe(&["repair", text(&dir), "--to", "15", "--into", text(&new)]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("0 to 10") && !new.exists(), "{said}");
    let (code, said) = pinstripe(&["repair", text(&dir), "--to", "last", "--into", text(&new)]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("up to sequence number 10\n") && said.contains("left out: "), "{said}");
    assert_eq!(fs::read(&path).unwrap(), bytes, "repair changed the directory");
    let (code, said) = pinstripe(&["repair", text(&dir), "--to", "last", "--into", text(&new)]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("holds files already"), "{said}");
}

#[test]
fn what_stands_on_a_damaged_base_is_not_promised_to_be_repaired() {
    let mut server = Server::start(&["--appendfsync", "always"]);
    let mut client = server.client();
    client.call("SET a in-the-base");
    client.call("BGREWRITEAOF");
    while client.call("INFO persistence").text().contains("aof_rewrite_in_progress:1") {}
    client.call("SET b in-the-log");
    client.call("SET c 3");
    server.terminate();
    let dir = server.dir();
    let names = fs::read_dir(dir.join("appendonlydir")).unwrap().map(|entry| entry.unwrap().path());
    let base = names.into_iter().find(|path| text(path).ends_with(".base.rdb")).expect("a base");
    let name = base.file_name().unwrap().to_str().unwrap().to_owned();
    let new = dir.parent().unwrap().join("new");
    let whole = fs::read(&base).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 0x40;
    // Changed, cut off, and gone.
    for (bytes, place) in
        [(Some(&changed[..]), ""), (Some(&whole[..whole.len() / 2]), "at byte "), (None, "")]
    {
        match bytes {
            Some(bytes) => fs::write(&base, bytes).unwrap(),
            None => fs::remove_file(&base).unwrap(),
        }
        let (code, said) = check(&dir);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("verdict: DAMAGED, and `pinstripe repair` cannot help"), "{said}");
        for to in ["last", "2", "@1700000000"] {
            let (code, said) = pinstripe(&["repair", text(&dir), "--to", to, "--into", text(&new)]);
            assert_eq!(code, 2, "{said}");
            assert!(said.contains("no state can be made of this log") && said.contains(&name), "{said}");
            assert!(said.contains(place) && !new.exists(), "{said}");
        }
    }
    // The end of the log is damaged, but its beginning is not.
    fs::write(&base, &whole).unwrap();
    let mut bytes = fs::read(increment(&dir)).unwrap();
    let at = bytes.windows(10).position(|window| window == b"in-the-log").unwrap();
    bytes[at] = b'o';
    fs::write(increment(&dir), &bytes).unwrap();
    let (code, said) = check(&dir);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("verdict: DAMAGED. `pinstripe repair` copies what is good"), "{said}");
    assert_eq!(pinstripe(&["repair", text(&dir), "--to", "last", "--into", text(&new)]).0, 0);
}

#[test]
fn a_check_of_what_is_not_there_or_not_meant_says_so() {
    let home = tempfile::tempdir().unwrap();
    let (code, said) = check(home.path());
    assert_eq!((code, said.as_str()), (0, "verdict: clean: there is no data\n"));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    assert_eq!(check(&home.path().join("none")).0, 2);
    assert_eq!(pinstripe(&["check"]).0, 78);
    assert_eq!(pinstripe(&["repair", text(home.path()), "--to", "1", "--into", "x"]).0, 2);
    fs::write(home.path().join("dump.rdb"), b"REDIS0010\xff\0\0\0\0\0\0\0").unwrap();
    let (code, said) = check(home.path());
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("There is no log that `pinstripe repair` could copy from"), "{said}");
}

#[test]
fn with_aof_load_truncated_no_a_torn_end_is_refused_until_it_is_allowed() {
    let mut server = Server::start(&[]);
    server.client().call("SET a 1");
    server.terminate();
    let path = increment(&server.dir());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [&whole, b"#G\r\n*3\r\n".as_slice()].concat()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pinstripe"))
        .args(["--port", "0", "--unixsocket", text(&server.dir().join("socket"))])
        .args(["--dir", text(&server.dir()), "--aof-load-truncated", "no"])
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(65), "{said}");
    assert!(said.contains("aof-load-truncated yes"), "{said}");
    server.start_again();
    assert_eq!(server.client().call("GET a").text(), "1");
}
