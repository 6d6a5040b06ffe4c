//! XPENDING key group [[IDLE min-idle-time:integer] start:string end:string count [consumer]] — what was delivered and is not acknowledged: in short, or
//! entry by entry with its consumer, the milliseconds since, and how often it was delivered.

use super::{answer_id, count, lower_end, no_group, stream_of, upper_end};
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;
use crate::value::stream::{self, Id, Pending};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "xpending",
    arity: -3,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::STREAM,
    since: "5.0.0",
    group: Group::Stream,
    summary: "Returns what a group was given and has not acknowledged.",
    complexity: "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call \
                 is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the \
                 command returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an \
                 additional O(N) time for iterating every consumer.",
    syntax: "key group [[IDLE min-idle-time:integer] start:string end:string count [consumer]]",
    run: Run::Read(xpending),
    ..Spec::DEFAULT
}];

/// Which part of what is pending.
struct Part<'a> {
    idle: i64,
    start: Id,
    end: Id,
    most: usize,
    consumer: Option<&'a [u8]>,
}

fn xpending(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let name = args.word()?;
    let part = match args.left() {
        0 => None,
        3..=6 => Some(part(args)?),
        _ => return Err(Refusal::Syntax),
    };
    let key = args.request().get(1).unwrap_or_default();
    let stream = stream_of(entry)?;
    let group = stream.and_then(|stream| stream.group(name)).ok_or_else(|| no_group(key, name))?;
    match part {
        None => answer_in_short(group, reply),
        Some(part) => answer_part(group, &part, args.now(), reply),
    }
    Ok(())
}

fn part<'a>(args: &mut Args<'a>) -> Result<Part<'a>, Refusal> {
    let mut idle = 0;
    if args.accept("IDLE") {
        idle = args.int()?;
        if args.left() < 3 {
            return Err(Refusal::Syntax);
        }
    }
    let (start, end, most) = (args.word()?, args.word()?, count(args.int()?));
    let (start, end) = (lower_end(start)?, upper_end(end)?);
    Ok(Part { idle, start, end, most, consumer: args.next() })
}

fn answer_in_short(group: &stream::Group, reply: &mut Reply<'_>) {
    let pending = group.pending();
    reply.array(4);
    reply.int(pending.len() as i64);
    let (Some(first), Some(last)) = (pending.first(), pending.last()) else {
        reply.null();
        reply.null();
        return reply.null_array();
    };
    answer_id(first, reply);
    answer_id(last, reply);
    let busy = || group.consumers().filter(|(_, consumer)| !consumer.pending().is_empty());
    reply.array(busy().count());
    for (name, consumer) in busy() {
        reply.array(2);
        reply.bulk(name);
        reply.bulk_int(consumer.pending().len() as i64);
    }
}

fn answer_part(group: &stream::Group, part: &Part<'_>, now: i64, reply: &mut Reply<'_>) {
    let idle = |pending: &Pending| now.saturating_sub(pending.delivered).max(0);
    let mut answered = 0;
    let place = reply.defer();
    let mut answer = |id: Id, pending: Pending| {
        if part.idle != 0 && idle(&pending) < part.idle {
            return false;
        }
        reply.array(4);
        answer_id(id, reply);
        reply.bulk(group.owner(&pending));
        reply.int(idle(&pending));
        reply.int(pending.count.cast_signed());
        true
    };
    let is_within = |id: &Id| *id <= part.end;
    match part.consumer {
        None => {
            let mut all = group.pending().range(part.start).take_while(|(id, _)| is_within(id));
            while answered < part.most
                && let Some((id, pending)) = all.next()
            {
                answered += usize::from(answer(id, pending));
            }
        }
        Some(name) => {
            let own =
                group.consumer(name).into_iter().flat_map(|consumer| consumer.pending().range(part.start));
            let mut own = own.map(|(id, ())| id).take_while(is_within);
            while answered < part.most
                && let Some(id) = own.next()
            {
                answered += usize::from(group.pending().get(id).is_some_and(|pending| answer(id, pending)));
            }
        }
    }
    reply.close_array(place, answered);
}
