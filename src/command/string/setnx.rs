//! SETNX key value — stores a string unless the key exists, whatever it holds: 1 if it did.

use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Expiry, Slot};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "setnx",
    arity: 3,
    keys: &[KeySpec::first(key::OW | key::INSERT)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST | flag::BRIEF,
    acl: acl::STRING,
    group: Group::String,
    summary: "Stores a string under a key that does not exist yet.",
    syntax: "key value",
    event: Some(event::SET),
    run: Run::Write(setnx),
    ..Spec::DEFAULT
}];

fn setnx(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let value = args.word()?;
    let is_new = !slot.exists();
    if is_new {
        slot.put_text(value, Expiry::Clear);
    }
    reply.int(i64::from(is_new));
    Ok(Effect::same_if(is_new))
}
