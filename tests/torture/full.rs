//! The disk is full, again and again: a small file system in memory that a ballast file fills to the last byte.
//!
//! A cycle: write until the server refuses, look that reads go on and that nothing refused was done, take the ballast
//! away, and see writes accepted within a second, without a restart. Every few cycles the server is killed and started
//! again, full disk or not, and must hold what was acknowledged. Needs root, for the mount.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use super::dice::Dice;
use super::model::{Change, Model};
use super::power::Mount;
use super::process::{Process, scratch};
use super::report::{Order, Outcome, side_by_side};
use super::support::client::Client;

const DISK_LEN: u64 = 3 * 1024 * 1024;
/// Writes of one cycle before we say that the disk does not get full.
const WRITES_MAX: usize = 200_000;
/// Room again, and service within this. The promise is a second; the rest is for a machine that does other things.
const RESUME_MAX: Duration = Duration::from_millis(2_000);
/// Disks that are filled at the same time.
const SERVERS: u64 = 3;
/// Cycles on one file system.
const CYCLES: usize = 60;

pub(crate) fn run(order: &Order) -> Outcome {
    match Mount::tmpfs(scratch().path(), DISK_LEN) {
        Ok(_) => {}
        Err(why) => return Outcome::skipped(why),
    }
    let mut outcome = side_by_side(order, SERVERS, disks);
    outcome.require("disk-full cycles", 3);
    outcome
}

/// One disk after the other.
fn disks(order: &Order) -> Outcome {
    let mut outcome = Outcome::default();
    let mut dice = Dice::new(order.seed);
    let mut era = 0;
    while !order.is_over() {
        let fsync = ["everysec", "always", "no"][era % 3];
        if let Err(why) = one_disk(order, &mut dice, fsync, &mut outcome) {
            outcome.fail(format!("{fsync}: {why}"));
        }
        era += 1;
    }
    outcome
}

/// A writer that knows of each change whether it was done, not done, or may have been.
pub(crate) struct Writer {
    pub(crate) model: Model,
    pub(crate) number: u64,
}

pub(crate) enum Done {
    Yes,
    Refused(String),
    /// The connection broke: it may have been done.
    Maybe,
}

impl Writer {
    pub(crate) fn write(&mut self, client: &mut Client, dice: &mut Dice) -> Done {
        self.number += 1;
        let change = Change::throw(dice, &self.number.to_string());
        match client.try_call(&change.words("w")) {
            Ok(reply) => match reply.error() {
                None => {
                    self.model.apply(&change);
                    Done::Yes
                }
                Some(error) => Done::Refused(error.to_owned()),
            },
            Err(_) => {
                self.before(change);
                Done::Maybe
            }
        }
    }

    /// Applies a change of unknown outcome to a copy; see `settle`.
    fn before(&mut self, change: Change) {
        self.model.apply(&change);
    }
}

fn one_disk(order: &Order, dice: &mut Dice, fsync: &str, outcome: &mut Outcome) -> Result<(), String> {
    let home = scratch();
    let mount = Mount::tmpfs(home.path(), DISK_LEN)?;
    let (dir, output) = (mount.place().join("data"), home.path().join("output"));
    let ballast = mount.place().join("ballast");
    std::fs::create_dir(&dir).map_err(|e| e.to_string())?;
    let arguments = ["--appendfsync", fsync, "--io-threads", "2", "--auto-aof-rewrite-min-size", "64kb"];
    let start = || Process::start(&order.target, &dir, &output, &arguments).map_err(|e| e.to_string());
    let mut server = start()?;
    let mut client = server.client();
    let mut writer = Writer { model: Model::default(), number: 0 };
    for cycle in 0..CYCLES {
        if order.is_over() {
            break;
        }
        fill(&ballast, dice.below(40_000))?;
        let mut unknown = false;
        let mut before = writer.model.clone();
        let mut refused = None;
        for _ in 0..WRITES_MAX {
            before = writer.model.clone();
            match writer.write(&mut client, dice) {
                Done::Yes => outcome.count("acknowledged writes", 1),
                Done::Refused(error) => {
                    refused = Some(error);
                    break;
                }
                Done::Maybe => {
                    unknown = true;
                    break;
                }
            }
        }
        // A connection that broke may be the first that is seen of the server's end.
        let ended = unknown && server.end(Duration::from_millis(50)).is_some();
        if ended {
            outcome.count("times the server ended itself", 1);
            if !order.target.redis {
                outcome.fail("the server ended itself because the disk was full");
            }
        } else if unknown {
            client = server.client();
        } else if refused.is_none() {
            outcome.fail(format!("{WRITES_MAX} writes did not fill the disk"));
        }
        if let Some(error) = refused.filter(|error| !error.starts_with("MISCONF")) {
            outcome.fail(format!("refused with another error: {error}"));
        }
        match Model::read(&mut client, "w") {
            Ok(found) => {
                // Reads go on, and show what was acknowledged.
                compare(&writer, &before, unknown, &found, "while the disk was full", outcome);
                // A write without an answer may be seen now and gone after a kill. One that is not seen was not done.
                unknown &= found == writer.model;
                writer.model = found;
                outcome.count("reads on a full disk", 1);
            }
            // With `always` nothing may be shown that is not on the disk, so there may be no answer.
            Err(_) if fsync == "always" => {
                outcome.count("reads not answered on a full disk, with always", 1);
                client = Client::connect(("127.0.0.1", server.port)).unwrap_or(client);
            }
            Err(_) if ended => {}
            Err(error) => return Err(format!("a read on a full disk: {error}")),
        }
        let dies = cycle % 4 == 3 || ended;
        if dies {
            server.kill9();
            outcome.count("kills on a full disk", 1);
        }
        std::fs::remove_file(&ballast).map_err(|e| e.to_string())?;
        if dies {
            server = start()?;
            client = server.client();
            let found = Model::read(&mut client, "w").map_err(|e| e.to_string())?;
            compare(&writer, &before, unknown, &found, "after a kill on a full disk", outcome);
            writer.model = found;
        }
        let took = resume(&mut writer, &mut client, &server, dice)?;
        outcome.peak("ms until writes were taken again, at most", took.as_millis() as u64);
        if took > RESUME_MAX {
            outcome.fail(format!("writes were refused for {took:?} after there was room"));
        }
        outcome.count("disk-full cycles", 1);
        if cycle % 4 == 1 {
            server.kill9();
            server = start()?;
            client = server.client();
            let found = Model::read(&mut client, "w").map_err(|e| e.to_string())?;
            compare(&writer, &writer.model, false, &found, "after a later kill", outcome);
            writer.model = found;
        }
    }
    Ok(())
}

pub(crate) fn compare(
    writer: &Writer,
    before: &Model,
    unknown: bool,
    found: &Model,
    when: &str,
    outcome: &mut Outcome,
) {
    if *found != writer.model && !(unknown && found == before) {
        outcome.fail(format!("{when} something else is there: {}", writer.model.difference(found)));
    }
}

/// Writes until a write is taken; how long that took.
fn resume(
    writer: &mut Writer,
    client: &mut Client,
    server: &Process,
    dice: &mut Dice,
) -> Result<Duration, String> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        match writer.write(client, dice) {
            Done::Yes => return Ok(began.elapsed()),
            Done::Refused(_) => std::thread::sleep(Duration::from_millis(5)),
            Done::Maybe => {
                // What became of it is looked up: from here on that is the truth.
                *client = server.client();
                writer.model = Model::read(client, "w").map_err(|e| e.to_string())?;
            }
        }
    }
    Err("writes were never taken again".to_owned())
}

/// Leaves about `room` bytes.
fn fill(ballast: &std::path::Path, room: usize) -> Result<(), String> {
    let mut file = File::create(ballast).map_err(|e| e.to_string())?;
    let block = vec![b'.'; 16 * 1024];
    let mut len = 0u64;
    while let Ok(n) = file.write(&block) {
        len += n as u64;
        if n < block.len() {
            break;
        }
    }
    file.set_len(len.saturating_sub(room as u64)).map_err(|e| e.to_string())
}
