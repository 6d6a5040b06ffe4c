//! ZRANGE key start stop — a stretch of a sorted set, in order; the older commands that it replaces are here too.
//!
//! What the arguments mean, see `window`.

use super::window::{By, Form, Window};
use super::{answer, zset_of};
use crate::base::refusal::Refusal;
use crate::exec::rules::is_much;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::resp::request::Request;
use crate::table::Entry;
use crate::value::zset::Direction;

pub(super) const SPECS: &[Spec] = &[
    ZRANGE,
    Spec {
        name: "zrevrange",
        summary: "Returns the members whose ranks, counted from the highest score, lie in a range.",
        syntax: "key start stop [WITHSCORES]",
        replaced_by: Some("`ZRANGE` with the `REV` argument"),
        reads_much: Some(|request, entry| reads_much(BY_RANK_REVERSED, request, entry)),
        run: Run::Read(|args, entry, reply| range(BY_RANK_REVERSED, args, entry, reply)),
        ..ZRANGE
    },
    Spec {
        name: "zrangebyscore",
        since: "1.0.5",
        summary: "Returns the members whose scores lie in a range, lowest first.",
        complexity: WITH_LIMIT,
        syntax: "key min:double max:double [WITHSCORES] [LIMIT offset count]",
        replaced_by: Some("`ZRANGE` with the `BYSCORE` argument"),
        reads_much: Some(|request, entry| reads_much(BY_SCORE, request, entry)),
        run: Run::Read(|args, entry, reply| range(BY_SCORE, args, entry, reply)),
        ..ZRANGE
    },
    Spec {
        name: "zrevrangebyscore",
        since: "2.2.0",
        summary: "Returns the members whose scores lie in a range, highest first.",
        complexity: WITH_LIMIT,
        syntax: "key max:double min:double [WITHSCORES] [LIMIT offset count]",
        replaced_by: Some("`ZRANGE` with the `REV` and `BYSCORE` arguments"),
        reads_much: Some(|request, entry| reads_much(BY_SCORE_REVERSED, request, entry)),
        run: Run::Read(|args, entry, reply| range(BY_SCORE_REVERSED, args, entry, reply)),
        ..ZRANGE
    },
    Spec {
        name: "zrangebylex",
        since: "2.8.9",
        summary: "Returns the members that lie in a range of names, first to last.",
        complexity: WITH_LIMIT,
        syntax: "key min max [LIMIT offset count]",
        replaced_by: Some("`ZRANGE` with the `BYLEX` argument"),
        reads_much: Some(|request, entry| reads_much(BY_LEX, request, entry)),
        run: Run::Read(|args, entry, reply| range(BY_LEX, args, entry, reply)),
        ..ZRANGE
    },
    Spec {
        name: "zrevrangebylex",
        since: "2.8.9",
        summary: "Returns the members that lie in a range of names, last to first.",
        complexity: WITH_LIMIT,
        syntax: "key max min [LIMIT offset count]",
        replaced_by: Some("`ZRANGE` with the `REV` and `BYLEX` arguments"),
        reads_much: Some(|request, entry| reads_much(BY_LEX_REVERSED, request, entry)),
        run: Run::Read(|args, entry, reply| range(BY_LEX_REVERSED, args, entry, reply)),
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
    syntax: "key start:string stop:string [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    run: Run::Read(|args, entry, reply| range(NEW, args, entry, reply)),
    reads_much: Some(|request, entry| reads_much(NEW, request, entry)),
    ..Spec::DEFAULT
};

const WITH_LIMIT: &str = "O(log(N)+M) with N being the number of elements in the sorted set and M the number of \
                          elements being returned. If M is constant (e.g. always asking for the first 10 elements \
                          with LIMIT), you can consider it O(log(N)).";

/// What ZRANGE's name settles: nothing.
const NEW: Form = Form { by: None, direction: None, takes_with_scores: true };

/// What the name of an older command settles.
const fn older(by: By, direction: Direction) -> Form {
    Form { by: Some(by), direction: Some(direction), takes_with_scores: true }
}

const BY_RANK_REVERSED: Form = older(By::Rank, Direction::Reverse);
const BY_SCORE: Form = older(By::Score, Direction::Forward);
const BY_SCORE_REVERSED: Form = older(By::Score, Direction::Reverse);
const BY_LEX: Form = older(By::Lex, Direction::Forward);
const BY_LEX_REVERSED: Form = older(By::Lex, Direction::Reverse);

fn reads_much(form: Form, request: &Request<'_>, entry: &Entry) -> bool {
    let window = Window::read(&mut Args::looking(*request, 2), form);
    let (Ok(window), Ok(zset)) = (window, entry.value().zset()) else { return false };
    is_much(window.span(zset).len(), zset.len())
}

fn range(
    form: Form,
    args: &mut Args<'_>,
    entry: Option<&Entry>,
    reply: &mut Reply<'_>,
) -> Result<(), Refusal> {
    let window = Window::read(args, form)?;
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
