//! kill -9 at any moment, and an oracle of what was acknowledged.
//!
//! Rounds of a few hundredths of a second on one directory: traffic, SIGKILL, start, comparison (see `traffic`). After
//! some rounds comes a new directory with another `appendfsync` and another number of workers.

use std::time::Duration;

use super::dice::Dice;
use super::process::{Process, scratch};
use super::report::{Order, Outcome, one_after_the_other, side_by_side};
use super::traffic::{Promise, Traffic};

const WRITERS: usize = 4;
/// Rounds on one directory.
const ROUNDS: usize = 40;
const ROUNDS_SHORT: usize = 5;

/// Directories that are tortured at the same time.
const SERVERS: u64 = 3;

pub(crate) fn run(order: &Order) -> Outcome {
    let mut outcome = side_by_side(order, SERVERS, |order| one_after_the_other(order, &MODES, one_directory));
    outcome.require("kills", 3);
    let (kills, writes) = (outcome.get("kills"), outcome.get("acknowledged units"));
    outcome.require("acknowledged units", 20 * kills.min(writes.max(1)));
    outcome
}

/// `appendfsync` and `io-threads`.
type Mode = (&'static str, &'static str);

const MODES: [Mode; 9] = [
    ("always", "1"),
    ("everysec", "1"),
    ("no", "1"),
    ("always", "2"),
    ("everysec", "2"),
    ("no", "2"),
    ("always", "4"),
    ("everysec", "4"),
    ("no", "4"),
];

fn one_directory(
    order: &Order,
    dice: &mut Dice,
    (fsync, workers): Mode,
    outcome: &mut Outcome,
) -> Result<(), String> {
    let rounds = if order.short { ROUNDS_SHORT } else { ROUNDS };
    let home = scratch();
    let (dir, output) = (home.path().join("data"), home.path().join("output"));
    std::fs::create_dir(&dir).map_err(|e| e.to_string())?;
    let arguments = ["--appendfsync", fsync, "--io-threads", workers];
    let start = || Process::start(&order.target, &dir, &output, &arguments).map_err(|e| e.to_string());
    let mut server = start()?;
    let mut traffic = Traffic::new(WRITERS, dice.next());
    for round in 0..rounds {
        if order.is_over() {
            break;
        }
        let length = Duration::from_micros(dice.between(4_000, 60_000) as u64);
        let failed = outcome.failures();
        // Now and then the end is a gentle one, which must lose nothing either.
        let gentle = round % 10 == 4;
        let mut ended_well = true;
        let witness = traffic.round(&mut server, length, round % 2 == 1, |server| {
            if gentle {
                ended_well = server.terminate();
            }
            server.kill9();
        });
        if !ended_well {
            outcome.fail("SIGTERM did not end it well");
        }
        server = start()?;
        let promise = Promise::Everything { observed: fsync == "always", before_end: false };
        let mut client = server.client();
        traffic.verify(&mut client, &witness, promise, outcome).map_err(|e| e.to_string())?;
        outcome.count(if gentle { "gentle ends" } else { "kills" }, 1);
        outcome.count("acknowledged units", witness.acknowledged());
        if outcome.failures() > failed {
            outcome.fail(format!("… in round {round} with appendfsync {fsync}, io-threads {workers}"));
        }
    }
    Ok(())
}
