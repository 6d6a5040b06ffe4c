//! Commands on several keys: how their keys are locked, read and let go of.

use smallvec::SmallVec;

use super::commit::Journal;
use super::registry::Command;
use super::run::{Desk, skip};
use super::session::Session;
use super::spec::{Many, flag};
use super::{Args, tell, tracking, wait};
use crate::base::refusal::Refusal;
use crate::resp::reply::Reply;
use crate::resp::request::Request;
use crate::table::{Entry, Locked};

impl<'c> Desk<'c> {
    /// Reads several keys as they are at one time: under their locks, or from copies after these are let go.
    pub(super) fn read_many(
        &self,
        (command, many): (&Command, Many),
        session: &mut Session,
        request: &Request<'_>,
        locked: Option<&mut Locked<'_>>,
        journal: &mut Journal<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<(), Refusal> {
        let (db, reader) = (session.db, tracking::reader(session, command));
        let touches = !session.no_touch && !command.spec.has(flag::NO_TOUCH_KEY);
        // Chance plays no part where what several keys hold is combined.
        let mut args = Args::new(*request, skip(request, command), db, self.now(), &self.config, 0);
        let words = command.spec.key_positions(request);
        let keys: SmallVec<[&[u8]; 8]> = words.iter().map(|key| request.arg(key.index)).collect();
        let may_copy = locked.is_none();
        let need = &mut session.need;
        let mut body = |locked: &mut Locked<'_>| {
            let entries = locked.entries(db, keys.iter().copied(), touches);
            let copies = if may_copy { Entry::copies_if_big(&entries, many.reads_much) } else { None };
            let outcome = match copies {
                Some(copies) => Ok(Some(copies)),
                None => (many.read)(&mut args, &entries, reply).map(|()| None),
            };
            drop(entries);
            need.saw(self.close_keys(command, request, db, reader, locked, journal, |_| false));
            outcome
        };
        let copies = match locked {
            Some(locked) => body(locked),
            None => {
                let mut locked = self.lock_keys(command, db, request);
                let outcome = body(&mut locked);
                // A transaction serves at its end.
                if !session.in_exec {
                    self.serve_waiting(locked);
                }
                outcome
            }
        }?;
        if let Some(copies) = copies {
            let entries: Vec<Option<&Entry>> = copies.iter().map(Option::as_ref).collect();
            (many.read)(&mut args, &entries, reply)?;
        }
        Ok(())
    }

    /// Serves those who wait for what a unit of work changed, and lets go of its locks.
    pub(super) fn serve_waiting(&self, locked: Locked<'c>) {
        self.ctx.stats.seat(self.seat()).changes.add(wait::serve_waiting(self.ctx, locked) as u64);
    }

    /// What follows from a command on several keys while they are still locked: what had expired goes into the log, then,
    /// by `commit`, what the command did, and those who listen are told. Returns the record that the keys' last change has.
    #[expect(clippy::too_many_arguments, reason = "all of it is the command's, and of use only together")]
    pub(super) fn close_keys(
        &self,
        command: &Command,
        request: &Request<'_>,
        db: usize,
        reader: Option<u64>,
        locked: &mut Locked<'_>,
        journal: &mut Journal<'_>,
        commit: impl FnOnce(&mut Journal<'_>) -> bool,
    ) -> u64 {
        let (ctx, seat) = (self.ctx, self.ctx.stats.seat(self.seat()));
        if let Some(reader) = reader {
            tracking::remember(ctx, reader, command, request);
        }
        for (db, key, lapsed) in locked.take_lapsed() {
            journal.lapsed(db, &key, &lapsed);
        }
        let (found, missed) = locked.take_lookups();
        if command.spec.has(flag::READONLY) {
            seat.hits.add(found);
            seat.misses.add(missed);
        }
        if commit(journal) {
            seat.changes.add(1);
        }
        let seen = journal.seen_in_all(locked);
        if ctx.table.is_heard() {
            let told = tell::of_keys(command, request, db, locked.take_told());
            tell::by_command(ctx, journal, self.now(), told);
        }
        seen
    }

    /// Locks all keys that a request names.
    pub(super) fn lock_keys(&self, command: &Command, db: usize, request: &Request<'_>) -> Locked<'c> {
        let table = &self.ctx.table;
        let other =
            command.spec.other_db.and_then(|other| other(request)).filter(|&db| db < table.databases());
        let keys = command.spec.key_positions(request);
        let words = keys.iter().map(|key| request.arg(key.index));
        let here = words.clone().map(|key| table.address(db, key));
        let there = other.into_iter().flat_map(|db| words.clone().map(move |key| table.address(db, key)));
        Locked::new(table, here.chain(there), self.now()).only_reading(command.spec.has(flag::READONLY))
    }
}
