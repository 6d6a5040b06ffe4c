//! STRLEN key — the string's length in bytes, 0 without one.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "strlen",
    arity: 2,
    keys: &[KeySpec::first(key::RO)],
    flags: flag::READONLY | flag::FAST | flag::BRIEF,
    acl: acl::STRING,
    since: "2.2.0",
    group: Group::String,
    summary: "Returns the length of the string that a key holds.",
    syntax: "key",
    run: Run::Read(strlen),
    ..Spec::DEFAULT
}];

fn strlen(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let length = match entry {
        Some(entry) => entry.text()?.len(),
        None => 0,
    };
    reply.int(length as i64);
    Ok(())
}
