//! HMGET key field [field ...] — the values of fields in the order asked, null for each that is not there.

use super::{answer, hash_of};
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hmget",
    arity: -3,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY | flag::FAST,
    acl: acl::HASH,
    since: "2.0.0",
    group: Group::Hash,
    summary: "Returns the values of several fields of a hash.",
    complexity: "O(N) where N is the number of fields being requested.",
    syntax: "key field [field ...]",
    run: Run::Read(hmget),
    ..Spec::DEFAULT
}];

fn hmget(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let hash = hash_of(entry)?;
    reply.array(args.left());
    args.rest().for_each(|name| answer(hash.and_then(|hash| hash.get(name)), reply));
    Ok(())
}
