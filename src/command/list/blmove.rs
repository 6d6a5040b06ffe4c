//! BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout — what LMOVE does, and waits for an element if the source has
//! none; BRPOPLPUSH source destination timeout is BLMOVE … RIGHT LEFT.
//!
//! What the destination holds is looked at when there is something to move, not before. When the time is up the answer
//! is the null array, inside a transaction the null that LMOVE gives: that is how Redis tells them.

use super::lmove::{LMOVE, Route};
use crate::base::refusal::Refusal;
use crate::exec::wait::{self, Keys, Serve};
use crate::exec::{Args, Context, Effect, Run, Session, Spec, Woken, flag};
use crate::resp::reply::Reply;
use crate::table::Locked;
use crate::value::Kind;

pub(super) const SPECS: &[Spec] = &[
    BLMOVE,
    Spec {
        name: "brpoplpush",
        arity: 4,
        since: "2.2.0",
        summary: "Takes the last element of a list and adds it at the front of another, waiting for one if need be.",
        syntax: "source destination timeout:double",
        replaced_by: Some("`BLMOVE` with the `RIGHT` and `LEFT` arguments"),
        run: Run::Keys(brpoplpush),
        ..BLMOVE
    },
];

const BLMOVE: Spec = Spec {
    name: "blmove",
    arity: 6,
    flags: flag::NOSCRIPT | flag::BLOCKING | LMOVE.flags,
    summary: "Takes an element from a list and adds it to another, waiting for one if need be.",
    syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout:double",
    run: Run::Keys(blmove),
    ..LMOVE
};

fn blmove(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let route = Route::parse(args)?;
    let serve: Serve = |args, _, locked, reply| carry(&Route::parse(args)?, args, locked, reply);
    move_or_wait(&route, serve, args, locked, reply)
}

fn brpoplpush(
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let route = Route::right_to_left(args)?;
    let serve: Serve = |args, _, locked, reply| carry(&Route::right_to_left(args)?, args, locked, reply);
    move_or_wait(&route, serve, args, locked, reply)
}

/// `serve` does the command for a client that sleeps, from its arguments anew.
fn move_or_wait(
    route: &Route<'_>,
    serve: Serve,
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let deadline = wait::deadline(args.word()?, args.now())?;
    if let Some(effect) = carry(route, args, locked, reply)? {
        return Ok(effect);
    }
    let keys = Keys {
        keys: vec![route.source.to_vec()],
        also: Some(route.target.to_vec()),
        ..Keys::new(Kind::List, serve)
    };
    Ok(wait::for_keys(keys, deadline, nothing))
}

/// Moves an element and answers with it; none, and no answer, when the source has none.
fn carry(
    route: &Route<'_>,
    args: &Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Option<Effect>, Refusal> {
    let moved = route.carry(args, locked, reply)?;
    let words = [b"LMOVE", route.source, route.target, route.from.name(), route.to.name()];
    Ok(moved.then(|| Effect::instead(words)))
}

/// Answers a client for whom nothing came.
fn nothing(_: &Context, session: &mut Session, _: Woken, reply: &mut Reply<'_>) {
    match session.in_exec {
        true => reply.null(),
        false => reply.null_array(),
    }
}
