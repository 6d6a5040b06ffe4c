//! Sets: members without order and without repetition, and what several sets have in common or not.

mod sadd;
mod scard;
mod sdiff;
mod sinter;
mod sismember;
mod smembers;
mod smove;
mod spop;
mod srandmember;
mod srem;
mod sscan;
mod sunion;

use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Effect, Group, KeySpec, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Entry, Expiry, Locked};
use crate::value::{Set, TextRef};

pub(super) const FAMILY: &[&[Spec]] = &[
    sadd::SPECS,
    scard::SPECS,
    sdiff::SPECS,
    sinter::SPECS,
    sismember::SPECS,
    smembers::SPECS,
    smove::SPECS,
    spop::SPECS,
    srandmember::SPECS,
    srem::SPECS,
    sscan::SPECS,
    sunion::SPECS,
];

/// What the rows of SUNION, SINTER and SDIFF say alike.
const READS: Spec = Spec {
    arity: -2,
    keys: &[KeySpec::all(1, 1, key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::SET,
    group: Group::Set,
    syntax: "key [key ...]",
    ..Spec::DEFAULT
};

/// What those say alike that store the result.
const STORES: Spec = Spec {
    arity: -3,
    keys: &[KeySpec::at(1, key::OW | key::UPDATE), KeySpec::all(2, 1, key::RO | key::ACCESS)],
    flags: flag::WRITE | flag::DENYOOM,
    syntax: "destination key [key ...]",
    ..READS
};

/// The set at a key: none where there is no key, which counts as an empty one.
fn set_of(entry: Option<&Entry>) -> Result<Option<&Set>, Refusal> {
    entry.map(|entry| entry.value().set()).transpose()
}

/// The sets at several keys, in order. All of them must be sets, also where the first ones decide the result already.
fn sets_of<'e>(entries: &[Option<&'e Entry>]) -> Result<Vec<Option<&'e Set>>, Refusal> {
    entries.iter().map(|entry| set_of(*entry)).collect()
}

/// As [`sets_of`], where the keys are looked up first.
fn locked_sets<'l, 'k>(
    locked: &'l mut Locked<'_>,
    db: usize,
    keys: impl Iterator<Item = &'k [u8]> + Clone,
) -> Result<Vec<Option<&'l Set>>, Refusal> {
    sets_of(&locked.entries(db, keys, true))
}

/// Answers with one member.
#[inline]
fn answer(member: TextRef<'_>, reply: &mut Reply<'_>) {
    match member {
        TextRef::Bytes(bytes) => reply.bulk(bytes),
        TextRef::Int(integer) => reply.bulk_int(integer),
    }
}

/// Answers with members whose number is not known before.
fn answer_all<'s>(members: impl Iterator<Item = TextRef<'s>>, reply: &mut Reply<'_>) {
    let place = reply.defer();
    let mut count = 0;
    for member in members {
        answer(member, reply);
        count += 1;
    }
    reply.close_set(place, count);
}

/// Stores what was made of other sets over whatever the key holds, and answers with its size. An empty one removes the
/// key. `event` is what those are told who listen.
fn store(
    locked: &mut Locked<'_>,
    (db, key): (usize, &[u8]),
    set: Set,
    event: &'static str,
    reply: &mut Reply<'_>,
) -> Effect {
    reply.int(set.len() as i64);
    let mut slot = locked.slot(db, key);
    if set.is_empty() {
        return Effect::same_if(slot.remove());
    }
    slot.put(set, Expiry::Clear);
    slot.tell(event::set(event));
    Effect::Same
}
