//! SMEMBERS key — all members, in no particular order.

use super::{answer, set_of};
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;
use crate::value::Set;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "smembers",
    arity: 2,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::SET,
    group: Group::Set,
    summary: "Returns all members of a set.",
    complexity: "O(N) where N is the set cardinality.",
    syntax: "key",
    run: Run::Read(smembers),
    reads_much: Some(|_, _| true),
    ..Spec::DEFAULT
}];

fn smembers(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let set = set_of(entry)?;
    reply.set(set.map_or(0, Set::len));
    set.into_iter().flat_map(Set::iter).for_each(|member| answer(member, reply));
    Ok(())
}
