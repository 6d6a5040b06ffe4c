//! Scripts: commands that a script calls, run while everything stands still, and written as one record.
//!
//! A script may come to any key, so nothing else runs while it does. What its commands did is one unit of the log, as a
//! transaction is: a crash leaves all of it or nothing. The log holds these effects and no script.

use super::Args;
use super::commit::{Journal, Unit};
use super::context::Context;
use super::effect::{Effect, Until, Woken};
use super::registry::Command;
use super::run::Desk;
use super::session::Session;
use super::spec::{Run, flag};
use super::{gate, tracking, wait};
use crate::base::refusal::{Refusal, first_word};
use crate::resp::reply::{Proto, Reply};
use crate::resp::request::Request;
use crate::script::{Flags, Host, Name, Raised, Scripts};

/// What a command that runs a script is given: the means to run commands.
pub struct Caller<'r, 'c> {
    desk: &'r mut Desk<'c>,
    session: &'r mut Session,
    /// A unit.
    journal: Journal<'c>,
    /// The command that runs the script, as it came.
    own: (&'r Command, Request<'r>),
    flags: Flags,
    /// It has called a command that writes.
    has_written: bool,
    /// What it returned holds an error.
    answers_error: bool,
}

/// What runs a script, given its arguments: EVAL and its kin.
pub type Handler = fn(&mut Args<'_>, &mut Caller<'_, '_>, &mut Reply<'_>) -> Result<(), Refusal>;

impl<'c> Caller<'_, 'c> {
    /// Runs a script that is known, and writes its reply.
    ///
    /// # Errors
    /// What the gates have against a script with these flags, and what it raised.
    pub fn run(
        &mut self,
        name: &Name,
        flags: Flags,
        keys: &[&[u8]],
        args: &[&[u8]],
        reply: &mut Reply<'_>,
    ) -> Result<(), Refusal> {
        let ctx = self.desk.ctx;
        if flags.declared && !flags.no_writes {
            gate::disk_takes_writes(ctx, &self.desk.config)?;
            gate::enough_replicas(ctx, &self.desk.config)?;
        }
        self.flags = flags;
        let db = self.session.db;
        let limit = self.desk.config.process.busy_reply_threshold;
        let outcome = ctx.scripts.run(name, keys, args, limit, self, reply);
        // SELECT holds for the script alone.
        self.session.db = db;
        if self.answers_error {
            // In Redis the failure of a command is that its reply holds an error.
            self.desk.count_failure(self.own.0);
        }
        match outcome {
            Ok(()) => Ok(()),
            Err(Raised { line, counted: false }) => Err(Refusal::Line(line.into())),
            Err(Raised { line, counted: true }) => {
                reply.error(&line);
                self.desk.count_failure(self.own.0);
                Ok(())
            }
        }
    }

    /// The scripts of the server.
    pub fn scripts(&self) -> &Scripts {
        &self.desk.ctx.scripts
    }

    /// The command that a script asks for, if a script may have it.
    fn admit(&self, request: &Request<'_>) -> Result<&'c Command, Refusal> {
        let ctx = self.desk.ctx;
        let command = ctx.registry.resolve(request).map_err(|refusal| match refusal {
            Refusal::Arity(_) => Refusal::line("ERR Wrong number of args calling Redis command from script"),
            _ => Refusal::line("ERR Unknown Redis command called from script"),
        })?;
        let spec = &command.spec;
        if spec.has(flag::NOSCRIPT) {
            return Err(Refusal::line("ERR This Redis command is not allowed from script"));
        }
        if self.flags.no_writes && spec.flags & (flag::WRITE | flag::MAY_REPLICATE) != 0 {
            return Err(Refusal::line("ERR Write commands are not allowed from read-only scripts."));
        }
        if spec.has(flag::WRITE) {
            gate::disk_takes_writes(ctx, &self.desk.config)?;
            gate::enough_replicas(ctx, &self.desk.config)?;
        }
        // A script that has written is not stopped half way.
        if !self.flags.may_fill() && !self.has_written {
            gate::memory(ctx, self.desk.room_made, self.session, command, request)?;
        }
        Ok(command)
    }
}

impl Host for Caller<'_, '_> {
    fn call(&mut self, request: &Request<'_>, proto: Proto, out: &mut Vec<u8>) {
        let mut reply = Reply::new(out, proto);
        let command = match self.admit(request) {
            Ok(command) => command,
            Err(refusal) => {
                self.desk.count_refusal(&refusal);
                return reply.error(refusal.text().as_bytes());
            }
        };
        if command.spec.has(flag::WRITE) {
            self.desk.ctx.scripts.note_write();
            self.has_written = true;
        }
        let Caller { desk, session, journal, own, .. } = self;
        if let Some(reader) = tracking::reader(session, command) {
            // As in Redis, who caches what a script made of its keys is told when one of these changes.
            tracking::remember(desk.ctx, reader, own.0, &own.1);
        }
        if let Effect::Wait(wait) = desk.call(command, session, request, None, journal, &mut reply)
            && let Until::Keys(_) = wait.until
        {
            // Nothing waits in here: the time is up at once.
            (wait.then)(desk.ctx, session, Woken::TimedOut, &mut reply);
        }
    }

    fn answers_error(&mut self, line: &[u8], counted: bool) {
        self.answers_error = true;
        if !counted {
            self.desk.count_error(&first_word(line));
        }
    }

    fn knows(&self, name: &[u8]) -> bool {
        self.desk.ctx.registry.knows(name)
    }
}

/// True when a command may write, or have an effect like a write's. A script may, unless its first line says otherwise.
pub(super) fn may_write(ctx: &Context, command: &Command, request: &Request<'_>) -> bool {
    let spec = &command.spec;
    let is_harmless = || matches!(spec.run, Run::Script(_)) && ctx.scripts.only_reads(request.arg(1));
    spec.flags & (flag::WRITE | flag::MAY_REPLICATE) != 0 && !is_harmless()
}

/// True when a command may need more memory. A script may if its first line does not say otherwise; what one without such a
/// line does is asked about when it does it.
pub(super) fn may_grow(ctx: &Context, command: &Command, request: &Request<'_>) -> bool {
    let declares = || {
        let flags = ctx.scripts.flags_of(request.arg(1)).unwrap_or_default();
        flags.declared && !flags.may_fill()
    };
    command.spec.has(flag::DENYOOM) || (matches!(command.spec.run, Run::Script(_)) && declares())
}

impl<'c> Desk<'c> {
    /// Calls the handler of a command that runs a script, and writes what came of it as one record.
    pub(super) fn run_script(
        &mut self,
        (handler, command): (Handler, &Command),
        args: &mut Args<'_>,
        session: &mut Session,
        journal: &mut Journal<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<Effect, Refusal> {
        let ctx = self.ctx;
        if ctx.clients.is_monitored() {
            // Before the commands that it calls.
            self.feed_monitors(command, session, &args.request());
        }
        let unit = match journal {
            Journal::Unit(unit) => std::mem::take(unit),
            _ => Unit::default(),
        };
        let (marks, in_exec) = (ctx.table.marks(), std::mem::replace(&mut session.in_exec, true));
        session.in_script = true;
        let own = (command, args.request());
        let flags = Flags::default();
        let mut caller = Caller {
            desk: self,
            session,
            journal: Journal::Unit(unit),
            own,
            flags,
            has_written: false,
            answers_error: false,
        };
        let outcome = handler(args, &mut caller, reply);
        let Caller { journal: done, .. } = caller;
        session.in_script = false;
        session.in_exec = in_exec;
        let now = self.now();
        match (journal, done) {
            (Journal::Unit(whole), Journal::Unit(unit)) => *whole = unit,
            (Journal::Log { log, last }, Journal::Unit(mut unit)) => {
                let queue = std::mem::take(&mut unit.queue);
                *last = unit.finish(log).max(*last);
                queue.send(ctx, now);
            }
            _ => {}
        }
        if !in_exec {
            let served = wait::serve_waiting_everywhere(ctx, marks, now);
            ctx.stats.seat(self.seat()).changes.add(served as u64);
        }
        outcome.map(|()| Effect::None)
    }
}
