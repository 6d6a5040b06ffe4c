//! CONFIG — the settings of the running server: GET, SET, REWRITE, RESETSTAT.
//!
//! What a change brings about beyond the settings themselves (another port to listen on, another pace of the log) is
//! carried out by those concerned: they are told which names changed.

use crate::base::refusal::Refusal;
use crate::clients;
use crate::command::help;
use crate::config::{Changed, Origin};
use crate::exec::mailbox::Order;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, Until, Wait, Woken, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "config",
    arity: -2,
    since: "2.0.0",
    group: Group::Server,
    summary: "Holds the commands about settings.",
    complexity: "Depends on subcommand.",
    run: Run::Container,
    subcommands: &[
        Spec {
            name: "get",
            arity: -3,
            since: "2.0.0",
            summary: "Returns the settings whose names match any of the patterns.",
            complexity: "O(N) when N is the number of configuration parameters provided",
            syntax: "parameter [parameter ...]",
            run: Run::Host(get),
            ..SUBCOMMAND
        },
        Spec {
            name: "help",
            summary: "Lists the subcommands with a word on each.",
            run: Run::Host(help),
            ..help::HELP
        },
        Spec {
            name: "resetstat",
            since: "2.0.0",
            summary: "Sets the counters that INFO shows back to zero.",
            run: Run::Host(resetstat),
            ..SUBCOMMAND
        },
        Spec {
            name: "rewrite",
            since: "2.8.0",
            summary: "Writes the present settings into the configuration file.",
            run: Run::Host(rewrite),
            ..SUBCOMMAND
        },
        Spec {
            name: "set",
            arity: -4,
            since: "2.0.0",
            summary: "Changes settings, all or none of those given.",
            complexity: "O(N) when N is the number of configuration parameters provided",
            syntax: "parameter value [parameter value ...]",
            run: Run::Host(set),
            ..SUBCOMMAND
        },
    ],
    ..Spec::DEFAULT
}];

const SUBCOMMAND: Spec = Spec {
    arity: 2,
    flags: flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE,
    group: Group::Server,
    ..Spec::DEFAULT
};

type Done = Result<Effect, Refusal>;

fn get(args: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    let patterns: Vec<Vec<u8>> = args.rest().map(<[u8]>::to_vec).collect();
    let found = ctx.settings.get(&patterns);
    reply.map(found.len());
    for (name, value) in found {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    Ok(Effect::None)
}

fn set(args: &mut Args<'_>, ctx: &Context, session: &mut Session, reply: &mut Reply<'_>) -> Done {
    if !args.left().is_multiple_of(2) {
        return Err(Refusal::Syntax);
    }
    let mut pairs = Vec::new();
    while let (Some(name), Some(value)) = (args.next(), args.next()) {
        pairs.push((name.to_vec(), value.to_vec()));
    }
    let apply = |changed: &Changed| ctx.apply_settings.get().map_or(Ok(()), |apply| apply(changed));
    ctx.settings.set_with(&pairs, origin(session), apply).map_err(|error| Refusal::err(error.to_string()))?;
    reply.ok();
    Ok(Effect::None)
}

/// Whether the client is on this machine.
fn origin(session: &Session) -> Origin {
    let client = &session.client;
    let address = client.address.parse::<std::net::SocketAddr>();
    let is_local = client.has_flag(clients::flag::UNIX)
        || address.is_ok_and(|address| address.ip().to_canonical().is_loopback());
    if is_local { Origin::Local } else { Origin::Remote }
}

fn rewrite(_: &mut Args<'_>, ctx: &Context, session: &mut Session, _: &mut Reply<'_>) -> Done {
    if ctx.identity.config_file.is_empty() {
        return Err(Refusal::line("ERR The server is running without a config file"));
    }
    // The reply tells how the writing went, and nothing may wait while a transaction holds its locks.
    if session.in_exec {
        return Err(Refusal::line("ERR CONFIG REWRITE is not possible inside a transaction"));
    }
    let (done, written) = tokio::sync::oneshot::channel();
    ctx.mailbox.post(Order::RewriteSettings { done });
    Ok(Wait::effect(Until::Job(written), None, rewritten))
}

fn rewritten(_: &Context, _: &mut Session, woken: Woken, reply: &mut Reply<'_>) {
    match woken {
        Woken::Done => reply.ok(),
        Woken::Failed(reason) => reply.error(Refusal::err(reason).text().as_bytes()),
        Woken::TimedOut => reply.error("ERR Rewriting config file: no answer"),
    }
}

fn resetstat(_: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    ctx.stats.reset();
    ctx.replicas.syncs.reset();
    ctx.freer.forget();
    ctx.evictor.reset();
    reply.ok();
    Ok(Effect::None)
}

fn help(_: &mut Args<'_>, _: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    help::write(
        "CONFIG",
        &[
            "GET <pattern> [<pattern> ...]",
            "    Show the settings whose names match a glob-like <pattern>.",
            "SET <directive> <value> [<directive> <value> ...]",
            "    Change settings, all of them or none.",
            "RESETSTAT",
            "    Set the counters that INFO shows back to zero.",
            "REWRITE",
            "    Write the settings into the configuration file.",
        ],
        reply,
    );
    Ok(Effect::None)
}
