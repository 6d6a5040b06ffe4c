//! INCR, DECR, INCRBY, DECRBY — count with a string that spells an integer: the new value.
//!
//! A key that does not exist counts as 0; the deadline of one that does stays.

use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[
    INCR,
    Spec {
        name: "decr",
        summary: "Subtracts one from the integer that a key holds.",
        run: Run::Write(decr),
        ..INCR
    },
    Spec {
        name: "incrby",
        arity: 3,
        summary: "Adds to the integer that a key holds.",
        syntax: "key increment",
        run: Run::Write(incrby),
        ..INCR
    },
    Spec {
        name: "decrby",
        arity: 3,
        summary: "Subtracts from the integer that a key holds.",
        syntax: "key decrement",
        run: Run::Write(decrby),
        ..INCR
    },
];

const INCR: Spec = Spec {
    name: "incr",
    arity: 2,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST | flag::BRIEF,
    acl: acl::STRING,
    group: Group::String,
    summary: "Adds one to the integer that a key holds.",
    syntax: "key",
    event: Some(event::string("incrby")),
    run: Run::Write(incr),
    ..Spec::DEFAULT
};

fn incr(_: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    add(1, slot, reply)
}

fn decr(_: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    add(-1, slot, reply)
}

fn incrby(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    add(args.int()?, slot, reply)
}

fn decrby(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let by = args.int()?.checked_neg().ok_or(Refusal::line("ERR decrement would overflow"))?;
    add(by, slot, reply)
}

#[inline]
fn add(by: i64, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let old = match slot.text()? {
        Some(text) => text.integer().ok_or(Refusal::NotInteger)?,
        None => 0,
    };
    let new = old.checked_add(by).ok_or(Refusal::line("ERR increment or decrement would overflow"))?;
    slot.put_integer(new);
    reply.int(new);
    Ok(Effect::Same)
}
