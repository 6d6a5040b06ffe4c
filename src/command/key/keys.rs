//! KEYS pattern — all keys that match, in no order.
//!
//! The table is visited stripe by stripe, so other clients wait for a few hundred keys at most, however many there are;
//! what they change meanwhile may or may not be in the reply.

use crate::base::glob;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, Run, Spec, acl, flag};
use crate::resp::reply::Reply;
use crate::table::Table;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "keys",
    arity: 2,
    flags: flag::READONLY,
    acl: acl::KEYSPACE | acl::DANGEROUS,
    group: Group::Generic,
    summary: "Lists all keys that match a pattern.",
    complexity: "O(N) with N being the number of keys in the database, under the assumption that the key names in the \
                 database and the given pattern have limited length.",
    syntax: "pattern",
    run: Run::Scan(keys),
    ..Spec::DEFAULT
}];

fn keys(args: &mut Args<'_>, table: &Table, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let pattern = args.word()?;
    let list = reply.defer();
    let mut found = 0;
    table.for_each(args.db(), args.now(), |entry| {
        if pattern == b"*" || glob::matches(pattern, entry.key(), false) {
            reply.bulk(entry.key());
            found += 1;
        }
    });
    reply.close_array(list, found);
    Ok(())
}
