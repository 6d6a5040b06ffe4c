//! CLIENT TRACKING, CLIENT CACHING, CLIENT GETREDIR, CLIENT TRACKINGINFO — client-side caching: what a client wants to be
//! told of, and how.
//!
//! One difference from Redis 7.0: of prefixes that overlap each other in the same command, the second pair found is
//! answered there with the error and with OK behind it. Here an error is the whole answer.

use super::SUBCOMMAND;
use crate::base::refusal::Refusal;
use crate::exec::tracking::{self, Redirect, Tracked};
use crate::exec::{Args, Context, Effect, Run, Session, Spec};
use crate::resp::reply::Reply;

pub(super) const TRACKING: Spec = Spec {
    name: "tracking",
    arity: -3,
    since: "6.0.0",
    summary: "Chooses whether the client is told what it must forget of its cache.",
    complexity: "O(1). Some options may introduce additional complexity.",
    syntax: "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
    run: Run::Host(choose),
    ..SUBCOMMAND
};

pub(super) const CACHING: Spec = Spec {
    name: "caching",
    arity: 3,
    since: "6.0.0",
    summary: "Tells whether the client will cache what the next command reads.",
    syntax: "<YES | NO>",
    run: Run::Host(caching),
    ..SUBCOMMAND
};

pub(super) const GETREDIR: Spec = Spec {
    name: "getredir",
    since: "6.0.0",
    summary: "Returns the number of the client that is told in place of this one.",
    run: Run::Host(redirection),
    ..SUBCOMMAND
};

pub(super) const TRACKINGINFO: Spec = Spec {
    name: "trackinginfo",
    since: "6.2.0",
    summary: "Returns what the connection has chosen for its cache.",
    run: Run::Host(info),
    ..SUBCOMMAND
};

const OTHER_MODE: Refusal = Refusal::line(
    "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a \
     different mode.",
);
const OTHER_OPTION: Refusal = Refusal::line(
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a \
     different mode.",
);
const NOT_TRACKING: Refusal = Refusal::line(
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
);

fn choose(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let on = args.word()?;
    let mut options = Tracked::default();
    while !args.is_done() {
        if args.left() >= 2 && args.accept("redirect") {
            if options.redirect.is_some() {
                return Err(Refusal::err("A client can only redirect to a single other client"));
            }
            let id = args.int()?;
            let missing = || Refusal::err("The client ID you want redirect to does not exist");
            options.redirect = Some(Redirect::new(&ctx.clients, id).ok_or_else(missing)?);
        } else if args.left() >= 2 && args.accept("prefix") {
            options.prefixes.push(args.word()?.into());
        } else if args.accept("bcast") {
            options.broadcasts = true;
        } else if args.accept("optin") {
            options.opt_in = true;
        } else if args.accept("optout") {
            options.opt_out = true;
        } else if args.accept("noloop") {
            options.no_loop = true;
        } else {
            return Err(Refusal::Syntax);
        }
    }
    if on.eq_ignore_ascii_case(b"on") {
        check(&options, session.tracking.as_deref())?;
        if options.broadcasts && options.prefixes.is_empty() {
            options.prefixes.push(Box::default());
        }
        tracking::start(ctx, session, options, args.now(), args.settings());
    } else if on.eq_ignore_ascii_case(b"off") {
        tracking::stop(ctx, session);
    } else {
        return Err(Refusal::Syntax);
    }
    reply.ok();
    Ok(Effect::None)
}

/// Whether options go together, and with those that are in force.
fn check(options: &Tracked, before: Option<&Tracked>) -> Result<(), Refusal> {
    if !options.broadcasts && !options.prefixes.is_empty() {
        return Err(Refusal::err("PREFIX option requires BCAST mode to be enabled"));
    }
    if before.is_some_and(|before| before.broadcasts != options.broadcasts) {
        return Err(OTHER_MODE);
    }
    if options.broadcasts && (options.opt_in || options.opt_out) {
        return Err(Refusal::err("OPTIN and OPTOUT are not compatible with BCAST"));
    }
    if options.opt_in && options.opt_out {
        return Err(Refusal::err("You can't specify both OPTIN mode and OPTOUT mode"));
    }
    let crosses = |before: &Tracked| options.opt_in && before.opt_out || options.opt_out && before.opt_in;
    if before.is_some_and(crosses) {
        return Err(OTHER_OPTION);
    }
    let there = before.map_or(&[][..], |before| &before.prefixes);
    for (at, prefix) in options.prefixes.iter().enumerate() {
        if let Some(other) = there.iter().find(|other| overlap(prefix, other)) {
            return Err(overlapping(prefix, "an existing prefix", other));
        }
        if let Some(other) = options.prefixes[at + 1..].iter().find(|other| overlap(prefix, other)) {
            return Err(overlapping(prefix, "another provided prefix", other));
        }
    }
    Ok(())
}

fn overlap(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn overlapping(prefix: &[u8], with: &str, other: &[u8]) -> Refusal {
    let (prefix, other) = (String::from_utf8_lossy(prefix), String::from_utf8_lossy(other));
    Refusal::err(format!(
        "Prefix '{prefix}' overlaps with {with} '{other}'. Prefixes for a single client must not overlap."
    ))
}

fn caching(
    args: &mut Args<'_>,
    _: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let tracked = session.tracking.as_mut().ok_or(NOT_TRACKING)?;
    let (fits, refused) = if args.accept("yes") {
        (tracked.opt_in, "CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
    } else if args.accept("no") {
        (tracked.opt_out, "CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
    } else {
        return Err(Refusal::Syntax);
    };
    if !fits {
        return Err(Refusal::err(refused));
    }
    tracked.caching = true;
    reply.ok();
    Ok(Effect::None)
}

fn redirection(
    _: &mut Args<'_>,
    _: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    reply.int(redirect_of(session));
    Ok(Effect::None)
}

/// The number of the client that is told in place of this one: 0 when that is itself, -1 when nobody is.
fn redirect_of(session: &Session) -> i64 {
    let to = |tracked: &Tracked| tracked.redirect.as_ref().map_or(0, |redirect| redirect.id as i64);
    session.tracking.as_deref().map_or(-1, to)
}

fn info(
    _: &mut Args<'_>,
    _: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    reply.map(3);
    reply.bulk(b"flags");
    let mut flags = vec![if session.tracking.is_some() { "on" } else { "off" }];
    if let Some(tracked) = &session.tracking {
        let said = |is_set: bool, word| is_set.then_some(word);
        flags.extend(said(tracked.broadcasts, "bcast"));
        flags.extend(said(tracked.opt_in, "optin"));
        flags.extend(said(tracked.opt_in && tracked.caching, "caching-yes"));
        flags.extend(said(tracked.opt_out, "optout"));
        flags.extend(said(tracked.opt_out && tracked.caching, "caching-no"));
        flags.extend(said(tracked.no_loop, "noloop"));
        flags.extend(said(tracking::is_redirect_broken(session), "broken_redirect"));
    }
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"redirect");
    reply.int(redirect_of(session));
    reply.bulk(b"prefixes");
    let prefixes = session.tracking.as_deref().map_or(&[][..], |tracked| &tracked.prefixes);
    reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| reply.bulk(prefix));
    Ok(Effect::None)
}
