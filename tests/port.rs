//! `pinstripe import` and `pinstripe export` from outside: files in, data out, and what happens to bad ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test may end itself, and uses real files and the real clock"
)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use support::client::Client;
use support::server::Server;

fn pinstripe(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinstripe"));
    command.args(words).stdin(Stdio::null()).env_remove("REDISCLI_AUTH");
    command
}

/// Exit code, standard output, standard error.
fn run(words: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = pinstripe(words).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("it was not killed"), text(stdout), text(stderr))
}

/// It ends well; what it reports.
fn well(words: &[&str]) -> String {
    let (code, _, report) = run(words);
    assert_eq!(code, 0, "{words:?}: {report}");
    report
}

fn url(server: &Server) -> String {
    format!("redis://127.0.0.1:{}", server.port())
}

fn digest(client: &mut Client) -> String {
    client.call("DEBUG DIGEST").text()
}

/// Keys of every type, of small and large size, in two databases, some with deadlines, some not UTF-8.
fn fill(client: &mut Client, keys: usize) {
    for n in 0..keys {
        if n % 500 == 499 {
            client.call(&format!("SELECT {}", n / 500 % 2 * 3));
        }
        match n % 8 {
            0 => client.call(&format!("SET s:{n} value-{n}")),
            1 => client.call(&format!("SET n:{n} {n} EX 100000")),
            2 => client.call(&format!("RPUSH l:{n} a b {n} c")),
            3 => client.call(&format!("SADD t:{n} a {n} 7 b")),
            4 => client.call(&format!("SADD i:{n} 1 2 {n}")),
            5 => client.call(&format!("ZADD z:{n} 1.5 a -inf b {n}.0000001 c 1e300 d")),
            6 => client.call(&format!("HSET h:{n} f v g {n}")),
            _ => client.try_call(&[b"SET".as_slice(), &[n as u8, 0xff, 0, b'\n'], &[0xfe, n as u8]]).unwrap(),
        };
    }
    client.call("SELECT 0");
    for family in ["RPUSH big:l", "SADD big:s", "HSET big:h", "ZADD big:z"] {
        let mut words = family.to_owned();
        for n in 0..2000 {
            match family.starts_with(['R', 'S']) {
                true => write!(words, " element-{n}").unwrap(),
                false => write!(words, " {n} element-{n}").unwrap(),
            }
        }
        client.call(&words);
    }
    client.call("HPEXPIREAT big:h 1900000000000 FIELDS 2 0 1999");
    client.call("PEXPIREAT big:l 1900000000123");
}

/// All files of a directory and the contents of each, but for the lock's.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else if !path.ends_with("pinstripe.lock") {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn the_ancestor_s_file_comes_in_by_both_roads() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("kv_store.json");
    fs::write(&file, r#"{"key_1": "value_1", "é\n": "ü\u0000", "n": 1.50, "list": [1, {"a": null}], "t": true, "key_1": "last"}"#)
        .unwrap();
    let file = file.to_str().unwrap();
    let mut server = Server::start(&[]);
    server.client().call("SET key_1 old");
    server.client().call("SET other kept");
    let report = well(&["import", file, "--to", &url(&server)]);
    for part in ["6 keys", "1 numbers stored as their text", "1 objects and arrays stored", "1 truth values"]
    {
        assert!(report.contains(part), "{report}");
    }
    let check = |server: &Server| {
        let mut redis = server.client();
        assert_eq!(
            redis.call("MGET key_1 n list t other").render(),
            r#"1) "last"
2) "1.50"
3) "[1, {\"a\": null}]"
4) "true"
5) "kept""#
        );
        assert_eq!(redis.try_call(&["GET", "é\n"]).unwrap().text(), "ü\u{0}");
        assert_eq!(redis.call("DBSIZE").render(), "(integer) 6");
    };
    check(&server);
    let expected = digest(&mut server.client());
    server.client().call("FLUSHALL");
    server.client().call("SET key_1 old");
    server.client().call("SET other kept");
    server.terminate();
    let dir = server.dir();
    well(&["import", file, "--dir", dir.to_str().unwrap()]);
    server.start_again();
    check(&server);
    assert_eq!(digest(&mut server.client()), expected);
    server.client().call("SET after x");
    server.kill9();
    server.start_again();
    assert_eq!(server.client().call("DBSIZE").render(), "(integer) 7");
    assert_eq!(server.client().call("BGREWRITEAOF").text(), "Background append only file rewriting started");
}

#[test]
fn whatever_is_exported_comes_back_the_same_by_every_road() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let mut server = Server::start(&[]);
    fill(&mut server.client(), 4000);
    let expected = digest(&mut server.client());
    let keys = server.client().call("DBSIZE").render();
    // Out of the running server, in by RESTORE.
    let running = path("running.jsonl");
    let report = well(&["export", &url(&server), "--output", &running]);
    assert!(report.contains(" hash, ") && report.contains("exported into"), "{report}");
    server.client().call("FLUSHALL");
    well(&["import", &running, "--to", &url(&server)]);
    assert_eq!(digest(&mut server.client()), expected);
    assert_eq!(server.client().call("DBSIZE").render(), keys);
    server.client().call("SAVE");
    server.terminate();
    let dir = server.dir().to_str().unwrap().to_owned();
    // Out of the directory that it left; its log, its snapshot, and both as JSON Lines.
    let still = path("still.jsonl");
    well(&["export", &dir, "--output", &still]);
    let dump = format!("{dir}/dump.rdb");
    let log = format!("{dir}/appendonlydir");
    let (code, text, _) = run(&["export", &dump]);
    assert_eq!(code, 0);
    assert_eq!(text.lines().count(), fs::read_to_string(&still).unwrap().lines().count());
    for source in [&running, &still, &dump, &log, &dir] {
        let mut other = Server::start(&["--appendonly", "no"]);
        other.terminate();
        let into = other.dir();
        well(&["import", source, "--dir", into.to_str().unwrap()]);
        let mut fresh = Server::start(&[]);
        fresh.terminate();
        fs::remove_dir_all(fresh.dir()).unwrap();
        fs::rename(&into, fresh.dir()).unwrap();
        fresh.start_again();
        assert_eq!(digest(&mut fresh.client()), expected, "{source}");
    }
}

#[test]
fn a_snapshot_without_a_log_stays_beside_what_is_imported() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("k.jsonl");
    fs::write(&file, "{\"key\":\"new\",\"type\":\"string\",\"value\":\"x\"}\n").unwrap();
    let mut server = Server::start(&["--appendonly", "no"]);
    server.client().call("SET old x");
    server.client().call("SAVE");
    server.terminate();
    let dir = server.dir();
    well(&["import", file.to_str().unwrap(), "--dir", dir.to_str().unwrap()]);
    let mut second = Server::start(&[]);
    second.terminate();
    fs::remove_dir_all(second.dir()).unwrap();
    fs::rename(&dir, second.dir()).unwrap();
    second.start_again();
    assert_eq!(second.client().call("MGET old new").render(), "1) \"x\"\n2) \"x\"");
}

#[test]
fn bad_input_changes_nothing_and_says_where_it_is_bad() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::start(&[]);
    server.client().call("SET k kept");
    server.client().call("SAVE");
    let dump = fs::read(server.dir().join("dump.rdb")).unwrap();
    let good = "{\"key\":\"k\",\"type\":\"string\",\"value\":\"changed\"}\n".repeat(3000);
    let cut = &dump[..dump.len() - 9];
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("a.jsonl", format!("{good}{{\"key\":\"k\"}}\n").into(), "line 3001: it has no \"type\""),
        ("b.jsonl", [good.as_bytes(), b"\xff\n"].concat(), "line 3001: it is not UTF-8"),
        ("c.json", b"{\"k\": \"changed\", \"l\": }".to_vec(), "line 1 column 23"),
        ("d.json", b"{\"k\": \"changed\"".to_vec(), "line 1"),
        ("e.json", b"[1]".to_vec(), "neither JSON"),
        ("f.rdb", cut.to_vec(), "dump.rdb"),
        ("g.aof", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$7\r\nchanged\r\n*1\r\n$6\r\nNOSUCH\r\n".to_vec(), "g.aof"),
        ("h.aof", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$7\r\nchanged\r\nx".to_vec(), "h.aof"),
    ];
    let run_all = |place: [&str; 2], check: &dyn Fn(&str)| {
        for (name, bytes, expected) in &cases {
            let file = home.path().join(name);
            fs::write(&file, bytes).unwrap();
            let (code, _, error) = run(&["import", file.to_str().unwrap(), place[0], place[1]]);
            assert_eq!(code, 65, "{name}: {error}");
            assert!(error.contains(&expected.replace("dump.rdb", "f.rdb")), "{name}: {error}");
            check(name);
        }
    };
    run_all(["--to", &url(&server)], &|name| {
        assert_eq!(server.client().call("GET k").text(), "kept", "{name}");
    });
    server.terminate();
    let dir = server.dir();
    let before = contents(&dir);
    run_all(["--dir", dir.to_str().unwrap()], &|name| {
        assert!(contents(&dir) == before, "{name} changed a file");
    });
    let beyond = home.path().join("beyond.jsonl");
    fs::write(&beyond, "{\"db\":16,\"key\":\"k\",\"type\":\"string\",\"value\":\"x\"}\n").unwrap();
    let words = ["import", beyond.to_str().unwrap(), "--dir", dir.to_str().unwrap()];
    assert_eq!(run(&words).0, 65);
    assert!(contents(&dir) == before);
    well(&[&words[..], &["--databases", "17"]].concat());
}

#[test]
fn every_way_to_fail_has_its_exit_code() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("x.json");
    fs::write(&file, r#"{"k": "v"}"#).unwrap();
    let file = file.to_str().unwrap();
    let server = Server::start(&["--requirepass", "secret"]);
    let dir = server.dir();
    let dir = dir.to_str().unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("redis://127.0.0.1:{nobody}");
    let (open, user) = (
        format!("redis://:secret@127.0.0.1:{}", server.port()),
        format!("redis://default:secret@127.0.0.1:{}/2", server.port()),
    );
    for (words, expected) in [
        (vec!["import", file], 78),
        (vec!["import", file, "--dir", dir, "--to", &nobody], 78),
        (vec!["import", file, "--to", "127.0.0.1"], 78),
        (vec!["export", dir, "--format", "xml"], 78),
        (vec!["import", "--help"], 0),
        (vec!["export", "--help"], 0),
        (vec!["import", "/nonexistent", "--dir", dir], 66),
        (vec!["export", "/nonexistent"], 66),
        (vec!["export", home.path().to_str().unwrap()], 66),
        (vec!["import", file, "--dir", "/nonexistent"], 73),
        (vec!["import", file, "--dir", dir], 75),
        (vec!["export", dir], 75),
        (vec!["import", file, "--to", &nobody], 69),
        (vec!["import", file, "--to", &url(&server)], 69),
        (vec!["export", &nobody], 69),
        (vec!["import", file, "--to", &open], 0),
        (vec!["import", file, "--to", &user], 0),
        (vec!["export", &open, "--output", "/nonexistent/x"], 73),
    ] {
        let (code, _, error) = run(&words);
        assert_eq!(code, expected, "{words:?}: {error}");
    }
    let output = pinstripe(&["export", &url(&server)]).env("REDISCLI_AUTH", "secret").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |db: u32| format!("{{\"db\":{db},\"key\":\"k\",\"type\":\"string\",\"value\":\"v\"}}\n");
    assert_eq!(text, line(0) + &line(2));
    let (_, text, report) = run(&["export", &open, "--format", "json"]);
    assert_eq!(text, "{\n\"k\": \"v\"\n}\n");
    assert!(report.contains("skipped: 1 of other databases"), "{report}");
    // What a server does not take is told with its reason.
    let mut redis = server.client();
    redis.call("AUTH secret");
    redis.call("CONFIG SET maxmemory 1");
    let (code, _, report) = run(&["import", file, "--to", &open]);
    assert!(code == 0 || report.contains("k: OOM"), "{code} {report}");
}

#[test]
fn what_has_expired_is_left_out() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("x.jsonl");
    let line = |key: &str, at: i64| {
        format!("{{\"key\":\"{key}\",\"type\":\"set\",\"value\":[\"a\"],\"expire_at_ms\":{at}}}\n")
    };
    fs::write(&file, line("gone", 1) + &line("stays", 1_900_000_000_000)).unwrap();
    let server = Server::start(&[]);
    let report = well(&["import", file.to_str().unwrap(), "--to", &url(&server)]);
    assert!(report.contains("1 keys") && report.contains("skipped: 1 expired already"), "{report}");
    assert_eq!(server.client().call("KEYS *").render(), "1) \"stays\"");
    assert_eq!(server.client().call("PEXPIRETIME stays").render(), "(integer) 1900000000000");
}

#[test]
fn memory_stays_flat_however_long_the_file_is() {
    let home = tempfile::tempdir().unwrap();
    let peak = |lines: usize| {
        let file = home.path().join("x.jsonl");
        let mut text = String::new();
        for n in 0..lines {
            writeln!(
                text,
                "{{\"db\":0,\"key\":\"key:{n}\",\"type\":\"string\",\"value\":\"{}\"}}",
                "x".repeat(200)
            )
            .unwrap();
        }
        fs::write(&file, text).unwrap();
        let dir = home.path().join(lines.to_string());
        fs::create_dir(&dir).unwrap();
        let mut child = pinstripe(&["import", file.to_str().unwrap(), "--dir", dir.to_str().unwrap()])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut peak = 0u64;
        while child.try_wait().unwrap().is_none() {
            let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
            peak = peak.max(line.trim().trim_end_matches(" kB").parse().unwrap());
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(child.wait().unwrap().success());
        peak
    };
    let (short, long) = (peak(10_000), peak(150_000));
    assert!(long < short + 8 * 1024, "{short} kB for a short file, {long} kB for a long one");
}

#[test]
fn a_json_save_is_written_while_the_server_runs_and_at_its_end() {
    for appendonly in ["yes", "no"] {
        let home = tempfile::tempdir().unwrap();
        let operations = home.path().join("operations.log");
        let mut server = Server::start(&[
            "--appendonly",
            appendonly,
            "--json-save",
            "kv_store.json",
            "1",
            "--operation-log",
            operations.to_str().unwrap(),
        ]);
        let path = server.dir().join("kv_store.json");
        let read = || {
            fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
        };
        let mut redis = server.client();
        redis.call("MSET a 1 b text");
        redis.call("RPUSH list x");
        redis.try_call(&[b"SET".as_slice(), b"bytes", b"\xff"]).unwrap();
        redis.call("SELECT 1");
        redis.call("SET other x");
        let expected = Some(serde_json::json!({"a": "1", "b": "text"}));
        let began = std::time::Instant::now();
        while read() != expected {
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", read());
            std::thread::sleep(Duration::from_millis(20));
        }
        redis.call("SELECT 0");
        // The last state is written at the end, however long the time between two saves is.
        assert_eq!(
            redis.try_call(&["CONFIG", "SET", "json-save", "kv_store.json 3600"]).unwrap().text(),
            "OK"
        );
        assert_eq!(
            redis.call("CONFIG GET json-save").render(),
            "1) \"json-save\"\n2) \"kv_store.json 3600\""
        );
        redis.call("SET c last");
        assert!(server.terminate().success());
        assert_eq!(read(), Some(serde_json::json!({"a": "1", "b": "text", "c": "last"})));
        assert!(server.output().contains("left_out=3"), "{}", server.output());
        assert!(fs::read_to_string(&operations).unwrap().contains(" - SAVE: json-save kv_store.json\n"));
        // Where there is no other data, a start begins with it; what it holds is then the log's.
        let text = fs::read(&path).unwrap();
        fs::remove_dir_all(server.dir()).unwrap();
        fs::create_dir(server.dir()).unwrap();
        // An editor may have put its mark in front meanwhile.
        fs::write(&path, [b"\xef\xbb\xbf", &text[..]].concat()).unwrap();
        server.start_again();
        assert!(server.output().contains("loading the JSON save"), "{}", server.output());
        assert_eq!(
            server.client().call("MGET a b c list").render(),
            "1) \"1\"\n2) \"text\"\n3) \"last\"\n4) (nil)"
        );
        if appendonly == "yes" {
            fs::remove_file(&path).unwrap();
            server.kill9();
            server.start_again();
            assert_eq!(server.client().call("DBSIZE").render(), "(integer) 3");
        }
    }
}

#[test]
fn a_json_save_stays_in_its_directory_and_a_broken_one_is_not_passed_over() {
    let mut server = Server::start(&[]);
    for wrong in ["/tmp/x.json 1", "../x.json 1", "dump.rdb 1", "x.json 0", "x.json"] {
        let reply = server.client().try_call(&["CONFIG", "SET", "json-save", wrong]).unwrap();
        assert!(reply.error().is_some_and(|text| text.contains("json-save")), "{wrong}: {reply:?}");
    }
    assert_eq!(server.client().try_call(&["CONFIG", "SET", "json-save", "x.json 1"]).unwrap().text(), "OK");
    server.client().call("SET k v");
    server.terminate();
    fs::remove_dir_all(server.dir().join("appendonlydir")).unwrap();
    fs::write(server.dir().join("x.json"), "{\"k\": ").unwrap();
    let dir = server.dir();
    let (code, _, error) = run(&[
        "--port",
        "0",
        "--unixsocket",
        dir.join("s").to_str().unwrap(),
        "--dir",
        dir.to_str().unwrap(),
        "--json-save",
        "x.json",
        "1",
    ]);
    assert_eq!(code, 65, "{error}");
    assert!(error.contains("x.json") && error.contains("line 1"), "{error}");
}
