//! GEOHASH key [member ...] — the places of members as standard geohashes, which other programs understand.

use super::READS;
use super::cell::Point;
use crate::base::refusal::Refusal;
use crate::command::zset::zset_of;
use crate::exec::{Args, KeySpec, Run, Spec, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "geohash",
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    since: "3.2.0",
    summary: "Returns the places of members as geohashes.",
    complexity: "O(log(N)) for each member requested, where N is the number of elements in the sorted set.",
    syntax: "key [member ...]",
    run: Run::Read(geohash),
    ..READS
}];

fn geohash(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let zset = zset_of(entry)?;
    reply.array(args.left());
    for member in args.rest() {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => reply.bulk(&Point::of(score).letters()),
            None => reply.null(),
        }
    }
    Ok(())
}
