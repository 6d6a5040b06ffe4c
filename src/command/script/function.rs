//! FUNCTION FLUSH and LIST — forget all function libraries, list them. There are none: test suites and set-up scripts
//! that begin with a clean slate get it.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "function",
    arity: -2,
    acl: 0,
    since: "7.0.0",
    group: Group::Scripting,
    summary: "A container for function commands.",
    complexity: "Depends on subcommand.",
    subcommands: &[FLUSH, LIST],
    ..Spec::DEFAULT
}];

const FLUSH: Spec = Spec {
    name: "flush",
    arity: -2,
    flags: flag::NOSCRIPT | flag::WRITE,
    acl: acl::SCRIPTING,
    since: "7.0.0",
    group: Group::Scripting,
    summary: "Deletes all libraries and functions.",
    complexity: "O(N) where N is the number of functions deleted",
    syntax: "[ASYNC | SYNC]",
    run: Run::Host(flush),
    ..Spec::DEFAULT
};

const LIST: Spec = Spec {
    name: "list",
    arity: -2,
    flags: flag::NOSCRIPT,
    acl: acl::SCRIPTING,
    since: "7.0.0",
    group: Group::Scripting,
    summary: "Returns information about all libraries.",
    complexity: "O(N) where N is the number of functions",
    syntax: "[LIBRARYNAME library-name-pattern] [WITHCODE]",
    run: Run::Host(list),
    ..Spec::DEFAULT
};

fn flush(
    args: &mut Args<'_>,
    _: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    if !args.is_done() && !args.accept("ASYNC") && !args.accept("SYNC") || !args.is_done() {
        return Err(Refusal::err("FUNCTION FLUSH only supports SYNC|ASYNC option"));
    }
    reply.ok();
    Ok(Effect::None)
}

fn list(args: &mut Args<'_>, _: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    while let Some(option) = args.next() {
        if option.eq_ignore_ascii_case(b"LIBRARYNAME") {
            if args.next().is_none() {
                return Err(Refusal::err("library name argument was not given"));
            }
        } else if !option.eq_ignore_ascii_case(b"WITHCODE") {
            let option = String::from_utf8_lossy(option);
            return Err(Refusal::err(format!("Unknown argument {option}")));
        }
    }
    reply.array(0);
    Ok(Effect::None)
}
