//! What no well-meaning client sends: every case gets a clear error or silence, costs little, and harms nobody else.
//!
//! Each case runs on a server without a password, on one with a password before AUTH, and on that one after it. After each
//! the process is the same, a fresh connection is answered within a second, and the connections together have cost no more
//! resident memory than [`GROWTH_MAX`].

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

use std::io::{ErrorKind, Read};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use support::client::{Client, REPLY_TIMEOUT, Value, encode};
use support::server::Server;

/// What all cases together may add to the resident memory. The largest thing that one connection may make the server keep is
/// a request in the making; none of these sends more than 10 MB, and buffers are given back.
const GROWTH_MAX: u64 = 48 << 20;

/// A fresh connection is served within this, whatever the others do.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long silence is listened to.
const SILENCE: Duration = Duration::from_millis(150);

const PASSWORD: &str = "secret";

/// The longest inline request, and the longest line that gives a length.
const LINE_MAX: usize = 64 * 1024;

/// Whom the server takes the connection for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    /// No password is set.
    Anyone,
    /// One is set and was not given.
    Stranger,
    /// One is set and was given.
    Known,
}

/// What must follow.
enum Then {
    /// An error that starts so, then the end of the connection.
    Refused(&'static str),
    /// No reply, and the next command is answered on the same connection.
    Ignored,
    /// No reply while the rest does not come.
    Waits,
    /// An error that starts so, and the connection goes on.
    Error(&'static str),
}

/// Sends `bytes` as each of `whos` and looks at what follows; returns the connections that wait, still open.
fn expect(servers: &Servers, name: &str, whos: &[Who], bytes: &[u8], then: Then) -> Vec<Client> {
    let mut waiting = Vec::new();
    for &who in whos {
        let what = format!("{name} as {who:?}");
        let mut client = servers.connect(who);
        // The server may close while the rest is still on its way.
        let _ = client.send_raw(bytes);
        match then {
            Then::Refused(error) => {
                assert_error(&mut client, error, &what);
                assert!(is_closed(&mut client), "{what}: the connection must end");
            }
            Then::Error(error) => {
                assert_error(&mut client, error, &what);
                assert_answers(&mut client, who, &what);
            }
            Then::Ignored => assert_answers(&mut client, who, &what),
            Then::Waits => {
                assert!(is_silent(&mut client), "{what}: nothing can be answered yet");
                waiting.push(client);
            }
        }
        servers.assert_well(&what);
    }
    waiting
}

struct Servers {
    open: Server,
    locked: Server,
    pids: [u32; 2],
}

impl Servers {
    fn start() -> Servers {
        let open = Server::start(&[]);
        let locked = Server::start(&["--requirepass", PASSWORD]);
        let pids = [open.pid(), locked.pid()];
        Servers { open, locked, pids }
    }

    fn connect(&self, who: Who) -> Client {
        let mut client = if who == Who::Anyone { self.open.client() } else { self.locked.client() };
        if who == Who::Known {
            assert_eq!(client.call(&format!("AUTH {PASSWORD}")).render(), "OK");
        }
        client
    }

    /// Both are still the processes that they were, and answer a fresh connection at once.
    fn assert_well(&self, after: &str) {
        for who in [Who::Anyone, Who::Known] {
            let began = Instant::now();
            assert_eq!(self.connect(who).call("PING").render(), "PONG", "after {after}");
            assert!(began.elapsed() < PATIENCE, "after {after} a PING took {:?}", began.elapsed());
        }
        assert_eq!(self.pids, [self.open.pid(), self.locked.pid()]);
    }

    fn resident(&self) -> u64 {
        self.open.resident() + self.locked.resident()
    }
}

fn assert_error(client: &mut Client, start: &str, what: &str) {
    match client.read() {
        Ok(Value::Error(text)) => assert!(text.starts_with(start), "{what}: {text:?} instead of {start:?}"),
        other => panic!("{what}: {other:?} instead of {start:?}"),
    }
}

fn assert_answers(client: &mut Client, who: Who, what: &str) {
    let reply = client.try_call(&["PING"]).unwrap_or_else(|error| panic!("{what}: {error}"));
    let expected = if who == Who::Stranger { "(error) NOAUTH Authentication required." } else { "PONG" };
    assert_eq!(reply.render(), expected, "{what}");
}

/// Whether the server has closed; a reset is an end too, where it closed with bytes unread.
fn is_closed(client: &mut Client) -> bool {
    let mut rest = [0; 1];
    match client.socket().read(&mut rest) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

fn is_silent(client: &mut Client) -> bool {
    client.socket().set_read_timeout(Some(SILENCE)).expect("a timeout");
    let mut rest = [0; 1];
    let outcome = client.socket().read(&mut rest);
    client.socket().set_read_timeout(Some(REPLY_TIMEOUT)).expect("a timeout");
    matches!(outcome, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

#[test]
fn malformed_requests_are_refused_or_ignored_and_cost_nothing() {
    let servers = Servers::start();
    let before = servers.resident();
    let all = [Who::Anyone, Who::Stranger, Who::Known];
    let trusted = [Who::Anyone, Who::Known];
    let stranger = [Who::Stranger];

    let refused: &[(&str, &[u8], &str)] = &[
        ("a count that is no number", b"*x\r\n", "ERR Protocol error: invalid multibulk length"),
        ("a count beyond an i32", b"*2147483648\r\n", "ERR Protocol error: invalid multibulk length"),
        (
            "a count beyond an i64",
            b"*99999999999999999999\r\n",
            "ERR Protocol error: invalid multibulk length",
        ),
        ("no bulk string", b"*1\r\nPING\r\n", "ERR Protocol error: expected '$', got 'P'"),
        ("an array in an array", b"*1\r\n*1\r\n$4\r\nPING\r\n", "ERR Protocol error: expected '$', got '*'"),
        ("arrays a hundred deep", &b"*1\r\n".repeat(100), "ERR Protocol error: expected '$', got '*'"),
        ("a negative length", b"*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length"),
        ("a length that is no number", b"*1\r\n$abc\r\n", "ERR Protocol error: invalid bulk length"),
        ("a length with a sign", b"*1\r\n$+4\r\nPING\r\n", "ERR Protocol error: invalid bulk length"),
        ("a length beyond 512 MiB", b"*1\r\n$536870913\r\n", "ERR Protocol error: invalid bulk length"),
        (
            "a length beyond an i64",
            b"*1\r\n$99999999999999999999\r\n",
            "ERR Protocol error: invalid bulk length",
        ),
        ("an empty length", b"*1\r\n$\r\n", "ERR Protocol error: invalid bulk length"),
        ("quotes that do not close", b"GET \"abc\r\n", "ERR Protocol error: unbalanced quotes in request"),
        ("a quote in a word", b"GET \"a\"b\r\n", "ERR Protocol error: unbalanced quotes in request"),
    ];
    for &(name, bytes, error) in refused {
        expect(&servers, name, &all, bytes, Then::Refused(error));
    }
    let long = |first: u8, rest: u8| [vec![first], vec![rest; LINE_MAX + 1]].concat();
    let too_long = "ERR Protocol error: too big inline request";
    expect(&servers, "an endless line", &all, &long(b'a', b'a'), Then::Refused(too_long));
    let too_long = "ERR Protocol error: too big mbulk count string";
    expect(&servers, "an endless count", &all, &long(b'*', b'1'), Then::Refused(too_long));
    let too_long = "ERR Protocol error: too big bulk count string";
    let bytes = [b"*1\r\n".to_vec(), long(b'$', b'1')].concat();
    expect(&servers, "an endless length", &all, &bytes, Then::Refused(too_long));

    // Whoever has not said who they are gets no room.
    let error = "ERR Protocol error: unauthenticated multibulk length";
    expect(&servers, "a long request", &stranger, b"*11\r\n", Then::Refused(error));
    let error = "ERR Protocol error: unauthenticated bulk length";
    expect(&servers, "a large word", &stranger, b"*1\r\n$16385\r\n", Then::Refused(error));

    let ignored: &[(&str, &[u8])] = &[
        ("a negative count", b"*-5\r\n"),
        ("a null", b"*-1\r\n"),
        ("an empty request", b"*0\r\n"),
        ("empty lines", b"\r\n\r\n\n\r\n"),
        ("blanks", b"   \r\n"),
        ("a thousand empty requests", &b"*0\r\n".repeat(1000)),
    ];
    for &(name, bytes) in ignored {
        expect(&servers, name, &all, bytes, Then::Ignored);
    }

    let unknown = "ERR unknown command";
    expect(&servers, "a name that does not exist", &all, b"*1\r\n$3\r\nFOO\r\n", Then::Error(unknown));
    expect(&servers, "an empty name", &trusted, b"*1\r\n$0\r\n\r\n", Then::Error(unknown));
    expect(&servers, "a name of NULs", &trusted, b"*1\r\n$3\r\n\0\0\0\r\n", Then::Error(unknown));
    let name = encode(&[vec![b'\n'; 8 << 10]]);
    expect(&servers, "a name of line ends", &trusted, &name, Then::Error(unknown));
    expect(&servers, "an empty inline name", &trusted, b"\"\"\r\n", Then::Error(unknown));
    expect(&servers, "a known name", &stranger, b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", Then::Error("NOAUTH"));
    let arity = "ERR wrong number of arguments for 'get' command";
    expect(&servers, "too few words", &trusted, b"*1\r\n$3\r\nGET\r\n", Then::Error(arity));

    // Hundreds of idle connections, each of which has announced the most that it may.
    let mut waiting = Vec::new();
    waiting.extend(expect(&servers, "a million words to come", &trusted, b"*1000000\r\n", Then::Waits));
    waiting.extend(expect(&servers, "512 MiB to come", &trusted, b"*1\r\n$536870912\r\nabc", Then::Waits));
    waiting.extend(expect(&servers, "half a word", &all, b"*2\r\n$3\r\nGET\r\n$3\r\nab", Then::Waits));
    waiting.extend(expect(&servers, "half a line", &all, b"PIN", Then::Waits));
    waiting.extend(expect(&servers, "half a line end", &all, b"*1\r\n$4\r\nPING\r", Then::Waits));
    for _ in 0..200 {
        for (who, bytes) in [
            (Who::Known, &b"*1000000\r\n"[..]),
            (Who::Known, b"*1\r\n$536870912\r\nabc"),
            (Who::Anyone, b"*1000000\r\n$536870912\r\n"),
            (Who::Stranger, b"*10\r\n$16384\r\n"),
        ] {
            let mut client = servers.connect(who);
            client.send_raw(bytes).expect("room for a few bytes");
            waiting.push(client);
        }
    }
    std::thread::sleep(SILENCE);
    servers.assert_well("hundreds of connections that wait");
    let growth = servers.resident().saturating_sub(before);
    assert!(growth < GROWTH_MAX, "{growth} bytes more with {} connections that wait", waiting.len());
    drop(waiting);
    servers.assert_well("their end");
}

#[test]
fn requests_cut_off_anywhere_are_dropped_without_a_trace() {
    let servers = Servers::start();
    let request = encode(&["SET", "cut", "value"]);
    for end in 0..request.len() {
        let mut client = servers.connect(Who::Anyone);
        client.send_raw(&request[..end]).expect("room for a few bytes");
        client.socket().shutdown(Shutdown::Write).expect("an end to it");
        assert!(is_closed(&mut client), "cut after {end} bytes");
    }
    assert_eq!(servers.connect(Who::Anyone).call("EXISTS cut").render(), "(integer) 0");
    servers.assert_well("requests cut off");
}

#[test]
fn random_bytes_harm_nobody_and_are_not_kept() {
    let servers = Servers::start();
    let before = servers.resident();
    for who in [Who::Anyone, Who::Stranger, Who::Known] {
        let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ who as u64);
        let mut left = 10_000_000;
        while left > 0 {
            let mut client = servers.connect(who);
            client.socket().set_write_timeout(Some(Duration::from_secs(2))).expect("a timeout");
            // Refused somewhere in it; what was not read yet then goes with the connection.
            for _ in 0..16 {
                let bytes: Vec<u8> = (0..8192).flat_map(|_| random.next().to_le_bytes()).collect();
                left -= bytes.len().min(left);
                if client.send_raw(&bytes).is_err() {
                    break;
                }
            }
        }
        servers.assert_well(&format!("random bytes as {who:?}"));
    }
    let growth = servers.resident().saturating_sub(before);
    assert!(growth < GROWTH_MAX, "{growth} bytes more after random bytes");
}

#[test]
fn random_requests_of_the_right_form_get_a_reply_each() {
    let servers = Servers::start();
    let mut random = Random(42);
    let names = [
        "GET", "SET", "INCR", "nosuch", "EXPIRE", "MGET", "", "\0", "DEL", "PING", "OBJECT", "CONFIG", "SCAN",
    ];
    for who in [Who::Anyone, Who::Stranger, Who::Known] {
        let mut client = servers.connect(who);
        let mut sent = Vec::new();
        let mut count = 0;
        // A stranger may be cut off once more than a few kilobytes of replies wait for it.
        for _ in 0..if who == Who::Stranger { 200 } else { 3000 } {
            let mut words = vec![names[random.below(names.len())].as_bytes().to_vec()];
            for _ in 0..random.below(5) {
                let length = random.below(12);
                words.push((0..length).map(|_| random.next() as u8).collect());
            }
            sent.extend(encode(&words));
            count += 1;
        }
        sent.extend(encode(&["ECHO", "the last"]));
        client.send_raw(&sent).expect("room for the requests");
        for number in 0..count {
            client.read().unwrap_or_else(|error| panic!("reply {number} as {who:?}: {error}"));
        }
        let last = client.read().expect("the last reply").render();
        let expected =
            if who == Who::Stranger { "(error) NOAUTH Authentication required." } else { "\"the last\"" };
        assert_eq!(last, expected, "one reply too many or too few as {who:?}");
        servers.assert_well(&format!("random requests as {who:?}"));
    }
}

#[test]
fn replies_before_a_protocol_error_are_not_lost() {
    let servers = Servers::start();
    let mut client = servers.connect(Who::Anyone);
    client.send_raw(b"PING\r\nSET a 1\r\n*1\r\n$4\r\nPING\r\n*1\r\n!\r\nPING\r\n").expect("room for it");
    let replies: Vec<String> = (0..4).map(|_| client.read().expect("a reply").render()).collect();
    assert_eq!(replies, ["PONG", "OK", "PONG", "(error) ERR Protocol error: expected '$', got '!'"]);
    assert!(is_closed(&mut client));
}

#[test]
fn a_client_that_sends_and_never_reads_does_not_hold_up_the_others() {
    let servers = Servers::start();
    let mut writer = servers.connect(Who::Anyone);
    let value = "x".repeat(100_000);
    assert_eq!(writer.try_call(&["SET", "large", &value]).expect("a reply").render(), "OK");
    writer.socket().set_write_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    // Asks for up to 50 MB and reads nothing.
    for _ in 0..500 {
        if writer.send_raw(&encode(&["GET", "large"])).is_err() {
            break;
        }
    }
    servers.assert_well("a client that does not read");
}

/// xorshift64: the same bytes in every run, so that a failure comes again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}
