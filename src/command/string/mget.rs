//! MGET key [key ...] — the strings of many keys; null for a key without one, whatever else it may hold.

use super::answer;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Locked;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "mget",
    arity: -2,
    keys: &[KeySpec::all(1, 1, key::RO | key::ACCESS)],
    flags: flag::READONLY | flag::FAST,
    acl: acl::STRING,
    group: Group::String,
    summary: "Returns the strings that several keys hold.",
    complexity: "O(N) where N is the number of keys",
    syntax: "key [key ...]",
    run: Run::Keys(mget),
    ..Spec::DEFAULT
}];

fn mget(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    reply.array(args.left());
    for key in args.rest() {
        let mut slot = locked.slot(args.db(), key);
        slot.mark_used();
        answer(slot.text().unwrap_or_default(), reply);
    }
    Ok(Effect::None)
}
