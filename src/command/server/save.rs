//! SAVE, BGSAVE [SCHEDULE], LASTSAVE — snapshots: `dump.rdb`, for backups and for other servers.
//!
//! Every snapshot is written in the background, without a fork; SAVE only waits for the end of it, and other clients go
//! on meanwhile. Nothing depends on snapshots here: what was acknowledged is in the log.

use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::oneshot;

use crate::base::refusal::Refusal;
use crate::exec::mailbox::Order;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, Until, Wait, Woken, acl, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[SAVE, BGSAVE, LASTSAVE];

const SAVE: Spec = Spec {
    name: "save",
    arity: 1,
    flags: flag::ADMIN | flag::NOSCRIPT | flag::NO_ASYNC_LOADING | flag::NO_MULTI,
    since: "1.0.0",
    group: Group::Server,
    summary: "Writes a snapshot and waits for it.",
    complexity: "O(N) where N is the total number of keys in all databases",
    run: Run::Host(save),
    ..Spec::DEFAULT
};

const BGSAVE: Spec = Spec {
    name: "bgsave",
    arity: -1,
    flags: flag::ADMIN | flag::NOSCRIPT | flag::NO_ASYNC_LOADING,
    since: "1.0.0",
    group: Group::Server,
    summary: "Writes a snapshot in the background.",
    syntax: "[SCHEDULE]",
    run: Run::Host(bgsave),
    ..Spec::DEFAULT
};

const LASTSAVE: Spec = Spec {
    name: "lastsave",
    arity: 1,
    flags: flag::LOADING | flag::STALE | flag::FAST,
    acl: acl::ADMIN | acl::DANGEROUS,
    since: "1.0.0",
    group: Group::Server,
    summary: "Returns the Unix time of the last snapshot that succeeded.",
    run: Run::Host(lastsave),
    ..Spec::DEFAULT
};

const IN_PROGRESS: Refusal = Refusal::line("ERR Background save already in progress");
const REWRITING: Refusal = Refusal::line(
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a \
     BGSAVE whenever possible.",
);

fn save(_: &mut Args<'_>, ctx: &Context, _: &mut Session, _: &mut Reply<'_>) -> Result<Effect, Refusal> {
    if ctx.saves.saving.load(Relaxed) {
        return Err(IN_PROGRESS);
    }
    let (done, result) = oneshot::channel();
    ctx.mailbox.post(Order::Save { in_background: false, done });
    Ok(Wait::effect(Until::Job(result), None, saved))
}

fn saved(_: &Context, _: &mut Session, woken: Woken, reply: &mut Reply<'_>) {
    match woken {
        Woken::Failed(why) => reply.error(format!("ERR {why}")),
        Woken::Done | Woken::TimedOut => reply.ok(),
    }
}

fn bgsave(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let schedule = args.accept("schedule");
    args.end()?;
    if ctx.saves.saving.load(Relaxed) {
        return Err(IN_PROGRESS);
    }
    let rewriting = ctx.saves.rewriting.load(Relaxed);
    if rewriting && !schedule && !session.in_exec {
        return Err(REWRITING);
    }
    // Nobody waits for the result: INFO shows it.
    let (done, _) = oneshot::channel();
    // The order is carried out after this turn, so inside EXEC it is never more than planned.
    let planned = rewriting || session.in_exec;
    // Whoever asks INFO next must not take it for done already.
    if !planned {
        ctx.saves.saving.store(true, Relaxed);
    }
    ctx.mailbox.post(Order::Save { in_background: true, done });
    reply.simple(if planned { "Background saving scheduled" } else { "Background saving started" });
    Ok(Effect::None)
}

fn lastsave(
    _: &mut Args<'_>,
    ctx: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    reply.int(ctx.saves.last_save.load(Relaxed));
    Ok(Effect::None)
}
