//! INFO commandstats: how often and how long each command ran.

use super::Page;
use crate::exec::Context;

pub(super) fn write(ctx: &Context, page: &mut Page) {
    for command in (0..ctx.registry.total()).filter_map(|id| ctx.registry.by_id(id)) {
        let totals = ctx.stats.command(command.id);
        if totals.calls + totals.rejected + totals.failed == 0 {
            continue;
        }
        let micros = totals.nanos / 1000;
        let each = if totals.calls == 0 { 0.0 } else { micros as f64 / totals.calls as f64 };
        page.field(
            format_args!("cmdstat_{}", command.full_name),
            format_args!(
                "calls={},usec={micros},usec_per_call={each:.2},rejected_calls={},failed_calls={}",
                totals.calls, totals.rejected, totals.failed
            ),
        );
    }
}
