//! Clients that sleep, in BLPOP and its kin, in WAIT or because of CLIENT PAUSE, and what they do meanwhile: go away, or send
//! more.
//!
//! A job for somebody who has gone must stay in its queue: nobody else would ever do it.

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

use std::io::Write as _;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use support::client::{Client, Value, encode};
use support::server::Server;

/// Time within which whatever shall happen has happened, on however slow a machine.
const SOON: Duration = Duration::from_secs(10);

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < SOON, "not after {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Clients that INFO shows as blocked.
fn blocked(client: &mut Client) -> usize {
    let info = client.call("INFO clients").text();
    let count = info.lines().find_map(|line| line.strip_prefix("blocked_clients:"));
    count.expect("the field").trim().parse().expect("a number")
}

/// A new connection that sleeps in this command.
fn sleeper(server: &Server, control: &mut Client, request: &str) -> Client {
    let before = blocked(control);
    let mut client = server.client();
    let words: Vec<&str> = request.split(' ').collect();
    client.send_raw(&encode(&words)).expect("sent");
    until(request, || blocked(control) > before);
    client
}

#[test]
fn who_goes_away_in_its_sleep_takes_nothing_with_it() {
    let server = Server::start(&["--io-threads", "2"]);
    let mut control = server.client();
    for (request, push, left) in [
        ("BLPOP q 0", "RPUSH q job", "LRANGE q 0 -1"),
        ("BRPOP other q 0", "RPUSH q job", "LRANGE q 0 -1"),
        ("BLMPOP 0 1 q LEFT", "RPUSH q job", "LRANGE q 0 -1"),
        ("BLMOVE q elsewhere LEFT LEFT 0", "RPUSH q job", "LRANGE q 0 -1"),
        ("BRPOPLPUSH q elsewhere 100", "RPUSH q job", "LRANGE q 0 -1"),
        ("BZPOPMIN q 0", "ZADD q 1 job", "ZRANGE q 0 -1"),
        ("BZMPOP 0 1 q MAX", "ZADD q 1 job", "ZRANGE q 0 -1"),
    ] {
        for way in ["it closes", "it closes its side"] {
            control.call("FLUSHALL");
            let mut client = Some(sleeper(&server, &mut control, request));
            match way {
                "it closes" => client = None,
                _ => client.iter().for_each(|it| it.socket().shutdown(Shutdown::Write).expect("closed")),
            }
            until(&format!("{request}, {way}"), || blocked(&mut control) == 0);
            assert_eq!(control.call(push), Value::Int(1), "{request}, {way}");
            assert_eq!(control.call(left).items().len(), 1, "{request}, {way}: the job is gone");
            drop(client);
        }
    }
    until("all of them are gone", || control.call("CLIENT LIST").text().lines().count() == 1);
}

#[test]
fn who_stands_behind_one_that_went_away_is_served() {
    let server = Server::start(&[]);
    let mut control = server.client();
    let first = sleeper(&server, &mut control, "BLPOP q 0");
    let mut second = sleeper(&server, &mut control, "BLPOP q 0");
    drop(first);
    until("the first is gone", || blocked(&mut control) == 1);
    control.call("RPUSH q job");
    assert_eq!(second.read().expect("a job").render(), "1) \"q\"\n2) \"job\"");
}

#[test]
fn what_is_sent_in_the_sleep_is_run_after_it() {
    let server = Server::start(&[]);
    let mut control = server.client();
    let mut client = sleeper(&server, &mut control, "BLPOP q 0");
    // Many small pieces, one of them cut in the middle of a command, and more than one read takes.
    let set = encode(&["SET", "big", &"x".repeat(100_000)]);
    let (some, more) = set.split_at(50);
    for piece in [&b"*1\r\n$4\r\nPI"[..], b"NG\r\n", b"ECHO a\r\nECHO b\r\n", some, more, b"STRLEN big\r\n"] {
        client.send_raw(piece).expect("sent");
        std::thread::sleep(Duration::from_millis(3));
    }
    assert_eq!(blocked(&mut control), 1);
    assert_eq!(control.call("EXISTS big"), Value::Int(0), "nothing overtakes");
    control.call("RPUSH q job");
    let replies: Vec<String> = (0..6).map(|_| client.read().expect("a reply").render()).collect();
    let expected = ["1) \"q\"\n2) \"job\"", "PONG", "\"a\"", "\"b\"", "OK", "(integer) 100000"];
    assert_eq!(replies, expected);
}

#[test]
fn who_sends_too_much_in_its_sleep_is_cut_off() {
    let server = Server::start(&["--client-query-buffer-limit", "1mb"]);
    let mut control = server.client();
    let client = sleeper(&server, &mut control, "BLPOP q 0");
    let mut socket = client.socket();
    // It may take some before it ends.
    let outcome = (0..64).try_for_each(|_| socket.write_all(&[b'x'; 64 * 1024]));
    until("it is gone", || blocked(&mut control) == 0);
    drop(outcome);
    assert!(server.output().contains("query buffer is over the limit"), "{}", server.output());
}

#[test]
fn who_waits_for_replicas_or_the_end_of_a_pause_may_go_too() {
    let server = Server::start(&[]);
    let mut control = server.client();
    drop(sleeper(&server, &mut control, "WAIT 1 0"));
    until("WAIT", || blocked(&mut control) == 0);
    control.call("CLIENT PAUSE 100000 WRITE");
    drop(sleeper(&server, &mut control, "SET k v"));
    until("a paused SET", || blocked(&mut control) == 0);
    control.call("CLIENT UNPAUSE");
    assert_eq!(control.call("EXISTS k"), Value::Int(0));
}

/// In Redis SAVE answers before the server reads on, so a client may end its input with it.
#[test]
fn who_asked_for_a_job_is_answered_although_its_input_has_ended() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client.send_raw(b"SET k v\r\nSAVE\r\n").expect("sent");
    client.socket().shutdown(Shutdown::Write).expect("closed");
    let replies = [(); 2].map(|()| client.read().expect("a reply").render());
    assert_eq!(replies, ["OK", "OK"]);
}
