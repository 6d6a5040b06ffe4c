//! INFO clients: how many there are and what they hold.

use std::sync::atomic::Ordering::Relaxed;

use super::Page;
use crate::clients::flag;
use crate::exec::Context;

pub(super) fn write(ctx: &Context, page: &mut Page) {
    let clients = ctx.clients.list();
    let query = |client: &crate::clients::Client| client.query.iter().map(|bytes| bytes.load(Relaxed)).sum();
    let longest_query: u64 = clients.iter().map(|client| query(client)).max().unwrap_or(0);
    let longest_output = clients.iter().map(|client| client.output()).max().unwrap_or(0);
    page.field("connected_clients", clients.len());
    page.field("cluster_connections", 0);
    page.field("maxclients", ctx.settings.load().clients.maxclients);
    page.field("client_recent_max_input_buffer", longest_query);
    page.field("client_recent_max_output_buffer", longest_output);
    page.field("blocked_clients", clients.iter().filter(|client| client.has_flag(flag::BLOCKED)).count());
    page.field("tracking_clients", ctx.tracking.totals().clients);
    page.field("pubsub_clients", clients.iter().filter(|client| client.has_flag(flag::PUBSUB)).count());
    page.zeros(&["clients_in_timeout_table"]);
}
