//! ZSCORE key member — a member's score; ZMSCORE tells those of several. Null stands for a member that is not there.

use super::zset_of;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[
    ZSCORE,
    Spec {
        name: "zmscore",
        arity: -3,
        since: "6.2.0",
        summary: "Tells the scores of several members of a sorted set.",
        complexity: "O(N) where N is the number of members being requested.",
        syntax: "key member [member ...]",
        run: Run::Read(zmscore),
        ..ZSCORE
    },
];

const ZSCORE: Spec = Spec {
    name: "zscore",
    arity: 3,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY | flag::FAST | flag::BRIEF,
    acl: acl::SORTEDSET,
    since: "1.2.0",
    group: Group::SortedSet,
    summary: "Tells the score of a member of a sorted set.",
    syntax: "key member",
    run: Run::Read(zscore),
    ..Spec::DEFAULT
};

fn zscore(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let member = args.word()?;
    answer(zset_of(entry)?.and_then(|zset| zset.score(member)), reply);
    Ok(())
}

fn zmscore(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let zset = zset_of(entry)?;
    reply.array(args.left());
    args.rest().for_each(|member| answer(zset.and_then(|zset| zset.score(member)), reply));
    Ok(())
}

fn answer(score: Option<f64>, reply: &mut Reply<'_>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}
