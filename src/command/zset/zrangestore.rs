//! ZRANGESTORE dst src min max — stores a stretch of a sorted set under another key, which loses what it held.
//!
//! What the arguments mean, see `window`. An empty stretch removes the other key.

use super::window::{Form, Window};
use super::{store, zset_of};
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Locked;
use crate::value::ZSet;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "zrangestore",
    arity: -5,
    keys: &[KeySpec::at(1, key::OW | key::UPDATE), KeySpec::at(2, key::RO | key::ACCESS)],
    flags: flag::WRITE | flag::DENYOOM,
    acl: acl::SORTEDSET,
    since: "6.2.0",
    group: Group::SortedSet,
    summary: "Stores a range of the members of a sorted set under another key.",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
                 stored into the destination key.",
    syntax: "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
    run: Run::Keys(zrangestore),
    ..Spec::DEFAULT
}];

fn zrangestore(
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let (target, source) = (args.word()?, args.word()?);
    let window = Window::read(args, Form { by: None, direction: None, takes_with_scores: false })?;
    let limits = args.zset_limits();
    let mut slot = locked.slot(args.db(), source);
    slot.mark_used();
    let mut result = ZSet::new();
    if let Some(zset) = zset_of(slot.entry())? {
        let span = window.span(zset);
        result = ZSet::with_capacity(span.len(), &limits);
        for (member, score) in zset.range(span) {
            result.insert(member.bytes(&mut itoa::Buffer::new()), score, &limits);
        }
    }
    Ok(store(result, &mut locked.slot(args.db(), target), "zrangestore", reply))
}
