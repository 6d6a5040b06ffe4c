//! HSETNX key field value — sets a field that is not there yet: 1, or 0 if it is.

use super::{change, hash_of};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hsetnx",
    arity: 4,
    keys: &[KeySpec::first(key::RW | key::INSERT)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST | flag::BRIEF,
    acl: acl::HASH,
    since: "2.0.0",
    group: Group::Hash,
    summary: "Sets a field of a hash if it does not exist.",
    syntax: "key field value",
    event: Some(event::hash("hset")),
    run: Run::Write(hsetnx),
    ..Spec::DEFAULT
}];

fn hsetnx(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let (name, value) = (args.word()?, args.word()?);
    let is_there = hash_of(slot.entry())?.is_some_and(|hash| hash.contains(name));
    if !is_there {
        let limits = args.hash_limits();
        change(slot, |hash| hash.set(name, value, &limits))?;
    }
    reply.int(i64::from(!is_there));
    Ok(Effect::same_if(!is_there))
}
