//! MULTI … EXEC: commands queued, then run under one set of locks and written as one record.
//!
//! EXEC locks the stripes of all keys that its commands name and of all keys that were watched, so no other client sees
//! or changes any of them between the first command and the last. A transaction that looks at more than its keys (KEYS,
//! FLUSHALL, SELECT …) runs while every worker stands still instead.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::commit::{Journal, Unit};
use super::context::Context;
use super::effect::{Effect, Until, Woken};
use super::gate;
use super::registry::Command;
use super::run::Desk;
use super::session::Session;
use super::spec::{Run, flag};
use super::{evict, script, tell, wait};
use crate::base::refusal::Refusal;
use crate::clients::Client;
use crate::resp::reply::Reply;
use crate::resp::request::{OwnedRequest, Request};
use crate::table::{Locked, Slot};

/// Commands queued by MULTI.
pub struct Transaction {
    /// Whose they are: others see how many bytes they take, and no longer when they are gone.
    client: Arc<Client>,
    requests: Vec<OwnedRequest>,
    /// One of its commands was refused when it came, so EXEC will refuse them all.
    aborted: bool,
    /// One of its commands looks at more than its keys.
    table_wide: bool,
    /// One of its commands is a write.
    writes: bool,
    /// One of its commands may write, or have an effect like a write's: see [`super::script::may_write`].
    may_write: bool,
    /// One of its commands may need more memory.
    grows: bool,
}

impl Transaction {
    /// With no command yet.
    pub fn new(client: Arc<Client>) -> Self {
        Transaction {
            client,
            requests: Vec::new(),
            aborted: false,
            table_wide: false,
            writes: false,
            may_write: false,
            grows: false,
        }
    }

    /// Adds a command that has passed the gates.
    pub(super) fn queue(&mut self, ctx: &Context, command: &Command, request: &Request<'_>) {
        if self.aborted {
            // None of them will run, so none need be kept.
            return;
        }
        let reaches_far = matches!(command.spec.run, Run::Scan(_))
            || command.spec.flags & (flag::EVERYTHING | flag::TABLE_WIDE) != 0;
        self.table_wide |= reaches_far;
        self.writes |= command.spec.has(flag::WRITE);
        self.may_write |= script::may_write(ctx, command, request);
        self.grows |= script::may_grow(ctx, command, request);
        let request = OwnedRequest::from_request(request);
        self.client.queued_bytes.fetch_add(request.held_bytes() as u64, Ordering::Relaxed);
        self.requests.push(request);
    }

    /// EXEC will refuse.
    pub(super) fn abort(&mut self) {
        self.aborted = true;
    }

    /// Number of commands.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// True when no command is queued.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// True when one of its commands may write: what CLIENT PAUSE WRITE holds back.
    pub fn may_write(&self) -> bool {
        self.may_write
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.client.queued_bytes.store(0, Ordering::Relaxed);
    }
}

/// Forgets the watched keys. No stripe may be locked.
pub fn unwatch(ctx: &Context, session: &mut Session) {
    let Some(watched) = session.watched.take() else { return };
    for (db, key) in &watched.keys {
        let address = ctx.table.address(*db, key);
        ctx.table.peek(address, key, |slot| slot.unwatch(&watched.watch));
    }
}

impl Desk<'_> {
    /// EXEC: runs what was queued.
    pub(super) fn exec(&mut self, session: &mut Session, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let transaction = session.transaction.take().ok_or_else(|| Refusal::err("EXEC without MULTI"))?;
        if transaction.aborted {
            unwatch(self.ctx, session);
            return Err(Refusal::line("EXECABORT Transaction discarded because of previous errors."));
        }
        if let Err(why) = self.may_run(&transaction) {
            unwatch(self.ctx, session);
            return Err(gate::exec_aborted(&why));
        }
        session.in_exec = true;
        if transaction.table_wide {
            let ctx = self.ctx;
            let everything = self.leave_turn();
            let marks = ctx.table.marks();
            self.exec_under_locks(&transaction, session, None, reply);
            wait::serve_waiting_everywhere(ctx, marks, self.now());
            drop(everything);
            self.resume_turn();
            unwatch(ctx, session);
        } else {
            let ctx = self.ctx;
            let mut addresses: SmallVec<[_; 16]> =
                session.watched_keys().iter().map(|(db, key)| ctx.table.address(*db, key)).collect();
            for queued in &transaction.requests {
                let request = queued.as_request();
                let Ok(command) = ctx.registry.resolve(&request) else { continue };
                let keys = command.spec.key_positions(&request);
                addresses
                    .extend(keys.iter().map(|key| ctx.table.address(session.db, request.arg(key.index))));
            }
            let locked = Locked::new(&ctx.table, addresses.into_iter(), self.now());
            let mut locked = locked.only_reading(!transaction.writes);
            self.exec_under_locks(&transaction, session, Some(&mut locked), reply);
            self.serve_waiting(locked);
            unwatch(ctx, session);
        }
        session.in_exec = false;
        Ok(())
    }

    /// The gates that may have closed since the commands were queued.
    fn may_run(&self, transaction: &Transaction) -> Result<(), Refusal> {
        if transaction.grows && evict::lacks_room(self.room_made, || self.ctx.is_memory_full()) {
            return Err(gate::OUT_OF_MEMORY);
        }
        if transaction.writes {
            gate::disk_takes_writes(self.ctx, &self.config)?;
            gate::enough_replicas(self.ctx, &self.config)?;
        }
        Ok(())
    }

    fn exec_under_locks(
        &mut self,
        transaction: &Transaction,
        session: &mut Session,
        mut locked: Option<&mut Locked<'_>>,
        reply: &mut Reply<'_>,
    ) {
        let ctx = self.ctx;
        let mut journal = Journal::Unit(Unit::default());
        let now = self.now();
        for (db, key) in session.watched_keys() {
            // Opening the slot removes a key whose time has come, which marks its watchers.
            let take = |slot: &mut Slot<'_>| (slot.take_lapsed(), slot.take_told());
            let (lapsed, told) = match &mut locked {
                Some(locked) => take(&mut locked.open(*db, key)),
                None => ctx.table.write(ctx.table.address(*db, key), key, now, take),
            };
            if let Some(lapsed) = lapsed {
                journal.lapsed(*db, key, &lapsed);
            }
            tell::by_command(ctx, &mut journal, now, told);
        }
        if session.watched.as_ref().is_some_and(|watched| watched.watch.is_dirty()) {
            reply.null_array();
        } else {
            reply.array(transaction.requests.len());
            for queued in &transaction.requests {
                let request = queued.as_request();
                match ctx.registry.resolve(&request) {
                    Ok(command) => {
                        let locked = locked.as_deref_mut();
                        let effect = self.call(command, session, &request, locked, &mut journal, reply);
                        // Nothing waits in here: the time is up at once.
                        if let Effect::Wait(wait) = effect
                            && let Until::Keys(_) = wait.until
                        {
                            (wait.then)(ctx, session, Woken::TimedOut, reply);
                        }
                    }
                    Err(refusal) => reply.error(refusal.text().as_bytes()),
                }
            }
        }
        if let Journal::Unit(mut unit) = journal {
            let queue = std::mem::take(&mut unit.queue);
            let seq = unit.finish(&ctx.log);
            session.need.wrote(seq);
            session.need.saw(match locked {
                Some(locked) => {
                    if seq > 0 {
                        locked.recorded(seq);
                    }
                    locked.last_record(|| ctx.log.appended())
                }
                None => ctx.log.appended(),
            });
            queue.send(ctx, now);
        }
    }
}
