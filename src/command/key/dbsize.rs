//! DBSIZE — how many keys a database has; those whose time has come count until somebody has removed them.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, Run, Spec, acl, flag};
use crate::resp::reply::Reply;
use crate::table::Table;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "dbsize",
    arity: 1,
    flags: flag::READONLY | flag::FAST,
    acl: acl::KEYSPACE,
    group: Group::Server,
    summary: "Counts the keys of the selected database.",
    run: Run::Scan(size),
    ..Spec::DEFAULT
}];

fn size(args: &mut Args<'_>, table: &Table, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    reply.int(table.len(args.db()) as i64);
    Ok(())
}
