//! XTRIM key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] — removes entries from the front: see `trim`.

use super::trim::Trimming;
use super::{change, stream_of};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Record, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "xtrim",
    arity: -4,
    keys: &[KeySpec::first(key::RW | key::DELETE)],
    flags: flag::WRITE,
    acl: acl::STREAM,
    since: "5.0.0",
    group: Group::Stream,
    summary: "Removes entries from the front of a stream; tells how many.",
    complexity: "O(N), with N being the number of evicted entries. Constant times are very small however, since entries \
                 are organized in macro nodes containing multiple entries that can be released with a single \
                 deallocation.",
    syntax: "key <MAXLEN | MINID> [= | ~] threshold [LIMIT count]",
    event: Some(event::stream("xtrim")),
    run: Run::Write(xtrim),
    ..Spec::DEFAULT
}];

fn xtrim(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let mut trimming = Trimming::default();
    while !args.is_done() {
        if !trimming.take(args)? {
            return Err(Refusal::Syntax);
        }
    }
    trimming.check()?;
    let limit = args.stream_limit();
    if !stream_of(slot.entry())?.is_some_and(|stream| trimming.applies(stream, limit)) {
        reply.int(0);
        return Ok(Effect::None);
    }
    let removed = change(slot, |stream| trimming.apply(stream, limit))?.unwrap_or_default();
    reply.int(removed as i64);
    if removed == 0 || trimming.is_exact() {
        return Ok(Effect::same_if(removed > 0));
    }
    let words = stream_of(slot.entry())?.and_then(|stream| trimming.words(stream));
    let mut exact: Vec<&[u8]> = vec![b"XTRIM", slot.key()];
    exact.extend(words.iter().flatten().map(Vec::as_slice));
    let mut record = Record::default();
    record.push_words(&exact);
    Ok(Effect::Instead(record))
}
