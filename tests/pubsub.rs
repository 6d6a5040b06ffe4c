//! Messages over several connections and workers: none is lost, none comes twice, each publisher's in its order, and who
//! does not read cannot fill the memory.

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

use std::collections::HashMap;
use std::io::Read;
use std::time::{Duration, Instant};

use support::client::{Client, Value, encode};
use support::server::Server;

const PUBLISHERS: usize = 4;
const MESSAGES: usize = 1500;
/// Commands that a publisher sends before it reads their replies.
const PIPELINE: usize = 50;

fn texts(value: &Value) -> Vec<String> {
    value.items().iter().map(Value::text).collect()
}

/// Subscribes, and swallows the confirmation.
fn subscribe(server: &Server, protocol: &str, verb: &str, name: &str) -> Client {
    let mut client = server.client();
    client.call(&format!("HELLO {protocol}"));
    let confirmation = client.call(&format!("{verb} {name}"));
    assert_eq!(texts(&confirmation)[..2], [verb.to_lowercase(), name.to_owned()]);
    assert_eq!(matches!(confirmation, Value::Push(_)), protocol == "3");
    client
}

/// Waits until a condition holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn every_message_comes_once_and_in_the_order_of_its_publisher() {
    let server = Server::start(&["--io-threads", "4"]);
    let listeners: Vec<Client> = [
        ("2", "SUBSCRIBE", "c"),
        ("3", "SUBSCRIBE", "c"),
        ("2", "PSUBSCRIBE", "c*"),
        ("3", "PSUBSCRIBE", "[c]"),
    ]
    .map(|(protocol, verb, name)| subscribe(&server, protocol, verb, name))
    .into();
    let heard: Vec<Vec<String>> = std::thread::scope(|scope| {
        let publishers: Vec<_> = (0..PUBLISHERS).map(|number| (number, server.client())).collect();
        let readers: Vec<_> = listeners
            .into_iter()
            .map(|mut listener| {
                scope.spawn(move || {
                    let mut read = || texts(&listener.read().unwrap()).pop().unwrap();
                    (0..PUBLISHERS * MESSAGES).map(|_| read()).collect::<Vec<_>>()
                })
            })
            .collect();
        for (number, mut publisher) in publishers {
            scope.spawn(move || {
                for first in (0..MESSAGES).step_by(PIPELINE) {
                    let batch = (first..first + PIPELINE)
                        .flat_map(|at| encode(&["PUBLISH", "c", &format!("{number} {at}")]))
                        .collect::<Vec<u8>>();
                    publisher.send_raw(&batch).unwrap();
                    for _ in 0..PIPELINE {
                        assert_eq!(publisher.read().unwrap(), Value::Int(4));
                    }
                }
            });
        }
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    // That all hear the same in the same order is more than each publisher's own order, and what Redis gives.
    assert!(heard.iter().all(|one| *one == heard[0]));
    let mut next: HashMap<&str, usize> = HashMap::new();
    for message in &heard[0] {
        let (publisher, at) = message.split_once(' ').unwrap();
        let expected = next.entry(publisher).or_default();
        assert_eq!(at.parse(), Ok(*expected), "of publisher {publisher}");
        *expected += 1;
    }
    assert!(next.len() == PUBLISHERS && next.values().all(|count| *count == MESSAGES));
}

#[test]
fn a_connection_that_subscribes_and_publishes_gets_replies_and_messages_in_order() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client.call("HELLO 3");
    let mut batch = Vec::new();
    for words in [
        vec!["SUBSCRIBE", "a", "b"],
        vec!["PUBLISH", "a", "1"],
        vec!["INCR", "x"],
        vec!["PUBLISH", "b", "2"],
        vec!["UNSUBSCRIBE", "a"],
        vec!["PUBLISH", "a", "3"],
        vec!["HELLO", "2"],
        vec!["UNSUBSCRIBE"],
    ] {
        batch.extend(encode(&words));
    }
    client.send_raw(&batch).unwrap();
    let mut got = Vec::new();
    for _ in 0..11 {
        let value = client.read().unwrap();
        got.push(match &value {
            Value::Int(number) => number.to_string(),
            Value::Map(_) | Value::Array(_) if value.items().len() > 3 => "hello".to_owned(),
            Value::Array(_) => format!("array {}", texts(&value)[..2].join(" ")),
            _ => texts(&value).join(" ").trim_end().to_owned(),
        });
    }
    assert_eq!(
        got,
        [
            "subscribe a",
            "subscribe b",
            "message a 1",
            "1",
            "1",
            "message b 2",
            "1",
            "unsubscribe a",
            "0",
            "hello",
            "array unsubscribe b",
        ]
    );
}

#[test]
fn messages_reach_also_who_waits_for_a_key() {
    let server = Server::start(&[]);
    let mut waits = subscribe(&server, "3", "SUBSCRIBE", "c");
    waits.send_raw(&encode(&["BLPOP", "list", "0"])).unwrap();
    let mut other = server.client();
    until("the sleep", || other.call("INFO clients").text().contains("blocked_clients:1"));
    assert_eq!(other.call("PUBLISH c hello"), Value::Int(1));
    assert_eq!(texts(&waits.read().unwrap()), ["message", "c", "hello"]);
    other.call("RPUSH list item");
    assert_eq!(texts(&waits.read().unwrap()), ["list", "item"]);
}

#[test]
fn who_goes_leaves_no_subscription_behind() {
    let server = Server::start(&[]);
    let mut other = server.client();
    for end in ["close", "QUIT", "KILL"] {
        let mut client = subscribe(&server, "2", "SUBSCRIBE", "c");
        client.call("PSUBSCRIBE c*");
        client.call("SSUBSCRIBE c");
        assert_eq!(other.call("PUBLISH c m"), Value::Int(2));
        match end {
            "QUIT" => drop(client.send_raw(&encode(&["QUIT"]))),
            "KILL" => assert_eq!(other.call("CLIENT KILL TYPE pubsub"), Value::Int(1)),
            _ => drop(client),
        }
        until(end, || {
            other
                .call("INFO stats")
                .text()
                .contains("pubsub_channels:0\r\npubsub_patterns:0\r\npubsubshard_channels:0\r\n")
        });
        assert_eq!(other.call("PUBLISH c m"), Value::Int(0));
    }
}

#[test]
fn who_does_not_read_is_ended_by_the_hard_limit_and_after_its_time_by_the_soft_one() {
    let server = Server::start(&[]);
    let mut other = server.client();
    let payload = "x".repeat(1024 * 1024);
    // More than sockets' own buffers take, so that some of it waits in the server.
    let fill = |other: &mut Client, pieces: usize| {
        (0..pieces).map(|_| other.try_call(&["PUBLISH", "c", &payload]).unwrap()).collect::<Vec<_>>()
    };
    for limits in ["pubsub 30mb 0 0", "pubsub 0 10mb 1"] {
        let set = other.try_call(&["CONFIG", "SET", "client-output-buffer-limit", limits]).unwrap();
        assert_eq!(set.text(), "OK");
        let silent = subscribe(&server, "2", "SUBSCRIBE", "c");
        let mut reads = subscribe(&server, "2", "SUBSCRIBE", "d");
        let told = fill(&mut other, if limits.starts_with("pubsub 30mb") { 60 } else { 30 });
        assert_eq!(told[0], Value::Int(1));
        until("its end", || other.call("PUBSUB NUMSUB c").items()[1] == Value::Int(0));
        assert!(other.call("CLIENT LIST TYPE pubsub").text().lines().count() == 1);
        let mut rest = Vec::new();
        // Whether it sees an end or a reset does not matter.
        let _ = silent.socket().read_to_end(&mut rest);
        assert_eq!(other.call("PUBLISH d m"), Value::Int(1));
        assert_eq!(texts(&reads.read().unwrap()), ["message", "d", "m"]);
    }
    assert!(other.call("INFO stats").text().contains("client_limit_disconnections:2"));
}

#[test]
fn the_events_of_a_key_have_the_order_of_its_changes_and_each_comes_once() {
    let server = Server::start(&["--io-threads", "4", "--notify-keyspace-events", "KEA"]);
    let mut listener = subscribe(&server, "2", "SUBSCRIBE", "__keyspace@0__:list");
    std::thread::scope(|scope| {
        for _ in 0..PUBLISHERS {
            let mut client = server.client();
            scope.spawn(move || {
                for _ in 0..200 {
                    let batch = [encode(&["RPUSH", "list", "x"]), encode(&["LPOP", "list"])].concat();
                    client.send_raw(&batch).unwrap();
                    assert!(matches!(client.read().unwrap(), Value::Int(_)));
                    assert!(matches!(client.read().unwrap(), Value::Bulk(_)));
                }
            });
        }
    });
    // Whatever the order in which the clients came: the list is gone exactly when its last element was popped.
    let (mut length, mut was_emptied, mut events) = (0, false, 0);
    while events < PUBLISHERS * 400 {
        let event = texts(&listener.read().unwrap()).pop().unwrap();
        match event.as_str() {
            "rpush" => length += 1,
            "lpop" => length -= 1,
            "del" => {}
            _ => panic!("nobody did {event}"),
        }
        assert_eq!(event == "del", was_emptied, "after {events} events");
        was_emptied = event == "lpop" && length == 0;
        events += usize::from(event != "del");
    }
    assert_eq!(length, 0);
    assert_eq!(texts(&listener.read().unwrap()).pop().unwrap(), "del");
}

#[test]
fn what_is_heard_with_always_is_on_the_disk() {
    let mut server = Server::start(&["--appendfsync", "always", "--notify-keyspace-events", "E$"]);
    let mut listener = subscribe(&server, "3", "SUBSCRIBE", "__keyevent@0__:set");
    listener.call("SUBSCRIBE told");
    let mut writer = server.client();
    let mut batch = Vec::new();
    for number in 0..200 {
        batch.extend(encode(&["SET", &format!("k{number}"), "v"]));
    }
    for words in [&["MULTI"][..], &["SET", "last", "v"], &["PUBLISH", "told", "last"], &["EXEC"]] {
        batch.extend(encode(words));
    }
    writer.send_raw(&batch).unwrap();
    let mut heard = Vec::new();
    while heard.len() < 202 {
        heard.push(texts(&listener.read().unwrap()).pop().unwrap());
    }
    // Whatever was heard must be there, also if nobody was answered.
    server.kill9();
    server.start_again();
    let mut reader = server.client();
    for key in &heard {
        assert_eq!(reader.call(&format!("GET {key}")).text(), "v", "{key}");
    }
    assert_eq!(heard[200..], ["last", "last"]);
}
