//! DUMP key — the value in the form that RESTORE takes, here or on another server.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::log::rdb::encode_payload;
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "dump",
    arity: 2,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::KEYSPACE,
    since: "2.6.0",
    group: Group::Generic,
    summary: "Writes a value in the form that RESTORE takes.",
    complexity: "O(N) where N is the size of the value.",
    syntax: "key",
    run: Run::Read(dump),
    reads_much: Some(|_, _| true),
    ..Spec::DEFAULT
}];

fn dump(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    match entry {
        Some(entry) => reply.bulk(&encode_payload(entry.value(), args.settings().persistence.rdbcompression)),
        None => reply.null(),
    }
    Ok(())
}
