//! BITCOUNT key [start end [BYTE | BIT]] — how many bits of a string, or of a part of it, are set.

use super::span;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "bitcount",
    arity: -2,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::BITMAP,
    since: "2.6.0",
    group: Group::Bitmap,
    summary: "Counts the bits of a string that are set.",
    complexity: "O(N)",
    syntax: "key [start:integer end:integer [BYTE | BIT]]",
    run: Run::Read(bitcount),
    ..Spec::DEFAULT
}];

fn bitcount(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    // As in Redis, whose arguments do not matter where there is no key.
    let Some(entry) = entry else {
        reply.int(0);
        return Ok(());
    };
    let mut buffer = itoa::Buffer::new();
    let bytes = entry.text()?.bytes(&mut buffer);
    let range = match args.left() {
        0 => span::between(0, -1, false, bytes.len()),
        2 | 3 => {
            let (start, end) = (args.int()?, args.int()?);
            if start < 0 && end < 0 && start > end {
                None
            } else {
                span::between(start, end, span::counts_bits(args)?, bytes.len())
            }
        }
        _ => return Err(Refusal::Syntax),
    };
    reply.int(range.map_or(0, |range| span::count(bytes, range)) as i64);
    Ok(())
}
