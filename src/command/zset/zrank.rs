//! ZRANK key member [WITHSCORE] — how many members come before this one; ZREVRANK counts those that come after it.
//!
//! WITHSCORE is Redis 7.2's. With it the answer is an array of rank and score, and where there is no such member, the
//! null array.

use super::zset_of;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[
    ZRANK,
    Spec {
        name: "zrevrank",
        summary: "Tells how many members of a sorted set come after a member.",
        run: Run::Read(zrevrank),
        ..ZRANK
    },
];

const ZRANK: Spec = Spec {
    name: "zrank",
    arity: -3,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY | flag::FAST | flag::BRIEF,
    acl: acl::SORTEDSET,
    since: "2.0.0",
    group: Group::SortedSet,
    summary: "Tells how many members of a sorted set come before a member.",
    complexity: "O(log(N))",
    syntax: "key member [WITHSCORE]",
    run: Run::Read(zrank),
    ..Spec::DEFAULT
};

fn zrank(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    rank(args, entry, reply, "zrank", |rank, _| rank)
}

fn zrevrank(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    rank(args, entry, reply, "zrevrank", |rank, length| length - 1 - rank)
}

fn rank(
    args: &mut Args<'_>,
    entry: Option<&Entry>,
    reply: &mut Reply<'_>,
    command: &'static str,
    count: fn(usize, usize) -> usize,
) -> Result<(), Refusal> {
    let member = args.word()?;
    if args.left() > 1 {
        return Err(Refusal::Arity(command.into()));
    }
    let with_score = args.accept("WITHSCORE");
    args.end()?;
    let found = zset_of(entry)?
        .and_then(|zset| zset.rank(member).map(|(rank, score)| (count(rank, zset.len()), score)));
    match found {
        None if with_score => reply.null_array(),
        None => reply.null(),
        Some((rank, score)) => {
            if with_score {
                reply.array(2);
            }
            reply.int(rank as i64);
            if with_score {
                reply.double(score);
            }
        }
    }
    Ok(())
}
