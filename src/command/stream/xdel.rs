//! XDEL key id [id ...] — deletes entries. What was delivered of them and is not acknowledged stays pending.

use super::{change, exact_id, stream_of};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;
use crate::value::stream::Id;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "xdel",
    arity: -3,
    keys: &[KeySpec::first(key::RW | key::DELETE)],
    flags: flag::WRITE | flag::FAST,
    acl: acl::STREAM,
    since: "5.0.0",
    group: Group::Stream,
    summary: "Deletes entries of a stream; tells how many there were.",
    complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.",
    syntax: "key id [id ...]",
    event: Some(event::stream("xdel")),
    run: Run::Write(xdel),
    ..Spec::DEFAULT
}];

fn xdel(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let Some(stream) = stream_of(slot.entry())? else {
        reply.int(0);
        return Ok(Effect::None);
    };
    let mut ids: Vec<Id> = args.rest().map(|word| exact_id(word, 0)).collect::<Result<_, _>>()?;
    ids.retain(|id| stream.log().contains(*id));
    let mut deleted = 0;
    if !ids.is_empty() {
        let remove = |stream: &mut crate::value::Stream| ids.iter().filter(|id| stream.remove(**id)).count();
        deleted = change(slot, remove)?.unwrap_or_default();
    }
    reply.int(deleted as i64);
    Ok(Effect::same_if(deleted > 0))
}
