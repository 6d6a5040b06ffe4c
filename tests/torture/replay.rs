//! What a restart loads is what was there: random commands over all families, then `DEBUG DIGEST` before and after.
//!
//! ```text
//! a sequence   some hundred commands and transactions (see `grammar`), by one client, or by four at the same time on the
//!              same keys, whose order only the log can tell afterwards
//! then         digest; kill -9; start; the same digest? Every second time: rewrite; kill -9; start; the same digest?
//! ```

use std::time::{Duration, Instant};

use super::dice::Dice;
use super::grammar::Grammar;
use super::process::{Process, scratch};
use super::report::{Order, Outcome};
use super::support::client::{Client, encode};

const UNITS: usize = 250;
const TOGETHER: usize = 4;
/// Sequences on one directory.
const SEQUENCES: usize = 30;
/// Commands sent before their replies are read.
const PIPELINE: usize = 25;

pub(crate) fn run(order: &Order) -> Outcome {
    let mut outcome = Outcome::default();
    let mut dice = Dice::new(order.seed);
    while !order.is_over() {
        if let Err(why) = one_directory(order, &mut dice, &mut outcome) {
            outcome.fail(why);
        }
    }
    let commands = outcome.get("commands");
    if commands > 0 && outcome.get("of them done") * 3 < commands {
        outcome.fail("void: most commands were refused");
    }
    outcome.require("sequences", 3);
    outcome
}

fn one_directory(order: &Order, dice: &mut Dice, outcome: &mut Outcome) -> Result<(), String> {
    let home = scratch();
    let (dir, output) = (home.path().join("data"), home.path().join("output"));
    std::fs::create_dir(&dir).map_err(|e| e.to_string())?;
    let workers = *dice.pick(&["1", "2", "4"]);
    let arguments = ["--io-threads", workers, "--appendfsync", *dice.pick(&["everysec", "no"])];
    let start = || Process::start(&order.target, &dir, &output, &arguments).map_err(|e| e.to_string());
    let fail = |e: std::io::Error| e.to_string();
    let mut server = start()?;
    let grammar = Grammar::learn(&mut server.client()).map_err(fail)?;
    outcome.peak("kinds of commands", grammar.len() as u64);
    for sequence in 0..SEQUENCES {
        if order.is_over() {
            break;
        }
        let together = if dice.one_in(2) { TOGETHER } else { 1 };
        let seed = dice.next();
        let units = UNITS / together;
        let done: Vec<std::io::Result<(u64, u64)>> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..together)
                .map(|id| {
                    let (client, grammar) = (server.client(), &grammar);
                    let dice = Dice::new(seed.wrapping_add(id as u64));
                    let racer = (together > 1).then_some(id);
                    scope.spawn(move || send(client, grammar, dice, units, racer))
                })
                .collect();
            clients.into_iter().map(|client| client.join().expect("a client")).collect()
        });
        for part in done {
            let (sent, done) = part.map_err(|e| format!("sequence {seed}: {e}"))?;
            outcome.count("commands", sent);
            outcome.count("of them done", done);
        }
        let live = digest(&server).map_err(fail)?;
        server.kill9();
        server = start()?;
        let replayed = digest(&server).map_err(fail)?;
        let who = format!("sequence {sequence} ({seed}), {together} clients, {workers} workers");
        if replayed != live {
            outcome.fail(format!("{who}: replay gave other data: {}", difference(&live, &replayed)));
        }
        if sequence % 2 == 1 {
            rewrite(&mut server.client())?;
            server.kill9();
            server = start()?;
            let rewritten = digest(&server).map_err(fail)?;
            if rewritten != replayed {
                outcome
                    .fail(format!("{who}: a rewrite gave other data: {}", difference(&replayed, &rewritten)));
            }
            outcome.count("rewrites", 1);
        }
        outcome.count("sequences", 1);
        outcome.count("of them by several clients at once", u64::from(together > 1));
    }
    Ok(())
}

/// Commands sent, and those that were not refused. Racers, who have numbers, push to one list now and then: its order is
/// that in which they were served, so two records in another order show, wherever they stand.
fn send(
    mut client: Client,
    grammar: &Grammar,
    mut dice: Dice,
    units: usize,
    racer: Option<usize>,
) -> std::io::Result<(u64, u64)> {
    let (mut sent, mut done) = (0, 0);
    let mut left = units;
    while left > 0 {
        let (mut bytes, mut count) = (Vec::new(), 0u64);
        for _ in 0..left.min(PIPELINE) {
            let pushed = racer.filter(|_| dice.one_in(3)).map(|racer| {
                vec![vec!["RPUSH".to_owned(), "race".to_owned(), format!("{racer}.{left}.{count}")]]
            });
            for words in pushed.unwrap_or_else(|| grammar.unit(&mut dice)) {
                bytes.extend_from_slice(&encode(&words));
                count += 1;
            }
            left -= 1;
        }
        client.send_raw(&bytes)?;
        for _ in 0..count {
            done += u64::from(client.read()?.error().is_none());
        }
        sent += count;
    }
    Ok((sent, done))
}

/// The data's fingerprint, and that of each key, to tell where two differ.
#[derive(PartialEq)]
struct Fingerprint {
    all: String,
    keys: Vec<(String, String)>,
}

fn digest(server: &Process) -> std::io::Result<Fingerprint> {
    let mut client = server.client();
    let all = client.try_call(&["DEBUG", "DIGEST"])?.text();
    let mut keys = Vec::new();
    for db in ["0", "1"] {
        client.try_call(&["SELECT", db])?;
        let mut names: Vec<String> =
            client.try_call(&["KEYS", "*"])?.items().iter().map(|name| name.text()).collect();
        names.sort();
        for name in names {
            let digest = client.try_call(&["DEBUG", "DIGEST-VALUE", &name])?;
            keys.push((format!("{db}/{name}"), digest.items().first().map_or(String::new(), |d| d.text())));
        }
    }
    Ok(Fingerprint { all, keys })
}

fn difference(one: &Fingerprint, other: &Fingerprint) -> String {
    let only = |a: &Fingerprint, b: &Fingerprint| {
        let keys: Vec<&str> =
            a.keys.iter().filter(|key| !b.keys.contains(key)).map(|(name, _)| name.as_str()).collect();
        keys.join(" ")
    };
    format!("before: {} - after: {}", only(one, other), only(other, one))
}

/// Rewrites the log and waits for the end of it.
pub(crate) fn rewrite(client: &mut Client) -> Result<(), String> {
    let began = Instant::now();
    let reply = client.try_call(&["BGREWRITEAOF"]).map_err(|e| e.to_string())?;
    if let Some(error) = reply.error() {
        return Err(format!("BGREWRITEAOF: {error}"));
    }
    while began.elapsed() < Duration::from_secs(20) {
        let info = client.try_call(&["INFO", "persistence"]).map_err(|e| e.to_string())?.text();
        let idle = ["aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"].iter().all(|f| info.contains(f));
        if idle {
            let well = info.contains("aof_last_bgrewrite_status:ok");
            return if well { Ok(()) } else { Err("the rewrite failed".to_owned()) };
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Err("the rewrite did not end".to_owned())
}
