//! LRANGE key start stop — the elements from index start to stop, both included; negative ones count from the end.

use super::{answer, list_of, span};
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "lrange",
    arity: 4,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::LIST,
    group: Group::List,
    summary: "Gives the elements between two indexes of a list.",
    complexity: "O(S+N) where S is the number of chunks before the range and N is the number of elements in it",
    syntax: "key start stop",
    run: Run::Read(lrange),
    // The usual words for all of it.
    whole: Some(|request| request.arg(2) == b"0" && request.arg(3) == b"-1"),
    ..Spec::DEFAULT
}];

fn lrange(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let (start, stop) = (args.int()?, args.int()?);
    let Some(list) = list_of(entry)? else {
        reply.array(0);
        return Ok(());
    };
    let (first, count) = span(start, stop, list.len());
    reply.array(count);
    list.range(first, count).for_each(|element| answer(element, reply));
    Ok(())
}
