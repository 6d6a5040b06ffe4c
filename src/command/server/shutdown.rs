//! SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT] — ends the server.
//!
//! Replicas are not waited for, so NOW changes nothing and there is never an end under way that ABORT could stop.

use tokio::sync::oneshot;

use crate::base::refusal::Refusal;
use crate::exec::mailbox::Order;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, Until, Wait, Woken, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "shutdown",
    arity: -1,
    flags: flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::NO_MULTI | flag::ALLOW_BUSY,
    since: "1.0.0",
    group: Group::Server,
    summary: "Ends the server, after writing what is to be written.",
    complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
    syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
    run: Run::Host(shutdown),
    ..Spec::DEFAULT
}];

fn shutdown(
    args: &mut Args<'_>,
    ctx: &Context,
    _: &mut Session,
    _: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let (mut save, mut force, mut now, mut abort) = (None, false, false, false);
    while let Some(option) = args.next() {
        match option.to_ascii_lowercase().as_slice() {
            b"save" if save != Some(false) => save = Some(true),
            b"nosave" if save != Some(true) => save = Some(false),
            b"now" => now = true,
            b"force" => force = true,
            b"abort" => abort = true,
            _ => return Err(Refusal::Syntax),
        }
    }
    if abort {
        let alone = save.is_none() && !force && !now;
        return Err(if alone { Refusal::err("No shutdown in progress.") } else { Refusal::Syntax });
    }
    let (done, result) = oneshot::channel();
    ctx.mailbox.post(Order::Shutdown { save, force, done });
    Ok(Wait::effect(Until::Job(result), None, still_there))
}

/// Where it came to the end nobody is left to tell; so this is told only when it did not.
fn still_there(_: &Context, session: &mut Session, woken: Woken, reply: &mut Reply<'_>) {
    match woken {
        Woken::Failed(_) => reply.error("ERR Errors trying to SHUTDOWN. Check logs."),
        Woken::Done | Woken::TimedOut => session.closing = true,
    }
}
