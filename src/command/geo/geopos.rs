//! GEOPOS key [member ...] — where members are: longitude and latitude of each.

use super::cell::Point;
use super::{READS, answer_point};
use crate::base::refusal::Refusal;
use crate::command::zset::zset_of;
use crate::exec::{Args, KeySpec, Run, Spec, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "geopos",
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    since: "3.2.0",
    summary: "Returns longitude and latitude of members.",
    complexity: "O(N) where N is the number of members requested.",
    syntax: "key [member ...]",
    run: Run::Read(geopos),
    ..READS
}];

fn geopos(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let zset = zset_of(entry)?;
    reply.array(args.left());
    for member in args.rest() {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => answer_point(Point::of(score), reply),
            None => reply.null_array(),
        }
    }
    Ok(())
}
