//! LPOP and RPOP key [count] — takes the first or the last element, or up to count of them as an array.

use super::{End, list_of, pop};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[
    LPOP,
    Spec {
        name: "rpop",
        summary: "Takes elements from the end of a list.",
        event: Some(event::list("rpop")),
        run: Run::Write(|args, slot, reply| pop_some(args, slot, End::Right, reply)),
        ..LPOP
    },
];

const LPOP: Spec = Spec {
    name: "lpop",
    arity: -2,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::DELETE)],
    flags: flag::WRITE | flag::FAST | flag::BRIEF,
    acl: acl::LIST,
    group: Group::List,
    summary: "Takes elements from the front of a list.",
    complexity: "O(N) where N is the number of elements returned",
    syntax: "key [count]",
    event: Some(event::list("lpop")),
    run: Run::Write(|args, slot, reply| pop_some(args, slot, End::Left, reply)),
    ..Spec::DEFAULT
};

fn pop_some(
    args: &mut Args<'_>,
    slot: &mut Slot<'_>,
    end: End,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    if args.left() > 1 {
        return Err(Refusal::Arity(if end == End::Left { "lpop" } else { "rpop" }.into()));
    }
    let refused = || Refusal::err("value is out of range, must be positive");
    let count = match args.is_done() {
        true => None,
        false => Some(args.int().ok().and_then(|count| usize::try_from(count).ok()).ok_or_else(refused)?),
    };
    match (list_of(slot.entry())?.map(|list| list.len()), count) {
        (None, None) => reply.null(),
        (None, Some(_)) => reply.null_array(),
        (Some(_), None) => {
            pop(slot, end, 1, reply)?;
            return Ok(Effect::Same);
        }
        (Some(length), Some(most)) => {
            reply.array(length.min(most));
            return Ok(Effect::same_if(pop(slot, end, most, reply)? > 0));
        }
    }
    Ok(Effect::None)
}
