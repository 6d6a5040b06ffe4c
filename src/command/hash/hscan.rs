//! HSCAN key cursor [MATCH pattern] [COUNT n] — a part of the fields with their values, and where to go on.
//!
//! The pattern is for the fields. Options are read only where there is a hash to walk: Redis does so, and answers nonsense
//! about a missing key kindly.

use super::{answer, hash_of};
use crate::base::refusal::Refusal;
use crate::command::cursor;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hscan",
    arity: -3,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::HASH,
    since: "2.8.0",
    group: Group::Hash,
    summary: "Walks over the fields of a hash, a few at each call.",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to \
                 return back to 0. N is the number of elements inside the collection.",
    syntax: "key cursor [MATCH pattern] [COUNT count]",
    run: Run::Read(hscan),
    ..Spec::DEFAULT
}];

fn hscan(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let cursor = cursor::read(args)?;
    let mut next = 0;
    let mut fields = Vec::new();
    if let Some(hash) = hash_of(entry)? {
        let options = cursor::Options::read(args)?;
        next = hash.scan(cursor, options.count, |field| {
            if options.admits(field.name.bytes(&mut itoa::Buffer::new())) {
                fields.push(field);
            }
        });
    }
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    reply.array(fields.len() * 2);
    for field in fields {
        answer(Some(field.name), reply);
        answer(Some(field.value), reply);
    }
    Ok(())
}
