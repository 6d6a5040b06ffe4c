//! SISMEMBER key member — 1 if it is a member, else 0; SMISMEMBER tells so of several.

use super::set_of;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[
    SISMEMBER,
    Spec {
        name: "smismember",
        arity: -3,
        keys: &[KeySpec::first(key::RO | key::ACCESS)],
        since: "6.2.0",
        summary: "Tells of each of several words whether it is a member of a set.",
        complexity: "O(N) where N is the number of elements being checked for membership",
        syntax: "key member [member ...]",
        run: Run::Read(smismember),
        ..SISMEMBER
    },
];

const SISMEMBER: Spec = Spec {
    name: "sismember",
    arity: 3,
    keys: &[KeySpec::first(key::RO)],
    flags: flag::READONLY | flag::FAST | flag::BRIEF,
    acl: acl::SET,
    group: Group::Set,
    summary: "Tells whether a word is a member of a set.",
    syntax: "key member",
    run: Run::Read(sismember),
    ..Spec::DEFAULT
};

fn sismember(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let set = set_of(entry)?;
    let member = args.word()?;
    reply.int(i64::from(set.is_some_and(|set| set.contains(member))));
    Ok(())
}

fn smismember(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let set = set_of(entry)?;
    reply.array(args.left());
    for member in args.rest() {
        reply.int(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}
