//! ZUNION numkeys key [key ...] — the members that any of the sorted sets has; ZUNIONSTORE keeps them at a key.
//!
//! What the options mean, see `combine`.

use super::combine::{Inputs, READS, STORES, Takes};
use super::{answer, store};
use crate::base::refusal::Refusal;
use crate::exec::rules::all_are_much;
use crate::exec::{Args, Effect, Many, Run, Spec};
use crate::resp::reply::Reply;
use crate::table::{Entry, Locked};

pub(super) const SPECS: &[Spec] = &[
    Spec {
        name: "zunion",
        summary: "Returns the members that any of several sorted sets has.",
        complexity: "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the \
                     number of elements in the resulting sorted set.",
        syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
        run: Run::ReadMany(Many { read: zunion, reads_much: all_are_much }),
        ..READS
    },
    Spec {
        name: "zunionstore",
        since: "2.0.0",
        summary: "Stores the members that any of several sorted sets has.",
        complexity: "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the \
                     number of elements in the resulting sorted set.",
        syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
        run: Run::Keys(zunionstore),
        ..STORES
    },
];

fn zunion(args: &mut Args<'_>, entries: &[Option<&Entry>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let takes = Takes { command: "zunion", weights: true, with_scores: true, limit: false };
    let inputs = Inputs::read(args, entries, takes)?;
    answer(inputs.union(&args.zset_limits()).iter(), inputs.with_scores, reply);
    Ok(())
}

fn zunionstore(
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let target = args.word()?;
    let takes = Takes { command: "zunionstore", weights: true, with_scores: false, limit: false };
    let result = Inputs::read_locked(args, locked, takes)?.union(&args.zset_limits());
    Ok(store(result, &mut locked.slot(args.db(), target), "zunionstore", reply))
}
