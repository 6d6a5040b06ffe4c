//! One directory, one server: several are started at once on the same directory, and exactly one may live.
//!
//! After kill -9 of the winner the next one must get in.

use std::time::Duration;

use super::process::{Process, Refused, Target, scratch};
use super::report::{Order, Outcome};

const SERVERS: usize = 3;
/// What a Pinstripe that finds the directory taken ends with.
const EXIT_LOCKED: i32 = 75;

pub(crate) fn run(order: &Order) -> Outcome {
    let mut outcome = Outcome::default();
    while !order.is_over() {
        if let Err(why) = race(&order.target, &mut outcome) {
            outcome.fail(why);
        }
    }
    outcome.require("races for a directory", 3);
    outcome
}

fn race(target: &Target, outcome: &mut Outcome) -> Result<(), String> {
    let home = scratch();
    let dir = home.path().join("data");
    std::fs::create_dir(&dir).map_err(|e| e.to_string())?;
    for round in 0..5 {
        let starts: Vec<Result<Process, Refused>> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..SERVERS)
                .map(|n| {
                    let (dir, output) = (&dir, home.path().join(format!("output-{n}")));
                    scope.spawn(move || Process::start(target, dir, &output, &[]))
                })
                .collect();
            starts.into_iter().map(|start| start.join().expect("a start")).collect()
        });
        let mut alive = 0;
        for start in starts {
            match start {
                Ok(mut process) => {
                    // Whoever answered a moment ago and has ended now did not get in.
                    alive += usize::from(process.end(Duration::from_millis(1)).is_none());
                    process.kill9();
                }
                Err(refused) if refused.code == Some(EXIT_LOCKED) => outcome.count("losers refused", 1),
                Err(refused) => outcome.fail(format!("round {round}: {refused}")),
            }
        }
        outcome.count("races for a directory", 1);
        if alive != 1 {
            outcome.fail(format!("round {round}: {alive} servers use one directory"));
        }
    }
    Ok(())
}
