//! What happens to a request, from its name to its reply.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::Guard;
use smallvec::SmallVec;

use super::commit::Journal;
use super::context::Context;
use super::effect::{Effect, Until, Wait};
use super::one_key::Access;
use super::registry::Command;
use super::session::{Replies, Session};
use super::spec::{Run, flag};
use super::timing::Untimed;
use super::turn::{Everything, Turn};
use super::{
    Args, evict, gate, listen, multi, onlookers, operations, outage, script, timing, tracking, wait,
};
use crate::base::clock::Millis;
use crate::base::prefetch::AHEAD;
use crate::base::refusal::Refusal;
use crate::clients;
use crate::config::Config;
use crate::observe::stats::Seat;
use crate::resp::reply::{Mark, Reply};
use crate::resp::request::{Batch, Request};
use crate::table::{self, Aim, Locked};
use crate::value::Wanted;

pub(super) const NANOS_PER_MS: u64 = 1_000_000;

/// What the connection does after a command.
pub enum Flow {
    /// It goes on with the next one.
    Next,
    /// It sleeps, then writes the reply.
    Wait(Box<Wait>),
    /// It comes back with the same command at this time, or when the pause is ended.
    Paused(Millis),
}

/// A place to run commands at, for the length of a turn: a seat, the settings and the time.
pub struct Desk<'c> {
    /// The process.
    pub ctx: &'c Context,
    /// The settings at the beginning of the turn.
    pub config: Guard<Arc<Config>>,
    seat: usize,
    pub(super) counters: &'c Seat,
    /// None while everything stands still, be it for a command of this desk or for a script that takes too long.
    turn: Option<Turn<'c>>,
    /// Wall time at the beginning of the turn; monotonic time then and now, in nanoseconds.
    began: Millis,
    began_nanos: u64,
    pub(super) elapsed: u64,
    /// The commands that ran since `elapsed` was looked at.
    pub(super) untimed: Untimed,
    /// Whether commands may be timed together.
    shares_time: bool,
    /// A command that takes so many nanoseconds is worth a note.
    pub(super) slow_from: u64,
    /// What came of evicting keys before the last command, if that was tried.
    pub(super) room_made: Option<evict::Outcome>,
    /// Whether the commands that were prepared last may go the short way.
    pub(super) quiet: bool,
    /// The hash of the only key of the command about to run, where [`Desk::prepare`] has computed it.
    prepared: Cell<Option<u64>>,
}

/// A request that was looked at before its turn.
#[derive(Clone, Copy)]
pub struct Prepared<'c, 'r> {
    /// The request.
    pub request: Request<'r>,
    pub(super) command: &'c Command,
    /// Where its only key is, if it has such.
    pub(super) aim: Option<Aim<'c>>,
    /// Whether its time may be told with that of the command behind it.
    pub(super) untimed: bool,
}

impl Prepared<'_, '_> {
    fn have_same_key(one: &Option<Self>, other: &Option<Self>) -> bool {
        let aim = |prepared: &Option<Self>| prepared.and_then(|prepared| prepared.aim);
        aim(one).zip(aim(other)).is_some_and(|(one, other)| one.is_same(&other))
    }

    /// Looks ahead into the value of a key that all of these are about.
    fn look_into(same: &[Option<Self>]) {
        let Some(Some(Prepared { request, command, aim: Some(aim), .. })) = same.first() else { return };
        if let Some(at) = command.key_at() {
            let wanted = same.iter().flatten().filter_map(|Prepared { request, command, .. }| {
                let words = || request.get(at + 1).zip(request.get(request.len().wrapping_sub(1)));
                command.spec.wants.or_else(|| words().map(|(first, last)| Wanted::Words(first, last)))
            });
            aim.look_into(request.arg(at), wanted);
        }
    }
}

/// What [`Desk::prepare`] makes of the requests to come: none of one that cannot be resolved.
pub type Ahead<'c, 'r> = [Option<Prepared<'c, 'r>>; AHEAD];

impl<'c> Desk<'c> {
    /// Begins a turn on a seat.
    pub fn new(ctx: &'c Context, seat: usize) -> Self {
        let turn = ctx.turns.begin_unless(seat, || ctx.scripts.is_overdue());
        let elapsed = ctx.clock.elapsed_nanos();
        let counters = ctx.stats.seat(seat);
        counters.turns.add(1);
        let config = ctx.settings.load();
        let began = ctx.clock.unix_ms();
        outage::prepare(ctx, began);
        Desk {
            ctx,
            slow_from: onlookers::slow_from(&config),
            shares_time: timing::is_shared(&config),
            untimed: Untimed::default(),
            config,
            seat,
            counters,
            room_made: None,
            quiet: false,
            turn,
            began,
            began_nanos: elapsed,
            elapsed,
            prepared: Cell::new(None),
        }
    }

    /// The time of the command, in Unix milliseconds.
    #[inline]
    pub fn now(&self) -> Millis {
        self.began + (self.elapsed.saturating_sub(self.began_nanos) / NANOS_PER_MS) as Millis
    }

    /// Looks at the requests of a batch that will run soon, from this one on: each command is looked up, its only key
    /// hashed, and the memory that it will need is asked for, so that the misses of all of them are waited for together.
    pub fn prepare<'r>(
        &mut self,
        session: &Session,
        (batch, bytes): (&'r Batch, &'r [u8]),
        from: usize,
        ahead: &mut Ahead<'c, 'r>,
    ) {
        self.catch_up();
        let count = ahead.len().min(batch.len() - from);
        let come = || (from..from + count).map(|index| batch.bytes(index)).sum();
        self.quiet = self.is_quiet(session) && !self.ctx.is_memory_tight(come);
        let table = &self.ctx.table;
        let mut aims: SmallVec<[Aim<'c>; AHEAD]> = SmallVec::new();
        // Pipelines mostly repeat themselves: the same name with as many words is the same command.
        let mut last: Option<(Request<'r>, &'c Command)> = None;
        // And so do keys: a queue is pushed to again and again.
        let mut known: Option<(&'r [u8], Aim<'c>)> = None;
        let mut before: Option<&mut Prepared<'c, 'r>> = None;
        for (index, prepared) in (from..).zip(&mut ahead[..count]) {
            let request = batch.get(index, bytes);
            let again = last.filter(|(last, _)| last.len() == request.len() && last.name() == request.name());
            let command = match again {
                Some((_, command)) => command,
                None => match self.ctx.registry.resolve(&request) {
                    Ok(command) => command,
                    Err(_) => {
                        *prepared = None;
                        before = None;
                        continue;
                    }
                },
            };
            last = (!command.is_subcommand).then_some((request, command));
            let aim = command.key_of(&request).map(|key| match known {
                Some((known, aim)) if known.last() == key.last() && known == key => aim,
                _ => {
                    let aim = table.aim(table.address(session.db, key));
                    aims.push(aim);
                    known = Some((key, aim));
                    aim
                }
            });
            // Of those that may be timed together the last is not left untimed.
            let is_brief = self.shares_time && command.spec.is_brief(request.len(), batch.bytes(index));
            if is_brief && let Some(before) = &mut before {
                before.untimed = true;
            }
            *prepared = Some(Prepared { request, command, aim, untimed: false });
            before = prepared.as_mut().filter(|_| is_brief);
        }
        table::look_ahead(&aims);
        for same in ahead[..count].chunk_by(Prepared::have_same_key).filter(|same| same.len() > 1) {
            Prepared::look_into(same);
        }
    }

    /// Runs a request that was looked at before, and writes its reply.
    #[inline]
    pub fn run_prepared(
        &mut self,
        session: &mut Session,
        prepared: &Prepared<'c, '_>,
        out: &mut Vec<u8>,
    ) -> Flow {
        if self.quiet
            && let Some(aim) = prepared.aim
            && let Some(flow) = self.run_quickly(session, prepared, aim, out)
        {
            return flow;
        }
        self.run(session, &prepared.request, Some(prepared), out)
    }

    /// Runs one request and writes its reply. `prepared` is what [`Desk::prepare`] made of this request.
    pub fn run(
        &mut self,
        session: &mut Session,
        request: &Request<'_>,
        prepared: Option<&Prepared<'c, '_>>,
        out: &mut Vec<u8>,
    ) -> Flow {
        self.catch_up();
        // It may be one after which things are different.
        self.quiet = false;
        let mark = out.len();
        let flow = self.answer(session, request, prepared, out);
        if out.len() > mark {
            session.looks.answered();
        }
        if session.tracking.is_some() && !matches!(flow, Flow::Paused(_)) {
            let command = self.ctx.registry.resolve(request);
            let is_about_clients = command.is_ok_and(|command| command.full_name.starts_with("client|"));
            let mark = out.len();
            tracking::after_command(session, is_about_clients, out);
            self.note_posted(session, mark, out);
        }
        flow
    }

    fn answer(
        &mut self,
        session: &mut Session,
        request: &Request<'_>,
        prepared: Option<&Prepared<'c, '_>>,
        out: &mut Vec<u8>,
    ) -> Flow {
        self.room_made = None;
        if self.ctx.room.is_limited() {
            self.make_room(session, request, out);
        }
        let mark = out.len();
        let mut reply = Reply::new(out, session.proto);
        let seat = self.counters;
        self.prepared.set(prepared.and_then(|prepared| prepared.aim).map(|aim| aim.hash()));
        let resolved = match prepared {
            Some(prepared) => Ok(prepared.command),
            None => self.ctx.registry.resolve(request),
        };
        let command = match resolved {
            Ok(command) => command,
            Err(_) if is_cross_protocol(request.name()) => {
                tracing::warn!(
                    client = session.client.address,
                    "closed: it speaks HTTP. Somebody may be trying to make a browser or proxy send commands here"
                );
                session.closing = true;
                return Flow::Next;
            }
            Err(refusal) => {
                self.refuse(None, session, &refusal, &mut reply);
                self.obey_reply_mode(session, mark, out);
                return Flow::Next;
            }
        };
        if let Err(refusal) = self.pass_gates(session, command, request) {
            seat.processed.add(1);
            self.refuse(Some(command), session, &refusal, &mut reply);
            self.obey_reply_mode(session, mark, out);
            return Flow::Next;
        }
        if let Some(until) = self.paused(session, command, request) {
            return Flow::Paused(until);
        }
        seat.processed.add(1);
        session.client.last_command.store(command.id as u32, Ordering::Relaxed);
        let flow = self.dispatch(session, command, request, &mut reply);
        session.mute = matches!(flow, Flow::Wait(_)) && session.replies != Replies::On;
        if session.replies != Replies::On
            && session.transaction.is_none()
            && command.spec.has(flag::ANSWERS_BY_PUSH)
        {
            let pushes = out.split_off(mark);
            self.obey_reply_mode(session, mark, out);
            out.extend_from_slice(&pushes);
        } else {
            self.obey_reply_mode(session, mark, out);
        }
        if session.is_told() {
            // What is stale must not be told before the reply that makes a cache hold it.
            let behind = command.spec.has(flag::ANSWERS_BY_PUSH)
                || matches!(command.spec.run, Run::Exec)
                || session.tracking.is_some();
            let mark_behind = out.len();
            listen::place_posted(session, behind, mark, out);
            self.note_posted(session, mark_behind, out);
        }
        flow
    }

    /// What was posted may tell of anything that is in the log.
    pub(super) fn note_posted(&self, session: &mut Session, mark: usize, out: &[u8]) {
        if out.len() > mark {
            session.need.saw(self.ctx.log.appended());
            session.looks.not_only();
        }
    }

    fn pass_gates(&self, session: &Session, command: &Command, request: &Request<'_>) -> Result<(), Refusal> {
        gate::busy(self.turn.is_none(), command)?;
        gate::authentication(session, command)?;
        gate::transaction(session, command)?;
        gate::memory(self.ctx, self.room_made, session, command, request)?;
        gate::listening(session, command)?;
        gate::loading(self.ctx, command)?;
        gate::disk_works(self.ctx, &self.config, command)?;
        gate::replicas(self.ctx, &self.config, command)?;
        gate::monitoring(session, command)
    }

    /// CLIENT PAUSE holds commands, though not those that would end it.
    #[inline]
    fn paused(&self, session: &Session, command: &Command, request: &Request<'_>) -> Option<Millis> {
        self.ctx.clients.paused_until(true, self.began)?;
        let is_exec = matches!(command.spec.run, Run::Exec);
        let queues = session.transaction.is_some() && !is_exec;
        let is_exempt = command.spec.has(flag::NO_AUTH) || session.client.has_flag(clients::flag::REPLICA);
        if queues || is_exempt || command.full_name.starts_with("client|") {
            return None;
        }
        let may_write = match &session.transaction {
            Some(queued) if is_exec => queued.may_write(),
            _ => script::may_write(self.ctx, command, request),
        };
        self.ctx.clients.paused_until(may_write, self.began)
    }

    fn dispatch(
        &mut self,
        session: &mut Session,
        command: &Command,
        request: &Request<'_>,
        reply: &mut Reply<'_>,
    ) -> Flow {
        if let Some(transaction) = &mut session.transaction
            && !matches!(command.spec.run, Run::Exec)
            && !command.spec.has(flag::TRANSACTION_CONTROL)
        {
            transaction.queue(self.ctx, command, request);
            session.client.queued.store(transaction.len() as i64, Ordering::Relaxed);
            session.looks.not_only();
            reply.simple("QUEUED");
            return Flow::Next;
        }
        let mut journal = Journal::Log { log: &self.ctx.log, last: 0 };
        let effect = self.call(command, session, request, None, &mut journal, reply);
        session.need.wrote(journal.last());
        match effect {
            Effect::Wait(wait) => Flow::Wait(wait),
            _ => Flow::Next,
        }
    }

    /// Runs one command and everything that follows from it but the decision what the connection does next. `locked`
    /// holds its stripes already, when a transaction runs it.
    pub(super) fn call(
        &mut self,
        command: &Command,
        session: &mut Session,
        request: &Request<'_>,
        locked: Option<&mut Locked<'_>>,
        journal: &mut Journal<'_>,
        reply: &mut Reply<'_>,
    ) -> Effect {
        let ctx = self.ctx;
        let mark = reply.mark();
        let started = self.elapsed;
        let need = session.need;
        let mut outcome = if matches!(command.spec.run, Run::Exec) {
            self.exec(session, reply).map(|()| Effect::None)
        } else if command.spec.needs_everything(request) && locked.is_none() && !session.in_exec {
            let everything = self.leave_turn();
            let outcome = self.execute(command, session, request, None, journal, reply);
            drop(everything);
            self.resume_turn();
            outcome
        } else {
            self.execute(command, session, request, locked, journal, reply)
        };
        if command.spec.looks_anywhere() {
            session.need.saw(ctx.log.appended());
        }
        if !command.spec.only_looks() {
            session.looks.not_only();
        } else if journal.last() == 0 && !matches!(outcome, Ok(Effect::Wait(_))) {
            outage::keep_back(ctx, session, need).unwrap_or_else(|refusal| outcome = Err(refusal));
        }
        self.note_run(command, session, request, started, outcome.is_err());
        if ctx.clients.is_monitored() && command.spec.flags & (flag::SKIP_MONITOR | flag::ADMIN) == 0 {
            self.feed_monitors(command, session, request);
        }
        match outcome {
            Ok(effect) => {
                if ctx.operations.is_on() {
                    operations::note(ctx, command, request, self.now());
                }
                effect
            }
            Err(refusal) => {
                self.answer_refusal(&refusal, mark, reply);
                Effect::None
            }
        }
    }

    /// Puts the refusal in the place of what the command has answered so far.
    #[cold]
    pub(super) fn answer_refusal(&self, refusal: &Refusal, mark: Mark, reply: &mut Reply<'_>) {
        reply.rollback(mark);
        self.tell_refusal(refusal, reply);
    }

    /// Gets the command what it may touch, calls its handler, and commits its effect before any lock is let go.
    #[inline]
    fn execute(
        &mut self,
        command: &Command,
        session: &mut Session,
        request: &Request<'_>,
        locked: Option<&mut Locked<'_>>,
        journal: &mut Journal<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<Effect, Refusal> {
        let ctx = self.ctx;
        let (db, now) = (session.db, self.now());
        let seat = self.counters;
        let (author, reader) = (session.client.id, tracking::reader(session, command));
        match command.spec.run {
            Run::Read(read) => {
                let access = self.access(db, command, request, locked)?;
                self.read_one((command, read), session, request, access, journal, reply)
            }
            Run::Write(write) => {
                let access = self.access(db, command, request, locked)?;
                self.write_one((command, write), session, request, access, journal, reply)
            }
            Run::ReadMany(many) => {
                self.read_many((command, many), session, request, locked, journal, reply)?;
                Ok(Effect::None)
            }
            Run::Keys(handler) => {
                let mut args = self.args(*request, skip(request, command), session);
                let need = &mut session.need;
                let mut body = |locked: &mut Locked<'_>| {
                    locked.by(author);
                    let outcome = handler(&mut args, locked, reply);
                    let seen = self.close_keys(command, request, db, reader, locked, journal, |journal| {
                        outcome.as_ref().is_ok_and(|effect| journal.commit(db, effect, request))
                    });
                    need.saw(seen);
                    outcome
                };
                let Some(locked) = locked else {
                    let mut locked = self.lock_keys(command, db, request);
                    let outcome = body(&mut locked);
                    match &outcome {
                        Ok(Effect::Wait(wait)) if !session.in_exec => {
                            if let Until::Keys(keys) = &wait.until {
                                let desk = (self.seat, &*self.config);
                                wait::get_in_line(ctx, session, desk, request, keys, &mut locked);
                            }
                        }
                        // A transaction serves at its end.
                        _ if session.in_exec => {}
                        _ => self.serve_waiting(locked),
                    }
                    return outcome;
                };
                body(locked)
            }
            Run::Scan(handler) => {
                let mut args = self.args(*request, skip(request, command), session);
                handler(&mut args, &ctx.table, reply)?;
                Ok(Effect::None)
            }
            Run::Host(handler) => {
                let mut args = self.args(*request, skip(request, command), session);
                let marks = ctx.table.marks();
                if let Some(reader) = reader {
                    // It locks its keys itself. Remembered before, a change is told that it may have seen already.
                    tracking::remember(ctx, reader, command, request);
                }
                let outcome = handler(&mut args, ctx, session, reply);
                if outcome.as_ref().is_ok_and(|effect| journal.commit(db, effect, request)) {
                    seat.changes.add(1);
                }
                if !session.outgoing.is_empty() {
                    match journal {
                        Journal::Unit(unit) => unit.queue.append(&mut session.outgoing),
                        _ => std::mem::take(&mut session.outgoing).send(ctx, now),
                    }
                }
                let effect = outcome?;
                if !session.in_exec {
                    seat.changes.add(wait::serve_waiting_everywhere(ctx, marks, now) as u64);
                }
                Ok(effect)
            }
            Run::Script(handler) => {
                let config = Arc::clone(&self.config);
                let chance = self.chance(session);
                let mut args = Args::new(*request, skip(request, command), db, now, &config, chance);
                self.run_script((handler, command), &mut args, session, journal, reply)
            }
            Run::Exec | Run::Container => Err(Refusal::Arity(command.full_name.clone().into())),
        }
    }

    /// How a command gets at its only key. The hash may have been computed ahead of its turn; the database is the one
    /// selected now.
    #[inline]
    fn access<'a, 't>(
        &'a self,
        db: usize,
        command: &Command,
        request: &Request<'_>,
        locked: Option<&'a mut Locked<'t>>,
    ) -> Result<Access<'a, 't>, Refusal> {
        if let Some(locked) = locked {
            return Ok(Access::Held(locked));
        }
        let table = &self.ctx.table;
        let hash = match self.prepared.take() {
            Some(hash) => hash,
            None => table.hash(request.arg(command.only_key(request)?)),
        };
        Ok(Access::Free(table.aim(table.address_of(db, hash))))
    }

    /// A cursor at word `at` of a request, with all that a handler may know.
    #[inline]
    pub(super) fn args<'a>(&'a self, request: Request<'a>, at: usize, session: &Session) -> Args<'a> {
        Args::new(request, at, session.db, self.now(), &self.config, self.chance(session))
    }

    #[inline]
    fn chance(&self, session: &Session) -> u64 {
        // Time stands still for those that are timed together.
        (self.elapsed + self.untimed.len() as u64) ^ session.client.id << 48
    }

    /// The counters of its seat.
    #[inline]
    pub(super) fn counters(&self) -> &'c Seat {
        self.counters
    }

    /// The time of the command since the start, in nanoseconds.
    #[inline]
    pub fn elapsed(&self) -> u64 {
        self.elapsed
    }

    /// Ends a batch: the time, in nanoseconds since the start, when its last command had run.
    pub fn end_batch(&mut self) -> u64 {
        self.catch_up();
        self.elapsed
    }

    /// Whether it is in a turn: see [`Desk::leave_turn`].
    #[inline]
    pub(super) fn is_in_turn(&self) -> bool {
        self.turn.is_some()
    }

    /// Ends the turn and makes everything stand still. To be followed by [`Desk::resume_turn`].
    pub(super) fn leave_turn(&mut self) -> Everything<'c> {
        self.turn = None;
        self.ctx.turns.everything()
    }

    /// Goes on with the turn after [`Desk::leave_turn`].
    pub(super) fn resume_turn(&mut self) {
        self.turn = self.ctx.turns.begin_unless(self.seat, || self.ctx.scripts.is_overdue());
    }

    /// A request that does not get to its handler; its command is none where it cannot be resolved.
    fn refuse(
        &self,
        command: Option<&Command>,
        session: &mut Session,
        refusal: &Refusal,
        reply: &mut Reply<'_>,
    ) {
        if let Some(command) = command {
            self.counters.rejected(command.id);
        }
        let is_exec = match (command, refusal) {
            (Some(command), _) => matches!(command.spec.run, Run::Exec),
            (None, Refusal::Arity(name)) => name == "exec",
            _ => false,
        };
        if is_exec {
            session.transaction = None;
            multi::unwatch(self.ctx, session);
            return self.tell_refusal(&gate::exec_aborted(refusal), reply);
        }
        if let Some(transaction) = &mut session.transaction {
            transaction.abort();
        }
        self.tell_refusal(refusal, reply);
    }

    fn tell_refusal(&self, refusal: &Refusal, reply: &mut Reply<'_>) {
        self.count_refusal(refusal);
        reply.error(refusal.text().as_bytes());
    }

    pub(super) fn count_refusal(&self, refusal: &Refusal) {
        self.count_error(&refusal.prefix());
    }

    /// Counts an error by the first word of its line.
    pub(super) fn count_error(&self, prefix: &str) {
        self.counters.errors.add(1);
        self.ctx.stats.count_error(prefix);
    }

    /// Counts that a command which has been answered has failed nevertheless.
    pub(super) fn count_failure(&self, command: &Command) {
        self.counters.failed(command.id);
    }

    pub(super) fn seat(&self) -> usize {
        self.seat
    }

    /// CLIENT REPLY: takes back what the client does not want to hear.
    #[inline]
    fn obey_reply_mode(&self, session: &mut Session, mark: usize, out: &mut Vec<u8>) {
        match session.replies {
            Replies::On => {}
            Replies::Off => out.truncate(mark),
            Replies::Skip => {
                out.truncate(mark);
                session.replies = Replies::SkipLast;
            }
            Replies::SkipLast => {
                out.truncate(mark);
                session.replies = Replies::On;
            }
        }
    }
}

impl Drop for Desk<'_> {
    /// The end of the turn.
    fn drop(&mut self) {
        self.ctx.tracking.broadcast();
        self.ctx.free_garbage();
    }
}

/// The number of words before the arguments: a subcommand has two.
#[inline]
pub(super) fn skip(request: &Request<'_>, command: &Command) -> usize {
    let words = if command.is_subcommand { 2 } else { 1 };
    words.min(request.len())
}

/// The first words of an HTTP request. A browser or proxy that is made to send one to this port must not get a second
/// line through: see Redis's "cross protocol scripting".
fn is_cross_protocol(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}
