//! PUBLISH channel message, SPUBLISH shardchannel message — hands a message to all who listen; to how many, is the reply.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, KeySpec, Run, Session, Spec, flag, key, listen};
use crate::pubsub::Kind;
use crate::resp::reply::Reply;

const FLAGS: u32 = flag::PUBSUB | flag::LOADING | flag::STALE | flag::FAST | flag::MAY_REPLICATE;

pub(super) const SPECS: &[Spec] = &[
    Spec {
        name: "publish",
        arity: 3,
        flags: FLAGS,
        since: "2.0.0",
        group: Group::Pubsub,
        summary: "Sends a message to all who listen to a channel.",
        complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total \
                     number of subscribed patterns (by any client).",
        syntax: "channel message",
        run: Run::Host(|args, ctx, session, reply| publish(Kind::Channel, args, ctx, session, reply)),
        ..Spec::DEFAULT
    },
    Spec {
        name: "spublish",
        arity: 3,
        keys: &[KeySpec::first(key::NOT_KEY)],
        flags: FLAGS,
        since: "7.0.0",
        group: Group::Pubsub,
        summary: "Sends a message to all who listen to a shard channel.",
        complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
        syntax: "shardchannel message",
        run: Run::Host(|args, ctx, session, reply| publish(Kind::Shard, args, ctx, session, reply)),
        ..Spec::DEFAULT
    },
];

fn publish(
    kind: Kind,
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let (channel, message) = (args.word()?, args.word()?);
    // A transaction's message waits for its record: it may tell of what the transaction did.
    let told = match session.in_exec {
        true => session.outgoing.publish(ctx, kind, channel, message),
        false => listen::publish(ctx, args.settings(), args.now(), kind, channel, message),
    };
    reply.int(told as i64);
    Ok(if ctx.log.is_followed() { Effect::PassOn } else { Effect::None })
}
