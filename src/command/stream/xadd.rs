//! XADD key [NOMKSTREAM] [trimming] <* | id> field value [field value ...] — adds an entry at the end of a stream, which is
//! made if it is not there, and answers with its id.
//!
//! `*` makes the id of the clock, or of the last id where the clock is behind it; `ms-*` makes the second number only. The
//! options that shorten the stream afterwards: see `trim`.

use smallvec::SmallVec;

use super::trim::Trimming;
use super::{answer_id, change, exact_id, stream_of};
use crate::base::clock::Millis;
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Record, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Expiry, Slot};
use crate::value::Stream;
use crate::value::stream::{ChunkLimit, Id};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "xadd",
    arity: -5,
    keys: &[KeySpec::first(key::RW | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST | flag::BRIEF,
    acl: acl::STREAM,
    since: "5.0.0",
    group: Group::Stream,
    summary: "Adds an entry at the end of a stream, which is made if it is not there.",
    complexity: "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
    syntax: "key [NOMKSTREAM] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]",
    run: Run::Write(xadd),
    ..Spec::DEFAULT
}];

/// The id that was asked for.
#[derive(Clone, Copy)]
enum Wanted {
    /// `*`
    Any,
    /// `ms-*`
    AnyOf(u64),
    /// `ms-seq`, or `ms`
    Just(Id),
}

fn xadd(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let (mut trimming, mut makes) = (Trimming::default(), true);
    let wanted = loop {
        match args.peek() {
            Some(b"*") => break Some(Wanted::Any),
            Some(_) if trimming.take(args)? => {}
            Some(_) if args.accept("NOMKSTREAM") => makes = false,
            Some(word) => break Some(wanted(word)?),
            None => break None,
        }
    };
    trimming.check()?;
    args.next();
    let words: SmallVec<[&[u8]; 16]> = args.rest().collect();
    let wanted = match wanted {
        Some(wanted) if !words.is_empty() && words.len().is_multiple_of(2) => wanted,
        _ => return Err(Refusal::Arity("xadd".into())),
    };
    if matches!(wanted, Wanted::Just(Id::MIN)) {
        return Err(Refusal::line("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let present = stream_of(slot.entry())?.map(|stream| stream.log().last_id());
    if present.is_none() && !makes {
        reply.null();
        return Ok(Effect::None);
    }
    let id = choose(wanted, present.unwrap_or_default(), args.now())?;
    if words.iter().map(|word| word.len()).sum::<usize>() > ChunkLimit::BYTES_MAX {
        return Err(TOO_LARGE);
    }
    let limit = args.stream_limit();
    let add = |stream: &mut Stream| {
        stream.push(id, &words, limit);
        trimming.apply(stream, limit)
    };
    let trimmed = if present.is_some() {
        change(slot, add)?.unwrap_or_default()
    } else {
        let mut stream = Stream::new();
        let trimmed = add(&mut stream);
        slot.put(stream, Expiry::Clear);
        trimmed
    };
    slot.tell(event::stream("xadd"));
    if trimmed > 0 {
        slot.tell(event::stream("xtrim"));
    }
    answer_id(id, reply);
    if matches!(wanted, Wanted::Just(_)) && trimming.is_exact() {
        return Ok(Effect::Same);
    }
    let trim = stream_of(slot.entry())?.filter(|_| trimmed > 0).and_then(|stream| trimming.words(stream));
    let id = id.text();
    let mut exact: SmallVec<[&[u8]; 24]> = SmallVec::from_slice(&[b"XADD", slot.key()]);
    exact.extend(trim.iter().flatten().map(Vec::as_slice));
    exact.push(&id);
    exact.extend_from_slice(&words);
    let mut record = Record::default();
    record.push_words(&exact);
    Ok(Effect::Instead(record))
}

fn wanted(word: &[u8]) -> Result<Wanted, Refusal> {
    match word.strip_suffix(b"-*") {
        Some(ms) if !ms.contains(&b'-') => exact_id(ms, 0).map(|id| Wanted::AnyOf(id.ms)),
        _ => exact_id(word, 0).map(Wanted::Just),
    }
}

/// What is said of an entry without room; and, in Redis 7.0, of `ms-*` where the millisecond has no number left.
const TOO_LARGE: Refusal = Refusal::line("ERR Elements are too large to be stored");

/// The id of an entry behind the last.
fn choose(wanted: Wanted, last: Id, now: Millis) -> Result<Id, Refusal> {
    const NOT_AFTER: Refusal =
        Refusal::line("ERR The ID specified in XADD is equal or smaller than the target stream top item");
    const EXHAUSTED: Refusal =
        Refusal::line("ERR The stream has exhausted the last possible ID, unable to add more items");
    let next = last.next().ok_or(EXHAUSTED)?;
    let id = match wanted {
        Wanted::AnyOf(ms) if ms == last.ms && ms != next.ms => return Err(TOO_LARGE),
        Wanted::Any => next.max(Id { ms: u64::try_from(now).unwrap_or_default(), seq: 0 }),
        Wanted::AnyOf(ms) if ms == last.ms => next,
        Wanted::AnyOf(ms) => Id { ms, seq: 0 },
        Wanted::Just(id) => id,
    };
    if id > last { Ok(id) } else { Err(NOT_AFTER) }
}
