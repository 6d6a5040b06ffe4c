//! EXISTS key… — how many of the keys exist; one that is named twice counts twice.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Locked;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "exists",
    arity: -2,
    keys: &[KeySpec::all(1, 1, key::RO)],
    flags: flag::READONLY | flag::FAST | flag::NO_TOUCH_KEY,
    acl: acl::KEYSPACE,
    group: Group::Generic,
    summary: "Counts how many of the named keys exist.",
    complexity: "O(N) where N is the number of keys to check.",
    syntax: "key [key ...]",
    run: Run::Keys(exists),
    ..Spec::DEFAULT
}];

fn exists(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let db = args.db();
    let found = args.rest().filter(|key| locked.slot(db, key).exists()).count();
    reply.int(found as i64);
    Ok(Effect::None)
}
