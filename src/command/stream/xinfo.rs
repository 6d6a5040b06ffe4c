//! XINFO subcommand key … — how a stream, its groups and their consumers are.
//!
//! ```text
//! STREAM key [FULL [COUNT count]]
//! GROUPS key
//! CONSUMERS key group
//! ```
//!
//! The numbers of radix-tree keys and nodes are those of the chunks, and of these and the directory over them.

use super::xgroup::unknown_words;
use super::{answer_entries, answer_entry, answer_id, count, no_group_of_key, stream_of};
use crate::base::refusal::Refusal;
use crate::command::help;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;
use crate::value::Stream;
use crate::value::stream::{self, Id};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "xinfo",
    arity: -2,
    since: "5.0.0",
    group: Group::Stream,
    summary: "Holds the commands that look at streams.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec {
            name: "consumers",
            arity: 4,
            summary: "Tells of the consumers of a group.",
            syntax: "key group",
            run: Run::Read(consumers),
            ..STREAM
        },
        Spec {
            name: "groups",
            arity: 3,
            summary: "Tells of the groups of a stream.",
            syntax: "key",
            run: Run::Read(groups),
            ..STREAM
        },
        Spec {
            name: "help",
            acl: acl::STREAM,
            group: Group::Stream,
            run: Run::Host(|_, _, _, reply| {
                help::write("XINFO", HELP, reply);
                Ok(Effect::None)
            }),
            ..help::HELP
        },
        STREAM,
    ],
    run: Run::Container,
    ..Spec::DEFAULT
}];

const STREAM: Spec = Spec {
    name: "stream",
    arity: -3,
    keys: &[KeySpec::at(2, key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::STREAM,
    since: "5.0.0",
    group: Group::Stream,
    summary: "Tells of a stream.",
    complexity: "O(1)",
    syntax: "key [FULL [COUNT count]]",
    run: Run::Read(of_stream),
    ..Spec::DEFAULT
};

const HELP: &[&str] = &[
    "CONSUMERS <key> <groupname>",
    "    Show consumers of <groupname>.",
    "GROUPS <key>",
    "    Show the stream consumer groups.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show information about the stream.",
];

/// Entries of each kind in a full answer, if nobody says.
const SHOWN: usize = 10;

fn present(entry: Option<&Entry>) -> Result<&Stream, Refusal> {
    stream_of(entry)?.ok_or(Refusal::NoSuchKey)
}

fn of_stream(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let stream = present(entry)?;
    let is_full = args.accept("FULL");
    let mut most = SHOWN;
    if is_full && args.left() == 2 && args.accept("COUNT") {
        most = match args.int()? {
            0 => usize::MAX,
            ..0 => SHOWN,
            number => count(number),
        };
    }
    if !args.is_done() {
        return Err(unknown_words(args, "XINFO"));
    }
    let log = stream.log();
    reply.map(if is_full { 9 } else { 10 });
    let numbers = |pairs: &[(&str, usize)], reply: &mut Reply<'_>| {
        for (name, number) in pairs {
            named(name, *number as i64, reply);
        }
    };
    let (chunks, nodes) = log.parts();
    numbers(&[("length", log.len()), ("radix-tree-keys", chunks), ("radix-tree-nodes", nodes)], reply);
    id("last-generated-id", log.last_id(), reply);
    id("max-deleted-entry-id", log.max_deleted(), reply);
    named("entries-added", log.added().cast_signed(), reply);
    id("recorded-first-entry-id", log.first_id(), reply);
    if is_full {
        reply.bulk(b"entries");
        answer_entries(log.range(Id::MIN, Id::MAX), most, reply);
        reply.bulk(b"groups");
        reply.array(stream.groups().len());
        stream.groups().for_each(|(name, group)| full_group(name, group, stream, most, reply));
        return Ok(());
    }
    numbers(&[("groups", stream.groups().len())], reply);
    let ends = [
        (&b"first-entry"[..], log.range(Id::MIN, Id::MAX).next()),
        (b"last-entry", log.range_back(Id::MIN, Id::MAX).next()),
    ];
    for (name, entry) in ends {
        reply.bulk(name);
        match entry {
            Some(entry) => answer_entry(&entry, reply),
            None => reply.null(),
        }
    }
    Ok(())
}

fn full_group(name: &[u8], group: &stream::Group, stream: &Stream, most: usize, reply: &mut Reply<'_>) {
    reply.map(7);
    reply.bulk(b"name");
    reply.bulk(name);
    position(group, stream, reply);
    let pending = group.pending();
    named("pel-count", pending.len() as i64, reply);
    reply.bulk(b"pending");
    reply.array(pending.len().min(most));
    for (id, pending) in pending.range(Id::MIN).take(most) {
        reply.array(4);
        answer_id(id, reply);
        reply.bulk(group.owner(&pending));
        reply.int(pending.delivered);
        reply.int(pending.count.cast_signed());
    }
    reply.bulk(b"consumers");
    reply.array(group.consumers().len());
    for (name, consumer) in group.consumers() {
        let own = consumer.pending();
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(name);
        named("seen-time", consumer.seen(), reply);
        named("pel-count", own.len() as i64, reply);
        reply.bulk(b"pending");
        reply.array(own.len().min(most));
        for (id, ()) in own.range(Id::MIN).take(most) {
            let of_group = pending.get(id);
            reply.array(3);
            answer_id(id, reply);
            reply.int(of_group.map_or(0, |pending| pending.delivered));
            reply.int(of_group.map_or(0, |pending| pending.count.cast_signed()));
        }
    }
}

fn groups(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let stream = present(entry)?;
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(name);
        named("consumers", group.consumers().len() as i64, reply);
        named("pending", group.pending().len() as i64, reply);
        position(group, stream, reply);
    }
    Ok(())
}

fn consumers(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let name = args.word()?;
    let key = args.request().get(2).unwrap_or_default();
    let group = present(entry)?.group(name).ok_or_else(|| no_group_of_key(key, name))?;
    reply.array(group.consumers().len());
    for (name, consumer) in group.consumers() {
        // When it was seen is not in the log: after a start that is not known until it comes again.
        let seen = if consumer.seen() == 0 { args.now() } else { consumer.seen() };
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(name);
        named("pending", consumer.pending().len() as i64, reply);
        named("idle", args.now().saturating_sub(seen).max(0), reply);
    }
    Ok(())
}

/// How far a group has read, as three pairs.
fn position(group: &stream::Group, stream: &Stream, reply: &mut Reply<'_>) {
    id("last-delivered-id", group.last_id, reply);
    for (name, number) in
        [(&b"entries-read"[..], group.entries_read.map(u64::cast_signed)), (b"lag", stream.log().lag(group))]
    {
        reply.bulk(name);
        match number {
            Some(number) => reply.int(number),
            None => reply.null(),
        }
    }
}

fn named(name: &str, number: i64, reply: &mut Reply<'_>) {
    reply.bulk(name.as_bytes());
    reply.int(number);
}

fn id(name: &str, id: Id, reply: &mut Reply<'_>) {
    reply.bulk(name.as_bytes());
    answer_id(id, reply);
}
