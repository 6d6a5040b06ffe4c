//! INFO memory: how much is in use and for what. See `observe::memory` for how it is measured.

use super::Page;
use crate::exec::Context;
use crate::exec::footprint::{Footprint, percent, ratio};
use crate::observe::process;

pub(super) fn write(ctx: &Context, page: &mut Page) {
    let footprint = Footprint::measure(ctx);
    let usage = footprint.usage;
    let config = ctx.settings.load();
    page.bytes("used_memory", usage.used);
    page.bytes("used_memory_rss", usage.resident);
    page.bytes("used_memory_peak", usage.peak);
    page.field("used_memory_peak_perc", format_args!("{:.2}%", percent(usage.used, usage.peak)));
    page.field("used_memory_overhead", footprint.overhead());
    page.field("used_memory_startup", usage.startup);
    page.field("used_memory_dataset", footprint.dataset);
    page.field("used_memory_dataset_perc", format_args!("{:.2}%", footprint.dataset_percent()));
    page.field("allocator_allocated", usage.used);
    page.field("allocator_active", usage.resident);
    page.field("allocator_resident", usage.resident);
    page.bytes("total_system_memory", process::system_bytes());
    let scripts = ctx.scripts.usage();
    page.field("used_memory_vm_eval", scripts.interpreter);
    page.bytes("used_memory_lua", scripts.interpreter as u64);
    page.field("used_memory_scripts_eval", scripts.bytes);
    page.field("number_of_cached_scripts", scripts.count);
    page.zeros(&["number_of_functions", "number_of_libraries", "used_memory_vm_functions"]);
    page.bytes("used_memory_vm_total", scripts.interpreter as u64);
    page.zeros(&["used_memory_functions"]);
    page.bytes("used_memory_scripts", scripts.bytes as u64);
    page.bytes("maxmemory", config.memory.maxmemory);
    page.field("maxmemory_policy", config.memory.maxmemory_policy.as_str());
    page.field("allocator_frag_ratio", "1.00");
    page.field("allocator_frag_bytes", 0);
    page.field("allocator_rss_ratio", format_args!("{:.2}", ratio(usage.resident, usage.used)));
    page.field("allocator_rss_bytes", usage.resident as i64 - usage.used as i64);
    page.field("rss_overhead_ratio", "1.00");
    page.field("rss_overhead_bytes", 0);
    page.field("mem_fragmentation_ratio", format_args!("{:.2}", footprint.fragmentation()));
    page.field("mem_fragmentation_bytes", usage.resident as i64 - usage.used as i64);
    page.zeros(&[
        "mem_not_counted_for_evict",
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_clients_slaves",
    ]);
    page.field("mem_clients_normal", footprint.clients);
    page.field("mem_cluster_links", 0);
    page.field("mem_aof_buffer", footprint.log);
    page.field("mem_allocator", "mimalloc");
    page.field("active_defrag_running", 0);
    page.field("lazyfree_pending_objects", ctx.freer.pending());
    page.field("lazyfreed_objects", ctx.freer.freed());
}
