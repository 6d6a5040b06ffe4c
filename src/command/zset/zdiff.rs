//! ZDIFF numkeys key [key ...] — the members that only the first of the sorted sets has; ZDIFFSTORE keeps them at a key.

use super::combine::{Inputs, Takes};
use super::{answer, store};
use crate::base::refusal::Refusal;
use crate::exec::rules::first_is_much;
use crate::exec::{Args, Begin, Effect, Find, Group, KeySpec, Many, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Entry, Locked};

pub(super) const SPECS: &[Spec] = &[
    ZDIFF,
    Spec {
        name: "zdiffstore",
        arity: -4,
        keys: &[
            KeySpec::at(1, key::OW | key::UPDATE),
            KeySpec {
                flags: key::RO | key::ACCESS,
                begin: Begin::Index(2),
                find: Find::Count { at: 0, first: 1, step: 1 },
            },
        ],
        flags: flag::WRITE | flag::DENYOOM | flag::MOVABLEKEYS,
        summary: "Stores the members that only the first of several sorted sets has.",
        syntax: "destination numkeys key [key ...]",
        run: Run::Keys(zdiffstore),
        ..ZDIFF
    },
];

const ZDIFF: Spec = Spec {
    name: "zdiff",
    arity: -3,
    keys: &[KeySpec {
        flags: key::RO | key::ACCESS,
        begin: Begin::Index(1),
        find: Find::Count { at: 0, first: 1, step: 1 },
    }],
    flags: flag::READONLY | flag::MOVABLEKEYS,
    acl: acl::SORTEDSET,
    since: "6.2.0",
    group: Group::SortedSet,
    summary: "Returns the members that only the first of several sorted sets has.",
    complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size \
                 of the first set, and K is the size of the result set.",
    syntax: "numkeys key [key ...] [WITHSCORES]",
    run: Run::ReadMany(Many { read: zdiff, reads_much: first_is_much }),
    ..Spec::DEFAULT
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
