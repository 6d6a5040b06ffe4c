//! ZINCRBY key increment member — adds to a member's score; a member that is not there starts from 0.

use super::zadd::{Rule, increment};
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "zincrby",
    arity: 4,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST | flag::BRIEF,
    acl: acl::SORTEDSET,
    since: "1.2.0",
    group: Group::SortedSet,
    summary: "Adds to the score of a member of a sorted set.",
    complexity: "O(log(N)) where N is the number of elements in the sorted set.",
    syntax: "key increment member",
    run: Run::Write(zincrby),
    ..Spec::DEFAULT
}];

fn zincrby(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let (by, member) = (args.float()?, args.word()?);
    increment(&Rule::INCREMENT, by, member, &args.zset_limits(), slot, reply)
}
