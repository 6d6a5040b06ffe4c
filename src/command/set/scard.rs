//! SCARD key — how many members there are.

use super::set_of;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;
use crate::value::Set;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "scard",
    arity: 2,
    keys: &[KeySpec::first(key::RO)],
    flags: flag::READONLY | flag::FAST | flag::BRIEF,
    acl: acl::SET,
    group: Group::Set,
    summary: "Counts the members of a set.",
    syntax: "key",
    run: Run::Read(scard),
    ..Spec::DEFAULT
}];

fn scard(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    reply.int(set_of(entry)?.map_or(0, Set::len) as i64);
    Ok(())
}
