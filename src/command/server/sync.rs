//! SYNC, PSYNC replicationid offset — makes the connection a replica's: a snapshot, then everything that changes.
//!
//! ```text
//! SYNC                 $<len> <snapshot> <stream>
//! PSYNC ? -1           +FULLRESYNC <id> <offset>  $<len> <snapshot> <stream>
//! PSYNC <id> <offset>  +CONTINUE [<id>]  <stream from that offset on>, or the same as for PSYNC ? -1
//! ```
//!
//! The snapshot always goes through a file of its own, whatever `repl-diskless-sync` says: so the table's cut is over when
//! the disk has it, and a replica that reads slowly keeps nothing but that file. Empty lines before it only say that there
//! is somebody. What the stream is: see [`crate::exec::replicas`].

use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::mpsc;

use crate::base::refusal::Refusal;
use crate::clients::flag as bit;
use crate::exec::mailbox::Order;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, Until, Wait, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[SYNC, PSYNC];

const SYNC: Spec = Spec {
    name: "sync",
    arity: 1,
    flags: flag::ADMIN | flag::NOSCRIPT | flag::NO_ASYNC_LOADING | flag::NO_MULTI,
    since: "1.0.0",
    group: Group::Server,
    summary: "Makes the connection a replica's, from the beginning.",
    // Redis states none for what only replicas send.
    complexity: "",
    run: Run::Host(sync),
    ..Spec::DEFAULT
};

const PSYNC: Spec = Spec {
    name: "psync",
    arity: -3,
    since: "2.8.0",
    summary: "Makes the connection a replica's, from where it was.",
    syntax: "replicationid offset",
    run: Run::Host(psync),
    ..SYNC
};

/// Parts of a snapshot that may wait for the connection.
const PIECES_MAX: usize = 4;

fn sync(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    _: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    begin(args, ctx, session, false)
}

fn psync(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    _: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let (id, offset) = (args.word()?, args.int()?);
    let may_begin = !session.client.has_flag(bit::REPLICA) && !is_told(session);
    let from = u64::try_from(offset).ok().filter(|_| may_begin);
    if let Some(from) = from
        && ctx.replicas.resume(session, id, from, args.now())
    {
        tracing::info!(replica = session.client.address, from, "a replica goes on where it was");
        return Ok(Effect::None);
    }
    // With `?` it asks for everything by itself.
    if may_begin && !id.starts_with(b"?") {
        ctx.replicas.syncs.refused.fetch_add(1, Relaxed);
    }
    begin(args, ctx, session, true)
}

/// A connection that is told something else has no place for the stream.
fn is_told(session: &Session) -> bool {
    session.subscriptions.is_some() || session.tracking.is_some() || session.monitor
}

fn begin(args: &Args<'_>, ctx: &Context, session: &mut Session, is_named: bool) -> Result<Effect, Refusal> {
    let client = session.client.clone();
    if client.has_flag(bit::REPLICA) {
        // It is one already; Redis says nothing, too.
        return Ok(Effect::None);
    }
    if is_told(session) {
        return Err(Refusal::err("SYNC and PSYNC are invalid with pending output"));
    }
    tracing::info!(replica = client.address, "a replica asks for everything");
    ctx.replicas.join(session, !is_named, args.now());
    let (sender, pieces) = mpsc::channel(PIECES_MAX);
    ctx.mailbox.post(Order::Snapshot { client, is_named, pieces: sender });
    let until = Until::Snapshot(pieces);
    Ok(Wait::effect(until, None, |_, _, _, _| {}))
}
