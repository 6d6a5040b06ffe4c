//! ZCOUNT key min max — how many members have scores in a range; ZLEXCOUNT counts those in a range of names, where all
//! scores are equal.

use super::{NOT_MEMBERS, NOT_SCORES, zset_of};
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;
use crate::value::zset::{LexRange, ScoreRange};

pub(super) const SPECS: &[Spec] = &[
    ZCOUNT,
    Spec {
        name: "zlexcount",
        since: "2.8.9",
        summary: "Counts the members of a sorted set that lie in a range of names.",
        run: Run::Read(zlexcount),
        syntax: "key min max",
        ..ZCOUNT
    },
];

const ZCOUNT: Spec = Spec {
    name: "zcount",
    arity: 4,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY | flag::FAST | flag::BRIEF,
    acl: acl::SORTEDSET,
    since: "2.0.0",
    group: Group::SortedSet,
    summary: "Counts the members of a sorted set whose scores lie in a range.",
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    syntax: "key min:double max:double",
    run: Run::Read(zcount),
    ..Spec::DEFAULT
};

fn zcount(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let range = ScoreRange::parse(args.word()?, args.word()?).ok_or(NOT_SCORES)?;
    reply.int(zset_of(entry)?.map_or(0, |zset| zset.span_by_score(&range).len()) as i64);
    Ok(())
}

fn zlexcount(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let range = LexRange::parse(args.word()?, args.word()?).ok_or(NOT_MEMBERS)?;
    reply.int(zset_of(entry)?.map_or(0, |zset| zset.span_by_lex(&range).len()) as i64);
    Ok(())
}
