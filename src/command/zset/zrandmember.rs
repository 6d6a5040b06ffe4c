//! ZRANDMEMBER key [count [WITHSCORES]] — members picked by chance, which stay. A negative count may pick one more than
//! once.

use std::collections::HashSet;

use super::{answer, answer_member, zset_of};
use crate::base::limits;
use crate::base::random::Random;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::{Proto, Reply};
use crate::table::Entry;
use crate::value::ZSet;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "zrandmember",
    arity: -2,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::SORTEDSET,
    since: "6.2.0",
    group: Group::SortedSet,
    summary: "Returns members of a sorted set, picked by chance.",
    complexity: "O(N) where N is the number of elements returned",
    syntax: "key [count [WITHSCORES]]",
    run: Run::Read(zrandmember),
    ..Spec::DEFAULT
}];

/// The longest answer to a negative count, in bytes. Such a count asks for any multiple of what is there, so that one
/// short request could fill all memory; with the longest string that may be returned, it cannot.
const REPLY_BYTES_MAX: usize = limits::STRING_BYTES_MAX;

/// Where the answer has pairs, Redis refuses counts whose double is no 64-bit integer.
const PAIRS_MAX: u64 = i64::MAX as u64 / 2;

fn zrandmember(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let mut random = args.random();
    if args.is_done() {
        match zset_of(entry)?.and_then(|zset| zset.random(&mut random)) {
            Some((member, _)) => answer_member(member, reply),
            None => reply.null(),
        }
        return Ok(());
    }
    let count = args.int_within(
        -i64::MAX..=i64::MAX,
        "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
    )?;
    let with_scores = args.accept("WITHSCORES");
    args.end()?;
    if with_scores && count.unsigned_abs() > PAIRS_MAX {
        return Err(Refusal::line("ERR value is out of range"));
    }
    let Some(zset) = zset_of(entry)? else {
        reply.array(0);
        return Ok(());
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        return repeat(zset, wanted, with_scores, &mut random, reply);
    }
    if wanted >= zset.len() {
        answer(zset.iter(), with_scores, reply);
        return Ok(());
    }
    let chosen = sample(zset.len(), wanted, &mut random);
    let pairs: Vec<_> = chosen.into_iter().filter_map(|rank| zset.nth(rank)).collect();
    answer(pairs.into_iter(), with_scores, reply);
    Ok(())
}

/// Answers with `wanted` members, each picked as if it were the only one.
fn repeat(
    zset: &ZSet,
    wanted: usize,
    with_scores: bool,
    random: &mut Random,
    reply: &mut Reply<'_>,
) -> Result<(), Refusal> {
    let is_nested = with_scores && reply.proto() == Proto::Resp3;
    let before = reply.len();
    // No more than PAIRS_MAX where this doubles it.
    reply.array(if with_scores && !is_nested { 2 * wanted } else { wanted });
    for (member, score) in (0..wanted).map_while(|_| zset.random(random)) {
        if is_nested {
            reply.array(2);
        }
        answer_member(member, reply);
        if with_scores {
            reply.double(score);
        }
        if reply.len() - before > REPLY_BYTES_MAX {
            return Err(Refusal::line("ERR value is out of range, the reply would be too long"));
        }
    }
    Ok(())
}

/// `wanted` different numbers below `length`, every choice in every order as likely as any other; `wanted` is no more
/// than `length`.
///
/// Floyd's sampling: the k-th number is drawn below `length - wanted + k`; where it was drawn before, the highest one
/// allowed now takes its place, which cannot have been drawn. The order that gives is not fair, so it is shuffled.
fn sample(length: usize, wanted: usize, random: &mut Random) -> Vec<usize> {
    let mut below = |n: usize| random.below(n as u64) as usize;
    let mut known = HashSet::with_capacity(wanted);
    let mut chosen = Vec::with_capacity(wanted);
    for highest in length - wanted..length {
        let drawn = below(highest + 1);
        let new = if known.contains(&drawn) { highest } else { drawn };
        known.insert(new);
        chosen.push(new);
    }
    for at in (1..chosen.len()).rev() {
        chosen.swap(at, below(at + 1));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn a_sample_has_different_numbers_and_every_order_of_them_equally_often() {
        let mut random = Random::seeded(7);
        let mut seen: HashMap<Vec<usize>, usize> = HashMap::new();
        for _ in 0..12_000 {
            *seen.entry(sample(4, 2, &mut random)).or_default() += 1;
        }
        assert_eq!(seen.len(), 12);
        assert!(seen.keys().all(|pair| pair[0] != pair[1] && pair[0].max(pair[1]) < 4));
        assert!(seen.values().all(|count| (850..1150).contains(count)), "{seen:?}");
        assert_eq!(sample(9, 0, &mut random), Vec::<usize>::new());
        let mut all = sample(9, 9, &mut random);
        all.sort_unstable();
        assert_eq!(all, (0..9).collect::<Vec<_>>());
    }
}
