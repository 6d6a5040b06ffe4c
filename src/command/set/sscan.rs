//! SSCAN key cursor [MATCH pattern] [COUNT n] — a part of the members and where to go on.
//!
//! Options are read only where there is a set to walk: Redis does so, and answers nonsense about a missing key kindly.

use super::set_of;
use crate::base::refusal::Refusal;
use crate::command::cursor;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "sscan",
    arity: -3,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::SET,
    since: "2.8.0",
    group: Group::Set,
    summary: "Walks over the members of a set, a few at each call.",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to \
                 return back to 0. N is the number of elements inside the collection.",
    syntax: "key cursor [MATCH pattern] [COUNT count]",
    run: Run::Read(sscan),
    ..Spec::DEFAULT
}];

fn sscan(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let cursor = cursor::read(args)?;
    let mut next = 0;
    let mut members = Vec::new();
    if let Some(set) = set_of(entry)? {
        let options = cursor::Options::read(args)?;
        next = set.scan(cursor, options.count, |member| {
            if options.admits(member.bytes(&mut itoa::Buffer::new())) {
                members.push(member);
            }
        });
    }
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    reply.array(members.len());
    members.into_iter().for_each(|member| super::answer(member, reply));
    Ok(())
}
