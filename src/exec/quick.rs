//! The short way of a command on one key.
//!
//! Nearly all that clients send reads or changes one key, outside of a transaction, while nobody monitors, pauses or loads.
//! [`super::run`] asks about each of these for every command. Here all of it is asked once for a few commands together, and
//! where nothing is out of the ordinary they go straight from the lookup to the handler.
//!
//! What holds for such a command is what held when it was prepared, together with up to [`AHEAD`](crate::base::prefetch::AHEAD)
//! others: as if all of them had come a moment earlier. What one command may change for those behind it, only one that goes
//! the long way can change, and after such a one the others go the long way, too.

use std::sync::atomic::Ordering::Relaxed;

use super::commit::Journal;
use super::effect::Effect;
use super::gate;
use super::one_key::Access;
use super::run::{Desk, Flow, Prepared};
use super::session::{Replies, Session};
use super::spec::Run;
use super::timing::BRIEF_BYTES;
use crate::resp::reply::Reply;
use crate::table::Aim;

impl<'c> Desk<'c> {
    /// Whether nothing is going on that a command on one key would have to heed on its way.
    pub(super) fn is_quiet(&self, session: &Session) -> bool {
        let ctx = self.ctx;
        self.is_in_turn()
            && session.is_ordinary()
            && !ctx.loading.is_active()
            && gate::disk_takes_writes(ctx, &self.config).is_ok()
            && gate::enough_replicas(ctx, &self.config).is_ok()
            && ctx.clients.paused_until(true, self.now()).is_none()
            && !ctx.clients.is_monitored()
            && !ctx.operations.is_on()
    }

    /// Runs a command on one key while all is quiet; none where it is of another kind.
    #[inline(always)]
    pub(super) fn run_quickly(
        &mut self,
        session: &mut Session,
        prepared: &Prepared<'c, '_>,
        aim: Aim<'c>,
        out: &mut Vec<u8>,
    ) -> Option<Flow> {
        let (command, request) = (prepared.command, &prepared.request);
        let (ctx, started) = (self.ctx, self.elapsed());
        let mut reply = Reply::new(out, session.proto);
        let mark = reply.mark();
        let mut journal = Journal::Log { log: &ctx.log, last: 0 };
        let access = Access::Free(aim);
        let outcome = match command.spec.run {
            Run::Read(read) => {
                session.looks.answered();
                self.read_one((command, read), session, request, access, &mut journal, &mut reply)
            }
            Run::Write(write) => {
                session.looks.not_only();
                self.write_one((command, write), session, request, access, &mut journal, &mut reply)
            }
            _ => return None,
        };
        session.need.wrote(journal.last());
        self.counters().processed.add(1);
        session.client.last_command.store(command.id as u32, Relaxed);
        let may_wait = prepared.untimed && reply.len_since(mark) <= BRIEF_BYTES;
        if !(may_wait && self.leave_untimed(command, outcome.is_err())) {
            self.note_run(command, session, request, started, outcome.is_err());
        }
        match outcome {
            Ok(Effect::Wait(wait)) => return Some(Flow::Wait(wait)),
            Ok(_) => {}
            Err(refusal) => self.answer_refusal(&refusal, mark, &mut reply),
        }
        Some(Flow::Next)
    }
}

impl Session {
    /// Whether its commands have nothing to heed but themselves.
    fn is_ordinary(&self) -> bool {
        self.authenticated
            && self.transaction.is_none()
            && !self.in_exec
            && !self.in_script
            && self.tracking.is_none()
            && self.replies == Replies::On
            && !self.is_told()
            && !self.closing
    }
}
