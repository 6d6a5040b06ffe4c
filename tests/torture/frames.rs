//! So many requests, so many replies: pipelines of commands that are right, wrong and full of bytes that could be taken for the
//! protocol, each followed by a question whose answer is known.
//!
//! A reply too many or too few, as by a line end that a client has smuggled into an error, shows in the last answer; a line end
//! or a zero in an error shows by itself.

use super::dice::Dice;
use super::grammar::Grammar;
use super::process::{Process, scratch};
use super::report::{Order, Outcome};
use super::support::client::{Client, Value, encode};

/// Requests of one pipeline, at most.
const REQUESTS_MAX: usize = 1000;
/// Pipelines of one connection.
const PIPELINES: usize = 20;

/// What a reply could be forged with.
const FORGERIES: &[&[u8]] = &[
    b"\r\n+OK\r\n",
    b"\r\n-ERR forged\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"x\r\n$3\r\nabc\r\n",
    b"\xff\xfe\r\n:1",
    b"'\"\\",
    b"%s%n",
    b"",
];

/// Requests whose words, or pieces of them, come back in a reply. `?` stands for a forgery.
const ECHOES: &[&[&str]] = &[
    &["?"],
    &["?", "?"],
    &["ECHO", "?"],
    &["PING", "?"],
    &["CONFIG", "?"],
    &["CONFIG", "GET", "?"],
    &["CONFIG", "SET", "?", "?"],
    &["CONFIG", "SET", "appendfsync", "?"],
    &["CLIENT", "?"],
    &["CLIENT", "SETNAME", "?"],
    &["CLIENT", "KILL", "?"],
    &["CLIENT", "KILL", "ID", "?"],
    &["COMMAND", "DOCS", "?"],
    &["COMMAND", "INFO", "?"],
    &["COMMAND", "GETKEYS", "?", "?"],
    &["OBJECT", "?", "?"],
    &["SELECT", "?"],
    &["HELLO", "?"],
    &["AUTH", "?"],
    &["RESTORE", "restored", "0", "?"],
    &["SET", "key", "value", "?"],
    &["XADD", "stream", "?", "a", "b"],
    &["EVAL", "return redis.error_reply(ARGV[1])", "0", "?"],
    &["EVAL", "return redis.status_reply(ARGV[1])", "0", "?"],
    &["EVAL", "return {err = ARGV[1]}", "0", "?"],
    &["EVAL", "return {ok = ARGV[1]}", "0", "?"],
    &["EVAL", "error(ARGV[1])", "0", "?"],
    &["EVAL", "return redis.call(ARGV[1])", "0", "?"],
    &["EVAL", "return redis.call('set', 'k', 'v', ARGV[1])", "0", "?"],
    &["EVAL", "?", "0"],
    &["EVALSHA", "?", "0"],
    &["SCRIPT", "?"],
    &["SCRIPT", "LOAD", "?"],
    &["DEBUG", "?"],
    &["INFO", "?"],
    &["LATENCY", "?", "?"],
    &["MEMORY", "?"],
];

pub(crate) fn run(order: &Order) -> Outcome {
    let mut outcome = Outcome::default();
    let home = scratch();
    let (dir, output) = (home.path().join("data"), home.path().join("output"));
    std::fs::create_dir(&dir).expect("a directory");
    let mut server = match Process::start(&order.target, &dir, &output, &["--appendfsync", "no"]) {
        Ok(server) => server,
        Err(refused) => {
            outcome.fail(refused.to_string());
            return outcome;
        }
    };
    let grammar = Grammar::learn(&mut server.client()).expect("what the server says of its commands");
    let mut dice = Dice::new(order.seed);
    while !order.is_over() && server.is_alive() {
        if let Err(why) = one_connection(order, server.client(), &grammar, &mut dice, &mut outcome) {
            outcome.fail(why);
        }
    }
    if !server.is_alive() {
        outcome.fail("the server has ended");
    }
    outcome.require("pipelines", 3);
    outcome
}

fn one_connection(
    order: &Order,
    mut client: Client,
    grammar: &Grammar,
    dice: &mut Dice,
    outcome: &mut Outcome,
) -> Result<(), String> {
    if dice.one_in(2) {
        client.try_call(&["HELLO", "3"]).map_err(|e| e.to_string())?;
    }
    for _ in 0..PIPELINES {
        if order.is_over() {
            break;
        }
        let wanted = dice.between(1, REQUESTS_MAX);
        let (mut bytes, mut count) = (Vec::new(), 0u64);
        while count < wanted as u64 {
            for words in requests(grammar, dice) {
                bytes.extend_from_slice(&encode(&words));
                count += 1;
            }
        }
        let question = format!("question {}", dice.next());
        bytes.extend_from_slice(&encode(&["ECHO", &question]));
        client.send_raw(&bytes).map_err(|e| e.to_string())?;
        for _ in 0..count {
            let reply = client.read().map_err(|e| format!("no reply where there should be one: {e}"))?;
            outcome.count("errors", u64::from(reply.error().is_some()));
            if has_broken_error(&reply) {
                return Err(format!("an error with a line end or a zero in it: {reply:?}"));
            }
        }
        let last = client.read().map_err(|e| e.to_string())?;
        if last.text() != question {
            return Err(format!("after {count} requests the answer to {question:?} is {last:?}"));
        }
        outcome.count("requests", count);
        outcome.count("pipelines", 1);
    }
    Ok(())
}

/// A few requests that belong together, now and then with a word that is none.
fn requests(grammar: &Grammar, dice: &mut Dice) -> Vec<Vec<Vec<u8>>> {
    if dice.one_in(2) {
        let words = dice.pick(ECHOES).iter();
        return vec![
            words.map(|word| if *word == "?" { forged(dice) } else { word.as_bytes().to_vec() }).collect(),
        ];
    }
    let mut unit: Vec<Vec<Vec<u8>>> = grammar
        .unit(dice)
        .into_iter()
        .map(|words| words.into_iter().map(String::into_bytes).collect())
        .collect();
    for words in &mut unit {
        // The names stay: what may wait stands between MULTI and EXEC.
        if words.len() > 1 && dice.one_in(3) {
            let at = dice.between(1, words.len() - 1);
            words[at] = forged(dice);
        }
    }
    unit
}

fn forged(dice: &mut Dice) -> Vec<u8> {
    let mut word = dice.pick(&["", "a", "get", "help", "set"]).as_bytes().to_vec();
    for _ in 0..dice.between(1, 3) {
        word.extend_from_slice(dice.pick::<&[u8]>(FORGERIES));
    }
    word
}

fn has_broken_error(reply: &Value) -> bool {
    match reply {
        Value::Error(text) => text.contains(['\r', '\n', '\0']),
        _ => reply.items().iter().any(has_broken_error),
    }
}
