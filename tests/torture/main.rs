//! Torture: programs that do to a server what the world does, and look whether its promises hold.
//!
//! `cargo test` runs each for a few seconds. `scripts/torture` runs the same for an hour and writes the figures down.
//!
//! ```text
//! cargo test --test torture -- [NAME…] [--seconds N] [--seed S] [--binary PATH] [--redis] [--list]
//! ```
//!
//! Each prints its seed, which repeats its choices; the moments at which threads meet are the machine's own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test may end itself, and uses the real clock and the real disk"
)]

mod bodies;
mod dice;
mod disk;
mod flips;
mod frames;
mod full;
mod fuzz;
mod grammar;
mod hostile;
mod kill;
mod linear;
mod lock;
mod model;
mod power;
mod process;
mod replay;
mod report;
mod script;
mod shim;
mod sim;
#[path = "../support/mod.rs"]
mod support;
mod traffic;
mod writer;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use process::Target;
use report::{Order, Outcome};

/// How long a harness runs when nobody says how long.
const SHORT: Duration = Duration::from_secs(3);

/// The short form makes the same choices each time, so that a change is judged by what it changed; long runs are given
/// seeds of their own.
const SHORT_SEED: u64 = 77;

struct Harness {
    name: &'static str,
    what: &'static str,
    run: fn(&Order) -> Outcome,
    /// Part of `cargo test`: needs no rights and disturbs nobody.
    always: bool,
}

const HARNESSES: &[Harness] = &[
    harness("kill", "kill -9 with an oracle of what was acknowledged", kill::run),
    harness("sim", "the log on a simulated disk, crashed at every operation", sim::run),
    harness("flips", "every bit flipped, every cut, of a small directory", flips::run),
    harness("linear", "linearizability of keys and transactions", linear::run),
    harness("replay", "the data after a restart is the data before it", replay::run),
    harness("lock", "one directory, one server", lock::run),
    harness("hostile", "clients that mean no good, and one that does", hostile::run),
    harness("frames", "a reply for each request, whatever is in it", frames::run),
    harness("fuzz", "parsers and readers on mutated bytes", fuzz::run),
    harness("shim", "the Nth write or sync fails, by a shim between server and C library", shim::run),
    harness("power", "power cuts on an ext4 of its own (root)", power::run_harness).on_request(),
    harness("full", "full disks on a tmpfs of its own (root)", full::run).on_request(),
    // Shows that a failure is seen: `scripts/canaries` runs it and wants to be told.
    harness("dead-canary", "fails, always", dead_canary).on_request(),
];

const fn harness(name: &'static str, what: &'static str, run: fn(&Order) -> Outcome) -> Harness {
    Harness { name, what, run, always: true }
}

impl Harness {
    /// Not part of `cargo test`: it needs rights, or time.
    const fn on_request(self) -> Harness {
        Harness { always: false, ..self }
    }
}

fn dead_canary(_: &Order) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.fail("as it must");
    outcome
}

struct Request {
    names: Vec<String>,
    seconds: Option<f64>,
    seed: u64,
    target: Target,
    list: bool,
}

fn main() -> ExitCode {
    let request = match parse(std::env::args().skip(1)) {
        Ok(request) => request,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    if request.list {
        HARNESSES.iter().for_each(|harness| println!("{:10} {}", harness.name, harness.what));
        return ExitCode::SUCCESS;
    }
    let chosen = |harness: &&Harness| {
        let named = request.names.iter().any(|name| name == harness.name);
        named || (request.names.is_empty() && harness.always)
    };
    let mut failed = false;
    for harness in HARNESSES.iter().filter(chosen) {
        failed |= !run(harness, &request);
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs one, prints what came of it, and a row that `scripts/torture` looks for.
fn run(harness: &Harness, request: &Request) -> bool {
    let began = Instant::now();
    let length = request.seconds.map_or(SHORT, Duration::from_secs_f64);
    let order = Order {
        seed: request.seed,
        until: began + length,
        target: request.target.clone(),
        short: request.seconds.is_none(),
    };
    let outcome = std::panic::catch_unwind(|| (harness.run)(&order)).unwrap_or_else(|_| {
        let mut outcome = Outcome::default();
        outcome.fail("the harness itself gave up; see above");
        outcome
    });
    let took = began.elapsed().as_secs_f64();
    if let Some(why) = &outcome.skipped {
        println!("{}: not run: {why}", harness.name);
        return true;
    }
    let verdict = if outcome.failures() == 0 { "ok" } else { "FAILED" };
    println!("{}: {verdict}: {} (seed {}, {took:.1} s)", harness.name, outcome.figures(), request.seed);
    for words in outcome.words() {
        println!("    {words}");
    }
    println!("ROW|{}|{}|{}|{}|{took:.0}", harness.name, request.seed, outcome.figures(), outcome.failures(),);
    outcome.failures() == 0
}

fn parse(words: impl Iterator<Item = String>) -> Result<Request, String> {
    let binary = std::env::var_os("PINSTRIPE_TEST_BINARY").map(PathBuf::from);
    let mut request = Request {
        names: Vec::new(),
        seconds: None,
        seed: SHORT_SEED,
        target: Target {
            binary: binary.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_pinstripe"))),
            redis: false,
            environment: Vec::new(),
        },
        list: false,
    };
    let mut words = words;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--harness" => {
                let name = value()?;
                if !HARNESSES.iter().any(|harness| harness.name == name) {
                    return Err(format!("no harness {name}; --list names them"));
                }
                request.names.push(name);
            }
            "--seconds" => {
                let text = value()?;
                request.seconds = Some(text.parse().map_err(|_| format!("not seconds: {text}"))?);
            }
            "--seed" => {
                let text = value()?;
                request.seed = text.parse().map_err(|_| format!("not a seed: {text}"))?;
            }
            "--binary" => request.target.binary = PathBuf::from(value()?),
            "--redis" => request.target.redis = true,
            "--list" => request.list = true,
            // What `cargo test` may pass on to every test program.
            flag if flag.starts_with('-') => {}
            name => request.names.push(name.to_owned()),
        }
    }
    Ok(request)
}
