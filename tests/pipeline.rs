//! Commands that come together are looked at before they run, and most of them go a shorter way then. What comes of them has to
//! be what comes of the same commands one by one, whatever stands between them.

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

use pinstripe::base::random::Random;
use support::client::{Client, encode};
use support::server::Server;
use support::transcript::split_words;

const SEQUENCES: u64 = 400;
const COMMANDS: u64 = 40;

/// Commands that take the short way, and everything that changes what holds for those behind it.
const POOL: &[&str] = &[
    "GET a",
    "GET b",
    "SET a 1",
    "SET b x",
    "SET a 2 PX 100000",
    "INCR a",
    "INCR b",
    "APPEND a 3",
    "STRLEN b",
    "GETDEL a",
    "HSET h f v",
    "HGET h f",
    "HGET a f",
    "LPUSH l x y",
    "LRANGE l 0 -1",
    "RPOP l",
    "LPUSH a x",
    "EXPIRE b 1000",
    "PERSIST b",
    "TYPE h",
    "DEL a",
    "MGET a b",
    "MSET a 5 b 6",
    "COPY a b REPLACE",
    "EXISTS a b",
    "SELECT 1",
    "SELECT 0",
    "SWAPDB 0 1",
    "FLUSHDB",
    "MULTI",
    "EXEC",
    "DISCARD",
    "WATCH a",
    "UNWATCH",
    "NOSUCH a",
    "GET",
    "SET a",
    "OBJECT ENCODING a",
    "HELLO 3",
    "HELLO 2",
    "CLIENT NO-TOUCH ON",
    "RESET",
    "PING",
    "DBSIZE",
    "EVAL \"return redis.call('INCR', KEYS[1])\" 1 c",
    "RENAME b a",
    "SORT l ALPHA STORE a",
];

fn words(line: &str) -> Vec<Vec<u8>> {
    split_words(line).unwrap()
}

/// Sends all commands in one piece.
fn send(client: &mut Client, lines: &[&str]) {
    let bytes: Vec<u8> = lines.iter().flat_map(|line| encode(&words(line))).collect();
    client.send_raw(&bytes).unwrap();
}

/// As [`send`]; one reply each.
fn together(client: &mut Client, lines: &[&str]) -> Vec<String> {
    send(client, lines);
    lines.iter().map(|_| client.read().unwrap().render()).collect()
}

fn one_by_one(client: &mut Client, lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| client.try_call(&words(line)).unwrap().render()).collect()
}

#[test]
fn together_is_as_one_by_one() {
    let (server, oracle) = (Server::start(&[]), Server::start(&[]));
    let (mut client, mut patient) = (server.client(), oracle.client());
    // HELLO tells the connection's number, and how many a server has seen depends on how long its start took.
    let number = |client: &mut Client| client.call("CLIENT ID").render();
    while number(&mut client) != number(&mut patient) {
        let of = |text: String| text.trim_start_matches("(integer) ").parse::<u64>().unwrap();
        match of(number(&mut client)) < of(number(&mut patient)) {
            true => client = server.client(),
            false => patient = oracle.client(),
        }
    }
    let forget = ["CONFIG RESETSTAT"];
    assert_eq!(one_by_one(&mut client, &forget), one_by_one(&mut patient, &forget));
    for seed in 0..SEQUENCES {
        let mut random = Random::seeded(seed);
        let picked = (0..COMMANDS).map(|_| POOL[random.below(POOL.len() as u64) as usize]);
        let lines: Vec<&str> = ["RESET", "FLUSHALL"].into_iter().chain(picked).collect();
        let (got, expected) = (together(&mut client, &lines), one_by_one(&mut patient, &lines));
        for (at, line) in lines.iter().enumerate() {
            assert_eq!(got[at], expected[at], "sequence {seed}, {line:?} at {at} of {lines:?}");
        }
        let digest = ["RESET", "DEBUG DIGEST"];
        assert_eq!(
            one_by_one(&mut client, &digest),
            one_by_one(&mut patient, &digest),
            "sequence {seed}: {lines:?}"
        );
    }
    // Some of them were timed together, and counted all the same.
    assert_eq!(counts(&mut client), counts(&mut patient));
}

/// How often each command was called, refused and failed, and of how many calls the times are known.
fn counts(client: &mut Client) -> Vec<String> {
    let histograms = client.call("LATENCY HISTOGRAM").items();
    let timed =
        histograms.chunks_exact(2).map(|pair| format!("{} {}", pair[0].text(), pair[1].items()[1].render()));
    let stats = client.call("INFO commandstats").text();
    let called = stats.lines().filter(|line| line.starts_with("cmdstat_")).map(|line| {
        let is_time = |field: &&str| !field.contains("usec");
        line.split(',').filter(is_time).collect::<Vec<_>>().join(",")
    });
    let mut counts: Vec<String> = timed.chain(called).collect();
    counts.sort_unstable();
    counts
}

#[test]
fn chance_is_new_for_each_of_those_that_are_timed_together() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let all: Vec<String> = (1..=52).map(|card| card.to_string()).collect();
    let fill: Vec<String> = (0..16).map(|deck| format!("SADD deck{deck} {}", all.join(" "))).collect();
    together(&mut client, &fill.iter().map(String::as_str).collect::<Vec<_>>());
    let draw: Vec<String> = (0..16).map(|deck| format!("SPOP deck{deck}")).collect();
    let drawn = together(&mut client, &draw.iter().map(String::as_str).collect::<Vec<_>>());
    let different: std::collections::HashSet<&String> = drawn.iter().collect();
    // Of sixteen from 52 some fourteen differ.
    assert!(different.len() > 8, "{drawn:?}");
}

#[test]
fn what_takes_long_among_what_is_timed_together_is_told_by_its_name() {
    let server = Server::start(&["--slowlog-log-slower-than", "1000"]);
    let mut client = server.client();
    together(&mut client, &["SETRANGE big 50000000 x", "SET small x", "CONFIG RESETSTAT", "SLOWLOG RESET"]);
    together(&mut client, &["GET small", "GET big", "GET small", "GET small"]);
    let slow = client.call("SLOWLOG GET").items();
    let big =
        slow.iter().filter(|entry| entry.items()[3].items().last().is_some_and(|key| key.text() == "big"));
    assert_eq!(big.count(), 1, "{slow:?}");
    let counted = client.call("INFO commandstats").text();
    assert!(counted.contains("cmdstat_get:calls=4,"), "{counted}");
}

#[test]
fn members_of_big_values_are_found_together_as_one_by_one() {
    const MEMBERS: u64 = 20_000;
    let server = Server::start(&[]);
    let mut client = server.client();
    let fill: Vec<String> =
        (0..MEMBERS).flat_map(|nth| [format!("HSET h f{nth} {nth}"), format!("SADD s m{nth}")]).collect();
    for lines in fill.chunks(500) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        together(&mut client, &lines);
    }
    let mut random = Random::seeded(1);
    let lines: Vec<String> = (0..2000)
        .map(|nth| {
            // Every other one is a member; each command comes several times in a row.
            let member = random.below(2 * MEMBERS);
            match nth / 10 % 7 {
                0 => format!("HGET h f{member}"),
                1 => format!("SISMEMBER s m{member}"),
                2 => format!("HEXISTS h f{member}"),
                3 => format!("HINCRBY h f{member} 0"),
                4 => format!("SADD s m{member}"),
                5 => "SCARD s".to_owned(),
                _ => format!("HGET s f{member}"),
            }
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (mut one, mut other) = (server.client(), server.client());
    assert_eq!(one.call("COPY h kept").render(), "(integer) 1");
    assert_eq!(one.call("COPY s kept-s").render(), "(integer) 1");
    let got = together(&mut one, &lines);
    for name in ["RENAME kept h", "RENAME kept-s s"] {
        assert_eq!(one.call(name).text(), "OK");
    }
    assert_eq!(got, one_by_one(&mut other, &lines));
}

#[test]
fn replies_that_nobody_wants_are_not_sent() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let lines =
        ["SET a 1", "GET a", "CLIENT REPLY OFF", "GET a", "INCR a", "GET a", "CLIENT REPLY ON", "GET a"];
    send(&mut client, &lines);
    let replies: Vec<String> = (0..4).map(|_| client.read().unwrap().render()).collect();
    assert_eq!(replies, ["OK", "\"1\"", "OK", "\"2\""]);
    let lines = ["CLIENT REPLY SKIP", "GET a", "INCR a", "GET a"];
    send(&mut client, &lines);
    assert_eq!(
        (client.read().unwrap().render(), client.read().unwrap().render()),
        ("(integer) 3".into(), "\"3\"".into())
    );
}

#[test]
fn a_monitor_and_the_slow_log_see_every_command() {
    const COUNT: usize = 100;
    let server = Server::start(&["--slowlog-log-slower-than", "0", "--slowlog-max-len", "1000"]);
    let (mut client, mut monitor) = (server.client(), server.client());
    let lines: Vec<String> = (0..COUNT).map(|nth| format!("SET key{nth} v")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    together(&mut client, &lines);
    let logged = client.call("SLOWLOG GET 1000").items();
    let sets = logged.iter().filter(|entry| entry.items()[3].items()[0].text() == "SET").count();
    assert_eq!(sets, COUNT);
    let counted = client.call("INFO commandstats").text();
    assert!(counted.contains(&format!("cmdstat_set:calls={COUNT},")), "{counted}");
    assert_eq!(monitor.call("MONITOR").text(), "OK");
    together(&mut client, &lines);
    for line in &lines {
        let seen = monitor.read().unwrap().text();
        let expected = line.split(' ').map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" ");
        assert!(seen.ends_with(&expected), "{seen} is not {expected}");
    }
}

#[test]
fn a_pause_and_a_password_hold_for_what_stands_behind_them() {
    const PAUSE: Duration = Duration::from_millis(150);
    let server = Server::start(&[]);
    let mut client = server.client();
    let pause = format!("CLIENT PAUSE {} WRITE", PAUSE.as_millis());
    let began = Instant::now();
    together(&mut client, &["SET a 1", "GET a", &pause, "GET a", "SET a 2"]);
    assert!(began.elapsed() >= PAUSE, "the write behind the pause came after {:?}", began.elapsed());
    let lines = ["CONFIG SET requirepass secret", "RESET", "SET a 3", "GET a", "AUTH secret", "GET a"];
    let replies = together(&mut client, &lines);
    let refused = "(error) NOAUTH Authentication required.";
    assert_eq!(replies, ["OK", "RESET", refused, refused, "OK", "\"2\""]);
}

#[test]
fn full_memory_is_heeded() {
    let server = Server::start(&[]);
    let mut client = server.client();
    together(&mut client, &["SET a 1", "CONFIG SET maxmemory 1"]);
    let replies = together(&mut client, &["GET a", "SET b 1", "GET a", "DEL a"]);
    assert_eq!(replies[0], "\"1\"");
    assert!(replies[1].contains("OOM command not allowed"), "{replies:?}");
    assert_eq!(replies[3], "(integer) 1");
}

/// Many clients send all of a pipeline before they read the first reply, however much that is.
#[test]
fn who_reads_nothing_before_everything_is_sent_is_answered() {
    const COUNT: usize = 400;
    let server = Server::start(&[]);
    let mut client = server.client();
    client.socket().set_write_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let word = "x".repeat(100_000);
    let echo = encode(&["ECHO", &word]);
    for _ in 0..COUNT {
        client.send_raw(&echo).expect("sent, though no reply was read");
    }
    for nth in 0..COUNT {
        assert_eq!(client.read().expect("a reply").text(), word, "reply {nth}");
    }
    assert_eq!(client.call("PING").render(), "PONG");
}

/// Such a client may say that it has sent everything, and is answered all the same.
#[test]
fn who_ends_its_input_before_it_reads_is_answered_to_the_end() {
    let server = Server::start(&[]);
    let mut control = server.client();
    control.call(&format!("SET big {}", "x".repeat(500_000)));
    let mut client = server.client();
    let gets: Vec<u8> = (0..60).flat_map(|_| encode(&["GET", "big"])).collect();
    client.send_raw(&gets).expect("sent");
    client.socket().shutdown(std::net::Shutdown::Write).expect("closed");
    std::thread::sleep(Duration::from_millis(100));
    for _ in 0..60 {
        assert_eq!(client.read().expect("a reply").text().len(), 500_000);
    }
}

/// A number that CLIENT LIST tells of a client.
fn field(control: &mut Client, id: &str, name: &str) -> usize {
    let line = control.call(&format!("CLIENT LIST ID {id}")).text();
    let field = line.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    field.and_then(|number| number.parse().ok()).expect("a number")
}

/// A client asks until its socket takes no more answers, and gets the rest when it reads.
#[test]
fn what_the_socket_does_not_take_is_sent_when_it_is_read() {
    let server = Server::start(&[]);
    let mut control = server.client();
    control.call(&format!("SET big {}", "x".repeat(12_000)));
    let reply = "$12000\r\n".len() + 12_000 + "\r\n".len();
    let mut client = server.client();
    let id = client.call("CLIENT ID").render().replace("(integer) ", "");
    let mut sent = move || field(&mut control, &id, "tot-net-out");
    let (before, mut questions) = (sent(), 0);
    let is_answered = |questions: usize, sent: &mut dyn FnMut() -> usize| {
        let until = Instant::now() + Duration::from_millis(100);
        while sent() < before + questions * reply {
            if Instant::now() > until {
                return false;
            }
        }
        true
    };
    while is_answered(questions, &mut sent) {
        client.send_raw(&encode(&["GET", "big"])).expect("sent");
        questions += 1;
    }
    for _ in 0..questions {
        assert_eq!(client.read().expect("a reply").text().len(), 12_000);
    }
}

/// Who asks for much and does not read makes us hold what one turn may gather, however much it asks for at once.
#[test]
fn answers_that_nobody_reads_are_not_gathered() {
    const OUTPUT_MAX: usize = 1024 * 1024;
    let server = Server::start(&[]);
    let mut control = server.client();
    control.call(&format!("SET k {}", "x".repeat(80)));
    let mut client = server.client();
    let id = client.call("CLIENT ID").render().replace("(integer) ", "");
    let (questions, each) = (300_000, b"GET k\n".len());
    // A socket that has given much takes much; and all of it is there when the first question has been answered.
    client.call(&format!("SET much {}", "x".repeat(16 << 20)));
    client.send_raw(&encode(&["DEBUG", "SLEEP", "0.5"])).expect("sent");
    client.send_raw(&b"GET k\n".repeat(questions)).expect("sent");
    let mut field = |name: &str| field(&mut control, &id, name);
    let until = Instant::now() + Duration::from_secs(20);
    while field("tot-net-in") < questions * each || field("obl") == 0 {
        assert!(Instant::now() < until, "it is not read on");
    }
    let held = field("obl");
    assert!(held < 2 * OUTPUT_MAX, "{held} bytes wait");
    assert_eq!(client.read().expect("a reply").render(), "OK");
    for _ in 0..questions {
        assert_eq!(client.read().expect("a reply").text().len(), 80);
    }
}
