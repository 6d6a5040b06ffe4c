//! MONITOR — from now on the connection is sent every command that any client runs, until RESET.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "monitor",
    arity: 1,
    flags: flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE,
    since: "1.0.0",
    group: Group::Server,
    summary: "Shows every command that the server runs.",
    // Redis states none for a command that does not end.
    complexity: "",
    run: Run::Host(monitor),
    ..Spec::DEFAULT
}];

fn monitor(
    _: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    if session.in_exec {
        return Err(Refusal::err("MONITOR isn't allowed for DENY BLOCKING client"));
    }
    ctx.clients.start_monitor(&session.client);
    session.monitor = true;
    reply.ok();
    Ok(Effect::None)
}
