//! HEXISTS key field — 1 if there is such a field.

use super::hash_of;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hexists",
    arity: 3,
    keys: &[KeySpec::first(key::RO)],
    flags: flag::READONLY | flag::FAST | flag::BRIEF,
    acl: acl::HASH,
    since: "2.0.0",
    group: Group::Hash,
    summary: "Tells whether a hash has a field.",
    syntax: "key field",
    run: Run::Read(hexists),
    ..Spec::DEFAULT
}];

fn hexists(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let name = args.word()?;
    reply.int(i64::from(hash_of(entry)?.is_some_and(|hash| hash.contains(name))));
    Ok(())
}
