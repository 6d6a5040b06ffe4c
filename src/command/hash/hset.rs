//! HSET key field value [field value ...] — sets fields: how many of them are new. HMSET, its old form, answers OK.
//!
//! A field that had a deadline has none afterwards.

use super::change;
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[
    HSET,
    Spec {
        name: "hmset",
        summary: "Sets fields of a hash, with a simpler answer than HSET.",
        complexity: "O(N) where N is the number of fields being set.",
        replaced_by: Some("`HSET` with multiple field-value pairs"),
        run: Run::Write(hmset),
        ..HSET
    },
];

const HSET: Spec = Spec {
    name: "hset",
    arity: -4,
    keys: &[KeySpec::first(key::RW | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST | flag::BRIEF,
    acl: acl::HASH,
    since: "2.0.0",
    group: Group::Hash,
    summary: "Sets fields of a hash.",
    complexity: "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with \
                 multiple field/value pairs.",
    syntax: "key field value [field value ...]",
    event: Some(event::hash("hset")),
    run: Run::Write(hset),
    ..Spec::DEFAULT
};

fn hset(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let added = set(args, slot, "hset")?;
    reply.int(added);
    Ok(Effect::Same)
}

fn hmset(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    set(args, slot, "hmset")?;
    reply.ok();
    Ok(Effect::Same)
}

fn set(args: &mut Args<'_>, slot: &mut Slot<'_>, command: &'static str) -> Result<i64, Refusal> {
    if !args.left().is_multiple_of(2) {
        return Err(Refusal::Arity(command.into()));
    }
    let limits = args.hash_limits();
    change(slot, |hash| {
        let mut added = 0;
        while let (Some(name), Some(value)) = (args.next(), args.next()) {
            added += i64::from(hash.set(name, value, &limits));
        }
        added
    })
}
