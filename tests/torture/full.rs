//! The disk is full, again and again: a small file system in memory that a ballast file fills to the last byte.
//!
//! A cycle: write until the server refuses, while another client reads the same keys; look that reads go on, that no
//! connection of a reader is closed, and that nothing refused was done; take the ballast away, and see writes accepted within a second, without a restart. Every few cycles the server is killed and started
//! again, full disk or not, and must hold what was acknowledged. Needs root, for the mount.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::dice::Dice;
use super::model::Model;
use super::power::Mount;
use super::process::{Process, scratch};
use super::report::{Order, Outcome, one_after_the_other, side_by_side};
use super::support::client::{Client, Value};
use super::writer::{Done, OWN, Writer};

const DISK_LEN: u64 = 3 * 1024 * 1024;
/// Writes of one cycle before we say that the disk does not get full.
const WRITES_MAX: usize = 200_000;
/// Room again, and service within this. The promise is a second; the rest is for a machine that does other things.
const RESUME_MAX: Duration = Duration::from_millis(2_000);
/// Disks that are filled at the same time.
const SERVERS: u64 = 3;
/// Cycles on one file system.
const CYCLES: usize = 60;
/// Keys that nobody writes while the disk gets full.
const BYSTANDERS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

pub(crate) fn run(order: &Order) -> Outcome {
    match Mount::tmpfs(scratch().path(), DISK_LEN) {
        Ok(_) => {}
        Err(why) => return Outcome::skipped(why),
    }
    let mut outcome = side_by_side(order, SERVERS, |order| {
        one_after_the_other(order, &["everysec", "always", "no"], one_disk)
    });
    outcome.require("disk-full cycles", 3);
    outcome
}

/// A disk that gets full again and again.
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
    for key in BYSTANDERS {
        client.try_call(&["SET", key, key]).map_err(|e| e.to_string())?;
    }
    let mut writer = Writer::default();
    for cycle in 0..CYCLES {
        if order.is_over() {
            break;
        }
        fill(&ballast, dice.below(40_000))?;
        let (filled, reader) =
            beside_a_reader(&server, || write_until_refused(&mut writer, &mut client, dice));
        outcome.count("acknowledged writes", filled.acknowledged);
        // A connection that broke may be the first that is seen of the server's end.
        let ended = writer.unknown && server.end(Duration::from_millis(50)).is_some();
        if ended {
            outcome.count("times the server ended itself", 1);
            if !order.target.redis {
                outcome.fail("the server ended itself because the disk was full");
            }
        } else if writer.unknown {
            client = server.client();
        } else if filled.refused.is_none() {
            outcome.fail(format!("{WRITES_MAX} writes did not fill the disk"));
        }
        if let Some(error) = filled.refused.filter(|error| !error.starts_with("MISCONF")) {
            outcome.fail(format!("refused with another error: {error}"));
        }
        if !ended {
            reader.note(outcome);
            look(&mut writer, &mut client, fsync == "always", outcome);
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
            let found = Model::read(&mut client, OWN).map_err(|e| e.to_string())?;
            writer.compare(found, "after a kill on a full disk", outcome);
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
            let found = Model::read(&mut client, OWN).map_err(|e| e.to_string())?;
            writer.compare(found, "after a later kill", outcome);
        }
    }
    Ok(())
}

/// What came of filling the disk.
#[derive(Default)]
struct Filled {
    acknowledged: u64,
    refused: Option<String>,
}

fn write_until_refused(writer: &mut Writer, client: &mut Client, dice: &mut Dice) -> Filled {
    let mut filled = Filled::default();
    for _ in 0..WRITES_MAX {
        match writer.write(client, dice) {
            Done::Yes => filled.acknowledged += 1,
            Done::Refused(error) => {
                filled.refused = Some(error);
                break;
            }
            Done::Maybe => break,
        }
    }
    filled
}

/// Reads of a client that wants nothing but to read.
#[derive(Default)]
struct Reads {
    answered: u64,
    refused: u64,
    closed: u64,
    wrong: Vec<String>,
}

impl Reads {
    fn add(&mut self, replies: &[Value]) {
        for reply in replies {
            match reply.error() {
                None => self.answered += 1,
                Some(error) if error.starts_with("MISCONF") => self.refused += 1,
                Some(error) => self.wrong.push(format!("a read was refused with another error: {error}")),
            }
        }
    }

    fn note(self, outcome: &mut Outcome) {
        outcome.count("reads answered", self.answered);
        outcome.count("reads refused with MISCONF", self.refused);
        if self.closed > 0 {
            outcome.count("connections closed that only read", self.closed);
            outcome.fail("the connection of a client that only reads was closed");
        }
        self.wrong.into_iter().for_each(|words| outcome.fail(words));
    }
}

/// Does something, while a client reads what is being written, so that some of its reads are under way when the disk gets full.
fn beside_a_reader<R>(server: &Process, body: impl FnOnce() -> R) -> (R, Reads) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = Reads::default();
            let Ok(mut client) = Client::connect(("127.0.0.1", server.port)) else { return reads };
            while !is_over.load(Ordering::Relaxed) {
                match Model::ask(&mut client, OWN) {
                    Ok(replies) => reads.add(&replies),
                    Err(_) => {
                        reads.closed += 1;
                        break;
                    }
                }
            }
            reads
        });
        let result = body();
        // The reader shall meet the full disk, too.
        std::thread::sleep(Duration::from_millis(2));
        is_over.store(true, Ordering::Relaxed);
        (result, reader.join().unwrap_or_default())
    })
}

/// Looks at everything while the disk is full: reads go on, and show what was acknowledged. What waits in memory for room may
/// be shown too, unless what is shown `binds`, as with `always`: then a kill must not take it back.
fn look(writer: &mut Writer, client: &mut Client, binds: bool, outcome: &mut Outcome) {
    let mut reads = Reads::default();
    let bystanders: std::io::Result<Vec<Value>> =
        BYSTANDERS.iter().map(|key| client.try_call(&["GET", key])).collect();
    match bystanders {
        Ok(replies) => {
            reads.add(&replies);
            // One may be in a stripe with what was written.
            if reads.refused > 2 {
                outcome.fail(format!("{} of {} bystanders were refused", reads.refused, BYSTANDERS.len()));
            }
            let is_other = |(key, reply): &(&&str, &Value)| reply.error().is_none() && reply.text() != **key;
            if BYSTANDERS.iter().zip(&replies).any(|both| is_other(&both)) {
                outcome.fail("a bystander has another value");
            }
        }
        Err(_) => reads.closed += 1,
    }
    match Model::ask(client, OWN) {
        Ok(replies) => {
            reads.add(&replies);
            let may_be = |model: &Model| model.updated(&replies) == *model;
            let (is_done, is_not) = (may_be(&writer.model), writer.unknown && may_be(&writer.before));
            match (is_done, is_not) {
                // What it wrote last was not asked for, or refused: as unknown as it was.
                (true, true) => {}
                (true, false) => writer.unknown &= !binds,
                (false, true) => writer.compare(writer.before.clone(), "on a full disk", outcome),
                (false, false) => outcome.fail(format!(
                    "while the disk was full something else was shown: {}",
                    writer.model.difference(&writer.model.updated(&replies))
                )),
            }
        }
        Err(_) => reads.closed += 1,
    }
    reads.note(outcome);
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
                writer.model = Model::read(client, OWN).map_err(|e| e.to_string())?;
                writer.unknown = false;
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
