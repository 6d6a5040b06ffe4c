//! XRANGE key start end [COUNT count] — entries in an interval of ids; XREVRANGE takes its ends the other way around and
//! answers from the highest id down.
//!
//! `-` and `+` are the lowest and the highest id, `(` leaves an id out. An end without its second number means all entries of
//! that millisecond.

use super::{answer_entries, count, lower_end, stream_of, upper_end};
use crate::base::refusal::Refusal;
use crate::exec::rules::is_much;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::resp::request::Request;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[
    XRANGE,
    Spec {
        name: "xrevrange",
        summary: "Returns the entries of a stream in an interval of ids, highest first.",
        syntax: "key end:string start:string [COUNT count]",
        run: Run::Read(|args, entry, reply| range(true, args, entry, reply)),
        ..XRANGE
    },
];

const XRANGE: Spec = Spec {
    name: "xrange",
    arity: -4,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::STREAM,
    since: "5.0.0",
    group: Group::Stream,
    summary: "Returns the entries of a stream in an interval of ids.",
    complexity: "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for \
                 the first 10 elements with COUNT), you can consider it O(1).",
    syntax: "key start:string end:string [COUNT count]",
    reads_much: Some(|request, _| may_be_much(request)),
    run: Run::Read(|args, entry, reply| range(false, args, entry, reply)),
    ..Spec::DEFAULT
};

/// How many entries lie in an interval is not known before they are read. One id, and what COUNT keeps small, is not much.
fn may_be_much(request: &Request<'_>) -> bool {
    match Args::looking(*request, 5).int() {
        Ok(most) => is_much(count(most), 0),
        Err(_) => request.arg(2) != request.arg(3),
    }
}

fn range(
    reverse: bool,
    args: &mut Args<'_>,
    entry: Option<&Entry>,
    reply: &mut Reply<'_>,
) -> Result<(), Refusal> {
    let (one, other) = (args.word()?, args.word()?);
    let (start, end) = if reverse { (other, one) } else { (one, other) };
    let (start, end) = (lower_end(start)?, upper_end(end)?);
    let mut most = usize::MAX;
    while !args.is_done() {
        if args.left() < 2 || !args.accept("COUNT") {
            return Err(Refusal::Syntax);
        }
        most = count(args.int()?);
    }
    match stream_of(entry)?.map(|stream| stream.log()) {
        None => reply.array(0),
        Some(_) if most == 0 => reply.null_array(),
        Some(log) if reverse => answer_entries(log.range_back(start, end), most, reply),
        Some(log) => answer_entries(log.range(start, end), most, reply),
    }
    Ok(())
}
