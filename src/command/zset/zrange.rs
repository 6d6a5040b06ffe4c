//! ZRANGE key start stop — a stretch of a sorted set, in order; the older commands that it replaces are here too.
//!
//! What the arguments mean, see `window`.

use super::window::{By, Form, Window};
use super::{answer, zset_of};
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;
use crate::value::zset::Direction;

pub(super) const SPECS: &[Spec] = &[
    ZRANGE,
    Spec {
        name: "zrevrange",
        summary: "Returns the members whose ranks, counted from the highest score, lie in a range.",
        syntax: "key start stop [WITHSCORES]",
        replaced_by: Some("`ZRANGE` with the `REV` argument"),
        run: Run::Read(zrevrange),
        ..ZRANGE
    },
    Spec {
        name: "zrangebyscore",
        since: "1.0.5",
        summary: "Returns the members whose scores lie in a range, lowest first.",
        complexity: WITH_LIMIT,
        syntax: "key min max [WITHSCORES] [LIMIT offset count]",
        replaced_by: Some("`ZRANGE` with the `BYSCORE` argument"),
        run: Run::Read(zrangebyscore),
        ..ZRANGE
    },
    Spec {
        name: "zrevrangebyscore",
        since: "2.2.0",
        summary: "Returns the members whose scores lie in a range, highest first.",
        complexity: WITH_LIMIT,
        syntax: "key max min [WITHSCORES] [LIMIT offset count]",
        replaced_by: Some("`ZRANGE` with the `REV` and `BYSCORE` arguments"),
        run: Run::Read(zrevrangebyscore),
        ..ZRANGE
    },
    Spec {
        name: "zrangebylex",
        since: "2.8.9",
        summary: "Returns the members that lie in a range of names, first to last.",
        complexity: WITH_LIMIT,
        syntax: "key min max [LIMIT offset count]",
        replaced_by: Some("`ZRANGE` with the `BYLEX` argument"),
        run: Run::Read(zrangebylex),
        ..ZRANGE
    },
    Spec {
        name: "zrevrangebylex",
        since: "2.8.9",
        summary: "Returns the members that lie in a range of names, last to first.",
        complexity: WITH_LIMIT,
        syntax: "key max min [LIMIT offset count]",
        replaced_by: Some("`ZRANGE` with the `REV` and `BYLEX` arguments"),
        run: Run::Read(zrevrangebylex),
        ..ZRANGE
    },
];

const ZRANGE: Spec = Spec {
    name: "zrange",
    arity: -4,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::SORTEDSET,
    since: "1.2.0",
    group: Group::SortedSet,
    summary: "Returns the members of a sorted set that lie in a range of ranks, scores or names.",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
                 returned.",
    syntax: "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    run: Run::Read(zrange),
    // The usual words for all of it.
    whole: Some(|request| request.arg(2) == b"0" && request.arg(3) == b"-1"),
    ..Spec::DEFAULT
};

const WITH_LIMIT: &str = "O(log(N)+M) with N being the number of elements in the sorted set and M the number of \
                          elements being returned. If M is constant (e.g. always asking for the first 10 elements \
                          with LIMIT), you can consider it O(log(N)).";

fn zrange(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    range(None, None, args, entry, reply)
}

fn zrevrange(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    range(Some(By::Rank), Some(Direction::Reverse), args, entry, reply)
}

fn zrangebyscore(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    range(Some(By::Score), Some(Direction::Forward), args, entry, reply)
}

fn zrevrangebyscore(
    args: &mut Args<'_>,
    entry: Option<&Entry>,
    reply: &mut Reply<'_>,
) -> Result<(), Refusal> {
    range(Some(By::Score), Some(Direction::Reverse), args, entry, reply)
}

fn zrangebylex(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    range(Some(By::Lex), Some(Direction::Forward), args, entry, reply)
}

fn zrevrangebylex(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    range(Some(By::Lex), Some(Direction::Reverse), args, entry, reply)
}

fn range(
    by: Option<By>,
    direction: Option<Direction>,
    args: &mut Args<'_>,
    entry: Option<&Entry>,
    reply: &mut Reply<'_>,
) -> Result<(), Refusal> {
    let window = Window::read(args, Form { by, direction, takes_with_scores: true })?;
    let Some(zset) = zset_of(entry)? else {
        reply.array(0);
        return Ok(());
    };
    let pairs = zset.range(window.span(zset));
    match window.direction {
        Direction::Forward => answer(pairs, window.with_scores, reply),
        Direction::Reverse => answer(pairs.rev(), window.with_scores, reply),
    }
    Ok(())
}
