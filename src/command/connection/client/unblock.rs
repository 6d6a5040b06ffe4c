//! CLIENT UNBLOCK client-id [TIMEOUT | ERROR] — wakes a connection that waits for data. No command waits for data yet,
//! so there is never one to wake, and the answer is 0.

use super::SUBCOMMAND;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Run, Session, Spec, flag};
use crate::resp::reply::Reply;

pub(super) const UNBLOCK: Spec = Spec {
    name: "unblock",
    arity: -3,
    flags: flag::ADMIN | SUBCOMMAND.flags,
    since: "5.0.0",
    summary: "Wakes a connection that waits for data.",
    complexity: "O(log N) where N is the number of client connections",
    syntax: "client-id [TIMEOUT | ERROR]",
    run: Run::Host(unblock),
    ..SUBCOMMAND
};

fn unblock(
    args: &mut Args<'_>,
    _: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    if args.left() > 2 {
        return Err(super::too_many(args));
    }
    let id = args.word()?;
    if !args.accept("timeout") && !args.accept("error") && !args.is_done() {
        return Err(Refusal::err("CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
    }
    crate::base::number::parse_i64(id).ok_or(Refusal::NotInteger)?;
    reply.int(0);
    Ok(Effect::None)
}
