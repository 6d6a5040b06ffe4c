//! ZPOPMIN key [count] — removes the members with the lowest scores and returns them; ZPOPMAX those with the highest.
//!
//! With a count RESP3 clients get pairs; without one, or in RESP2, members and scores in one row.

use super::{shrink, zset_of};
use crate::base::event;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::{Proto, Reply};
use crate::table::Slot;
use crate::value::zset::Popped;
use crate::value::{Wanted, ZSet};

pub(super) const SPECS: &[Spec] = &[
    ZPOPMIN,
    Spec {
        name: "zpopmax",
        summary: "Removes the members with the highest scores from a sorted set and returns them.",
        event: Some(event::zset("zpopmax")),
        wants: Some(Wanted::Highest),
        run: Run::Write(zpopmax),
        ..ZPOPMIN
    },
];

const ZPOPMIN: Spec = Spec {
    name: "zpopmin",
    arity: -2,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::DELETE)],
    flags: flag::WRITE | flag::FAST | flag::BRIEF,
    acl: acl::SORTEDSET,
    since: "5.0.0",
    group: Group::SortedSet,
    summary: "Removes the members with the lowest scores from a sorted set and returns them.",
    complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of \
                 elements popped.",
    syntax: "key [count]",
    event: Some(event::zset("zpopmin")),
    wants: Some(Wanted::Lowest),
    run: Run::Write(zpopmin),
    ..Spec::DEFAULT
};

fn zpopmin(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    pop(End::Min, args, slot, reply)
}

fn zpopmax(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    pop(End::Max, args, slot, reply)
}

fn pop(end: End, args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    if args.left() > 1 {
        return Err(Refusal::Syntax);
    }
    let count = args.next().map(count).transpose()?;
    let popped = end.pop(slot, count.unwrap_or(1))?;
    let is_nested = count.is_some() && reply.proto() == Proto::Resp3;
    reply.array(if is_nested { popped.len() } else { 2 * popped.len() });
    for (member, score) in &popped {
        if is_nested {
            reply.array(2);
        }
        reply.bulk(member);
        reply.double(*score);
    }
    Ok(Effect::same_if(!popped.is_empty()))
}

fn count(word: &[u8]) -> Result<usize, Refusal> {
    number::parse_i64(word)
        .and_then(|count| usize::try_from(count).ok())
        .ok_or(Refusal::line("ERR value is out of range, must be positive"))
}

/// From which end members are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Min,
    Max,
}

impl End {
    /// Removes up to `count` members from this end, and the key with the last one. None of a key that does not exist.
    pub(super) fn pop(self, slot: &mut Slot<'_>, count: usize) -> Result<Popped, Refusal> {
        if zset_of(slot.entry())?.is_none() || count == 0 {
            return Ok(Popped::new());
        }
        let remove = |zset: &mut ZSet| match self {
            End::Min => zset.pop_min(count),
            End::Max => zset.pop_max(count),
        };
        Ok(shrink(slot, remove)?.unwrap_or_default())
    }

    /// As [`End::pop`], and tells those who listen.
    pub(super) fn pop_and_tell(self, slot: &mut Slot<'_>, count: usize) -> Result<Popped, Refusal> {
        if zset_of(slot.entry())?.is_some() {
            slot.tell(event::zset(if self == End::Min { "zpopmin" } else { "zpopmax" }));
        }
        self.pop(slot, count)
    }

    /// The command that removes members from this end.
    pub(super) fn command(self) -> &'static [u8] {
        match self {
            End::Min => b"ZPOPMIN",
            End::Max => b"ZPOPMAX",
        }
    }
}
