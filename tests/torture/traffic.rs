//! Traffic with a witness: clients that write all the time, and note what was acknowledged and when.
//!
//! ```text
//! writers    keys of their own (see `model`), in units: a command, MULTI … EXEC, or a script; pipelines of 1 to 16 units.
//!            Beside them shared things: a list and a queue that get unique elements, a counter, a bank of accounts
//!            whose sum never changes
//! mover      BLMOVE from the queue to a list of what was done: a move under way must not lose or double an element
//! observer   reads the shared counter; with `always` what it has seen must outlive any crash
//! rewriter   BGREWRITEAOF again and again, in every second round
//! ```

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::dice::Dice;
use super::model::{Change, Model, Words};
use super::process::Process;
use super::report::Outcome;
use super::script;
use super::support::client::{Client, Value, encode};

/// Accounts of the bank.
const ACCOUNTS: usize = 8;
/// The shared lists are emptied beyond this, so that a check stays cheap.
const SHARED_MAX: usize = 3000;

/// What a unit does beside the writer's own keys.
#[derive(Clone, PartialEq)]
enum Shared {
    Nothing,
    List(String),
    Queue(String),
    Count,
    Transfer(usize, usize, usize),
}

struct Unit {
    changes: Vec<Change>,
    shared: Shared,
    /// Several commands are sent as one script instead of a transaction.
    by_script: bool,
}

/// One writer's side of the story.
struct Story {
    id: usize,
    units: Vec<Unit>,
    /// When so many units had been acknowledged.
    acknowledged: Vec<(Instant, usize)>,
    /// The server refused something, which it has a reason to only once its end has begun.
    refused: Option<(Instant, String)>,
}

impl Story {
    fn acknowledged(&self) -> usize {
        self.acknowledged.last().map_or(0, |(_, units)| *units)
    }

    /// Units acknowledged at a time.
    fn acknowledged_at(&self, when: Instant) -> usize {
        self.acknowledged.iter().rev().find(|(at, _)| *at <= when).map_or(0, |(_, units)| *units)
    }
}

/// What all saw in one round.
pub(crate) struct Witness {
    stories: Vec<Story>,
    /// Elements whose move was acknowledged.
    moved: Vec<(Instant, String)>,
    /// The highest counts that somebody was shown.
    seen: Vec<(Instant, i64)>,
    ended: Instant,
}

impl Witness {
    pub(crate) fn acknowledged(&self) -> u64 {
        self.stories.iter().map(|story| story.acknowledged() as u64).sum()
    }
}

/// What must have outlived the crash.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Promise {
    /// All that was acknowledged and, if so, all that anybody was shown. After a power cut only what was so before the
    /// cut began: a sync that is under way at that moment may "succeed", and that is the fault of the tool.
    Everything { observed: bool, before_end: bool },
    /// A prefix; of what was acknowledged at least all that is older than this.
    Prefix { lag: Duration },
}

/// The clients and their memory, over many rounds on one directory.
pub(crate) struct Traffic {
    models: Vec<Model>,
    dice: Dice,
    /// Numbers every unit of all rounds, so that no value comes twice.
    next: u64,
    /// The shared counter before the round.
    count: i64,
    listed: HashSet<String>,
    queued: HashSet<String>,
    /// What was in them when they were emptied. A power cut may undo that.
    emptied: HashSet<String>,
}

impl Traffic {
    pub(crate) fn new(writers: usize, seed: u64) -> Traffic {
        Traffic {
            models: vec![Model::default(); writers],
            dice: Dice::new(seed),
            next: 0,
            count: 0,
            listed: HashSet::new(),
            queued: HashSet::new(),
            emptied: HashSet::new(),
        }
    }

    /// Lets everybody write for a while, then calls `end`, which must end the server.
    pub(crate) fn round(
        &mut self,
        server: &mut Process,
        length: Duration,
        rewrites: bool,
        end: impl FnOnce(&mut Process),
    ) -> Witness {
        let stop = AtomicBool::new(false);
        let base = self.next;
        self.next += 10_000_000;
        let (mut stories, mut moved, mut seen, mut ended) =
            (Vec::new(), Vec::new(), Vec::new(), Instant::now());
        let clients: Vec<Client> = self.models.iter().map(|_| server.client()).collect();
        let (mut mover, mut observer, rewriter) = (server.client(), server.client(), server.client());
        let throws: Vec<Dice> = self.models.iter().map(|_| Dice::new(self.dice.next())).collect();
        thread::scope(|scope| {
            let writers: Vec<_> = clients
                .into_iter()
                .zip(throws)
                .enumerate()
                .map(|(id, (client, dice))| scope.spawn(move || write(client, id, base, dice)))
                .collect();
            let mover = scope.spawn(move || {
                let mut moved = Vec::new();
                while let Ok(reply) = mover.try_call(&["BLMOVE", "queue", "done", "LEFT", "RIGHT", "0.05"]) {
                    if let Value::Bulk(_) = reply {
                        moved.push((Instant::now(), reply.text()));
                    }
                }
                moved
            });
            let observer = scope.spawn(move || {
                let mut seen: Vec<(Instant, i64)> = Vec::new();
                while let Ok(reply) = observer.try_call(&["GET", "count"]) {
                    let count = reply.text().parse().unwrap_or(0);
                    if seen.last().is_none_or(|(_, before)| *before < count) {
                        seen.push((Instant::now(), count));
                    }
                }
                seen
            });
            if rewrites {
                let (mut client, stop) = (rewriter, &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) && client.try_call(&["BGREWRITEAOF"]).is_ok() {
                        thread::sleep(Duration::from_millis(8));
                    }
                });
            }
            thread::sleep(length);
            ended = Instant::now();
            end(server);
            stop.store(true, Ordering::Relaxed);
            stories.extend(writers.into_iter().map(|writer| writer.join().expect("a writer")));
            moved = mover.join().expect("the mover");
            seen = observer.join().expect("the observer");
        });
        Witness { stories, moved, seen, ended }
    }

    /// Holds the server that was started again against what was seen. What it holds is taken for granted afterwards, so
    /// that one loss is not told again each round.
    pub(crate) fn verify(
        &mut self,
        client: &mut Client,
        witness: &Witness,
        promise: Promise,
        outcome: &mut Outcome,
    ) -> std::io::Result<()> {
        let mut sure = Vec::new();
        for story in &witness.stories {
            let found = Model::read(client, &own(story.id))?;
            if let Some((at, refused)) = &story.refused
                && *at <= witness.ended
            {
                outcome.fail(format!("writer {}: {refused}", story.id));
            }
            let least = match promise {
                Promise::Everything { before_end: true, .. } => story.acknowledged_at(witness.ended),
                Promise::Everything { .. } => story.acknowledged(),
                Promise::Prefix { lag } => {
                    story.acknowledged_at(witness.ended.checked_sub(lag).unwrap_or(witness.ended))
                }
            };
            let model = &mut self.models[story.id];
            // Which numbers of units give what is there: the first that keeps the promise, and the last of all.
            let (mut first, mut last, mut closest) = (None, None, String::new());
            for units in 0..=story.units.len() {
                if let Some(unit) = units.checked_sub(1).and_then(|at| story.units.get(at)) {
                    unit.changes.iter().for_each(|change| model.apply(change));
                }
                if *model == found {
                    last = Some(units);
                    first = first.or(Some(units).filter(|units| *units >= least));
                } else if units == story.acknowledged() {
                    closest = model.difference(&found);
                }
            }
            let (sent, acknowledged) = (story.units.len(), story.acknowledged());
            match (first, last) {
                (Some(_), _) => {}
                (None, Some(last)) => {
                    outcome.count("units lost", (least - last) as u64);
                    outcome.fail(format!("writer {}: LOST: {last} units are there, not {least}", story.id));
                }
                (None, None) => outcome.fail(format!(
                    "writer {}: no number of units (sent {sent}, acknowledged {acknowledged}) gives what is there: \
                     {closest}",
                    story.id
                )),
            }
            let last = last.unwrap_or(sent);
            if let Promise::Prefix { .. } = promise
                && last < story.acknowledged()
                && let Some((at, _)) = story.acknowledged.iter().find(|(_, units)| *units > last)
            {
                let lost = witness.ended.saturating_duration_since(*at).as_millis() as u64;
                outcome.peak("ms of acknowledged writes lost at most", lost);
                outcome.count("rounds in which acknowledged writes were lost, as is allowed", 1);
            }
            *model = found;
            sure.push((first.unwrap_or(last), last));
        }
        self.verify_shared(client, witness, promise, &sure, outcome)
    }

    /// `sure` tells of each writer how many of its units are there at least and at most.
    fn verify_shared(
        &mut self,
        client: &mut Client,
        witness: &Witness,
        promise: Promise,
        sure: &[(usize, usize)],
        outcome: &mut Outcome,
    ) -> std::io::Result<()> {
        let count: i64 = client.try_call(&["GET", "count"])?.text().parse().unwrap_or(0);
        let (mut counts_least, mut counts_most) = (self.count, self.count);
        let (mut must, mut may) = ([HashSet::new(), HashSet::new()], [HashSet::new(), HashSet::new()]);
        for (story, (least, most)) in witness.stories.iter().zip(sure) {
            for (at, unit) in story.units.iter().enumerate() {
                let (is_there, may_be) = (at < *least, at < *most);
                let which = match &unit.shared {
                    Shared::Count => {
                        counts_least += i64::from(is_there);
                        counts_most += i64::from(may_be);
                        continue;
                    }
                    Shared::List(element) => (0, element),
                    Shared::Queue(element) => (1, element),
                    _ => continue,
                };
                if is_there {
                    must[which.0].insert(which.1.clone());
                } else if may_be {
                    may[which.0].insert(which.1.clone());
                }
            }
        }
        if count < counts_least || count > counts_most.max(counts_least) {
            outcome.fail(format!("the shared counter is {count}, not {counts_least} to {counts_most}"));
        }
        let counts = |at: &Instant| match promise {
            Promise::Everything { before_end, .. } => !before_end || *at <= witness.ended,
            Promise::Prefix { .. } => false,
        };
        let seen = witness.seen.iter().filter(|(at, _)| counts(at)).map(|(_, seen)| *seen).max();
        let is_observed = matches!(promise, Promise::Everything { observed: true, .. });
        if let Some(seen) = seen.filter(|seen| is_observed && count < *seen) {
            outcome.fail(format!("a count of {seen} was shown, now it is {count}"));
        }
        self.count = count;

        let list = texts(&client.try_call(&["LRANGE", "list", "0", "-1"])?);
        let queue = texts(&client.try_call(&["LRANGE", "queue", "0", "-1"])?);
        let done = texts(&client.try_call(&["LRANGE", "done", "0", "-1"])?);
        let finished: HashSet<&String> = done.iter().collect();
        let moved = witness.moved.iter().filter(|(at, _)| counts(at));
        for (_, lost) in moved.filter(|(_, element)| !finished.contains(element)).take(1) {
            outcome.fail(format!("the move of {lost} was acknowledged, but it was not done"));
        }
        let queued: Vec<String> = queue.into_iter().chain(done).collect();
        for (name, found, before, which) in
            [("list", &list, &mut self.listed, 0), ("queue", &queued, &mut self.queued, 1)]
        {
            let there: HashSet<&String> = found.iter().collect();
            if there.len() != found.len() {
                outcome.fail(format!("{} elements of the {name} are there twice", found.len() - there.len()));
            }
            if let Some(lost) = before.iter().chain(&must[which]).find(|element| !there.contains(element)) {
                outcome.fail(format!("the element {lost} of the {name} is lost"));
            }
            let undone = matches!(promise, Promise::Prefix { .. });
            let known = |e: &String| {
                let is_back = undone && self.emptied.contains(e);
                is_back || before.contains(e) || must[which].contains(e) || may[which].contains(e)
            };
            if let Some(alien) = found.iter().find(|element| !known(element)) {
                outcome.fail(format!("the {name} holds {alien}, which nobody sent or which was undone"));
            }
            *before = found.iter().cloned().collect();
        }

        let accounts: Vec<String> = (0..ACCOUNTS).map(|n| format!("account:{n}")).collect();
        let ask: Vec<&str> = std::iter::once("MGET").chain(accounts.iter().map(String::as_str)).collect();
        let sum: i64 =
            client.try_call(&ask)?.items().iter().map(|v| v.text().parse::<i64>().unwrap_or(0)).sum();
        if sum != 0 {
            outcome.fail(format!("half a transaction: the accounts' sum is {sum}"));
        }
        if list.len() + queued.len() > SHARED_MAX {
            client.try_call(&["DEL", "list", "queue", "done"])?;
            self.emptied = self.listed.drain().chain(self.queued.drain()).collect();
        }
        Ok(())
    }
}

fn texts(reply: &Value) -> Vec<String> {
    reply.items().iter().map(Value::text).collect()
}

fn own(id: usize) -> String {
    format!("w{id}")
}

/// A unit by chance. Transfers come only in transactions.
fn throw(dice: &mut Dice, tag: &str) -> Unit {
    let transaction = dice.one_in(3);
    let changes = if transaction { dice.between(1, 4) } else { 1 };
    let shared = match dice.below(if transaction { 8 } else { 6 }) {
        0 => Shared::List(tag.to_owned()),
        1 => Shared::Queue(tag.to_owned()),
        2 => Shared::Count,
        6 | 7 => Shared::Transfer(dice.below(ACCOUNTS), dice.below(ACCOUNTS), dice.between(1, 50)),
        _ => Shared::Nothing,
    };
    let alone = !transaction && shared != Shared::Nothing;
    let changes = if alone { 0 } else { changes };
    let changes = (0..changes).map(|_| Change::throw(dice, tag)).collect();
    Unit { changes, shared, by_script: dice.one_in(3) }
}

/// The commands of a unit.
fn commands(unit: &Unit, own: &str) -> Vec<Words> {
    let text = |line: String| line.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Words>();
    let mut all: Vec<Words> = unit.changes.iter().map(|change| change.words(own)).collect();
    match &unit.shared {
        Shared::Nothing => {}
        Shared::List(element) => all.push(text(format!("RPUSH list {element}"))),
        Shared::Queue(element) => all.push(text(format!("RPUSH queue {element}"))),
        Shared::Count => all.push(text("INCR count".to_owned())),
        Shared::Transfer(from, to, sum) => {
            all.push(text(format!("DECRBY account:{from} {sum}")));
            all.push(text(format!("INCRBY account:{to} {sum}")));
        }
    }
    if all.len() > 1 && unit.by_script {
        return vec![script::of(&all)];
    }
    if all.len() > 1 {
        all.insert(0, text("MULTI".to_owned()));
        all.push(text("EXEC".to_owned()));
    }
    all
}

/// Writes until the connection breaks.
fn write(mut client: Client, id: usize, base: u64, mut dice: Dice) -> Story {
    let mut story = Story { id, units: Vec::new(), acknowledged: Vec::new(), refused: None };
    let own = own(id);
    loop {
        let (mut bytes, mut replies) = (Vec::new(), Vec::new());
        for _ in 0..dice.between(1, 16) {
            let tag = format!("{id}.{}", base + story.units.len() as u64);
            let unit = throw(&mut dice, &tag);
            let commands = commands(&unit, &own);
            commands.iter().for_each(|words| bytes.extend_from_slice(&encode(words)));
            replies.push(commands.len());
            story.units.push(unit);
        }
        if client.send_raw(&bytes).is_err() {
            return story;
        }
        let mut acknowledged = story.acknowledged();
        for count in replies {
            for _ in 0..count {
                match client.read() {
                    Ok(reply) => {
                        let error = reply.error().map(str::to_owned);
                        let inner = || reply.items().iter().find_map(|v| v.error().map(str::to_owned));
                        if let Some(error) = error.or_else(inner) {
                            story.refused = Some((Instant::now(), error));
                            return story;
                        }
                    }
                    Err(_) => return story,
                }
            }
            acknowledged += 1;
            story.acknowledged.push((Instant::now(), acknowledged));
        }
    }
}
