//! SINTER key [key ...] — the members that all of the sets have; SINTERSTORE keeps them at a key, SINTERCARD counts
//! them, up to a limit.
//!
//! The members of the smallest set are looked up in the others.

use super::{READS, STORES, answer_all, locked_sets, sets_of, store};
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::rules::fewest_are_much;
use crate::exec::{Args, Effect, KeySpec, Many, Run, Spec, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Entry, Locked};
use crate::value::{Set, TextRef};

pub(super) const SPECS: &[Spec] = &[
    SINTER,
    Spec {
        name: "sintercard",
        arity: -3,
        keys: &[KeySpec::counted(1, key::RO | key::ACCESS)],
        flags: flag::READONLY | flag::MOVABLEKEYS,
        since: "7.0.0",
        summary: "Counts the members that all of several sets have.",
        syntax: "numkeys key [key ...] [LIMIT limit:integer]",
        run: Run::ReadMany(Many { read: sintercard, reads_much: fewest_are_much }),
        ..SINTER
    },
    Spec {
        name: "sinterstore",
        // Redis says that the destination is read, too.
        keys: &[KeySpec::at(1, key::RW | key::UPDATE), KeySpec::all(2, 1, key::RO | key::ACCESS)],
        summary: "Stores the members that all of several sets have.",
        complexity: SINTER.complexity,
        run: Run::Keys(sinterstore),
        ..STORES
    },
];

const SINTER: Spec = Spec {
    name: "sinter",
    summary: "Returns the members that all of several sets have.",
    complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
    run: Run::ReadMany(Many { read: sinter, reads_much: fewest_are_much }),
    ..READS
};

fn sinter(_: &mut Args<'_>, entries: &[Option<&Entry>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
    answer_all(common(sets_of(entries)?), reply);
    Ok(())
}

fn sinterstore(
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let (db, target, limits) = (args.db(), args.word()?, args.set_limits());
    let mut set = Set::new();
    for member in common(locked_sets(locked, db, args.rest())?) {
        set.add(member.bytes(&mut itoa::Buffer::new()), &limits);
    }
    Ok(store(locked, (db, target), set, "sinterstore", reply))
}

fn sintercard(args: &mut Args<'_>, entries: &[Option<&Entry>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let keys = number::parse_i64(args.word()?).and_then(|keys| usize::try_from(keys).ok());
    let keys = keys.filter(|&keys| keys > 0);
    let keys = keys.ok_or(Refusal::line("ERR numkeys should be greater than 0"))?;
    if keys > args.left() {
        return Err(Refusal::line("ERR Number of keys can't be greater than number of args"));
    }
    (0..keys).try_for_each(|_| args.word().map(|_| ()))?;
    let mut limit = usize::MAX;
    while !args.is_done() {
        if !args.accept("LIMIT") {
            return Err(Refusal::Syntax);
        }
        let most = number::parse_i64(args.word()?).and_then(|limit| usize::try_from(limit).ok());
        // Without a limit is what 0 means.
        limit = match most.ok_or(Refusal::line("ERR LIMIT can't be negative"))? {
            0 => usize::MAX,
            most => most,
        };
    }
    let count = common(sets_of(entries)?).take(limit).count();
    reply.int(count as i64);
    Ok(())
}

/// The members that all sets have: none if one of the sets is not there.
fn common<'s>(sets: Vec<Option<&'s Set>>) -> impl Iterator<Item = TextRef<'s>> {
    let mut sets: Vec<&Set> = sets.into_iter().collect::<Option<_>>().unwrap_or_default();
    sets.sort_by_key(|set| set.len());
    let smallest = sets.first().copied();
    let members = smallest.into_iter().flat_map(Set::iter);
    members.filter(move |member| sets.iter().skip(1).all(|other| other.contains_text(*member)))
}
