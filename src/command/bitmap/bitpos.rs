//! BITPOS key bit [start [end [BYTE | BIT]]] — where the first bit of a string is that is set, or that is not.
//!
//! Where a 0 is looked for and no end is given, the string counts as followed by zeros without end.

use super::span;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "bitpos",
    arity: -3,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::BITMAP,
    since: "2.8.7",
    group: Group::Bitmap,
    summary: "Finds the first bit of a string that is set, or that is clear.",
    complexity: "O(N)",
    syntax: "key bit:integer [start:integer [end:integer [BYTE | BIT]]]",
    run: Run::Read(bitpos),
    ..Spec::DEFAULT
}];

fn bitpos(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let wanted = args.int_within(0..=1, "The bit argument must be 1 or 0.")? == 1;
    let Some(entry) = entry else {
        reply.int(if wanted { -1 } else { 0 });
        return Ok(());
    };
    let mut buffer = itoa::Buffer::new();
    let bytes = entry.text()?.bytes(&mut buffer);
    let words = args.left();
    if words > 3 {
        return Err(Refusal::Syntax);
    }
    let start = if words > 0 { args.int()? } else { 0 };
    let end = if words > 1 { Some(args.word()?) } else { None };
    let is_bits = span::counts_bits(args)?;
    let end = end.map(|end| number::parse_i64(end).ok_or(Refusal::NotInteger)).transpose()?;
    let range = span::between(start, end.unwrap_or(-1), is_bits, bytes.len());
    let found = range.and_then(|range| {
        let beyond = (!wanted && end.is_none()).then_some(range.end);
        span::find(bytes, range, wanted).or(beyond)
    });
    reply.int(found.map_or(-1, |found| found as i64));
    Ok(())
}
