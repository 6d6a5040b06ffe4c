//! SETBIT key offset value — sets or clears one bit of a string and answers with what it was.
//!
//! A string that ends before the bit is filled up with zeros. Where bit and length are already as they should be, nothing
//! is changed and nothing logged; but OBJECT ENCODING says `raw` from then on, as in Redis.

use super::{Place, show_as_raw};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Expiry, Slot};
use crate::value::Text;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "setbit",
    arity: 4,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM,
    acl: acl::BITMAP,
    since: "2.2.0",
    group: Group::Bitmap,
    summary: "Sets or clears the bit at an offset of a string.",
    complexity: "O(1), but for the zero bytes that a string must grow by",
    syntax: "key offset value:integer",
    event: Some(event::string("setbit")),
    run: Run::Write(setbit),
    ..Spec::DEFAULT
}];

fn setbit(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let place = Place::read(args)?;
    let on = match args.word()? {
        b"0" => false,
        b"1" => true,
        _ => return Err(Refusal::err("bit is not an integer or out of range")),
    };
    let mut buffer = itoa::Buffer::new();
    let old = slot.text()?.map(|text| text.bytes(&mut buffer));
    let (was_on, has_room) = old.map_or((false, false), |old| (place.is_set(old), place.byte < old.len()));
    reply.int(i64::from(was_on));
    if has_room && was_on == on {
        show_as_raw(slot)?;
        return Ok(Effect::None);
    }
    let changed = slot.change(|old| old.text_mut().map(|text| place.put(text.grow(), on)));
    if changed.transpose()?.is_none() {
        let mut bytes = Vec::new();
        place.put(&mut bytes, on);
        slot.put(Text::Grown(bytes), Expiry::Clear);
    }
    Ok(Effect::Same)
}
