//! INFO errorstats: error replies, by the first word of their lines.

use super::Page;
use crate::exec::Context;

pub(super) fn write(ctx: &Context, page: &mut Page) {
    for (prefix, count) in ctx.stats.errors() {
        page.field(format_args!("errorstat_{prefix}"), format_args!("count={count}"));
    }
}
