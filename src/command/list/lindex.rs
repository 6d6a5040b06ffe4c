//! LINDEX key index — one element, counted from 0 at the front or from -1 at the end.

use super::{answer, from_front, list_of};
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "lindex",
    arity: 3,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::LIST,
    group: Group::List,
    summary: "Gives the element at an index of a list.",
    complexity: "O(N) where N is the number of chunks of the list, plus the elements of one chunk",
    syntax: "key index",
    run: Run::Read(lindex),
    ..Spec::DEFAULT
}];

fn lindex(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let Some(list) = list_of(entry)? else {
        reply.null();
        return Ok(());
    };
    let index = from_front(args.int()?, list.len());
    match index.and_then(|index| list.get(index)) {
        Some(element) => answer(element, reply),
        None => reply.null(),
    }
    Ok(())
}
