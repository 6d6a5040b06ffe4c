//! Clients that mean no good, and an innocent one beside them whose answers are timed.
//!
//! ```text
//! slow readers   ask for megabytes and never read
//! slow senders   send a request a byte at a time, or announce megabytes and fall silent
//! strangers      flood a server that has a password, before having given it, and read nothing
//! deep pipes     a hundred thousand requests in one go
//! storms         connect and vanish, hundreds at a time
//! ```
//!
//! Through all of it the process stays the same one, its memory within a bound, and the innocent client is answered.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::dice::Dice;
use super::process::{Process, scratch};
use super::report::{Order, Outcome};
use super::support::client::{Client, encode};

const PASSWORD: &str = "open-sesame";
const CLIENTS: usize = 12;
/// What a normal client's unread output may cost, as the server is told.
const OUTPUT_LIMIT: &str = "normal 8mb 4mb 3";
/// More than all the attackers' buffers together may take.
const GROWTH_MAX: u64 = 400 * 1024 * 1024;
/// The innocent client shares two cores with all attackers; it must not starve.
const ANSWER_MAX: Duration = Duration::from_secs(2);

type Attack = fn(u16, &mut Dice, Instant) -> u64;

const ATTACKS: &[(&str, Attack)] = &[
    ("slow readers", slow_readers),
    ("slow senders", slow_senders),
    ("strangers", strangers),
    ("deep pipelines", deep_pipelines),
    ("connections in storms", storms),
];

pub(crate) fn run(order: &Order) -> Outcome {
    let mut outcome = Outcome::default();
    let home = scratch();
    let (dir, output) = (home.path().join("data"), home.path().join("output"));
    std::fs::create_dir(&dir).expect("a directory");
    let arguments =
        ["--requirepass", PASSWORD, "--client-output-buffer-limit", OUTPUT_LIMIT, "--appendfsync", "no"];
    // With a password the first answer is NOAUTH, so the start is watched from here.
    let mut server = match Process::start_closed(&order.target, &dir, &output, &arguments) {
        Ok(server) => server,
        Err(refused) => {
            outcome.fail(refused.to_string());
            return outcome;
        }
    };
    let mut dice = Dice::new(order.seed);
    let mut client = friend(server.port).expect("a connection");
    client.try_call(&["SET", "big", &"x".repeat(1 << 20)]).expect("a big value");
    let before = server.resident();
    let slice = order.left().div_f64(ATTACKS.len() as f64).min(Duration::from_secs(20));
    while !order.is_over() {
        for (name, attack) in ATTACKS {
            let until = Instant::now() + slice;
            let stop = AtomicBool::new(false);
            let (port, seed) = (server.port, dice.next());
            let (attacks, waits, peak) = std::thread::scope(|scope| {
                let innocent = scope.spawn(|| innocent(port, &stop));
                let attack = scope.spawn(move || attack(port, &mut Dice::new(seed), until));
                let mut peak = 0;
                while !attack.is_finished() {
                    peak = server.resident().max(peak);
                    std::thread::sleep(Duration::from_millis(10));
                }
                stop.store(true, Ordering::Relaxed);
                (attack.join().expect("the attack"), innocent.join().expect("the innocent"), peak)
            });
            outcome.count(name, attacks);
            let Some(mut waits) = waits else {
                outcome.fail(format!("{name}: the innocent client was cut off"));
                continue;
            };
            waits.sort();
            let p99 = waits.get(waits.len() * 99 / 100).copied().unwrap_or(ANSWER_MAX);
            outcome.count("innocent requests", waits.len() as u64);
            outcome.peak("µs innocent p99 at most", p99.as_micros() as u64);
            let growth = peak.saturating_sub(before);
            outcome.peak("MiB of memory more at most", growth >> 20);
            if p99 > ANSWER_MAX {
                outcome.fail(format!("{name}: the innocent client's p99 was {p99:?}"));
            }
            if growth > GROWTH_MAX {
                outcome.fail(format!("{name}: {} MiB more memory", growth >> 20));
            }
            if !server.is_alive() {
                outcome.fail(format!("{name}: the server has ended"));
                return outcome;
            }
        }
    }
    outcome.require("innocent requests", 100);
    outcome
}

fn friend(port: u16) -> std::io::Result<Client> {
    let mut client = Client::connect(("127.0.0.1", port))?;
    client.try_call(&["AUTH", PASSWORD])?;
    Ok(client)
}

/// How long each small request took; `None` when the connection broke.
fn innocent(port: u16, stop: &AtomicBool) -> Option<Vec<Duration>> {
    let mut client = friend(port).ok()?;
    let mut waits = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        client.try_call(&["SET", "innocent", "value"]).ok()?;
        waits.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(2));
    }
    Some(waits)
}

fn raw(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

fn slow_readers(port: u16, _: &mut Dice, until: Instant) -> u64 {
    let mut clients: Vec<Client> = (0..CLIENTS).filter_map(|_| friend(port).ok()).collect();
    let request = encode(&["GET", "big"]);
    let mut asked = 0;
    while Instant::now() < until {
        for client in &mut clients {
            let _ = client.socket().set_nonblocking(true);
            if client.send_raw(&request).is_ok() {
                asked += 1;
            } else if let Ok(fresh) = friend(port) {
                // Dropped, as it should be: the next one takes its place.
                *client = fresh;
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    asked
}

fn slow_senders(port: u16, dice: &mut Dice, until: Instant) -> u64 {
    let request = encode(&["SET", "slow", "value"]);
    let mut senders: Vec<(TcpStream, usize)> =
        (0..CLIENTS * 8).filter_map(|_| Some((raw(port)?, 0))).collect();
    for (stream, _) in senders.iter_mut().skip(CLIENTS * 4) {
        let _ = stream.write_all(b"*3\r\n$3\r\nSET\r\n$4\r\nslow\r\n$500000000\r\nand then nothing");
    }
    let mut sent = 0;
    while Instant::now() < until {
        for (stream, at) in senders.iter_mut().take(CLIENTS * 4) {
            if dice.one_in(2) && stream.write_all(&request[*at..=*at]).is_ok() {
                *at = (*at + 1) % request.len();
                sent += 1;
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    sent
}

fn strangers(port: u16, dice: &mut Dice, until: Instant) -> u64 {
    let floods: [Vec<u8>; 4] = [
        encode(&["GET", "big"]).repeat(200),
        b"*1000000\r\n".to_vec(),
        b"*2\r\n$4\r\nAUTH\r\n$100000000\r\n".to_vec(),
        encode(&["AUTH", "wrong"]).repeat(200),
    ];
    let mut strangers: Vec<TcpStream> = (0..CLIENTS * 4).filter_map(|_| raw(port)).collect();
    let mut sent = 0;
    while Instant::now() < until {
        for stream in &mut strangers {
            match stream.write_all(dice.pick::<Vec<u8>>(&floods)) {
                Ok(()) => sent += 1,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    if let Some(fresh) = raw(port) {
                        *stream = fresh;
                    }
                }
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    sent
}

fn deep_pipelines(port: u16, dice: &mut Dice, until: Instant) -> u64 {
    const DEPTH: usize = 100_000;
    let mut done = 0;
    while Instant::now() < until {
        let Ok(mut client) = friend(port) else { continue };
        let words: &[&str] = if dice.one_in(2) { &["PING"] } else { &["INCR", "deep"] };
        let bytes = encode(words).repeat(DEPTH);
        let Ok(mut writer) = client.socket().try_clone() else { continue };
        done += std::thread::scope(|scope| {
            scope.spawn(move || writer.write_all(&bytes));
            (0..DEPTH).take_while(|_| client.read().is_ok()).count() as u64
        });
    }
    done
}

fn storms(port: u16, dice: &mut Dice, until: Instant) -> u64 {
    let mut connections = 0;
    while Instant::now() < until {
        let mut streams: Vec<TcpStream> = (0..200).filter_map(|_| raw(port)).collect();
        connections += streams.len() as u64;
        for stream in &mut streams {
            if dice.one_in(2) {
                let _ = stream.write_all(b"PING\r\n*2\r\n$3\r\nGE");
            }
        }
        drop(streams);
        std::thread::sleep(Duration::from_millis(5));
    }
    connections
}
