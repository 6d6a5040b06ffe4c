//! COMMAND — what this server can do, read from the rows: COUNT, LIST, INFO, DOCS, GETKEYS, GETKEYSANDFLAGS.

use crate::base::glob;
use crate::base::refusal::Refusal;
use crate::command::help;
use crate::exec::registry::Command;
use crate::exec::spec::{Begin, Find, KeyAt};
use crate::exec::{Args, Context, Effect, Group, KeySpec, Run, Session, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::resp::request::OwnedRequest;

use super::{docs, hints};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "command",
    arity: -1,
    since: "2.8.13",
    summary: "Describes every command in the form that client libraries read.",
    complexity: "O(N) where N is the number of commands",
    run: Run::Host(all),
    subcommands: &[
        Spec {
            name: "count",
            arity: 2,
            since: "2.8.13",
            summary: "Counts the commands.",
            complexity: "O(1)",
            run: Run::Host(count),
            ..SUBCOMMAND
        },
        Spec {
            name: "docs",
            since: "7.0.0",
            summary: "Returns documentation of the named commands, or of all.",
            syntax: "[command-name [command-name ...]]",
            run: Run::Host(docs::docs),
            ..SUBCOMMAND
        },
        Spec {
            name: "getkeys",
            arity: -4,
            since: "2.8.13",
            summary: "Finds the keys in a whole command.",
            complexity: "O(N) where N is the number of arguments to the command",
            syntax: "command [arg [arg ...]]",
            run: Run::Host(getkeys),
            ..SUBCOMMAND
        },
        Spec {
            name: "getkeysandflags",
            arity: -4,
            since: "7.0.0",
            summary: "Finds the keys in a whole command and tells what is done with each.",
            complexity: "O(N) where N is the number of arguments to the command",
            syntax: "command [arg [arg ...]]",
            run: Run::Host(getkeysandflags),
            ..SUBCOMMAND
        },
        Spec {
            name: "help",
            arity: 2,
            since: "5.0.0",
            summary: "Lists the subcommands with a word on each.",
            complexity: "O(1)",
            run: Run::Host(help),
            ..SUBCOMMAND
        },
        Spec {
            name: "info",
            since: "2.8.13",
            summary: "Describes the named commands, or all, in the form that client libraries read.",
            syntax: "[command-name [command-name ...]]",
            run: Run::Host(info),
            ..SUBCOMMAND
        },
        Spec {
            name: "list",
            since: "7.0.0",
            summary: "Lists the names of the commands and subcommands.",
            syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
            run: Run::Host(list),
            ..SUBCOMMAND
        },
    ],
    ..SUBCOMMAND
}];

const SUBCOMMAND: Spec = Spec {
    arity: -2,
    flags: flag::LOADING | flag::STALE,
    acl: acl::CONNECTION,
    group: Group::Server,
    complexity: "O(N) where N is the number of commands to look up",
    ..Spec::DEFAULT
};

type Done = Result<Effect, Refusal>;

fn all(_: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    let commands = ctx.registry.commands();
    reply.array(commands.len());
    commands.iter().for_each(|command| describe(command, reply));
    Ok(Effect::None)
}

fn count(_: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    reply.int(ctx.registry.commands().len() as i64);
    Ok(Effect::None)
}

fn info(args: &mut Args<'_>, ctx: &Context, session: &mut Session, reply: &mut Reply<'_>) -> Done {
    if args.is_done() {
        return all(args, ctx, session, reply);
    }
    reply.array(args.left());
    for name in args.rest() {
        match ctx.registry.by_name(name) {
            Some(command) => describe(command, reply),
            None => reply.null(),
        }
    }
    Ok(Effect::None)
}

fn list(args: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    let filter = Filter::read(args)?;
    let commands =
        ctx.registry.commands().iter().flat_map(|one| std::iter::once(one).chain(&one.subcommands));
    let names: Vec<&str> =
        commands.filter(|command| filter.lets(command)).map(|command| command.full_name.as_str()).collect();
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name.as_bytes()));
    Ok(Effect::None)
}

/// FILTERBY of COMMAND LIST.
enum Filter<'a> {
    All,
    /// There are no modules, so nothing is of one.
    None,
    Category(u32),
    Pattern(&'a [u8]),
}

impl<'a> Filter<'a> {
    fn read(args: &mut Args<'a>) -> Result<Self, Refusal> {
        if args.is_done() {
            return Ok(Filter::All);
        }
        if args.left() != 3 || !args.accept("filterby") {
            return Err(Refusal::Syntax);
        }
        if args.accept("module") {
            return Ok(Filter::None);
        }
        if args.accept("aclcat") {
            let name = args.word()?;
            let bit = acl::NAMES.iter().position(|known| name.eq_ignore_ascii_case(known.as_bytes()));
            return Ok(bit.map_or(Filter::None, |bit| Filter::Category(1 << bit)));
        }
        if args.accept("pattern") {
            return Ok(Filter::Pattern(args.word()?));
        }
        Err(Refusal::Syntax)
    }

    fn lets(&self, command: &Command) -> bool {
        match self {
            Filter::All => true,
            Filter::None => false,
            Filter::Category(bit) => command.acl & bit != 0,
            Filter::Pattern(pattern) => glob::matches(pattern, command.full_name.as_bytes(), true),
        }
    }
}

fn getkeys(args: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    let words: Vec<&[u8]> = args.rest().collect();
    let keys = keys_of(ctx, &words)?;
    reply.array(keys.len());
    keys.iter().for_each(|key| reply.bulk(words.get(key.index).copied().unwrap_or_default()));
    Ok(Effect::None)
}

fn getkeysandflags(args: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    let words: Vec<&[u8]> = args.rest().collect();
    let keys = keys_of(ctx, &words)?;
    reply.array(keys.len());
    for key in keys {
        reply.array(2);
        reply.bulk(words.get(key.index).copied().unwrap_or_default());
        names(key.flags, &key::NAMES, "", reply);
    }
    Ok(Effect::None)
}

/// The keys in a command that was not given to be run.
fn keys_of(ctx: &Context, words: &[&[u8]]) -> Result<Vec<KeyAt>, Refusal> {
    let invalid = || Refusal::line("ERR Invalid command specified");
    let invalid_arguments = || Refusal::line("ERR Invalid arguments specified for command");
    let name = words.first().copied().unwrap_or_default();
    // `a|b` names a subcommand in documentation only: no request is called so.
    let name_only = Some(name).filter(|name| !name.contains(&b'|'));
    let mut command = name_only.and_then(|name| ctx.registry.by_name(name)).ok_or_else(invalid)?;
    if let (false, Some(word)) = (command.subcommands.is_empty(), words.get(1)) {
        let mut subcommands = command.subcommands.iter();
        command = subcommands
            .find(|known| word.eq_ignore_ascii_case(known.spec.name.as_bytes()))
            .ok_or_else(invalid)?;
    }
    // A channel stands where a key would, and is none.
    if command.spec.keys.iter().all(|keys| keys.flags & key::NOT_KEY != 0) {
        return Err(Refusal::line("ERR The command has no key arguments"));
    }
    if !command.spec.accepts(words.len()) {
        return Err(Refusal::line("ERR Invalid number of arguments specified for command"));
    }
    let request = OwnedRequest::from_args(words);
    let request = request.as_request();
    // A script has as many keys as it says, also none, and what it says may be wrong.
    let is_script = matches!(command.spec.run, Run::Script(_));
    let is_lacking = command.spec.keys.iter().any(|keys| keys.counts_wrong(&request));
    if is_lacking && !is_script {
        return Err(invalid_arguments());
    }
    let uses = command.spec.use_of_keys.map(|uses| uses(&request));
    let keys: Vec<KeyAt> = command
        .spec
        .key_positions(&request)
        .into_iter()
        .filter(|key| key.flags & key::NOT_KEY == 0)
        .map(|key| KeyAt { flags: uses.unwrap_or(key.flags), ..key })
        .collect();
    if keys.is_empty() && !is_script {
        return Err(invalid_arguments());
    }
    Ok(keys)
}

/// One command as COMMAND INFO has it: ten elements.
fn describe(command: &Command, reply: &mut Reply<'_>) {
    let spec = &command.spec;
    reply.array(10);
    reply.bulk(command.full_name.as_bytes());
    reply.int(i64::from(spec.arity));
    names(spec.flags, &flag::NAMES, "", reply);
    for number in key_range(spec.keys) {
        reply.int(number);
    }
    names(command.acl, &acl::NAMES, "@", reply);
    let tips = hints::tips(&command.full_name);
    reply.set(tips.len());
    tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(spec.keys.len());
    spec.keys.iter().for_each(|keys| describe_keys(keys, reply));
    if command.subcommands.is_empty() {
        reply.set(0);
    } else {
        reply.array(command.subcommands.len());
        command.subcommands.iter().for_each(|sub| describe(sub, reply));
    }
}

/// A set of the names of the bits that are set. Bits without a name are our own and nobody else's business.
fn names(bits: u32, all: &[&str], prefix: &str, reply: &mut Reply<'_>) {
    let is_set = |(bit, _): &(usize, &&str)| bits & (1 << bit) != 0;
    reply.set(all.iter().enumerate().filter(is_set).count());
    for (_, name) in all.iter().enumerate().filter(is_set) {
        reply.simple(format!("{prefix}{name}"));
    }
}

/// First key, last key and step, which is all that clients before key specifications know: the first run of keys that
/// stand at fixed places, and further ones that follow it without a gap. All zero where no key has a fixed place.
fn key_range(keys: &[KeySpec]) -> [i64; 3] {
    let fixed = keys.iter().filter_map(|spec| match (spec.begin, spec.find) {
        (Begin::Index(index), Find::Range { last, step }) => {
            let begin = index as i64;
            let last = i64::from(last);
            Some([begin, if last < 0 { last } else { begin + last }, step as i64])
        }
        _ => None,
    });
    let mut range = [0; 3];
    for [first, last, step] in fixed {
        match range {
            [0, _, _] => range = [first, last, step],
            [begin, end, 1] if end + 1 == first && step == 1 => range = [begin, last, 1],
            _ => {}
        }
    }
    range
}

fn describe_keys(keys: &KeySpec, reply: &mut Reply<'_>) {
    fn word(text: &str, reply: &mut Reply<'_>) {
        reply.bulk(text.as_bytes());
    }
    fn numbers(pairs: &[(&str, i64)], reply: &mut Reply<'_>) {
        for (name, value) in pairs {
            word(name, reply);
            reply.int(*value);
        }
    }
    fn typed(name: &str, reply: &mut Reply<'_>) {
        reply.map(2);
        word("type", reply);
        word(name, reply);
        word("spec", reply);
    }
    reply.map(3);
    word("flags", reply);
    names(keys.flags, &key::NAMES, "", reply);
    word("begin_search", reply);
    match keys.begin {
        Begin::Index(index) => {
            typed("index", reply);
            reply.map(1);
            numbers(&[("index", index as i64)], reply);
        }
        Begin::Keyword(keyword, from)
        | Begin::EachKeyword(keyword, from)
        | Begin::Among { word: keyword, from, .. } => {
            typed("keyword", reply);
            reply.map(2);
            word("keyword", reply);
            word(keyword, reply);
            numbers(&[("startfrom", i64::from(from))], reply);
        }
    }
    word("find_keys", reply);
    match keys.find {
        Find::Range { last, step } => {
            typed("range", reply);
            reply.map(3);
            numbers(&[("lastkey", i64::from(last)), ("keystep", step as i64), ("limit", 0)], reply);
        }
        Find::FirstHalf => {
            typed("range", reply);
            reply.map(3);
            numbers(&[("lastkey", -1), ("keystep", 1), ("limit", 2)], reply);
        }
        Find::Count { at, first, step } => {
            typed("keynum", reply);
            reply.map(3);
            let pairs = [("keynumidx", at as i64), ("firstkey", first as i64), ("keystep", step as i64)];
            numbers(&pairs, reply);
        }
    }
}

fn help(_: &mut Args<'_>, _: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    help::write(
        "COMMAND",
        &[
            "(no subcommand)",
            "    Describe every command.",
            "COUNT",
            "    Count the commands.",
            "LIST [FILTERBY <MODULE <name>|ACLCAT <category>|PATTERN <pattern>>]",
            "    List names of commands and subcommands.",
            "INFO [<command-name> ...]",
            "    Describe the named commands, all without a name.",
            "DOCS [<command-name> ...]",
            "    Document the named commands, all without a name.",
            "GETKEYS <full-command>",
            "    Find the keys in a whole command.",
            "GETKEYSANDFLAGS <full-command>",
            "    Find the keys in a whole command and what is done with each.",
        ],
        reply,
    );
    Ok(Effect::None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::reply::Proto;

    #[test]
    fn the_old_key_range_joins_runs_without_a_gap() {
        let count = KeySpec::counted(2, key::RO);
        for (keys, expected) in [
            (&[][..], [0, 0, 0]),
            (&[KeySpec::first(key::RO)], [1, 1, 1]),
            (&[KeySpec::all(1, 2, key::OW)], [1, -1, 2]),
            (&[KeySpec::at(1, key::RW), KeySpec::at(2, key::OW)], [1, 2, 1]),
            (&[KeySpec::at(2, key::OW), KeySpec::all(3, 1, key::RO)], [2, -1, 1]),
            (&[KeySpec::at(1, key::OW), count], [1, 1, 1]),
            (&[count], [0, 0, 0]),
            (&[KeySpec::at(1, key::OW), KeySpec::at(3, key::RO)], [1, 1, 1]),
        ] {
            assert_eq!(key_range(keys), expected, "{keys:?}");
        }
    }

    #[test]
    fn a_key_specification_is_a_map_in_resp3() {
        let mut out = Vec::new();
        describe_keys(&KeySpec::first(key::RO | key::ACCESS), &mut Reply::new(&mut out, Proto::Resp3));
        let expected = "%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n\
            $12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n\
            $9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n%3\r\n\
            $7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn bits_of_our_own_are_not_shown() {
        let mut out = Vec::new();
        let bits = flag::FAST | flag::EVERYTHING | flag::TRANSACTION_CONTROL;
        names(bits, &flag::NAMES, "", &mut Reply::new(&mut out, Proto::Resp2));
        assert_eq!(out, b"*1\r\n+fast\r\n");
    }
}
