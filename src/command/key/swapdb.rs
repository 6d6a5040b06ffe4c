//! SWAPDB index1 index2 — two databases exchange their numbers, so that every client sees the other's keys at once.

use crate::base::clock::Millis;
use crate::base::refusal::Refusal;
use crate::command::key::database;
use crate::exec::commit::Journal;
use crate::exec::tell::Queue;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "swapdb",
    arity: 3,
    flags: flag::WRITE | flag::FAST | flag::EVERYTHING,
    acl: acl::KEYSPACE | acl::DANGEROUS,
    since: "4.0.0",
    group: Group::Server,
    summary: "Exchanges two databases.",
    complexity: "O(N) where N is the count of clients watching or blocking on keys from both databases.",
    syntax: "index1 index2",
    run: Run::Host(swap),
    ..Spec::DEFAULT
}];

fn swap(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let one = database::parse(args.word()?).map_err(|_| Refusal::err("invalid first DB index"))?;
    let other = database::parse(args.word()?).map_err(|_| Refusal::err("invalid second DB index"))?;
    let databases = ctx.table.databases();
    let (one, other) = (database::existing(one, databases)?, database::existing(other, databases)?);
    reply.ok();
    if one == other {
        // The table locks both sides of an exchange, which must be two.
        return Ok(Effect::None);
    }
    session.need.wrote(remove_lapsed(ctx, [one, other], args.now(), &mut session.outgoing));
    ctx.table.swap(one, other, args.now());
    // Any key may now hold something else. Redis leaves caches stale here.
    ctx.tracking.flushed();
    Ok(Effect::Same)
}

/// Removes what has outlived its time under watched names, on both sides: else EXEC would find the removal of a dead key
/// from the other side where its client watches, and take it for a change. Returns the number of the last record.
fn remove_lapsed(ctx: &Context, databases: [usize; 2], now: Millis, queue: &mut Queue) -> u64 {
    let mut journal = Journal::Log { log: &ctx.log, last: 0 };
    let watched: Vec<_> = databases.iter().flat_map(|db| ctx.table.watched_keys(*db)).collect();
    for key in &watched {
        for db in databases {
            ctx.table.write(ctx.table.address(db, key), key, now, |slot| {
                if let Some(lapsed) = slot.take_lapsed() {
                    journal.lapsed(db, key, &lapsed);
                    queue.tell(slot.take_told());
                }
            });
        }
    }
    journal.last()
}
