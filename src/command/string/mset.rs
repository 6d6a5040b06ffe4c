//! MSET key value [key value ...] — stores many strings at once; MSETNX does so only if none of the keys exists.
//!
//! A key that is given twice gets its last value.

use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Expiry, Locked};

pub(super) const SPECS: &[Spec] = &[
    MSET,
    Spec {
        name: "msetnx",
        keys: &[KeySpec::all(1, 2, key::OW | key::INSERT)],
        summary: "Stores several strings if none of their keys exists yet.",
        run: Run::Keys(msetnx),
        ..MSET
    },
];

const MSET: Spec = Spec {
    name: "mset",
    arity: -3,
    keys: &[KeySpec::all(1, 2, key::OW | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM,
    acl: acl::STRING,
    since: "1.0.1",
    group: Group::String,
    summary: "Stores several strings, whatever their keys held before.",
    complexity: "O(N) where N is the number of keys",
    syntax: "key value [key value ...]",
    run: Run::Keys(mset),
    ..Spec::DEFAULT
};

fn mset(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    check_pairs(args, "mset")?;
    store(args, locked);
    reply.ok();
    Ok(Effect::Same)
}

fn msetnx(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    check_pairs(args, "msetnx")?;
    let are_new = !args.rest().step_by(2).any(|key| locked.slot(args.db(), key).exists());
    if are_new {
        store(args, locked);
    }
    reply.int(i64::from(are_new));
    Ok(Effect::same_if(are_new))
}

fn check_pairs(args: &Args<'_>, command: &'static str) -> Result<(), Refusal> {
    if args.left().is_multiple_of(2) { Ok(()) } else { Err(Refusal::Arity(command.into())) }
}

fn store(args: &mut Args<'_>, locked: &mut Locked<'_>) {
    while let (Some(key), Some(value)) = (args.next(), args.next()) {
        let mut slot = locked.slot(args.db(), key);
        slot.put_text(value, Expiry::Clear);
        slot.tell(event::SET);
    }
}
