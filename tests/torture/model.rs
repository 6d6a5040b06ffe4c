//! What a writer believes its keys to hold: a naive store of its own, held against the server after every crash.
//!
//! A writer's keys are its own, and its units go over one connection. So whatever a crash took, the keys must look as they
//! did after *some* number of its units: at least those that were acknowledged, at most those that were sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::dice::Dice;
use super::support::client::{Client, Value, encode};

/// One command, as words.
pub(crate) type Words = Vec<Vec<u8>>;

/// The keys of one writer.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Model {
    texts: [Option<Vec<u8>>; 2],
    deadline: Option<i64>,
    counter: i64,
    lists: [VecDeque<Vec<u8>>; 2],
    hash: BTreeMap<Vec<u8>, Vec<u8>>,
    sets: [BTreeSet<Vec<u8>>; 2],
    scores: BTreeMap<Vec<u8>, i64>,
}

/// Something that changes a writer's keys.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Set(usize, Vec<u8>),
    SetUntil(usize, Vec<u8>, i64),
    Append(usize, Vec<u8>),
    Rename,
    DelText(usize),
    Count(i64),
    Push(usize, bool, Vec<u8>),
    Pop(usize, bool),
    Trim(usize),
    Move,
    Field(Vec<u8>, Vec<u8>),
    DelField(Vec<u8>),
    Add(usize, Vec<u8>),
    Remove(usize, Vec<u8>),
    MoveMember(Vec<u8>),
    Score(Vec<u8>, i64),
    AddScore(Vec<u8>, i64),
    DelScore(Vec<u8>),
}

/// What a look at a writer's keys asks for, in the order that [`Model::updated`] knows.
const ASKS: [&str; 10] = [
    "GET s0",
    "GET s1",
    "PEXPIRETIME s0",
    "GET c",
    "LRANGE l0 0 -1",
    "LRANGE l1 0 -1",
    "HGETALL h",
    "SMEMBERS t0",
    "SMEMBERS t1",
    "ZRANGE z 0 -1 WITHSCORES",
];

/// Longer lists are trimmed, so that a check stays cheap.
const LIST_MAX: usize = 48;

fn word(text: impl AsRef<[u8]>) -> Vec<u8> {
    text.as_ref().to_vec()
}

impl Change {
    /// Throws one. `tag` is in every value, so that no two values are alike.
    pub(crate) fn throw(dice: &mut Dice, tag: &str) -> Change {
        let which = dice.below(2);
        let small = |dice: &mut Dice| format!("m{}", dice.below(12)).into_bytes();
        let value = |dice: &mut Dice| {
            let mut value = format!("{tag}:").into_bytes();
            let padding = match dice.below(300) {
                0 => 60_000,
                1..30 => 1_000,
                _ => dice.below(24),
            };
            value.resize(value.len() + padding, b'.');
            value
        };
        match dice.below(20) {
            0..3 => Change::Set(which, value(dice)),
            3 => Change::SetUntil(which, value(dice), 4_000_000_000_000 + dice.below(1_000_000) as i64),
            4 => Change::Append(which, word(tag)),
            5 => Change::Rename,
            6 => Change::DelText(which),
            7 | 8 => Change::Count(dice.below(100) as i64 - 30),
            9 | 10 => Change::Push(which, dice.one_in(2), value(dice)),
            11 => Change::Pop(which, dice.one_in(2)),
            12 => Change::Trim(which),
            13 => Change::Move,
            14 => Change::Field(small(dice), word(tag)),
            15 => Change::DelField(small(dice)),
            16 => Change::Add(which, small(dice)),
            17 => Change::Remove(which, small(dice)),
            18 if which == 0 => Change::MoveMember(small(dice)),
            18 => Change::DelScore(small(dice)),
            _ if which == 0 => Change::Score(small(dice), dice.below(1000) as i64),
            _ => Change::AddScore(small(dice), dice.below(9) as i64 + 1),
        }
    }

    /// The command of a writer whose keys begin with `own`.
    pub(crate) fn words(&self, own: &str) -> Words {
        let key = |name: &str| format!("{own}:{name}");
        let nth = |name: &str, which: &usize| format!("{own}:{name}{which}");
        let text = |parts: &[&[u8]]| parts.iter().map(|part| part.to_vec()).collect::<Words>();
        match self {
            Change::Set(which, value) => text(&[b"SET", nth("s", which).as_bytes(), value]),
            Change::SetUntil(which, value, at) => {
                text(&[b"SET", nth("s", which).as_bytes(), value, b"PXAT", at.to_string().as_bytes()])
            }
            Change::Append(which, value) => text(&[b"APPEND", nth("s", which).as_bytes(), value]),
            // COPY of a key that is not there is answered with 0; RENAME with an error.
            Change::Rename => text(&[b"COPY", key("s0").as_bytes(), key("s1").as_bytes(), b"REPLACE"]),
            Change::DelText(which) => text(&[b"DEL", nth("s", which).as_bytes()]),
            Change::Count(by) => text(&[b"INCRBY", key("c").as_bytes(), by.to_string().as_bytes()]),
            Change::Push(which, left, value) => {
                text(&[if *left { b"LPUSH" } else { b"RPUSH" }, nth("l", which).as_bytes(), value])
            }
            Change::Pop(which, left) => {
                text(&[if *left { b"LPOP" } else { b"RPOP" }, nth("l", which).as_bytes()])
            }
            Change::Trim(which) => {
                text(&[b"LTRIM", nth("l", which).as_bytes(), b"0", (LIST_MAX - 1).to_string().as_bytes()])
            }
            Change::Move => text(&[b"LMOVE", key("l0").as_bytes(), key("l1").as_bytes(), b"LEFT", b"RIGHT"]),
            Change::Field(field, value) => text(&[b"HSET", key("h").as_bytes(), field, value]),
            Change::DelField(field) => text(&[b"HDEL", key("h").as_bytes(), field]),
            Change::Add(which, member) => text(&[b"SADD", nth("t", which).as_bytes(), member]),
            Change::Remove(which, member) => text(&[b"SREM", nth("t", which).as_bytes(), member]),
            Change::MoveMember(member) => {
                text(&[b"SMOVE", key("t0").as_bytes(), key("t1").as_bytes(), member])
            }
            Change::Score(member, score) => {
                text(&[b"ZADD", key("z").as_bytes(), score.to_string().as_bytes(), member])
            }
            Change::AddScore(member, by) => {
                text(&[b"ZINCRBY", key("z").as_bytes(), by.to_string().as_bytes(), member])
            }
            Change::DelScore(member) => text(&[b"ZREM", key("z").as_bytes(), member]),
        }
    }
}

impl Model {
    pub(crate) fn apply(&mut self, change: &Change) {
        match change.clone() {
            Change::Set(which, value) => self.set(which, Some(value), None),
            Change::SetUntil(which, value, at) => self.set(which, Some(value), Some(at)),
            Change::Append(which, value) => {
                self.texts[which].get_or_insert_default().extend_from_slice(&value)
            }
            Change::Rename => {
                if let Some(value) = self.texts[0].clone() {
                    self.texts[1] = Some(value);
                }
            }
            Change::DelText(which) => self.set(which, None, None),
            Change::Count(by) => self.counter += by,
            Change::Push(which, true, value) => self.lists[which].push_front(value),
            Change::Push(which, false, value) => self.lists[which].push_back(value),
            Change::Pop(which, true) => drop(self.lists[which].pop_front()),
            Change::Pop(which, false) => drop(self.lists[which].pop_back()),
            Change::Trim(which) => self.lists[which].truncate(LIST_MAX),
            Change::Move => {
                if let Some(value) = self.lists[0].pop_front() {
                    self.lists[1].push_back(value);
                }
            }
            Change::Field(field, value) => drop(self.hash.insert(field, value)),
            Change::DelField(field) => drop(self.hash.remove(&field)),
            Change::Add(which, member) => drop(self.sets[which].insert(member)),
            Change::Remove(which, member) => drop(self.sets[which].remove(&member)),
            Change::MoveMember(member) => {
                if self.sets[0].remove(&member) {
                    self.sets[1].insert(member);
                }
            }
            Change::Score(member, score) => drop(self.scores.insert(member, score)),
            Change::AddScore(member, by) => *self.scores.entry(member).or_default() += by,
            Change::DelScore(member) => drop(self.scores.remove(&member)),
        }
    }

    /// Only the second text's deadline is watched: the first is copied onto it, deadline and all, so both would need one.
    fn set(&mut self, which: usize, value: Option<Vec<u8>>, deadline: Option<i64>) {
        self.texts[which] = value;
        if which == 0 {
            self.deadline = deadline;
        }
    }

    /// What the server holds for this writer.
    pub(crate) fn read(client: &mut Client, own: &str) -> std::io::Result<Model> {
        let replies = Model::ask(client, own)?;
        match replies.iter().find_map(Value::error) {
            Some(error) => Err(std::io::Error::other(error.to_owned())),
            None => Ok(Model::default().updated(&replies)),
        }
    }

    /// Asks for everything a writer has, in one pipeline; the replies, refusals among them.
    pub(crate) fn ask(client: &mut Client, own: &str) -> std::io::Result<Vec<Value>> {
        let asks = ASKS.iter().map(|ask| {
            let mut words: Vec<String> = ask.split(' ').map(str::to_owned).collect();
            words[1] = format!("{own}:{}", words[1]);
            encode(&words)
        });
        client.send_raw(&asks.flatten().collect::<Vec<u8>>())?;
        ASKS.iter().map(|_| client.read()).collect()
    }

    /// This model with what was replied to [`Model::ask`] in its place; what was refused stays as it is.
    pub(crate) fn updated(&self, replies: &[Value]) -> Model {
        let text = |reply: &Value| match reply {
            Value::Bulk(bytes) => Some(bytes.clone()),
            _ => None,
        };
        let items = |reply: &Value| -> Vec<Vec<u8>> { reply.items().iter().filter_map(text).collect() };
        let pairs = |reply: &Value| -> Vec<(Vec<u8>, Vec<u8>)> {
            items(reply).chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
        };
        let number = |bytes: &[u8]| String::from_utf8_lossy(bytes).parse::<i64>().unwrap_or(i64::MIN);
        let mut model = self.clone();
        for (at, reply) in replies.iter().enumerate().filter(|(_, reply)| reply.error().is_none()) {
            match at {
                0 | 1 => model.texts[at] = text(reply),
                2 => {
                    model.deadline = match reply {
                        Value::Int(at) if *at > 0 => Some(*at),
                        _ => None,
                    }
                }
                3 => model.counter = text(reply).map_or(0, |bytes| number(&bytes)),
                4 | 5 => model.lists[at - 4] = items(reply).into(),
                6 => model.hash = pairs(reply).into_iter().collect(),
                7 | 8 => model.sets[at - 7] = items(reply).into_iter().collect(),
                _ => {
                    let scores = pairs(reply).into_iter().map(|(member, score)| (member, number(&score)));
                    model.scores = scores.collect();
                }
            }
        }
        model
    }

    /// Where two differ, in few words.
    pub(crate) fn difference(&self, other: &Model) -> String {
        let mut parts = Vec::new();
        let mut note = |name: &str, same: bool| {
            if !same {
                parts.push(name.to_owned());
            }
        };
        note("first text", self.texts[0] == other.texts[0]);
        note("second text", self.texts[1] == other.texts[1]);
        note("deadline", self.deadline == other.deadline);
        note(&format!("counter {} / {}", self.counter, other.counter), self.counter == other.counter);
        note("first list", self.lists[0] == other.lists[0]);
        note("second list", self.lists[1] == other.lists[1]);
        note("hash", self.hash == other.hash);
        note("first set", self.sets[0] == other.sets[0]);
        note("second set", self.sets[1] == other.sets[1]);
        note("scores", self.scores == other.scores);
        parts.join(", ")
    }
}
