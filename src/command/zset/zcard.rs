//! ZCARD key — how many members a sorted set has.

use super::zset_of;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;
use crate::value::ZSet;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "zcard",
    arity: 2,
    keys: &[KeySpec::first(key::RO)],
    flags: flag::READONLY | flag::FAST | flag::BRIEF,
    acl: acl::SORTEDSET,
    since: "1.2.0",
    group: Group::SortedSet,
    summary: "Counts the members of a sorted set.",
    syntax: "key",
    run: Run::Read(zcard),
    ..Spec::DEFAULT
}];

fn zcard(_args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    reply.int(zset_of(entry)?.map_or(0, ZSet::len) as i64);
    Ok(())
}
