//! `/-/metrics`: what INFO tells, as Prometheus reads it (OpenMetrics text).
//!
//! Nothing is counted for it: each scrape reads the counters that INFO reads. Histograms have the same bounds at every
//! scrape, powers of two of nanoseconds, because those are where the server's own buckets end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Gateway;
use super::answer::{Refused, with_type};
use crate::clients::flag;
use crate::exec::Context;
use crate::exec::footprint::Footprint;
use crate::observe::histogram::Summary;
use crate::observe::process;

const MEDIA: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds of histograms: from a microsecond to 8.6 seconds.
const BOUNDS: std::ops::RangeInclusive<u32> = 10..=33;

/// Answers a scrape.
pub(super) async fn metrics(
    State(gateway): State<Arc<Gateway>>,
    method: Method,
) -> Result<Response, Refused> {
    Refused::unless_reading(&method)?;
    let mut registry = Registry::with_prefix("pinstripe");
    registry.register_collector(Box::new(Source(gateway.ctx.clone())));
    let mut page = String::new();
    match text::encode(&mut page, &registry) {
        Ok(()) => Ok(with_type(StatusCode::OK, MEDIA, page.into_bytes())),
        Err(error) => Err(Refused::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

struct Source(Arc<Context>);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl Collector for Source {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        let ctx = &*self.0;
        server(ctx, &mut page)?;
        clients(ctx, &mut page)?;
        memory(ctx, &mut page)?;
        keys(ctx, &mut page)?;
        commands(ctx, &mut page)?;
        workers(ctx, &mut page)?;
        log(ctx, &mut page)?;
        snapshots(ctx, &mut page)
    }
}

/// The page as it grows.
struct Page<'e>(DescriptorEncoder<'e>);

impl Page<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let counter = ConstCounter::new(value);
        counter.encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn seconds(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let counter = ConstCounter::new(value);
        counter.encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    /// A time or a length of time, given in milliseconds and told in seconds.
    fn gauge_seconds(&mut self, name: &str, help: &str, millis: i64) -> fmt::Result {
        let gauge = ConstGauge::new(millis as f64 / 1000.0);
        gauge.encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        gauge.encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    /// One counter for each value of a label.
    fn counters<L: AsRef<str>>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        rows: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, count) in rows {
            ConstCounter::new(count).encode(metric.encode_family(&[(label, value.as_ref())])?)?;
        }
        Ok(())
    }

    /// One gauge for each value of a label.
    fn gauges<L: AsRef<str>>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        rows: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (value, count) in rows {
            let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
            gauge.encode(metric.encode_family(&[(label, value.as_ref())])?)?;
        }
        Ok(())
    }

    /// One histogram for each value of a label; one without a label where that is empty.
    fn histograms<'r>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        rows: impl IntoIterator<Item = (&'r str, Summary, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (value, summary, nanos) in rows {
            let buckets = buckets(&summary);
            let (sum, count) = (nanos as f64 / 1e9, summary.total());
            if label.is_empty() {
                metric.encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)?;
            } else {
                let labels = [(label, value)];
                metric
                    .encode_family(&labels)?
                    .encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)?;
            }
        }
        Ok(())
    }
}

/// Counts between bounds in seconds, and beyond the last.
fn buckets(summary: &Summary) -> Vec<(f64, u64)> {
    let rows = summary.between_powers_of_two(BOUNDS);
    let below: u64 = rows.iter().map(|(_, count)| count).sum();
    let beyond = (f64::INFINITY, summary.total().saturating_sub(below));
    rows.into_iter().map(|(nanos, count)| (nanos as f64 / 1e9, count)).chain([beyond]).collect()
}

fn server(ctx: &Context, page: &mut Page<'_>) -> fmt::Result {
    let loading = &ctx.loading;
    let uptime = (ctx.clock.unix_ms() - ctx.identity.started_at).max(0) / 1000;
    let cpu = process::cpu_time();
    page.gauges("build_info", "The version, as a label", "version", [(crate::base::version::VERSION, 1)])?;
    page.gauge_seconds(
        "start_time_seconds",
        "When the process started, in Unix time",
        ctx.identity.started_at,
    )?;
    page.gauge("uptime_seconds", "Seconds since the start", uptime as u64)?;
    page.seconds("cpu_user_seconds", "Seconds that the process has computed", cpu.user.as_secs_f64())?;
    page.seconds(
        "cpu_system_seconds",
        "Seconds that the kernel has worked for it",
        cpu.system.as_secs_f64(),
    )?;
    threads(page)?;
    page.gauge("loading", "1 while data is being loaded", u64::from(loading.is_active()))?;
    page.gauge("loading_bytes", "Bytes to load at the start", loading.total.load(Relaxed))?;
    page.gauge("loading_done_bytes", "Bytes of them that were loaded", loading.done.load(Relaxed))?;
    page.gauge("loaded_keys", "Keys that there were when loading had ended", loading.keys.load(Relaxed))?;
    page.gauge_seconds("load_duration_seconds", "How long loading took", loading.took_ms.load(Relaxed) as i64)
}

fn threads(page: &mut Page<'_>) -> fmt::Result {
    let help = "Seconds that each thread has computed";
    let mut metric = page.0.encode_descriptor("thread_cpu_seconds", help, None, MetricType::Counter)?;
    for (name, nanos) in process::threads() {
        let counter = ConstCounter::new(nanos as f64 / 1e9);
        counter.encode(metric.encode_family(&[("thread", name.as_str())])?)?;
    }
    Ok(())
}

fn clients(ctx: &Context, page: &mut Page<'_>) -> fmt::Result {
    let stats = &ctx.stats;
    let connected = ctx.clients.list();
    let blocked = connected.iter().filter(|client| client.has_flag(flag::BLOCKED)).count();
    page.gauge("connected_clients", "Connections, those by HTTP included", connected.len() as u64)?;
    page.gauge("blocked_clients", "Connections whose command waits", blocked as u64)?;
    page.gauge(
        "max_clients",
        "Connections that are let in",
        u64::from(ctx.settings.load().clients.maxclients),
    )?;
    page.counter("connections", "Connections accepted", stats.connections.load(Relaxed))?;
    page.counter("connections_refused", "Connections turned away", stats.connections_refused.load(Relaxed))?;
    page.counter(
        "connections_over_limit",
        "Connections ended because of what they had sent or were owed",
        stats.limit_disconnections.load(Relaxed),
    )?;
    page.counter("net_input_bytes", "Bytes read from clients", stats.sum(|seat| &seat.bytes_in))?;
    page.counter("net_output_bytes", "Bytes written to clients", stats.sum(|seat| &seat.bytes_out))
}

fn memory(ctx: &Context, page: &mut Page<'_>) -> fmt::Result {
    let footprint = Footprint::measure(ctx);
    page.gauge("memory_used_bytes", "Memory in use", footprint.usage.used)?;
    page.gauge("memory_peak_bytes", "The most memory that was in use", footprint.usage.peak)?;
    page.gauge(
        "memory_resident_bytes",
        "Memory as the operating system counts it",
        footprint.usage.resident,
    )?;
    page.gauge("memory_dataset_bytes", "Keys, values and their headers", footprint.dataset)?;
    page.gauge("memory_clients_bytes", "Buffers of connections", footprint.clients)?;
    page.gauge("memory_max_bytes", "The limit of maxmemory, 0 for none", ctx.settings.load().memory.maxmemory)
}

fn keys(ctx: &Context, page: &mut Page<'_>) -> fmt::Result {
    let now = ctx.clock.unix_ms();
    let counts: Vec<_> = (0..ctx.table.databases())
        .map(|db| (format!("db{db}"), ctx.table.counts(db, now)))
        .filter(|(db, counts)| counts.keys > 0 || db == "db0")
        .collect();
    let rows = |pick: fn(&crate::table::Counts) -> usize| {
        counts.iter().map(move |(db, counts)| (db.as_str(), pick(counts) as u64)).collect::<Vec<_>>()
    };
    page.gauges("keys", "Keys", "db", rows(|counts| counts.keys))?;
    page.gauges("keys_with_expiry", "Keys that will expire", "db", rows(|counts| counts.expires))?;
    page.counter("expired_keys", "Keys that have expired", ctx.table.expired())?;
    page.counter("evicted_keys", "Keys that were removed to make room", ctx.evictor.evicted())?;
    page.counter(
        "expire_cycles_cut",
        "Rounds of expiry that ended because their time was up",
        ctx.table.expire_cycles_cut(),
    )?;
    page.counter("keyspace_hits", "Reads that found their key", ctx.stats.sum(|seat| &seat.hits))?;
    page.counter("keyspace_misses", "Reads that did not", ctx.stats.sum(|seat| &seat.misses))?;
    page.counter("changes", "Changes of data", ctx.stats.sum(|seat| &seat.changes))
}

fn commands(ctx: &Context, page: &mut Page<'_>) -> fmt::Result {
    let all: Vec<_> = (0..ctx.registry.total())
        .filter_map(|id| ctx.registry.by_id(id))
        .map(|command| (command, ctx.stats.command(command.id)))
        .filter(|(_, totals)| totals.calls + totals.rejected > 0)
        .collect();
    let rows = |pick: fn(&crate::observe::stats::CommandTotals) -> u64| {
        all.iter()
            .map(move |(command, totals)| (command.full_name.as_str(), pick(totals)))
            .collect::<Vec<_>>()
    };
    page.counter("commands_processed", "Commands processed", ctx.stats.sum(|seat| &seat.processed))?;
    page.counters("commands", "Calls", "command", rows(|totals| totals.calls))?;
    page.counters(
        "command_failures",
        "Calls that answered an error",
        "command",
        rows(|totals| totals.failed),
    )?;
    page.counters(
        "command_rejections",
        "Calls refused before they ran",
        "command",
        rows(|totals| totals.rejected),
    )?;
    let timed = all.iter().filter_map(|(command, totals)| {
        Some((command.full_name.as_str(), ctx.stats.latency(command.id)?, totals.nanos))
    });
    page.histograms("command_duration_seconds", "How long calls ran", "command", timed)?;
    page.counters("errors", "Error replies by their first word", "prefix", ctx.stats.errors())?;
    page.gauge("slowlog_length", "Entries of the slow log", ctx.slowlog.len() as u64)
}

/// The last two seats are those of the regular tasks and of this gateway.
fn workers(ctx: &Context, page: &mut Page<'_>) -> fmt::Result {
    let stats = &ctx.stats;
    let name = |seat: usize| match seat.checked_sub(ctx.identity.workers) {
        None => seat.to_string(),
        Some(0) => "cron".to_owned(),
        Some(_) => "http".to_owned(),
    };
    let rows = |pick: fn(&crate::observe::stats::Seat) -> u64| {
        (0..stats.seats()).map(move |seat| (name(seat), pick(stats.seat(seat)))).collect::<Vec<_>>()
    };
    page.counters("worker_commands", "Commands processed", "worker", rows(|seat| seat.processed.get()))?;
    page.counters("worker_turns", "Batches of commands", "worker", rows(|seat| seat.turns.get()))?;
    page.counters("worker_input_bytes", "Bytes read", "worker", rows(|seat| seat.bytes_in.get()))?;
    page.counters("worker_output_bytes", "Bytes written", "worker", rows(|seat| seat.bytes_out.get()))
}

fn log(ctx: &Context, page: &mut Page<'_>) -> fmt::Result {
    let log = ctx.log.stats();
    let (flushes, nanos) = ctx.stats.flushes();
    page.gauge("log_on", "1 while writes are logged", u64::from(log.on))?;
    page.gauge("log_bytes", "Size of the log's files", log.current_size)?;
    page.gauge("log_base_bytes", "Their size after the last rewrite", log.base_size)?;
    page.gauge("log_pending_bytes", "Bytes that wait to be written", log.pending_bytes)?;
    page.counter("log_records", "Records appended", ctx.log.appended())?;
    page.gauge("log_written_record", "The last record that the operating system has", ctx.log.written())?;
    page.gauge("log_durable_record", "The last record that the device has", ctx.log.durable())?;
    page.histograms(
        "log_flush_duration_seconds",
        "How long clients waited for the operating system to take a group of records",
        "",
        [("", flushes, nanos)],
    )?;
    group_sizes(ctx, page)?;
    let (waits, nanos) = ctx.stats.sync_waits();
    page.histograms(
        "log_sync_wait_duration_seconds",
        "How long clients waited for the device (appendfsync always)",
        "",
        [("", waits, nanos)],
    )?;
    page.counter("log_fsyncs", "Syncs to the device", log.fsyncs)?;
    page.gauge_seconds(
        "log_last_sync_timestamp_seconds",
        "When the log was last synced, in Unix time; 0 before the first time",
        ctx.saves.last_sync.load(Relaxed),
    )?;
    page.counter("log_delayed_fsyncs", "Writes that waited for a sync that was late", log.delayed_fsyncs)?;
    page.gauge(
        "log_healthy",
        "0 while the log cannot be written and writes are refused",
        u64::from(ctx.log.fault().is_none()),
    )
}

/// Records that one write to the operating system took along, and what all of them weighed.
fn group_sizes(ctx: &Context, page: &mut Page<'_>) -> fmt::Result {
    let groups = ctx.log.groups();
    let bound = |most: u64| if most == u64::MAX { f64::INFINITY } else { most as f64 };
    let buckets: Vec<(f64, u64)> = groups.rows.iter().map(|&(most, count)| (bound(most), count)).collect();
    let count = buckets.iter().map(|(_, count)| count).sum();
    let help = "Records that were handed to the operating system together";
    page.0
        .encode_descriptor("log_group_records", help, None, MetricType::Histogram)?
        .encode_histogram::<[(&str, &str); 0]>(groups.records as f64, count, &buckets, None)?;
    page.counter("log_group_bytes", "Bytes of these groups, with the lines that check them", groups.bytes)
}

fn snapshots(ctx: &Context, page: &mut Page<'_>) -> fmt::Result {
    let saves = &ctx.saves;
    let since = |seconds: i64| seconds.max(0) as u64;
    page.gauge(
        "rewrite_in_progress",
        "1 while the log is rewritten",
        u64::from(saves.rewriting.load(Relaxed)),
    )?;
    page.gauge(
        "rewrite_scheduled",
        "1 while a rewrite waits for a snapshot to end",
        u64::from(saves.rewrite_scheduled.load(Relaxed)),
    )?;
    page.counter("rewrites", "Rewrites of the log", saves.rewrites.load(Relaxed))?;
    page.gauge(
        "rewrite_last_duration_seconds",
        "How long the last rewrite took",
        since(saves.last_rewrite_seconds.load(Relaxed)),
    )?;
    page.gauge("rewrite_last_ok", "0 after one that failed", u64::from(saves.last_rewrite_ok.load(Relaxed)))?;
    page.gauge("save_in_progress", "1 while a snapshot is written", u64::from(saves.saving.load(Relaxed)))?;
    page.counter("saves", "Snapshots written", saves.saves.load(Relaxed))?;
    let changes = ctx.stats.sum(|seat| &seat.changes);
    page.gauge(
        "changes_since_save",
        "Changes since the last snapshot",
        changes.saturating_sub(saves.changes_at_save.load(Relaxed)),
    )?;
    page.gauge(
        "save_last_timestamp_seconds",
        "When the last one was written",
        since(saves.last_save.load(Relaxed)),
    )?;
    page.gauge("save_last_ok", "0 after one that failed", u64::from(saves.last_save_ok.load(Relaxed)))
}
