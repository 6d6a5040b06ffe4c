//! INFO keyspace: the databases that hold keys.

use super::Page;
use crate::exec::Context;

pub(super) fn write(ctx: &Context, page: &mut Page) {
    let now = ctx.clock.unix_ms();
    for db in 0..ctx.table.databases() {
        let counts = ctx.table.counts(db, now);
        if counts.keys > 0 {
            let mean_ttl = counts.ttl_sum_ms.checked_div(counts.expires as u128).unwrap_or(0);
            page.field(
                format_args!("db{db}"),
                format_args!("keys={},expires={},avg_ttl={mean_ttl}", counts.keys, counts.expires),
            );
        }
    }
}
