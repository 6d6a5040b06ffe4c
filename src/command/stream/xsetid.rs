//! XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id] — sets what a stream knows of the entries
//! that it had. Servers use it to copy a stream.

use super::{change_aside, exact_id, stream_of};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;
use crate::value::stream::Id;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "xsetid",
    arity: -3,
    keys: &[KeySpec::first(key::RW | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: acl::STREAM,
    since: "5.0.0",
    group: Group::Stream,
    summary: "Sets the last id of a stream, as copying a stream needs it.",
    syntax: "key last-id [ENTRIESADDED entries-added:integer] [MAXDELETEDID max-deleted-id]",
    event: Some(event::stream("xsetid")),
    run: Run::Write(xsetid),
    ..Spec::DEFAULT
}];

const BELOW_DELETED: Refusal =
    Refusal::line("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");

fn xsetid(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let id = exact_id(args.word()?, 0)?;
    let (mut added, mut deleted) = (None, None);
    while !args.is_done() {
        if args.left() < 2 {
            return Err(Refusal::Syntax);
        }
        if args.accept("ENTRIESADDED") {
            let number = args.int()?;
            added =
                Some(u64::try_from(number).map_err(|_| Refusal::line("ERR entries_added must be positive"))?);
        } else if args.accept("MAXDELETEDID") {
            let max = exact_id(args.word()?, 0)?;
            if id < max {
                return Err(BELOW_DELETED);
            }
            deleted = Some(max).filter(|max| *max != Id::MIN);
        } else {
            return Err(Refusal::Syntax);
        }
    }
    let log = stream_of(slot.entry())?.ok_or(Refusal::NoSuchKey)?.log();
    if !log.is_empty() && id < log.top_id() {
        return Err(Refusal::line(
            "ERR The ID specified in XSETID is smaller than the target stream top item",
        ));
    }
    if added.is_some_and(|added| added < log.len() as u64) {
        return Err(Refusal::line(
            "ERR The entries_added specified in XSETID is smaller than the target stream length",
        ));
    }
    let (added, deleted) = (added.unwrap_or(log.added()), deleted.unwrap_or(log.max_deleted()));
    change_aside(slot, |stream| stream.set_history(id, deleted, added))?;
    reply.ok();
    Ok(Effect::Same)
}
