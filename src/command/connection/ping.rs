//! PING [message] — PONG, or the message: is anybody there?

use crate::base::refusal::Refusal;
use crate::clients;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag};
use crate::resp::reply::{Proto, Reply};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "ping",
    arity: -1,
    flags: flag::FAST | flag::LISTENING | flag::BLIND,
    acl: acl::CONNECTION,
    since: "1.0.0",
    group: Group::Connection,
    summary: "Answers PONG, or the message it was given.",
    syntax: "[message]",
    run: Run::Host(ping),
    ..Spec::DEFAULT
}];

fn ping(
    args: &mut Args<'_>,
    _: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let message = args.next();
    if !args.is_done() {
        return Err(Refusal::Arity("ping".into()));
    }
    // A RESP2 client that listens to channels takes everything for a message, so the answer has the form of one.
    if session.proto == Proto::Resp2 && session.client.has_flag(clients::flag::PUBSUB) {
        reply.array(2);
        reply.bulk(b"pong");
        reply.bulk(message.unwrap_or_default());
        return Ok(Effect::None);
    }
    match message {
        Some(message) => reply.bulk(message),
        None => reply.simple("PONG"),
    }
    Ok(Effect::None)
}
