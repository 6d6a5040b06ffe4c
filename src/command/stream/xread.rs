//! XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...] — entries behind the ids, of all streams that
//! have any, and waits for some if none has.
//!
//! `$` is the last id that the stream has now, so that only what comes later is read; `+` asks for the last entry. While a
//! client waits, both stand for what they were when it began.

use super::read::{self, Reading};
use super::{answer_entries, exact_id, stream_of};
use crate::base::refusal::Refusal;
use crate::exec::wait::{self, Keys};
use crate::exec::{Args, Effect, Group, Run, Spec, acl, flag};
use crate::resp::reply::Reply;
use crate::resp::request::OwnedRequest;
use crate::table::Locked;
use crate::value::Kind;
use crate::value::stream::{Id, Log};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "xread",
    arity: -4,
    keys: &[read::keys(1)],
    flags: flag::READONLY | flag::BLOCKING | flag::MOVABLEKEYS,
    acl: acl::STREAM,
    since: "5.0.0",
    group: Group::Stream,
    summary: "Returns the entries of several streams behind given ids, waiting for some if need be.",
    complexity: "For each stream mentioned: O(N) with N being the number of elements being returned, it means that \
                 XREAD-ing with a fixed COUNT is O(1). Note that when the BLOCK option is used, XADD will pay O(M) time \
                 in order to serve the M clients blocked on the stream getting new data.",
    syntax: "[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
    run: Run::Keys(xread),
    ..Spec::DEFAULT
}];

fn xread(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let reading = Reading::parse(args, false)?;
    let db = args.db();
    let mut behind = Vec::with_capacity(reading.streams.len());
    for (key, word) in &reading.streams {
        let mut slot = locked.slot(db, key);
        slot.mark_used();
        behind.push(start(word, stream_of(slot.entry())?.map(|stream| stream.log()))?);
    }
    // Nothing changes any more, so all of them can be looked at.
    let log = |key: &[u8]| Some(locked.entry(db, key)?.value().stream().ok()?.log());
    let parts = || {
        let starts = reading.streams.iter().zip(&behind);
        starts
            .filter_map(|((key, _), id)| Some((*key, log(key)?, *id)))
            .filter(|(_, log, id)| has_after(log, *id))
    };
    let found = parts().count();
    if found > 0 {
        read::answer_header(found, reply);
        parts().for_each(|(key, log, id)| answer_after(key, log, id, reading.most, reply));
        return Ok(Effect::None);
    }
    let Some(deadline) = reading.wait else {
        reply.null_array();
        return Ok(Effect::None);
    };
    let ids: Vec<_> = behind.iter().map(|id| id.text()).collect();
    let most = if reading.most == usize::MAX { 0 } else { reading.most }.to_string();
    let mut words: Vec<&[u8]> = vec![b"XREAD", b"COUNT", most.as_bytes(), b"STREAMS"];
    words.extend(reading.streams.iter().map(|(key, _)| *key));
    words.extend(ids.iter().map(|id| &id[..]));
    let keys = Keys {
        keys: reading.streams.iter().map(|(key, _)| key.to_vec()).collect(),
        request: Some(OwnedRequest::from_args(words)),
        ..Keys::new(Kind::Stream, serve)
    };
    Ok(wait::for_keys(keys, deadline, wait::null_array))
}

/// The id behind which to read.
fn start(word: &[u8], log: Option<&Log>) -> Result<Id, Refusal> {
    const ONLY_IN_GROUP: Refusal = Refusal::line(
        "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
    );
    match word {
        b"$" => Ok(log.map(Log::last_id).unwrap_or_default()),
        b"+" => Ok(log.map_or(Id::MIN, |log| match log.is_empty() {
            true => log.last_id(),
            false => log.top_id().previous().unwrap_or_default(),
        })),
        b">" => Err(ONLY_IN_GROUP),
        _ => exact_id(word, 0),
    }
}

fn has_after(log: &Log, id: Id) -> bool {
    !log.is_empty() && log.top_id() > id
}

fn answer_after(key: &[u8], log: &Log, id: Id, most: usize, reply: &mut Reply<'_>) {
    read::answer_key(key, reply);
    answer_entries(log.range(id.next().unwrap_or(Id::MAX), Id::MAX), most, reply);
}

fn serve(
    args: &mut Args<'_>,
    key: &[u8],
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Option<Effect>, Refusal> {
    let reading = Reading::parse(args, false)?;
    let mut slot = locked.slot(args.db(), key);
    let Some((_, word)) = reading.streams.iter().find(|(name, _)| *name == key) else { return Ok(None) };
    let id = exact_id(word, 0)?;
    slot.mark_used();
    let Some(log) = stream_of(slot.entry())?.map(|stream| stream.log()).filter(|log| has_after(log, id))
    else {
        return Ok(None);
    };
    read::answer_header(1, reply);
    answer_after(key, log, id, reading.most, reply);
    Ok(Some(Effect::None))
}
