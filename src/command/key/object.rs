//! OBJECT subcommand key — how a value is kept and how it is used; looking does not count as use.
//!
//! How often and when a key was used is read differently under different eviction policies, so these two rows see the
//! whole table. They look without a time: an expired key must not be removed by one who cannot log its removal.

use crate::base::clock::Millis;
use crate::base::refusal::Refusal;
use crate::command::help;
use crate::exec::{Args, Context, Effect, Group, KeySpec, Run, Session, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;
use crate::value::TextRef;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "object",
    arity: -2,
    since: "2.2.3",
    group: Group::Generic,
    summary: "Holds the commands that look at how values are kept.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        ENCODING,
        Spec {
            name: "freq",
            flags: flag::READONLY | flag::TABLE_WIDE,
            since: "4.0.0",
            summary: "Tells how often a key is used, on a logarithmic scale.",
            run: Run::Host(freq),
            ..ENCODING
        },
        Spec {
            name: "help",
            acl: acl::KEYSPACE,
            since: "6.2.0",
            group: Group::Generic,
            run: Run::Host(helped),
            ..help::HELP
        },
        Spec {
            name: "idletime",
            flags: flag::READONLY | flag::TABLE_WIDE,
            summary: "Tells how many seconds ago a key was last used.",
            run: Run::Host(idle_time),
            ..ENCODING
        },
        Spec {
            name: "refcount",
            summary: "Tells how many references to a value there are.",
            run: Run::Read(ref_count),
            ..ENCODING
        },
    ],
    run: Run::Container,
    ..Spec::DEFAULT
}];

const ENCODING: Spec = Spec {
    name: "encoding",
    arity: 3,
    keys: &[KeySpec::at(2, key::RO)],
    flags: flag::READONLY | flag::NO_TOUCH_KEY | flag::SILENT_MISS,
    acl: acl::KEYSPACE,
    since: "2.2.3",
    group: Group::Generic,
    summary: "Tells how the value of a key is kept in memory.",
    syntax: "key",
    run: Run::Read(encoding),
    ..Spec::DEFAULT
};

/// The end of both refusals about a policy.
const PATIENCE: &str = "Please note that when switching between policies at runtime LRU and LFU data will take some \
                        time to adjust.";

/// Integers below this that Redis keeps once for all keys that hold them.
const SHARED_INTEGERS: i64 = 10_000;

/// The count of references that Redis shows for what it keeps once for all.
const SHARED: i64 = i32::MAX as i64;

fn encoding(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    match entry {
        Some(entry) => reply.bulk(entry.encoding().as_bytes()),
        None => reply.null(),
    }
    Ok(())
}

/// Values are not shared between keys here. Clients see what they see of Redis nevertheless: small integers are.
fn ref_count(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    match entry.map(Entry::text) {
        Some(Ok(TextRef::Int(0..SHARED_INTEGERS))) => reply.int(SHARED),
        Some(_) => reply.int(1),
        None => reply.null(),
    }
    Ok(())
}

fn freq(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let policy = &ctx.table.access;
    match record_of_use(args.word()?, ctx, session, args.now()) {
        None => reply.null(),
        Some(record) if policy.is_lfu() => reply.int(policy.frequency(record, args.now()).into()),
        Some(_) => {
            return Err(Refusal::err(format!(
                "An LFU maxmemory policy is not selected, access frequency not tracked. {PATIENCE}"
            )));
        }
    }
    Ok(Effect::None)
}

fn idle_time(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let policy = &ctx.table.access;
    match record_of_use(args.word()?, ctx, session, args.now()) {
        None => reply.null(),
        Some(record) if !policy.is_lfu() => reply.int(policy.idle_seconds(record, args.now()).into()),
        Some(_) => {
            return Err(Refusal::err(format!(
                "An LFU maxmemory policy is selected, idle time not tracked. {PATIENCE}"
            )));
        }
    }
    Ok(Effect::None)
}

fn record_of_use(key: &[u8], ctx: &Context, session: &Session, now: Millis) -> Option<u32> {
    let address = ctx.table.address(session.db, key);
    ctx.table.write(address, key, Millis::MIN, |slot| {
        slot.entry().filter(|entry| entry.expiry() > now).map(Entry::access)
    })
}

fn helped(_: &mut Args<'_>, _: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let lines = [
        "ENCODING <key>",
        "    How the value is kept in memory: int, embstr, raw, listpack and so on.",
        "FREQ <key>",
        "    How often the key is used, on a logarithmic scale from 0 to 255. Known",
        "    only under an LFU eviction policy.",
        "IDLETIME <key>",
        "    How many seconds ago the key was last used. Unknown under an LFU",
        "    eviction policy.",
        "REFCOUNT <key>",
        "    How many references to the value there are.",
    ];
    help::write("OBJECT", &lines, reply);
    Ok(Effect::None)
}
