//! TOUCH key… — counts the keys that exist and makes them as if they had just been read, which is what eviction goes by.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Locked;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "touch",
    arity: -2,
    keys: &[KeySpec::all(1, 1, key::RO)],
    flags: flag::READONLY | flag::FAST,
    acl: acl::KEYSPACE,
    since: "3.2.1",
    group: Group::Generic,
    summary: "Marks the named keys as just used and counts those that exist.",
    complexity: "O(N) where N is the number of keys that will be touched.",
    syntax: "key [key ...]",
    run: Run::Keys(touch),
    ..Spec::DEFAULT
}];

fn touch(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let db = args.db();
    let mut found = 0;
    for key in args.rest() {
        let mut slot = locked.slot(db, key);
        slot.mark_used();
        found += i64::from(slot.exists());
    }
    reply.int(found);
    Ok(Effect::None)
}
