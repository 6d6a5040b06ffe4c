//! Scripts that do not end, and what is in the log of those that write.

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

use std::time::{Duration, Instant};

use support::client::{Client, Value, encode};
use support::server::Server;

/// It catches what it can, and goes on.
const ENDLESS: &str = r#"EVAL "while true do pcall(function() while true do end end) end" 0"#;
const ENDLESS_AND_WRITING: &str = r#"EVAL "redis.call('SET', 'k', 'v') while true do end" 0"#;

const PATIENCE: Duration = Duration::from_secs(30);

/// A server whose scripts take too long after a moment, and a client on whose connection such a script runs.
fn busy(script: &'static str) -> (Server, std::thread::JoinHandle<Option<String>>) {
    let server = Server::start(&["--busy-reply-threshold", "20", "--io-threads", "2"]);
    let mut client = server.client();
    let asked = std::thread::spawn(move || client.try_call(&words(script)).ok()?.error().map(str::to_owned));
    (server, asked)
}

fn words(line: &str) -> Vec<Vec<u8>> {
    support::transcript::split_words(line).unwrap()
}

/// Asks on new connections until the answer begins so: it does not before the script has taken too long.
fn ask_until(server: &Server, line: &str, start: &str) -> String {
    let began = Instant::now();
    loop {
        let mut client = Client::connect(("127.0.0.1", server.port())).unwrap();
        client.socket().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        if let Ok(reply) = client.try_call(&words(line)) {
            let text = reply.render();
            if text.trim_start_matches("(error) ").starts_with(start) {
                return text;
            }
        }
        assert!(began.elapsed() < PATIENCE, "{line} never gave {start}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn others_are_told_of_a_script_that_does_not_end_and_can_kill_it() {
    let (server, asked) = busy(ENDLESS);
    ask_until(&server, "GET k", "BUSY ");
    ask_until(&server, "SCRIPT KILL", "OK");
    let why = asked.join().unwrap().unwrap();
    assert!(why.starts_with("ERR Script killed by user with SCRIPT KILL..."), "{why}");
    ask_until(&server, "SET k v", "OK");
    ask_until(&server, "SCRIPT KILL", "NOTBUSY ");
}

/// Those whose sleep ends meanwhile need no turn for it, and so keep no worker from hearing of the end.
#[test]
fn sleepers_that_wake_up_or_go_do_not_keep_others_from_ending_a_script() {
    let server =
        Server::start(&["--busy-reply-threshold", "20", "--io-threads", "2", "--io-threads-spread", "yes"]);
    // On both workers.
    let sleepers: Vec<Client> = (0..8)
        .map(|n| {
            let mut client = server.client();
            let timeout = if n < 4 { "0.4" } else { "0" };
            client.send_raw(&encode(&["BLPOP", "nokey", timeout])).unwrap();
            client
        })
        .collect();
    let mut watcher = server.client();
    watcher.call("WATCH k");
    let mut client = server.client();
    let script =
        std::thread::spawn(move || client.try_call(&words(ENDLESS)).ok()?.error().map(str::to_owned));
    ask_until(&server, "GET k", "BUSY ");
    drop((sleepers, watcher));
    std::thread::sleep(Duration::from_millis(600));
    let began = Instant::now();
    ask_until(&server, "SCRIPT KILL", "OK");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(script.join().unwrap().is_some());
}

/// One worker, whose thread the script has: its other clients are answered all the same.
#[test]
fn clients_on_the_thread_of_a_script_that_does_not_end_are_told_and_can_kill_it() {
    for fsync in ["everysec", "always"] {
        let server =
            Server::start(&["--busy-reply-threshold", "20", "--io-threads", "1", "--appendfsync", fsync]);
        let [mut watcher, mut dealer, mut slow, mut piper, mut client] = [(); 5].map(|()| server.client());
        dealer.call("MULTI");
        assert_eq!(dealer.call("SET x 1").text(), "QUEUED");
        slow.send_raw(b"*2\r\n$3\r\nGET\r\n$1").unwrap();
        watcher.call("SET k v");
        let script =
            std::thread::spawn(move || client.try_call(&words(ENDLESS)).ok()?.error().map(str::to_owned));
        let began = Instant::now();
        while watcher.call("GET k").error().is_none() {
            assert!(began.elapsed() < PATIENCE);
        }
        assert!(watcher.call("GET k").error().unwrap().starts_with("BUSY "));
        assert!(dealer.call("INCR x").error().unwrap().starts_with("BUSY "));
        slow.send_raw(b"\r\nk\r\n").unwrap();
        assert!(slow.read().unwrap().error().unwrap().starts_with("BUSY "));
        assert_eq!(piper.call("MULTI").text(), "OK");
        piper.send_raw(&encode(&["SET", "y", "1"]).repeat(100)).unwrap();
        (0..100).for_each(|_| assert!(piper.read().unwrap().error().unwrap().starts_with("BUSY ")));
        let mut new = server.client();
        assert!(new.call("GET k").error().unwrap().starts_with("BUSY "));
        drop(new);
        assert_eq!(watcher.call("SCRIPT KILL").text(), "OK");
        assert!(script.join().unwrap().unwrap().starts_with("ERR Script killed by user"));
        for client in [&mut dealer, &mut piper] {
            assert!(client.call("EXEC").error().unwrap().starts_with("EXECABORT "));
        }
        for client in [&mut watcher, &mut slow, &mut dealer, &mut piper] {
            assert_eq!(client.call("GET k").text(), "v");
        }
    }
}

#[test]
fn a_client_on_the_thread_of_a_script_can_end_the_server() {
    let mut server = Server::start(&["--busy-reply-threshold", "20", "--io-threads", "1"]);
    let (mut watcher, mut client) = (server.client(), server.client());
    // It is told of what the script changes, and heard all the same.
    watcher.call("HELLO 3");
    watcher.call("CLIENT TRACKING on");
    watcher.call("GET k");
    let script = std::thread::spawn(move || drop(client.try_call(&words(ENDLESS_AND_WRITING))));
    let began = Instant::now();
    let is_refused = |reply: &Value| reply.error().is_some_and(|error| error.starts_with("UNKILLABLE "));
    watcher.send_raw(&encode(&["SCRIPT", "KILL"])).unwrap();
    loop {
        let reply = watcher.read().unwrap();
        if is_refused(&reply) {
            break;
        }
        assert!(began.elapsed() < PATIENCE);
        if !matches!(reply, Value::Push(_)) {
            watcher.send_raw(&encode(&["SCRIPT", "KILL"])).unwrap();
        }
    }
    // Whoever ends the server gets no answer.
    watcher.send_raw(&encode(&["SHUTDOWN", "NOSAVE"])).unwrap();
    while let Ok(reply) = watcher.read() {
        assert!(matches!(reply, Value::Push(_)), "{}", reply.render());
    }
    script.join().unwrap();
    assert!(server.wait_for_end().success());
}

#[test]
fn a_script_that_has_written_is_not_killed_but_the_server_can_end() {
    let (mut server, asked) = busy(ENDLESS_AND_WRITING);
    ask_until(&server, "SCRIPT KILL", "UNKILLABLE ");
    assert!(server.terminate().success());
    drop(asked.join().unwrap());
    server.start_again();
    assert_eq!(server.client().call("GET k").text(), "v", "what it did before it was ended stands");
}

#[test]
fn what_a_script_writes_is_one_record_without_the_script() {
    let server = Server::start(&["--appendfsync", "always"]);
    let mut client = server.client();
    let script =
        r#"EVAL "redis.call('SET', 'a', 1) redis.call('INCR', 'a') return redis.call('EXPIRE', 'a', 100)" 0"#;
    assert_eq!(client.try_call(&words(script)).unwrap().render(), "(integer) 1");
    let log = std::fs::read(server.dir().join("appendonlydir/appendonly.aof.1.incr.aof")).unwrap();
    let log = String::from_utf8_lossy(&log);
    let commands: Vec<_> = ["MULTI", "SET", "INCR", "PEXPIREAT", "EXEC", "EVAL"]
        .map(|name| log.find(&format!("\r\n{name}\r\n")))
        .into();
    assert!(commands[..5].is_sorted() && commands[..5].iter().all(Option::is_some), "{commands:?}\n{log}");
    assert_eq!(commands[5], None);
}

#[test]
fn errors_that_a_script_answers_are_counted_once_each() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client.call("LPUSH l x");
    // Scripts, what errorstats shows after each, and how many calls of EVAL have failed: as redis-server 7.0.15 has it.
    let cases: &[(&str, &[&str], u32)] = &[
        ("return redis.error_reply('MYERR x')", &["MYERR:count=1"], 1),
        ("return redis.error_reply('x')", &["ERR:count=1"], 1),
        ("return redis.error_reply('')", &["ERR:count=1"], 1),
        ("return {1, redis.error_reply('IN a'), {err='IN2 x'}}", &["IN2:count=1", "IN:count=1"], 1),
        ("return {err='noword'}", &["ERR:count=1"], 1),
        ("return {err='A_VERY_LONG_WORD_OF_MORE_THAN_32_CHARACTERS y'}", &["ERR:count=1"], 1),
        ("return redis.pcall('INCR', 'l')", &["WRONGTYPE:count=1"], 1),
        ("return redis.call('INCR', 'l')", &["WRONGTYPE:count=1"], 1),
        ("redis.pcall('INCR', 'l') return 1", &["WRONGTYPE:count=1"], 0),
        ("local e = redis.pcall('INCR', 'l') return {err=e.err}", &["WRONGTYPE:count=2"], 1),
        ("error({err='MYERR z'})", &["MYERR:count=1"], 1),
        ("return {err='MYERR x', ignore_error_stats_update=true}", &[], 1),
    ];
    for (script, counted, failed) in cases {
        client.call("CONFIG RESETSTAT");
        client.try_call(&["EVAL", script, "0"]).unwrap();
        let info = client.call("INFO errorstats").text();
        let mut shown: Vec<_> =
            info.lines().filter_map(|line| line.trim().strip_prefix("errorstat_")).collect();
        shown.sort_unstable();
        assert_eq!(shown, *counted, "{script}");
        let info = client.call("INFO commandstats").text();
        let eval = info.lines().find(|line| line.starts_with("cmdstat_eval:")).unwrap();
        assert!(eval.trim().ends_with(&format!("failed_calls={failed}")), "{script}: {eval}");
    }
}
