//! SLOWLOG — the last commands that took longer than `slowlog-log-slower-than`: GET, LEN, RESET.

use crate::base::number;
use crate::base::refusal::Refusal;
use crate::command::help;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "slowlog",
    arity: -2,
    since: "2.2.12",
    group: Group::Server,
    summary: "Holds the commands about the slow log.",
    complexity: "Depends on subcommand.",
    run: Run::Container,
    subcommands: &[
        Spec {
            name: "get",
            arity: -2,
            summary: "Returns the newest entries of the slow log.",
            complexity: "O(N) where N is the number of entries returned",
            syntax: "[count]",
            run: Run::Host(get),
            ..SUBCOMMAND
        },
        Spec {
            name: "help",
            since: "6.2.0",
            summary: "Lists the subcommands with a word on each.",
            run: Run::Host(help),
            ..help::HELP
        },
        Spec {
            name: "len",
            summary: "Counts the entries of the slow log.",
            run: Run::Host(len),
            ..SUBCOMMAND
        },
        Spec {
            name: "reset",
            summary: "Empties the slow log.",
            complexity: "O(N) where N is the number of entries in the slowlog",
            run: Run::Host(reset),
            ..SUBCOMMAND
        },
    ],
    ..Spec::DEFAULT
}];

const SUBCOMMAND: Spec = Spec {
    arity: 2,
    flags: flag::ADMIN | flag::LOADING | flag::STALE,
    since: "2.2.12",
    group: Group::Server,
    ..Spec::DEFAULT
};

/// Entries that GET returns where no number is given.
const COUNT: usize = 10;

type Done = Result<Effect, Refusal>;

fn get(args: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    if args.left() > 1 {
        let word = String::from_utf8_lossy(args.request().arg(1)).into_owned();
        return Err(Refusal::err(format!(
            "unknown subcommand or wrong number of arguments for '{word}'. Try SLOWLOG HELP."
        )));
    }
    let refusal = || Refusal::line("ERR count should be greater than or equal to -1");
    let count = args.next().map_or(Ok(COUNT), |word| wanted(word).ok_or_else(refusal))?;
    let entries = ctx.slowlog.newest(count);
    reply.array(entries.len());
    for entry in entries {
        reply.array(6);
        reply.int(entry.id as i64);
        reply.int(entry.at);
        reply.int(entry.micros as i64);
        reply.array(entry.words.len());
        entry.words.iter().for_each(|word| reply.bulk(word));
        reply.bulk(entry.address.as_bytes());
        reply.bulk(entry.name.as_bytes());
    }
    Ok(Effect::None)
}

/// The number of entries asked for; -1 asks for all.
fn wanted(word: &[u8]) -> Option<usize> {
    match number::parse_i64(word)? {
        -1 => Some(usize::MAX),
        count => usize::try_from(count).ok(),
    }
}

fn len(_: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    reply.int(ctx.slowlog.len() as i64);
    Ok(Effect::None)
}

fn reset(_: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    ctx.slowlog.clear();
    reply.ok();
    Ok(Effect::None)
}

fn help(_: &mut Args<'_>, _: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    help::write(
        "SLOWLOG",
        &[
            "GET [<count>]",
            "    Return the newest <count> entries (10 if not given, -1 for all). Each has",
            "    its number, the Unix time, the microseconds it took, the command's words,",
            "    the client's address and the client's name.",
            "LEN",
            "    Count the entries.",
            "RESET",
            "    Forget all entries.",
        ],
        reply,
    );
    Ok(Effect::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_one_asks_for_all_and_less_is_refused() {
        assert_eq!(wanted(b"-1"), Some(usize::MAX));
        assert_eq!(wanted(b"0"), Some(0));
        assert_eq!(wanted(b"-2"), None);
        assert_eq!(wanted(b"x"), None);
    }
}
