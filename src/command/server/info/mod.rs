//! INFO [section …] — what the server is doing, as lines that people, clients and monitoring read.
//!
//! ```text
//! # Clients
//! connected_clients:1
//! ```
//!
//! Sections, names and their order are those of Redis 7.0.15, because exporters look for them; fields about what this
//! server does not have (forks, replicas, defragmentation) tell so by their zeros.

mod clients;
mod commandstats;
mod cpu;
mod errorstats;
mod keyspace;
mod latencystats;
mod memory;
mod persistence;
mod replication;
mod server;
mod stats;

use std::fmt::Display;

use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "info",
    arity: -1,
    // It counts the keys of all databases.
    flags: flag::LOADING | flag::STALE | flag::TABLE_WIDE,
    acl: acl::DANGEROUS,
    group: Group::Server,
    summary: "Tells what the server is doing and what it has done.",
    syntax: "[section [section ...]]",
    run: Run::Host(info),
    ..Spec::DEFAULT
}];

/// A part of the page.
struct Section {
    /// As in its headline.
    name: &'static str,
    /// It is shown where no section is named.
    by_default: bool,
    write: fn(&Context, &mut Page),
}

/// The sections in their order.
const SECTIONS: &[Section] = &[
    Section { name: "Server", by_default: true, write: server::write },
    Section { name: "Clients", by_default: true, write: clients::write },
    Section { name: "Memory", by_default: true, write: memory::write },
    Section { name: "Persistence", by_default: true, write: persistence::write },
    Section { name: "Stats", by_default: true, write: stats::write },
    Section { name: "Replication", by_default: true, write: replication::write },
    Section { name: "CPU", by_default: true, write: cpu::write },
    // There are none; clients look for the headline.
    Section { name: "Modules", by_default: true, write: |_, _| {} },
    Section { name: "Commandstats", by_default: false, write: commandstats::write },
    Section { name: "Errorstats", by_default: true, write: errorstats::write },
    Section { name: "Latencystats", by_default: false, write: latencystats::write },
    Section { name: "Cluster", by_default: true, write: |_, page| page.field("cluster_enabled", 0) },
    Section { name: "Keyspace", by_default: true, write: keyspace::write },
];

fn info(
    args: &mut Args<'_>,
    ctx: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let mut page = Page::default();
    for section in asked_for(args.rest()) {
        page.headline(section.name);
        (section.write)(ctx, &mut page);
    }
    reply.verbatim(b"txt", page.0.as_bytes());
    Ok(Effect::None)
}

/// The sections that these words name, in the order of the page; names that are not known are passed over.
fn asked_for<'a>(words: impl Iterator<Item = &'a [u8]>) -> Vec<&'static Section> {
    let words: Vec<&[u8]> = words.collect();
    let named = |name: &str| words.iter().any(|word| word.eq_ignore_ascii_case(name.as_bytes()));
    let all = named("all") || named("everything");
    let default = words.is_empty() || named("default");
    let asked = |section: &&Section| all || (default && section.by_default) || named(section.name);
    SECTIONS.iter().filter(asked).collect()
}

/// The text as it grows.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Begins a section, a blank line after the last one.
    fn headline(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push_str("\r\n");
        }
        self.0.push_str(&format!("# {name}\r\n"));
    }

    fn field(&mut self, name: impl Display, value: impl Display) {
        self.0.push_str(&format!("{name}:{value}\r\n"));
    }

    /// Fields that are always 0, because what they count is not done here.
    fn zeros(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.field(name, 0));
    }

    /// A number of bytes, then the same with a unit in a field of its own.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.field(format_args!("{name}_human"), human(bytes));
    }
}

/// Bytes with the unit that fits, as Redis writes them: `512B`, `1.50K`, `3.25G`.
fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut size = bytes as f64;
    let mut unit = ' ';
    for next in ['K', 'M', 'G', 'T', 'P', 'E'] {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    format!("{size:.2}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> String {
        let found = asked_for(line.split_whitespace().map(str::as_bytes));
        found.iter().map(|section| section.name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn sections_come_in_the_order_of_the_page() {
        let default =
            "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace";
        assert_eq!(asked(""), default);
        assert_eq!(asked("nosuch DEFAULT"), default);
        assert_eq!(asked("keyspace CLUSTER keyspace"), "Cluster Keyspace");
        assert_eq!(asked("nosuch"), "");
        assert_eq!(asked("all").split(' ').count(), SECTIONS.len());
        assert_eq!(asked("everything"), asked("All"));
    }

    #[test]
    fn a_blank_line_stands_between_sections() {
        let mut page = Page::default();
        page.headline("One");
        page.field("a", 1);
        page.headline("Two");
        page.bytes("b", 2048);
        assert_eq!(page.0, "# One\r\na:1\r\n\r\n# Two\r\nb:2048\r\nb_human:2.00K\r\n");
    }

    #[test]
    fn sizes_take_the_unit_that_fits() {
        for (bytes, text) in [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1_039_920, "1015.55K")] {
            assert_eq!(human(bytes), text);
        }
        assert_eq!(human(25_276_510_208), "23.54G");
        assert_eq!(human(u64::MAX), "16.00E");
    }
}
