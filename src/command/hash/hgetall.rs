//! HGETALL key — all fields with their values. HKEYS answers the fields alone, HVALS the values.

use super::{answer, hash_of};
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[
    HGETALL,
    Spec { name: "hkeys", summary: "Returns the fields of a hash.", run: Run::Read(hkeys), ..HGETALL },
    Spec { name: "hvals", summary: "Returns the values of a hash.", run: Run::Read(hvals), ..HGETALL },
];

const HGETALL: Spec = Spec {
    name: "hgetall",
    arity: 2,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::HASH,
    since: "2.0.0",
    group: Group::Hash,
    summary: "Returns the fields and values of a hash.",
    complexity: "O(N) where N is the size of the hash.",
    syntax: "key",
    run: Run::Read(hgetall),
    reads_much: Some(|_, _| true),
    ..Spec::DEFAULT
};

fn hgetall(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let hash = hash_of(entry)?;
    reply.map(hash.map_or(0, |hash| hash.len()));
    for field in hash.iter().flat_map(|hash| hash.iter()) {
        answer(Some(field.name), reply);
        answer(Some(field.value), reply);
    }
    Ok(())
}

fn hkeys(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let hash = hash_of(entry)?;
    reply.array(hash.map_or(0, |hash| hash.len()));
    hash.iter().flat_map(|hash| hash.iter()).for_each(|field| answer(Some(field.name), reply));
    Ok(())
}

fn hvals(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let hash = hash_of(entry)?;
    reply.array(hash.map_or(0, |hash| hash.len()));
    hash.iter().flat_map(|hash| hash.iter()).for_each(|field| answer(Some(field.value), reply));
    Ok(())
}
