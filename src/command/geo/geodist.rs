//! GEODIST key member1 member2 [M | KM | FT | MI] — how far two members are from each other.

use super::cell::Point;
use super::{READS, answer_distance, unit};
use crate::base::refusal::Refusal;
use crate::command::zset::zset_of;
use crate::exec::{Args, KeySpec, Run, Spec, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "geodist",
    arity: -4,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    since: "3.2.0",
    summary: "Returns the distance between two members of a set of places.",
    complexity: "O(log(N))",
    syntax: "key member1 member2 [M | KM | FT | MI]",
    run: Run::Read(geodist),
    ..READS
}];

fn geodist(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let (one, other) = (args.word()?, args.word()?);
    if args.left() > 1 {
        return Err(Refusal::Syntax);
    }
    let unit = if args.is_done() { 1.0 } else { unit(args)? };
    let zset = zset_of(entry)?;
    let place = |member| Some(Point::of(zset?.score(member)?));
    match place(one).zip(place(other)) {
        Some((one, other)) => answer_distance(one.distance(other) / unit, reply),
        None => reply.null(),
    }
    Ok(())
}
