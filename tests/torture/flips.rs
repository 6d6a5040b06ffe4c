//! A small directory, damaged in every way: each bit flipped, each file cut at each byte, sectors zeroed, groups swapped.
//!
//! The directory is made by the server itself: writes of all kinds, a rewrite in the middle, then a pause in which it
//! writes down how far the disk has everything, then kill -9. In memory, by the library, every single damage is tried:
//!
//! ```text
//! detected   the start is refused
//! harmless   what is loaded is what was there
//! cut        a whole number of units is loaded, and those cut off were not known to be on the disk
//! WRONG      anything else: other data, or synced data gone without a word
//! ```
//!
//! With the program itself a sample is tried, of Pinstripe and, for comparison, of redis-server. There the digest of the
//! data after each write tells what came out.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pinstripe::log::rdb::Decoder;
use pinstripe::log::storage::Storage;
use pinstripe::log::{BaseKind, DirectoryLock, Names, open};

use super::dice::Dice;
use super::disk::{Disk, Image};
use super::process::{Process, copy_tree, scratch};
use super::replay::rewrite;
use super::report::{Order, Outcome};

/// What damaged data makes a Pinstripe end with.
const EXIT_DAMAGED: i32 = 65;
/// Long enough for the watermark to be written and synced.
const PAUSE: Duration = Duration::from_millis(2_500);

type Files = Vec<(PathBuf, Arc<Vec<u8>>)>;

/// A directory, and what it held after each write.
struct Made {
    home: tempfile::TempDir,
    /// The digest after each write, to its number.
    digests: HashMap<String, usize>,
    /// Writes, each of which is one unit of the log.
    writes: u64,
}

const WRITES: &[&str] = &[
    "SET name value-of-some-length",
    "SET number 12345",
    "RPUSH list one two three",
    "HSET hash field-1 value-1 field-2 value-2",
    "SADD set a b c",
    "ZADD scores 1 one 2.5 two",
    "INCRBY number 7",
    "APPEND name -and-more",
    "MULTI|DECRBY from 10|INCRBY to 10|EXEC",
    "SET until value PXAT 4000000000000",
    "LPOP list",
    "HDEL hash field-1",
    "MULTI|SET first 1|SET second 2|SET third 3|EXEC",
    "SPOP set",
    "ZINCRBY scores 3 one",
    "DEL until",
    "SETRANGE name 3 XYZ",
    "RPUSH list four",
];

fn make(order: &Order) -> Result<Made, String> {
    let home = scratch();
    let dir = home.path().join("data");
    fs::create_dir(&dir).map_err(|e| e.to_string())?;
    let output = home.path().join("output");
    let mut server = Process::start(&order.target, &dir, &output, &["--appendfsync", "everysec"])
        .map_err(|e| e.to_string())?;
    let mut client = server.client();
    let mut made = Made { home, digests: HashMap::new(), writes: 0 };
    let note = |client: &mut super::support::client::Client, made: &mut Made| {
        let digest = client.try_call(&["DEBUG", "DIGEST"]).map_err(|e| e.to_string())?.text();
        made.digests.insert(digest, made.writes as usize);
        Ok::<(), String>(())
    };
    note(&mut client, &mut made)?;
    for half in 0..2 {
        for (at, write) in WRITES.iter().enumerate() {
            for line in write.split('|') {
                let line = line.replace("field-1", &format!("field-{half}"));
                let reply =
                    client.try_call(&line.split(' ').collect::<Vec<_>>()).map_err(|e| e.to_string())?;
                if let Some(error) = reply.error() {
                    return Err(format!("{line}: {error}"));
                }
            }
            // A write that changes nothing is no unit; this one always does.
            client.try_call(&["SET", "mark", &format!("{half}-{at}")]).map_err(|e| e.to_string())?;
            made.writes += 2;
            note(&mut client, &mut made)?;
        }
        if half == 0 {
            rewrite(&mut client)?;
        }
    }
    std::thread::sleep(PAUSE);
    server.kill9();
    Ok(made)
}

pub(crate) fn run(order: &Order) -> Outcome {
    let mut outcome = Outcome::default();
    let made = match make(order) {
        Ok(made) => made,
        Err(why) => {
            outcome.fail(format!("the directory could not be made: {why}"));
            return outcome;
        }
    };
    if !order.target.redis {
        in_memory(order, &made, &mut outcome);
    }
    by_program(order, &made, &mut outcome);
    outcome.require("damaged directories started", 3);
    outcome
}

/// What a directory loads to: a line for each entry of the base and for each unit, and how far the disk is known to have it.
fn load(files: &Files) -> Result<Vec<u64>, String> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let hash = |text: &dyn Fn(&mut DefaultHasher)| {
        let mut hasher = DefaultHasher::new();
        text(&mut hasher);
        hasher.finish()
    };
    let storage: Arc<dyn Storage> = Arc::new(Disk::of(Image::of_files(files.iter().cloned())));
    let lock = DirectoryLock::take(&*storage, Path::new("d")).map_err(|e| e.to_string())?;
    let mut opened = open(storage.clone(), Arc::new(lock), Names::default()).map_err(|e| e.to_string())?;
    let mut story = Vec::new();
    if let Some(base) = &opened.base {
        if base.kind != BaseKind::Rdb {
            return Err("a base that is no RDB".to_owned());
        }
        let bytes = storage.read_all(&base.path).map_err(|e| e.to_string())?;
        let mut decoder = Decoder::new(&bytes).map_err(|e| e.to_string())?;
        while let Some(item) = decoder.next().map_err(|e| e.to_string())? {
            story.push(hash(&|h| format!("{item:?}").hash(h)));
        }
        if decoder.offset() != bytes.len() {
            return Err("something follows the base".to_owned());
        }
    }
    opened
        .replay(|batch| {
            for unit in batch.units() {
                story.push(hash(&|h| {
                    unit.seq.hash(h);
                    for command in unit.commands() {
                        (command.db, command.args).hash(h);
                    }
                }));
            }
        })
        .map_err(|e| e.to_string())?;
    Ok(story)
}

fn in_memory(order: &Order, made: &Made, outcome: &mut Outcome) {
    let folder = made.home.path().join("data/appendonlydir");
    let mut files: Files = Vec::new();
    for entry in fs::read_dir(&folder).expect("the log's directory") {
        let entry = entry.expect("an entry");
        let bytes = Arc::new(fs::read(entry.path()).expect("a file"));
        files.push((Path::new("d/appendonlydir").join(entry.file_name()), bytes));
    }
    files.sort();
    let whole = match load(&files) {
        Ok(whole) => whole,
        Err(why) => return outcome.fail(format!("the undamaged directory does not load: {why}")),
    };
    let base_len = whole.len() - made.writes as usize / 2;
    if whole.len() < made.writes as usize / 2 || base_len == 0 {
        outcome.fail("the log does not hold one unit for each write");
    }
    let units: usize = units_of(&files);
    if units as u64 != made.writes / 2 {
        outcome.fail(format!("{} writes became {units} units of the log", made.writes / 2));
    }
    for at in 0..files.len() {
        let original = files[at].1.clone();
        let name = files[at].0.file_name().expect("a name").to_string_lossy().into_owned();
        for bit in 0..original.len() * 8 {
            if order.is_over() && !order.short {
                return;
            }
            // The short form flips one bit of each byte, another one each time.
            if order.short && bit % 8 != (order.seed as usize + bit / 8) % 8 {
                continue;
            }
            let mut damaged = original.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            files[at].1 = Arc::new(damaged);
            outcome.count("bits flipped in memory", 1);
            judge(&files, &whole, None, &|| format!("bit {bit} of {name}"), outcome);
        }
        for len in (0..original.len()).step_by(if order.short { 3 } else { 1 }) {
            files[at].1 = Arc::new(original[..len].to_vec());
            outcome.count("cuts in memory", 1);
            judge(&files, &whole, Some(base_len), &|| format!("{name} cut to {len} bytes"), outcome);
        }
        for start in (0..original.len()).step_by(64) {
            let mut damaged = original.to_vec();
            let end = (start + 64).min(damaged.len());
            damaged[start..end].fill(0);
            if damaged != *original {
                files[at].1 = Arc::new(damaged);
                outcome.count("zeroed stretches in memory", 1);
                // At the very end the line that tells how far the disk has it goes with what it tells of.
                let shorter = (original.len() - end < 64).then(|| whole.len() - 1);
                judge(&files, &whole, shorter, &|| format!("{name} zeroed from {start}"), outcome);
            }
        }
        for tail in [&[0u8; 4096][..], b"garbage\r\n", b"*3\r\n$3\r\nSET\r\n"] {
            let damaged = [&original[..], tail].concat();
            files[at].1 = Arc::new(damaged);
            outcome.count("tails in memory", 1);
            judge(&files, &whole, Some(whole.len()), &|| format!("{name} with a tail"), outcome);
        }
        files[at].1 = original;
    }
}

/// Units in all increments.
fn units_of(files: &Files) -> usize {
    let increments = files.iter().filter(|(path, _)| path.to_string_lossy().ends_with(".incr.aof"));
    increments
        .map(|(_, bytes)| {
            let mut reader = pinstripe::log::Reader::new(bytes, None);
            let mut units = 0;
            while let Some(batch) = reader.next_batch() {
                units += batch.units().len();
            }
            units
        })
        .sum()
}

/// `shorter` allows that only so many parts, or more, are loaded.
fn judge(
    files: &Files,
    whole: &[u64],
    shorter: Option<usize>,
    what: &dyn Fn() -> String,
    outcome: &mut Outcome,
) {
    match load(files) {
        Err(_) => outcome.count("detected", 1),
        Ok(story) if story == whole => outcome.count("harmless", 1),
        Ok(story) if shorter.is_some_and(|least| story.len() >= least) && whole.starts_with(&story) => {
            outcome.count("cut", 1);
        }
        Ok(story) => {
            outcome.count("WRONG", 1);
            outcome.fail(format!("{}: {} parts are loaded, of {}", what(), story.len(), whole.len()));
        }
    }
}

/// A sample by the program itself.
fn by_program(order: &Order, made: &Made, outcome: &mut Outcome) {
    let mut dice = Dice::new(order.seed);
    let mut starts = 0;
    let pristine = made.home.path().join("data");
    let names: Vec<PathBuf> = fs::read_dir(pristine.join("appendonlydir"))
        .expect("the log's directory")
        .map(|entry| entry.expect("an entry").file_name().into())
        .collect();
    while !order.is_over() || starts < 12 {
        starts += 1;
        let home = scratch();
        let dir = home.path().join("data");
        copy_tree(&pristine, &dir);
        let path = dir.join("appendonlydir").join(dice.pick(&names));
        let mut bytes = fs::read(&path).expect("a file");
        if bytes.is_empty() {
            continue;
        }
        let at = dice.below(bytes.len());
        let cut = dice.one_in(5);
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << dice.below(8);
        }
        fs::write(&path, &bytes).expect("a damaged file");
        let kind = if cut { "cut" } else { "bit flipped" };
        let what = format!("{kind} at byte {at} of {}", path.file_name().expect("a name").to_string_lossy());
        outcome.count("damaged directories started", 1);
        let class = match Process::start(&order.target, &dir, &home.path().join("output"), &[]) {
            Err(refused) => {
                let expected = if order.target.redis { 1 } else { EXIT_DAMAGED };
                if refused.code != Some(expected) {
                    outcome.fail(format!("{what}: {refused}"));
                }
                "refused"
            }
            Ok(server) => {
                let digest = server.client().try_call(&["DEBUG", "DIGEST"]).map(|reply| reply.text());
                match digest.ok().and_then(|digest| made.digests.get(&digest).copied()) {
                    Some(writes) if writes as u64 == made.writes => "as it was",
                    Some(_) if cut => "a prefix",
                    Some(writes) => {
                        outcome.fail(format!("{what}: {writes} of {} writes, without a word", made.writes));
                        "SYNCED DATA LOST"
                    }
                    // Between two notes the data is a prefix as well; only a cut can lead there.
                    None if cut => "a prefix between two notes, or wrong",
                    None => {
                        outcome.fail(format!("{what}: other data is served"));
                        "WRONG DATA SERVED"
                    }
                }
            }
        };
        outcome.count(&format!("{kind}: {class}"), 1);
    }
}
