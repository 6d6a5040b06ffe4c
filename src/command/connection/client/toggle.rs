//! CLIENT NO-EVICT, CLIENT NO-TOUCH, CLIENT REPLY — switches of the connection itself.

use super::SUBCOMMAND;
use crate::base::refusal::Refusal;
use crate::clients::flag as bit;
use crate::exec::session::Replies;
use crate::exec::{Args, Context, Effect, Run, Session, Spec, flag};
use crate::resp::reply::Reply;

pub(super) const NO_EVICT: Spec = Spec {
    name: "no-evict",
    arity: 3,
    flags: flag::ADMIN | SUBCOMMAND.flags,
    since: "7.0.0",
    summary: "Protects the connection from being ended for lack of memory.",
    syntax: "<ON | OFF>",
    run: Run::Host(no_evict),
    ..SUBCOMMAND
};

pub(super) const NO_TOUCH: Spec = Spec {
    name: "no-touch",
    arity: 3,
    since: "7.2.0",
    summary: "Chooses whether the connection's commands count as use of keys.",
    syntax: "<ON | OFF>",
    run: Run::Host(no_touch),
    ..SUBCOMMAND
};

pub(super) const REPLY: Spec = Spec {
    name: "reply",
    arity: 3,
    since: "3.2.0",
    summary: "Chooses whether the connection gets replies.",
    syntax: "<ON | OFF | SKIP>",
    run: Run::Host(reply_mode),
    ..SUBCOMMAND
};

fn no_evict(
    args: &mut Args<'_>,
    _: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    session.client.set_flag(bit::NO_EVICT, on_or_off(args)?);
    reply.ok();
    Ok(Effect::None)
}

fn no_touch(
    args: &mut Args<'_>,
    _: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    session.no_touch = on_or_off(args)?;
    session.client.set_flag(bit::NO_TOUCH, session.no_touch);
    reply.ok();
    Ok(Effect::None)
}

fn on_or_off(args: &mut Args<'_>) -> Result<bool, Refusal> {
    match args.word()? {
        word if word.eq_ignore_ascii_case(b"on") => Ok(true),
        word if word.eq_ignore_ascii_case(b"off") => Ok(false),
        _ => Err(Refusal::Syntax),
    }
}

fn reply_mode(
    args: &mut Args<'_>,
    _: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    if args.accept("on") {
        session.replies = Replies::On;
        reply.ok();
    } else if args.accept("off") {
        session.replies = Replies::Off;
    } else if args.accept("skip") {
        // Where nothing is sent there is nothing to skip.
        if session.replies != Replies::Off {
            session.replies = Replies::Skip;
        }
    } else {
        return Err(Refusal::Syntax);
    }
    Ok(Effect::None)
}
