//! FLUSHALL and FLUSHDB [ASYNC | SYNC] — all keys gone, of every database or of the selected one.
//!
//! Everybody stands still only while the maps are unhooked. What they held is freed afterwards by the freer's thread, with
//! SYNC as well: nobody can tell from the data, and the memory that is still to be freed is shown by INFO. So
//! `lazyfree-lazy-user-flush` makes no difference.

use std::ops::Range;

use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[
    FLUSHALL,
    Spec {
        name: "flushdb",
        summary: "Removes all keys of the selected database.",
        complexity: "O(N) where N is the number of keys in the selected database",
        run: Run::Host(flush_db),
        ..FLUSHALL
    },
];

const FLUSHALL: Spec = Spec {
    name: "flushall",
    arity: -1,
    flags: flag::WRITE | flag::EVERYTHING,
    acl: acl::KEYSPACE | acl::DANGEROUS,
    group: Group::Server,
    summary: "Removes all keys of all databases.",
    complexity: "O(N) where N is the total number of keys in all databases",
    syntax: "[ASYNC | SYNC]",
    run: Run::Host(flush_all),
    ..Spec::DEFAULT
};

fn flush_all(
    args: &mut Args<'_>,
    ctx: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    flush(args, ctx, 0..ctx.table.databases(), reply)
}

fn flush_db(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    flush(args, ctx, session.db..session.db + 1, reply)
}

fn flush(
    args: &mut Args<'_>,
    ctx: &Context,
    databases: Range<usize>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    if !args.accept("SYNC") {
        args.accept("ASYNC");
    }
    args.end()?;
    databases.for_each(|db| ctx.table.clear(db));
    ctx.tracking.flushed();
    reply.ok();
    // Logged even when there was nothing to remove, as Redis does: it is the operator's word.
    Ok(Effect::Same)
}
