//! MEMORY — what the memory is used for: USAGE of a key, STATS and DOCTOR of the whole, PURGE, MALLOC-STATS.

use crate::base::refusal::Refusal;
use crate::command::help;
use crate::exec::footprint::{Footprint, percent, ratio};
use crate::exec::{Args, Context, Effect, Group, KeySpec, Run, Session, Spec, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "memory",
    arity: -2,
    since: "4.0.0",
    group: Group::Server,
    summary: "Holds the commands about memory.",
    complexity: "Depends on subcommand.",
    run: Run::Container,
    subcommands: &[
        Spec {
            name: "doctor",
            // It counts the bytes of all databases.
            flags: flag::TABLE_WIDE,
            summary: "Tells in words what is unusual about the use of memory.",
            run: Run::Host(doctor),
            ..SUBCOMMAND
        },
        Spec {
            name: "help",
            since: "4.0.0",
            summary: "Lists the subcommands with a word on each.",
            run: Run::Host(help),
            ..help::HELP
        },
        Spec {
            name: "malloc-stats",
            summary: "Shows what the allocator tells of itself.",
            complexity: "Depends on how much memory is allocated, could be slow",
            run: Run::Host(malloc_stats),
            ..SUBCOMMAND
        },
        Spec {
            name: "purge",
            summary: "Asks the allocator to give memory back.",
            complexity: "Depends on how much memory is allocated, could be slow",
            run: Run::Host(purge),
            ..SUBCOMMAND
        },
        Spec {
            name: "stats",
            flags: flag::TABLE_WIDE,
            summary: "Shows what the memory is used for, in figures.",
            run: Run::Host(stats),
            ..SUBCOMMAND
        },
        Spec {
            name: "usage",
            arity: -3,
            keys: &[KeySpec::at(2, key::RO)],
            flags: flag::READONLY | flag::NO_TOUCH_KEY | flag::SILENT_MISS,
            summary: "Tells how many bytes a key and its value occupy.",
            complexity: "O(N) where N is the number of samples.",
            syntax: "key [SAMPLES count]",
            run: Run::Read(usage),
            ..SUBCOMMAND
        },
    ],
    ..Spec::DEFAULT
}];

const SUBCOMMAND: Spec = Spec { arity: 2, since: "4.0.0", group: Group::Server, ..Spec::DEFAULT };

type Done = Result<Effect, Refusal>;

/// Bytes below which the doctor has nothing to say: rounding and buffers outweigh the data there.
const DOCTOR_MIN: u64 = 5 * 1024 * 1024;
/// More than this share of what is in use, in percent, was in use once: the operating system may still hold it.
const DOCTOR_PEAK_PERCENT: f64 = 150.0;
/// More than this is resident for each byte in use.
const DOCTOR_FRAGMENTATION: f64 = 1.4;
/// More than this for each connection: somebody does not read the replies.
const DOCTOR_CLIENT: u64 = 200 * 1024;

fn usage(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    // Values know their size, so there is nothing to sample; the option is checked and has no effect.
    while !args.is_done() {
        if !args.accept("samples") {
            return Err(Refusal::Syntax);
        }
        if args.int()? < 0 {
            return Err(Refusal::Syntax);
        }
    }
    match entry {
        Some(entry) => reply.int(entry.bytes() as i64),
        None => reply.null(),
    }
    Ok(())
}

fn stats(_: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    let now = ctx.clock.unix_ms();
    let footprint = Footprint::measure(ctx);
    let usage = footprint.usage;
    let databases: Vec<_> = (0..ctx.table.databases())
        .map(|db| (db, ctx.table.counts(db, now)))
        .filter(|(_, counts)| counts.keys > 0)
        .collect();
    let keys: u64 = databases.iter().map(|(_, counts)| counts.keys as u64).sum();
    let lost = usage.resident as i64 - usage.used as i64;
    let int = |name: &str, value: i64, reply: &mut Reply<'_>| {
        reply.bulk(name.as_bytes());
        reply.int(value);
    };
    let double = |name: &str, value: f64, reply: &mut Reply<'_>| {
        reply.bulk(name.as_bytes());
        reply.double(value);
    };
    reply.map(FIELDS + databases.len());
    int("peak.allocated", usage.peak as i64, reply);
    int("total.allocated", usage.used as i64, reply);
    int("startup.allocated", usage.startup as i64, reply);
    int("replication.backlog", 0, reply);
    int("clients.slaves", 0, reply);
    int("clients.normal", footprint.clients as i64, reply);
    int("cluster.links", 0, reply);
    int("aof.buffer", footprint.log as i64, reply);
    int("lua.caches", ctx.scripts.usage().bytes as i64, reply);
    int("functions.caches", 0, reply);
    for (db, _) in &databases {
        reply.bulk(format!("db.{db}").as_bytes());
        reply.map(3);
        // The tables' own bytes are counted with the entries that need them.
        int("overhead.hashtable.main", 0, reply);
        int("overhead.hashtable.expires", 0, reply);
        int("overhead.hashtable.slot-to-keys", 0, reply);
    }
    int("overhead.total", footprint.overhead() as i64, reply);
    int("keys.count", keys as i64, reply);
    int("keys.bytes-per-key", footprint.dataset.checked_div(keys).unwrap_or(0) as i64, reply);
    int("dataset.bytes", footprint.dataset as i64, reply);
    double("dataset.percentage", footprint.dataset_percent(), reply);
    double("peak.percentage", percent(usage.used, usage.peak), reply);
    int("allocator.allocated", usage.used as i64, reply);
    int("allocator.active", usage.resident as i64, reply);
    int("allocator.resident", usage.resident as i64, reply);
    double("allocator-fragmentation.ratio", 1.0, reply);
    int("allocator-fragmentation.bytes", 0, reply);
    double("allocator-rss.ratio", ratio(usage.resident, usage.used), reply);
    int("allocator-rss.bytes", lost, reply);
    double("rss-overhead.ratio", 1.0, reply);
    int("rss-overhead.bytes", 0, reply);
    double("fragmentation", footprint.fragmentation(), reply);
    int("fragmentation.bytes", lost, reply);
    Ok(Effect::None)
}

/// Fields of MEMORY STATS beside those of the databases.
const FIELDS: usize = 27;

fn doctor(_: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    let report = diagnose(&Footprint::measure(ctx), ctx.clients.len() as u64);
    reply.verbatim(b"txt", report.as_bytes());
    Ok(Effect::None)
}

/// What is unusual, one paragraph each.
fn diagnose(footprint: &Footprint, clients: u64) -> String {
    let usage = &footprint.usage;
    if footprint.dataset + footprint.clients < DOCTOR_MIN {
        return "There is hardly any data yet, so nothing can be said about the use of memory.\n".to_owned();
    }
    let mut report = String::new();
    if percent(usage.peak, usage.used) > DOCTOR_PEAK_PERCENT {
        report.push_str(&format!(
            " * Peak: {} bytes were in use once, {} are now. What was freed may still be resident until it is needed \
             again.\n",
            usage.peak, usage.used
        ));
    }
    if footprint.fragmentation() > DOCTOR_FRAGMENTATION {
        report.push_str(&format!(
            " * Fragmentation: {} bytes are resident for {} in use. Values that change their size often leave gaps; \
             a restart closes them.\n",
            usage.resident, usage.used
        ));
    }
    if footprint.clients > clients.saturating_mul(DOCTOR_CLIENT) {
        report.push_str(&format!(
            " * Clients: {clients} connections hold {} bytes of buffers. Look in CLIENT LIST for one that sends \
             much or does not read its replies.\n",
            footprint.clients
        ));
    }
    match report.is_empty() {
        true => "Nothing is unusual about the use of memory.\n".to_owned(),
        false => format!("This is unusual about the use of memory:\n\n{report}"),
    }
}

fn malloc_stats(_: &mut Args<'_>, _: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    reply.verbatim(b"txt", b"The allocator, mimalloc, keeps no statistics that could be shown here.\n");
    Ok(Effect::None)
}

fn purge(_: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    // Done in the background, a moment later.
    ctx.freer.give_back();
    reply.ok();
    Ok(Effect::None)
}

fn help(_: &mut Args<'_>, _: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    help::write(
        "MEMORY",
        &[
            "DOCTOR",
            "    Tell in words what is unusual about the use of memory.",
            "MALLOC-STATS",
            "    Show what the allocator tells of itself.",
            "PURGE",
            "    Ask the allocator to give memory back.",
            "STATS",
            "    Show what the memory is used for, in figures.",
            "USAGE <key> [SAMPLES <count>]",
            "    Tell how many bytes <key> and its value occupy. SAMPLES has no effect:",
            "    values know their size.",
        ],
        reply,
    );
    Ok(Effect::None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::memory::Usage;

    fn footprint(used_mb: u64, peak_mb: u64, resident_mb: u64, clients_mb: u64) -> Footprint {
        let mb = |n: u64| n << 20;
        let usage = Usage { startup: mb(2), used: mb(used_mb), peak: mb(peak_mb), resident: mb(resident_mb) };
        Footprint {
            usage,
            dataset: mb(used_mb.saturating_sub(2 + clients_mb)),
            clients: mb(clients_mb),
            log: 0,
            garbage: 0,
        }
    }

    #[test]
    fn the_doctor_tells_only_what_is_unusual() {
        assert!(diagnose(&footprint(3, 3, 30, 0), 1).starts_with("There is hardly any data"));
        assert!(diagnose(&footprint(100, 110, 120, 0), 1).starts_with("Nothing is unusual"));
        let report = diagnose(&footprint(100, 400, 390, 50), 1);
        assert_eq!(report.matches(" * ").count(), 3, "{report}");
        assert!(!diagnose(&footprint(100, 110, 120, 50), 1000).contains("Clients:"));
    }
}
