//! INFO latencystats: how long the given percentages of each command's calls took at most, in microseconds.

use super::Page;
use crate::exec::Context;

pub(super) fn write(ctx: &Context, page: &mut Page) {
    let config = ctx.settings.load();
    let percentiles = &config.observe.latency_tracking_info_percentiles.0;
    if !config.observe.latency_tracking {
        return;
    }
    for command in (0..ctx.registry.total()).filter_map(|id| ctx.registry.by_id(id)) {
        let Some(latency) = ctx.stats.latency(command.id) else { continue };
        let one = |percent: &f64| format!("p{percent}={:.3}", latency.percentile(*percent) as f64 / 1000.0);
        let all: Vec<String> = percentiles.iter().map(one).collect();
        page.field(format_args!("latency_percentiles_usec_{}", command.full_name), all.join(","));
    }
}
