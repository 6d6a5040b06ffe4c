//! XACK key group id [id ...] — acknowledges what was delivered to a consumer of a group: it is pending no more.

use super::{change_group, exact_id, stream_of, tell_if_missed};
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;
use crate::value::stream::Id;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "xack",
    arity: -4,
    keys: &[KeySpec::first(key::RW | key::UPDATE)],
    flags: flag::WRITE | flag::FAST | flag::BRIEF,
    acl: acl::STREAM,
    since: "5.0.0",
    group: Group::Stream,
    summary: "Acknowledges entries that a group was given; tells how many were pending.",
    complexity: "O(1) for each message ID processed.",
    syntax: "key group id [id ...]",
    run: Run::Write(xack),
    ..Spec::DEFAULT
}];

fn xack(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let name = args.word()?;
    tell_if_missed(slot);
    let stream = stream_of(slot.entry())?;
    let Some(group) = stream.and_then(|stream| stream.group(name)) else {
        reply.int(0);
        return Ok(Effect::None);
    };
    let mut ids: Vec<Id> = args.rest().map(|word| exact_id(word, 0)).collect::<Result<_, _>>()?;
    ids.retain(|id| group.pending().get(*id).is_some());
    let mut acknowledged = 0;
    if !ids.is_empty() {
        acknowledged =
            change_group(slot, name, |group, _| ids.iter().filter(|id| group.acknowledge(**id)).count())?;
    }
    reply.int(acknowledged as i64);
    Ok(Effect::same_if(acknowledged > 0))
}
