//! INFO persistence: loading, snapshots and the log.

use std::sync::atomic::Ordering::{Acquire, Relaxed};

use super::Page;
use crate::exec::Context;
use crate::exec::footprint::percent;

pub(super) fn write(ctx: &Context, page: &mut Page) {
    let (saves, now) = (&ctx.saves, ctx.clock.unix_ms() / 1000);
    let scheduled = saves.rewrite_scheduled.load(Acquire);
    let (saving, rewriting) = (saves.saving.load(Relaxed), saves.rewriting.load(Relaxed));
    let since = |under_way: bool| if under_way { (now - saves.began.load(Relaxed)).max(0) } else { -1 };
    let changes = ctx.stats.sum(|seat| &seat.changes).saturating_sub(saves.changes_at_save.load(Relaxed));
    let log = ctx.log.stats();
    page.field("loading", u8::from(ctx.loading.is_active()));
    page.zeros(&["async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age"]);
    page.field("current_fork_perc", "0.00");
    page.zeros(&["current_save_keys_processed", "current_save_keys_total"]);
    page.field("rdb_changes_since_last_save", changes);
    page.field("rdb_bgsave_in_progress", u8::from(saving));
    page.field("rdb_last_save_time", saves.last_save.load(Relaxed));
    page.field("rdb_last_bgsave_status", status(saves.last_save_ok.load(Relaxed)));
    page.field("rdb_last_bgsave_time_sec", saves.last_save_seconds.load(Relaxed));
    page.field("rdb_current_bgsave_time_sec", since(saving));
    page.field("rdb_saves", saves.saves.load(Relaxed));
    page.zeros(&["rdb_last_cow_size", "rdb_last_load_keys_expired", "rdb_last_load_keys_loaded"]);
    page.field("aof_enabled", u8::from(ctx.log.is_on()));
    page.field("aof_rewrite_in_progress", u8::from(rewriting));
    page.field("aof_rewrite_scheduled", u8::from(scheduled));
    page.field("aof_last_rewrite_time_sec", saves.last_rewrite_seconds.load(Relaxed));
    page.field("aof_current_rewrite_time_sec", since(rewriting));
    page.field("aof_last_bgrewrite_status", status(saves.last_rewrite_ok.load(Relaxed)));
    page.field("aof_rewrites", saves.rewrites.load(Relaxed));
    page.field("aof_rewrites_consecutive_failures", 0);
    page.field("aof_last_write_status", status(ctx.log.fault().is_none()));
    page.zeros(&["aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"]);
    if ctx.log.is_on() {
        page.field("aof_current_size", log.current_size);
        page.field("aof_base_size", log.base_size);
        page.field("aof_pending_rewrite", u8::from(scheduled));
        page.field("aof_buffer_length", log.pending_bytes);
        page.field("aof_pending_bio_fsync", u8::from(ctx.log.durable() < ctx.log.written()));
        page.field("aof_delayed_fsync", log.delayed_fsyncs);
        page.field("pinstripe_aof_torn_tails", log.torn_tails);
        page.field("pinstripe_aof_torn_bytes", log.torn_bytes);
        page.field("pinstripe_aof_history_bytes", log.history_bytes);
        page.field("pinstripe_aof_repairs", log.repairs);
    }
    if ctx.loading.is_active() {
        loading(ctx, now, page);
    }
}

/// How far loading has come, and how long it will take if it goes on at that pace.
fn loading(ctx: &Context, now: i64, page: &mut Page) {
    let loading = &ctx.loading;
    let (total, done) = (loading.total.load(Relaxed), loading.done.load(Relaxed));
    let since = loading.since.load(Relaxed);
    page.field("loading_start_time", since);
    page.field("loading_total_bytes", total);
    page.field("loading_rdb_used_mem", 0);
    page.field("loading_loaded_bytes", done);
    page.field("loading_loaded_perc", format_args!("{:.2}", percent(done, total)));
    page.field("loading_eta_seconds", eta_seconds((now - since).max(0) as u64, done, total));
}

/// Seconds that are left when `done` of `total` took `passed` seconds; 1 as long as nothing can be told.
fn eta_seconds(passed: u64, done: u64, total: u64) -> u64 {
    if passed == 0 || done == 0 {
        return 1;
    }
    (u128::from(passed) * u128::from(total.saturating_sub(done)) / u128::from(done)) as u64
}

fn status(ok: bool) -> &'static str {
    if ok { "ok" } else { "err" }
}

#[cfg(test)]
mod tests {
    use super::eta_seconds;

    #[test]
    fn the_rest_takes_as_long_as_its_share() {
        assert_eq!(eta_seconds(10, 25, 100), 30);
        assert_eq!(eta_seconds(10, 100, 100), 0);
        assert_eq!(eta_seconds(0, 0, 100), 1);
        assert_eq!(eta_seconds(10, 100, 50), 0);
    }
}
