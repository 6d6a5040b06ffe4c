//! GETSET key value — stores a string and gives the one it takes the place of: SET with GET.

use super::answer;
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Expiry, Slot};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "getset",
    arity: 3,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST | flag::BRIEF,
    acl: acl::STRING,
    group: Group::String,
    summary: "Stores a string and returns the one that the key held before.",
    syntax: "key value",
    replaced_by: Some("`SET` with the `!GET` argument"),
    event: Some(event::SET),
    run: Run::Write(getset),
    ..Spec::DEFAULT
}];

fn getset(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let value = args.word()?;
    answer(slot.text()?, reply);
    if !slot.exists() {
        slot.tell(event::KEY_MISS);
    }
    slot.put_text(value, Expiry::Clear);
    Ok(Effect::Same)
}
