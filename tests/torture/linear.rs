//! Linearizability: what many clients saw at the same time must be what one after the other could have seen.
//!
//! ```text
//! single keys    registers (SET, GET, GETSET, GETDEL, APPEND, SET NX), counters (INCR): for each key all orders that real
//!                time allows are tried (see `search`), cut at the moments at which nobody was busy with the key
//! transactions   MULTI, or a script, of RPUSHes and LRANGEs over several lists, and MSET/MGET of pairs. Each value is pushed
//!                once, so the lists tell in which order it was; who came before whom makes a graph, which must have no
//!                circle (see `graph`)
//! ```
//!
//! Both checkers are themselves checked, each time, against histories made by hand.

pub(crate) mod graph;
mod samples;
pub(crate) mod search;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use graph::{Access, Transaction};
use search::{Op, Seen};

use super::dice::Dice;
use super::process::{Process, scratch};
use super::report::{Order, Outcome};
use super::script;
use super::support::client::{Client, Value, encode};

const CLIENTS: usize = 6;
/// Operations of a client in one round.
const OPERATIONS: usize = 4_000;
const KEYS: usize = 12;
const LISTS: usize = 6;

pub(crate) fn run(order: &Order) -> Outcome {
    let mut outcome = Outcome::default();
    samples::check(&mut outcome);
    let mut dice = Dice::new(order.seed);
    let mut era = 0;
    while !order.is_over() {
        let workers = ["1", "2", "4"][era % 3];
        era += 1;
        if let Err(why) = one_server(order, &mut dice, workers, &mut outcome) {
            outcome.fail(format!("{workers} workers: {why}"));
        }
    }
    outcome.require("operations on single keys", 1_000);
    outcome.require("transactions", 100);
    outcome
}

fn one_server(order: &Order, dice: &mut Dice, workers: &str, outcome: &mut Outcome) -> Result<(), String> {
    let home = scratch();
    let (dir, output) = (home.path().join("data"), home.path().join("output"));
    std::fs::create_dir(&dir).map_err(|e| e.to_string())?;
    let fsync = *dice.pick(&["no", "everysec", "always"]);
    let arguments = ["--io-threads", workers, "--appendfsync", fsync];
    let server = Process::start(&order.target, &dir, &output, &arguments).map_err(|e| e.to_string())?;
    let unique = AtomicU64::new(1);
    for _ in 0..8 {
        if order.is_over() {
            break;
        }
        let operations = if order.short { OPERATIONS / 8 } else { OPERATIONS };
        let mut control = server.client();
        control.try_call(&["FLUSHALL"]).map_err(|e| e.to_string())?;
        let histories =
            together(&server, dice, |client, dice| singles(client, dice, &unique, operations, order))?;
        check_singles(histories.into_iter().flatten().collect(), workers, outcome);
        control.try_call(&["FLUSHALL"]).map_err(|e| e.to_string())?;
        let histories =
            together(&server, dice, |client, dice| transactions(client, dice, &unique, operations / 8))?;
        check_transactions(histories.into_iter().flatten().collect(), workers, outcome);
    }
    Ok(())
}

/// Runs a client's part on many threads at once.
fn together<T: Send>(
    server: &Process,
    dice: &mut Dice,
    part: impl Fn(Client, Dice) -> std::io::Result<Vec<T>> + Sync,
) -> Result<Vec<Vec<T>>, String> {
    let all: Vec<(Client, Dice)> = (0..CLIENTS).map(|_| (server.client(), Dice::new(dice.next()))).collect();
    let part = &part;
    thread::scope(|scope| {
        let parts: Vec<_> =
            all.into_iter().map(|(client, dice)| scope.spawn(move || part(client, dice))).collect();
        parts.into_iter().map(|p| p.join().expect("a client").map_err(|e| e.to_string())).collect()
    })
}

struct Single {
    key: usize,
    op: Op,
    seen: Seen,
    began: Instant,
    ended: Instant,
}

/// Single operations, up to four under way at a time.
fn singles(
    mut client: Client,
    mut dice: Dice,
    unique: &AtomicU64,
    operations: usize,
    order: &Order,
) -> std::io::Result<Vec<Single>> {
    let mut history = Vec::with_capacity(operations);
    while history.len() < operations && !order.is_over() {
        let mut bytes = Vec::new();
        let mut asked = Vec::new();
        for _ in 0..dice.between(1, 4) {
            let key = dice.below(KEYS);
            // Odd keys are counters; the others hold texts.
            let value = unique.fetch_add(1, Ordering::Relaxed);
            let op = match (key % 2, dice.below(10)) {
                (1, 0..6) => Op::Incr,
                (1, _) => Op::Get,
                (_, 0..4) => Op::Get,
                (_, 4..7) => Op::Set(value),
                (_, 7) => Op::GetSet(value),
                (_, 8) => Op::GetDel,
                _ => Op::SetIfAbsent(value),
            };
            let (key_name, text) = (format!("key:{key}"), value.to_string());
            let words: Vec<&str> = match op {
                Op::Get => vec!["GET", &key_name],
                Op::Set(_) => vec!["SET", &key_name, &text],
                Op::GetSet(_) => vec!["GETSET", &key_name, &text],
                Op::GetDel => vec!["GETDEL", &key_name],
                Op::SetIfAbsent(_) => vec!["SETNX", &key_name, &text],
                Op::Incr => vec!["INCR", &key_name],
            };
            bytes.extend_from_slice(&encode(&words));
            asked.push((key, op));
        }
        let began = Instant::now();
        client.send_raw(&bytes)?;
        for (key, op) in asked {
            let reply = client.read()?;
            let seen = match &reply {
                Value::Nil => Seen::Nothing,
                Value::Int(n) => Seen::Number(*n as u64),
                Value::Bulk(_) => Seen::Number(reply.text().parse().unwrap_or(u64::MAX)),
                Value::Simple(_) => Seen::Done,
                other => return Err(std::io::Error::other(format!("{op:?}: {other:?}"))),
            };
            history.push(Single { key, op, seen, began, ended: Instant::now() });
        }
    }
    Ok(history)
}

fn check_singles(history: Vec<Single>, workers: &str, outcome: &mut Outcome) {
    outcome.count("operations on single keys", history.len() as u64);
    let mut by_key: Vec<Vec<search::Event>> = (0..KEYS).map(|_| Vec::new()).collect();
    for single in history {
        by_key[single.key].push(search::Event {
            op: single.op,
            seen: single.seen,
            began: single.began,
            ended: single.ended,
        });
    }
    for (key, events) in by_key.into_iter().enumerate() {
        if let Err(why) = search::check(events) {
            outcome.fail(format!("{workers} workers, key {key} is not linearizable: {why}"));
        }
    }
}

/// Transactions over lists, and pairs that are always set together.
fn transactions(
    mut client: Client,
    mut dice: Dice,
    unique: &AtomicU64,
    count: usize,
) -> std::io::Result<Vec<Transaction>> {
    let mut history = Vec::with_capacity(count);
    for _ in 0..count {
        let mut words: Vec<Vec<String>> = Vec::new();
        let mut planned = Vec::new();
        for _ in 0..dice.between(1, 4) {
            let list = dice.below(LISTS);
            let name = format!("list:{list}");
            if dice.one_in(2) {
                let value = unique.fetch_add(1, Ordering::Relaxed);
                words.push(vec!["RPUSH".into(), name, value.to_string()]);
                planned.push(Access::Push(list, value));
            } else {
                words.push(vec!["LRANGE".into(), name, "0".into(), "-1".into()]);
                planned.push(Access::Read(list, Vec::new()));
            }
        }
        let pair = dice.one_in(3);
        let value = unique.fetch_add(1, Ordering::Relaxed).to_string();
        words.push(if pair {
            vec!["MSET".into(), "left".into(), value.clone(), "right".into(), value]
        } else {
            vec!["MGET".into(), "left".into(), "right".into()]
        });
        let by_script = dice.one_in(4);
        let bytes = match by_script {
            true => encode(&script::of(&words)),
            false => {
                words.insert(0, vec!["MULTI".into()]);
                words.push(vec!["EXEC".into()]);
                words.iter().flat_map(|words| encode(words)).collect()
            }
        };
        let began = Instant::now();
        client.send_raw(&bytes)?;
        for _ in 1..if by_script { 1 } else { words.len() } {
            client.read()?;
        }
        let reply = client.read()?;
        let ended = Instant::now();
        let replies = reply.items();
        if replies.len() != planned.len() + 1 {
            return Err(std::io::Error::other(format!("EXEC: {}", reply.render())));
        }
        for (access, reply) in planned.iter_mut().zip(&replies) {
            if let Access::Read(_, values) = access {
                *values = reply.items().iter().map(|v| v.text().parse().unwrap_or(u64::MAX)).collect();
            }
        }
        if !pair {
            let halves = replies[planned.len()].items();
            if halves.len() != 2 || halves[0] != halves[1] {
                return Err(std::io::Error::other(format!("a pair set together is torn: {halves:?}")));
            }
        }
        history.push(Transaction { accesses: planned, began, ended });
    }
    Ok(history)
}

fn check_transactions(history: Vec<Transaction>, workers: &str, outcome: &mut Outcome) {
    outcome.count("transactions", history.len() as u64);
    if let Err(why) = graph::check(&history) {
        outcome.fail(format!("{workers} workers, transactions are not serializable: {why}"));
    }
}
