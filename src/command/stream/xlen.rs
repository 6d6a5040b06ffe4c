//! XLEN key — the number of entries.

use super::stream_of;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "xlen",
    arity: 2,
    keys: &[KeySpec::first(key::RO)],
    flags: flag::READONLY | flag::FAST | flag::BRIEF,
    acl: acl::STREAM,
    since: "5.0.0",
    group: Group::Stream,
    summary: "Returns the number of entries of a stream.",
    syntax: "key",
    run: Run::Read(xlen),
    ..Spec::DEFAULT
}];

fn xlen(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    reply.int(stream_of(entry)?.map_or(0, |stream| stream.log().len() as i64));
    Ok(())
}
