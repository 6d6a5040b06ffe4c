//! PUBSUB — who listens to what: CHANNELS, NUMPAT, NUMSUB, SHARDCHANNELS, SHARDNUMSUB.

use crate::base::refusal::Refusal;
use crate::command::help;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, flag};
use crate::pubsub::Kind;
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "pubsub",
    arity: -2,
    since: "2.8.0",
    group: Group::Pubsub,
    summary: "Holds the commands about subscriptions.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec {
            name: "channels",
            arity: -2,
            summary: "Lists the channels that somebody listens to.",
            complexity: "O(N) where N is the number of active channels, and assuming constant time pattern matching \
                         (relatively short channels and patterns)",
            syntax: "[pattern]",
            run: Run::Host(|args, ctx, _, reply| channels(Kind::Channel, args, ctx, reply)),
            ..SUBCOMMAND
        },
        Spec {
            name: "numpat",
            summary: "Counts the patterns that somebody listens to.",
            run: Run::Host(numpat),
            ..SUBCOMMAND
        },
        Spec {
            name: "numsub",
            arity: -2,
            summary: "Counts who listens to channels.",
            complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
            syntax: "[channel [channel ...]]",
            run: Run::Host(|args, ctx, _, reply| numsub(Kind::Channel, args, ctx, reply)),
            ..SUBCOMMAND
        },
        Spec {
            name: "shardchannels",
            arity: -2,
            since: "7.0.0",
            summary: "Lists the shard channels that somebody listens to.",
            complexity: "O(N) where N is the number of active shard channels, and assuming constant time pattern \
                         matching (relatively short shard channels).",
            syntax: "[pattern]",
            run: Run::Host(|args, ctx, _, reply| channels(Kind::Shard, args, ctx, reply)),
            ..SUBCOMMAND
        },
        Spec {
            name: "shardnumsub",
            arity: -2,
            since: "7.0.0",
            summary: "Counts who listens to shard channels.",
            complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
            syntax: "[shardchannel [shardchannel ...]]",
            run: Run::Host(|args, ctx, _, reply| numsub(Kind::Shard, args, ctx, reply)),
            ..SUBCOMMAND
        },
        Spec { since: "6.2.0", group: Group::Pubsub, run: Run::Host(helped), ..help::HELP },
    ],
    run: Run::Container,
    ..Spec::DEFAULT
}];

/// What the subcommands have in common.
const SUBCOMMAND: Spec = Spec {
    arity: 2,
    flags: flag::PUBSUB | flag::LOADING | flag::STALE,
    since: "2.8.0",
    group: Group::Pubsub,
    ..Spec::DEFAULT
};

const HELP_LINES: &[&str] = &[
    "CHANNELS [<pattern>]",
    "    The channels that somebody listens to and that <pattern> fits (default: all).",
    "NUMPAT",
    "    How many patterns somebody listens to.",
    "NUMSUB [<channel> ...]",
    "    How many listen to each of these channels, not counting those who do by a pattern.",
    "SHARDCHANNELS [<pattern>]",
    "    The shard channels that somebody listens to and that <pattern> fits (default: all).",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    How many listen to each of these shard channels.",
];

fn channels(
    kind: Kind,
    args: &mut Args<'_>,
    ctx: &Context,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let pattern = args.next();
    if !args.is_done() {
        let name = String::from_utf8_lossy(args.request().get(1).unwrap_or_default()).into_owned();
        return Err(Refusal::err(format!(
            "unknown subcommand or wrong number of arguments for '{name}'. Try PUBSUB HELP."
        )));
    }
    let names = ctx.pubsub.names(kind, pattern);
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name));
    Ok(Effect::None)
}

fn numpat(
    _: &mut Args<'_>,
    ctx: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    reply.int(ctx.pubsub.count(Kind::Pattern) as i64);
    Ok(Effect::None)
}

fn numsub(kind: Kind, args: &mut Args<'_>, ctx: &Context, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    reply.array(2 * args.left());
    for name in args.rest() {
        reply.bulk(name);
        reply.int(ctx.pubsub.listeners(kind, name) as i64);
    }
    Ok(Effect::None)
}

fn helped(_: &mut Args<'_>, _: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    help::write("PUBSUB", HELP_LINES, reply);
    Ok(Effect::None)
}
