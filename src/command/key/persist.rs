//! PERSIST key — takes a key's deadline away.

use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "persist",
    arity: 2,
    keys: &[KeySpec::first(key::RW | key::UPDATE)],
    flags: flag::WRITE | flag::FAST | flag::BRIEF,
    acl: acl::KEYSPACE,
    since: "2.2.0",
    group: Group::Generic,
    summary: "Takes the deadline of a key away.",
    syntax: "key",
    event: Some(event::PERSIST),
    run: Run::Write(persist),
    ..Spec::DEFAULT
}];

fn persist(_: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let changed = slot.set_deadline(None);
    reply.int(i64::from(changed));
    Ok(Effect::same_if(changed))
}
