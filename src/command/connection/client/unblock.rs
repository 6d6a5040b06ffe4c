//! CLIENT UNBLOCK client-id [TIMEOUT | ERROR] — wakes a connection that waits: as if its time were up, or with an error.
//! The answer is 1 if there was one to wake. A pause (CLIENT PAUSE) and a job (SAVE) are not waits of that kind.

use super::SUBCOMMAND;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::clients::{Wake, Woke};
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
    ctx: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    if args.left() > 2 {
        return Err(super::too_many(args));
    }
    let id = args.word()?;
    let with_error = args.accept("error");
    if !with_error && !args.accept("timeout") && !args.is_done() {
        return Err(Refusal::err("CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
    }
    let id = number::parse_i64(id).ok_or(Refusal::NotInteger)?;
    let client = u64::try_from(id).ok().and_then(|id| ctx.clients.find(id));
    let wake = || match with_error {
        true => Wake::Error("UNBLOCKED client unblocked via CLIENT UNBLOCK"),
        false => Wake::TimedOut,
    };
    let woken = client.is_some_and(|client| client.wake_with(|| Some(wake())) == Woke::Yes);
    reply.int(i64::from(woken));
    Ok(Effect::None)
}
