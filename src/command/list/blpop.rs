//! BLPOP and BRPOP key [key ...] timeout — take an element from the first of the lists that has any, and wait for one if
//! none has.
//!
//! The answer is key and element, or the null array when the time is up. The log gets the LPOP or RPOP that it came to.

use super::{End, list_of, pop};
use crate::base::refusal::Refusal;
use crate::exec::wait;
use crate::exec::{Args, Begin, Effect, Find, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Locked;
use crate::value::Kind;

pub(super) const SPECS: &[Spec] = &[
    BLPOP,
    Spec {
        name: "brpop",
        summary: "Takes the last element of one of several lists, waiting for one if need be.",
        run: Run::Keys(|args, locked, reply| wait::for_first(Kind::List, pop_right, args, locked, reply)),
        ..BLPOP
    },
];

const BLPOP: Spec = Spec {
    name: "blpop",
    arity: -3,
    keys: &[KeySpec {
        flags: key::RW | key::ACCESS | key::DELETE,
        begin: Begin::Index(1),
        find: Find::Range { last: -2, step: 1 },
    }],
    flags: flag::WRITE | flag::NOSCRIPT | flag::BLOCKING,
    acl: acl::LIST,
    since: "2.0.0",
    group: Group::List,
    summary: "Takes the first element of one of several lists, waiting for one if need be.",
    complexity: "O(N) where N is the number of provided keys.",
    syntax: "key [key ...] timeout",
    run: Run::Keys(|args, locked, reply| wait::for_first(Kind::List, pop_left, args, locked, reply)),
    ..Spec::DEFAULT
};

fn pop_left(
    args: &mut Args<'_>,
    key: &[u8],
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Option<Effect>, Refusal> {
    pop_one(End::Left, args.db(), key, locked, reply)
}

fn pop_right(
    args: &mut Args<'_>,
    key: &[u8],
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Option<Effect>, Refusal> {
    pop_one(End::Right, args.db(), key, locked, reply)
}

/// Takes one element and answers with it; none, and no answer, where there is no list.
fn pop_one(
    end: End,
    db: usize,
    key: &[u8],
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Option<Effect>, Refusal> {
    let mut slot = locked.slot(db, key);
    if list_of(slot.entry())?.is_none() {
        return Ok(None);
    }
    slot.mark_used();
    reply.array(2);
    reply.bulk(key);
    slot.tell(end.pop_event());
    pop(&mut slot, end, 1, reply)?;
    Ok(Some(Effect::instead([end.pop_name(), key])))
}
