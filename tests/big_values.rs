//! Values of many members: read as a whole they are what they are in parts, and removed they are freed in the background.

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

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::client::{Client, Value, encode};
use support::server::Server;

/// Enough that no value of so many members is freed or read in place.
const MEMBERS: usize = 20_000;

fn members() -> Vec<String> {
    (0..MEMBERS).map(|n| format!("member:{n:06}")).collect()
}

/// Makes a set, a list, a hash and a sorted set of them.
fn fill(client: &mut Client) {
    let mut requests: Vec<Vec<String>> =
        ["SADD set", "RPUSH list", "HSET hash", "ZADD zset"].map(split).to_vec();
    for (n, member) in members().into_iter().enumerate() {
        requests[0].push(member.clone());
        requests[1].push(member.clone());
        requests[2].extend([member.clone(), format!("{n}")]);
        requests[3].extend([format!("{n}"), member]);
    }
    for request in requests {
        assert_eq!(client.try_call(&request).unwrap().error(), None);
    }
}

fn split(words: &str) -> Vec<String> {
    words.split(' ').map(str::to_owned).collect()
}

fn texts(reply: &Value) -> Vec<String> {
    reply.items().iter().map(Value::text).collect()
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

/// A field of INFO.
fn info(client: &mut Client, field: &str) -> u64 {
    let page = client.call("INFO memory").text();
    let line = page.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(str::to_owned));
    line.unwrap().parse().unwrap()
}

#[test]
fn a_big_value_is_read_whole_as_in_a_transaction_that_holds_it() {
    let server = Server::start(&[]);
    let mut client = server.client();
    fill(&mut client);
    assert_eq!(sorted(texts(&client.call("SMEMBERS set"))), members());
    assert_eq!(texts(&client.call("LRANGE list 0 -1")), members());
    assert_eq!(texts(&client.call("ZRANGE zset 0 -1")), members());
    assert_eq!(sorted(texts(&client.call("HKEYS hash"))), members());
    client.call("COPY set copy");
    client.call("SADD other member:000007 stranger");
    let end = MEMBERS - 1;
    for request in [
        "SMEMBERS set",
        "LRANGE list 0 -1",
        "LRANGE list -5000 -100",
        "LRANGE list nonsense -100",
        "LPOS list member:019999",
        "ZRANGE zset 0 -1 WITHSCORES",
        "ZRANGE zset (100 (5000 BYSCORE LIMIT 10 3000",
        "ZRANGE zset 0 5000 BYLEX WITHSCORES",
        "ZREVRANGE zset 1000 9000",
        "ZREVRANGEBYSCORE zset +inf -inf WITHSCORES",
        "ZREVRANGEBYLEX zset + -",
        "HGETALL hash",
        "DUMP set",
        "SINTER set set zset",
        "SINTER set other",
        "SINTER set",
        "SINTERCARD 2 set copy LIMIT 7000",
        "SINTERCARD 2 set copy LIMIT -1",
        "SUNION set other copy",
        "SDIFF set other none",
        "SDIFF set copy",
        "ZUNION 3 zset set other WITHSCORES",
        "ZINTER 2 zset set WEIGHTS 2 3 WITHSCORES",
        "ZINTER 2 zset set WEIGHTS 2",
        "ZINTERCARD 2 zset set LIMIT 5000",
        "ZDIFF 2 zset other WITHSCORES",
        &format!("LRANGE list 0 {end}"),
    ] {
        let alone = client.call(request).render();
        client.call("MULTI");
        client.call(request);
        let held = client.call("EXEC");
        assert_eq!(held.items()[0].render(), alone, "{request}");
    }
}

/// Elements of a value whose reading takes a while.
const MANY: usize = 200_000;
/// A round in which the machine was busy with something else says nothing, so there are many.
const ROUNDS: usize = 40;

#[test]
fn a_big_value_can_be_changed_while_the_reply_that_reads_it_is_written() {
    let server = Server::start(&["--io-threads", "2", "--io-threads-spread", "yes"]);
    let mut client = server.client();
    for key in ["list", "set", "other"] {
        for from in (0..MANY).step_by(MEMBERS) {
            let push = if key == "list" { "RPUSH" } else { "SADD" };
            let mut request = vec![push.to_owned(), key.to_owned()];
            request.extend((from..from + MEMBERS).map(|n| format!("{key}:{n}")));
            assert_eq!(client.try_call(&request).unwrap().error(), None);
        }
    }
    for (read, change) in [
        ("LRANGE list 0 -1", "LSET list 5 changed"),
        ("SMEMBERS set", "SADD set set:5"),
        ("SUNION set other", "SADD other other:5"),
        ("SDIFF set other", "SADD set set:5"),
    ] {
        let is_free = (0..ROUNDS).any(|_| is_changed_meanwhile(&server, &mut client, read, change));
        assert!(is_free, "{change} is not answered while {read} is under way");
    }
}

/// Whether somebody who does nothing but `change` never waits for an answer for a good part of the time that `read` takes.
/// Where the key is held while the reply is written, he waits for most of it.
fn is_changed_meanwhile(server: &Server, reader: &mut Client, read: &str, change: &str) -> bool {
    /// Of the time up to the first byte of the reply, which comes when all of it is written.
    const PART: u32 = 4;
    // Mostly it is served by the other worker; on that of the reader it would have to wait anyway.
    let mut changer = server.client();
    changer.call(change);
    let is_over = AtomicBool::new(false);
    let (took, longest) = std::thread::scope(|scope| {
        let changes = scope.spawn(|| {
            // From answer to answer, so that a pause of the changer's own does not pass for an answer that came at once.
            let (mut longest, mut last) = (Duration::ZERO, Instant::now());
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(changer.call(change).error(), None);
                longest = longest.max(last.elapsed());
                last = Instant::now();
            }
            longest
        });
        let began = Instant::now();
        reader.send_raw(&encode(&split(read))).unwrap();
        reader.socket().peek(&mut [0]).unwrap();
        let took = began.elapsed();
        is_over.store(true, Ordering::Relaxed);
        (took, changes.join().unwrap())
    });
    assert!(reader.read().unwrap().items().len() > MEMBERS);
    longest < took / PART
}

#[test]
fn big_values_are_freed_in_the_background_however_they_are_removed() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let ways: [(&[&str], u64); 6] = [
        (&["DEL set list hash zset"], 4),
        (&["UNLINK set list hash zset"], 4),
        (&["SET set v", "SET list v", "SET hash v", "SET zset v"], 4),
        (&["SET few v", "RENAME few list"], 1),
        (&["SADD few a", "SUNIONSTORE zset few"], 1),
        (&["FLUSHALL SYNC"], 4),
    ];
    for (requests, freed) in ways {
        client.call("FLUSHALL");
        fill(&mut client);
        await_freed(&mut client);
        client.call("CONFIG RESETSTAT");
        for request in requests {
            assert_eq!(client.call(request).error(), None, "{request}");
        }
        await_freed(&mut client);
        assert_eq!(info(&mut client, "lazyfreed_objects"), freed, "{requests:?}");
    }
}

fn await_freed(client: &mut Client) {
    while info(client, "lazyfree_pending_objects") > 0 {
        std::thread::yield_now();
    }
}
