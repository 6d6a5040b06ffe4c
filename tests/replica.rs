//! Replicas over sockets: a snapshot and the stream behind it make the same data, whoever writes meanwhile; who comes back
//! goes on where it was; who does not read is ended; and what is acknowledged is counted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test may end itself, and uses the real clock and files"
)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::client::{Client, REPLY_TIMEOUT, Value, encode};
use support::server::Server;

/// Connections that write while replicas come.
const WRITERS: u64 = 4;
/// The longest wait for something that must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that has become a replica's.
struct Replica {
    stream: BufReader<TcpStream>,
    id: String,
    /// Bytes of the stream, those before it came included.
    offset: u64,
}

impl Replica {
    fn connect(server: &Server) -> Replica {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.set_read_timeout(Some(REPLY_TIMEOUT)).unwrap();
        let mut replica = Replica { stream: BufReader::new(stream), id: String::new(), offset: 0 };
        replica.send(&["REPLCONF", "listening-port", "7777", "capa", "eof", "capa", "psync2"]);
        assert_eq!(replica.line(), "+OK");
        replica
    }

    fn send(&mut self, words: &[&str]) {
        self.stream.get_mut().write_all(&encode(words)).unwrap();
    }

    /// The next line that is not empty: empty ones only say that the server is alive.
    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.stream.read_line(&mut line).unwrap() > 0, "the server closed the connection");
            let line = line.trim_end();
            if !line.is_empty() {
                return line.to_owned();
            }
        }
    }

    /// Begins anew: the snapshot.
    fn begin(&mut self) -> Vec<u8> {
        self.send(&["PSYNC", "?", "-1"]);
        self.snapshot()
    }

    fn snapshot(&mut self) -> Vec<u8> {
        let line = self.line();
        let words: Vec<&str> = line.split(' ').collect();
        assert!(words[0] == "+FULLRESYNC" && words.len() == 3 && words[1].len() == 40, "{line}");
        (self.id, self.offset) = (words[1].to_owned(), words[2].parse().unwrap());
        let line = self.line();
        let len = line.strip_prefix('$').unwrap_or_else(|| panic!("{line} is no length")).parse().unwrap();
        let mut bytes = vec![0; len];
        self.stream.read_exact(&mut bytes).unwrap();
        assert!(bytes.starts_with(b"REDIS0010"));
        bytes
    }

    /// The stream up to an offset.
    fn read_to(&mut self, offset: u64) -> Vec<u8> {
        let mut bytes = vec![0; offset.checked_sub(self.offset).unwrap() as usize];
        self.stream.read_exact(&mut bytes).unwrap();
        self.offset = offset;
        bytes
    }

    /// The stream up to where the server has it, as commands.
    fn commands(&mut self, server: &Server) -> Vec<String> {
        let bytes = self.read_to(offset(&mut server.client()));
        commands_of(&bytes)
    }

    fn acknowledge(&mut self) {
        let offset = self.offset.to_string();
        self.send(&["REPLCONF", "ACK", &offset]);
    }
}

fn commands_of(mut bytes: &[u8]) -> Vec<String> {
    let line = |bytes: &mut &[u8]| {
        let end = bytes.windows(2).position(|two| two == b"\r\n").unwrap();
        let number: usize = std::str::from_utf8(&bytes[1..end]).unwrap().parse().unwrap();
        *bytes = &bytes[end + 2..];
        number
    };
    let mut commands = Vec::new();
    while !bytes.is_empty() {
        let words = (0..line(&mut bytes)).map(|_| {
            let len = line(&mut bytes);
            let word = String::from_utf8_lossy(&bytes[..len]).into_owned();
            bytes = &bytes[len + 2..];
            word
        });
        commands.push(words.collect::<Vec<_>>().join(" "));
    }
    commands
}

fn offset(client: &mut Client) -> u64 {
    match &client.call("ROLE").items()[1] {
        Value::Int(offset) => *offset as u64,
        other => panic!("{other:?} is no offset"),
    }
}

fn info(client: &mut Client, field: &str) -> String {
    field_of(client, "replication", field)
}

fn field_of(client: &mut Client, section: &str, field: &str) -> String {
    let page = client.call(&format!("INFO {section}")).text();
    let found = page.lines().find_map(|line| line.strip_prefix(&format!("{field}:")));
    found.unwrap_or_default().to_owned()
}

/// Waits until a condition holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn start(more: &[&str]) -> Server {
    // Without PINGs the offset stands still while nobody writes.
    let mut arguments =
        vec!["--io-threads", "3", "--enable-debug-command", "yes", "--repl-ping-replica-period", "3600"];
    arguments.extend(more);
    Server::start(&arguments)
}

/// What one writer does, of every kind: sometimes over several keys that others write, too.
fn write(client: &mut Client, writer: u64, round: u64) {
    let (own, shared, other) = (writer * 1000 + round % 50, round % 7, (round + writer) % 7);
    let commands = [
        format!("SET string:{own} {round}"),
        format!("SET lives:{own} {round} PX {}", 1 + round % 40),
        format!("INCRBYFLOAT float:{shared} 0.25"),
        format!("RPUSH list:{shared} {writer}:{round} x"),
        format!("LMOVE list:{shared} list:{other} LEFT RIGHT"),
        format!("SADD set:{shared} {round} {own}"),
        format!("SPOP set:{other} 2"),
        format!("HSET hash:{shared} f{own} {round}"),
        format!("ZADD zset:{shared} {round} {own}"),
        format!("ZPOPMIN zset:{other}"),
        format!("EXPIRE hash:{shared} 1000"),
        "MULTI".to_owned(),
        format!("INCR counter:{shared}"),
        format!("INCR counter:{other}"),
        "PUBLISH news x".to_owned(),
        "EXEC".to_owned(),
        format!("SELECT {}", round % 3),
        format!("EVAL redis.call('incr',KEYS[1])redis.call('append',KEYS[2],'x') 2 n:{shared} a:{other}"),
        format!("GET lives:{own}"),
    ];
    let requests: Vec<u8> =
        commands.iter().flat_map(|command| encode(&command.split(' ').collect::<Vec<_>>())).collect();
    client.send_raw(&requests).unwrap();
    for _ in &commands {
        client.read().unwrap();
    }
}

/// A server of its own that has taken a snapshot and what was streamed behind it; its fingerprint.
fn digest_of(snapshot: &[u8], stream: &[u8]) -> String {
    let mut follower = start(&["--appendonly", "no"]);
    follower.terminate();
    std::fs::write(follower.dir().join("dump.rdb"), snapshot).unwrap();
    follower.start_again();
    let expected = commands_of(stream).iter().filter(|command| !command.starts_with("REPLCONF")).count();
    let mut client = follower.client();
    let mut socket = client.socket().try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || socket.write_all(stream).unwrap());
        for _ in 0..expected {
            if let Value::Error(why) = client.read().unwrap() {
                panic!("the stream holds what cannot be run: {why}");
            }
        }
    });
    settled_digest(&follower)
}

/// The fingerprint when all that expires soon has expired.
fn settled_digest(server: &Server) -> String {
    std::thread::sleep(Duration::from_millis(300));
    server.client().call("DEBUG DIGEST").text()
}

/// Stops the writers, also when the test fails in between.
struct Stopping<'s>(&'s AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_snapshot_and_the_stream_behind_it_make_the_same_data() {
    for settings in [
        ["--appendonly", "yes", "--appendfsync", "everysec"],
        ["--appendonly", "yes", "--appendfsync", "always"],
        ["--appendonly", "no", "--appendfsync", "no"],
    ] {
        let server = start(&settings);
        let stop = AtomicBool::new(false);
        let mut replicas = std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (server, stop) = (&server, &stop);
                scope.spawn(move || {
                    let mut client = server.client();
                    for round in 0.. {
                        write(&mut client, writer, round);
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                });
            }
            let _stopping = Stopping(&stop);
            // The stream may be there sooner than the snapshot, and must not come before it.
            for _ in 0..10 {
                Replica::connect(&server).begin();
            }
            let mut replicas = Vec::new();
            for _ in 0..3 {
                std::thread::sleep(Duration::from_millis(150));
                let mut replica = Replica::connect(&server);
                let snapshot = replica.begin();
                replicas.push((replica, snapshot));
            }
            std::thread::sleep(Duration::from_millis(150));
            replicas
        });
        let expected = settled_digest(&server);
        let end = offset(&mut server.client());
        for (replica, snapshot) in &mut replicas {
            let stream = replica.read_to(end);
            assert!(stream.len() > 10_000, "nothing was written behind the snapshot");
            assert_eq!(digest_of(snapshot, &stream), expected, "{settings:?}");
        }
    }
}

#[test]
fn units_are_whole_and_expiry_is_told() {
    let server = start(&["--appendonly", "no"]);
    let mut replica = Replica::connect(&server);
    replica.begin();
    let mut client = server.client();
    for command in [
        "MULTI",
        "SET a 1",
        "PUBLISH c one",
        "SELECT 3",
        "SET b 2",
        "EXEC",
        "SET c 3",
        "MULTI",
        "PUBLISH c two",
        "EXEC",
        "SELECT 0",
        "PUBLISH c three",
        "EVAL redis.call('set',KEYS[1],1)redis.call('publish','c','four') 1 d",
        "SET e 5 PX 1",
    ] {
        assert_eq!(client.call(command).error(), None, "{command}");
    }
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(client.call("GET e"), Value::Nil);
    let mut told = replica.commands(&server);
    let expires = told.iter().position(|command| command.starts_with("SET e 5 PXAT ")).unwrap();
    told[expires] = "SET e 5 PXAT".to_owned();
    let expected = [
        "SELECT 0",
        "MULTI",
        "SET a 1",
        "PUBLISH c one",
        "SELECT 3",
        "SET b 2",
        "EXEC",
        "SET c 3",
        "PUBLISH c two",
        "SELECT 0",
        "PUBLISH c three",
        "MULTI",
        "set d 1",
        "publish c four",
        "EXEC",
        "SET e 5 PXAT",
        "DEL e",
    ];
    assert_eq!(told, expected);
}

#[test]
fn who_comes_back_goes_on_where_it_was_if_that_is_kept() {
    let server = start(&["--repl-backlog-size", "1000"]);
    let mut client = server.client();
    let mut first = Replica::connect(&server);
    first.begin();
    client.call("SET a 1");
    let told = first.commands(&server);
    assert_eq!(told, ["SELECT 0", "SET a 1"]);
    let (id, from) = (first.id.clone(), first.offset);
    drop(first);
    until("the end of the replica", || info(&mut client, "connected_slaves") == "0");
    client.call("SET b 2");

    let mut second = Replica::connect(&server);
    second.send(&["PSYNC", &id, &(from + 1).to_string()]);
    assert_eq!(second.line(), format!("+CONTINUE {id}"));
    second.offset = from;
    client.call("SET c 3");
    assert_eq!(second.commands(&server), ["SET b 2", "SET c 3"]);
    drop(second);
    until("the end of the replica", || info(&mut client, "connected_slaves") == "0");

    let stats = |client: &mut Client| {
        ["sync_full", "sync_partial_ok", "sync_partial_err"].map(|field| field_of(client, "stats", field))
    };
    assert_eq!(stats(&mut client), ["1", "1", "0"]);

    // Another stream, what has not been said yet, and what is not kept any more: all of it anew.
    let end = offset(&mut client);
    client.call(&format!("SET d {}", "x".repeat(2000)));
    let unknown = "0".repeat(40);
    for (id, from) in [(&unknown, end), (&id, end + 1_000_000), (&id, end + 1), (&id, 0)] {
        let mut replica = Replica::connect(&server);
        replica.send(&["PSYNC", id, &from.to_string()]);
        replica.snapshot();
    }
    assert_eq!(stats(&mut client), ["5", "1", "4"]);
    client.call("CONFIG RESETSTAT");
    assert_eq!(stats(&mut client), ["0", "0", "0"]);
}

#[test]
fn what_is_sent_to_replicas_is_counted() {
    let server = start(&[]);
    let mut client = server.client();
    let sent = |client: &mut Client, name: &str| -> u64 { field_of(client, "stats", name).parse().unwrap() };
    client.call(&format!("SET before {}", "x".repeat(1000)));
    assert_eq!(sent(&mut client, "total_net_repl_output_bytes"), 0);
    let mut replica = Replica::connect(&server);
    let snapshot = replica.begin().len() as u64;
    client.call("SET a 1");
    let stream = replica.commands(&server).iter().map(|command| command.len() as u64).sum::<u64>();
    until("the count", || sent(&mut client, "total_net_repl_output_bytes") > snapshot + stream);
    let of_replicas = sent(&mut client, "total_net_repl_output_bytes");
    assert!(of_replicas < snapshot + stream + 1000, "{of_replicas}");
    assert!(sent(&mut client, "total_net_output_bytes") > of_replicas);
}

#[test]
fn what_is_acknowledged_is_counted() {
    let server = start(&[]);
    let mut client = server.client();
    let mut replica = Replica::connect(&server);
    replica.begin();
    client.call("SET a 1");
    assert_eq!(client.call("WAIT 0 0"), Value::Int(0));
    assert_eq!(client.call("WAIT 1 50"), Value::Int(0));
    // It was asked to tell.
    let told = replica.commands(&server);
    assert_eq!(told, ["SELECT 0", "SET a 1", "REPLCONF GETACK *"]);
    replica.acknowledge();
    assert_eq!(client.call("WAIT 1 5000"), Value::Int(1));
    client.call("SET b 1");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| (client.call("WAIT 1 0"), client.call("WAIT 2 50")));
        while !waits.is_finished() {
            let end = offset(&mut server.client());
            replica.read_to(end);
            replica.acknowledge();
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(waits.join().unwrap(), (Value::Int(1), Value::Int(1)));
    });
    // Writes that so many replicas should have.
    client.call("CONFIG SET min-replicas-to-write 1");
    assert_eq!(client.call("SET c 1").render(), "OK");
    client.call("CONFIG SET min-replicas-to-write 2");
    assert_eq!(client.call("SET c 1").error(), Some("NOREPLICAS Not enough good replicas to write."));
}

#[test]
fn a_replica_is_shown_and_ended() {
    let server = start(&[]);
    let mut client = server.client();
    let mut replica = Replica::connect(&server);
    replica.begin();
    until("the replica", || info(&mut client, "slave0").starts_with("ip=127.0.0.1,port=7777,state=online,"));
    let shown = client.call("ROLE").items()[2].items()[0].items();
    assert_eq!(shown.iter().take(2).map(Value::text).collect::<Vec<_>>(), ["127.0.0.1", "7777"]);
    assert_eq!(info(&mut client, "repl_backlog_active"), "1");
    assert!(client.call("CLIENT LIST TYPE replica").text().contains(" flags=S "));
    assert_eq!(client.call("CLIENT KILL TYPE replica"), Value::Int(1));
    until("the end of the replica", || info(&mut client, "connected_slaves") == "0");
    assert_eq!(replica.stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn who_does_not_read_is_ended_rather_than_fed_without_end() {
    let server = start(&[]);
    let mut client = server.client();
    let set = client.try_call(&["CONFIG", "SET", "client-output-buffer-limit", "replica 1mb 0 0"]).unwrap();
    assert_eq!(set.render(), "OK");
    let mut replica = Replica::connect(&server);
    replica.begin();
    client.call("SET a 1");
    let value = "x".repeat(100_000);
    until("the end of the replica", || {
        client.call(&format!("SET big {value}"));
        info(&mut client, "connected_slaves") == "0"
    });
    assert!(server.output().contains("client-output-buffer-limit"));
}

#[test]
fn who_wants_a_snapshot_only_is_sent_nothing_more() {
    let server = start(&[]);
    let mut client = server.client();
    client.call("SET a 1");
    let mut replica = Replica::connect(&server);
    replica.send(&["REPLCONF", "rdb-only", "1"]);
    assert_eq!(replica.line(), "+OK");
    replica.begin();
    client.call("SET b 1");
    assert_eq!(info(&mut client, "repl_backlog_active"), "0");
    replica.stream.get_ref().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(replica.stream.read(&mut [0]).is_err(), "something came behind the snapshot");
}
