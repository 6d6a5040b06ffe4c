//! ZREM key member [member ...] — removes members; with the last one the key goes.

use super::{shrink, zset_of};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "zrem",
    arity: -3,
    keys: &[KeySpec::first(key::RW | key::DELETE)],
    flags: flag::WRITE | flag::FAST | flag::BRIEF,
    acl: acl::SORTEDSET,
    since: "1.2.0",
    group: Group::SortedSet,
    summary: "Removes members from a sorted set.",
    complexity: "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be \
                 removed.",
    syntax: "key member [member ...]",
    event: Some(event::zset("zrem")),
    run: Run::Write(zrem),
    ..Spec::DEFAULT
}];

fn zrem(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let is_there =
        zset_of(slot.entry())?.is_some_and(|zset| args.rest().any(|member| zset.score(member).is_some()));
    if !is_there {
        reply.int(0);
        return Ok(Effect::None);
    }
    let remove =
        |zset: &mut crate::value::ZSet| args.rest().filter(|member| zset.remove(member).is_some()).count();
    let removed = shrink(slot, remove)?.unwrap_or_default();
    reply.int(removed as i64);
    Ok(Effect::Same)
}
