//! kill -9 at any moment, and an oracle of what was acknowledged.
//!
//! Rounds of a few hundredths of a second on one directory: traffic, SIGKILL, start, comparison (see `traffic`). After
//! some rounds comes a new directory with another `appendfsync` and another number of workers.

use std::time::Duration;

use super::dice::Dice;
use super::process::{Process, scratch};
use super::report::{Order, Outcome, side_by_side};
use super::traffic::{Promise, Traffic};

const WRITERS: usize = 4;
/// Rounds on one directory.
const ROUNDS: usize = 40;

/// Directories that are tortured at the same time.
const SERVERS: u64 = 3;

pub(crate) fn run(order: &Order) -> Outcome {
    let mut outcome = side_by_side(order, SERVERS, directories);
    outcome.require("kills", 3);
    let (kills, writes) = (outcome.get("kills"), outcome.get("acknowledged units"));
    outcome.require("acknowledged units", 20 * kills.min(writes.max(1)));
    outcome
}

/// One directory after the other.
fn directories(order: &Order) -> Outcome {
    let mut outcome = Outcome::default();
    let mut dice = Dice::new(order.seed);
    let modes = ["always", "everysec", "no"];
    let mut era = dice.below(9);
    while !order.is_over() {
        let (fsync, workers) = (modes[era % 3], ["1", "2", "4"][era / 3 % 3]);
        let rounds = if order.short { 5 } else { ROUNDS };
        if let Err(why) = one_directory(order, &mut dice, fsync, workers, rounds, &mut outcome) {
            outcome.fail(format!("{fsync}, {workers} workers: {why}"));
        }
        era += 1;
    }
    outcome
}

fn one_directory(
    order: &Order,
    dice: &mut Dice,
    fsync: &str,
    workers: &str,
    rounds: usize,
    outcome: &mut Outcome,
) -> Result<(), String> {
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
