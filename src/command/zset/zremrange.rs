//! ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX key min max — removes a stretch of a sorted set; with the last
//! member the key goes.

use std::ops::Range;

use super::{NOT_MEMBERS, NOT_SCORES, shrink, zset_of};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;
use crate::value::ZSet;
use crate::value::zset::{LexRange, ScoreRange, ranks};

pub(super) const SPECS: &[Spec] = &[
    BY_RANK,
    Spec {
        name: "zremrangebyscore",
        since: "1.2.0",
        summary: "Removes the members of a sorted set whose scores lie in a range.",
        syntax: "key min:double max:double",
        event: Some(event::zset("zremrangebyscore")),
        run: Run::Write(by_score),
        ..BY_RANK
    },
    Spec {
        name: "zremrangebylex",
        since: "2.8.9",
        summary: "Removes the members of a sorted set that lie in a range of names.",
        syntax: "key min max",
        event: Some(event::zset("zremrangebylex")),
        run: Run::Write(by_lex),
        ..BY_RANK
    },
];

const BY_RANK: Spec = Spec {
    name: "zremrangebyrank",
    arity: 4,
    keys: &[KeySpec::first(key::RW | key::DELETE)],
    flags: flag::WRITE,
    acl: acl::SORTEDSET,
    since: "2.0.0",
    group: Group::SortedSet,
    summary: "Removes the members of a sorted set whose ranks lie in a range.",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
                 removed by the operation.",
    syntax: "key start stop",
    event: Some(event::zset("zremrangebyrank")),
    run: Run::Write(by_rank),
    ..Spec::DEFAULT
};

fn by_rank(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let (start, stop) = (args.int()?, args.int()?);
    remove(slot, reply, |zset| ranks(start, stop, zset.len()))
}

fn by_score(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let range = ScoreRange::parse(args.word()?, args.word()?).ok_or(NOT_SCORES)?;
    remove(slot, reply, |zset| zset.span_by_score(&range))
}

fn by_lex(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let range = LexRange::parse(args.word()?, args.word()?).ok_or(NOT_MEMBERS)?;
    remove(slot, reply, |zset| zset.span_by_lex(&range))
}

fn remove(
    slot: &mut Slot<'_>,
    reply: &mut Reply<'_>,
    span: impl FnOnce(&ZSet) -> Range<usize>,
) -> Result<Effect, Refusal> {
    let span = zset_of(slot.entry())?.map(span).unwrap_or_default();
    reply.int(span.len() as i64);
    if span.is_empty() {
        return Ok(Effect::None);
    }
    shrink(slot, |zset| zset.remove_span(span))?;
    Ok(Effect::Same)
}
