//! DISCARD — forgets what was queued since MULTI, and the watched keys.

use std::sync::atomic::Ordering;

use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag, multi};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "discard",
    arity: 1,
    flags: flag::NOSCRIPT
        | flag::LOADING
        | flag::STALE
        | flag::FAST
        | flag::ALLOW_BUSY
        | flag::TRANSACTION_CONTROL,
    acl: acl::TRANSACTION,
    since: "2.0.0",
    group: Group::Transactions,
    summary: "Drops the commands of a transaction.",
    complexity: "O(N), when N is the number of queued commands",
    run: Run::Host(discard),
    ..Spec::DEFAULT
}];

fn discard(
    _: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    if session.transaction.take().is_none() {
        return Err(Refusal::err("DISCARD without MULTI"));
    }
    session.client.queued.store(-1, Ordering::Relaxed);
    multi::unwatch(ctx, session);
    reply.ok();
    Ok(Effect::None)
}
