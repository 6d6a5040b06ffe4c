//! GETBIT key offset — one bit of a string; beyond its end all bits are 0.

use super::Place;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "getbit",
    arity: 3,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY | flag::FAST | flag::BRIEF,
    acl: acl::BITMAP,
    since: "2.2.0",
    group: Group::Bitmap,
    summary: "Returns the bit at an offset of a string.",
    syntax: "key offset",
    run: Run::Read(getbit),
    ..Spec::DEFAULT
}];

fn getbit(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let place = Place::read(args)?;
    let text = entry.map(Entry::text).transpose()?;
    let is_set = text.is_some_and(|text| place.is_set(text.bytes(&mut itoa::Buffer::new())));
    reply.int(i64::from(is_set));
    Ok(())
}
