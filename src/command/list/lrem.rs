//! LREM key count element — removes elements that equal this one: the first count, the last -count, or with 0 all; how
//! many they were.

use super::{change, list_of};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "lrem",
    arity: 4,
    keys: &[KeySpec::first(key::RW | key::DELETE)],
    flags: flag::WRITE,
    acl: acl::LIST,
    group: Group::List,
    summary: "Removes elements of a list that equal the given one.",
    complexity: "O(N+M) where N is the length of the list and M is the number of elements removed.",
    syntax: "key count element",
    event: Some(event::list("lrem")),
    run: Run::Write(lrem),
    ..Spec::DEFAULT
}];

fn lrem(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let (count, element) = (args.int()?, args.word()?);
    let is_there =
        list_of(slot.entry())?.is_some_and(|list| list.positions(element, usize::MAX).next().is_some());
    if !is_there {
        reply.int(0);
        return Ok(Effect::None);
    }
    let limit = args.list_limit();
    let removed = change(slot, |list| list.remove_equal(element, count, limit))?;
    reply.int(removed.unwrap_or_default() as i64);
    Ok(Effect::Same)
}
