//! HLEN key — the number of fields.

use super::hash_of;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hlen",
    arity: 2,
    keys: &[KeySpec::first(key::RO)],
    flags: flag::READONLY | flag::FAST | flag::BRIEF,
    acl: acl::HASH,
    since: "2.0.0",
    group: Group::Hash,
    summary: "Returns how many fields a hash has.",
    syntax: "key",
    run: Run::Read(hlen),
    ..Spec::DEFAULT
}];

fn hlen(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    reply.int(hash_of(entry)?.map_or(0, |hash| hash.len() as i64));
    Ok(())
}
