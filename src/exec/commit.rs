//! From effects to the log: the one place where a change becomes a record.
//!
//! A journal is written to while the stripes of the change are locked, so that the order of records is the order in
//! which conflicting commands ran.

use super::effect::Effect;
use super::tell::Queue;
use crate::log::{Log, encode_command};
use crate::resp::request::Request;
use crate::table::{Lapsed, Locked, Slot};

/// The most fields that one record removes, so that no reader of the log needs much memory at once.
const FIELDS_MAX: usize = 1024;

/// Where the effects of a command go.
pub enum Journal<'a> {
    /// Straight into the log; the sequence number of the last record is kept.
    Log {
        /// The log.
        log: &'a Log,
        /// 0 before the first record.
        last: u64,
    },
    /// Gathered, to become one record: a transaction.
    Unit(Unit),
    /// Nowhere: replay, whose effects are in the log already.
    Nowhere,
}

/// The effects of a transaction.
#[derive(Default)]
pub struct Unit {
    bytes: Vec<u8>,
    commands: usize,
    /// The database of the first command, and the one in force at the end.
    db: Option<(usize, usize)>,
    /// What only replicas are told, each with its place in `bytes`.
    asides: Vec<(usize, Vec<u8>)>,
    /// What is to be sent when the record is in the log.
    pub(super) queue: Queue,
}

impl Journal<'_> {
    /// Records the removal of what had outlived its time. It stands before the effect of the command that noticed.
    pub fn lapsed(&mut self, db: usize, key: &[u8], lapsed: &Lapsed) {
        match lapsed {
            Lapsed::Key => self.removed(db, key),
            Lapsed::Fields(names) => {
                for names in names.chunks(FIELDS_MAX) {
                    let mut words: Vec<&[u8]> = vec![b"HDEL", key];
                    words.extend(names.iter().map(Box::as_ref));
                    self.write(db, 1, |out| encode_command(out, words.iter().copied()));
                }
            }
        }
    }

    /// Records that a key was removed, by no command.
    pub(super) fn removed(&mut self, db: usize, key: &[u8]) {
        self.write(db, 1, |out| encode_command(out, [b"DEL".as_slice(), key].into_iter()));
    }

    /// Records what a command did; true when that was anything.
    #[inline]
    pub fn commit(&mut self, db: usize, effect: &Effect, request: &Request<'_>) -> bool {
        match effect {
            Effect::None | Effect::Wait(_) => return false,
            Effect::PassOn => {
                self.pass_on(db, request);
                return false;
            }
            Effect::Same => self.write(db, 1, |out| match request.raw() {
                Some(frame) => out.extend_from_slice(frame),
                None => encode_command(out, request.iter()),
            }),
            // Several commands of one effect must not be torn apart by a crash.
            Effect::Instead(record) => self.write(db, record.commands(), |out| {
                framed(record.commands() > 1, out, |out| out.extend_from_slice(record.bytes()));
            }),
        }
        true
    }

    fn write(&mut self, db: usize, commands: usize, encode: impl FnOnce(&mut Vec<u8>)) {
        match self {
            Journal::Log { log, last } => *last = log.append(db as u32, encode).max(*last),
            Journal::Unit(unit) => {
                let before = unit.db.filter(|_| unit.commands > 0);
                if before.is_some_and(|(_, current)| current != db) {
                    select(&mut unit.bytes, db);
                }
                unit.db = Some((before.map_or(db, |(first, _)| first), db));
                // The unit is a transaction as a whole, so the effect needs no frame of its own.
                let start = unit.bytes.len();
                encode(&mut unit.bytes);
                if commands > 1 {
                    let end = unit.bytes.len() - EXEC.len();
                    unit.bytes.truncate(end);
                    unit.bytes.drain(start..start + MULTI.len());
                }
                unit.commands += commands;
            }
            Journal::Nowhere => {}
        }
    }

    /// Hands replicas what is no change: it has its place among the changes, and none in the log.
    #[cold]
    fn pass_on(&mut self, db: usize, request: &Request<'_>) {
        let mut command = Vec::new();
        encode_command(&mut command, request.iter());
        match self {
            Journal::Log { log, .. } => log.pass_on(db as u32, &command),
            Journal::Unit(unit) => {
                unit.asides.push((unit.bytes.len(), command));
                unit.db = unit.db.or(Some((db, db)));
            }
            Journal::Nowhere => {}
        }
    }

    /// The record that must be safe before anybody is told what the slot shows, its own changes included. To be asked when
    /// these are recorded. In a transaction, whose record is written at its end, that is not known: 0.
    #[inline]
    pub fn seen(&self, slot: &mut Slot<'_>) -> u64 {
        let Journal::Log { log, last } = self else { return 0 };
        if *last > 0 {
            slot.recorded(*last);
        }
        slot.last_record(|| log.appended())
    }

    /// As [`Journal::seen`], of all that is locked.
    pub fn seen_in_all(&self, locked: &mut Locked<'_>) -> u64 {
        let Journal::Log { log, last } = self else { return 0 };
        if *last > 0 {
            locked.recorded(*last);
        }
        locked.last_record(|| log.appended())
    }

    /// The sequence number of the last record, 0 if there was none.
    pub fn last(&self) -> u64 {
        match self {
            Journal::Log { last, .. } => *last,
            _ => 0,
        }
    }
}

impl Unit {
    /// Writes the transaction as one record; its sequence number, 0 if it changed nothing.
    pub fn finish(self, log: &Log) -> u64 {
        let Some((first, last)) = self.db else { return 0 };
        let databases = (first as u32, last as u32);
        if cfg!(feature = "canary-exec-split") && first == last {
            return log.append(first as u32, |out| out.extend_from_slice(&self.bytes));
        }
        let told = (!self.asides.is_empty()).then(|| self.with_asides());
        if self.commands == 0 {
            log.pass_on(databases.0, &told.unwrap_or_default());
            return 0;
        }
        let wraps = self.commands > 1 || first != last;
        log.append_unit(
            databases,
            |out| framed(wraps, out, |out| out.extend_from_slice(&self.bytes)),
            told.as_deref(),
        )
    }

    /// The transaction as replicas are told of it.
    fn with_asides(&self) -> Vec<u8> {
        let mut out = Vec::new();
        framed(self.commands + self.asides.len() > 1, &mut out, |out| {
            let mut done = 0;
            for (place, command) in &self.asides {
                out.extend_from_slice(self.bytes.get(done..*place).unwrap_or_default());
                out.extend_from_slice(command);
                done = *place;
            }
            out.extend_from_slice(self.bytes.get(done..).unwrap_or_default());
        });
        out
    }
}

/// Writes commands, between MULTI and EXEC where they are several.
fn framed(wraps: bool, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    if wraps {
        out.extend_from_slice(MULTI);
    }
    write(out);
    if wraps {
        out.extend_from_slice(EXEC);
    }
}

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

fn select(out: &mut Vec<u8>, db: usize) {
    let mut number = itoa::Buffer::new();
    encode_command(out, [b"SELECT".as_slice(), number.format(db).as_bytes()].into_iter());
}
