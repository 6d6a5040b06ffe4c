//! LLEN key — the number of elements of a list.

use super::list_of;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "llen",
    arity: 2,
    keys: &[KeySpec::first(key::RO)],
    flags: flag::READONLY | flag::FAST | flag::BRIEF,
    acl: acl::LIST,
    group: Group::List,
    summary: "Counts the elements of a list.",
    syntax: "key",
    run: Run::Read(llen),
    ..Spec::DEFAULT
}];

fn llen(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    reply.int(list_of(entry)?.map_or(0, |list| list.len()) as i64);
    Ok(())
}
