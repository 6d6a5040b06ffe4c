//! FLUSHALL and FLUSHDB [ASYNC | SYNC] — all keys gone, of every database or of the selected one.
//!
//! Everybody stands still only while the maps are unhooked. What they held is freed by a thread of its own, unless the
//! client asks for SYNC: then the memory is back before the reply.

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

/// Freeing this many entries takes no longer than starting a thread for it.
const FREED_IN_PLACE: usize = 256;

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
    let sync = args.accept("SYNC");
    if !sync {
        args.accept("ASYNC");
    }
    args.end()?;
    let mut garbage = Vec::new();
    let removed: usize = databases.map(|db| ctx.table.clear(db, &mut |entries| garbage.push(entries))).sum();
    ctx.tracking.flushed();
    if !sync && removed > FREED_IN_PLACE {
        // Where no thread can be had, the failing call drops the closure and so frees the entries here.
        let _ = std::thread::Builder::new().name("free".to_owned()).spawn(move || drop(garbage));
    }
    reply.ok();
    // Logged even when there was nothing to remove, as Redis does: it is the operator's word.
    Ok(Effect::Same)
}
