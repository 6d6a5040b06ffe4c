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
    // What the client had under way when it was refused, its input and its answers, counted as well and is gone now.
    let under_way = MB / 4;
    assert!(used > limit - under_way && used < limit + 4 * MB, "{used} of {limit}");
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

#[test]
fn what_a_client_has_queued_counts_until_it_is_gone() {
    let server = Server::start(&["--io-threads", "2"]);
    let (mut client, mut other) = (server.client(), server.client());
    let before = used(&mut other);
    limit(&mut other, 50 * MB as i64);
    assert_eq!(client.call("MULTI").text(), "OK");
    let value = vec![b'x'; MB as usize];
    let answers: Vec<_> =
        (0..300).map(|_| client.try_call(&[b"SET".as_slice(), b"k", &value]).unwrap().render()).collect();
    let refused = format!("(error) {OOM}");
    let queued = answers.iter().take_while(|answer| *answer == "QUEUED").count();
    assert!((30..60).contains(&queued), "{queued}");
    // Right at the limit the buffer of the command itself decides, and it is not always full at a look.
    let count = answers.iter().filter(|answer| **answer == refused).count();
    assert!(count > 200 && answers[queued] == refused, "{count}");
    let held = used(&mut other) - before;
    assert!((queued as u64 * MB..(queued as u64 + 5) * MB).contains(&held), "{held}");

    let list = other.call("CLIENT LIST").text();
    let figure = |line: &str, name: &str| {
        let word = line.split(' ').find_map(|word| word.strip_prefix(name)).unwrap();
        word.parse::<u64>().unwrap()
    };
    let line = list.lines().find(|line| line.contains(&format!(" multi={queued} "))).unwrap();
    let (queue, total) = (figure(line, "multi-mem="), figure(line, "tot-mem="));
    assert!(queue >= queued as u64 * MB && total > queue, "{line}");

    let aborted = "(error) EXECABORT Transaction discarded because of previous errors.";
    assert_eq!(client.call("EXEC").render(), aborted);
    assert!(!other.call("CLIENT LIST").text().lines().any(|line| figure(line, "multi-mem=") > 0));
    assert!(!is_refused(&mut client), "what was queued is gone");

    client.call("MULTI");
    assert_eq!(client.call("SET k 1").text(), "QUEUED");
    other.call("CONFIG SET maxmemory 1");
    let aborted = format!("(error) EXECABORT Transaction discarded because of: {OOM}");
    assert_eq!(client.call("EXEC").render(), aborted);
    client.call("MULTI");
    assert_eq!(client.call("GET k").render(), refused);
    assert_eq!(client.call("DISCARD").text(), "OK");
    for line in ["MULTI", "EXEC", "MULTI", "RESET"] {
        assert!(client.call(line).error().is_none(), "{line} needs no memory");
    }
}
