//! BZPOPMIN key [key ...] timeout — removes the member with the lowest score from the first of the sorted sets that has
//! any, and waits for one if none has; BZPOPMAX that with the highest.
//!
//! The answer is key, member and score in one row, or the null array when the time is up.

use super::zpop::End;
use crate::base::refusal::Refusal;
use crate::exec::wait::{self, Keys};
use crate::exec::{
    Args, Begin, Context, Effect, Find, Group, KeySpec, Run, Session, Spec, Woken, acl, flag, key,
};
use crate::resp::reply::Reply;
use crate::table::Locked;
use crate::value::Kind;

pub(super) const SPECS: &[Spec] = &[
    BZPOPMIN,
    Spec {
        name: "bzpopmax",
        summary: "Removes the member with the highest score from one of several sorted sets, waiting for one if need be.",
        run: Run::Keys(bzpopmax),
        ..BZPOPMIN
    },
];

const BZPOPMIN: Spec = Spec {
    name: "bzpopmin",
    arity: -3,
    keys: &[KeySpec {
        flags: key::RW | key::ACCESS | key::DELETE,
        begin: Begin::Index(1),
        find: Find::Range { last: -2, step: 1 },
    }],
    flags: flag::WRITE | flag::NOSCRIPT | flag::BLOCKING | flag::FAST,
    acl: acl::SORTEDSET,
    since: "5.0.0",
    group: Group::SortedSet,
    summary: "Removes the member with the lowest score from one of several sorted sets, waiting for one if need be.",
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    syntax: "key [key ...] timeout",
    run: Run::Keys(bzpopmin),
    ..Spec::DEFAULT
};

fn bzpopmin(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    pop_or_wait(End::Min, args, locked, reply)
}

fn bzpopmax(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    pop_or_wait(End::Max, args, locked, reply)
}

fn pop_or_wait(
    end: End,
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let mut keys: Vec<&[u8]> = args.rest().collect();
    let timeout = keys.pop().ok_or(Refusal::Syntax)?;
    let deadline = wait::deadline(timeout, args.now())?;
    for key in &keys {
        if let Some(effect) = pop(end, args.db(), key, locked, reply)? {
            return Ok(effect);
        }
    }
    let keys = Keys {
        keys: keys.into_iter().map(<[u8]>::to_vec).collect(),
        kind: Kind::ZSet,
        also: None,
        serve: match end {
            End::Min => |args, key, locked, reply| pop(End::Min, args.db(), key, locked, reply),
            End::Max => |args, key, locked, reply| pop(End::Max, args.db(), key, locked, reply),
        },
    };
    Ok(wait::for_keys(keys, deadline, nothing))
}

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

/// Answers a client for whom nothing came.
pub(super) fn nothing(_: &Context, _: &mut Session, _: Woken, reply: &mut Reply<'_>) {
    reply.null_array();
}
