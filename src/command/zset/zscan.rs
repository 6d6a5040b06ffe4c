//! ZSCAN key cursor [MATCH pattern] [COUNT n] — a part of the members with their scores, and where to go on.
//!
//! Scores are texts here, in RESP3 too. Options are read only where there is a sorted set to walk: Redis does so, and
//! answers nonsense about a missing key kindly.

use super::zset_of;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::command::cursor;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "zscan",
    arity: -3,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::SORTEDSET,
    since: "2.8.0",
    group: Group::SortedSet,
    summary: "Walks over the members of a sorted set and their scores, a few at each call.",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to \
                 return back to 0. N is the number of elements inside the collection.",
    syntax: "key cursor [MATCH pattern] [COUNT count]",
    run: Run::Read(zscan),
    ..Spec::DEFAULT
}];

fn zscan(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let cursor = cursor::read(args)?;
    let mut next = 0;
    let mut found: Vec<(Vec<u8>, f64)> = Vec::new();
    if let Some(zset) = zset_of(entry)? {
        let options = cursor::Options::read(args)?;
        next = zset.scan(cursor, options.count, |member, score| {
            if options.admits(member) {
                found.push((member.to_vec(), score));
            }
        });
    }
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    reply.array(2 * found.len());
    for (member, score) in &found {
        reply.bulk(member);
        reply.bulk(number::format_double(*score).as_bytes());
    }
    Ok(())
}
