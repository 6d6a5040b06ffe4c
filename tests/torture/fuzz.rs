//! The fuzzers' bodies, fed with mutations of good bytes. cargo-fuzz (see `fuzz/`) does the same guided by coverage.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::bodies::TARGETS;
use super::dice::Dice;
use super::report::{Order, Outcome};

/// Longer than this for a few kilobytes is a hang.
const STEP_MAX: Duration = Duration::from_secs(1);
/// What took so long is tried so often again.
const AGAIN: usize = 3;
const LEN_MAX: usize = 4096;
/// Inputs kept as a beginning of others.
const POOL_MAX: usize = 200;

pub(crate) fn run(order: &Order) -> Outcome {
    let mut outcome = Outcome::default();
    let mut dice = Dice::new(order.seed);
    let mut pools: Vec<Vec<Vec<u8>>> =
        TARGETS.iter().map(|(_, _, seeds)| seeds.iter().map(|seed| seed.to_vec()).collect()).collect();
    while !order.is_over() {
        for ((name, body, _), pool) in TARGETS.iter().zip(&mut pools) {
            for _ in 0..500 {
                let input = mutate(pool, &mut dice);
                let mut once = || {
                    let began = Instant::now();
                    if catch_unwind(AssertUnwindSafe(|| body(&input))).is_err() {
                        outcome.fail(format!("{name} panics at {}", input.escape_ascii()));
                    }
                    began.elapsed()
                };
                let took = once();
                // On a machine that has no time for us anything may take long, but hardly every time.
                if took > STEP_MAX && (0..AGAIN).all(|_| once() > STEP_MAX) {
                    outcome.fail(format!("{name} takes {took:?} for {}", input.escape_ascii()));
                }
                outcome.count(name, 1);
                if pool.len() < POOL_MAX {
                    pool.push(input);
                } else if dice.one_in(50) {
                    let at = dice.below(POOL_MAX);
                    pool[at] = if dice.one_in(4) { input } else { pool[dice.below(8)].clone() };
                }
            }
        }
    }
    outcome.require("codec", 500);
    outcome
}

/// Another input, made of one or two known ones.
fn mutate(pool: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.pick(pool).clone();
    for _ in 0..dice.between(1, 6) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 if at < bytes.len() => bytes[at] = dice.next() as u8,
            2 => bytes.insert(at, *dice.pick(b"\r\n$*#-0123456789\0\xff\"'\\")),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            4 => bytes.truncate(at),
            5 => {
                let end = (at + dice.below(40)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let to = dice.below(bytes.len() + 1);
                bytes.splice(to..to, part);
            }
            6 => {
                let other = dice.pick(pool);
                let from = dice.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            7 => {
                let number = dice.pick(&["-1", "0", "4294967296", "9223372036854775807", "1048577", "65536"]);
                bytes.splice(at..at, number.bytes());
            }
            _ => {
                let end = (at + dice.below(8)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
    bytes.truncate(LEN_MAX);
    bytes
}
