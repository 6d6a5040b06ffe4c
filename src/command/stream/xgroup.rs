//! XGROUP subcommand key group … — makes and removes groups and their consumers, and sets how far a group has read.
//!
//! ```text
//! CREATE key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]
//! SETID key group <id | $> [ENTRIESREAD entries-read]
//! CREATECONSUMER key group consumer
//! DELCONSUMER key group consumer
//! DESTROY key group
//! ```
//!
//! `$` is the last id of the stream; the log gets that id. Who waits for a group that goes is told so.

use super::{change_aside, change_group, exact_id, id, no_group_of_key, stream_of};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::command::help;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Expiry, Slot};
use crate::value::Stream;
use crate::value::stream::{self, Id};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "xgroup",
    arity: -2,
    since: "5.0.0",
    group: Group::Stream,
    summary: "Holds the commands that manage groups of consumers.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        CREATE,
        Spec {
            name: "createconsumer",
            arity: 5,
            since: "6.2.0",
            summary: "Makes a consumer of a group.",
            syntax: "key group consumer",
            run: Run::Write(create_consumer),
            ..CREATE
        },
        Spec {
            name: "delconsumer",
            arity: 5,
            keys: &[KeySpec::at(2, key::RW | key::DELETE)],
            flags: flag::WRITE,
            summary: "Removes a consumer of a group; tells how much was pending with it.",
            syntax: "key group consumer",
            event: Some(event::stream("xgroup-delconsumer")),
            run: Run::Write(delete_consumer),
            ..CREATE
        },
        Spec {
            name: "destroy",
            arity: 4,
            keys: &[KeySpec::at(2, key::RW | key::DELETE)],
            flags: flag::WRITE,
            summary: "Removes a group of consumers.",
            complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL).",
            syntax: "key group",
            event: Some(event::stream("xgroup-destroy")),
            run: Run::Write(destroy),
            ..CREATE
        },
        Spec {
            name: "help",
            acl: acl::STREAM,
            group: Group::Stream,
            run: Run::Host(|_, _, _, reply| {
                help::write("XGROUP", HELP, reply);
                Ok(Effect::None)
            }),
            ..help::HELP
        },
        Spec {
            name: "setid",
            keys: &[KeySpec::at(2, key::RW | key::UPDATE)],
            flags: flag::WRITE,
            summary: "Sets up to which id a group has read.",
            syntax: "key group <id | $> [ENTRIESREAD entries-read:integer]",
            event: Some(event::stream("xgroup-setid")),
            run: Run::Write(set_id),
            ..CREATE
        },
    ],
    run: Run::Container,
    ..Spec::DEFAULT
}];

const CREATE: Spec = Spec {
    name: "create",
    arity: -5,
    keys: &[KeySpec::at(2, key::RW | key::INSERT)],
    flags: flag::WRITE | flag::DENYOOM,
    acl: acl::STREAM,
    since: "5.0.0",
    group: Group::Stream,
    summary: "Makes a group of consumers.",
    complexity: "O(1)",
    syntax: "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read:integer]",
    event: Some(event::stream("xgroup-create")),
    run: Run::Write(create),
    ..Spec::DEFAULT
};

const HELP: &[&str] = &[
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a new consumer group. Options are:",
    "    * MKSTREAM",
    "      Create the empty stream if it does not exist.",
    "    * ENTRIESREAD entries_read",
    "      Set the group's entries_read counter (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a new consumer in the specified group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove the specified consumer.",
    "DESTROY <key> <groupname>",
    "    Remove the specified group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the current group ID and entries_read counter.",
];

/// What follows the id.
struct Options {
    makes_stream: bool,
    entries_read: Option<u64>,
}

/// What is said where a subcommand's words are none that it has.
pub(super) fn unknown_words(args: &Args<'_>, container: &str) -> Refusal {
    let word = String::from_utf8_lossy(args.request().get(1).unwrap_or_default());
    Refusal::err(format!(
        "unknown subcommand or wrong number of arguments for '{word}'. Try {container} HELP."
    ))
}

fn options(args: &mut Args<'_>, may_make: bool) -> Result<Options, Refusal> {
    let mut options = Options { makes_stream: false, entries_read: None };
    while !args.is_done() {
        if may_make && args.accept("MKSTREAM") {
            options.makes_stream = true;
        } else if args.left() > 1 && args.accept("ENTRIESREAD") {
            options.entries_read = match args.int()? {
                -1 => None,
                read => Some(
                    u64::try_from(read)
                        .map_err(|_| Refusal::line("ERR value for ENTRIESREAD must be positive or -1"))?,
                ),
            };
        } else {
            return Err(unknown_words(args, "XGROUP"));
        }
    }
    Ok(options)
}

/// The stream that must be there.
fn present<'s>(slot: &'s Slot<'_>) -> Result<&'s Stream, Refusal> {
    const NO_KEY: Refusal = Refusal::line(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM \
         option to create an empty stream automatically.",
    );
    stream_of(slot.entry())?.ok_or(NO_KEY)
}

/// The group that must be there.
fn group_of<'s>(slot: &'s Slot<'_>, name: &[u8]) -> Result<&'s stream::Group, Refusal> {
    present(slot)?.group(name).ok_or_else(|| no_group_of_key(slot.key(), name))
}

fn create(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    /// Redis counts words.
    const WORDS_MAX: usize = 8;
    let (name, word) = (args.word()?, args.word()?);
    let options = options(args, true)?;
    if !options.makes_stream {
        present(slot)?;
    }
    let stream = stream_of(slot.entry())?;
    if args.request().len() > WORDS_MAX {
        return Err(unknown_words(args, "XGROUP"));
    }
    let last = stream.map(|stream| stream.log().last_id()).unwrap_or_default();
    let id = if word == b"$" { last } else { exact_id(word, 0)? };
    if stream.is_some_and(|stream| stream.group(name).is_some()) {
        return Err(Refusal::line("BUSYGROUP Consumer Group name already exists"));
    }
    let group = stream::Group::new(id, options.entries_read);
    if stream.is_some() {
        change_aside(slot, |stream| stream.add_group(name, group))?;
    } else {
        let mut stream = Stream::new();
        stream.add_group(name, group);
        slot.put(stream, Expiry::Clear);
    }
    reply.ok();
    Ok(repeat(args, b"CREATE", slot.key(), name, (word, id)))
}

fn set_id(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let (name, word) = (args.word()?, args.word()?);
    let options = options(args, false)?;
    group_of(slot, name)?;
    let id = if word == b"$" { present(slot)?.log().last_id() } else { id(word, 0)? };
    change_group(slot, name, |group, _| (group.last_id, group.entries_read) = (id, options.entries_read))?;
    reply.ok();
    Ok(repeat(args, b"SETID", slot.key(), name, (word, id)))
}

/// The command as it came, or with the id for which `$` stood.
fn repeat(args: &Args<'_>, verb: &[u8], key: &[u8], name: &[u8], (word, id): (&[u8], Id)) -> Effect {
    if word != b"$" {
        return Effect::Same;
    }
    let (request, id) = (args.request(), id.text());
    let mut words: Vec<&[u8]> = vec![b"XGROUP", verb, key, name, &id];
    words.extend(request.iter().skip(5));
    let mut record = crate::exec::Record::default();
    record.push_words(&words);
    Effect::Instead(record)
}

fn create_consumer(
    args: &mut Args<'_>,
    slot: &mut Slot<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let (name, consumer, now) = (args.word()?, args.word()?, args.now());
    if let Some(consumer) = group_of(slot, name)?.consumer(consumer) {
        consumer.see(now);
        reply.int(0);
        return Ok(Effect::None);
    }
    change_group(slot, name, |group, _| group.add_consumer(consumer, now))?;
    slot.tell(event::stream("xgroup-createconsumer"));
    reply.int(1);
    Ok(Effect::Same)
}

fn delete_consumer(
    args: &mut Args<'_>,
    slot: &mut Slot<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let (name, consumer) = (args.word()?, args.word()?);
    if group_of(slot, name)?.consumer(consumer).is_none() {
        reply.int(0);
        return Ok(Effect::None);
    }
    let pending = change_group(slot, name, |group, _| group.remove_consumer(consumer))?;
    reply.int(pending.unwrap_or_default() as i64);
    Ok(Effect::Same)
}

fn destroy(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let name = args.word()?;
    let exists = present(slot)?.group(name).is_some();
    if exists {
        change_aside(slot, |stream| stream.remove_group(name))?;
    }
    reply.int(i64::from(exists));
    Ok(Effect::same_if(exists))
}
