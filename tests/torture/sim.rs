//! The real log code on a simulated disk, crashed at every operation in many ways.
//!
//! A script of appends, flushes, syncs and rewrites runs once on a disk that is photographed before each of its
//! operations. Every photograph is then developed into what a kill leaves, and what many power cuts leave (see `disk`),
//! and each of these directories is opened by the real recovery. What comes out must be a prefix of the log that holds all
//! that was promised, each unit exactly once: the units are INCRs, so one left out or applied twice shows.
//!
//! The same again with every operation of the script failing in turn, once or for ever, wholly or in the middle of a write;
//! and recoveries are themselves crashed, and failed, at each of their operations.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use pinstripe::log::rdb::{Decoder, Header, Item, RdbWriter};
use pinstripe::log::storage::Storage;
use pinstripe::log::{
    DirectoryLock, Fsync, Log, LogFault, LogOptions, Names, OpenError, Opened, Seq, encode_command, open,
};
use pinstripe::value::{Text, TextRef, Value, ValueRef};

use super::dice::Dice;
use super::disk::{Disk, Failure, Image};
use super::report::{Order, Outcome};

const OPTIONS: LogOptions = LogOptions { fsync: Fsync::EverySecond, timestamps: true };
/// Power cuts that each photograph is developed into.
const CUTS: usize = 12;
/// Long names, so that a few units fill a sector of the disk.
const KEYS: [&str; 5] = [
    "zero-with-a-name-long-enough-to-fill-a-good-part-of-a-sector-of-the-disk-that-it-is-written-to-by-the-log",
    "one-with-a-name-long-enough-to-fill-a-good-part-of-a-sector-of-the-disk-that-it-is-written-to-by-the-log",
    "two-with-a-name-long-enough-to-fill-a-good-part-of-a-sector-of-the-disk-that-it-is-written-to-by-the-log",
    "three",
    "both",
];

/// How often each key was incremented.
type Counts = [i64; 5];

/// The state after so many units.
fn counts_at(seq: Seq) -> Counts {
    let every = |n: u64| (seq / 4 + u64::from(seq % 4 >= n && n > 0)) as i64;
    [every(0), every(1), every(2), every(3), (seq / 3) as i64]
}

/// Every third unit is a transaction of two commands.
fn keys_of(unit: Seq) -> &'static [usize] {
    const KEYS_OF: [[usize; 2]; 4] = [[0, 4], [1, 4], [2, 4], [3, 4]];
    let keys = &KEYS_OF[(unit % 4) as usize];
    if unit.is_multiple_of(3) { keys } else { &keys[..1] }
}

fn header(seq: Seq) -> Header<'static> {
    Header { redis_version: "7.0.15", created_unix_s: 1, used_memory: 1, aof_base: true, seq: Some(seq) }
}

/// What may be relied on, from the moment on at which the log said so.
#[derive(Default)]
struct Promises {
    /// With the operating system, on the device, and appended at all.
    flushed: AtomicU64,
    synced: AtomicU64,
    units: AtomicU64,
}

struct Photo {
    image: Image,
    flushed: Seq,
    synced: Seq,
    units: Seq,
}

/// Which numbers a recovery may end with.
#[derive(Clone, Copy)]
struct Promise {
    /// At least this one.
    least: Seq,
    /// And if the power goes in the middle of it, at least this one.
    synced: Seq,
    most: Seq,
}

impl Promise {
    fn exactly(seq: Seq) -> Promise {
        Promise { least: seq, synced: seq, most: seq }
    }
}

/// A running log and what it has promised.
struct Run {
    log: Arc<Log>,
    promises: Arc<Promises>,
    now_ms: i64,
}

impl Run {
    fn new(log: Arc<Log>, promises: Arc<Promises>) -> Run {
        let last = log.appended();
        for number in [&promises.flushed, &promises.synced, &promises.units] {
            number.store(last, Ordering::Relaxed);
        }
        Run { log, promises, now_ms: 1_700_000_000_000 }
    }

    fn write(&mut self, units: usize) {
        for _ in 0..units {
            let unit = self.promises.units.load(Ordering::Relaxed) + 1;
            self.promises.units.store(unit, Ordering::Relaxed);
            let keys = keys_of(unit);
            self.log.append((unit % 2) as u32, |out| {
                let word = |out: &mut Vec<u8>, word: &str| encode_command(out, [word.as_bytes()].into_iter());
                if keys.len() > 1 {
                    word(out, "MULTI");
                }
                for key in keys {
                    encode_command(out, [b"INCR".as_slice(), KEYS[*key].as_bytes()].into_iter());
                }
                if keys.len() > 1 {
                    word(out, "EXEC");
                }
            });
        }
        self.now_ms += 400;
        let units = self.promises.units.load(Ordering::Relaxed);
        if self.log.flush(units, self.now_ms).is_ok() {
            self.promises.flushed.store(units, Ordering::Relaxed);
        }
    }

    fn sync(&mut self) {
        if let Ok(seq) = self.log.sync() {
            self.promises.synced.fetch_max(seq, Ordering::Relaxed);
        }
    }

    fn tick(&mut self, period: u32) {
        self.log.tick(period);
        self.note_durable();
    }

    fn note_durable(&self) {
        self.promises.synced.fetch_max(self.log.durable(), Ordering::Relaxed);
    }

    /// A rewrite with writes and syncs between its steps.
    fn rewrite(&mut self, dice: &mut Dice) -> Result<(), String> {
        let io = |e: io::Error| e.to_string();
        let fault = |e: LogFault| e.to_string();
        let mut rewrite = self.log.begin_rewrite().map_err(fault)?;
        self.pause(dice);
        let cut = rewrite.cut(self.now_ms).map_err(fault)?;
        let counts = counts_at(cut);
        self.pause(dice);
        let mut writer =
            RdbWriter::new(rewrite.base_file().map_err(fault)?, &header(cut), true).map_err(io)?;
        for (key, count) in KEYS.iter().zip(counts).filter(|(_, count)| *count > 0) {
            writer.key(key.as_bytes(), ValueRef::Text(TextRef::Int(count)), None).map_err(io)?;
        }
        let file = writer.finish().map_err(io)?;
        self.pause(dice);
        rewrite.finish(file).map_err(fault)?;
        self.note_durable();
        if self.log.fault().is_none() {
            self.promises.flushed.fetch_max(cut, Ordering::Relaxed);
        }
        Ok(())
    }

    fn pause(&mut self, dice: &mut Dice) {
        if dice.one_in(3) {
            self.sync();
        }
        let units = dice.below(4);
        self.write(units);
        if dice.one_in(4) {
            self.sync();
        }
    }

    /// A life of some steps; `heal` is called before one of them.
    fn script(&mut self, dice: &mut Dice, heal: impl Fn()) {
        let steps = dice.between(6, 12);
        let healed = dice.below(steps + 4);
        for step in 0..steps {
            if step == healed {
                heal();
            }
            match dice.below(8) {
                0..4 => {
                    let units = dice.between(1, 4);
                    self.write(units);
                }
                4 if dice.one_in(2) => self.sync(),
                4 => self.write(6),
                5 => self.tick(step as u32),
                _ => drop(self.rewrite(dice)),
            }
        }
        if self.log.shutdown(self.now_ms).is_ok() {
            let units = self.promises.units.load(Ordering::Relaxed);
            self.promises.synced.store(units, Ordering::Relaxed);
        }
    }
}

/// Opens, loads and starts; what was found, the last number, and the log.
fn boot(disk: &Disk) -> Result<(Counts, Seq, Arc<Log>), OpenError> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let failed = |doing| move |error| OpenError::Io { doing, path: "d".into(), error };
    let lock = DirectoryLock::take(&*storage, Path::new("d")).map_err(failed("lock"))?;
    let mut opened: Opened = open(storage.clone(), Arc::new(lock), Names::default())?;
    let mut counts = Counts::default();
    if let Some(base) = &opened.base {
        let bytes = storage.read_all(&base.path).map_err(failed("read"))?;
        let bad = |_| failed("decode")(io::ErrorKind::InvalidData.into());
        let mut decoder = Decoder::new(&bytes).map_err(bad)?;
        while let Some(item) = decoder.next().map_err(bad)? {
            if let Item::Entry { key, value: Value::Text(Text::Int(n)), .. } = item {
                counts[index_of(&key)] = n;
            }
        }
    }
    let recovery = opened.replay(|batch| {
        for unit in batch.units() {
            for command in unit.commands() {
                assert_eq!(u64::from(command.db), unit.seq % 2, "another database");
                counts[index_of(command.args[1])] += 1;
            }
        }
    })?;
    let last = recovery.last;
    Ok((counts, last, opened.start(OPTIONS, &header(0))?))
}

fn index_of(key: &[u8]) -> usize {
    KEYS.iter().position(|known| known.as_bytes() == key).expect("a key of ours")
}

pub(crate) fn run(order: &Order) -> Outcome {
    let mut sim = Sim { outcome: Outcome::default(), dice: Dice::new(order.seed), known: HashSet::new() };
    let mut life = 0u64;
    while !order.is_over() {
        let seed = order.seed.wrapping_add(life << 20);
        // A life without a failure first, which tells how many operations it has; then one failing at each.
        let operations = sim.life(seed, None, order);
        let mut nth = 1;
        while nth <= operations && !order.is_over() {
            let failure = Failure {
                nth,
                errno: *sim.dice.pick(&[5, 28, 122]),
                sticky: sim.dice.one_in(2),
                short: *sim.dice.pick(&[0, 0, 1, 7, 40]),
            };
            sim.life(seed, Some(failure), order);
            nth += if order.short { 5 } else { 1 };
        }
        life += 1;
    }
    let known = sim.known.len() as u64;
    sim.outcome.count("of them different", known);
    let refused = sim.outcome.get("of them refused over rubbish in unsynced sectors");
    if refused * 200 > sim.outcome.get("crash states") {
        sim.outcome
            .fail("rubbish behind what was synced makes a start fail more often than can be explained");
    }
    sim.outcome.require("crash states", 200);
    sim.outcome
}

struct Sim {
    outcome: Outcome,
    dice: Dice,
    known: HashSet<u64>,
}

impl Sim {
    /// One life and all its deaths. Returns the number of operations on the disk.
    fn life(&mut self, seed: u64, failure: Option<Failure>, order: &Order) -> u64 {
        let disk = Disk::default();
        let promises = Arc::new(Promises::default());
        let photos: Arc<Mutex<Vec<Photo>>> = Arc::default();
        let (film, told) = (photos.clone(), promises.clone());
        disk.photograph(Box::new(move |image| {
            film.lock().expect("the film").push(Photo {
                image: image.clone(),
                flushed: told.flushed.load(Ordering::Relaxed),
                synced: told.synced.load(Ordering::Relaxed),
                units: told.units.load(Ordering::Relaxed),
            });
        }));
        if let Some(failure) = failure {
            disk.fail(failure);
        }
        if let Ok((_, _, log)) = boot(&disk) {
            let mut run = Run::new(log, promises.clone());
            run.script(&mut Dice::new(seed), || disk.heal());
        }
        self.outcome.count("lives", 1);
        self.outcome.count("of them with a failing operation", u64::from(failure.is_some()));
        let mut photos = std::mem::take(&mut *photos.lock().expect("the film"));
        photos.push(Photo {
            image: disk.image(),
            flushed: promises.flushed.load(Ordering::Relaxed),
            synced: promises.synced.load(Ordering::Relaxed),
            units: promises.units.load(Ordering::Relaxed),
        });
        for (at, photo) in photos.iter().enumerate() {
            let promise = Promise { least: photo.synced, synced: photo.synced, most: photo.units };
            let what = |step: &str| format!("life {seed}, {failure:?}, before operation {}, {step}", at + 1);
            self.death(
                photo.image.after_kill(),
                Promise { least: photo.flushed, ..promise },
                &what,
                ("killed", 0),
            );
            for _ in 0..CUTS {
                let image = photo.image.after_power_cut(&mut self.dice);
                self.death(image, promise, &what, ("power cut", 0));
            }
            if order.is_over() {
                break;
            }
        }
        disk.operations()
    }

    /// Recovers a directory, and looks what came out.
    fn death(&mut self, image: Image, promise: Promise, what: &dyn Fn(&str) -> String, step: (&str, usize)) {
        let (Promise { least, synced, most }, (step, depth)) = (promise, step);
        // Most photographs show a disk with little that is not synced, and develop into few different states.
        let fingerprint = image.fingerprint() ^ least.rotate_left(32) ^ most.rotate_left(48);
        if !self.known.insert(fingerprint) && depth == 0 {
            return;
        }
        self.outcome.count("crash states", 1);
        let disk = Disk::of(image.clone());
        let photos: Arc<Mutex<Vec<Image>>> = Arc::default();
        // Now and then the recovery is crashed as well, three deep.
        let crashes = depth < 3 && self.dice.one_in(12);
        if crashes {
            let film = photos.clone();
            disk.photograph(Box::new(move |image| film.lock().expect("the film").push(image.clone())));
        }
        let (counts, last, log) = match boot(&disk) {
            Ok(found) => found,
            // Rubbish where nothing had been synced may look like another server's commands, damaged. Then a person has to
            // say what it is; nothing is lost by that.
            Err(_) if image.has_rubbish => {
                return self.outcome.count("of them refused over rubbish in unsynced sectors", 1);
            }
            Err(error) => return self.outcome.fail(format!("{}: no start: {error}", what(step))),
        };
        if last < least || last > most {
            self.outcome
                .fail(format!("{}: {last} units are there; {least} were promised, {most} sent", what(step)));
        } else if counts != counts_at(last) {
            self.outcome.fail(format!("{}: after {last} units the state is {counts:?}", what(step)));
        }
        if crashes {
            for photo in std::mem::take(&mut *photos.lock().expect("the film")) {
                if self.dice.one_in(2) {
                    self.death(photo.after_kill(), promise, what, ("recovery killed", depth + 1));
                } else {
                    // What only the operating system had is lost now.
                    let image = photo.after_power_cut(&mut self.dice);
                    let promise = Promise { least: synced, ..promise };
                    self.death(image, promise, what, ("power cut in the recovery", depth + 1));
                }
            }
            self.outcome.count("recoveries crashed at each operation", 1);
        }
        // What a start has served must outlast a power cut right after it.
        if depth == 0 && self.dice.one_in(6) {
            let again = disk.image().after_power_cut(&mut self.dice);
            self.death(again, Promise::exactly(last), what, ("cut after the start", 3));
        }
        if depth == 0 && self.dice.one_in(24) {
            self.go_on(&disk, log, what);
        } else if depth == 0 && self.dice.one_in(24) {
            self.fail_recovery(&image, last, what);
        }
    }

    /// Life goes on after a recovery, and the next start finds all of it.
    fn go_on(&mut self, disk: &Disk, log: Arc<Log>, what: &dyn Fn(&str) -> String) {
        let mut run = Run::new(log, Arc::default());
        run.write(3);
        run.sync();
        if let Err(fault) = run.rewrite(&mut self.dice) {
            self.outcome.fail(format!("{}: no rewrite after the recovery: {fault}", what("later")));
        }
        run.write(1);
        run.sync();
        let units = run.promises.units.load(Ordering::Relaxed);
        if run.promises.synced.load(Ordering::Relaxed) != units {
            self.outcome.fail(format!("{}: nothing can be synced after the recovery", what("later")));
        }
        let image = disk.image().after_power_cut(&mut self.dice);
        self.death(image, Promise::exactly(units), what, ("cut later", 3));
    }

    /// Every operation of a recovery fails in turn: it must say so, or have done without, and harm nothing.
    fn fail_recovery(&mut self, image: &Image, last: Seq, what: &dyn Fn(&str) -> String) {
        let mut nth = 1;
        loop {
            let disk = Disk::of(image.clone());
            disk.fail(Failure { nth, errno: 5, sticky: self.dice.one_in(2), short: 0 });
            if let Ok((_, found, log)) = boot(&disk)
                && found != last
            {
                drop(log);
                self.outcome
                    .fail(format!("{}: a failing disk turned {last} units into {found}", what("later")));
            }
            if disk.operations() < nth {
                break;
            }
            disk.heal();
            self.outcome.count("recoveries on a failing disk", 1);
            self.death(
                disk.image().after_kill(),
                Promise::exactly(last),
                what,
                ("killed after a failed start", 3),
            );
            nth += 1;
        }
    }
}
