//! Random commands, made from what the server itself says of its commands.
//!
//! COMMAND DOCS describes the arguments of every command, so a command that is new is part of the traffic without anybody
//! thinking of it. Numbers, names and keys come from small stocks, so that commands meet: keys are called after the group
//! whose type they mostly hold. Deadlines are far away or over, so that nothing lapses between two looks at the data.

use super::dice::Dice;
use super::support::client::{Client, Value};

/// What an argument may be.
struct Argument {
    name: String,
    kind: String,
    token: Option<String>,
    optional: bool,
    multiple: bool,
    repeats_token: bool,
    inner: Vec<Argument>,
}

struct Command {
    name: String,
    group: String,
    arguments: Vec<Argument>,
    /// It may wait, so it is used in transactions only.
    waits: bool,
}

/// All commands that change or read data.
pub(crate) struct Grammar {
    commands: Vec<Command>,
    groups: Vec<String>,
}

/// Groups that are not about data.
const OTHER_GROUPS: &[&str] =
    &["connection", "server", "pubsub", "transactions", "scripting", "cluster", "sentinel", "module"];
/// Commands that need a second server, or show nothing that could differ.
const LEFT_OUT: &[&str] =
    &["migrate", "wait", "waitaof", "restore", "restore-asking", "keys", "object", "pfdebug", "pfselftest"];
const KEYS_PER_GROUP: usize = 5;

/// The value of a field in a map, or in the flat list that RESP2 makes of it.
fn field(map: &Value, name: &str) -> Option<Value> {
    let items = map.items();
    items.chunks(2).find(|pair| pair[0].text() == name).and_then(|pair| pair.get(1).cloned())
}

fn text(map: &Value, name: &str) -> String {
    field(map, name).map_or(String::new(), |value| value.text())
}

impl Argument {
    fn of(value: &Value) -> Argument {
        let flags: Vec<String> =
            field(value, "flags").map_or(Vec::new(), |flags| flags.items().iter().map(Value::text).collect());
        let has = |flag: &str| flags.iter().any(|found| found == flag);
        Argument {
            name: text(value, "name"),
            kind: text(value, "type"),
            token: field(value, "token").map(|token| token.text()),
            optional: has("optional"),
            multiple: has("multiple"),
            repeats_token: has("multiple_token"),
            inner: arguments(value),
        }
    }

    fn waits(&self) -> bool {
        let own = self.name == "timeout" || self.token.as_deref() == Some("BLOCK");
        own || self.inner.iter().any(Argument::waits)
    }
}

fn arguments(value: &Value) -> Vec<Argument> {
    field(value, "arguments").map_or(Vec::new(), |list| list.items().iter().map(Argument::of).collect())
}

impl Grammar {
    /// Asks the server.
    pub(crate) fn learn(client: &mut Client) -> std::io::Result<Grammar> {
        let docs = client.try_call(&["COMMAND", "DOCS"])?.items();
        let mut commands = Vec::new();
        for pair in docs.chunks(2) {
            let (name, doc) = (pair[0].text(), &pair[1]);
            let group = text(doc, "group");
            if OTHER_GROUPS.contains(&group.as_str()) || LEFT_OUT.contains(&name.as_str()) {
                continue;
            }
            let arguments = arguments(doc);
            let waits = arguments.iter().any(Argument::waits);
            let subcommands = field(doc, "subcommands").map_or(Vec::new(), |list| list.items());
            if subcommands.is_empty() {
                commands.push(Command { name, group, arguments, waits });
                continue;
            }
            for pair in subcommands.chunks(2) {
                let arguments = self::arguments(&pair[1]);
                let name = pair[0].text();
                let waits = arguments.iter().any(Argument::waits);
                commands.push(Command { name, group: group.clone(), arguments, waits });
            }
        }
        let mut groups: Vec<String> = commands.iter().map(|command| command.group.clone()).collect();
        groups.sort();
        groups.dedup();
        groups.retain(|group| group != "generic");
        if commands.len() < 50 {
            return Err(std::io::Error::other(format!("only {} commands are documented", commands.len())));
        }
        Ok(Grammar { commands, groups })
    }

    pub(crate) fn len(&self) -> usize {
        self.commands.len()
    }

    /// A few commands: one, or a transaction.
    pub(crate) fn unit(&self, dice: &mut Dice) -> Vec<Vec<String>> {
        if dice.one_in(60) {
            let words = *dice.pick(&["SELECT 1", "SELECT 0", "SELECT 0", "FLUSHDB", "SWAPDB 0 1"]);
            return vec![words.split(' ').map(str::to_owned).collect()];
        }
        let count = if dice.one_in(4) { dice.between(1, 4) } else { 0 };
        let mut unit: Vec<Vec<String>> = (0..count.max(1)).map(|_| self.command(dice, count > 0)).collect();
        if count > 0 {
            unit.insert(0, vec!["MULTI".to_owned()]);
            unit.push(vec!["EXEC".to_owned()]);
        }
        unit
    }

    fn command(&self, dice: &mut Dice, in_transaction: bool) -> Vec<String> {
        loop {
            let command = dice.pick(&self.commands);
            if command.waits && !in_transaction {
                continue;
            }
            let group = if command.group == "generic" { dice.pick(&self.groups) } else { &command.group };
            // "container|subcommand" is two words.
            let mut words: Vec<String> = command.name.split('|').map(str::to_owned).collect();
            let mut sentence = Sentence { dice, group, groups: &self.groups, counted: None };
            sentence.say_all(&command.arguments, &mut words);
            return words;
        }
    }
}

/// One command being made.
struct Sentence<'s> {
    dice: &'s mut Dice,
    group: &'s str,
    groups: &'s [String],
    /// How many words must follow, because a number before them said so.
    counted: Option<usize>,
}

impl Sentence<'_> {
    fn say_all(&mut self, arguments: &[Argument], words: &mut Vec<String>) {
        for argument in arguments {
            if argument.optional && !self.dice.one_in(3) {
                continue;
            }
            let times = match self.counted.filter(|_| argument.multiple && argument.kind != "integer") {
                Some(times) => {
                    self.counted = None;
                    times
                }
                None if argument.multiple => self.dice.between(1, 3),
                None => 1,
            };
            for time in 0..times {
                if let Some(token) = argument.token.as_ref().filter(|_| time == 0 || argument.repeats_token) {
                    words.extend(Some(token.clone()).filter(|token| !token.is_empty()));
                }
                self.say(argument, words);
            }
        }
    }

    fn say(&mut self, argument: &Argument, words: &mut Vec<String>) {
        match argument.kind.as_str() {
            "pure-token" => {}
            "oneof" if !argument.inner.is_empty() => {
                let one = self.dice.below(argument.inner.len());
                let chosen = &argument.inner[one];
                if let Some(token) = chosen.token.as_ref().filter(|token| !token.is_empty()) {
                    words.push(token.clone());
                }
                self.say(chosen, words);
            }
            "block" => self.say_all(&argument.inner, words),
            "key" => {
                let group =
                    if self.dice.one_in(12) { self.dice.pick(self.groups).as_str() } else { self.group };
                // Bits are bits of strings.
                let group = if group == "bitmap" && self.dice.one_in(2) { "string" } else { group };
                words.push(format!("{group}:{}", self.dice.below(KEYS_PER_GROUP)));
            }
            "integer" => {
                let number = self.integer(&argument.name);
                words.push(number.to_string());
            }
            "unix-time" => {
                let ms = argument.name.contains("milli");
                let far = 4_000_000_000 + self.dice.below(100_000) as i64;
                let at = if self.dice.one_in(8) { 1 } else { far };
                words.push((if ms { at * 1000 } else { at }).to_string());
            }
            "double" => words.push(self.double()),
            "pattern" => {
                words.push((*self.dice.pick(&["*", "string:*", "m?", "[a-m]*", "nothing"])).to_owned())
            }
            _ => {
                let word = self.string(&argument.name);
                words.push(word);
            }
        }
    }

    fn integer(&mut self, name: &str) -> i64 {
        let small = |dice: &mut Dice| dice.below(14) as i64 - 4;
        match name {
            name if name.starts_with("num") => {
                let count = self.dice.between(1, 3);
                self.counted = Some(count);
                count as i64
            }
            "seconds" if self.dice.one_in(10) => -1,
            "seconds" => 2_000 + self.dice.below(5_000) as i64,
            "milliseconds" => 2_000_000 + self.dice.below(5_000_000) as i64,
            "cursor" | "timeout" => 0,
            "count" => small(self.dice).max(-2),
            "offset" => self.dice.below(40) as i64,
            "destination-db" | "db" | "index" if self.group != "list" => self.dice.below(2) as i64,
            "increment" | "decrement" => self.dice.below(2_000) as i64 - 500,
            "bit" => self.dice.below(2) as i64,
            _ => small(self.dice),
        }
    }

    fn double(&mut self) -> String {
        (*self.dice.pick(&["0", "1", "1.5", "-2.25", "3e2", "0.1", "7", "-0", "inf", "-inf", "100000000"]))
            .to_owned()
    }

    fn string(&mut self, name: &str) -> String {
        let bound = ["-", "+", "[m3", "(m5", "-inf", "+inf", "1", "(2", "0", "-1", "5"];
        match name {
            "min" | "max" | "start" | "stop" | "end" => (*self.dice.pick(&bound)).to_owned(),
            "timeout" => "0.01".to_owned(),
            "increment" | "score" | "longitude" | "latitude" => self.double(),
            "id" => (*self.dice.pick(&["*", "1-1", "5-3", "9-9", "0", "$", "99-1"])).to_owned(),
            "encoding" => (*self.dice.pick(&["u8", "i5", "u16", "i64"])).to_owned(),
            _ => match self.dice.below(8) {
                0 => self.dice.below(1_000).to_string(),
                1 => self.double(),
                2 => "x".repeat(self.dice.between(60, 90)),
                3 => "\u{0}\r\n*3".to_owned(),
                _ => format!("m{}", self.dice.below(12)),
            },
        }
    }
}
