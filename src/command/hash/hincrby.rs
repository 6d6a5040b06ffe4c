//! HINCRBY key field increment — counts with a field that spells an integer: the new value.
//!
//! A field that does not exist counts as 0; the deadline of one that does stays.

use super::{change, hash_of};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hincrby",
    arity: 4,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST | flag::BRIEF,
    acl: acl::HASH,
    since: "2.0.0",
    group: Group::Hash,
    summary: "Adds to the integer that a field of a hash holds.",
    syntax: "key field increment",
    event: Some(event::hash("hincrby")),
    run: Run::Write(hincrby),
    ..Spec::DEFAULT
}];

fn hincrby(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let name = args.word()?;
    let by = args.int()?;
    let old = match hash_of(slot.entry())?.and_then(|hash| hash.get(name)) {
        Some(value) => value.integer().ok_or(Refusal::line("ERR hash value is not an integer"))?,
        None => 0,
    };
    let new = old.checked_add(by).ok_or(Refusal::line("ERR increment or decrement would overflow"))?;
    let limits = args.hash_limits();
    change(slot, |hash| hash.update(name, itoa::Buffer::new().format(new).as_bytes(), &limits))?;
    reply.int(new);
    Ok(Effect::Same)
}
