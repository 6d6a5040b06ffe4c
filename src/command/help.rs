//! The form of HELP: every container answers it in the same layout, which clients print as it comes.
//!
//! ```text
//! CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
//! GET <pattern> [<pattern> ...]
//!     What it does.
//! HELP
//!     Print this help.
//! ```

use crate::exec::{Group, Run, Spec, flag};
use crate::resp::reply::Reply;

/// What a container's HELP row has in common with all others; the row adds what is missing.
pub(super) const HELP: Spec = Spec {
    name: "help",
    arity: 2,
    flags: flag::LOADING | flag::STALE,
    since: "5.0.0",
    group: Group::Server,
    summary: "Lists the subcommands with a word on each.",
    run: Run::Container,
    ..Spec::DEFAULT
};

/// Writes the reply to `<container> HELP`. Lines are indented where they explain the line above them.
pub(super) fn write(container: &str, lines: &[&str], reply: &mut Reply<'_>) {
    reply.array(lines.len() + 3);
    reply.simple(format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    lines.iter().for_each(|line| reply.simple(line));
    reply.simple("HELP");
    reply.simple("    Print this help.");
}
