//! Sorted sets: members with scores, read by rank, by score or by name.
//!
//! What several commands share stands in files of its own: `window` (which stretch a ZRANGE is about), `combine`
//! (unions, intersections and differences) and the few functions below, which keep two promises: a key never holds an
//! empty sorted set, and nothing counts as a change that changes nothing.

mod bzmpop;
mod bzpop;
mod combine;
mod window;
pub(super) mod zadd;
mod zcard;
mod zcount;
mod zdiff;
mod zincrby;
mod zinter;
mod zmpop;
mod zpop;
mod zrandmember;
mod zrange;
mod zrangestore;
mod zrank;
mod zrem;
mod zremrange;
mod zscan;
mod zscore;
mod zunion;

use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Effect, Spec};
use crate::resp::reply::{Proto, Reply};
use crate::table::{Entry, Expiry, Slot};
use crate::value::{TextRef, ZSet};

pub(super) const FAMILY: &[&[Spec]] = &[
    bzmpop::SPECS,
    bzpop::SPECS,
    zadd::SPECS,
    zcard::SPECS,
    zcount::SPECS,
    zdiff::SPECS,
    zincrby::SPECS,
    zinter::SPECS,
    zmpop::SPECS,
    zpop::SPECS,
    zrandmember::SPECS,
    zrange::SPECS,
    zrangestore::SPECS,
    zrank::SPECS,
    zrem::SPECS,
    zremrange::SPECS,
    zscan::SPECS,
    zscore::SPECS,
    zunion::SPECS,
];

/// What is said of a range of scores that cannot be read.
const NOT_SCORES: Refusal = Refusal::line("ERR min or max is not a float");

/// What is said of a range of members that cannot be read.
const NOT_MEMBERS: Refusal = Refusal::line("ERR min or max not valid string range item");

/// The sorted set of a key; none when there is no key, a refusal when it holds another type.
#[inline]
pub(super) fn zset_of(entry: Option<&Entry>) -> Result<Option<&ZSet>, Refusal> {
    entry.map(|entry| entry.value().zset()).transpose()
}

/// Lets `change` remove members of the sorted set that the key holds, and removes the key if none is left. None when
/// there is no key.
fn shrink<R>(slot: &mut Slot<'_>, change: impl FnOnce(&mut ZSet) -> R) -> Result<Option<R>, Refusal> {
    let done = slot.change(|value| value.zset_mut().map(|zset| (change(zset), zset.is_empty())));
    let Some((result, is_void)) = done.transpose()? else { return Ok(None) };
    if is_void {
        slot.remove();
    }
    Ok(Some(result))
}

/// Makes `result` the value of a key, whatever that held, or removes the key if the result is empty. Answers with its
/// size. `event` is what those are told who listen.
pub(super) fn store(result: ZSet, slot: &mut Slot<'_>, event: &'static str, reply: &mut Reply<'_>) -> Effect {
    reply.int(result.len() as i64);
    if result.is_empty() {
        return Effect::same_if(slot.remove());
    }
    slot.put(result, Expiry::Clear);
    slot.tell(event::zset(event));
    Effect::Same
}

/// Writes members, or members and scores: those are pairs in RESP3, and stand in one row in RESP2.
fn answer<'a>(
    pairs: impl ExactSizeIterator<Item = (TextRef<'a>, f64)>,
    with_scores: bool,
    reply: &mut Reply<'_>,
) {
    if !with_scores {
        reply.array(pairs.len());
        return pairs.for_each(|(member, _)| answer_member(member, reply));
    }
    let is_nested = reply.proto() == Proto::Resp3;
    reply.array(if is_nested { pairs.len() } else { 2 * pairs.len() });
    for (member, score) in pairs {
        if is_nested {
            reply.array(2);
        }
        answer_member(member, reply);
        reply.double(score);
    }
}

#[inline]
pub(super) fn answer_member(member: TextRef<'_>, reply: &mut Reply<'_>) {
    match member {
        TextRef::Bytes(bytes) => reply.bulk(bytes),
        TextRef::Int(integer) => reply.bulk_int(integer),
    }
}
