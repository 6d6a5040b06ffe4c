//! ZADD key score member [score member ...] — gives members scores; those that are new are added.
//!
//! ```text
//! NX | XX                only add | only change what is there
//! GT | LT                a score that is there only grows | only shrinks
//! CH                     answer how many were added or changed, instead of how many were added
//! INCR                   add to the score, as ZINCRBY does; null where the options above forbid it
//! ```
//!
//! A request that leaves every score as it was is no change: nothing is logged and no watcher is marked. So the pairs
//! are first gone through up to the one that does change something.

use smallvec::SmallVec;

use super::zset_of;
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Expiry, Slot};
use crate::value::ZSet;
use crate::value::zset::{Sought, Thresholds};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "zadd",
    arity: -4,
    keys: &[KeySpec::first(key::RW | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST | flag::BRIEF,
    acl: acl::SORTEDSET,
    since: "1.2.0",
    group: Group::SortedSet,
    summary: "Adds members to a sorted set, or gives those it has new scores.",
    complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
    syntax: "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
    event: Some(event::zset("zadd")),
    run: Run::Write(zadd),
    ..Spec::DEFAULT
}];

type Pairs<'a> = SmallVec<[(f64, &'a [u8]); 4]>;

fn zadd(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let (rule, change_is_counted) = Rule::read(args);
    if args.is_done() || !args.left().is_multiple_of(2) {
        return Err(Refusal::Syntax);
    }
    rule.check(args.left() / 2)?;
    let mut pairs = Pairs::new();
    while !args.is_done() {
        pairs.push((args.float()?, args.word()?));
    }
    let limits = args.zset_limits();
    if let (true, Some(&(by, member))) = (rule.adds, pairs.first()) {
        return increment(&rule, by, member, &limits, slot, reply);
    }
    add(&rule, &pairs, change_is_counted, &limits, slot, reply)
}

/// Gives members scores within a rule that does not add to scores, and answers with the number of those that were added, or
/// added and changed.
pub(in crate::command) fn add(
    rule: &Rule,
    pairs: &[(f64, &[u8])],
    change_is_counted: bool,
    limits: &Thresholds,
    slot: &mut Slot<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let tally = match zset_of(slot.entry())? {
        None if rule.only_existing => Tally::default(),
        None => {
            let mut zset = ZSet::new();
            let tally = rule.apply(&mut zset, pairs, None, limits);
            slot.put(zset, Expiry::Clear);
            tally
        }
        Some(zset) => {
            let change = pairs.iter().enumerate().find_map(|(nth, &(score, member))| {
                let sought = zset.seek(member);
                let old = sought.score();
                let is_change = rule.decide(old, score).is_some_and(|new| old != Some(new));
                is_change.then_some((nth, sought))
            });
            match change {
                None => Tally::default(),
                Some((nth, sought)) => slot
                    .change(|value| {
                        value.zset_mut().map(|zset| rule.apply(zset, &pairs[nth..], Some(sought), limits))
                    })
                    .transpose()?
                    .unwrap_or_default(),
            }
        }
    };
    let all = tally.added + tally.changed;
    reply.int(if change_is_counted { all } else { tally.added });
    Ok(Effect::same_if(all > 0))
}

/// Adds to a member's score within a rule, and answers with the new score; with null where the rule forbids it.
pub(super) fn increment(
    rule: &Rule,
    by: f64,
    member: &[u8],
    limits: &Thresholds,
    slot: &mut Slot<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let zset = zset_of(slot.entry())?;
    let is_there = zset.is_some();
    let old = zset.and_then(|zset| zset.score(member));
    let Some(new) = rule.decide(old, by) else {
        reply.null();
        return Ok(Effect::None);
    };
    if new.is_nan() {
        return Err(Refusal::line("ERR resulting score is not a number (NaN)"));
    }
    if old != Some(new) {
        if is_there {
            slot.change(|value| value.zset_mut().map(|zset| zset.insert(member, new, limits))).transpose()?;
        } else {
            let mut zset = ZSet::new();
            zset.insert(member, new, limits);
            slot.put(zset, Expiry::Clear);
        }
    }
    if old != Some(new) {
        slot.tell(event::zset("zincr"));
    }
    // A negative zero is kept as zero.
    reply.double(new + 0.0);
    Ok(Effect::same_if(old != Some(new)))
}

#[derive(Default)]
struct Tally {
    added: i64,
    changed: i64,
}

/// Which scores may be given.
#[derive(Default)]
pub(in crate::command) struct Rule {
    only_new: bool,
    only_existing: bool,
    only_greater: bool,
    only_less: bool,
    /// True when a score given is one to be added to the old one.
    adds: bool,
}

impl Rule {
    /// The rule of ZINCRBY.
    pub(super) const INCREMENT: Rule =
        Rule { only_new: false, only_existing: false, only_greater: false, only_less: false, adds: true };

    /// A rule of GEOADD: only what is new, or only what is there.
    pub(in crate::command) fn of(only_new: bool, only_existing: bool) -> Rule {
        Rule { only_new, only_existing, ..Rule::default() }
    }

    /// The rule of the options, and whether there is a CH. The first word that is no option is the first score.
    fn read(args: &mut Args<'_>) -> (Rule, bool) {
        let (mut rule, mut change_is_counted) = (Rule::default(), false);
        // Numbers hardly ever begin with a letter: then there is nothing to compare.
        while args.peek().and_then(|word| word.first()).is_some_and(u8::is_ascii_alphabetic) {
            let option = match () {
                () if args.accept("NX") => &mut rule.only_new,
                () if args.accept("XX") => &mut rule.only_existing,
                () if args.accept("GT") => &mut rule.only_greater,
                () if args.accept("LT") => &mut rule.only_less,
                () if args.accept("CH") => &mut change_is_counted,
                () if args.accept("INCR") => &mut rule.adds,
                () => break,
            };
            *option = true;
        }
        (rule, change_is_counted)
    }

    /// Refuses options that do not go together, or not with this number of pairs.
    fn check(&self, pairs: usize) -> Result<(), Refusal> {
        if self.only_new && self.only_existing {
            return Err(Refusal::line("ERR XX and NX options at the same time are not compatible"));
        }
        if [self.only_new, self.only_greater, self.only_less].into_iter().filter(|&is_set| is_set).count() > 1
        {
            return Err(Refusal::line("ERR GT, LT, and/or NX options at the same time are not compatible"));
        }
        if self.adds && pairs > 1 {
            return Err(Refusal::line("ERR INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    /// The score that a member is to have, given its old one; none if it must stay as it is. It may be NaN where scores
    /// are added.
    #[inline]
    fn decide(&self, old: Option<f64>, score: f64) -> Option<f64> {
        let Some(old) = old else { return (!self.only_existing).then_some(score) };
        let new = if self.adds { old + score } else { score };
        let is_refused = self.only_new || (self.only_greater && new <= old) || (self.only_less && new >= old);
        (!is_refused).then_some(new)
    }

    /// Gives the scores that the rule allows. `first` is where the first member is, if that is known already.
    fn apply(
        &self,
        zset: &mut ZSet,
        pairs: &[(f64, &[u8])],
        mut first: Option<Sought>,
        limits: &Thresholds,
    ) -> Tally {
        let mut tally = Tally::default();
        for &(score, member) in pairs {
            let sought = first.take().unwrap_or_else(|| zset.seek(member));
            let update = zset.update_sought(member, sought, limits, |old| self.decide(old, score));
            match update.old {
                None => tally.added += i64::from(update.new.is_some()),
                Some(_) => tally.changed += i64::from(update.new != update.old),
            }
        }
        tally
    }
}
