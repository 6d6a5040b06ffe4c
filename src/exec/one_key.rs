//! Running a command on its only key: what happens around its handler while the key's stripe is locked.
//!
//! Two ways lead here, and both have this compiled in: the long one that knows every case ([`super::run`]), and the short
//! one of nearly all commands ([`super::quick`]), in which most questions are answered before.

use super::commit::Journal;
use super::effect::Effect;
use super::registry::Command;
use super::run::Desk;
use super::safety::Need;
use super::session::Session;
use super::spec::{ReadOne, WriteOne, flag};
use super::{Args, tell, tracking};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::observe::stats::Seat;
use crate::resp::reply::Reply;
use crate::resp::request::Request;
use crate::table::{Aim, Entry, Locked, Slot};

/// How a command gets at its key.
pub(super) enum Access<'a, 't> {
    /// The stripe is locked already, as for all of a transaction.
    Held(&'a mut Locked<'t>),
    /// The stripe is to be locked for this command alone.
    Free(Aim<'a>),
}

/// A command that is about to run on its only key.
struct OneKey<'k> {
    desk: &'k Desk<'k>,
    seat: &'k Seat,
    command: &'k Command,
    request: &'k Request<'k>,
    key: &'k [u8],
    /// Whether it counts as use of the key.
    touches: bool,
}

impl Desk<'_> {
    /// Reads one key.
    #[inline(always)]
    pub(super) fn read_one(
        &self,
        (command, read): (&Command, ReadOne),
        session: &mut Session,
        request: &Request<'_>,
        access: Access<'_, '_>,
        journal: &mut Journal<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<Effect, Refusal> {
        let (one, mut args) = OneKey::new(self, command, session, request)?;
        let reader = tracking::reader(session, command);
        let need = &mut session.need;
        let copy = match access {
            Access::Held(locked) => {
                let mut slot = locked.open(args.db(), one.key);
                one.look(&mut slot, &args, journal, need);
                let outcome = read(&mut args, slot.entry(), reply).map(|()| None);
                one.remember(reader, &slot);
                outcome
            }
            Access::Free(aim) => self.ctx.table.read(aim, one.key, args.now(), |slot| {
                one.look(slot, &args, journal, need);
                let copy = one.copy_if_much(slot.entry());
                let outcome = match &copy {
                    None => read(&mut args, slot.entry(), reply),
                    Some(_) => Ok(()),
                };
                one.remember(reader, slot);
                outcome.map(|()| copy)
            }),
        }?;
        if copy.is_some() {
            read(&mut args, copy.as_ref(), reply)?;
        }
        Ok(Effect::None)
    }

    /// Changes one key.
    #[inline(always)]
    pub(super) fn write_one(
        &self,
        (command, write): (&Command, WriteOne),
        session: &mut Session,
        request: &Request<'_>,
        access: Access<'_, '_>,
        journal: &mut Journal<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<Effect, Refusal> {
        let (one, mut args) = OneKey::new(self, command, session, request)?;
        let (author, db) = (session.client.id, args.db());
        let need = &mut session.need;
        let late = cfg!(feature = "canary-logged-after-unlock") && matches!(access, Access::Free(_));
        let mut change = |slot: &mut Slot<'_>, journal: &mut Journal<'_>| {
            one.open(slot, db, journal);
            slot.by(author);
            let outcome = write(&mut args, slot, reply);
            let changed = outcome.as_ref().is_ok_and(|effect| !late && journal.commit(db, effect, request));
            one.close(slot, changed, journal, need);
            outcome
        };
        let aim = match access {
            Access::Held(locked) => return change(&mut locked.open(db, one.key), journal),
            Access::Free(aim) => aim,
        };
        let done = self.ctx.table.write(aim, one.key, self.now(), |slot| {
            if slot.is_awaited() {
                one.let_go(slot, db, journal);
                return None;
            }
            Some(change(slot, journal))
        });
        let outcome = match done {
            Some(outcome) => outcome,
            // Somebody sleeps on this key, and may need another one to be served.
            None => {
                let address = self.ctx.table.address_of(db, aim.hash());
                let mut locked = Locked::new(&self.ctx.table, std::iter::once(address), self.now());
                let outcome = change(&mut locked.open(db, one.key), journal);
                if !session.in_exec {
                    self.serve_waiting(locked);
                }
                outcome
            }
        };
        if late && let Ok(effect) = &outcome {
            std::thread::yield_now();
            journal.commit(db, effect, request);
        }
        outcome
    }
}

impl<'k> OneKey<'k> {
    /// The command and its arguments, which stand behind the key; a refusal where the key is missing.
    #[inline(always)]
    fn new(
        desk: &'k Desk<'k>,
        command: &'k Command,
        session: &Session,
        request: &'k Request<'k>,
    ) -> Result<(Self, Args<'k>), Refusal> {
        let at = command.only_key(request)?;
        let touches = !session.no_touch && !command.spec.has(flag::NO_TOUCH_KEY);
        let one = OneKey { desk, seat: desk.counters(), command, request, key: request.arg(at), touches };
        Ok((one, desk.args(*request, at + 1, session)))
    }

    /// What comes before any look at the slot.
    #[inline(always)]
    fn open(&self, slot: &mut Slot<'_>, db: usize, journal: &mut Journal<'_>) {
        if let Some(lapsed) = slot.take_lapsed() {
            journal.lapsed(db, self.key, &lapsed);
        }
        if self.touches {
            slot.mark_used();
        }
    }

    /// What a look at the slot brings with it before the handler does so.
    #[inline(always)]
    fn look(&self, slot: &mut Slot<'_>, args: &Args<'_>, journal: &mut Journal<'_>, need: &mut Need) {
        self.open(slot, args.db(), journal);
        need.saw(journal.seen(slot));
        if slot.exists() {
            self.seat.hits.add(1)
        } else {
            self.seat.misses.add(1);
            if !self.command.spec.has(flag::SILENT_MISS) {
                slot.tell(event::KEY_MISS);
            }
        }
        if self.desk.ctx.table.is_heard() {
            tell::by_command(self.desk.ctx, journal, self.desk.now(), slot.take_told());
        }
    }

    /// A copy to be read when the stripe is let go, where reading takes long.
    #[inline(always)]
    fn copy_if_much(&self, entry: Option<&Entry>) -> Option<Entry> {
        let reads_much = self.command.spec.reads_much?;
        entry?.copy_if_big(|entry| reads_much(self.request, entry))
    }

    /// Whoever caches what it reads is told when that changes.
    #[inline(always)]
    fn remember(&self, reader: Option<u64>, slot: &Slot<'_>) {
        if let Some(reader) = reader {
            self.desk.ctx.tracking.remember(self.key, slot.hash(), reader);
        }
    }

    /// What follows from a write while its stripe is locked.
    #[inline(always)]
    fn close(&self, slot: &mut Slot<'_>, changed: bool, journal: &mut Journal<'_>, need: &mut Need) {
        need.saw(journal.seen(slot));
        if changed {
            self.seat.changes.add(1);
        }
        if self.desk.ctx.table.is_heard() {
            let told = tell::of_write(self.command, slot, changed);
            tell::by_command(self.desk.ctx, journal, self.desk.now(), told);
        }
    }

    /// Records and tells what opening the slot did, when the command comes back to it by another way.
    #[cold]
    fn let_go(&self, slot: &mut Slot<'_>, db: usize, journal: &mut Journal<'_>) {
        slot.take_lapsed().into_iter().for_each(|lapsed| journal.lapsed(db, self.key, &lapsed));
        tell::by_command(self.desk.ctx, journal, self.desk.now(), slot.take_told());
    }
}
