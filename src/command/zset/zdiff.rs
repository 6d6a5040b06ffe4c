//! ZDIFF numkeys key [key ...] — the members that only the first of the sorted sets has; ZDIFFSTORE keeps them at a key.

use super::combine::{Inputs, READS, STORES, Takes};
use super::{answer, store};
use crate::base::refusal::Refusal;
use crate::exec::rules::first_is_much;
use crate::exec::{Args, Effect, Many, Run, Spec};
use crate::resp::reply::Reply;
use crate::table::{Entry, Locked};

pub(super) const SPECS: &[Spec] = &[
    ZDIFF,
    Spec {
        name: "zdiffstore",
        summary: "Stores the members that only the first of several sorted sets has.",
        complexity: ZDIFF.complexity,
        syntax: "destination numkeys key [key ...]",
        run: Run::Keys(zdiffstore),
        ..STORES
    },
];

const ZDIFF: Spec = Spec {
    name: "zdiff",
    summary: "Returns the members that only the first of several sorted sets has.",
    complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size \
                 of the first set, and K is the size of the result set.",
    syntax: "numkeys key [key ...] [WITHSCORES]",
    run: Run::ReadMany(Many { read: zdiff, reads_much: first_is_much }),
    ..READS
};

fn zdiff(args: &mut Args<'_>, entries: &[Option<&Entry>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let takes = Takes { command: "zdiff", weights: false, with_scores: true, limit: false };
    let inputs = Inputs::read(args, entries, takes)?;
    answer(inputs.difference(&args.zset_limits()).iter(), inputs.with_scores, reply);
    Ok(())
}

fn zdiffstore(
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let target = args.word()?;
    let takes = Takes { command: "zdiffstore", weights: false, with_scores: false, limit: false };
    let result = Inputs::read_locked(args, locked, takes)?.difference(&args.zset_limits());
    Ok(store(result, &mut locked.slot(args.db(), target), "zdiffstore", reply))
}
