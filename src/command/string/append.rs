//! APPEND key value — adds bytes to the end of a string, which may be a new one: its length then.

use super::check_length;
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Expiry, Slot};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "append",
    arity: 3,
    keys: &[KeySpec::first(key::RW | key::INSERT)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: acl::STRING,
    since: "2.0.0",
    group: Group::String,
    summary: "Adds to the end of the string that a key holds, or stores it under a new key.",
    complexity: "O(1) amortized, as the room of a growing string doubles",
    syntax: "key value",
    event: Some(event::string("append")),
    run: Run::Write(append),
    ..Spec::DEFAULT
}];

fn append(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let value = args.word()?;
    let length = slot.text()?.map_or(0, |text| text.len());
    check_length(length, value.len())?;
    let grown = slot.change(|old| old.text_mut().map(|text| text.grow().extend_from_slice(value)));
    if grown.transpose()?.is_none() {
        slot.put_text(value, Expiry::Clear);
    }
    reply.int((length + value.len()) as i64);
    Ok(Effect::Same)
}
