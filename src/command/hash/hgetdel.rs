//! HGETDEL key FIELDS n field [field ...] — the values of fields, which are removed. The key goes with the last one.

use super::{answer, change, fields, hash_of};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hgetdel",
    arity: -5,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::DELETE)],
    flags: flag::WRITE | flag::FAST,
    acl: acl::HASH,
    since: "8.0.0",
    group: Group::Hash,
    summary: "Returns the values of fields of a hash and removes them.",
    complexity: "O(N) where N is the number of specified fields.",
    syntax: "key FIELDS numfields field [field ...]",
    event: Some(event::HDEL),
    run: Run::Write(hgetdel),
    ..Spec::DEFAULT
}];

fn hgetdel(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let hash = hash_of(slot.entry())?;
    let names = fields::read(args, fields::NOT_POSITIVE)?;
    reply.array(names.len());
    if !hash.is_some_and(|hash| names.iter().any(|name| hash.contains(name))) {
        names.iter().for_each(|_| reply.null());
        return Ok(Effect::None);
    }
    let mut removed = Vec::new();
    change(slot, |hash| {
        for name in names {
            answer(hash.get(name), reply);
            if hash.remove(name) {
                removed.push(name);
            }
        }
    })?;
    Ok(fields::removed(slot, &removed))
}
