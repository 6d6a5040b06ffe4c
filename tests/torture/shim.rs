//! The Nth write or sync on the data's files fails, once, a few times or for ever: by a shim (`shim.c`) between the server
//! and the C library, so that it works on any server.
//!
//! A life: a start under the shim, writes one after the other, kill -9, a start without it. What was acknowledged must be
//! there, what was refused must not; a start under the shim may be refused, and harms nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::dice::Dice;
use super::model::Model;
use super::process::{Process, Target, scratch};
use super::report::{Order, Outcome, one_after_the_other, side_by_side};
use super::writer::{Done, OWN, Writer};

/// Writes of one life.
const WRITES: usize = 60;
/// Lives on one directory.
const LIVES: usize = 25;
const SERVERS: u64 = 2;
const EIO: &str = "5";
const ENOSPC: &str = "28";

pub(crate) fn run(order: &Order) -> Outcome {
    let home = scratch();
    let library = match compiled(home.path()) {
        Ok(library) => library,
        Err(why) => return Outcome::skipped(why),
    };
    let mut outcome = side_by_side(order, SERVERS, |order| {
        one_after_the_other(order, &["always", "everysec", "no"], |order, dice, fsync, outcome| {
            one_directory(order, dice, fsync, &library, outcome)
        })
    });
    outcome.require("lives", 3);
    outcome
}

fn compiled(home: &Path) -> Result<PathBuf, String> {
    let (source, library) = (home.join("shim.c"), home.join("shim.so"));
    std::fs::write(&source, include_str!("shim.c")).map_err(|e| e.to_string())?;
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl");
    let done = compiler.status().map_err(|e| format!("no C compiler: {e}"))?;
    if done.success() { Ok(library) } else { Err("the shim does not compile".to_owned()) }
}

/// The server under a shim that fails by chance.
fn shimmed(target: &Target, dir: &Path, library: &Path, dice: &mut Dice) -> (Target, String) {
    let call = *dice.pick(&["write", "write", "sync"]);
    let errno = *dice.pick(&[EIO, ENOSPC]);
    let nth = if dice.one_in(3) { dice.between(1, 12) } else { dice.between(1, 90) }.to_string();
    let times = dice.pick(&["1", "1", "3", "0"]).to_string();
    let bytes = if dice.one_in(3) { dice.between(1, 40) } else { 0 }.to_string();
    let words = format!("{call} {nth} failing {times} times with {errno} after {bytes} bytes");
    let environment = [
        ("LD_PRELOAD", library.display().to_string()),
        ("SHIM_DIR", dir.display().to_string()),
        ("SHIM_CALL", call.to_owned()),
        ("SHIM_NTH", nth),
        ("SHIM_TIMES", times),
        ("SHIM_ERRNO", errno.to_owned()),
        ("SHIM_BYTES", bytes),
    ];
    (Target { environment: environment.into(), ..target.clone() }, words)
}

fn one_directory(
    order: &Order,
    dice: &mut Dice,
    fsync: &str,
    library: &Path,
    outcome: &mut Outcome,
) -> Result<(), String> {
    let home = scratch();
    let (dir, output) = (home.path().join("data"), home.path().join("output"));
    std::fs::create_dir(&dir).map_err(|e| e.to_string())?;
    let arguments = ["--appendfsync", fsync, "--io-threads", "2", "--auto-aof-rewrite-min-size", "16kb"];
    let mut writer = Writer::default();
    for _ in 0..LIVES {
        if order.is_over() {
            break;
        }
        let (target, words) = shimmed(&order.target, &dir, library, dice);
        match Process::start(&target, &dir, &output, &arguments) {
            Err(_) => outcome.count("starts refused under a fault", 1),
            Ok(mut server) => {
                let mut client = server.client();
                for _ in 0..WRITES {
                    match writer.write(&mut client, dice) {
                        Done::Yes => outcome.count("acknowledged writes", 1),
                        Done::Refused(error) if error.starts_with("MISCONF") || order.target.redis => {
                            outcome.count("refused writes", 1);
                            std::thread::sleep(Duration::from_millis(3));
                        }
                        Done::Refused(error) => outcome.fail(format!("{words}: refused with {error}")),
                        Done::Maybe => break,
                    }
                }
                outcome.count("writes without an answer", u64::from(writer.unknown));
                if writer.unknown && server.end(Duration::from_millis(50)).is_some() {
                    outcome.count("times the server ended itself", 1);
                    if !order.target.redis {
                        outcome.fail(format!("{words}: the server ended itself"));
                    }
                }
                server.kill9();
            }
        }
        let server = Process::start(&order.target, &dir, &output, &arguments);
        let mut server = server.map_err(|why| format!("{words}: no start without the fault: {why}"))?;
        let found = Model::read(&mut server.client(), OWN).map_err(|e| e.to_string())?;
        writer.compare(found, &format!("after {words}"), outcome);
        server.kill9();
        outcome.count("lives", 1);
    }
    Ok(())
}
