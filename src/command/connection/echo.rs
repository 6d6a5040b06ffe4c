//! ECHO message — the message.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "echo",
    arity: 2,
    flags: flag::LOADING | flag::STALE | flag::FAST,
    acl: acl::CONNECTION,
    since: "1.0.0",
    group: Group::Connection,
    summary: "Answers the message it was given.",
    syntax: "message",
    run: Run::Host(echo),
    ..Spec::DEFAULT
}];

fn echo(args: &mut Args<'_>, _: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    reply.bulk(args.word()?);
    Ok(Effect::None)
}
