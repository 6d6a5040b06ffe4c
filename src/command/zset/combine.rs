//! What ZUNION, ZINTER and ZDIFF read alike, and the three operations on what they read.
//!
//! ```text
//! numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES] [LIMIT n]
//! ```
//!
//! Sets take part as sorted sets whose scores are all 1. The order in which Redis meets the scores of a member shows in
//! the last digit of a sum, so it is kept: the smallest set comes first, those of one size in the order given.
//!
//! Infinity times 0, or minus infinity, is no number. Redis takes 0 for it, with one exception that is kept too: in an
//! intersection the product of the second or a later set goes into MIN and MAX as it is, and loses.

use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Spec, acl, flag, key};
use crate::table::{Entry, Locked};
use crate::value::zset::Thresholds;
use crate::value::{Set, TextRef, ValueRef, ZSet};

/// What the rows of ZUNION, ZINTER and ZDIFF say alike.
pub(super) const READS: Spec = Spec {
    arity: -3,
    keys: &[KeySpec::counted(1, key::RO | key::ACCESS)],
    flags: flag::READONLY | flag::MOVABLEKEYS,
    acl: acl::SORTEDSET,
    since: "6.2.0",
    group: Group::SortedSet,
    ..Spec::DEFAULT
};

/// What those say alike that store the result.
pub(super) const STORES: Spec = Spec {
    arity: -4,
    keys: &[KeySpec::at(1, key::OW | key::UPDATE), KeySpec::counted(2, key::RO | key::ACCESS)],
    flags: flag::WRITE | flag::DENYOOM | flag::MOVABLEKEYS,
    ..READS
};

/// Which options a command takes.
#[derive(Clone, Copy)]
pub(super) struct Takes {
    /// The command's name, for a refusal.
    pub(super) command: &'static str,
    /// WEIGHTS and AGGREGATE.
    pub(super) weights: bool,
    /// WITHSCORES.
    pub(super) with_scores: bool,
    /// LIMIT.
    pub(super) limit: bool,
}

/// What a command is to combine, and how.
pub(super) struct Inputs<'l> {
    sources: Vec<Source<'l>>,
    weights: Vec<f64>,
    aggregate: Aggregate,
    pub(super) with_scores: bool,
    /// How many members are enough.
    limit: usize,
}

impl<'l> Inputs<'l> {
    /// Reads the arguments from the number of keys on. Of several mistakes Redis tells a wrong type before any among the
    /// options.
    pub(super) fn read(
        args: &mut Args<'_>,
        entries: &[Option<&'l Entry>],
        takes: Takes,
    ) -> Result<Self, Refusal> {
        number_of_keys(args, takes)?;
        Self::of(entries, args, takes)
    }

    /// As [`Inputs::read`], where the keys are opened first.
    pub(super) fn read_locked(
        args: &mut Args<'_>,
        locked: &'l mut Locked<'_>,
        takes: Takes,
    ) -> Result<Self, Refusal> {
        let number = number_of_keys(args, takes)?;
        let (db, keys) = (args.db(), args.rest().take(number));
        Self::of(&locked.entries(db, keys, true), args, takes)
    }

    /// Reads the arguments from the first key on.
    fn of(entries: &[Option<&'l Entry>], args: &mut Args<'_>, takes: Takes) -> Result<Self, Refusal> {
        let sources = entries.iter().map(|entry| Source::of(*entry)).collect::<Result<_, _>>()?;
        (0..entries.len()).try_for_each(|_| args.word().map(drop))?;
        let mut inputs = Inputs {
            sources,
            weights: vec![1.0; entries.len()],
            aggregate: Aggregate::Sum,
            with_scores: false,
            limit: usize::MAX,
        };
        while !args.is_done() {
            inputs.read_option(args, takes)?;
        }
        Ok(inputs)
    }

    fn read_option(&mut self, args: &mut Args<'_>, takes: Takes) -> Result<(), Refusal> {
        if takes.weights && args.left() > self.weights.len() && args.accept("WEIGHTS") {
            for weight in &mut self.weights {
                let word = number::parse_f64(args.word()?);
                *weight = word.ok_or(Refusal::line("ERR weight value is not a float"))?;
            }
        } else if takes.weights && args.accept("AGGREGATE") {
            self.aggregate = match () {
                () if args.accept("SUM") => Aggregate::Sum,
                () if args.accept("MIN") => Aggregate::Min,
                () if args.accept("MAX") => Aggregate::Max,
                () => return Err(Refusal::Syntax),
            };
        } else if takes.with_scores && args.accept("WITHSCORES") {
            self.with_scores = true;
        } else if takes.limit && args.accept("LIMIT") {
            let most = number::parse_i64(args.word()?).and_then(|most| usize::try_from(most).ok());
            self.limit = match most.ok_or(Refusal::line("ERR LIMIT can't be negative"))? {
                0 => usize::MAX,
                most => most,
            };
        } else {
            return Err(Refusal::Syntax);
        }
        Ok(())
    }

    /// The members of any of them.
    pub(super) fn union(&self, limits: &Thresholds) -> ZSet {
        let mut result = ZSet::new();
        for (source, weight) in self.smallest_first() {
            for (member, score) in source.iter() {
                let score = or_zero(weight * score);
                result.update(member.bytes(&mut itoa::Buffer::new()), limits, |old| {
                    Some(old.map_or(score, |old| self.aggregate.of(old, score)))
                });
            }
        }
        result
    }

    /// The members of all of them.
    pub(super) fn intersection(&self, limits: &Thresholds) -> ZSet {
        let mut result = ZSet::new();
        self.visit_common(|member, score| {
            result.insert(member, score, limits);
        });
        result
    }

    /// How many members all of them have, up to the limit.
    pub(super) fn common(&self) -> usize {
        self.visit_common(|_, _| {})
    }

    /// The members that only the first of them has.
    pub(super) fn difference(&self, limits: &Thresholds) -> ZSet {
        let mut result = ZSet::new();
        let Some((first, others)) = self.sources.split_first() else { return result };
        for (member, score) in first.iter() {
            let mut buffer = itoa::Buffer::new();
            let member = member.bytes(&mut buffer);
            if others.iter().all(|other| other.score(member).is_none()) {
                result.insert(member, score, limits);
            }
        }
        result
    }

    /// Visits the members of all of them, up to the limit, and returns how many there were.
    fn visit_common(&self, mut visit: impl FnMut(&[u8], f64)) -> usize {
        let sources = self.smallest_first();
        let Some(((first, weight), others)) = sources.split_first() else { return 0 };
        let mut count = 0;
        for (member, score) in first.iter() {
            let mut buffer = itoa::Buffer::new();
            let member = member.bytes(&mut buffer);
            let score = others.iter().try_fold(or_zero(weight * score), |sum, (other, weight)| {
                other.score(member).map(|score| self.aggregate.of(sum, weight * score))
            });
            if let Some(score) = score {
                visit(member, score);
                count += 1;
            }
            if count == self.limit {
                break;
            }
        }
        count
    }

    fn smallest_first(&self) -> Vec<(Source<'l>, f64)> {
        let mut sources: Vec<_> = self.sources.iter().copied().zip(self.weights.iter().copied()).collect();
        sources.sort_by_key(|(source, _)| source.len());
        sources
    }
}

/// The number of keys that follow.
fn number_of_keys(args: &mut Args<'_>, takes: Takes) -> Result<usize, Refusal> {
    let number = args.int()?;
    let Some(number) = usize::try_from(number).ok().filter(|&number| number > 0) else {
        let command = takes.command;
        return Err(Refusal::err(format!("at least 1 input key is needed for '{command}' command")));
    };
    if number > args.left() { Err(Refusal::Syntax) } else { Ok(number) }
}

/// What becomes of a member's scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Aggregate::Sum => or_zero(a + b),
            // A NaN loses either comparison.
            Aggregate::Min if b < a => b,
            Aggregate::Max if b > a => b,
            Aggregate::Min | Aggregate::Max => a,
        }
    }
}

fn or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// What a key holds, as a sorted set.
#[derive(Clone, Copy)]
enum Source<'l> {
    Nothing,
    Set(&'l Set),
    ZSet(&'l ZSet),
}

impl<'l> Source<'l> {
    fn of(entry: Option<&'l Entry>) -> Result<Self, Refusal> {
        match entry.map(Entry::value) {
            None => Ok(Source::Nothing),
            Some(ValueRef::Set(set)) => Ok(Source::Set(set)),
            Some(ValueRef::ZSet(zset)) => Ok(Source::ZSet(zset)),
            Some(_) => Err(Refusal::WrongType),
        }
    }

    fn len(self) -> usize {
        match self {
            Source::Nothing => 0,
            Source::Set(set) => set.len(),
            Source::ZSet(zset) => zset.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Source::Nothing => None,
            Source::Set(set) => set.contains(member).then_some(1.0),
            Source::ZSet(zset) => zset.score(member),
        }
    }

    fn iter(self) -> impl Iterator<Item = (TextRef<'l>, f64)> {
        let (set, zset) = match self {
            Source::Nothing => (None, None),
            Source::Set(set) => (Some(set.iter().map(|member| (member, 1.0))), None),
            Source::ZSet(zset) => (None, Some(zset.iter())),
        };
        set.into_iter().flatten().chain(zset.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zset(pairs: &[(&str, f64)]) -> ZSet {
        let mut zset = ZSet::new();
        for (member, score) in pairs {
            zset.insert(member.as_bytes(), *score, &Thresholds::default());
        }
        zset
    }

    fn inputs<'l>(zsets: &[&'l ZSet], weights: &[f64], aggregate: Aggregate) -> Inputs<'l> {
        Inputs {
            sources: zsets.iter().map(|zset| Source::ZSet(zset)).collect(),
            weights: weights.to_vec(),
            aggregate,
            with_scores: false,
            limit: usize::MAX,
        }
    }

    #[test]
    fn sums_are_made_from_the_smallest_set_on() {
        // 1e16 + 1 + 1 loses both ones, 1 + 1 + 1e16 does not.
        let (big, one, two) = (
            zset(&[("m", 1e16), ("x", 0.0), ("y", 0.0)]),
            zset(&[("m", 1.0)]),
            zset(&[("m", 1.0), ("x", 0.0)]),
        );
        let inputs = inputs(&[&big, &one, &two], &[1.0; 3], Aggregate::Sum);
        let limits = Thresholds::default();
        assert_eq!(inputs.union(&limits).score(b"m"), Some(1e16 + 2.0));
        assert_eq!(inputs.intersection(&limits).score(b"m"), Some(1e16 + 2.0));
    }

    #[test]
    fn products_that_are_no_number_count_as_redis_counts_them() {
        let (five, infinite) = (zset(&[("m", 5.0)]), zset(&[("m", f64::INFINITY)]));
        let limits = Thresholds::default();
        for (aggregate, union, intersection) in
            [(Aggregate::Sum, 5.0, 0.0), (Aggregate::Min, 0.0, 5.0), (Aggregate::Max, 5.0, 5.0)]
        {
            let inputs = inputs(&[&five, &infinite], &[1.0, 0.0], aggregate);
            assert_eq!(inputs.union(&limits).score(b"m"), Some(union), "{aggregate:?}");
            assert_eq!(inputs.intersection(&limits).score(b"m"), Some(intersection), "{aggregate:?}");
        }
    }
}
