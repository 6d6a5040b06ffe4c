//! INFO stats: what was done since the start, or since CONFIG RESETSTAT.

use std::sync::atomic::Ordering::Relaxed;

use super::Page;
use crate::exec::Context;
use crate::pubsub::Kind;

/// Places of the totals that the cron samples for [`crate::observe::stats::Rate`].
const COMMANDS: usize = 0;
const BYTES_IN: usize = 1;
const BYTES_OUT: usize = 2;
const BYTES_TO_REPLICAS: usize = 3;

pub(super) fn write(ctx: &Context, page: &mut Page) {
    let stats = &ctx.stats;
    let kilobytes = |index| format!("{:.2}", stats.rate.per_second(index) as f64 / 1024.0);
    page.field("total_connections_received", stats.connections.load(Relaxed));
    page.field("total_commands_processed", stats.sum(|seat| &seat.processed));
    page.field("instantaneous_ops_per_sec", stats.rate.per_second(COMMANDS));
    page.field("total_net_input_bytes", stats.sum(|seat| &seat.bytes_in));
    page.field("total_net_output_bytes", stats.sum(|seat| &seat.bytes_out));
    // This server follows no other, so nothing of that kind comes in.
    page.field("total_net_repl_input_bytes", 0);
    page.field("total_net_repl_output_bytes", stats.sum(|seat| &seat.bytes_to_replicas));
    page.field("instantaneous_input_kbps", kilobytes(BYTES_IN));
    page.field("instantaneous_output_kbps", kilobytes(BYTES_OUT));
    page.field("instantaneous_input_repl_kbps", "0.00");
    page.field("instantaneous_output_repl_kbps", kilobytes(BYTES_TO_REPLICAS));
    page.field("rejected_connections", stats.connections_refused.load(Relaxed));
    let syncs = &ctx.replicas.syncs;
    page.field("sync_full", syncs.full.load(Relaxed));
    page.field("sync_partial_ok", syncs.resumed.load(Relaxed));
    page.field("sync_partial_err", syncs.refused.load(Relaxed));
    page.field("expired_keys", ctx.table.expired());
    page.field("expired_stale_perc", "0.00");
    page.field("expired_time_cap_reached_count", ctx.table.expire_cycles_cut());
    page.zeros(&["expire_cycle_cpu_milliseconds"]);
    page.field("evicted_keys", ctx.evictor.evicted());
    page.field("evicted_clients", 0);
    let (exceeded, exceeds) = ctx.evictor.exceeded_ms(ctx.clock.elapsed_nanos());
    page.field("total_eviction_exceeded_time", exceeded);
    page.field("current_eviction_exceeded_time", exceeds);
    page.field("keyspace_hits", stats.sum(|seat| &seat.hits));
    page.field("keyspace_misses", stats.sum(|seat| &seat.misses));
    page.field("pubsub_channels", ctx.pubsub.count(Kind::Channel));
    page.field("pubsub_patterns", ctx.pubsub.count(Kind::Pattern));
    page.field("pubsubshard_channels", ctx.pubsub.count(Kind::Shard));
    page.zeros(&[
        "latest_fork_usec",
        "total_forks",
        "migrate_cached_sockets",
        "slave_expires_tracked_keys",
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
    ]);
    let tracked = ctx.tracking.totals();
    page.field("tracking_total_keys", tracked.keys);
    page.field("tracking_total_items", tracked.items);
    page.field("tracking_total_prefixes", tracked.prefixes);
    page.zeros(&["unexpected_error_replies"]);
    page.field("total_error_replies", stats.sum(|seat| &seat.errors));
    page.field("dump_payload_sanitizations", 0);
    page.field("total_reads_processed", stats.sum(|seat| &seat.turns));
    page.field("total_writes_processed", stats.sum(|seat| &seat.turns));
    page.zeros(&[
        "io_threaded_reads_processed",
        "io_threaded_writes_processed",
        "reply_buffer_shrinks",
        "reply_buffer_expands",
    ]);
    // Not in Redis: commands that found their stripe locked, and connections ended because of what they were owed or had sent.
    page.field("stripe_waits", ctx.table.waits());
    page.field("client_limit_disconnections", stats.limit_disconnections.load(Relaxed));
}
