//! Histories made by hand, for the checkers: twenty that look odd and are right, twenty that are wrong.
//!
//! ```text
//! key      began-ended operation reply, …           times are milliseconds
//! lists    began-ended +list.value ?list.value.value…, …   `+` pushes, `?` reads
//! ```

use std::time::{Duration, Instant};

use super::graph::{self, Access, Transaction};
use super::search::{self, Event, Op, Seen};
use crate::report::Outcome;

const RIGHT_KEYS: &[&str] = &[
    "",
    "0-1 get nil",
    "0-9 set.1 ok, 1-2 get nil",
    "0-9 set.1 ok, 1-2 get 1",
    // Two writes at once: readers may see them in either order, but all in the same.
    "0-9 set.1 ok, 0-9 set.2 ok, 3-4 get 2, 5-6 get 1",
    "0-9 set.1 ok, 0-9 set.2 ok, 10-11 get 1",
    "0-9 incr 2, 1-8 incr 1, 10-11 get 2",
    "0-1 set.7 ok, 2-9 getdel 7, 3-4 get 7, 5-6 get nil",
    "0-9 setnx.1 0, 1-2 set.5 ok",
    "0-9 setnx.1 1, 0-9 setnx.2 0, 10-11 get 1",
    "0-9 getset.1 2, 0-9 getset.2 1, 0-9 set.1 ok, 10-11 get 1",
    "0-2 set.1 ok, 1-4 get nil, 3-5 get 1",
    // The reader that is slow may have read before or after everybody else.
    "0-20 get 3, 1-2 set.1 ok, 3-4 set.2 ok, 5-6 set.3 ok, 7-8 set.4 ok",
];
const WRONG_KEYS: &[&str] = &[
    "0-1 get 5",
    "0-1 set.1 ok, 2-3 get nil",
    "0-1 set.1 ok, 2-3 set.2 ok, 4-5 get 1",
    // Once a value has been seen it stays until another is written.
    "0-9 set.1 ok, 1-2 get 1, 3-4 get nil",
    "0-9 set.1 ok, 0-9 set.2 ok, 10-11 get 1, 12-13 get 2",
    "0-9 set.1 ok, 0-9 set.2 ok, 1-2 get 1, 3-4 get 2, 5-6 get 1",
    "0-1 incr 1, 2-3 incr 1",
    "0-9 incr 1, 0-9 incr 1",
    "0-1 incr 2",
    "0-1 set.1 ok, 2-9 getdel 1, 2-9 getdel 1",
    "0-9 setnx.1 1, 0-9 setnx.2 1",
    "0-1 set.1 ok, 2-3 setnx.2 1",
    "0-1 getset.1 nil, 2-3 getset.2 nil",
];
const RIGHT_LISTS: &[&str] = &[
    "0-9 +1.1, 1-2 ?1",
    "0-9 +1.1, 1-2 ?1.1",
    "0-9 +1.1 +2.2, 1-2 ?1.1 ?2.2, 0-9 ?1 ?2",
    "0-9 +1.1 ?2, 0-9 +2.2 ?1.1",
    "0-1 +1.1 ?1.1 +1.2 ?1.1.2",
    "0-9 +1.1, 0-9 +1.2, 10-11 ?1.2.1",
    "0-9 +1.1, 0-9 +2.2, 1-2 ?1.1 ?2, 3-4 ?1.1 ?2.2",
];
const WRONG_LISTS: &[&str] = &[
    "0-1 +1.1, 2-3 ?1",
    "0-1 +1.1, 2-3 +1.2, 4-5 ?1.2.1",
    // Half a transaction.
    "0-9 +1.1 +2.2, 1-2 ?1.1 ?2",
    // Each saw the lists as they were before the other.
    "0-9 +1.1 ?2, 0-9 +2.2 ?1",
    // Two readers see two writers in opposite orders.
    "0-9 +1.1, 0-9 +2.2, 1-8 ?1.1 ?2, 1-8 ?1 ?2.2",
    "0-9 +1.1, 0-9 +1.2, 10-11 ?1.1.2, 12-13 ?1.2.1",
    "0-1 +1.1 ?1",
];

/// Both checkers must accept what is right and refuse what is wrong.
pub(super) fn check(outcome: &mut Outcome) {
    let zero = Instant::now();
    let key = |text: &str| search::check(parse(text).map(|words| event(&words, zero)).collect());
    let lists = |text: &str| {
        let history: Vec<Transaction> = parse(text).map(|words| transaction(&words, zero)).collect();
        graph::check(&history)
    };
    for (right, texts) in [(true, RIGHT_KEYS), (false, WRONG_KEYS)] {
        texts.iter().for_each(|text| judge(right, text, key(text), outcome));
    }
    for (right, texts) in [(true, RIGHT_LISTS), (false, WRONG_LISTS)] {
        texts.iter().for_each(|text| judge(right, text, lists(text), outcome));
    }
}

fn judge(right: bool, text: &str, verdict: Result<(), String>, outcome: &mut Outcome) {
    match (right, verdict) {
        (true, Ok(())) => outcome.count("right histories accepted", 1),
        (false, Err(_)) => outcome.count("wrong histories refused", 1),
        (true, Err(why)) => outcome.fail(format!("the checker refuses what is right: {text}: {why}")),
        (false, Ok(())) => outcome.fail(format!("the checker accepts what is wrong: {text}")),
    }
}

fn parse(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.split(", ").filter(|part| !part.is_empty()).map(|part| part.split(' ').collect())
}

fn times(text: &str, zero: Instant) -> (Instant, Instant) {
    let (began, ended) = text.split_once('-').expect("two times");
    let at = |text: &str| zero + Duration::from_millis(text.parse().expect("a time"));
    (at(began), at(ended))
}

fn event(words: &[&str], zero: Instant) -> Event {
    let (began, ended) = times(words[0], zero);
    let (name, value) = words[1].split_once('.').unwrap_or((words[1], "0"));
    let value = value.parse().expect("a value");
    let op = match name {
        "get" => Op::Get,
        "set" => Op::Set(value),
        "getset" => Op::GetSet(value),
        "getdel" => Op::GetDel,
        "setnx" => Op::SetIfAbsent(value),
        "incr" => Op::Incr,
        _ => panic!("no operation: {name}"),
    };
    let seen = match words[2] {
        "nil" => Seen::Nothing,
        "ok" => Seen::Done,
        number => Seen::Number(number.parse().expect("a number")),
    };
    Event { op, seen, began, ended }
}

fn transaction(words: &[&str], zero: Instant) -> Transaction {
    let (began, ended) = times(words[0], zero);
    let access = |word: &&str| {
        let mut numbers = word[1..].split('.').map(|n| n.parse::<u64>().expect("a number"));
        let list = numbers.next().expect("a list") as usize;
        if word.starts_with('+') {
            Access::Push(list, numbers.next().expect("a value"))
        } else {
            Access::Read(list, numbers.collect())
        }
    };
    Transaction { accesses: words[1..].iter().map(access).collect(), began, ended }
}
