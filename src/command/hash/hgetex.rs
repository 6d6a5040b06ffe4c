//! HGETEX key [EX | PX | EXAT | PXAT n | PERSIST] FIELDS n field [field ...] — the values of fields, whose deadlines are
//! set or removed.
//!
//! A moment that has passed removes the fields at once. The log gets what was done to which field: HPEXPIREAT, HPERSIST or
//! HDEL.

use super::deadline::{self, Unit};
use super::{answer, change, fields, hash_of};
use crate::base::clock::{Millis, NEVER};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hgetex",
    arity: -5,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::UPDATE)],
    flags: flag::WRITE | flag::FAST,
    acl: acl::HASH,
    since: "8.0.0",
    group: Group::Hash,
    summary: "Returns the values of fields of a hash and changes when they expire.",
    complexity: "O(N) where N is the number of specified fields.",
    syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds \
             | PXAT unix-time-milliseconds | PERSIST] FIELDS numfields field [field ...]",
    run: Run::Write(hgetex),
    ..Spec::DEFAULT
}];

/// What becomes of the deadlines.
#[derive(Clone, Copy)]
enum Change {
    Nothing,
    Persist,
    Deadline(Millis),
}

fn hgetex(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    hash_of(slot.entry())?;
    let change = read(args)?;
    let names = fields::read(args, fields::NOT_POSITIVE)?;
    let hash = hash_of(slot.entry())?;
    reply.array(names.len());
    names.iter().for_each(|name| answer(hash.and_then(|hash| hash.get(name)), reply));
    let deadline_of = |name: &&[u8]| hash.and_then(|hash| hash.field(name)).map(|field| field.deadline);
    match change {
        Change::Nothing => Ok(Effect::None),
        Change::Persist => {
            let lasting = |name: &&[u8]| deadline_of(name).is_some_and(|deadline| deadline != NEVER);
            let names: Vec<&[u8]> = names.into_iter().filter(lasting).collect();
            persist(&names, slot)
        }
        Change::Deadline(at) => {
            let names: Vec<&[u8]> = names.into_iter().filter(|name| deadline_of(name).is_some()).collect();
            expire(&names, at, deadline::is_past(at, args.now()), slot)
        }
    }
}

fn read(args: &mut Args<'_>) -> Result<Change, Refusal> {
    if args.accept("PERSIST") {
        return Ok(Change::Persist);
    }
    let Some(unit) = args.peek().and_then(Unit::named) else { return Ok(Change::Nothing) };
    args.word()?;
    Ok(Change::Deadline(unit.moment(args.word()?, args.now(), "hgetex")?))
}

fn persist(names: &[&[u8]], slot: &mut Slot<'_>) -> Result<Effect, Refusal> {
    if names.is_empty() {
        return Ok(Effect::None);
    }
    slot.tell(event::hash("hpersist"));
    change(slot, |hash| {
        for name in names {
            hash.set_deadline(name, None);
        }
    })?;
    Ok(fields::effect(&[b"HPERSIST", slot.key()], names))
}

fn expire(names: &[&[u8]], at: Millis, is_past: bool, slot: &mut Slot<'_>) -> Result<Effect, Refusal> {
    if names.is_empty() {
        return Ok(Effect::None);
    }
    slot.tell(if is_past { event::HDEL } else { event::hash("hexpire") });
    change(slot, |hash| {
        for name in names {
            if is_past {
                hash.remove(name)
            } else {
                hash.set_deadline(name, Some(at))
            };
        }
    })?;
    if is_past {
        return Ok(fields::removed(slot, names));
    }
    let mut number = itoa::Buffer::new();
    Ok(fields::effect(&[b"HPEXPIREAT", slot.key(), number.format(at).as_bytes()], names))
}
