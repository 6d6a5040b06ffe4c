//! LPUSH and RPUSH key element [element …] — adds elements at the front or the end, one after the other, so that LPUSH
//! turns their order around. LPUSHX and RPUSHX do so only where there is a list already.

use super::{End, list_of, push};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[
    LPUSH,
    Spec {
        name: "rpush",
        summary: "Adds elements at the end of a list, which is made if it is not there.",
        event: Some(event::list("rpush")),
        run: Run::Write(|args, slot, reply| push_all(args, slot, End::Right, reply)),
        ..LPUSH
    },
    LPUSHX,
    Spec {
        name: "rpushx",
        summary: "Adds elements at the end of a list that is there.",
        event: Some(event::list("rpush")),
        run: Run::Write(|args, slot, reply| push_to_existing(args, slot, End::Right, reply)),
        ..LPUSHX
    },
];

const LPUSH: Spec = Spec {
    name: "lpush",
    arity: -3,
    keys: &[KeySpec::first(key::RW | key::INSERT)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST | flag::BRIEF,
    acl: acl::LIST,
    group: Group::List,
    summary: "Adds elements at the front of a list, which is made if it is not there.",
    complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
                 arguments.",
    syntax: "key element [element ...]",
    event: Some(event::list("lpush")),
    run: Run::Write(|args, slot, reply| push_all(args, slot, End::Left, reply)),
    ..Spec::DEFAULT
};

const LPUSHX: Spec = Spec {
    name: "lpushx",
    since: "2.2.0",
    summary: "Adds elements at the front of a list that is there.",
    run: Run::Write(|args, slot, reply| push_to_existing(args, slot, End::Left, reply)),
    ..LPUSH
};

fn push_all(
    args: &mut Args<'_>,
    slot: &mut Slot<'_>,
    end: End,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let length = push(slot, end, args.rest(), args.list_limit())?;
    reply.int(length as i64);
    Ok(Effect::Same)
}

fn push_to_existing(
    args: &mut Args<'_>,
    slot: &mut Slot<'_>,
    end: End,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    if list_of(slot.entry())?.is_none() {
        reply.int(0);
        return Ok(Effect::None);
    }
    push_all(args, slot, end, reply)
}
