//! EVAL script numkeys [key …] [arg …], EVALSHA sha1 …, EVAL_RO, EVALSHA_RO — run a script of Lua; its result is the reply.

use crate::base::refusal::Refusal;
use crate::exec::script::Caller;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::script::{self, Name};

pub(super) const SPECS: &[Spec] = &[
    EVAL,
    Spec {
        name: "evalsha",
        summary: "Runs a script that the server knows, by its SHA-1.",
        syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]",
        run: Run::Script(|args, caller, reply| by_name(false, args, caller, reply)),
        ..EVAL
    },
    Spec {
        name: "eval_ro",
        keys: RO_KEYS,
        flags: FLAGS | flag::READONLY,
        since: "7.0.0",
        summary: "Runs a script of Lua that may not write.",
        run: Run::Script(|args, caller, reply| by_text(true, args, caller, reply)),
        ..EVAL
    },
    Spec {
        name: "evalsha_ro",
        keys: RO_KEYS,
        flags: FLAGS | flag::READONLY,
        since: "7.0.0",
        summary: "Runs a script that the server knows and that may not write, by its SHA-1.",
        syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]",
        run: Run::Script(|args, caller, reply| by_name(true, args, caller, reply)),
        ..EVAL
    },
];

const FLAGS: u32 = flag::NOSCRIPT
    | flag::STALE
    | flag::SKIP_MONITOR
    | flag::NO_MANDATORY_KEYS
    | flag::MOVABLEKEYS
    | flag::EVERYTHING
    | flag::TABLE_WIDE;

const RO_KEYS: &[KeySpec] = &[KeySpec::counted(2, key::RO | key::ACCESS)];

const EVAL: Spec = Spec {
    name: "eval",
    arity: -3,
    keys: &[KeySpec::counted(2, key::RW | key::ACCESS | key::UPDATE)],
    flags: FLAGS | flag::MAY_REPLICATE,
    acl: acl::SCRIPTING,
    since: "2.6.0",
    group: Group::Scripting,
    summary: "Runs a script of Lua.",
    complexity: "Depends on the script that is executed.",
    syntax: "script numkeys [key [key ...]] [arg [arg ...]]",
    run: Run::Script(|args, caller, reply| by_text(false, args, caller, reply)),
    ..Spec::DEFAULT
};

fn by_text(
    only_reads: bool,
    args: &mut Args<'_>,
    caller: &mut Caller<'_, '_>,
    reply: &mut Reply<'_>,
) -> Result<(), Refusal> {
    let text = args.word()?;
    let words = Words::read(args)?;
    let name = caller.scripts().load(text)?;
    run(&name, only_reads, &words, caller, reply)
}

fn by_name(
    only_reads: bool,
    args: &mut Args<'_>,
    caller: &mut Caller<'_, '_>,
    reply: &mut Reply<'_>,
) -> Result<(), Refusal> {
    // What cannot be a name is told before the other arguments are looked at.
    let name = script::parse_name(args.word()?).ok_or(UNKNOWN)?;
    let words = Words::read(args)?;
    run(&name, only_reads, &words, caller, reply)
}

/// Of a script whose first line could say that it writes nothing, and does not.
const MAY_WRITE: Refusal = Refusal::line("ERR Can not execute a script with write flag using *_ro command.");

const UNKNOWN: Refusal = Refusal::line("NOSCRIPT No matching script. Please use EVAL.");

fn run(
    name: &Name,
    only_reads: bool,
    words: &Words<'_>,
    caller: &mut Caller<'_, '_>,
    reply: &mut Reply<'_>,
) -> Result<(), Refusal> {
    let mut flags = caller.scripts().flags(name).ok_or(UNKNOWN)?;
    if only_reads && flags.declared && !flags.no_writes {
        return Err(MAY_WRITE);
    }
    flags.no_writes |= only_reads;
    caller.run(name, flags, &words.keys, &words.args, reply)
}

/// What a script gets as KEYS and ARGV.
struct Words<'a> {
    keys: Vec<&'a [u8]>,
    args: Vec<&'a [u8]>,
}

impl<'a> Words<'a> {
    fn read(args: &mut Args<'a>) -> Result<Self, Refusal> {
        let count = args.int()?;
        let mut keys: Vec<_> = args.rest().collect();
        let count =
            usize::try_from(count).map_err(|_| Refusal::line("ERR Number of keys can't be negative"))?;
        if count > keys.len() {
            return Err(Refusal::line("ERR Number of keys can't be greater than number of args"));
        }
        let args = keys.split_off(count);
        Ok(Words { keys, args })
    }
}
