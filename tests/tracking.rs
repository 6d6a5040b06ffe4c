//! Client-side caching over sockets: which pushes come, where, and that a cache that obeys them never keeps what is no
//! longer true.

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

use std::collections::HashMap;
use std::sync::Barrier;

use support::client::{Client, Value, encode};
use support::server::Server;

fn in_resp3(server: &Server) -> Client {
    let mut client = server.client();
    assert_eq!(client.call("HELLO 3").error(), None);
    client
}

/// The keys that a push says are stale; none for "all of them".
fn stale(push: &Value) -> Option<Vec<String>> {
    let Value::Push(parts) = push else { panic!("no push: {}", push.render()) };
    assert_eq!(parts[0].text(), "invalidate");
    match &parts[1] {
        Value::Nil => None,
        keys => Some(keys.items().iter().map(Value::text).collect()),
    }
}

fn next_stale(client: &mut Client) -> Option<Vec<String>> {
    stale(&client.read().unwrap())
}

fn keys(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn what_happens_to_the_groups_of_a_stream_makes_no_cache_stale() {
    let server = Server::start(&[]);
    let (mut reader, mut writer) = (in_resp3(&server), server.client());
    reader.call("CLIENT TRACKING ON");
    writer.call("XADD s 1-1 f v");
    reader.call("XLEN s");
    for silent in [
        "XGROUP CREATE s g 0",
        "XGROUP CREATECONSUMER s g bob",
        "XREADGROUP GROUP g ann STREAMS s >",
        "XREADGROUP GROUP g ann STREAMS s 0",
        "XCLAIM s g bob 0 1-1",
        "XAUTOCLAIM s g ann 0 0",
        "XACK s g 1-1",
        "XGROUP SETID s g 0",
        "XREADGROUP GROUP g ann NOACK STREAMS s >",
        "XSETID s 2-1",
        "XGROUP DELCONSUMER s g bob",
        "XGROUP DESTROY s g",
    ] {
        assert_eq!(writer.call(silent).error(), None, "{silent}");
        assert_eq!(reader.call("ECHO quiet").text(), "quiet", "{silent}");
    }
    writer.call("XADD s 3-1 f v");
    assert_eq!(next_stale(&mut reader), keys(&["s"]));
}

#[test]
fn every_kind_of_change_of_a_key_that_was_read_is_pushed() {
    let server = Server::start(&[]);
    let (mut reader, mut writer) = (in_resp3(&server), server.client());
    reader.call("CLIENT TRACKING ON");
    for change in [
        "SET k v",
        "APPEND k v",
        "PEXPIRE k 100000",
        "PERSIST k",
        "RENAME k other",
        "COPY other k",
        "MOVE k 1",
        "RPUSH k a",
        "LMOVE k k2 LEFT LEFT",
        "HSET k f v",
        "HDEL k f",
        "ZADD k 1 a",
        "DEL k",
        "SADD k a",
        "SPOP k",
        "MSET z 1 k 2",
        "SORT none STORE k",
    ] {
        reader.call("GET k");
        assert_eq!(writer.call(change).error(), None, "{change}");
        assert_eq!(next_stale(&mut reader), keys(&["k"]), "{change}");
        assert_eq!(reader.call("PING").text(), "PONG", "{change}");
    }
    // Its time comes without anybody asking for it.
    reader.call("GET k");
    writer.call("SET k v PX 50");
    assert_eq!(next_stale(&mut reader), keys(&["k"]));
    reader.call("GET k");
    assert_eq!(next_stale(&mut reader), keys(&["k"]), "the key's time has come");
    for flush in ["FLUSHDB", "FLUSHALL ASYNC", "SWAPDB 0 1"] {
        reader.call("GET k");
        writer.call(flush);
        assert_eq!(next_stale(&mut reader), None, "{flush}");
    }
    // Nothing was read since, so there is nothing to tell.
    writer.call("SET k v");
    assert_eq!(reader.call("PING").text(), "PONG");
}

#[test]
fn what_a_client_makes_stale_itself_follows_its_reply() {
    let server = Server::start(&[]);
    let mut client = in_resp3(&server);
    client.call("CLIENT TRACKING ON");
    client.call("MSET a 1 b 2");
    // All in one packet: each reply is followed by what it made stale, not the last one by all of it.
    let words: [&[&str]; 5] =
        [&["MGET", "a", "b"], &["INCR", "a"], &["GET", "a"], &["DEL", "a", "b"], &["PING"]];
    client.send_raw(&words.iter().flat_map(|words| encode(words)).collect::<Vec<u8>>()).unwrap();
    assert_eq!(client.read().unwrap().items().len(), 2);
    assert_eq!(client.read().unwrap(), Value::Int(2));
    assert_eq!(next_stale(&mut client), keys(&["a"]));
    assert_eq!(client.read().unwrap().text(), "2");
    assert_eq!(client.read().unwrap(), Value::Int(2));
    assert_eq!(next_stale(&mut client), keys(&["a"]));
    assert_eq!(next_stale(&mut client), keys(&["b"]));
    assert_eq!(client.read().unwrap().text(), "PONG");
    // A transaction is answered as a whole before.
    client.call("MSET a 1 b 2");
    client.call("MULTI");
    for line in ["GET a", "SET a 2", "GET b", "SET b 2"] {
        client.call(line);
    }
    assert_eq!(client.call("EXEC").items().len(), 4);
    assert_eq!(next_stale(&mut client), keys(&["a"]));
    assert_eq!(next_stale(&mut client), keys(&["b"]));
    assert_eq!(client.call("PING").text(), "PONG");
}

#[test]
fn pushes_come_although_replies_are_off() {
    let server = Server::start(&[]);
    let (mut reader, mut writer) = (in_resp3(&server), server.client());
    reader.call("CLIENT TRACKING ON");
    reader.call("GET k");
    reader.send_raw(&encode(&["CLIENT", "REPLY", "OFF"])).unwrap();
    writer.call("SET k v");
    assert_eq!(next_stale(&mut reader), keys(&["k"]));
}

#[test]
fn a_client_is_told_over_another_connection_until_that_is_gone() {
    let server = Server::start(&[]);
    let (mut ears, mut reader, mut writer) = (in_resp3(&server), server.client(), server.client());
    let id = ears.call("CLIENT ID").render().replace("(integer) ", "");
    assert_eq!(reader.call(&format!("CLIENT TRACKING ON REDIRECT {id}")).text(), "OK");
    assert_eq!(reader.call("CLIENT GETREDIR").render(), format!("(integer) {id}"));
    reader.call("GET k");
    writer.call("SET k 1");
    assert_eq!(next_stale(&mut ears), keys(&["k"]));
    reader.call("HELLO 3");
    reader.call("GET k");
    ears.call("QUIT");
    // The connection's end is noticed a moment after its reply.
    while writer.call(&format!("CLIENT LIST ID {id}")).text().contains("id=") {}
    writer.call("SET k 2");
    let Value::Push(parts) = reader.read().unwrap() else { panic!("no push") };
    assert_eq!(parts[0].text(), "tracking-redir-broken");
    assert_eq!(parts[1].render(), format!("(integer) {id}"));
    assert!(reader.call("CLIENT INFO").text().contains("flags=tR "));
    assert!(reader.call("CLIENT TRACKINGINFO").render().contains("broken_redirect"));
    reader.call("CLIENT TRACKING ON");
    assert!(reader.call("CLIENT INFO").text().contains("flags=t "));
}

#[test]
fn in_resp2_the_other_connection_gets_messages_of_a_channel() {
    let server = Server::start(&[]);
    let (mut ears, mut reader, mut writer) = (server.client(), server.client(), server.client());
    let id = ears.call("CLIENT ID").render().replace("(integer) ", "");
    reader.call(&format!("CLIENT TRACKING ON REDIRECT {id}"));
    // As long as it does not subscribe there is no way to tell it.
    reader.call("GET k");
    writer.call("SET k 1");
    ears.call("SUBSCRIBE __redis__:invalidate");
    reader.call("GET k");
    writer.call("SET k 2");
    writer.call("FLUSHALL");
    let mut next = || {
        let parts = ears.read().unwrap().items();
        assert_eq!((parts[0].text(), parts[1].text()), ("message".into(), "__redis__:invalidate".into()));
        parts[2].clone()
    };
    assert_eq!(next().items().iter().map(Value::text).collect::<Vec<_>>(), ["k"]);
    assert_eq!(next(), Value::Nil);
    reader.call("CLIENT TRACKING OFF");
    reader.call(&format!("CLIENT TRACKING ON BCAST PREFIX a REDIRECT {id}"));
    writer.call("MSET a2 1 a1 1 b 1");
    assert_eq!(next().items().iter().map(Value::text).collect::<Vec<_>>(), ["a1", "a2"]);
}

/// A client that also subscribes gets a channel's messages before the reply of the command that they met, but never an
/// invalidation before the reply that it is about.
#[test]
fn a_subscriber_is_told_behind_the_reply_that_its_cache_takes() {
    let server = Server::start(&[]);
    let mut client = in_resp3(&server);
    client.call("CLIENT TRACKING ON");
    client.call("SUBSCRIBE news");
    client.call("SET k 1");
    assert_eq!(client.call("GET k").text(), "1");
    assert_eq!(client.call("INCR k"), Value::Int(2));
    assert_eq!(next_stale(&mut client), keys(&["k"]));
}

#[test]
fn a_broadcast_comes_as_one_message_of_each_prefix_and_turn() {
    let server = Server::start(&[]);
    let (mut reader, mut writer) = (in_resp3(&server), server.client());
    reader.call("CLIENT TRACKING ON BCAST PREFIX a PREFIX b NOLOOP");
    writer.call("MSET c 1 b2 1 b1 1 a 1");
    assert_eq!(next_stale(&mut reader), keys(&["a"]));
    assert_eq!(next_stale(&mut reader), keys(&["b1", "b2"]));
    reader.call("SET a 2");
    writer.call("SET b1 2 PX 30");
    assert_eq!(next_stale(&mut reader), keys(&["b1"]));
    assert_eq!(next_stale(&mut reader), keys(&["b1"]), "the key's time has come");
    writer.call("FLUSHALL");
    assert_eq!(next_stale(&mut reader), None);
    assert_eq!(reader.call("PING").text(), "PONG");
}

#[test]
fn a_full_table_forgets_keys_and_says_so() {
    let server = Server::start(&["--tracking-table-max-keys", "10"]);
    let mut reader = in_resp3(&server);
    reader.call("CLIENT TRACKING ON");
    let mut told = 0;
    for n in 0..100 {
        reader.send_raw(&encode(&["GET", &format!("key:{n}")])).unwrap();
        while !matches!(reader.read().unwrap(), Value::Nil) {
            told += 1;
        }
    }
    reader.send_raw(&encode(&["PING"])).unwrap();
    while reader.read().unwrap().text() != "PONG" {
        told += 1;
    }
    assert_eq!(told, 90);
    assert!(reader.call("INFO stats").text().contains("tracking_total_keys:10\r\n"));
}

#[test]
fn a_connection_that_ends_or_is_reset_tracks_no_more() {
    let server = Server::start(&[]);
    let (mut one, mut two, mut watcher) = (in_resp3(&server), in_resp3(&server), server.client());
    one.call("CLIENT TRACKING ON BCAST PREFIX p");
    two.call("CLIENT TRACKING ON");
    two.call("GET k");
    let mut totals = || {
        let text = watcher.call("INFO").text();
        let number = |field: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(field)).expect("the field");
            line.trim().parse::<u64>().expect("a number")
        };
        [number("tracking_clients:"), number("tracking_total_keys:"), number("tracking_total_prefixes:")]
    };
    assert_eq!(totals(), [2, 1, 1]);
    drop(one);
    while totals() != [1, 1, 0] {}
    two.call("RESET");
    assert_eq!(totals(), [0, 0, 0]);
}

/// How a cache is kept in the stress tests.
struct Way {
    tracking: &'static [&'static str],
    table_max_keys: &'static str,
}

const READERS: usize = 2;
const ROUNDS: usize = 40;
const KEYS: u64 = 240;

#[test]
fn a_cache_is_never_left_with_a_stale_value() {
    keep_caches(&Way { tracking: &["CLIENT", "TRACKING", "ON"], table_max_keys: "1000000" });
}

#[test]
fn a_cache_is_never_left_with_a_stale_value_by_broadcasts() {
    let tracking = &["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "key:"];
    keep_caches(&Way { tracking, table_max_keys: "1000000" });
}

#[test]
fn a_cache_is_never_left_with_a_stale_value_by_a_table_that_is_too_small() {
    keep_caches(&Way { tracking: &["CLIENT", "TRACKING", "ON"], table_max_keys: "100" });
}

/// In each round clients read all keys while another writes them, once each, so that any read may meet the write of its
/// key, and no later one mends what was missed. Then all is quiet, and every cache must agree with the server.
fn keep_caches(way: &Way) {
    let server = Server::start(&["--io-threads", "3", "--tracking-table-max-keys", way.table_max_keys]);
    let meet = Barrier::new(READERS + 1);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|seed| {
                let (mut cache, mut direct) = (Cache::open(&server, way.tracking), server.client());
                let meet = &meet;
                scope.spawn(move || {
                    let mut dice = Dice(seed as u64 + 1);
                    let mut wrong = Vec::new();
                    for _ in 0..ROUNDS {
                        let first = dice.roll(KEYS);
                        meet.wait();
                        cache.read_all(first);
                        meet.wait();
                        wrong.extend(cache.wrong(&mut direct));
                    }
                    (cache.kept, cache.dropped, wrong)
                })
            })
            .collect();
        let mut client = server.client();
        for round in 0..ROUNDS {
            let (bytes, replies) = writes(round);
            // Nobody must be remembered from before: he would be told anyway.
            for n in 0..KEYS {
                client.call(&format!("SET key:{n} before"));
            }
            meet.wait();
            client.send_raw(&bytes).unwrap();
            for _ in 0..replies {
                assert_eq!(client.read().unwrap().error(), None);
            }
            meet.wait();
        }
        for reader in readers {
            let (kept, dropped, wrong) = reader.join().unwrap();
            assert!(wrong.is_empty(), "{} stale for ever: {:?}", wrong.len(), wrong.first());
            assert!(kept > 0 && dropped > 0, "nothing was tested: {kept} kept, {dropped} dropped");
        }
    });
}

/// Commands that write each key once, and how many replies they have.
fn writes(round: usize) -> (Vec<u8>, usize) {
    let mut calls: Vec<Vec<String>> = Vec::new();
    let mut add = |line: String| calls.push(line.split(' ').map(str::to_owned).collect());
    for n in (0..KEYS).step_by(2) {
        let (one, other) = (format!("key:{n}"), format!("key:{}", n + 1));
        match (n as usize / 2 + round) % 6 {
            0 => add(format!("MSET {one} {round} {other} {round}")),
            1 => {
                add("MULTI".to_owned());
                add(format!("SET {one} {round}"));
                add(format!("APPEND {other} +"));
                add("EXEC".to_owned());
            }
            2 => add(format!("DEL {one} {other}")),
            3 => {
                add(format!("SET {one} {round} PX 1"));
                add(format!("SET {other} {round}"));
            }
            _ => {
                add(format!("SET {one} {round}"));
                add(format!("SET {other} {round}"));
            }
        }
    }
    (calls.iter().flat_map(|words| encode(words)).collect(), calls.len())
}

/// A client that keeps what it has read until it is told to forget it.
struct Cache {
    client: Client,
    values: HashMap<String, Value>,
    /// Values that were there when all was quiet.
    kept: usize,
    /// Values that were forgotten.
    dropped: usize,
}

impl Cache {
    fn open(server: &Server, tracking: &[&str]) -> Cache {
        let mut client = in_resp3(server);
        assert_eq!(client.try_call(tracking).unwrap().text(), "OK");
        Cache { client, values: HashMap::new(), kept: 0, dropped: 0 }
    }

    /// Reads all keys in one packet, beginning with this one.
    fn read_all(&mut self, first: u64) {
        let keys: Vec<String> = (0..KEYS).map(|n| format!("key:{}", (first + n) % KEYS)).collect();
        let bytes: Vec<u8> = keys.iter().flat_map(|key| encode(&["GET", key])).collect();
        self.client.send_raw(&bytes).unwrap();
        for key in keys {
            let value = self.next_reply();
            self.values.insert(key, value);
        }
    }

    fn next_reply(&mut self) -> Value {
        loop {
            let message = self.client.read().unwrap();
            if !matches!(message, Value::Push(_)) {
                return message;
            }
            for key in stale(&message).expect("nobody flushes") {
                self.dropped += usize::from(self.values.remove(&key).is_some());
            }
        }
    }

    /// Where the cache and the server differ although all is quiet.
    fn wrong(&mut self, server: &mut Client) -> Vec<String> {
        let names: Vec<String> = (0..KEYS).map(|n| format!("key:{n}")).collect();
        // Whoever asks for a key whose time has come removes it, which is a change.
        let now: HashMap<_, _> =
            names.iter().map(|key| (key.clone(), server.try_call(&["GET", key]).unwrap())).collect();
        // What was pushed while a command ran stands behind its reply, so two are needed to have seen everything.
        for _ in 0..2 {
            self.client.send_raw(&encode(&["PING"])).unwrap();
            self.next_reply();
        }
        self.kept += self.values.len();
        let differs = |(key, cached): (&String, &Value)| {
            let now = now[key].render();
            (now != cached.render()).then(|| format!("{key}: {} is {now}", cached.render()))
        };
        self.values.iter().filter_map(differs).collect()
    }
}

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
