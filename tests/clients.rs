//! The `redis` crate, as its users have it: with its defaults, over both protocols, one command for each kind of reply.
//!
//! What a reply looks like is the transcripts' subject; here it is whether a client that turns replies into values of its
//! own language gets the right ones. `scripts/smoke` does the same with clients of other languages.

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

use redis::{Commands, Connection, ErrorKind, ExistenceCheck, ServerErrorKind, SetExpiry, SetOptions};
use support::server::Server;

/// Each test's body runs with both: on the wire they differ, for the user they must not.
const PROTOCOLS: [&str; 2] = ["", "?protocol=resp3"];

fn connect(server: &Server, protocol: &str) -> Connection {
    let url = format!("redis://127.0.0.1:{}/{protocol}", server.port());
    let client = redis::Client::open(url).expect("a well-formed address");
    let mut connection = client.get_connection().expect("a connection");
    let _: () = redis::cmd("FLUSHALL").query(&mut connection).expect("FLUSHALL");
    connection
}

fn with_both_protocols(body: impl Fn(&mut Connection)) {
    let server = Server::start(&[]);
    for protocol in PROTOCOLS {
        body(&mut connect(&server, protocol));
    }
}

#[test]
fn strings_come_back_as_they_went() {
    with_both_protocols(|c| {
        let _: () = c.set("text", "hello").unwrap();
        assert_eq!(c.get::<_, String>("text").unwrap(), "hello");
        let binary: Vec<u8> = (0..=255).collect();
        let _: () = c.set(&binary, &binary).unwrap();
        assert_eq!(c.get::<_, Vec<u8>>(&binary).unwrap(), binary);
        assert_eq!(c.get::<_, Option<String>>("missing").unwrap(), None);
        assert_eq!(c.append::<_, _, usize>("text", ", world").unwrap(), 12);
        assert_eq!(c.getrange::<_, String>("text", -5, -1).unwrap(), "world");
        assert_eq!(c.setrange::<_, _, usize>("text", 0, "J").unwrap(), 12);
        assert_eq!(c.strlen::<_, usize>("text").unwrap(), 12);
        assert_eq!(c.getset::<_, _, String>("text", "new").unwrap(), "Jello, world");
        assert_eq!(c.get_del::<_, String>("text").unwrap(), "new");
        assert!(!c.exists::<_, bool>("text").unwrap());
        let large = "x".repeat(3_000_000);
        let _: () = c.set("large", &large).unwrap();
        assert_eq!(c.get::<_, String>("large").unwrap(), large);
    });
}

#[test]
fn numbers_are_numbers() {
    with_both_protocols(|c| {
        assert_eq!(c.incr::<_, _, i64>("n", 1).unwrap(), 1);
        assert_eq!(c.incr::<_, _, i64>("n", i64::MAX - 1).unwrap(), i64::MAX);
        let overflow = c.incr::<_, _, i64>("n", 1).unwrap_err();
        assert_eq!(overflow.kind(), ErrorKind::Server(ServerErrorKind::ResponseError));
        assert_eq!(c.decr::<_, _, i64>("n", i64::MAX).unwrap(), 0);
        assert_eq!(c.incr::<_, _, f64>("f", 2.5).unwrap(), 2.5);
        assert_eq!(c.get::<_, f64>("f").unwrap(), 2.5);
    });
}

#[test]
fn several_keys_at_once() {
    with_both_protocols(|c| {
        let _: () = c.mset(&[("a", 1), ("b", 2)]).unwrap();
        assert_eq!(c.mget::<_, Vec<Option<i64>>>(&["a", "missing", "b"]).unwrap(), [Some(1), None, Some(2)]);
        assert!(!c.mset_nx::<_, _, bool>(&[("b", 3), ("c", 3)]).unwrap());
        assert_eq!(c.exists::<_, usize>(&["a", "b", "c"]).unwrap(), 2);
        assert_eq!(c.del::<_, usize>(&["a", "b", "c"]).unwrap(), 2);
        for n in 0..1000 {
            let _: () = c.set(format!("scan:{n}"), n).unwrap();
        }
        let keys = c.scan_match::<_, String>("scan:*").unwrap();
        let mut keys = keys.collect::<Result<Vec<_>, _>>().unwrap();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 1000);
    });
}

#[test]
fn options_and_deadlines() {
    with_both_protocols(|c| {
        let once =
            SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(SetExpiry::EX(100));
        assert_eq!(
            c.set_options::<_, _, Option<String>>("k", "v", once.clone()).unwrap().as_deref(),
            Some("OK")
        );
        assert_eq!(c.set_options::<_, _, Option<String>>("k", "w", once).unwrap(), None);
        let swap = SetOptions::default().get(true);
        assert_eq!(c.set_options::<_, _, Option<String>>("k", "w", swap).unwrap().as_deref(), Some("v"));
        assert_eq!(c.ttl::<_, i64>("k").unwrap(), -1);
        assert!(c.pexpire::<_, bool>("k", 100_000).unwrap());
        let left: i64 = c.pttl("k").unwrap();
        assert!((90_000..=100_000).contains(&left), "{left}");
        assert!(c.persist::<_, bool>("k").unwrap());
        assert!(c.rename::<_, _, String>("k", "k2").unwrap() == "OK");
        assert_eq!(c.ttl::<_, i64>("k").unwrap(), -2);
        let no_key = c.rename::<_, _, String>("k", "k2").unwrap_err();
        assert_eq!(no_key.detail(), Some("no such key"));
    });
}

#[test]
fn pipelines_and_transactions() {
    with_both_protocols(|c| {
        let (n, text): (i64, String) =
            redis::pipe().incr("n", 5).set("t", "x").ignore().get("t").query(c).unwrap();
        assert_eq!((n, text.as_str()), (5, "x"));
        let (n, m): (i64, i64) = redis::pipe().atomic().incr("n", 1).incr("n", 1).query(c).unwrap();
        assert_eq!((n, m), (6, 7));
        let doubled: (i64,) = redis::transaction(c, &["n"], |c, pipe| {
            let n: i64 = c.get("n")?;
            pipe.set("n", n * 2).ignore().get("n").query(c)
        })
        .unwrap();
        assert_eq!(doubled, (14,));
        let mut many = redis::pipe();
        for n in 0..10_000 {
            many.set(n, n).ignore().get(n);
        }
        let numbers: Vec<i64> = many.query(c).unwrap();
        assert!(numbers.into_iter().eq(0..10_000));
    });
}

#[test]
fn the_server_tells_of_itself() {
    with_both_protocols(|c| {
        assert_eq!(redis::cmd("PING").query::<String>(c).unwrap(), "PONG");
        let info: redis::InfoDict = redis::cmd("INFO").query(c).unwrap();
        let version: String = info.get("redis_version").expect("redis_version");
        assert!(version.starts_with("7."), "{version}");
        let config: HashMap<String, String> =
            redis::cmd("CONFIG").arg("GET").arg("maxmemory").query(c).unwrap();
        assert_eq!(config.get("maxmemory").map(String::as_str), Some("0"));
        let _: () = redis::cmd("SELECT").arg(3).query(c).unwrap();
        let _: () = c.set("here", 1).unwrap();
        let _: () = redis::cmd("SELECT").arg(0).query(c).unwrap();
        assert!(!c.exists::<_, bool>("here").unwrap());
        assert_eq!(redis::cmd("DBSIZE").query::<usize>(c).unwrap(), 0);
        let id: i64 = redis::cmd("CLIENT").arg("ID").query(c).unwrap();
        assert!(id > 0);
    });
}

#[test]
fn a_password_and_a_database_in_the_address_are_used() {
    let server = Server::start(&["--requirepass", "secret"]);
    for protocol in PROTOCOLS {
        let address = |login: &str| format!("redis://{login}127.0.0.1:{}/2{protocol}", server.port());
        let open = |login: &str| redis::Client::open(address(login)).unwrap().get_connection();
        let mut c = open(":secret@").expect("a connection with the password");
        let _: () = c.set("where", "database 2").unwrap();
        let mut c = open("default:secret@").expect("a connection with user and password");
        assert_eq!(c.get::<_, String>("where").unwrap(), "database 2");
        assert!(open(":wrong@").is_err());
        assert!(open("").is_err());
    }
}

#[test]
fn what_a_client_was_told_is_there_after_a_kill() {
    for protocol in PROTOCOLS {
        let mut server = Server::start(&["--appendonly", "yes"]);
        let mut c = connect(&server, protocol);
        let mut told = 0;
        for n in 0..2000 {
            let _: () = c.set(format!("key:{n}"), n).unwrap();
            told += 1;
        }
        server.kill9();
        server.start_again();
        let url = format!("redis://127.0.0.1:{}/{protocol}", server.port());
        let mut c = redis::Client::open(url).unwrap().get_connection().unwrap();
        for n in 0..told {
            assert_eq!(c.get::<_, Option<i64>>(format!("key:{n}")).unwrap(), Some(n));
        }
    }
}

#[test]
fn a_gentle_end_loses_nothing_and_says_so() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    let mut c = connect(&server, "");
    let _: () = c.set("k", "v").unwrap();
    let status = server.terminate();
    assert!(status.success(), "SIGTERM gave {status}\n{}", server.output());
    server.start_again();
    assert_eq!(server.client().call("GET k").render(), "\"v\"");
}
