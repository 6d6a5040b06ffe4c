//! SETRANGE key offset value — writes bytes over a part of a string: its length then.
//!
//! A string that ends before the offset is filled up with zero bytes. Writing nothing changes nothing, whatever the
//! offset.

use super::check_length;
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Expiry, Slot};
use crate::value::Text;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "setrange",
    arity: 4,
    keys: &[KeySpec::first(key::RW | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM,
    acl: acl::STRING,
    since: "2.2.0",
    group: Group::String,
    summary: "Overwrites a part of the string that a key holds, from an offset on.",
    complexity: "O(N) where N is the length of the value, and of the zero bytes before it",
    syntax: "key offset value",
    event: Some(event::string("setrange")),
    run: Run::Write(setrange),
    ..Spec::DEFAULT
}];

fn setrange(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let offset = usize::try_from(args.int()?).map_err(|_| Refusal::line("ERR offset is out of range"))?;
    let value = args.word()?;
    let length = slot.text()?.map_or(0, |text| text.len());
    if value.is_empty() {
        reply.int(length as i64);
        return Ok(Effect::None);
    }
    check_length(offset, value.len())?;
    let written = slot.change(|old| old.text_mut().map(|text| write(text.grow(), offset, value)));
    if written.transpose()?.is_none() {
        let mut bytes = Vec::new();
        write(&mut bytes, offset, value);
        slot.put(Text::Grown(bytes), Expiry::Clear);
    }
    reply.int(length.max(offset + value.len()) as i64);
    Ok(Effect::Same)
}

fn write(bytes: &mut Vec<u8>, offset: usize, value: &[u8]) {
    let end = offset + value.len();
    if offset >= bytes.len() {
        bytes.resize(offset, 0);
        bytes.extend_from_slice(value);
        return;
    }
    if end > bytes.len() {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(value);
}
