//! Copies a log up to a sequence number or a time into another directory: repair, and the way back in time.
//!
//! ```text
//! find    every file of the chain is read; those whose numbers follow each other without a gap are a *run*
//! choose  the latest run that reaches the target, and in it the latest good base that is not beyond it
//! write   that base, byte for byte, one increment with the units from there to the target, the manifest last
//! ```
//!
//! A new base stands at the number at which the file before it ends, so with a history kept a run goes through many
//! rewrites, and a damaged base is bridged by the one before. The units keep their numbers and times. What is behind
//! damage is left out, whether it is readable or not: it was made on top of what is missing.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batch::Unit;
use super::manifest::{Entry, Manifest};
use super::place::{DirectoryLock, Place};
use super::reader::{Reader, Verdict};
use super::record::{Check, GROUP_LINE, Section, Seq, TIME_PREFIX, encode_command};
use super::replace::{ReplaceFile, replace_file};
use super::survey::{BaseFacts, Chain, Link, LinkKind, told, verify_base};
use super::writer::random_id;

/// How far to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Up to this sequence number.
    Seq(Seq),
    /// All that was written up to this Unix second, its end included.
    Time(i64),
    /// As far as everything is good.
    Last,
}

/// What was copied, and what was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The base taken over, if there is one.
    pub base: Option<String>,
    /// The sequence number that it holds, and the last one copied.
    pub from: Seq,
    pub to: Seq,
    /// Lines that say what is left out.
    pub left_out: Vec<String>,
}

/// Why nothing was copied.
#[derive(Debug)]
pub enum CopyError {
    /// The directory does not hold what was asked for.
    Unreachable(String),
    Io {
        doing: &'static str,
        path: PathBuf,
        error: io::Error,
    },
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => f.write_str(why),
            Self::Io { doing, path, error } => write!(f, "cannot {doing} {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for CopyError {}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CopyError + use<> {
    let path = path.to_path_buf();
    move |error| CopyError::Io { doing, path, error }
}

/// Files whose numbers follow each other.
#[derive(Default)]
struct Run {
    bases: Vec<BaseAt>,
    increments: Vec<Link>,
    /// Whether anything stands in it yet.
    begun: bool,
    first: Seq,
    last: Seq,
    /// The first `#TS` lines of each second: how far the log was then, and the time.
    stamps: Vec<(Seq, i64)>,
    /// Why nothing more can follow.
    end: Option<String>,
    /// What else is to be told.
    notes: Vec<String>,
}

struct BaseAt {
    link: Link,
    seq: Seq,
    created_unix_s: Option<i64>,
}

impl Chain {
    /// Copies the log into `into`, which must not exist or be empty.
    pub fn copy(&self, target: Target, into: &Path) -> Result<Copied, CopyError> {
        let runs = self.runs()?;
        let (run, to) = choose(&runs, target)?;
        let base = run.bases.iter().rev().find(|base| base.seq <= to);
        let from = base.map_or(run.first, |base| base.seq);
        self.write(run, base, from, to, into)?;
        let mut left_out = Vec::new();
        if to < run.last {
            left_out.push(format!("records {} to {}", to + 1, run.last));
        }
        left_out.extend(run.notes.iter().chain(&run.end).cloned());
        let later = runs.iter().skip_while(|other| !std::ptr::eq(*other, run)).skip(1);
        for other in later {
            left_out.push(format!("a later part of the log with records {} to {}", other.first, other.last));
            left_out.extend(other.notes.iter().chain(&other.end).cloned());
        }
        Ok(Copied { base: base.map(|base| base.link.name.clone()), from, to, left_out })
    }

    /// Whether any state can be made of what is here, and if not, why.
    pub fn can_be_copied(&self) -> Result<(), CopyError> {
        choose(&self.runs()?, Target::Last).map(|_| ())
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, CopyError> {
        self.place.storage.read_all(path).map_err(failed("read", path))
    }

    fn runs(&self) -> Result<Vec<Run>, CopyError> {
        let mut runs = vec![Run::default()];
        for link in self.links() {
            let Some(run) = runs.last_mut() else { break };
            let next = match (link.kind, self.read(&link.path)) {
                (LinkKind::Base, bytes) => {
                    let facts = bytes
                        .map_err(|error| error.to_string())
                        .and_then(|bytes| verify_base(&bytes).map_err(|(at, reason)| damage(at, reason)));
                    run.take_base(link, facts)
                }
                (LinkKind::Increment, Ok(bytes)) => {
                    run.take_increment(link, &bytes);
                    None
                }
                (LinkKind::Increment, Err(error)) => {
                    run.end.get_or_insert(format!("all from {} on: {error}", link.name));
                    None
                }
            };
            runs.extend(next);
        }
        Ok(runs)
    }

    fn write(
        &self,
        run: &Run,
        base: Option<&BaseAt>,
        from: Seq,
        to: Seq,
        into: &Path,
    ) -> Result<(), CopyError> {
        let storage = &self.place.storage;
        let lock = Arc::new(DirectoryLock::not_taken(into));
        let place = Place { storage: storage.clone(), lock, names: self.place.names.clone() };
        let there = storage.exists(into).map_err(failed("look for", into))?;
        let has_files = there && !storage.list(into).map_err(failed("list", into))?.is_empty();
        // A directory within is not in that list.
        if has_files || storage.exists(&place.dir()).map_err(failed("look for", &place.dir()))? {
            let why = format!("{} holds files already; give the name of a new directory", into.display());
            return Err(CopyError::Unreachable(why));
        }
        storage.create_dir_all(&place.dir()).map_err(failed("create", &place.dir()))?;
        let mut manifest = Manifest::default();
        if let Some(base) = base {
            let bytes = self.read(&base.link.path)?;
            let mut name = place.base_name(1);
            if !bytes.starts_with(b"REDIS") {
                name = name.replace(".base.rdb", ".base.aof");
            }
            let path = place.path(&name);
            replace_file(storage, &path, &bytes).map_err(|e| failed("write", &path)(e.error))?;
            manifest.base = Some(Entry::new(name, 1));
        }
        let name = place.increment_name(1);
        let path = place.path(&name);
        let file = ReplaceFile::create(storage, &path).map_err(failed("create", &path))?;
        let mut increment = Increment::new(file, from).map_err(failed("write", &path))?;
        for link in &run.increments {
            let bytes = self.read(&link.path)?;
            let mut reader = Reader::new(&bytes, None);
            while let Some(batch) = reader.next_batch() {
                for unit in batch.units().filter(|unit| unit.seq > from && unit.seq <= to) {
                    increment.put(&unit).map_err(failed("write", &path))?;
                }
            }
        }
        let file = increment.end().map_err(failed("write", &path))?;
        file.commit().map_err(|e| failed("write", &path)(e.error))?;
        manifest.increments.push(Entry::new(name, 1));
        let path = place.manifest();
        replace_file(storage, &path, manifest.render().as_bytes())
            .map_err(|e| failed("write", &path)(e.error))?;
        storage.sync_dir(into).map_err(failed("sync", into))?;
        Ok(())
    }
}

impl Run {
    /// Gives the run that begins with this base, if it is another.
    fn take_base(&mut self, link: &Link, facts: Result<BaseFacts, String>) -> Option<Run> {
        let BaseFacts { seq, created_unix_s, .. } = match facts {
            Ok(facts) => facts,
            Err(reason) => {
                // The increments before and behind it may follow each other nevertheless.
                self.notes.push(format!("{}, which is damaged: {reason}", link.name));
                return None;
            }
        };
        let seq = seq.unwrap_or_default();
        let base = BaseAt { link: link.clone(), seq, created_unix_s };
        if !self.begun {
            (self.begun, self.first, self.last) = (true, seq, seq);
        } else if self.last != seq || self.end.is_some() {
            return Some(Run { bases: vec![base], begun: true, first: seq, last: seq, ..Run::default() });
        }
        self.bases.push(base);
        None
    }

    fn take_increment(&mut self, link: &Link, bytes: &[u8]) {
        if self.end.is_some() {
            return;
        }
        let mut reader = Reader::new(bytes, self.begun.then_some(self.last));
        while let Some(batch) = reader.next_batch() {
            for unit in batch.units() {
                let time = unit.time_unix_s;
                if time > 0 && self.stamps.last().is_none_or(|(_, last)| *last != time) {
                    self.stamps.push((unit.seq - 1, time));
                }
            }
        }
        let summary = reader.finish();
        if let Some(first) = summary.first.filter(|_| !self.begun) {
            (self.begun, self.first) = (true, first);
        }
        if !matches!(summary.verdict, Verdict::Gap { offset: 0, .. }) && summary.first.is_some() {
            self.last = summary.last;
            self.increments.push(link.clone());
        }
        if summary.verdict != Verdict::Clean {
            let (offset, reason) = told(&summary.verdict);
            let len = bytes.len() as u64 - offset;
            self.end = Some(format!(
                "{len} bytes of {} from byte {offset} on, and all that was written later: {reason}",
                link.name
            ));
        }
    }
}

/// The run that reaches the target, and the number to copy up to.
fn choose(runs: &[Run], target: Target) -> Result<(&Run, Seq), CopyError> {
    let unreachable = |why: String| CopyError::Unreachable(why);
    let usable = |run: &&Run| run.begun && (!run.bases.is_empty() || run.first == 0);
    if !runs.iter().any(|run| usable(&run)) {
        return Err(unreachable(no_beginning(runs)));
    }
    let ranges = || {
        let all = runs.iter().filter(usable).map(|run| format!("{} to {}", run.first, run.last));
        all.collect::<Vec<_>>().join(", ")
    };
    let found = match target {
        Target::Last => runs.iter().rev().find(usable).map(|run| (run, run.last)),
        Target::Seq(seq) => {
            let reaches = |run: &&Run| seq <= run.last && seq >= run.start();
            runs.iter().rev().filter(usable).find(reaches).map(|run| (run, seq))
        }
        Target::Time(time) => {
            for run in runs.iter().rev().filter(usable) {
                if let Some(seq) = run.at(time)? {
                    return Ok((run, seq));
                }
            }
            None
        }
    };
    found.ok_or_else(|| match target {
        Target::Time(_) => unreachable(
            "the directory does not go back that far. `aof-keep-history` says how much is kept".to_owned(),
        ),
        _ => unreachable(format!("what can be read here are the states from number {}", ranges())),
    })
}

/// Says that there is no base to begin with, and why.
fn no_beginning(runs: &[Run]) -> String {
    let notes: Vec<_> = runs.iter().flat_map(|run| run.notes.iter().chain(&run.end)).cloned().collect();
    let why = match notes.is_empty() {
        true => "no base is there, and the log does not go back to its beginning".to_owned(),
        false => notes.join("; "),
    };
    format!(
        "no state can be made of this log, because the base on which all of it stands cannot be used: {why}. What remains is \
         a backup, a snapshot or a replica"
    )
}

/// Where a base is damaged, and how.
fn damage(at: Option<u64>, reason: String) -> String {
    match at {
        // What is said of a snapshot mostly names the place itself.
        Some(at) if !reason.contains("at byte") => format!("{reason}, at byte {at}"),
        _ => reason,
    }
}

impl Run {
    /// The first number whose state can be made.
    fn start(&self) -> Seq {
        self.bases.first().map_or(self.first, |base| base.seq)
    }

    /// How far the run was at the end of a second; `None` when it began later.
    fn at(&self, time: i64) -> Result<Option<Seq>, CopyError> {
        let base = self.bases.iter().rev().find(|base| base.created_unix_s.is_some_and(|at| at <= time));
        let stamp = self.stamps.iter().find(|(_, stamp)| *stamp > time);
        match (stamp, base) {
            (None, None) if self.stamps.is_empty() => Ok(None),
            (None, _) if self.stamps.is_empty() && self.last > self.start() => {
                Err(CopyError::Unreachable(
                    "the log carries no times: `aof-timestamp-enabled` was off. `pinstripe repair --to SEQ` \
                     goes by sequence numbers"
                        .to_owned(),
                ))
            }
            (None, _) => Ok(Some(self.last)),
            (Some((seq, _)), _) if self.stamps.first().is_some_and(|(_, first)| *first <= time) => {
                Ok(Some(*seq))
            }
            // The first line with a time is too late. Only a base that was there by then, with nothing written between
            // the two, will do.
            (Some((seq, _)), Some(base)) if base.seq == *seq => Ok(Some(*seq)),
            (Some(_), Some(_)) => Err(CopyError::Unreachable(
                "some records of that time carry no time. `pinstripe repair --to SEQ` goes by sequence numbers"
                    .to_owned(),
            )),
            (Some(_), None) => Ok(None),
        }
    }
}

/// A group is closed when it is this long, bytes.
const GROUP_LEN: usize = 1024 * 1024;

/// Writes an increment of one section. Its groups are small enough to be read without much memory.
struct Increment<W> {
    sink: W,
    seed: u32,
    chain: u32,
    group: Vec<u8>,
    last: Seq,
    db: Option<u32>,
    time_unix_s: i64,
}

impl<W: Write> Increment<W> {
    fn new(mut sink: W, first: Seq) -> io::Result<Self> {
        let mut line = Vec::new();
        let seed = Section { id: random_id(), first }.encode(0, &mut line);
        sink.write_all(&line)?;
        Ok(Self { sink, seed, chain: seed, group: Vec::new(), last: first, db: None, time_unix_s: 0 })
    }

    fn put(&mut self, unit: &Unit<'_, '_>) -> io::Result<()> {
        if self.group.len() >= GROUP_LEN || (self.time_unix_s != unit.time_unix_s && !self.group.is_empty()) {
            self.close()?;
        }
        if self.group.is_empty() {
            self.group.extend_from_slice(GROUP_LINE);
            if self.time_unix_s != unit.time_unix_s {
                self.time_unix_s = unit.time_unix_s;
                self.group.extend_from_slice(TIME_PREFIX);
                self.group.extend_from_slice(format!("{}\r\n", unit.time_unix_s).as_bytes());
            }
        }
        let commands = unit.commands();
        let is_transaction = commands.len() != 1;
        if is_transaction {
            encode_command(&mut self.group, [b"MULTI".as_slice()].into_iter());
        }
        for command in commands {
            if self.db.replace(command.db) != Some(command.db) {
                let index = itoa::Buffer::new().format(command.db).to_owned();
                encode_command(&mut self.group, [b"SELECT".as_slice(), index.as_bytes()].into_iter());
            }
            encode_command(&mut self.group, command.args.iter().copied());
        }
        if is_transaction {
            encode_command(&mut self.group, [b"EXEC".as_slice()].into_iter());
        }
        self.last += 1;
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        // The manifest is written when all of this is on the device, so the watermark may say so.
        let check = Check::of(&self.group, self.last, self.last, self.seed, self.chain);
        check.encode(&mut self.group);
        self.chain = check.chain;
        self.sink.write_all(&self.group)?;
        self.group.clear();
        Ok(())
    }

    fn end(mut self) -> io::Result<W> {
        self.close()?;
        Ok(self.sink)
    }
}
