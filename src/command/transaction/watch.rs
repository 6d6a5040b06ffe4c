//! WATCH key [key …] — EXEC will do nothing if one of the keys changes before it. UNWATCH forgets them.
//!
//! A key whose time has come is removed first, so that its removal does not count as a change afterwards; while expiry is
//! held, as by CLIENT PAUSE, it is only not seen.

use crate::base::clock::Millis;
use crate::base::refusal::Refusal;
use crate::exec::commit::Journal;
use crate::exec::{Args, Context, Effect, Group, KeySpec, Run, Session, Spec, acl, flag, key, multi};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[WATCH, UNWATCH];

const WATCH: Spec = Spec {
    name: "watch",
    arity: -2,
    keys: &[KeySpec::all(1, 1, key::RO)],
    flags: flag::NOSCRIPT
        | flag::LOADING
        | flag::STALE
        | flag::FAST
        | flag::ALLOW_BUSY
        | flag::TRANSACTION_CONTROL,
    acl: acl::TRANSACTION,
    since: "2.2.0",
    group: Group::Transactions,
    summary: "Makes the next EXEC depend on keys staying as they are.",
    complexity: "O(1) for every key.",
    syntax: "key [key ...]",
    run: Run::Host(watch),
    ..Spec::DEFAULT
};

const UNWATCH: Spec = Spec {
    name: "unwatch",
    arity: 1,
    flags: flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::FAST | flag::ALLOW_BUSY,
    acl: acl::TRANSACTION,
    since: "2.2.0",
    group: Group::Transactions,
    summary: "Forgets the watched keys.",
    run: Run::Host(unwatch),
    ..Spec::DEFAULT
};

fn watch(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    if session.transaction.is_some() {
        return Err(Refusal::err("WATCH inside MULTI is not allowed"));
    }
    // The removal is recorded while the stripe is locked. As an effect it would be recorded after that, and could stand
    // behind a SET of the same key that came after it.
    let watched = session.watched.get_or_insert_default();
    let mut journal = Journal::Log { log: &ctx.log, last: 0 };
    // A script that takes too long may be half through with this very key, and its record comes when it ends.
    let now = if ctx.scripts.is_overdue() { Millis::MIN } else { args.now() };
    for key in args.rest() {
        let address = ctx.table.address(session.db, key);
        ctx.table.read(address, key, now, |slot| {
            if let Some(lapsed) = slot.take_lapsed() {
                journal.lapsed(session.db, key, &lapsed);
                session.outgoing.tell(slot.take_told());
            }
            slot.watch(&watched.watch);
        });
        watched.keys.push((session.db, key.to_vec()));
    }
    session.need.wrote(journal.last());
    watched.keys.sort_unstable();
    watched.keys.dedup();
    reply.ok();
    Ok(Effect::None)
}

fn unwatch(
    _: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    // EXEC holds the stripes and forgets the keys itself.
    if !session.in_exec {
        multi::unwatch(ctx, session);
    }
    reply.ok();
    Ok(Effect::None)
}
