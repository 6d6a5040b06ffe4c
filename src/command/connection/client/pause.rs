//! CLIENT PAUSE timeout [WRITE | ALL], CLIENT UNPAUSE — holds the commands of all clients for a while, for a failover
//! without a lost write. CLIENT's own subcommands are never held: one of them ends the pause. Meanwhile keys whose time
//! comes are no longer seen, but stay until the pause is over.

use super::SUBCOMMAND;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Run, Session, Spec, flag};
use crate::resp::reply::Reply;

pub(super) const PAUSE: Spec = Spec {
    name: "pause",
    arity: -3,
    flags: flag::ADMIN | SUBCOMMAND.flags,
    since: "2.9.50",
    summary: "Holds the commands of all clients for a while.",
    syntax: "timeout [WRITE | ALL]",
    run: Run::Host(pause),
    ..SUBCOMMAND
};

pub(super) const UNPAUSE: Spec = Spec {
    name: "unpause",
    flags: flag::ADMIN | SUBCOMMAND.flags,
    since: "6.2.0",
    summary: "Ends a pause.",
    complexity: "O(N) Where N is the number of paused clients",
    run: Run::Host(unpause),
    ..SUBCOMMAND
};

fn pause(
    args: &mut Args<'_>,
    ctx: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let timeout = args.word()?;
    if args.left() > 1 {
        return Err(super::too_many(args));
    }
    let writes_only = args.accept("write");
    if !writes_only && !args.accept("all") && !args.is_done() {
        return Err(Refusal::err("CLIENT PAUSE mode must be WRITE or ALL"));
    }
    let timeout = number::parse_i64(timeout)
        .ok_or_else(|| Refusal::err("timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(Refusal::err("timeout is negative"));
    }
    ctx.table.hold_expiry(ctx.clients.pause(args.now().saturating_add(timeout), writes_only, args.now()));
    reply.ok();
    Ok(Effect::None)
}

fn unpause(
    _: &mut Args<'_>,
    ctx: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    ctx.clients.unpause();
    ctx.table.hold_expiry(0);
    reply.ok();
    Ok(Effect::None)
}
