//! GETDEL key — the string, which is removed with its key.

use super::answer;
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "getdel",
    arity: 2,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::DELETE)],
    flags: flag::WRITE | flag::FAST | flag::BRIEF,
    acl: acl::STRING,
    since: "6.2.0",
    group: Group::String,
    summary: "Returns the string that a key holds and removes the key.",
    syntax: "key",
    run: Run::Write(getdel),
    ..Spec::DEFAULT
}];

fn getdel(_: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    answer(slot.text()?, reply);
    if !slot.exists() {
        slot.tell(event::KEY_MISS);
    }
    Ok(if slot.remove() { Effect::instead([b"DEL", slot.key()]) } else { Effect::None })
}
