//! DEL key… — removes keys and answers how many there were. UNLINK is the same with a promise to be quick.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Locked;

pub(super) const SPECS: &[Spec] = &[
    DEL,
    Spec {
        name: "unlink",
        flags: flag::WRITE | flag::FAST,
        since: "4.0.0",
        summary: "Removes one or more keys without making others wait for their memory.",
        complexity: "O(1) for each key removed regardless of its size. Then the command does O(N) work in a different \
                     thread in order to reclaim memory, where N is the number of allocations the deleted objects \
                     where composed of.",
        ..DEL
    },
];

const DEL: Spec = Spec {
    name: "del",
    arity: -2,
    keys: &[KeySpec::all(1, 1, key::RM | key::DELETE)],
    flags: flag::WRITE,
    acl: acl::KEYSPACE,
    group: Group::Generic,
    summary: "Removes one or more keys.",
    complexity: "O(N) where N is the number of keys that will be removed. When a key to remove holds a value other \
                 than a string, the individual complexity for this key is O(M) where M is the number of elements in \
                 the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).",
    syntax: "key [key ...]",
    run: Run::Keys(del),
    ..Spec::DEFAULT
};

fn del(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let db = args.db();
    let removed = args.rest().filter(|key| locked.slot(db, key).remove()).count();
    reply.int(removed as i64);
    Ok(Effect::same_if(removed > 0))
}
