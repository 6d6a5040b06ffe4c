//! HSTRLEN key field — the length of a field's value in bytes, 0 if there is no such field.

use super::hash_of;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hstrlen",
    arity: 3,
    keys: &[KeySpec::first(key::RO)],
    flags: flag::READONLY | flag::FAST | flag::BRIEF,
    acl: acl::HASH,
    since: "3.2.0",
    group: Group::Hash,
    summary: "Returns how long the value of a field of a hash is.",
    syntax: "key field",
    run: Run::Read(hstrlen),
    ..Spec::DEFAULT
}];

fn hstrlen(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let name = args.word()?;
    let value = hash_of(entry)?.and_then(|hash| hash.get(name));
    reply.int(value.map_or(0, |value| value.len() as i64));
    Ok(())
}
