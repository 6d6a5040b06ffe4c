//! Looks through a log's directory, history included, and changes nothing: what each file holds, and where it is
//! damaged.
//!
//! A *chain* is every file that the manifest names, in the order in which it was written:
//!
//! ```text
//! history: base, its increments, the base that replaced them, its increments …    kept by `aof-keep-history`
//! now:     base, increments                                                      what a start loads
//! ```
//!
//! The verdicts are those of a start, made by the same functions (`reader`, `judge`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batch::Batch;
use super::judge::{Increments, Outcome};
use super::manifest::{Entry, Manifest};
use super::open::{BaseKind, OpenError, failed};
use super::place::{DirectoryLock, Names, Place};
use super::rdb::{Decoder, Item, RdbError};
use super::reader::{Reader, Verdict};
use super::record::Seq;
use super::storage::Storage;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    Base,
    Increment,
}

/// One file of a chain.
#[derive(Debug, Clone)]
pub struct Link {
    pub name: String,
    pub path: PathBuf,
    pub kind: LinkKind,
    /// A start does not load it.
    pub is_history: bool,
}

/// See the head of this file.
pub struct Chain {
    pub(super) place: Place,
    manifest: Manifest,
    links: Vec<Link>,
}

/// How a file was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Clean,
    /// From `offset` on it was never finished, as a crash leaves it; a start cuts that off by itself.
    Torn {
        offset: u64,
        reason: String,
    },
    /// A start refuses it. `offset` is the first bad byte, where one can be told.
    Damaged {
        offset: Option<u64>,
        reason: String,
    },
}

/// What is known of a file when it has been read.
#[derive(Debug, Clone)]
pub struct FileReport {
    pub link: Link,
    /// Bytes.
    pub len: u64,
    /// Sequence numbers: before its first unit, and of its last good one. For a base both are the number whose state it
    /// holds.
    pub seqs: Option<(Seq, Seq)>,
    /// Good units, or a base's entries and what stands behind them.
    pub records: u64,
    /// Keys in all databases after it, if it was loaded.
    pub keys: Option<u64>,
    /// First and last `#TS` line, in Unix seconds.
    pub times: Option<(i64, i64)>,
    pub condition: Condition,
}

/// Takes what a start would load.
pub trait Loader {
    /// A whole base.
    fn base(&mut self, path: &Path, kind: BaseKind, bytes: &[u8]) -> Result<(), String>;
    /// Units of an increment.
    fn batch(&mut self, batch: &Batch<'_>) -> Result<(), String>;
    /// Keys so far.
    fn keys(&self) -> u64;
}

impl Chain {
    /// Finds the files of the log in a data directory. `None` when there is no log.
    pub fn find(storage: Arc<dyn Storage>, dir: &Path, names: Names) -> Result<Option<Self>, OpenError> {
        let place = Place { storage, lock: Arc::new(DirectoryLock::not_taken(dir)), names };
        let storage = &place.storage;
        if storage.exists(&place.manifest()).map_err(failed("look for", place.manifest()))? {
            let bytes = storage.read_all(&place.manifest()).map_err(failed("read", place.manifest()))?;
            let manifest = Manifest::parse(&bytes)
                .map_err(|error| OpenError::Manifest { path: place.manifest(), error })?;
            let links = links(&place, &manifest);
            return Ok(Some(Self { place, manifest, links }));
        }
        for name in storage.list(&place.dir()).unwrap_or_default() {
            if place.number_in(&name).is_some() {
                return Err(OpenError::NoManifest { dir: place.dir(), file: name });
            }
        }
        // The single file of a Redis before 7.0 lies beside the directory, until a start moves it in.
        for path in [dir.join(&place.names.file), place.path(&place.names.file)] {
            if storage.exists(&path).map_err(failed("look for", path.clone()))? {
                let name = place.names.file.clone();
                let link = Link { name, path, kind: LinkKind::Base, is_history: false };
                return Ok(Some(Self { place, manifest: Manifest::default(), links: vec![link] }));
            }
        }
        Ok(None)
    }

    /// All files, in the order in which they were written.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Reads all files. Those that a start would load go to `loader`.
    pub fn check(&self, loader: &mut dyn Loader) -> Vec<FileReport> {
        let mut expected = None;
        let mut index = 0;
        let mut ended = false;
        let mut reports = Vec::new();
        for link in &self.links {
            let mut report = FileReport {
                link: link.clone(),
                len: 0,
                seqs: None,
                records: 0,
                keys: None,
                times: None,
                condition: Condition::Clean,
            };
            let bytes = match self.place.storage.read_all(&link.path) {
                Ok(bytes) => bytes,
                Err(error) => {
                    report.condition = Condition::damaged(None, format!("cannot be read: {error}"));
                    ended |= !link.is_history;
                    reports.push(report);
                    continue;
                }
            };
            report.len = bytes.len() as u64;
            let is_current_increment = !link.is_history && link.kind == LinkKind::Increment;
            if ended {
                report.condition = Condition::Torn {
                    offset: 0,
                    reason: "the log ends in a file before this one".to_owned(),
                };
            } else if link.kind == LinkKind::Base {
                report_base(&bytes, &mut report);
                expected = report.seqs.map(|(_, seq)| seq).filter(|_| has_seq(&bytes));
                if !link.is_history && report.condition == Condition::Clean {
                    let kind = base_kind(&bytes);
                    if let Err(reason) = loader.base(&link.path, kind, &bytes) {
                        report.condition = Condition::damaged(None, reason);
                    }
                    report.keys = Some(loader.keys());
                }
            } else {
                let loader: Option<&mut dyn Loader> = if link.is_history { None } else { Some(loader) };
                let summary_last = self.report_increment(index, &bytes, expected, loader, &mut report);
                expected = summary_last.or(expected);
                ended |= !link.is_history && report.condition != Condition::Clean;
            }
            index += usize::from(is_current_increment);
            reports.push(report);
        }
        reports
    }

    /// Gives the number that the next file must continue from, if this one tells.
    fn report_increment(
        &self,
        index: usize,
        bytes: &[u8],
        expected: Option<Seq>,
        mut loader: Option<&mut dyn Loader>,
        report: &mut FileReport,
    ) -> Option<Seq> {
        let mut reader = Reader::new(bytes, expected);
        let mut refused = None;
        while let Some(batch) = reader.next_batch() {
            for unit in batch.units() {
                report.records += 1;
                if unit.time_unix_s > 0 {
                    let first = report.times.map_or(unit.time_unix_s, |(first, _)| first);
                    report.times = Some((first, unit.time_unix_s));
                }
            }
            if let Some(loader) = &mut loader
                && let Err(why) = loader.batch(batch)
            {
                refused.get_or_insert(why);
            }
        }
        let summary = reader.finish();
        report.seqs = summary.first.map(|first| (first, summary.last));
        report.keys = loader.as_ref().map(|loader| loader.keys());
        report.condition = match (&summary.verdict, refused) {
            (_, Some(why)) => Condition::damaged(None, why),
            (Verdict::Clean, None) => Condition::Clean,
            // In the history nothing is cut, and nothing is loaded: it only tells.
            (verdict, None) if loader.is_none() => {
                let (offset, reason) = told(verdict);
                Condition::damaged(Some(offset), reason)
            }
            (verdict, None) => {
                let entries = &self.manifest.increments;
                match (Increments { place: &self.place, entries }).judge(index, bytes, &summary) {
                    Ok(Outcome::GoesOn) => Condition::Clean,
                    Ok(Outcome::EndsAt { offset, reason }) => {
                        Condition::Torn { offset, reason: reason.to_owned() }
                    }
                    Err(_) => {
                        let (offset, reason) = told(verdict);
                        Condition::damaged(Some(offset), reason)
                    }
                }
            }
        };
        summary.first.map(|_| summary.last)
    }
}

impl Condition {
    fn damaged(offset: Option<u64>, reason: impl Into<String>) -> Self {
        Self::Damaged { offset, reason: reason.into() }
    }
}

fn links(place: &Place, manifest: &Manifest) -> Vec<Link> {
    let link = |entry: &Entry, kind, is_history| Link {
        name: entry.name.clone(),
        path: place.path(&entry.name),
        kind,
        is_history,
    };
    let history = manifest.history.iter().map(|entry| {
        let kind = if entry.name.ends_with(".incr.aof") { LinkKind::Increment } else { LinkKind::Base };
        link(entry, kind, true)
    });
    let base = manifest.base.iter().map(|entry| link(entry, LinkKind::Base, false));
    let increments = manifest.increments.iter().map(|entry| link(entry, LinkKind::Increment, false));
    history.chain(base).chain(increments).collect()
}

/// Where and why an increment's verdict is not clean.
pub(super) fn told(verdict: &Verdict) -> (u64, String) {
    match verdict {
        Verdict::Clean => (0, String::new()),
        Verdict::Torn { offset, reason } => (*offset, (*reason).to_owned()),
        Verdict::Corrupt { offset, seq, reason } => {
            (*offset, format!("{reason}, after sequence number {seq}"))
        }
        Verdict::Gap { offset, seq, found } => {
            let reason =
                format!("it continues from sequence number {found}, but what is before it ends with {seq}");
            (*offset, reason)
        }
    }
}

fn base_kind(bytes: &[u8]) -> BaseKind {
    if bytes.starts_with(b"REDIS") { BaseKind::Rdb } else { BaseKind::Commands }
}

fn has_seq(bytes: &[u8]) -> bool {
    super::rdb::base_seq(bytes).is_some()
}

/// What a base tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BaseFacts {
    pub(super) seq: Option<Seq>,
    pub(super) created_unix_s: Option<i64>,
    pub(super) records: u64,
}

/// Reads a base to its end, checksum and all.
pub(super) fn verify_base(bytes: &[u8]) -> Result<BaseFacts, (Option<u64>, String)> {
    let mut facts = BaseFacts { seq: None, created_unix_s: None, records: 0 };
    let mut tail = 0;
    if base_kind(bytes) == BaseKind::Rdb {
        let text = |error: RdbError| (error.offset(), error.to_string());
        let mut decoder = Decoder::new(bytes).map_err(text)?;
        while let Some(item) = decoder.next().map_err(text)? {
            match item {
                Item::Aux { name, value } if *name == *b"ctime" => {
                    facts.created_unix_s =
                        std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok());
                }
                Item::Entry { .. } => facts.records += 1,
                _ => {}
            }
        }
        facts.seq = super::rdb::base_seq(bytes);
        tail = decoder.offset();
    }
    let mut reader = Reader::new(bytes.get(tail..).unwrap_or_default(), None);
    while let Some(batch) = reader.next_batch() {
        facts.records += batch.units().len() as u64;
    }
    match reader.finish().verdict {
        Verdict::Clean => Ok(facts),
        verdict => {
            let (offset, reason) = told(&verdict);
            Err((Some(tail as u64 + offset), reason))
        }
    }
}

fn report_base(bytes: &[u8], report: &mut FileReport) {
    match verify_base(bytes) {
        Ok(facts) => {
            report.records = facts.records;
            report.seqs = Some((facts.seq.unwrap_or_default(), facts.seq.unwrap_or_default()));
        }
        Err((offset, reason)) => report.condition = Condition::damaged(offset, reason),
    }
}
