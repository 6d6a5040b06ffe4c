//! BZPOPMIN key [key ...] timeout — removes the member with the lowest score from the first of the sorted sets that has
//! any, and waits for one if none has; BZPOPMAX that with the highest.
//!
//! The answer is key, member and score in one row, or the null array when the time is up.

use super::zpop::End;
use crate::base::refusal::Refusal;
use crate::exec::wait::{self, Serve};
use crate::exec::{Effect, Group, Run, Spec, acl, flag};
use crate::resp::reply::Reply;
use crate::table::Locked;
use crate::value::Kind;

pub(super) const SPECS: &[Spec] = &[
    BZPOPMIN,
    Spec {
        name: "bzpopmax",
        summary: "Removes the member with the highest score from one of several sorted sets, waiting for one if need be.",
        run: Run::Keys(|args, locked, reply| {
            let serve: Serve = |args, key, locked, reply| pop(End::Max, args.db(), key, locked, reply);
            wait::for_first(Kind::ZSet, serve, args, locked, reply)
        }),
        ..BZPOPMIN
    },
];

const BZPOPMIN: Spec = Spec {
    name: "bzpopmin",
    arity: -3,
    keys: wait::KEYS_AND_TIMEOUT,
    flags: flag::WRITE | flag::NOSCRIPT | flag::BLOCKING | flag::FAST,
    acl: acl::SORTEDSET,
    since: "5.0.0",
    group: Group::SortedSet,
    summary: "Removes the member with the lowest score from one of several sorted sets, waiting for one if need be.",
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    syntax: "key [key ...] timeout:double",
    run: Run::Keys(|args, locked, reply| {
        let serve: Serve = |args, key, locked, reply| pop(End::Min, args.db(), key, locked, reply);
        wait::for_first(Kind::ZSet, serve, args, locked, reply)
    }),
    ..Spec::DEFAULT
};

/// Removes one member and answers with it; none, and no answer, if there is none.
fn pop(
    end: End,
    db: usize,
    key: &[u8],
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Option<Effect>, Refusal> {
    let popped = end.pop_and_tell(&mut locked.slot(db, key), 1)?;
    let Some((member, score)) = popped.first() else { return Ok(None) };
    reply.array(3);
    reply.bulk(key);
    reply.bulk(member);
    reply.double(*score);
    Ok(Some(Effect::instead([end.command(), key])))
}
