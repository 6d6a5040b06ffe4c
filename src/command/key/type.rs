//! TYPE key — the name of the type of what the key holds, `none` where there is nothing.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "type",
    arity: 2,
    keys: &[KeySpec::first(key::RO)],
    flags: flag::READONLY | flag::FAST | flag::NO_TOUCH_KEY | flag::BRIEF,
    acl: acl::KEYSPACE,
    group: Group::Generic,
    summary: "Tells the type of the value stored at a key.",
    syntax: "key",
    run: Run::Read(kind),
    ..Spec::DEFAULT
}];

fn kind(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    reply.simple(entry.map_or("none", |entry| entry.kind().name()));
    Ok(())
}
