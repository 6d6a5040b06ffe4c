//! ZINTER numkeys key [key ...] — the members that all of the sorted sets have; ZINTERSTORE keeps them at a key,
//! ZINTERCARD counts them, up to a limit.
//!
//! What the options mean, see `combine`. The members of the smallest set are looked up in the others.

use super::combine::{Inputs, READS, STORES, Takes};
use super::{answer, store};
use crate::base::refusal::Refusal;
use crate::exec::rules::fewest_are_much;
use crate::exec::{Args, Effect, Many, Run, Spec};
use crate::resp::reply::Reply;
use crate::table::{Entry, Locked};

pub(super) const SPECS: &[Spec] = &[
    ZINTER,
    Spec {
        name: "zintercard",
        since: "7.0.0",
        summary: "Counts the members that all of several sorted sets have.",
        complexity: "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted \
                     sets.",
        syntax: "numkeys key [key ...] [LIMIT limit:integer]",
        run: Run::ReadMany(Many { read: zintercard, reads_much: fewest_are_much }),
        ..READS
    },
    Spec {
        name: "zinterstore",
        since: "2.0.0",
        summary: "Stores the members that all of several sorted sets have.",
        complexity: ZINTER.complexity,
        syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
        run: Run::Keys(zinterstore),
        ..STORES
    },
];

const ZINTER: Spec = Spec {
    name: "zinter",
    summary: "Returns the members that all of several sorted sets have.",
    complexity: "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input \
                 sorted sets and M being the number of elements in the resulting sorted set.",
    syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
    run: Run::ReadMany(Many { read: zinter, reads_much: fewest_are_much }),
    ..READS
};

fn zinter(args: &mut Args<'_>, entries: &[Option<&Entry>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let takes = Takes { command: "zinter", weights: true, with_scores: true, limit: false };
    let inputs = Inputs::read(args, entries, takes)?;
    answer(inputs.intersection(&args.zset_limits()).iter(), inputs.with_scores, reply);
    Ok(())
}

fn zintercard(args: &mut Args<'_>, entries: &[Option<&Entry>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let takes = Takes { command: "zintercard", weights: false, with_scores: false, limit: true };
    reply.int(Inputs::read(args, entries, takes)?.common() as i64);
    Ok(())
}

fn zinterstore(
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let target = args.word()?;
    let takes = Takes { command: "zinterstore", weights: true, with_scores: false, limit: false };
    let result = Inputs::read_locked(args, locked, takes)?.intersection(&args.zset_limits());
    Ok(store(result, &mut locked.slot(args.db(), target), "zinterstore", reply))
}
