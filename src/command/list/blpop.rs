//! BLPOP and BRPOP key [key ...] timeout — take an element from the first of the lists that has any, and wait for one if
//! none has.
//!
//! The answer is key and element, or the null array when the time is up. The log gets the LPOP or RPOP that it came to.

use super::{End, list_of, pop};
use crate::base::refusal::Refusal;
use crate::exec::wait::{self, Serve};
use crate::exec::{Effect, Group, Run, Spec, acl, flag};
use crate::resp::reply::Reply;
use crate::table::Locked;
use crate::value::Kind;

pub(super) const SPECS: &[Spec] = &[
    BLPOP,
    Spec {
        name: "brpop",
        summary: "Takes the last element of one of several lists, waiting for one if need be.",
        run: Run::Keys(|args, locked, reply| {
            let serve: Serve = |args, key, locked, reply| pop_one(End::Right, args.db(), key, locked, reply);
            wait::for_first(Kind::List, serve, args, locked, reply)
        }),
        ..BLPOP
    },
];

const BLPOP: Spec = Spec {
    name: "blpop",
    arity: -3,
    keys: wait::KEYS_AND_TIMEOUT,
    flags: flag::WRITE | flag::NOSCRIPT | flag::BLOCKING,
    acl: acl::LIST,
    since: "2.0.0",
    group: Group::List,
    summary: "Takes the first element of one of several lists, waiting for one if need be.",
    complexity: "O(N) where N is the number of provided keys.",
    syntax: "key [key ...] timeout:double",
    run: Run::Keys(|args, locked, reply| {
        let serve: Serve = |args, key, locked, reply| pop_one(End::Left, args.db(), key, locked, reply);
        wait::for_first(Kind::List, serve, args, locked, reply)
    }),
    ..Spec::DEFAULT
};

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
