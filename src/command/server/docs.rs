//! COMMAND DOCS [name …] — documentation of commands, with the argument trees that redis-cli makes its hints of.

use crate::base::refusal::Refusal;
use crate::exec::registry::Command;
use crate::exec::{Args, Context, Effect, Session};
use crate::resp::reply::Reply;

use super::hints;
use super::syntax::{self, Argument};

pub(super) fn docs(
    args: &mut Args<'_>,
    ctx: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    // A name that is not known is left out, as in Redis.
    let commands: Vec<&Command> = match args.is_done() {
        true => ctx.registry.commands().iter().collect(),
        false => args.rest().filter_map(|name| ctx.registry.by_name(name)).collect(),
    };
    reply.map(commands.len());
    commands.iter().for_each(|command| document(command, reply));
    Ok(Effect::None)
}

/// A map's entry: the full name and what is known of the command.
fn document(command: &Command, reply: &mut Reply<'_>) {
    let spec = &command.spec;
    let first = if command.is_subcommand { 2 } else { 1 };
    let arguments = syntax::arguments(spec.syntax, spec.keys, first);
    let deprecated_since = spec.replaced_by.and_then(|_| hints::deprecated_since(&command.full_name));
    reply.bulk(command.full_name.as_bytes());
    let optional = [
        !spec.complexity.is_empty(),
        spec.replaced_by.is_some(),
        deprecated_since.is_some(),
        spec.replaced_by.is_some(),
        !arguments.is_empty(),
        !command.subcommands.is_empty(),
    ];
    reply.map(3 + optional.iter().filter(|there| **there).count());
    text("summary", spec.summary, reply);
    text("since", spec.since, reply);
    text("group", spec.group.name(), reply);
    if !spec.complexity.is_empty() {
        text("complexity", spec.complexity, reply);
    }
    if spec.replaced_by.is_some() {
        reply.bulk(b"doc_flags");
        reply.set(1);
        reply.simple("deprecated");
    }
    if let Some(version) = deprecated_since {
        text("deprecated_since", version, reply);
    }
    if let Some(replaced_by) = spec.replaced_by {
        text("replaced_by", replaced_by, reply);
    }
    if !arguments.is_empty() {
        reply.bulk(b"arguments");
        tree(&arguments, reply);
    }
    if !command.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(command.subcommands.len());
        command.subcommands.iter().for_each(|sub| document(sub, reply));
    }
}

fn tree(arguments: &[Argument], reply: &mut Reply<'_>) {
    reply.array(arguments.len());
    for argument in arguments {
        let marks = [
            (argument.optional, "optional"),
            (argument.multiple, "multiple"),
            (argument.multiple_token, "multiple_token"),
        ];
        let marks: Vec<&str> = marks.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        let optional = [
            argument.key_spec.is_some(),
            argument.token.is_some(),
            !marks.is_empty(),
            !argument.inner.is_empty(),
        ];
        reply.map(2 + optional.iter().filter(|there| **there).count());
        text("name", &argument.name, reply);
        text("type", argument.kind.name(), reply);
        if let Some(spec) = argument.key_spec {
            reply.bulk(b"key_spec_index");
            reply.int(spec as i64);
        }
        if let Some(token) = &argument.token {
            text("token", token, reply);
        }
        if !marks.is_empty() {
            reply.bulk(b"flags");
            reply.set(marks.len());
            marks.iter().for_each(|mark| reply.simple(mark));
        }
        if !argument.inner.is_empty() {
            reply.bulk(b"arguments");
            tree(&argument.inner, reply);
        }
    }
}

fn text(name: &str, value: &str, reply: &mut Reply<'_>) {
    reply.bulk(name.as_bytes());
    reply.bulk(value.as_bytes());
}
