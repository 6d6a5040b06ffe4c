//! LATENCY — where time was lost: spikes by event (LATEST, HISTORY, GRAPH, DOCTOR, RESET), and how long the calls of each
//! command took (HISTOGRAM).
//!
//! Spikes are kept from `latency-monitor-threshold` on, which is 0, meaning never, unless it is set; histograms are
//! kept always, unless `latency-tracking` is off.

use crate::base::refusal::Refusal;
use crate::command::help;
use crate::exec::registry::Command;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, flag};
use crate::observe::latency::Event;
use crate::resp::reply::Reply;

use super::sparkline::sparkline;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "latency",
    arity: -2,
    since: "2.8.13",
    group: Group::Server,
    summary: "Holds the commands about lost time.",
    complexity: "Depends on subcommand.",
    run: Run::Container,
    subcommands: &[
        Spec {
            name: "doctor",
            summary: "Tells in words which events took long and what to do about it.",
            run: Run::Host(doctor),
            ..SUBCOMMAND
        },
        Spec {
            name: "graph",
            arity: 3,
            summary: "Draws the spikes of an event.",
            syntax: "event",
            run: Run::Host(graph),
            ..SUBCOMMAND
        },
        Spec {
            name: "help",
            since: "2.8.13",
            summary: "Lists the subcommands with a word on each.",
            run: Run::Host(help),
            ..help::HELP
        },
        Spec {
            name: "histogram",
            arity: -2,
            since: "7.0.0",
            summary: "Returns how many calls of each command took how long.",
            complexity: "O(N) where N is the number of commands with latency information being retrieved.",
            syntax: "[command [command ...]]",
            run: Run::Host(histogram),
            ..SUBCOMMAND
        },
        Spec {
            name: "history",
            arity: 3,
            summary: "Returns the spikes of an event with their times.",
            syntax: "event",
            run: Run::Host(history),
            ..SUBCOMMAND
        },
        Spec {
            name: "latest",
            summary: "Returns the latest and the longest spike of each event.",
            run: Run::Host(latest),
            ..SUBCOMMAND
        },
        Spec {
            name: "reset",
            arity: -2,
            summary: "Forgets the spikes of the named events, or of all.",
            syntax: "[event [event ...]]",
            run: Run::Host(reset),
            ..SUBCOMMAND
        },
    ],
    ..Spec::DEFAULT
}];

const SUBCOMMAND: Spec = Spec {
    arity: 2,
    flags: flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE,
    since: "2.8.13",
    group: Group::Server,
    ..Spec::DEFAULT
};

type Done = Result<Effect, Refusal>;

fn latest(_: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    let events = ctx.latency.events();
    reply.array(events.len());
    for (name, event) in events {
        let (at, ms) = event.spikes.back().copied().unwrap_or_default();
        reply.array(4);
        reply.bulk(name.as_bytes());
        reply.int(at);
        reply.int(ms as i64);
        reply.int(event.longest_ms as i64);
    }
    Ok(Effect::None)
}

fn history(args: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    let spikes = ctx.latency.event(args.word()?).map(|event| event.spikes).unwrap_or_default();
    reply.array(spikes.len());
    for (at, ms) in spikes {
        reply.array(2);
        reply.int(at);
        reply.int(ms as i64);
    }
    Ok(Effect::None)
}

fn reset(args: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    let names: Vec<&[u8]> = args.rest().collect();
    reply.int(ctx.latency.reset(&names) as i64);
    Ok(Effect::None)
}

fn graph(args: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    let name = args.word()?;
    let shown = String::from_utf8_lossy(name);
    let event = ctx
        .latency
        .event(name)
        .ok_or_else(|| Refusal::err(format!("No samples available for event '{}'", one_line(&shown))))?;
    reply.verbatim(b"txt", draw(&shown, &event, ctx.clock.unix_ms() / 1000).as_bytes());
    Ok(Effect::None)
}

/// A client's word within an error's line, which a line end would cut in two.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The headline and the picture of an event's spikes at a time in Unix seconds.
fn draw(name: &str, event: &Event, now: i64) -> String {
    let lengths = || event.spikes.iter().map(|(_, ms)| *ms);
    let (high, low) = (lengths().max().unwrap_or(0), lengths().min().unwrap_or(0));
    let columns: Vec<(u64, String)> =
        event.spikes.iter().map(|(at, ms)| (*ms, age((now - at).max(0)))).collect();
    format!(
        "{name} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n{}",
        event.longest_ms,
        "-".repeat(80),
        sparkline(&columns)
    )
}

/// A time ago with the unit that fits, such as `59s` or `3h`.
fn age(seconds: i64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn doctor(_: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    let threshold = ctx.settings.load().observe.latency_monitor_threshold;
    let report = diagnose(&ctx.latency.events(), threshold, ctx.clock.unix_ms() / 1000);
    reply.verbatim(b"txt", report.as_bytes());
    Ok(Effect::None)
}

/// What took long and what to do about it.
fn diagnose(events: &[(&str, Event)], threshold: u64, now: i64) -> String {
    if events.is_empty() {
        return match threshold {
            0 => "Spikes of latency are not recorded. CONFIG SET latency-monitor-threshold <milliseconds> begins it.\n",
            _ => "No spike of latency was seen.\n",
        }
        .to_owned();
    }
    let mut report = "These took long:\n\n".to_owned();
    for (number, (name, event)) in events.iter().enumerate() {
        let count = event.spikes.len().max(1) as u64;
        let mean = event.spikes.iter().map(|(_, ms)| ms).sum::<u64>() / count;
        let deviation = event.spikes.iter().map(|(_, ms)| ms.abs_diff(mean)).sum::<u64>() / count;
        let first = event.spikes.front().map_or(now, |(at, _)| *at);
        report.push_str(&format!(
            "{}. {name}: {} latency spikes (average {mean}ms, mean deviation {deviation}ms, period {:.2} sec). \
             Worst all time event {}ms.\n",
            number + 1,
            event.spikes.len(),
            (now - first).max(0) as f64 / count as f64,
            event.longest_ms
        ));
    }
    report.push_str("\nWhat may help:\n\n");
    if events.iter().any(|(name, _)| *name == "command") {
        report.push_str(&format!(
            "- SLOWLOG GET shows which commands they were, if slowlog-log-slower-than is at most {} microseconds.\n\
             - A command that looks at many keys at once can be replaced by several smaller ones, as SCAN does for KEYS.\n",
            threshold.saturating_mul(1000)
        ));
    }
    if events.iter().any(|(name, _)| *name == "fast-command") {
        report.push_str(
            "- Commands that take constant time were slow: the machine is busy with something else, or memory is \
             being swapped.\n",
        );
    }
    if events.iter().any(|(name, _)| name.contains("aof") || name.contains("fsync")) {
        report.push_str(
            "- The disk was slow. appendfsync everysec waits for it once a second instead of at every write.\n",
        );
    }
    report
}

fn with_subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    std::iter::once(command).chain(&command.subcommands)
}

fn histogram(args: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    let commands: Vec<&Command> = match args.is_done() {
        true => ctx.registry.commands().iter().flat_map(with_subcommands).collect(),
        false => {
            args.rest().filter_map(|name| ctx.registry.by_name(name)).flat_map(with_subcommands).collect()
        }
    };
    let measured: Vec<_> =
        commands.into_iter().filter_map(|command| Some((command, ctx.stats.latency(command.id)?))).collect();
    reply.map(measured.len());
    for (command, latency) in measured {
        reply.bulk(command.full_name.as_bytes());
        reply.map(2);
        reply.bulk(b"calls");
        reply.int(latency.total() as i64);
        reply.bulk(b"histogram_usec");
        let rows = latency.by_microseconds();
        reply.map(rows.len());
        for (micros, count) in rows {
            reply.int(micros as i64);
            reply.int(count as i64);
        }
    }
    Ok(Effect::None)
}

fn help(_: &mut Args<'_>, _: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Done {
    help::write(
        "LATENCY",
        &[
            "DOCTOR",
            "    Tell in words which events took long and what to do about it.",
            "GRAPH <event>",
            "    Draw the spikes of an <event>.",
            "HISTORY <event>",
            "    Return the spikes of an <event> with their times.",
            "LATEST",
            "    Return the latest and the longest spike of each event.",
            "RESET [<event> ...]",
            "    Forget the spikes of the named events, of all without a name.",
            "HISTOGRAM [<command> ...]",
            "    Return how many calls of the named commands took how long, of all",
            "    without a name.",
        ],
        reply,
    );
    Ok(Effect::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(spikes: &[(i64, u64)]) -> Event {
        let longest_ms = spikes.iter().map(|(_, ms)| *ms).max().unwrap_or(0);
        Event { longest_ms, spikes: spikes.iter().copied().collect() }
    }

    #[test]
    fn a_graph_has_a_headline_a_rule_and_ages() {
        let text = draw("command", &event(&[(97, 20), (98, 30)]), 100);
        let rule = "-".repeat(80);
        let expected = format!(
            "command - high 30 ms, low 20 ms (all time high 30 ms)\n{rule}\n #\n |\n |\n_|\n\n32\nss\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn ages_take_the_unit_that_fits() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (200_000, "2d")] {
            assert_eq!(age(seconds), text);
        }
    }

    #[test]
    fn the_doctor_tells_each_event_with_its_figures() {
        assert!(diagnose(&[], 0, 0).contains("latency-monitor-threshold"));
        assert_eq!(diagnose(&[], 5, 0), "No spike of latency was seen.\n");
        let report = diagnose(&[("command", event(&[(97, 20), (98, 30)]))], 5, 100);
        let line = "1. command: 2 latency spikes (average 25ms, mean deviation 5ms, period 1.50 sec). Worst all time \
                    event 30ms.\n";
        assert!(report.contains(line), "{report}");
        assert!(report.contains("5000 microseconds"));
    }
}
