//! `maxmemory`: nobody is refused who has made room, and nobody gets far beyond it.

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

use support::client::{Client, encode};
use support::server::Server;

const MB: u64 = 1 << 20;
const OOM: &str = "OOM command not allowed when used memory > 'maxmemory'.";
const PATIENCE: Duration = Duration::from_secs(30);

fn used(client: &mut Client) -> u64 {
    let info = client.call("INFO memory").text();
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    line.parse().unwrap()
}

/// Lets it have so many bytes more than it has, or fewer; the limit.
fn limit(client: &mut Client, change: i64) -> u64 {
    let limit = used(client).saturating_add_signed(change);
    assert_eq!(client.call(&format!("CONFIG SET maxmemory {limit}")).text(), "OK");
    limit
}

fn is_refused(client: &mut Client) -> bool {
    match client.call("SET small 1").error() {
        Some(error) => {
            assert_eq!(error, OOM);
            true
        }
        None => false,
    }
}

fn wait_until(client: &mut Client, is_it_so: impl Fn(&mut Client) -> bool) {
    let began = Instant::now();
    while !is_it_so(client) {
        assert!(began.elapsed() < PATIENCE, "it did not come");
    }
}

/// Sends these requests, a few MB at a time, and reads their replies; how many were taken.
fn taken(client: &mut Client, requests: impl Iterator<Item = Vec<u8>>) -> usize {
    const AT_ONCE: usize = 1000;
    let (mut requests, mut taken) = (requests, 0);
    loop {
        let some: Vec<Vec<u8>> = requests.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            return taken;
        }
        client.send_raw(&some.concat()).unwrap();
        for _ in &some {
            match client.read().unwrap().error() {
                Some(error) => assert_eq!(error, OOM),
                None => taken += 1,
            }
        }
    }
}

#[test]
fn who_has_deleted_something_may_write_at_once() {
    let server = Server::start(&[]);
    let (mut client, mut other) = (server.client(), server.client());
    let big = vec![b'x'; 20 * MB as usize];
    for round in 0..30 {
        client.call("CONFIG SET maxmemory 0");
        client.try_call(&[b"SET".as_slice(), b"big", &big]).unwrap();
        limit(&mut client, -(MB as i64));
        assert!(is_refused(&mut client) && is_refused(&mut other), "round {round}");
        assert_eq!(client.call("DEL big").render(), "(integer) 1");
        let writer = if round % 2 == 0 { &mut client } else { &mut other };
        assert!(!is_refused(writer), "round {round}");
    }
}

#[test]
fn a_client_that_writes_fast_gets_hardly_beyond_the_limit() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let limit = limit(&mut client, 20 * MB as i64);
    let value = "x".repeat(1000);
    let taken =
        taken(&mut client, (0..60_000).map(|number| encode(&["SET", &format!("key:{number}"), &value])));
    let used = used(&mut client);
    assert!((10_000..30_000).contains(&taken), "{taken}");
    assert!(used > limit && used < limit + 4 * MB, "{used} of {limit}");
}

#[test]
fn a_command_that_makes_much_of_little_input_gets_hardly_beyond_the_limit() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let limit = limit(&mut client, 50 * MB as i64);
    let fill = |number| encode(&["SETRANGE", &format!("key:{number}"), "5000000", "x"]);
    let taken = taken(&mut client, (0..100).map(fill));
    let used = used(&mut client);
    // Each takes up to 10 MB.
    assert!(used > limit && used < limit + 25 * MB, "{used} of {limit} after {taken}");
}

#[test]
fn what_a_client_has_sent_of_an_unfinished_command_counts() {
    let server = Server::start(&[]);
    let mut client = server.client();
    limit(&mut client, 40 * MB as i64);
    assert!(!is_refused(&mut client));
    let mut sender = server.client();
    sender.send_raw(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$100000000\r\n").unwrap();
    sender.send_raw(&vec![b'x'; 60 * MB as usize]).unwrap();
    wait_until(&mut client, is_refused);
    drop(sender);
    wait_until(&mut client, |client| !is_refused(client));
}

#[test]
fn a_script_is_refused_before_its_first_write_and_not_between_two() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client.call("SET a 1");
    let known = client.try_call(&["SCRIPT", "LOAD", "#!lua\nreturn 1"]).unwrap().text();
    client.call("CONFIG SET maxmemory 1");
    let refused = format!("(error) {OOM}");
    // What redis-server 7.0.15 answers. Where a script has raised an error its place follows.
    let cases: &[(&[&str], &str)] = &[
        (&["EVAL", "redis.call('DEL', 'a') return redis.call('SET', 'a', 'b')"], "OK"),
        (&["EVAL", "return redis.call('SET', 'a', 'b')"], &refused),
        (&["EVAL", "redis.pcall('SET', 'a', 'b') return redis.call('GET', 'a')"], "\"b\""),
        (&["EVAL", "#!lua flags=no-writes\nreturn redis.call('GET', 'a')"], "\"b\""),
        (&["EVAL", "#!lua\nreturn 1"], &refused),
        (&["EVAL_RO", "#!lua\nreturn 1"], &refused),
        (&["EVALSHA", &known], &refused),
        (&["EVAL", "#!lua flags=allow-oom\nreturn redis.call('SET', 'a', 'c')"], "OK"),
        (&["EVAL", "return 1"], "(integer) 1"),
    ];
    for (words, expected) in cases {
        let answer = client.try_call(&[*words, &["0"]].concat()).unwrap().render();
        assert!(answer.starts_with(expected), "{words:?} gave {answer}");
        let is_whole = answer == *expected || !words[1].starts_with("#!");
        assert!(is_whole, "{words:?} gave {answer}");
    }
}
