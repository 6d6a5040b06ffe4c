//! `maxmemory-policy`: who goes when there is no room for all, and who is told.

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

use std::time::{Duration, Instant};

use support::client::{Client, Value, encode};
use support::server::Server;

const OOM: &str = "OOM command not allowed when used memory > 'maxmemory'.";
const PATIENCE: Duration = Duration::from_secs(30);

fn figure(client: &mut Client, name: &str) -> u64 {
    let info = client.call("INFO").text();
    let of = |line: &str| line.strip_prefix(name)?.strip_prefix(':')?.parse().ok();
    info.lines().find_map(of).unwrap()
}

fn set(client: &mut Client, name: &str, value: &str) {
    assert_eq!(client.try_call(&["CONFIG", "SET", name, value]).unwrap().text(), "OK");
}

/// Leaves room for so many bytes more than are in use, or for fewer; the limit.
fn leave(client: &mut Client, change: i64) -> u64 {
    let limit = figure(client, "used_memory").saturating_add_signed(change);
    set(client, "maxmemory", &limit.to_string());
    limit
}

fn size(client: &mut Client) -> u64 {
    client.call("DBSIZE").render().strip_prefix("(integer) ").unwrap().parse().unwrap()
}

fn wait_until(client: &mut Client, is_it_so: impl Fn(&mut Client) -> bool) {
    let began = Instant::now();
    while !is_it_so(client) {
        assert!(began.elapsed() < PATIENCE, "it did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends all of these and reads the answers; those that are refusals.
fn refusals(client: &mut Client, requests: &[Vec<u8>]) -> usize {
    let refused = |client: &mut Client| {
        let answer = client.read().unwrap();
        assert!(answer.error().is_none_or(|error| error == OOM), "{}", answer.render());
        answer.error().is_some()
    };
    requests
        .chunks(500)
        .map(|some| {
            client.send_raw(&some.concat()).unwrap();
            some.iter().filter(|_| refused(client)).count()
        })
        .sum()
}

fn fill(client: &mut Client, prefix: &str, count: usize, rest: &[&str]) -> usize {
    let value = "x".repeat(500);
    let requests: Vec<_> = (0..count)
        .map(|number| {
            let key = format!("{prefix}:{number}");
            encode(&[&["SET", &key, &value], rest].concat())
        })
        .collect();
    refusals(client, &requests)
}

#[test]
fn writes_go_on_under_every_policy_and_the_limit_is_kept() {
    const SLACK: u64 = 3 << 20;
    for policy in [
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    ] {
        let server = Server::start(&["--maxmemory-policy", policy]);
        let mut client = server.client();
        let limit = leave(&mut client, 8 << 20);
        let stays = fill(&mut client, "stays", 2_000, &[]);
        let goes = fill(&mut client, "goes", 60_000, &["EX", "1000"]);
        assert_eq!((stays, goes), (0, 0), "{policy}: none is refused");
        let used = figure(&mut client, "used_memory");
        assert!(used < limit + SLACK && used > limit - SLACK, "{policy}: {used} of {limit}");
        // So that the figures are of one moment.
        set(&mut client, "maxmemory", "0");
        let (evicted, left) = (figure(&mut client, "evicted_keys"), size(&mut client));
        assert_eq!(evicted + left, 62_000, "{policy}");
        let scan = client.call("SCAN 0 MATCH stays:* COUNT 1000000").items()[1].items().len();
        if policy.starts_with("volatile") {
            assert_eq!(scan, 2_000, "{policy}: what does not expire, stays");
        } else {
            assert!(scan < 1_500, "{policy}: {scan} of the oldest are left");
        }
    }
}

#[test]
fn where_nothing_may_go_writes_are_refused() {
    let server = Server::start(&["--maxmemory-policy", "volatile-lru"]);
    let mut client = server.client();
    fill(&mut client, "stays", 2_000, &[]);
    set(&mut client, "maxmemory", "1");
    assert_eq!(client.call("SET a 1").error(), Some(OOM));
    assert_eq!(client.call("GET stays:7").text().len(), 500);
    assert_eq!(size(&mut client), 2_000);
    // A key that may go makes no room for others, but goes.
    assert_eq!(client.call("EXPIRE stays:7 1000").render(), "(integer) 1");
    assert_eq!(client.call("SET a 1").error(), Some(OOM));
    assert_eq!(size(&mut client), 1_999);
    set(&mut client, "maxmemory-policy", "allkeys-lru");
    wait_until(&mut client, |client| size(client) == 0);
    set(&mut client, "maxmemory", "0");
    assert_eq!(client.call("SET a 1").text(), "OK");
}

/// Two halves of which the policy prefers one: how many are left of either when a third of the memory has to go.
fn halves(policy: &str, one: &[&str], other: &[&str]) -> (usize, usize) {
    const KEYS: usize = 3_000;
    let server = Server::start(&["--maxmemory-policy", policy]);
    let mut client = server.client();
    client.try_call(&[b"SET".as_slice(), b"model", &[b'x'; 500]]).unwrap();
    let Value::Bulk(payload) = client.call("DUMP model") else { panic!("no payload") };
    client.call("DEL model");
    let empty = figure(&mut client, "used_memory");
    for (prefix, options) in [("one", one), ("other", other)] {
        for number in 0..KEYS {
            let key = format!("{prefix}:{number}");
            let (ttl, rest) = options.split_first().unwrap();
            let mut words: Vec<&[u8]> = vec![b"RESTORE", key.as_bytes(), ttl.as_bytes(), &payload];
            words.extend(rest.iter().map(|word| word.as_bytes()));
            assert_eq!(client.try_call(&words).unwrap().text(), "OK");
        }
    }
    let full = figure(&mut client, "used_memory");
    let limit = full - (full - empty) / 3;
    set(&mut client, "maxmemory", &limit.to_string());
    wait_until(&mut client, |client| figure(client, "used_memory") <= limit);
    let mut count = |prefix: &str| {
        client.try_call(&["SCAN", "0", "MATCH", &format!("{prefix}:*"), "COUNT", "100000"]).unwrap().items()
            [1]
        .items()
        .len()
    };
    (count("one"), count("other"))
}

#[test]
fn who_is_least_wanted_goes_first() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("allkeys-lru", &["0", "IDLETIME", "1000"], &["0", "IDLETIME", "10"]),
        ("volatile-lru", &["900000", "IDLETIME", "1000"], &["900000", "IDLETIME", "10"]),
        ("allkeys-lfu", &["0", "FREQ", "5"], &["0", "FREQ", "200"]),
        ("volatile-lfu", &["900000", "FREQ", "5"], &["900000", "FREQ", "200"]),
        ("volatile-ttl", &["500000"], &["900000"]),
    ];
    for (policy, worse, better) in cases {
        let (left, kept) = halves(policy, worse, better);
        assert!(left < 1_100 && kept > 2_900, "{policy}: {left} and {kept} of 3000 are left");
    }
    let (one, other) = halves("allkeys-random", &["0"], &["0"]);
    assert!(one.abs_diff(other) < 600, "{one} and {other} of 3000 are left");
}

#[test]
fn what_was_evicted_stays_gone_and_its_watchers_know() {
    let mut server = Server::start(&["--maxmemory-policy", "allkeys-random"]);
    let mut client = server.client();
    fill(&mut client, "key", 5_000, &[]);
    client.call("WATCH key:1 key:2 key:3 key:4 key:5 key:6 key:7 key:8 key:9 key:10 key:11 key:12");
    let mut other = server.client();
    leave(&mut other, -2_000_000);
    wait_until(&mut other, |client| size(client) < 2_500);
    set(&mut other, "maxmemory", "0");
    client.call("MULTI");
    client.call("SET a 1");
    assert_eq!(client.call("EXEC").render(), "(nil)", "one of twelve has gone");
    let digest = other.call("DEBUG DIGEST").text();
    server.kill9();
    server.start_again();
    assert_eq!(server.client().call("DEBUG DIGEST").text(), digest);
}

#[test]
fn who_listens_caches_or_waits_is_told() {
    let server = Server::start(&["--maxmemory-policy", "volatile-random", "--notify-keyspace-events", "Ee"]);
    let (mut client, mut listener, mut waiter) = (server.client(), server.client(), server.client());
    listener.call("PSUBSCRIBE *");
    client.call("HELLO 3");
    client.call("CLIENT TRACKING on");
    client.call("SET goes 1 EX 1000");
    client.call("GET goes");
    client.call("XGROUP CREATE stream g $ MKSTREAM");
    client.call("EXPIRE stream 1000");
    let words = ["XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "stream", ">"];
    waiter.send_raw(&encode(&words)).unwrap();
    wait_until(&mut client, |client| figure(client, "blocked_clients") == 1);
    set(&mut client, "maxmemory", "1");
    let Value::Push(push) = client.call("GET a") else { panic!("no push before the reply") };
    assert_eq!(push[1].items()[0].text(), "goes");
    assert_eq!(client.read().unwrap().render(), "(nil)");
    let told = [listener.read().unwrap().render(), listener.read().unwrap().render()].concat();
    assert!(told.contains("__keyevent@0__:evicted"), "{told}");
    assert!(told.contains("\"goes\"") && told.contains("\"stream\""), "{told}");
    let answer = waiter.read().unwrap().render();
    assert!(answer.starts_with("(error) UNBLOCKED") || answer.starts_with("(error) NOGROUP"), "{answer}");
}

/// The fewest that tenacity lets is some before each command.
#[test]
fn without_any_tenacity_room_is_made_all_the_same() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-lru", "--maxmemory-eviction-tenacity", "0"]);
    let mut client = server.client();
    let limit = leave(&mut client, 4 << 20);
    assert_eq!(fill(&mut client, "key", 40_000, &[]), 0);
    let used = figure(&mut client, "used_memory");
    assert!(used < limit + (3 << 20), "{used} of {limit}");
}

/// A few keys in a table of thousands of stripes.
#[test]
fn of_a_few_keys_those_that_are_wanted_most_stay() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-lfu"]);
    let mut client = server.client();
    client.try_call(&[b"SET".as_slice(), b"model", &vec![b'x'; 1 << 20]]).unwrap();
    let Value::Bulk(payload) = client.call("DUMP model") else { panic!("no payload") };
    client.call("DEL model");
    for number in 0..20_u8 {
        let (key, frequency) = (format!("key:{number}"), (10 + number).to_string());
        let words: [&[u8]; 6] = [b"RESTORE", key.as_bytes(), b"0", &payload, b"FREQ", frequency.as_bytes()];
        assert_eq!(client.try_call(&words).unwrap().text(), "OK");
    }
    // Three and a half of them.
    let limit = leave(&mut client, -(7 << 19));
    wait_until(&mut client, |client| figure(client, "used_memory") <= limit);
    let left: Vec<bool> = (0..20)
        .map(|number| client.call(&format!("EXISTS key:{number}")).render() == "(integer) 1")
        .collect();
    assert!(left[15..].iter().all(|is_left| *is_left), "{left:?}");
}

/// What has outlived its time is removed and hardly anybody else with it, though nobody has looked yet.
#[test]
fn keys_whose_time_has_come_make_room_for_others() {
    let server = Server::start(&["--maxmemory-policy", "volatile-ttl", "--enable-debug-command", "yes"]);
    let mut client = server.client();
    client.call("DEBUG SET-ACTIVE-EXPIRE 0");
    fill(&mut client, "past", 4_000, &["PX", "1"]);
    fill(&mut client, "future", 4_000, &["EX", "1000"]);
    let limit = leave(&mut client, -1_000_000);
    wait_until(&mut client, |client| figure(client, "used_memory") <= limit);
    // The very first choice is among five only, and chance may have left all that are past out of these.
    let left = client.call("SCAN 0 MATCH future:* COUNT 1000000").items()[1].items().len();
    assert!(left > 3_990, "{left}");
    assert!(figure(&mut client, "evicted_keys") < 3_000);
}

#[test]
fn nothing_is_evicted_while_writes_are_paused() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-lru"]);
    let mut client = server.client();
    fill(&mut client, "key", 1_000, &[]);
    client.call("CLIENT PAUSE 600000 WRITE");
    set(&mut client, "maxmemory", "1");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!((size(&mut client), client.call("GET key:1").text().len()), (1_000, 500));
    // Whoever writes waits, as without a limit, and is not refused.
    let mut writer = server.client();
    writer.send_raw(&encode(&["SET", "a", "1"])).unwrap();
    wait_until(&mut client, |client| figure(client, "blocked_clients") == 1);
    client.call("CLIENT UNPAUSE");
    wait_until(&mut client, |client| size(client) == 0);
    assert!(writer.read().unwrap().error().is_none_or(|error| error == OOM));
}
