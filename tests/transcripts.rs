//! Runs every file of `tests/transcripts/` down every road, and tests the runner that does it.
//!
//! `PINSTRIPE_TRANSCRIPTS=string/get cargo test --test transcripts` runs only the files whose path holds that text. The road
//! to a real redis-server needs one at `PINSTRIPE_ORACLE=host:port`; `scripts/oracle` brings it and runs that road.
//! A file's format is described in `support/transcript.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test may end itself, and uses the real disk and clock"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::net::{Shutdown, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use support::client::Client;
use support::server::Server;
use support::transcript::{Road, Transcript, split_words};

/// A rewrite of the few keys of a transcript has ended by then.
const REWRITE_TIMEOUT: Duration = Duration::from_secs(30);

#[test]
fn every_transcript_passes_in_resp2() {
    report(&run_on_one_server(Road::Resp2));
}

#[test]
fn every_transcript_passes_in_resp3() {
    report(&run_on_one_server(Road::Resp3));
}

#[test]
fn every_transcript_passes_step_by_step_in_transactions() {
    report(&run_on_one_server(Road::Multi));
}

#[test]
fn the_data_of_every_transcript_survives_a_kill() {
    report(&run_with_kill(Road::Restart));
}

#[test]
fn the_data_of_every_transcript_survives_rewrites_and_a_kill() {
    report(&run_with_kill(Road::Rewrite));
}

#[test]
#[ignore = "needs a redis-server: scripts/oracle starts one and runs this"]
fn every_transcript_passes_on_redis() {
    let address =
        std::env::var("PINSTRIPE_ORACLE").expect("PINSTRIPE_ORACLE=host:port, as scripts/oracle sets it");
    let mut control = Control::open(&address);
    let mut failures = Vec::new();
    for transcript in transcripts() {
        control.reset();
        failures.extend(transcript.run(Road::Redis, &mut || Client::connect(&*address), &mut || {}));
    }
    control.reset();
    report(&failures);
}

fn run_on_one_server(road: Road) -> Vec<String> {
    let mut server = Server::start(&[]);
    let mut control = Control::open(&address(&server));
    let mut failures = Vec::new();
    for transcript in transcripts() {
        control.reset();
        failures.extend(transcript.run(road, &mut || connect(&server), &mut || {}));
        if !server.is_alive() {
            failures.push(format!("{} [{road}] the server ended:\n{}", transcript.name(), server.output()));
            server.start_again();
            control = Control::open(&address(&server));
        }
    }
    failures
}

/// Each transcript, then kill -9, and the data must be what it was. A family shares a directory, so that its log grows over
/// its files.
fn run_with_kill(road: Road) -> Vec<String> {
    let mut failures = Vec::new();
    let mut family: Option<(PathBuf, Server)> = None;
    for transcript in transcripts() {
        let folder = Path::new(transcript.name()).parent().expect("a family").to_path_buf();
        let fresh = family.as_ref().is_none_or(|(current, _)| *current != folder);
        if fresh {
            family = Some((folder, Server::start(&["--appendonly", "yes"])));
        }
        let (_, server) = family.as_mut().expect("the family's server");
        Control::open(&address(server)).reset();
        let mut halfway = || {
            if road == Road::Rewrite {
                failures
                    .extend(rewrite(server).err().map(|why| format!("{} [{road}] {why}", transcript.name())));
            }
        };
        let wrong = transcript.run(road, &mut || connect(server), &mut halfway);
        failures.extend(wrong);
        if !server.is_alive() {
            failures.push(format!("{} [{road}] the server ended:\n{}", transcript.name(), server.output()));
            family = None;
            continue;
        }
        if road == Road::Rewrite {
            let done = wait_for_rewrite(server)
                .and_then(|()| rewrite(server))
                .and_then(|()| wait_for_rewrite(server));
            failures.extend(done.err().map(|why| format!("{} [{road}] {why}", transcript.name())));
        }
        let before = State::of(&mut server.client());
        server.kill9();
        server.start_again();
        let after = State::of(&mut server.client());
        if before != after {
            failures.push(format!("{} [{road}] {}", transcript.name(), before.difference(&after)));
        }
    }
    failures
}

fn address(server: &Server) -> String {
    format!("127.0.0.1:{}", server.port())
}

fn connect(server: &Server) -> io::Result<Client> {
    Client::connect(address(server))
}

fn rewrite(server: &Server) -> Result<(), String> {
    let reply = server.client().call("BGREWRITEAOF");
    match reply.error() {
        Some(error) => Err(format!("BGREWRITEAOF: {error}")),
        None => Ok(()),
    }
}

fn wait_for_rewrite(server: &Server) -> Result<(), String> {
    let began = Instant::now();
    let mut client = server.client();
    while began.elapsed() < REWRITE_TIMEOUT {
        let info = client.call("INFO persistence").text();
        let says = |line: &str| info.lines().any(|l| l.trim_end() == line);
        if says("aof_rewrite_in_progress:0") && says("aof_rewrite_scheduled:0") {
            let well = says("aof_last_bgrewrite_status:ok");
            return if well { Ok(()) } else { Err(format!("the rewrite failed:\n{info}")) };
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err("the rewrite did not end".into())
}

/// All transcripts, by path; a file that cannot be parsed ends the test.
fn transcripts() -> Vec<Transcript> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let only = std::env::var("PINSTRIPE_TRANSCRIPTS").unwrap_or_default();
    let mut paths = Vec::new();
    collect(&root.join("tests/transcripts"), &mut paths);
    paths.sort();
    let named =
        paths.iter().map(|path| (path, path.strip_prefix(root).expect("below the root").to_string_lossy()));
    let chosen = named.filter(|(_, name)| name.contains(&only));
    let parsed =
        chosen.map(|(path, name)| Transcript::parse(&name, &fs::read_to_string(path).expect("a text file")));
    let parsed: Result<Vec<_>, _> = parsed.collect();
    let parsed = parsed.unwrap_or_else(|error| panic!("{error}"));
    assert!(!parsed.is_empty(), "no transcript's path holds {only:?}");
    parsed
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the transcripts' folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            paths.push(path);
        }
    }
}

fn report(failures: &[String]) {
    let text: String = failures.iter().map(|failure| format!("\n{failure}\n")).collect();
    assert!(failures.is_empty(), "{text}\n{} wrong", failures.len());
}

/// A connection beside the transcripts' own, which puts the server back to where each of them starts.
struct Control {
    address: String,
    client: Client,
    /// The settings as the server started with them.
    settings: BTreeMap<String, String>,
}

impl Control {
    fn open(address: &str) -> Control {
        let mut client = Client::connect(address).expect("a connection to the server");
        let settings = settings(&mut client);
        Control { address: address.to_owned(), client, settings }
    }

    fn reset(&mut self) {
        // A transcript may have closed this connection, by CLIENT KILL for one.
        if self.client.try_call(&["PING"]).is_err() {
            self.client = Client::connect(&*self.address).expect("a connection to the server");
        }
        for (name, value) in settings(&mut self.client) {
            if let Some(first) = self.settings.get(&name).filter(|first| **first != value) {
                // What cannot be set back cannot have been set.
                let _ = self.client.try_call(&["CONFIG", "SET", &name, first]);
            }
        }
        for order in [
            "CLIENT UNPAUSE",
            "SCRIPT FLUSH",
            "FUNCTION FLUSH",
            "CONFIG RESETSTAT",
            "SLOWLOG RESET",
            "LATENCY RESET",
        ] {
            // Some of them may not exist, and then there is nothing to put back.
            self.client.call(order);
        }
        let flushed = self.client.call("FLUSHALL");
        assert_eq!(flushed.render(), "OK", "FLUSHALL before a transcript");
    }
}

fn settings(client: &mut Client) -> BTreeMap<String, String> {
    let reply = client.call("CONFIG GET *").items();
    reply.chunks_exact(2).map(|pair| (pair[0].text(), pair[1].text())).collect()
}

/// Waits, though not for ever, until what has expired is removed as well as hidden: the digest counts what is not removed.
fn wait_for_expiry(client: &mut Client) {
    for _ in 0..100 {
        let shown = client.call("KEYS *").items().len();
        if client.call("DBSIZE").render() == format!("(integer) {shown}") {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// All that a server holds: a digest of it, and for the message each key with its deadline and its value's digest.
#[derive(PartialEq, Eq)]
struct State {
    digest: String,
    keys: BTreeMap<String, String>,
}

impl State {
    fn of(client: &mut Client) -> State {
        let mut keys = BTreeMap::new();
        let keyspace = client.call("INFO keyspace").text();
        let databases = keyspace.lines().filter_map(|line| line.strip_prefix("db")?.split_once(':'));
        for (database, _) in databases {
            client.call(&format!("SELECT {database}"));
            wait_for_expiry(client);
            for key in client.call("KEYS *").items() {
                let mut ask = |words: &[&[u8]]| match key {
                    support::client::Value::Bulk(ref key) => {
                        let words: Vec<&[u8]> = words.iter().copied().chain([&key[..]]).collect();
                        client.try_call(&words).expect("a reply").render()
                    }
                    _ => panic!("KEYS gave {}", key.render()),
                };
                let mut value =
                    vec![ask(&[b"TYPE"]), ask(&[b"PEXPIRETIME"]), ask(&[b"DEBUG", b"DIGEST-VALUE"])];
                if let (Some("stream"), support::client::Value::Bulk(key)) =
                    (value.first().map(String::as_str), &key)
                {
                    let words: [&[u8]; 6] = [b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"];
                    let full = client.try_call(&words);
                    value.push(what_lasts(&full.expect("a reply").render()));
                }
                keys.insert(format!("db{database} {}", key.render()), value.join(" "));
            }
        }
        client.call("SELECT 0");
        State { digest: client.call("DEBUG DIGEST").render(), keys }
    }

    fn difference(&self, after: &State) -> String {
        let mut out = format!("not the same data after the restart: {} became {}", self.digest, after.digest);
        for (key, value) in &self.keys {
            match after.keys.get(key) {
                None => out.push_str(&format!("\n    lost: {key} {value}")),
                Some(other) if other != value => {
                    out.push_str(&format!("\n    changed: {key} {value} -> {other}"))
                }
                Some(_) => {}
            }
        }
        for (key, value) in after.keys.iter().filter(|(key, _)| !self.keys.contains_key(*key)) {
            out.push_str(&format!("\n    new: {key} {value}"));
        }
        out
    }
}

/// A stream with its groups, without what no log holds: how it is spread over chunks, and when consumers were seen.
fn what_lasts(full: &str) -> String {
    let passing = ["radix-tree-keys", "radix-tree-nodes", "seen-time"];
    let mut lines = full.lines();
    let mut kept = Vec::new();
    while let Some(line) = lines.next() {
        match passing.iter().any(|name| line.contains(name)) {
            true => drop(lines.next()),
            false => kept.push(line.trim()),
        }
    }
    kept.join(" ")
}

// What follows tests the runner itself, on a server that gives the replies it was told to.

/// Runs `text` against canned replies, one connection for each list, and returns the failures.
fn run_against(text: &str, road: Road, replies: &[&'static [u8]]) -> Vec<String> {
    let transcript = Transcript::parse("fake.txt", text).expect("a transcript");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let replies: Vec<&'static [u8]> = replies.to_vec();
    let server = std::thread::spawn(move || {
        for reply in replies {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.write_all(reply).expect("room for the replies");
            stream.shutdown(Shutdown::Write).expect("an end to them");
            // Reads until the runner goes, so that closing does not throw away what it has not read yet.
            let _ = io::copy(&mut stream, &mut io::sink());
        }
    });
    let failures = transcript.run(road, &mut || Client::connect(address), &mut || {});
    server.join().expect("the fake server");
    failures
}

#[test]
fn a_right_reply_passes_and_a_wrong_one_is_told_with_its_place() {
    let text = "# a comment\n\n> GET a\n\"1\"\n\n> GET b\n\"2\"\n";
    assert_eq!(run_against(text, Road::Resp2, &[b"$1\r\n1\r\n$1\r\n2\r\n"]), Vec::<String>::new());
    let wrong = run_against(text, Road::Resp2, &[b"$1\r\n1\r\n$1\r\n3\r\n"]);
    assert_eq!(wrong, ["fake.txt:6 [resp2]\n    > GET b\n    expected:\n      \"2\"\n    got:\n      \"3\""]);
}

#[test]
fn replies_of_another_type_or_shape_are_wrong() {
    for reply in [&b"+1\r\n"[..], b":1\r\n", b"*1\r\n$1\r\n1\r\n", b"$-1\r\n", b"-ERR 1\r\n", b",1\r\n"] {
        assert_eq!(run_against("> GET a\n\"1\"\n", Road::Resp2, &[reply]).len(), 1, "{reply:?}");
    }
}

#[test]
fn a_connection_that_ends_is_a_failure() {
    let wrong = run_against("> GET a\n\"1\"\n", Road::Resp2, &[b"$5\r\n1"]);
    assert!(wrong.len() == 1 && wrong[0].contains("no reply"), "{wrong:?}");
}

#[test]
fn nobody_can_be_seen_to_wait_before_he_is_there() {
    let wrong = run_against("@ blocked\n\n> GET a\n\"1\"\n", Road::Resp2, &[]);
    assert!(wrong.len() == 1 && wrong[0].contains("no such connection"), "{wrong:?}");
}

#[test]
fn a_pattern_must_match_the_whole_reply() {
    assert!(run_against("> TTL a\n~ \\(integer\\) \\d+\n", Road::Resp2, &[b":12\r\n"]).is_empty());
    assert_eq!(run_against("> TTL a\n~ \\(integer\\) \\d\n", Road::Resp2, &[b":12\r\n"]).len(), 1);
}

#[test]
fn resp3_has_an_expectation_of_its_own_where_one_is_given() {
    let text = "> HGETALL h\n1) \"a\"\n2) \"b\"\n3> 1# \"a\" => \"b\"\n\n> PING\nPONG\n";
    let map = b"%0\r\n%1\r\n$1\r\na\r\n$1\r\nb\r\n+PONG\r\n";
    let list = b"%0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n+PONG\r\n";
    assert!(run_against(text, Road::Resp3, &[map]).is_empty());
    assert_eq!(run_against(text, Road::Resp3, &[list]).len(), 1);
    assert!(run_against(text, Road::Resp2, &[&list[4..]]).is_empty());
}

#[test]
fn the_multi_road_looks_into_exec_and_takes_no_other_reply() {
    let text = "> INCR a\n(integer) 1\n";
    assert!(run_against(text, Road::Multi, &[b"+OK\r\n+QUEUED\r\n*1\r\n:1\r\n"]).is_empty());
    assert_eq!(run_against(text, Road::Multi, &[b"+OK\r\n+QUEUED\r\n*1\r\n:2\r\n"]).len(), 1);
    assert_eq!(run_against(text, Road::Multi, &[b"+OK\r\n+QUEUED\r\n*2\r\n:1\r\n:1\r\n"]).len(), 1);
    assert_eq!(run_against(text, Road::Multi, &[b"+OK\r\n:1\r\n*0\r\n"]).len(), 1);
    let refused = "> GET\n(error) ERR wrong\n";
    let aborted = b"+OK\r\n-ERR wrong\r\n-EXECABORT discarded\r\n";
    assert!(run_against(refused, Road::Multi, &[aborted]).is_empty());
    assert_eq!(run_against(refused, Road::Multi, &[b"+OK\r\n-ERR wrong\r\n*0\r\n"]).len(), 1);
    let own = "> MULTI\nOK\n\n> GET a\nQUEUED\n\n> EXEC\n1) (nil)\n";
    assert!(run_against(own, Road::Multi, &[b"+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n"]).is_empty());
}

#[test]
fn a_skipped_road_ends_where_it_says_and_the_others_go_on() {
    let text = "> PING\nPONG\n\n@ skip multi|resp3 for the test\n\n> PING\nPONG\n";
    assert!(run_against(text, Road::Multi, &[b"+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n"]).is_empty());
    assert_eq!(run_against(text, Road::Resp2, &[b"+PONG\r\n+NO\r\n"]).len(), 1);
}

#[test]
fn clients_are_connections_of_their_own_and_an_empty_request_only_reads() {
    let text = "> SUBSCRIBE c\nsubscribed\n\n@ client other\n> PUBLISH c m\n(integer) 1\n\n@ client main\n>\nmessage\n";
    let transcript = Transcript::parse("fake.txt", text).expect("a transcript");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let mut accepted = Vec::new();
    let failures = transcript.run(
        Road::Resp2,
        &mut || {
            let client = Client::connect(address)?;
            let (mut stream, _) = listener.accept()?;
            stream.write_all(if accepted.is_empty() { b"+subscribed\r\n+message\r\n" } else { b":1\r\n" })?;
            accepted.push(stream);
            Ok(client)
        },
        &mut || {},
    );
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!(accepted.len(), 2);
}

#[test]
fn what_is_not_a_transcript_is_refused_with_its_line() {
    for (text, line) in [
        ("> PING\n\n> PING\nPONG\n", "x:1: no reply"),
        ("PONG\n", "x:1: a reply without"),
        ("> PING\nPONG\n\nPONG\n", "x:4: a reply without"),
        ("> SET a \"b\nOK\n", "x:1: a quote is not closed"),
        ("> SET a \"b\"c\nOK\n", "x:1: a space must follow"),
        ("> PING\n~ (\n", "x:1: regex"),
        ("@ skip moon because\n> PING\nPONG\n", "x:1: there is no road moon"),
        ("@ skip multi\n> PING\nPONG\n", "x:1: @ skip needs a reason"),
        ("@ dance\n> PING\nPONG\n", "x:1: unknown directive"),
        ("@ blocked now\n> PING\nPONG\n", "x:1: unknown directive"),
        ("# only a comment\n", "x: no step"),
    ] {
        let error = Transcript::parse("x", text).expect_err(text);
        assert!(error.starts_with(line), "{error}");
    }
}

#[test]
fn words_are_cut_as_redis_cli_cuts_them() {
    let words = split_words(r#"SET  "a \x00\n\"" 'it\'s \n' b\c "" x"#).expect("words");
    assert_eq!(words, [&b"SET"[..], b"a \0\n\"", b"it's \\n", b"b\\c", b"", b"x"]);
}

#[test]
fn nested_replies_are_drawn_as_redis_cli_draws_them() {
    use support::client::Value::{Array, Bulk, Double, Int, Map, Nil, Set};
    let bulk = |text: &str| Bulk(text.as_bytes().to_vec());
    let mut ten: Vec<_> = (1..10).map(Int).collect();
    ten.push(Array(vec![bulk("a"), Array(vec![Nil, Array(vec![])])]));
    let drawn = Array(ten).render();
    assert!(drawn.starts_with(" 1) (integer) 1\n 2) (integer) 2\n"), "{drawn}");
    assert!(drawn.ends_with("\n10) 1) \"a\"\n    2) 1) (nil)\n       2) (empty array)"), "{drawn}");
    let map = Map(vec![(bulk("k"), Set(vec![Double("1.5".into()), Int(2)])), (bulk("e"), Map(vec![]))]);
    assert_eq!(map.render(), "1# \"k\" => 1~ (double) 1.5\n   2~ (integer) 2\n2# \"e\" => (empty hash)");
}
