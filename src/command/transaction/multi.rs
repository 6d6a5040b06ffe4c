//! MULTI — from here on commands are queued, until EXEC or DISCARD.

use std::sync::atomic::Ordering;

use crate::base::refusal::Refusal;
use crate::exec::multi::Transaction;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "multi",
    arity: 1,
    flags: flag::NOSCRIPT
        | flag::LOADING
        | flag::STALE
        | flag::FAST
        | flag::ALLOW_BUSY
        | flag::TRANSACTION_CONTROL,
    acl: acl::TRANSACTION,
    since: "1.2.0",
    group: Group::Transactions,
    summary: "Begins a transaction.",
    run: Run::Host(multi),
    ..Spec::DEFAULT
}];

fn multi(
    _: &mut Args<'_>,
    _: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    // The transaction under way is not harmed by the mistake.
    if session.transaction.is_some() {
        return Err(Refusal::err("MULTI calls can not be nested"));
    }
    session.transaction = Some(Box::new(Transaction::new(session.client.clone())));
    session.client.queued.store(0, Ordering::Relaxed);
    reply.ok();
    Ok(Effect::None)
}
