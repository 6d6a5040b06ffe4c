//! LRANGE key start stop — the elements from index start to stop, both included; negative ones count from the end.

use super::{answer, list_of, span};
use crate::base::refusal::Refusal;
use crate::exec::rules::is_much;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::resp::request::Request;
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
    reads_much: Some(reads_much),
    ..Spec::DEFAULT
}];

fn reads_much(request: &Request<'_>, entry: &Entry) -> bool {
    let mut args = Args::looking(*request, 2);
    let (Ok(start), Ok(stop), Ok(list)) = (args.int(), args.int(), entry.value().list()) else {
        return false;
    };
    is_much(span(start, stop, list.len()).1, list.len())
}

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
