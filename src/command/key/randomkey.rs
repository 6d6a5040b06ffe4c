//! RANDOMKEY — any key of the database.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "randomkey",
    arity: 1,
    flags: flag::READONLY | flag::TABLE_WIDE,
    acl: acl::KEYSPACE,
    group: Group::Generic,
    summary: "Picks a key at random.",
    run: Run::Host(random_key),
    ..Spec::DEFAULT
}];

fn random_key(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    match ctx.table.random_key(session.db, args.now(), &mut args.random()) {
        Some(key) => reply.bulk(&key),
        None => reply.null(),
    }
    Ok(Effect::None)
}
