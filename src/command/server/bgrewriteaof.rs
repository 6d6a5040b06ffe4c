//! BGREWRITEAOF — replaces the log by a shorter one with the same outcome, in the background.

use std::sync::atomic::Ordering::Relaxed;

use crate::base::refusal::Refusal;
use crate::exec::mailbox::Order;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "bgrewriteaof",
    arity: 1,
    flags: flag::ADMIN | flag::NOSCRIPT | flag::NO_ASYNC_LOADING,
    since: "1.0.0",
    group: Group::Server,
    summary: "Rewrites the log in the background.",
    run: Run::Host(bgrewriteaof),
    ..Spec::DEFAULT
}];

fn bgrewriteaof(
    _: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    if ctx.saves.rewriting.load(Relaxed) {
        return Err(Refusal::err("Background append only file rewriting already in progress"));
    }
    // Whoever asks INFO next must not take it for done already.
    ctx.saves.rewrite_scheduled.store(true, Relaxed);
    ctx.mailbox.post(Order::Rewrite { done: None });
    // The order is carried out after this turn and after a snapshot under way.
    let planned = ctx.saves.saving.load(Relaxed) || session.in_exec;
    reply.simple(if planned {
        "Background append only file rewriting scheduled"
    } else {
        "Background append only file rewriting started"
    });
    Ok(Effect::None)
}
