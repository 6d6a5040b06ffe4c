//! INFO replication: this server follows nobody; who follows it, and where the stream is that they are fed.

use super::Page;
use crate::exec::Context;
use crate::exec::replicas::Stage;

pub(super) fn write(ctx: &Context, page: &mut Page) {
    let (replicas, stream) = (ctx.replicas.list(), ctx.replicas.position());
    let (config, now) = (ctx.settings.load(), ctx.clock.unix_ms());
    page.field("role", "master");
    page.field("connected_slaves", replicas.len());
    let lag = config.persistence.min_replicas_max_lag;
    if config.persistence.min_replicas_to_write > 0 && lag > 0 {
        page.field("min_slaves_good_slaves", ctx.replicas.good(now, i64::from(lag) * 1000));
    }
    for (index, replica) in replicas.iter().enumerate() {
        let state = match replica.stage {
            Stage::Waiting => "wait_bgsave",
            Stage::Loading => "send_bulk",
            Stage::Online => "online",
            Stage::Done => "rdb_transmitted",
        };
        let lag = match replica.stage {
            Stage::Online => (now - replica.acked_at).max(0) / 1000,
            _ => 0,
        };
        let (ip, port, acked) = (&replica.ip, replica.port, replica.acked);
        let line = format!("ip={ip},port={port},state={state},offset={acked},lag={lag}");
        page.field(format_args!("slave{index}"), line);
    }
    page.field("master_failover_state", "no-failover");
    page.field("master_replid", &stream.id);
    page.field("master_replid2", "0".repeat(40));
    page.field("master_repl_offset", stream.offset);
    page.field("second_repl_offset", -1);
    page.field("repl_backlog_active", u8::from(stream.kept.is_some()));
    page.field("repl_backlog_size", config.replication.repl_backlog_size);
    let first = stream.kept.map_or(0, |kept| stream.offset - kept.min(stream.offset) + 1);
    page.field("repl_backlog_first_byte_offset", first);
    page.field("repl_backlog_histlen", stream.kept.unwrap_or(0));
}
