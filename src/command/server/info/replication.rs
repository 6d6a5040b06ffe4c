//! INFO replication: this server has no replicas and follows nobody.

use super::Page;
use crate::exec::Context;

pub(super) fn write(ctx: &Context, page: &mut Page) {
    page.field("role", "master");
    page.field("connected_slaves", 0);
    page.field("master_failover_state", "no-failover");
    // A history of changes that nobody can follow has no name of its own.
    page.field("master_replid", &ctx.identity.run_id);
    page.field("master_replid2", "0".repeat(40));
    page.field("master_repl_offset", 0);
    page.field("second_repl_offset", -1);
    page.field("repl_backlog_active", 0);
    page.field("repl_backlog_size", ctx.settings.load().text_of("repl-backlog-size").unwrap_or_default());
    page.zeros(&["repl_backlog_first_byte_offset", "repl_backlog_histlen"]);
}
