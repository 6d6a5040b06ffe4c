//! TIME — Unix time in seconds, and the microseconds since then.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "time",
    arity: 1,
    flags: flag::LOADING | flag::STALE | flag::FAST,
    since: "2.6.0",
    group: Group::Server,
    summary: "Tells the time.",
    run: Run::Host(time),
    ..Spec::DEFAULT
}];

fn time(_: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let now = ctx.clock.unix_us();
    reply.array(2);
    reply.bulk_int(now.div_euclid(1_000_000));
    reply.bulk_int(now.rem_euclid(1_000_000));
    Ok(Effect::None)
}
