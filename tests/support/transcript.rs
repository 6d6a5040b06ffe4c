//! Transcripts: commands and the replies they must get, as text; each file documents a command and tests it.
//!
//! ```text
//! # A comment, up to the end of the line.
//! > HSET h field "a b\x00"                    a request, in redis-cli's quoting
//! (integer) 1                                 the reply, as redis-cli prints it on a terminal
//!
//! > HGETALL h
//! 1) "field"                                  in RESP2 …
//! 2) "a b\x00"
//! 3> 1# "field" => "a b\x00"                  … and in RESP3, where that has another shape
//!
//! > INFO server
//! ~ (?s)".*redis_version:.*"                  a regular expression for the whole reply
//!
//! >                                           sends nothing: reads one more reply or message
//! 1) "message"
//!
//! > CLIENT REPLY OFF
//! (no reply)                                  and none is read
//!
//! @ sleep 20                                  milliseconds
//! @ blocked                                   until the server shows this connection as one that waits
//! @ client other                              from here on another connection, made when first named; "main" is the first
//! @ skip restart|rewrite the key expires      these roads end here, for that reason
//! ```
//!
//! A road is a way to run the same file: see [`Road`]. Each file starts with no keys, in database 0.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use regex::Regex;

use super::client::{Client, REPLY_TIMEOUT, Value};

/// After this many wrong replies the rest of a file says nothing new.
const FAILURES_MAX: usize = 5;

/// Never sent within MULTI by the runner: what opens, closes or changes the connection's state, and what has several replies.
const NOT_IN_MULTI: &[&str] = &[
    "MULTI",
    "EXEC",
    "DISCARD",
    "WATCH",
    "HELLO",
    "AUTH",
    "RESET",
    "QUIT",
    "MONITOR",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "PSUBSCRIBE",
    "PUNSUBSCRIBE",
    "SSUBSCRIBE",
    "SUNSUBSCRIBE",
    "SHUTDOWN",
];

/// The ways to run a transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Road {
    /// As it stands.
    Resp2,
    /// After HELLO 3.
    Resp3,
    /// Each step alone between MULTI and EXEC.
    Multi,
    /// Then kill -9 and a start on the same directory: the data must be the same.
    Restart,
    /// The same with a BGREWRITEAOF in the middle and one at the end.
    Rewrite,
    /// As it stands, on a real redis-server.
    Redis,
}

impl Road {
    const ALL: [Road; 6] = [Road::Resp2, Road::Resp3, Road::Multi, Road::Restart, Road::Rewrite, Road::Redis];

    fn parse(word: &str) -> Option<Road> {
        Road::ALL.into_iter().find(|road| road.to_string() == word)
    }
}

impl fmt::Display for Road {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Road::Resp2 => "resp2",
            Road::Resp3 => "resp3",
            Road::Multi => "multi",
            Road::Restart => "restart",
            Road::Rewrite => "rewrite",
            Road::Redis => "redis",
        })
    }
}

/// A parsed file.
#[derive(Debug)]
pub(crate) struct Transcript {
    name: String,
    items: Vec<Item>,
}

#[derive(Debug)]
enum Item {
    Step(Step),
    Sleep(Duration),
    Blocked,
    Client(String),
    Skip(Vec<Road>),
}

#[derive(Debug)]
struct Step {
    line: usize,
    /// The request as written.
    text: String,
    words: Vec<Vec<u8>>,
    resp2: Expected,
    resp3: Option<Expected>,
}

#[derive(Debug)]
enum Expected {
    Text(String),
    Pattern(Regex),
    Nothing,
}

impl Transcript {
    /// Parses a file's text. `name` is what failures call it. The error names the line.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Transcript, String> {
        let mut items = Vec::new();
        let mut draft: Option<Draft> = None;
        for (at, line) in text.lines().enumerate() {
            let number = at + 1;
            let fail = |why: &str| format!("{name}:{number}: {why}");
            if line.starts_with('#') {
                continue;
            }
            let starts_item =
                line.is_empty() || line.starts_with('@') || line == ">" || line.starts_with("> ");
            if starts_item && let Some(draft) = draft.take() {
                items.push(Item::Step(draft.finish(name)?));
            }
            if line.is_empty() {
            } else if let Some(directive) = line.strip_prefix('@') {
                items.push(parse_directive(directive.trim()).map_err(|why| fail(&why))?);
            } else if line == ">" || line.starts_with("> ") {
                draft = Some(Draft::new(number, line[1..].trim()));
            } else {
                draft.as_mut().ok_or_else(|| fail("a reply without a request before it"))?.add(line);
            }
        }
        if let Some(draft) = draft.take() {
            items.push(Item::Step(draft.finish(name)?));
        }
        if !items.iter().any(|item| matches!(item, Item::Step(_))) {
            return Err(format!("{name}: no step in it"));
        }
        Ok(Transcript { name: name.to_owned(), items })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs the file on fresh connections made by `connect`, up to where `road` is skipped. `halfway` is called before the
    /// step in the middle. Returns what was wrong, one text for each step.
    pub(crate) fn run(
        &self,
        road: Road,
        connect: &mut dyn FnMut() -> io::Result<Client>,
        halfway: &mut dyn FnMut(),
    ) -> Vec<String> {
        let skips = |item: &Item| matches!(item, Item::Skip(roads) if roads.contains(&road));
        let end = self.items.iter().position(skips).unwrap_or(self.items.len());
        let mut failures = Vec::new();
        let mut talks: HashMap<&str, Talk> = HashMap::new();
        let mut who = "main";
        for (at, item) in self.items[..end].iter().enumerate() {
            if at == end / 2 {
                halfway();
            }
            match item {
                Item::Skip(_) => {}
                Item::Sleep(time) => std::thread::sleep(*time),
                Item::Blocked => {
                    let outcome = match talks.get(who) {
                        Some(talk) => connect().and_then(|client| talk.await_blocked(client)),
                        None => Err(io::Error::other("there is no such connection yet")),
                    };
                    if let Err(error) = outcome {
                        failures.push(format!("{} [{road}] @ blocked, {who}: {error}", self.name));
                        break;
                    }
                }
                Item::Client(name) => who = name,
                Item::Step(step) => {
                    let outcome = match talks.entry(who) {
                        std::collections::hash_map::Entry::Occupied(talk) => Ok(talk.into_mut()),
                        std::collections::hash_map::Entry::Vacant(place) => {
                            Talk::open(road, connect).map(|talk| place.insert(talk))
                        }
                    };
                    match outcome.and_then(|talk| talk.step(step, road)) {
                        Ok(None) => {}
                        Ok(Some(got)) => failures.push(step.failure(&self.name, road, &got)),
                        Err(error) => {
                            failures.push(step.failure(&self.name, road, &format!("no reply: {error}")));
                            break;
                        }
                    }
                    if failures.len() == FAILURES_MAX {
                        break;
                    }
                }
            }
        }
        failures
    }
}

impl Step {
    fn expected(&self, road: Road) -> &Expected {
        match &self.resp3 {
            Some(expected) if road == Road::Resp3 => expected,
            _ => &self.resp2,
        }
    }

    fn failure(&self, name: &str, road: Road, got: &str) -> String {
        let indent = |text: &str| text.lines().map(|line| format!("\n      {line}")).collect::<String>();
        let expected = match self.expected(road) {
            Expected::Text(text) => text.clone(),
            Expected::Pattern(pattern) => format!("~ {pattern}"),
            Expected::Nothing => "(no reply)".to_owned(),
        };
        format!(
            "{name}:{} [{road}]\n    > {}\n    expected:{}\n    got:{}",
            self.line,
            self.text,
            indent(&expected),
            indent(got)
        )
    }
}

/// A step whose reply is still being read.
struct Draft {
    line: usize,
    text: String,
    resp2: Vec<String>,
    resp3: Option<Vec<String>>,
}

impl Draft {
    fn new(line: usize, text: &str) -> Draft {
        Draft { line, text: text.to_owned(), resp2: Vec::new(), resp3: None }
    }

    fn add(&mut self, line: &str) {
        if let Some(first) = line.strip_prefix("3>") {
            let first = first.strip_prefix(' ').unwrap_or(first);
            let lines = self.resp3.get_or_insert_default();
            if !first.is_empty() {
                lines.push(first.to_owned());
            }
        } else {
            self.resp3.as_mut().unwrap_or(&mut self.resp2).push(line.to_owned());
        }
    }

    fn finish(self, name: &str) -> Result<Step, String> {
        let fail = |why: &str| format!("{name}:{}: {why}", self.line);
        let words = split_words(&self.text).map_err(fail)?;
        let resp2 = parse_expected(&self.resp2).map_err(|why| fail(&why))?;
        let resp3 = match &self.resp3 {
            Some(lines) => Some(parse_expected(lines).map_err(|why| fail(&why))?),
            None => None,
        };
        Ok(Step { line: self.line, text: self.text, words, resp2, resp3 })
    }
}

fn parse_expected(lines: &[String]) -> Result<Expected, String> {
    let Some(first) = lines.first() else {
        return Err("no reply is expected; say which, or (no reply)".into());
    };
    if first == "(no reply)" {
        return Ok(Expected::Nothing);
    }
    if !first.starts_with("~ ") {
        return Ok(Expected::Text(lines.join("\n")));
    }
    let lines: Vec<&str> = lines.iter().map(|line| line.strip_prefix("~ ").unwrap_or(line)).collect();
    let pattern = format!("\\A(?:{})\\z", lines.join("\n"));
    Ok(Expected::Pattern(Regex::new(&pattern).map_err(|error| error.to_string())?))
}

fn parse_directive(text: &str) -> Result<Item, String> {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    match verb {
        "sleep" => match rest.trim().parse() {
            Ok(ms) => Ok(Item::Sleep(Duration::from_millis(ms))),
            Err(_) => Err("@ sleep takes milliseconds".into()),
        },
        "blocked" if rest.is_empty() => Ok(Item::Blocked),
        "client" if !rest.is_empty() => Ok(Item::Client(rest.trim().to_owned())),
        "skip" => {
            let (roads, reason) = rest.split_once(' ').unwrap_or((rest, ""));
            if reason.trim().is_empty() {
                return Err("@ skip needs a reason".into());
            }
            let roads = roads.split('|').map(|word| Road::parse(word).ok_or(word));
            match roads.collect::<Result<_, _>>() {
                Ok(roads) => Ok(Item::Skip(roads)),
                Err(word) => Err(format!("there is no road {word}")),
            }
        }
        _ => Err(format!("unknown directive @ {text}")),
    }
}

/// Cuts a line into words as `redis-cli` does: "…" with escapes, '…' with `\'` only, and anything up to a space.
pub(crate) fn split_words(line: &str) -> Result<Vec<Vec<u8>>, &'static str> {
    let bytes = line.as_bytes();
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        if at == bytes.len() {
            return Ok(words);
        }
        let mut word = Vec::new();
        while let Some(&byte) = bytes.get(at).filter(|byte| !byte.is_ascii_whitespace()) {
            at += 1;
            if byte != b'"' && byte != b'\'' {
                word.push(byte);
                continue;
            }
            at = quoted_part(bytes, at, byte, &mut word)?;
            if bytes.get(at).is_some_and(|next| !next.is_ascii_whitespace()) {
                return Err("a space must follow a closing quote");
            }
        }
        words.push(word);
    }
}

/// Reads up to the closing `quote`; returns where the text goes on.
fn quoted_part(bytes: &[u8], mut at: usize, quote: u8, word: &mut Vec<u8>) -> Result<usize, &'static str> {
    loop {
        let byte = *bytes.get(at).ok_or("a quote is not closed")?;
        at += 1;
        match (byte, bytes.get(at)) {
            _ if byte == quote => return Ok(at),
            (b'\\', Some(b'\'')) if quote == b'\'' => {
                word.push(b'\'');
                at += 1;
            }
            (b'\\', Some(&escaped)) if quote == b'"' => {
                at += 1;
                let digits = bytes.get(at..at + 2).and_then(|two| std::str::from_utf8(two).ok());
                match (escaped, digits.and_then(|two| u8::from_str_radix(two, 16).ok())) {
                    (b'x', Some(value)) => {
                        word.push(value);
                        at += 2;
                    }
                    (b'n', _) => word.push(b'\n'),
                    (b'r', _) => word.push(b'\r'),
                    (b't', _) => word.push(b'\t'),
                    (b'b', _) => word.push(0x08),
                    (b'a', _) => word.push(0x07),
                    (other, _) => word.push(other),
                }
            }
            _ => word.push(byte),
        }
    }
}

/// One connection of a run, and what of its state the MULTI road must know.
struct Talk {
    client: Client,
    /// The transcript itself opened a transaction, or watches keys that an EXEC of ours would let go.
    in_transaction: bool,
}

impl Talk {
    fn open(road: Road, connect: &mut dyn FnMut() -> io::Result<Client>) -> io::Result<Talk> {
        let mut client = connect()?;
        if road == Road::Resp3 {
            let hello = client.try_call(&["HELLO", "3"])?;
            if hello.error().is_some() {
                return Err(io::Error::other(format!("HELLO 3 gave {}", hello.render())));
            }
        }
        Ok(Talk { client, in_transaction: false })
    }

    /// Comes back when the server shows this connection as one that waits, to `watcher`.
    fn await_blocked(&self, mut watcher: Client) -> io::Result<()> {
        let address = format!("addr={}", self.client.socket().local_addr()?);
        let is_blocked = |line: &str| {
            let mut fields = line.split(' ');
            fields.any(|field| field == address)
                && fields.any(|field| field.strip_prefix("flags=").is_some_and(|flags| flags.contains('b')))
        };
        let began = Instant::now();
        while !watcher.try_call(&["CLIENT", "LIST"])?.text().lines().any(is_blocked) {
            if began.elapsed() > REPLY_TIMEOUT {
                return Err(io::Error::other("it does not wait"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Runs a step; `Some` with what came if that is not what was expected.
    fn step(&mut self, step: &Step, road: Road) -> io::Result<Option<String>> {
        let expected = step.expected(road);
        let verb = step.words.first().map(|word| String::from_utf8_lossy(word).to_ascii_uppercase());
        let Some(verb) = verb else {
            return Ok(expected.check(&self.client.read()?));
        };
        if matches!(expected, Expected::Nothing) {
            self.client.send_raw(&super::client::encode(&step.words))?;
            return Ok(None);
        }
        let wrap = road == Road::Multi && !self.in_transaction && !NOT_IN_MULTI.contains(&verb.as_str());
        match verb.as_str() {
            "MULTI" | "WATCH" => self.in_transaction = true,
            "EXEC" | "DISCARD" | "UNWATCH" | "RESET" => self.in_transaction = false,
            _ => {}
        }
        if wrap {
            self.step_in_multi(step, expected)
        } else {
            Ok(expected.check(&self.client.try_call(&step.words)?))
        }
    }

    /// The step between MULTI and EXEC. What is refused when it is queued must be the refusal that was expected, and must
    /// make EXEC fail.
    fn step_in_multi(&mut self, step: &Step, expected: &Expected) -> io::Result<Option<String>> {
        let opened = self.client.try_call(&["MULTI"])?;
        let queued = self.client.try_call(&step.words)?;
        let done = self.client.try_call(&["EXEC"])?;
        let wrong = match (&queued, &done) {
            _ if opened != Value::Simple(b"OK".to_vec()) => Some(&opened),
            (Value::Error(_), Value::Error(abort)) if abort.starts_with("EXECABORT") => {
                return Ok(expected.check(&queued));
            }
            (Value::Simple(text), Value::Array(items)) if text == b"QUEUED" && items.len() == 1 => {
                return Ok(expected.check(&items[0]));
            }
            (Value::Simple(text), _) if text == b"QUEUED" => Some(&done),
            _ => Some(&queued),
        };
        Ok(wrong.map(|value| format!("{} (on the way through MULTI and EXEC)", value.render())))
    }
}

impl Expected {
    /// `None` if the reply is the expected one, else the reply as text.
    fn check(&self, value: &Value) -> Option<String> {
        let got = value.render();
        let right = match self {
            Expected::Text(text) => *text == got,
            Expected::Pattern(pattern) => pattern.is_match(&got),
            Expected::Nothing => false,
        };
        (!right).then_some(got)
    }
}
