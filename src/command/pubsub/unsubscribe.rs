//! UNSUBSCRIBE [channel …], PUNSUBSCRIBE [pattern …], SUNSUBSCRIBE [shardchannel …] — ends subscriptions: those named, or
//! all of the kind. Each is confirmed by a message of its own, and where there is none at all, that is said in one.

use super::subscribe::LISTENING;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, KeySpec, Run, Session, Spec, key, listen};
use crate::pubsub::{Kind, confirmation};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[
    Spec {
        name: "unsubscribe",
        arity: -1,
        summary: "Ends subscriptions to channels.",
        complexity: "O(N) where N is the number of clients already subscribed to a channel.",
        syntax: "[channel [channel ...]]",
        run: Run::Host(|args, ctx, session, reply| unsubscribe(Kind::Channel, args, ctx, session, reply)),
        ..LISTENING
    },
    Spec {
        name: "punsubscribe",
        arity: -1,
        summary: "Ends subscriptions to patterns.",
        complexity: "O(N+M) where N is the number of patterns the client is already subscribed and M is the number of \
                     total patterns subscribed in the system (by any client).",
        syntax: "[pattern [pattern ...]]",
        run: Run::Host(|args, ctx, session, reply| unsubscribe(Kind::Pattern, args, ctx, session, reply)),
        ..LISTENING
    },
    Spec {
        name: "sunsubscribe",
        arity: -1,
        keys: &[KeySpec::all(1, 1, key::NOT_KEY)],
        since: "7.0.0",
        summary: "Ends subscriptions to shard channels.",
        complexity: "O(N) where N is the number of clients already subscribed to a shard channel.",
        syntax: "[shardchannel [shardchannel ...]]",
        run: Run::Host(|args, ctx, session, reply| unsubscribe(Kind::Shard, args, ctx, session, reply)),
        ..LISTENING
    },
];

fn unsubscribe(
    kind: Kind,
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let verb = match kind {
        Kind::Channel => "unsubscribe",
        Kind::Pattern => "punsubscribe",
        Kind::Shard => "sunsubscribe",
    };
    if !args.is_done() {
        for name in args.rest() {
            let count = listen::unsubscribe(ctx, session, kind, name);
            confirmation(verb, Some(name), count, reply);
        }
        return Ok(Effect::None);
    }
    let names = listen::names(session, kind);
    if names.is_empty() {
        confirmation(verb, None, listen::count(session, kind), reply);
    }
    for name in names {
        let count = listen::unsubscribe(ctx, session, kind, &name);
        confirmation(verb, Some(&name), count, reply);
    }
    Ok(Effect::None)
}
