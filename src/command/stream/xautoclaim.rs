//! XAUTOCLAIM key group consumer min-idle-time start:string [COUNT count] [JUSTID] — goes through what is pending from an id on, and
//! gives a consumer what is pending with others for long, as XCLAIM does.
//!
//! The answer is the id at which to go on (0-0 at the end), what was given, and the ids of entries that were deleted since, which
//! are forgotten. It looks at ten times as many as it gives at most.

use super::xclaim::{Claim, Claimed, Outcome, number_of};
use super::{answer_id, change_group, lower_end, no_group, stream_of, tell_if_missed};
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "xautoclaim",
    arity: -6,
    keys: &[KeySpec::first(key::RW | key::DELETE)],
    flags: flag::WRITE | flag::FAST,
    acl: acl::STREAM,
    since: "6.2.0",
    group: Group::Stream,
    summary: "Gives a consumer of a group what has been pending with others for some time.",
    complexity: "O(1) if COUNT is small.",
    syntax: "key group consumer min-idle-time start:string [COUNT count] [JUSTID]",
    run: Run::Write(xautoclaim),
    ..Spec::DEFAULT
}];

/// Entries that are looked at, for each that may be given.
const ATTEMPTS: i64 = 10;
/// The largest count, so that the attempts can be counted, and ids be kept, in 63 bits.
const COUNT_MAX: i64 = i64::MAX / 16;

fn xautoclaim(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let (key, name, consumer) = (slot.key(), args.word()?, args.word()?);
    tell_if_missed(slot);
    let min_idle = number_of(args.word()?, "Invalid min-idle-time argument for XAUTOCLAIM")?.max(0);
    let start = lower_end(args.word()?)?;
    let (mut most, mut just_id) = (100, false);
    while !args.is_done() {
        if args.left() > 1 && args.accept("COUNT") {
            const NOT_POSITIVE: Refusal = Refusal::line("ERR COUNT must be > 0");
            most = args.int().ok().filter(|most| (1..=COUNT_MAX).contains(most)).ok_or(NOT_POSITIVE)?;
        } else if args.accept("JUSTID") {
            just_id = true;
        } else {
            return Err(Refusal::Syntax);
        }
    }
    let stream = stream_of(slot.entry())?;
    let found = stream.and_then(|stream| Some((stream.group(name)?, stream.log())));
    let (group, log) = found.ok_or_else(|| no_group(key, name))?;
    let claim = Claim { just_id, ..Claim::new((key, name, consumer), min_idle, args.now()) };
    let attempts = usize::try_from(most.saturating_mul(ATTEMPTS)).unwrap_or(usize::MAX);
    let mut seen = group.pending().range(start);
    if !seen.by_ref().take(attempts).any(|(id, pending)| claim.applies(id, Some(&pending), log)) {
        reply.array(3);
        answer_id(seen.next().map(|(id, _)| id).unwrap_or_default(), reply);
        reply.array(0);
        reply.array(0);
        return Ok(Effect::None);
    }
    drop(seen);
    let (mut outcome, mut deleted, mut bytes, mut given) = (Outcome::default(), Vec::new(), Vec::new(), 0);
    let mut entries = Reply::new(&mut bytes, reply.proto());
    let end = change_group(slot, name, |group, log| {
        let mut next = Some(start);
        for _ in 0..attempts {
            let at = next.and_then(|next| group.pending().at_or_after(next));
            let Some((id, _)) = at.filter(|_| most > 0) else { break };
            next = id.next();
            match claim.take(id, group, log, &mut outcome, &mut entries) {
                Claimed::Yes => given += 1,
                Claimed::Gone => deleted.push(id),
                Claimed::No => continue,
            }
            most -= 1;
        }
        next.and_then(|next| group.pending().at_or_after(next))
    })?;
    reply.array(3);
    answer_id(end.map(|(id, _)| id).unwrap_or_default(), reply);
    reply.array(given);
    reply.raw(&bytes);
    reply.array(deleted.len());
    deleted.into_iter().for_each(|id| answer_id(id, reply));
    Ok(outcome.effect(slot))
}
