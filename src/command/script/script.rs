//! SCRIPT — the scripts that the server knows: LOAD, EXISTS, FLUSH, KILL, DEBUG.

use crate::base::refusal::Refusal;
use crate::command::help;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag};
use crate::resp::reply::Reply;
use crate::script::{self, NotEnded};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "script",
    arity: -2,
    since: "2.6.0",
    group: Group::Scripting,
    summary: "Holds the commands about scripts.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec {
            name: "debug",
            arity: 3,
            flags: flag::NOSCRIPT,
            since: "3.2.0",
            summary: "Sets the debug mode of scripts: there is no debugger, so only NO is taken.",
            syntax: "<YES | SYNC | NO>",
            run: Run::Host(debug),
            ..SUBCOMMAND
        },
        Spec {
            name: "exists",
            arity: -3,
            flags: flag::NOSCRIPT,
            summary: "Tells which scripts are known, by their SHA-1.",
            complexity: "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
            syntax: "sha1 [sha1 ...]",
            run: Run::Host(exists),
            ..SUBCOMMAND
        },
        Spec {
            name: "flush",
            arity: -2,
            flags: flag::NOSCRIPT,
            summary: "Forgets all scripts.",
            complexity: "O(N) with N being the number of scripts in cache",
            syntax: "[ASYNC | SYNC]",
            run: Run::Host(flush),
            ..SUBCOMMAND
        },
        Spec {
            name: "kill",
            flags: flag::NOSCRIPT | flag::ALLOW_BUSY,
            summary: "Ends the script that is running, if it has not written.",
            run: Run::Host(kill),
            ..SUBCOMMAND
        },
        Spec {
            name: "load",
            arity: 3,
            flags: flag::NOSCRIPT | flag::STALE,
            summary: "Makes a script known, to be run by its SHA-1.",
            complexity: "O(N) with N being the length in bytes of the script body.",
            syntax: "script",
            run: Run::Host(load),
            ..SUBCOMMAND
        },
        Spec { acl: acl::SCRIPTING, group: Group::Scripting, run: Run::Host(helped), ..help::HELP },
    ],
    run: Run::Container,
    ..Spec::DEFAULT
}];

/// What the subcommands have in common.
const SUBCOMMAND: Spec =
    Spec { arity: 2, acl: acl::SCRIPTING, since: "2.6.0", group: Group::Scripting, ..Spec::DEFAULT };

const HELP_LINES: &[&str] = &[
    "DEBUG (YES|SYNC|NO)",
    "    There is no debugger: only NO is taken.",
    "EXISTS <sha1> [<sha1> ...]",
    "    Which of these scripts are known.",
    "FLUSH [ASYNC|SYNC]",
    "    Forget all scripts.",
    "KILL",
    "    End the script that is running, if it has not written.",
    "LOAD <script>",
    "    Make a script known without running it.",
];

fn debug(
    args: &mut Args<'_>,
    _: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    if args.accept("NO") {
        reply.ok();
        return Ok(Effect::None);
    }
    if args.accept("YES") || args.accept("SYNC") {
        return Err(Refusal::line("ERR There is no debugger for scripts"));
    }
    Err(Refusal::line("ERR Use SCRIPT DEBUG YES/SYNC/NO"))
}

fn exists(
    args: &mut Args<'_>,
    ctx: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    reply.array(args.left());
    for word in args.rest() {
        let known = script::parse_name(word).is_some_and(|name| ctx.scripts.flags(&name).is_some());
        reply.int(i64::from(known));
    }
    Ok(Effect::None)
}

fn flush(
    args: &mut Args<'_>,
    ctx: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    if !args.is_done() && !args.accept("ASYNC") && !args.accept("SYNC") || !args.is_done() {
        return Err(Refusal::line("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    ctx.scripts.flush();
    reply.ok();
    Ok(Effect::None)
}

fn kill(_: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    match ctx.scripts.kill() {
        Ok(()) => reply.ok(),
        Err(NotEnded::NotBusy) => return Err(Refusal::line("NOTBUSY No scripts in execution right now.")),
        Err(NotEnded::HasWritten) => return Err(UNKILLABLE),
    }
    Ok(Effect::None)
}

const UNKILLABLE: Refusal = Refusal::line(
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script \
     termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
);

fn load(
    args: &mut Args<'_>,
    ctx: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let name = ctx.scripts.load(args.word()?)?;
    reply.bulk(&name);
    Ok(Effect::None)
}

fn helped(_: &mut Args<'_>, _: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    help::write("SCRIPT", HELP_LINES, reply);
    Ok(Effect::None)
}
