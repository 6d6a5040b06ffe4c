//! HDEL key field [field ...] — removes fields: how many there were. The key goes with the last one.

use super::{change, hash_of};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hdel",
    arity: -3,
    keys: &[KeySpec::first(key::RW | key::DELETE)],
    flags: flag::WRITE | flag::FAST | flag::BRIEF,
    acl: acl::HASH,
    since: "2.0.0",
    group: Group::Hash,
    summary: "Removes fields from a hash.",
    complexity: "O(N) where N is the number of fields to be removed.",
    syntax: "key field [field ...]",
    event: Some(event::HDEL),
    run: Run::Write(hdel),
    ..Spec::DEFAULT
}];

fn hdel(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let mut removed = 0;
    if hash_of(slot.entry())?.is_some_and(|hash| args.rest().any(|name| hash.contains(name))) {
        removed = change(slot, |hash| args.rest().filter(|name| hash.remove(name)).count())?;
    }
    reply.int(removed as i64);
    Ok(Effect::same_if(removed > 0))
}
