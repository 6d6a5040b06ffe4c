//! SUBSCRIBE channel …, PSUBSCRIBE pattern …, SSUBSCRIBE shardchannel … — from now on the connection is sent what is
//! published there. Each name is confirmed by a message of its own.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, KeySpec, Run, Session, Spec, flag, key, listen};
use crate::pubsub::{Kind, confirmation};
use crate::resp::reply::Reply;

/// What the commands that begin subscriptions, and those that end them, have in common.
pub(super) const LISTENING: Spec = Spec {
    arity: -2,
    flags: flag::PUBSUB
        | flag::NOSCRIPT
        | flag::LOADING
        | flag::STALE
        | flag::LISTENING
        | flag::ANSWERS_BY_PUSH,
    since: "2.0.0",
    group: Group::Pubsub,
    ..Spec::DEFAULT
};

pub(super) const SPECS: &[Spec] = &[
    Spec {
        name: "subscribe",
        summary: "Listens to channels.",
        complexity: "O(N) where N is the number of channels to subscribe to.",
        syntax: "channel [channel ...]",
        run: Run::Host(|args, ctx, session, reply| subscribe(Kind::Channel, args, ctx, session, reply)),
        ..LISTENING
    },
    Spec {
        name: "psubscribe",
        summary: "Listens to all channels that patterns fit.",
        complexity: "O(N) where N is the number of patterns the client is already subscribed to.",
        syntax: "pattern [pattern ...]",
        run: Run::Host(|args, ctx, session, reply| subscribe(Kind::Pattern, args, ctx, session, reply)),
        ..LISTENING
    },
    Spec {
        name: "ssubscribe",
        keys: &[KeySpec::all(1, 1, key::NOT_KEY)],
        since: "7.0.0",
        summary: "Listens to shard channels.",
        complexity: "O(N) where N is the number of shard channels to subscribe to.",
        syntax: "shardchannel [shardchannel ...]",
        run: Run::Host(|args, ctx, session, reply| subscribe(Kind::Shard, args, ctx, session, reply)),
        ..LISTENING
    },
];

fn subscribe(
    kind: Kind,
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let verb = match kind {
        Kind::Channel => "subscribe",
        Kind::Pattern => "psubscribe",
        Kind::Shard => "ssubscribe",
    };
    for name in args.rest() {
        let count = listen::subscribe(ctx, session, kind, name);
        confirmation(verb, Some(name), count, reply);
    }
    Ok(Effect::None)
}
