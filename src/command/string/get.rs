//! GET key — the string, or null.

use super::answer;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "get",
    arity: 2,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY | flag::FAST | flag::BRIEF,
    acl: acl::STRING,
    group: Group::String,
    summary: "Returns the string that a key holds.",
    syntax: "key",
    run: Run::Read(get),
    ..Spec::DEFAULT
}];

fn get(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    answer(entry.map(Entry::text).transpose()?, reply);
    Ok(())
}
