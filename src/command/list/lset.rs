//! LSET key index element — replaces the element at an index, which must be there.

use super::{change, from_front, list_of};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "lset",
    arity: 4,
    keys: &[KeySpec::first(key::RW | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM,
    acl: acl::LIST,
    group: Group::List,
    summary: "Replaces the element at an index of a list.",
    complexity: "O(N) where N is the number of chunks of the list, plus the elements of one chunk",
    syntax: "key index element",
    event: Some(event::list("lset")),
    run: Run::Write(lset),
    ..Spec::DEFAULT
}];

fn lset(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let length = list_of(slot.entry())?.ok_or(Refusal::NoSuchKey)?.len();
    let (index, element) = (args.int()?, args.word()?);
    let index = from_front(index, length).filter(|&index| index < length);
    let index = index.ok_or(Refusal::line("ERR index out of range"))?;
    let limit = args.list_limit();
    change(slot, |list| list.set(index, element, limit))?;
    reply.ok();
    Ok(Effect::Same)
}
