//! The live figures: what INFO, SLOWLOG GET and CLIENT LIST tell, read from the same counters, for the page.
//!
//! Counters only grow and latencies are counts by bucket, so the page makes rates and percentiles of any span out of two
//! answers, and the server keeps nothing for it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value as Json, json};

use super::super::Gateway;
use super::super::answer::{Refused, json as answer};
use crate::base::bytes::repr;
use crate::clients::{Client, flag};
use crate::exec::Context;
use crate::exec::footprint::Footprint;
use crate::observe::histogram::Summary;
use crate::observe::process;

/// Entries of the slow log and clients that are told; the counts tell of the rest.
const ROWS: usize = 50;

/// Answers the figures.
pub(super) async fn state(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
) -> Result<Response, Refused> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Refused::method("GET, HEAD").and_close());
    }
    let ctx = &*gateway.ctx;
    let now = ctx.clock.unix_ms();
    let (commands, latency) = commands(ctx);
    let state = json!({
        "now_ms": now,
        "elapsed_ms": ctx.clock.elapsed().as_micros() as f64 / 1000.0,
        "server": server(ctx),
        "totals": totals(ctx),
        "latency": latency,
        "commands": commands,
        "memory": memory(ctx),
        "databases": databases(ctx, now),
        "clients": clients(ctx, now),
        "slowlog": slowlog(ctx),
        "log": log(ctx),
        "saves": saves(ctx),
        "workers": workers(ctx),
    });
    Ok(answer(StatusCode::OK, state.to_string().into_bytes()))
}

fn server(ctx: &Context) -> Json {
    let (config, loading) = (ctx.settings.load(), &ctx.loading);
    json!({
        "version": crate::base::version::VERSION,
        "redis_version": crate::base::version::REDIS_VERSION,
        "run_id": ctx.identity.run_id,
        "started_ms": ctx.identity.started_at,
        "port": config.network.port,
        "databases": ctx.table.databases(),
        "writes": config.network.http_console_writes,
        "loading": loading.is_active(),
        "loading_bytes": [loading.done.load(Relaxed), loading.total.load(Relaxed)],
    })
}

fn totals(ctx: &Context) -> Json {
    let stats = &ctx.stats;
    json!({
        "commands": stats.sum(|seat| &seat.processed),
        "errors": stats.sum(|seat| &seat.errors),
        "hits": stats.sum(|seat| &seat.hits),
        "misses": stats.sum(|seat| &seat.misses),
        "changes": stats.sum(|seat| &seat.changes),
        "bytes_in": stats.sum(|seat| &seat.bytes_in),
        "bytes_out": stats.sum(|seat| &seat.bytes_out),
        "expired": ctx.table.expired(),
        "evicted": ctx.evictor.evicted(),
        "connections": stats.connections.load(Relaxed),
        "connections_refused": stats.connections_refused.load(Relaxed),
    })
}

/// Each command that was called, and the latencies of all together: pairs of a bucket's end in nanoseconds and its count.
fn commands(ctx: &Context) -> (Vec<Json>, Vec<(u64, u64)>) {
    let mut all = Summary::default();
    let mut rows = Vec::new();
    for command in (0..ctx.registry.total()).filter_map(|id| ctx.registry.by_id(id)) {
        let totals = ctx.stats.command(command.id);
        if totals.calls + totals.rejected == 0 {
            continue;
        }
        let latency = ctx.stats.latency(command.id);
        let percentile = |percent| latency.as_ref().map(|latency| latency.percentile(percent));
        rows.push(json!({
            "name": command.full_name.replace('|', " "),
            "calls": totals.calls,
            "nanos": totals.nanos,
            "errors": totals.failed + totals.rejected,
            "p50_ns": percentile(50.0),
            "p99_ns": percentile(99.0),
        }));
        latency.iter().for_each(|latency| all.add(latency));
    }
    (rows, all.buckets().collect())
}

fn memory(ctx: &Context) -> Json {
    let footprint = Footprint::measure(ctx);
    json!({
        "used": footprint.usage.used,
        "peak": footprint.usage.peak,
        "resident": footprint.usage.resident,
        "dataset": footprint.dataset,
        "clients": footprint.clients,
        "max": ctx.settings.load().memory.maxmemory,
    })
}

fn databases(ctx: &Context, now: i64) -> Vec<Json> {
    let counts = (0..ctx.table.databases()).map(|db| (db, ctx.table.counts(db, now)));
    counts
        .filter(|(db, counts)| counts.keys > 0 || *db == 0)
        .map(|(db, counts)| {
            json!({
                "db": db,
                "keys": counts.keys,
                "expires": counts.expires,
                "mean_ttl_ms": counts.ttl_sum_ms.checked_div(counts.expires as u128).unwrap_or(0) as u64,
                "bytes": counts.bytes,
            })
        })
        .collect()
}

fn clients(ctx: &Context, now: i64) -> Json {
    let all = ctx.clients.list();
    let blocked = all.iter().filter(|client| client.has_flag(flag::BLOCKED)).count();
    let rows: Vec<Json> = all.iter().take(ROWS).map(|client| one_client(ctx, client, now)).collect();
    json!({
        "connected": all.len(),
        "blocked": blocked,
        "max": ctx.settings.load().clients.maxclients,
        "list": rows,
    })
}

fn one_client(ctx: &Context, client: &Client, now: i64) -> Json {
    let last = ctx.registry.by_id(client.last_command.load(Relaxed) as usize);
    let seconds = |since: i64| (now - since).max(0) / 1000;
    json!({
        "id": client.id,
        "address": client.address,
        "name": client.names().name,
        "db": client.db.load(Relaxed),
        "protocol": client.protocol.load(Relaxed),
        "age_s": seconds(client.since),
        "idle_s": seconds(client.last_use.load(Relaxed)),
        "command": last.map(|command| command.full_name.replace('|', " ")),
        "commands": client.commands.load(Relaxed),
        "bytes": [client.traffic[0].load(Relaxed), client.traffic[1].load(Relaxed)],
        "blocked": client.has_flag(flag::BLOCKED),
    })
}

fn slowlog(ctx: &Context) -> Json {
    let entries: Vec<Json> = ctx
        .slowlog
        .newest(ROWS)
        .into_iter()
        .map(|slow| {
            let words: Vec<String> = slow.words.iter().map(|word| shown(word)).collect();
            json!({
                "id": slow.id,
                "at_s": slow.at,
                "micros": slow.micros,
                "command": words.join(" "),
                "address": slow.address,
                "name": slow.name,
            })
        })
        .collect();
    json!({
        "length": ctx.slowlog.len(),
        "threshold_us": ctx.settings.load().observe.slowlog_log_slower_than,
        "entries": entries,
    })
}

/// A word as it is where that is plain, else in quotes and escaped.
fn shown(word: &[u8]) -> String {
    let is_plain = !word.is_empty() && word.iter().all(|&byte| byte.is_ascii_graphic() && byte != b'"');
    if is_plain { String::from_utf8_lossy(word).into_owned() } else { repr(word) }
}

fn log(ctx: &Context) -> Json {
    let (log, groups, config) = (ctx.log.stats(), ctx.log.groups(), ctx.settings.load());
    json!({
        "on": log.on,
        "fsync": config.persistence.appendfsync.as_str(),
        "bytes": log.current_size,
        "base_bytes": log.base_size,
        "pending_bytes": log.pending_bytes,
        "records": ctx.log.appended(),
        "written": ctx.log.written(),
        "durable": ctx.log.durable(),
        "groups": groups.rows.iter().map(|(_, count)| count).sum::<u64>(),
        "group_records": groups.records,
        "group_bytes": groups.bytes,
        "fsyncs": log.fsyncs,
        "delayed_fsyncs": log.delayed_fsyncs,
        "last_sync_ms": ctx.saves.last_sync.load(Relaxed),
        "fault": ctx.log.fault_text(),
        "rewrite_percentage": config.persistence.auto_aof_rewrite_percentage,
        "rewrite_min_bytes": config.persistence.auto_aof_rewrite_min_size,
    })
}

fn saves(ctx: &Context) -> Json {
    let saves = &ctx.saves;
    let changes = ctx.stats.sum(|seat| &seat.changes).saturating_sub(saves.changes_at_save.load(Relaxed));
    json!({
        "rewriting": saves.rewriting.load(Relaxed),
        "rewrite_scheduled": saves.rewrite_scheduled.load(Relaxed),
        "rewrites": saves.rewrites.load(Relaxed),
        "rewrite_seconds": saves.last_rewrite_seconds.load(Relaxed),
        "rewrite_ok": saves.last_rewrite_ok.load(Relaxed),
        "saving": saves.saving.load(Relaxed),
        "saves": saves.saves.load(Relaxed),
        "save_at_s": saves.last_save.load(Relaxed),
        "save_ok": saves.last_save_ok.load(Relaxed),
        "changes": changes,
    })
}

/// Work by seat, and CPU time by thread: a worker's thread is named after its seat.
fn workers(ctx: &Context) -> Vec<Json> {
    let threads = process::threads();
    let row = |name: String, seat: usize| {
        let seat = ctx.stats.seat(seat);
        json!({
            "cpu_ns": threads.get(&name).copied().unwrap_or(0),
            "name": name,
            "commands": seat.processed.get(),
            "turns": seat.turns.get(),
        })
    };
    let workers = ctx.identity.workers;
    let rows = (0..workers).map(|seat| row(format!("worker-{seat}"), seat));
    rows.chain([row("http".to_owned(), workers + 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn only_what_is_not_plain_is_quoted() {
        for (word, text) in [
            (b"GET".as_slice(), "GET"),
            (b"", "\"\""),
            (b"a b", "\"a b\""),
            (b"\xff", "\"\\xff\""),
            (b"say\"", "\"say\\\"\""),
        ] {
            assert_eq!(shown(word), text);
        }
    }
}
