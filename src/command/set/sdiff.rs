//! SDIFF key [key ...] — the members of the first set that none of the others has; SDIFFSTORE keeps them at a key.
//!
//! Two ways lead there: to look each member of the first set up in the others, or to strike out of a copy of it all
//! that the others hold. The first is taken when its look-ups, half of which are expected to end early, are no more
//! than the members that the second would go through.

use super::{READS, STORES, answer, answer_all, locked_sets, sets_of, store};
use crate::base::refusal::Refusal;
use crate::exec::rules::first_is_much;
use crate::exec::{Args, Effect, Many, Run, Spec};
use crate::resp::reply::Reply;
use crate::table::{Entry, Locked};
use crate::value::{Set, TextRef, set};

pub(super) const SPECS: &[Spec] = &[
    SDIFF,
    Spec {
        name: "sdiffstore",
        summary: "Stores the members of a set that none of the other sets has.",
        complexity: SDIFF.complexity,
        run: Run::Keys(sdiffstore),
        ..STORES
    },
];

const SDIFF: Spec = Spec {
    name: "sdiff",
    summary: "Returns the members of a set that none of the other sets has.",
    complexity: "O(N) where N is the total number of elements in all given sets.",
    run: Run::ReadMany(Many { read: sdiff, reads_much: first_is_much }),
    ..READS
};

fn sdiff(args: &mut Args<'_>, entries: &[Option<&Entry>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
    match Difference::of(&sets_of(entries)?) {
        Difference::LookUp(first, others) => answer_all(missing_from(first, &others), reply),
        Difference::Strike(first, others) => {
            let left = struck(first, &others, &args.set_limits());
            reply.set(left.len());
            left.iter().for_each(|member| answer(member, reply));
        }
    }
    Ok(())
}

fn sdiffstore(
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let (db, target, limits) = (args.db(), args.word()?, args.set_limits());
    let left = match Difference::of(&locked_sets(locked, db, args.rest())?) {
        Difference::LookUp(first, others) => collect(missing_from(first, &others), &limits),
        Difference::Strike(first, others) => struck(first, &others, &limits),
    };
    Ok(store(locked, (db, target), left, "sdiffstore", reply))
}

/// The way to take, with the first set, if there is one, and the others.
enum Difference<'s> {
    LookUp(Option<&'s Set>, Vec<&'s Set>),
    Strike(Option<&'s Set>, Vec<&'s Set>),
}

impl<'s> Difference<'s> {
    fn of(sets: &[Option<&'s Set>]) -> Self {
        let first = sets.first().copied().flatten();
        let mut others: Vec<&Set> = sets.iter().skip(1).flatten().copied().collect();
        let size = first.map_or(0, Set::len);
        let look_ups = size.saturating_mul(sets.len()) / 2;
        let members = others.iter().fold(size, |sum, set| sum.saturating_add(set.len()));
        if look_ups <= members {
            // The largest is the likeliest to hold a member.
            others.sort_by_key(|set| std::cmp::Reverse(set.len()));
            Difference::LookUp(first, others)
        } else {
            Difference::Strike(first, others)
        }
    }
}

fn missing_from<'s>(first: Option<&'s Set>, others: &[&Set]) -> impl Iterator<Item = TextRef<'s>> {
    let members = first.into_iter().flat_map(Set::iter);
    members.filter(move |member| !others.iter().any(|other| other.contains_text(*member)))
}

fn struck(first: Option<&Set>, others: &[&Set], limits: &set::Thresholds) -> Set {
    // Not a clone, which would keep the form: what is left may fit into a smaller one from the start.
    let mut left = collect(first.into_iter().flat_map(Set::iter), limits);
    for member in others.iter().flat_map(|set| set.iter()) {
        if left.is_empty() {
            break;
        }
        left.remove(member.bytes(&mut itoa::Buffer::new()));
    }
    left
}

fn collect<'s>(members: impl Iterator<Item = TextRef<'s>>, limits: &set::Thresholds) -> Set {
    let mut set = Set::new();
    for member in members {
        set.add(member.bytes(&mut itoa::Buffer::new()), limits);
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const LIMITS: set::Thresholds =
        set::Thresholds { intset_entries: 4, listpack_entries: 0, listpack_value: 64 };

    fn texts<'s>(members: impl Iterator<Item = TextRef<'s>>) -> BTreeSet<Vec<u8>> {
        members.map(|member| member.bytes(&mut itoa::Buffer::new()).to_vec()).collect()
    }

    proptest! {
        #[test]
        fn both_ways_lead_to_the_same_members(
            rows in prop::collection::vec(prop::collection::btree_set(0..12_u8, 0..9), 1..5),
            odd in any::<bool>(),
        ) {
            let name = |number: &u8| if odd { format!("m{number}") } else { number.to_string() }.into_bytes();
            let sets: Vec<Set> = rows
                .iter()
                .map(|row| {
                    let mut set = Set::new();
                    row.iter().for_each(|number| _ = set.add(&name(number), &LIMITS));
                    set
                })
                .collect();
            let others: Vec<&Set> = sets.iter().skip(1).collect();
            let left = |number: &&u8| !rows.iter().skip(1).any(|row| row.contains(number));
            let expected: BTreeSet<Vec<u8>> = rows[0].iter().filter(left).map(name).collect();
            prop_assert_eq!(&texts(missing_from(sets.first(), &others)), &expected);
            prop_assert_eq!(&texts(struck(sets.first(), &others, &LIMITS).iter()), &expected);
        }
    }

    #[test]
    fn many_small_sets_are_struck_out_of_a_large_one() {
        let mut large = Set::new();
        (0..100).for_each(|number: i32| _ = large.add(number.to_string().as_bytes(), &LIMITS));
        let small = Set::new();
        let way = |sets: &[Option<&Set>]| matches!(Difference::of(sets), Difference::LookUp(..));
        assert!(way(&[Some(&large), Some(&small)]));
        assert!(!way(&[Some(&large), Some(&small), Some(&small), None]));
        assert!(way(&[Some(&small), Some(&large), Some(&large), Some(&large)]));
        assert!(way(&[None, Some(&large)]));
    }
}
