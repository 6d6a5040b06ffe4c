//! LTRIM key start stop — keeps only the elements from index start to stop, both included.

use super::{change, list_of, span};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "ltrim",
    arity: 4,
    keys: &[KeySpec::first(key::RW | key::DELETE)],
    flags: flag::WRITE,
    acl: acl::LIST,
    group: Group::List,
    summary: "Removes all elements of a list outside of two indexes.",
    complexity: "O(N) where N is the number of elements to be removed by the operation.",
    syntax: "key start stop",
    run: Run::Write(ltrim),
    ..Spec::DEFAULT
}];

fn ltrim(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let (start, stop) = (args.int()?, args.int()?);
    let length = list_of(slot.entry())?.map_or(0, |list| list.len());
    let (first, count) = span(start, stop, length);
    reply.ok();
    if length > 0 {
        // Also where nothing is removed.
        slot.tell(event::list("ltrim"));
    }
    if count == length {
        return Ok(Effect::None);
    }
    if count == 0 {
        slot.remove();
    } else {
        change(slot, |list| list.trim(first, count))?;
    }
    Ok(Effect::Same)
}
