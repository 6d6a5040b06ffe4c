//! LINSERT key BEFORE|AFTER pivot element — adds an element next to the first one that equals the pivot: the length
//! then, -1 where nothing equals it, 0 where there is no list.

use super::{change, list_of};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "linsert",
    arity: 5,
    keys: &[KeySpec::first(key::RW | key::INSERT)],
    flags: flag::WRITE | flag::DENYOOM,
    acl: acl::LIST,
    since: "2.2.0",
    group: Group::List,
    summary: "Adds an element before or after another one of a list.",
    complexity: "O(N) where N is the number of elements before the pivot",
    syntax: "key <BEFORE | AFTER> pivot element",
    event: Some(event::list("linsert")),
    run: Run::Write(linsert),
    ..Spec::DEFAULT
}];

fn linsert(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let after = args.accept("after");
    if !after && !args.accept("before") {
        return Err(Refusal::Syntax);
    }
    let (pivot, element) = (args.word()?, args.word()?);
    let Some(list) = list_of(slot.entry())? else {
        reply.int(0);
        return Ok(Effect::None);
    };
    let Some(index) = list.positions(pivot, usize::MAX).next() else {
        reply.int(-1);
        return Ok(Effect::None);
    };
    let limit = args.list_limit();
    let length = change(slot, |list| {
        list.insert(index + usize::from(after), element, limit);
        list.len()
    })?;
    reply.int(length.unwrap_or_default() as i64);
    Ok(Effect::Same)
}
