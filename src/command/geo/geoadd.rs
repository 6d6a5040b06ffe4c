//! GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...] — gives members their places.
//!
//! It is a ZADD whose scores are places.

use super::{READS, point};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::command::zset::zadd::{Rule, add};
use crate::exec::{Args, Effect, KeySpec, Run, Spec, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "geoadd",
    arity: -5,
    keys: &[KeySpec::first(key::RW | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM,
    since: "3.2.0",
    summary: "Adds members to a set of places, or gives those it has new ones.",
    complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
    syntax: "key [NX | XX] [CH] longitude:double latitude:double member [longitude:double latitude:double member ...]",
    event: Some(event::zset("zadd")),
    run: Run::Write(geoadd),
    ..READS
}];

fn geoadd(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let (mut only_new, mut only_existing, mut change_is_counted) = (false, false, false);
    loop {
        let option = match () {
            () if args.accept("NX") => &mut only_new,
            () if args.accept("XX") => &mut only_existing,
            () if args.accept("CH") => &mut change_is_counted,
            () => break,
        };
        *option = true;
    }
    if args.is_done() || !args.left().is_multiple_of(3) || (only_new && only_existing) {
        return Err(Refusal::Syntax);
    }
    let mut pairs = Vec::with_capacity(args.left() / 3);
    while !args.is_done() {
        pairs.push((point(args)?.score(), args.word()?));
    }
    let rule = Rule::of(only_new, only_existing);
    add(&rule, &pairs, change_is_counted, &args.zset_limits(), slot, reply)
}
