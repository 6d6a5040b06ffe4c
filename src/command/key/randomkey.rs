//! RANDOMKEY — any key of the database. What it meets whose time has come, it removes.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag, lapse};
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

/// Keys that one command removes: as many as Redis's own search for a live one does.
const REMOVED_MAX: usize = 100;

fn random_key(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let mut lapsed: Vec<Vec<u8>> = Vec::new();
    let found = ctx.table.random_key(session.db, args.now(), &mut args.random(), |key| {
        if lapsed.len() < REMOVED_MAX {
            lapsed.push(key.to_vec());
        }
    });
    match found {
        Some(key) => reply.bulk(&key),
        None => reply.null(),
    }
    lapse::remove(ctx, session, &lapsed, args.now());
    Ok(Effect::None)
}
