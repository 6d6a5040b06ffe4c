//! HINCRBYFLOAT key field increment — counts with a field that spells a number: the new one.
//!
//! Counted as by INCRBYFLOAT, in 80 bits. The log gets the result, so that a server that counts otherwise still reads the
//! same; and as HSET ends a field's deadline, the log gets that again.

use super::{change, fields, hash_of};
use crate::base::clock::NEVER;
use crate::base::event;
use crate::base::longdouble::LongDouble;
use crate::base::refusal::Refusal;
use crate::exec::effect::Record;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hincrbyfloat",
    arity: 4,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST | flag::BRIEF,
    acl: acl::HASH,
    since: "2.6.0",
    group: Group::Hash,
    summary: "Adds to the number, whole or not, that a field of a hash holds.",
    syntax: "key field increment:double",
    event: Some(event::hash("hincrbyfloat")),
    run: Run::Write(hincrbyfloat),
    ..Spec::DEFAULT
}];

fn hincrbyfloat(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let name = args.word()?;
    let by = LongDouble::parse(args.word()?).ok_or(Refusal::NotFloat)?;
    if !by.is_finite() {
        return Err(Refusal::line("ERR value is NaN or Infinity"));
    }
    let mut buffer = itoa::Buffer::new();
    let field = hash_of(slot.entry())?.and_then(|hash| hash.field(name));
    let old = field.map_or(b"0".as_slice(), |field| field.value.bytes(&mut buffer));
    let old = LongDouble::parse(old).ok_or(Refusal::line("ERR hash value is not a float"))?;
    let deadline = field.map_or(NEVER, |field| field.deadline);
    let new = old.add(by);
    if !new.is_finite() {
        return Err(Refusal::line("ERR increment would produce NaN or Infinity"));
    }
    let new = new.to_text();
    let new = new.as_bytes();
    let limits = args.hash_limits();
    change(slot, |hash| hash.update(name, new, &limits))?;
    reply.bulk(new);
    let mut record = Record::default();
    record.push([b"HSET", slot.key(), name, new]);
    if deadline != NEVER {
        let mut number = itoa::Buffer::new();
        let at = number.format(deadline).as_bytes();
        fields::push(&mut record, &[b"HPEXPIREAT", slot.key(), at], &[name]);
    }
    Ok(Effect::Instead(record))
}
