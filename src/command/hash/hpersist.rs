//! HPERSIST key FIELDS n field [field ...] — removes the deadlines of fields. For each: 1 if it had one, -1 if it had none,
//! -2 if there is no such field.

use super::{change, fields, hash_of};
use crate::base::clock::NEVER;
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;
use crate::value::Hash;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hpersist",
    arity: -5,
    keys: &[KeySpec::first(key::RW | key::UPDATE)],
    flags: flag::WRITE | flag::FAST,
    acl: acl::HASH,
    since: "7.4.0",
    group: Group::Hash,
    summary: "Removes the deadlines of fields of a hash.",
    complexity: "O(N) where N is the number of specified fields.",
    syntax: "key FIELDS numfields field [field ...]",
    event: Some(event::hash("hpersist")),
    run: Run::Write(hpersist),
    ..Spec::DEFAULT
}];

fn hpersist(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let hash = hash_of(slot.entry())?;
    let names = fields::read(args, fields::NOT_POSITIVE)?;
    let outcome = |hash: &Hash, name: &[u8]| match hash.field(name) {
        None => -2,
        Some(field) if field.deadline == NEVER => -1,
        Some(_) => 1,
    };
    reply.array(names.len());
    if !hash.is_some_and(|hash| names.iter().any(|name| outcome(hash, name) == 1)) {
        names.iter().for_each(|name| reply.int(hash.map_or(-2, |hash| outcome(hash, name))));
        return Ok(Effect::None);
    }
    change(slot, |hash| {
        for name in names {
            // A field that is named twice has no deadline any more the second time.
            reply.int(outcome(hash, name));
            hash.set_deadline(name, None);
        }
    })?;
    Ok(Effect::Same)
}
