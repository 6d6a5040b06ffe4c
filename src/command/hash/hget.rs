//! HGET key field — the value of a field, null if there is no such field.

use super::{answer, hash_of};
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hget",
    arity: 3,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY | flag::FAST | flag::BRIEF,
    acl: acl::HASH,
    since: "2.0.0",
    group: Group::Hash,
    summary: "Returns the value of a field of a hash.",
    syntax: "key field",
    run: Run::Read(hget),
    ..Spec::DEFAULT
}];

fn hget(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let name = args.word()?;
    answer(hash_of(entry)?.and_then(|hash| hash.get(name)), reply);
    Ok(())
}
