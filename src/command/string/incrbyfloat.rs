//! INCRBYFLOAT key increment — counts with a string that spells a number: the new one.
//!
//! Redis counts in 80 bits, and clients depend on the digits this gives (`0.1` and `0.2` make `0.3`). The log gets the
//! result, so that a server that counts otherwise still reads the same.

use crate::base::event;
use crate::base::longdouble::LongDouble;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Expiry, Slot};
use crate::value::Text;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "incrbyfloat",
    arity: 3,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST | flag::BRIEF,
    acl: acl::STRING,
    since: "2.6.0",
    group: Group::String,
    summary: "Adds to the number, whole or not, that a key holds.",
    syntax: "key increment:double",
    event: Some(event::string("incrbyfloat")),
    run: Run::Write(incrbyfloat),
    ..Spec::DEFAULT
}];

fn incrbyfloat(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let mut buffer = itoa::Buffer::new();
    let old = slot.text()?.map_or(b"0".as_slice(), |text| text.bytes(&mut buffer));
    let old = LongDouble::parse(old).ok_or(Refusal::NotFloat)?;
    let new = old.add(LongDouble::parse(args.word()?).ok_or(Refusal::NotFloat)?);
    if !new.is_finite() {
        return Err(Refusal::line("ERR increment would produce NaN or Infinity"));
    }
    let new = new.to_text();
    let new = new.as_bytes();
    // Redis keeps the text even where it spells an integer.
    let text = Text::Whole(new.into());
    if slot.exists() {
        slot.change(|value| *value = text.into());
    } else {
        slot.put(text, Expiry::Clear);
    }
    reply.bulk(new);
    Ok(Effect::instead([b"SET", slot.key(), new, b"KEEPTTL"]))
}
