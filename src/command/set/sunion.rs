//! SUNION key [key ...] — the members of any of the sets; SUNIONSTORE keeps them at a key.

use super::{READS, STORES, answer, locked_sets, sets_of, store};
use crate::base::refusal::Refusal;
use crate::exec::rules::all_are_much;
use crate::exec::{Args, Effect, Many, Run, Spec};
use crate::resp::reply::Reply;
use crate::table::{Entry, Locked};
use crate::value::{Set, set};

pub(super) const SPECS: &[Spec] = &[
    SUNION,
    Spec {
        name: "sunionstore",
        summary: "Stores the members that any of several sets has.",
        complexity: SUNION.complexity,
        run: Run::Keys(sunionstore),
        ..STORES
    },
];

const SUNION: Spec = Spec {
    name: "sunion",
    summary: "Returns the members that any of several sets has.",
    complexity: "O(N) where N is the total number of elements in all given sets.",
    run: Run::ReadMany(Many { read: sunion, reads_much: all_are_much }),
    ..READS
};

fn sunion(args: &mut Args<'_>, entries: &[Option<&Entry>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let all = union(&sets_of(entries)?, &args.set_limits());
    reply.set(all.len());
    all.iter().for_each(|member| answer(member, reply));
    Ok(())
}

fn sunionstore(
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let (db, target) = (args.db(), args.word()?);
    let all = union(&locked_sets(locked, db, args.rest())?, &args.set_limits());
    Ok(store(locked, (db, target), all, "sunionstore", reply))
}

fn union(sets: &[Option<&Set>], limits: &set::Thresholds) -> Set {
    let mut all = Set::new();
    for member in sets.iter().flatten().flat_map(|set| set.iter()) {
        all.add(member.bytes(&mut itoa::Buffer::new()), limits);
    }
    all
}
