//! SRANDMEMBER key [count] — members picked by chance, which stay. A negative count may pick one more than once.

use super::{answer, set_of};
use crate::base::limits;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "srandmember",
    arity: -2,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::SET,
    since: "1.0.0",
    group: Group::Set,
    summary: "Returns members of a set, picked by chance.",
    complexity: "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
    syntax: "key [count]",
    run: Run::Read(srandmember),
    ..Spec::DEFAULT
}];

/// The longest answer to a negative count, in bytes. Such a count asks for any multiple of what is there, so that one
/// short request could fill all memory; with the longest string that may be returned, it cannot.
const REPLY_BYTES_MAX: usize = limits::STRING_BYTES_MAX;

fn srandmember(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    if args.left() > 1 {
        return Err(Refusal::Syntax);
    }
    let mut random = args.random();
    if args.is_done() {
        match set_of(entry)?.and_then(|set| set.random(&mut random)) {
            Some(member) => answer(member, reply),
            None => reply.null(),
        }
        return Ok(());
    }
    let count = args.int_within(
        -i64::MAX..=i64::MAX,
        "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
    )?;
    let set = set_of(entry)?;
    let Some(set) = set else {
        reply.array(0);
        return Ok(());
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count >= 0 {
        let members = set.sample(wanted, &mut random);
        reply.array(members.len());
        members.into_iter().for_each(|member| answer(member, reply));
        return Ok(());
    }
    let before = reply.len();
    reply.array(wanted);
    for member in (0..wanted).map_while(|_| set.random(&mut random)) {
        answer(member, reply);
        if reply.len() - before > REPLY_BYTES_MAX {
            return Err(Refusal::line("ERR value is out of range, the reply would be too long"));
        }
    }
    Ok(())
}
