//! What the memory is used for: the figures that INFO memory, MEMORY STATS, MEMORY DOCTOR and the metrics
//! share.

use super::context::Context;
use crate::clients::Client;
use crate::observe::memory::Usage;

/// Memory by purpose, in bytes.
pub struct Footprint {
    /// The whole.
    pub usage: Usage,
    /// Keys, values and their headers.
    pub dataset: u64,
    /// Buffers of connections.
    pub clients: u64,
    /// Records that wait to be written to the log.
    pub log: u64,
    /// What was removed and waits to be freed.
    pub garbage: u64,
}

impl Footprint {
    /// Measures. Visits every stripe, so a transaction that does so must have everything stand still.
    pub fn measure(ctx: &Context) -> Self {
        let dataset = ctx.table.bytes() as u64;
        let clients = ctx.clients.sum(Client::held_bytes);
        let log = ctx.log.stats().pending_bytes;
        let garbage = ctx.freer.pending_bytes();
        let usage = ctx.stats.memory.usage(dataset + clients + log + garbage);
        Footprint { usage, dataset, clients, log, garbage }
    }

    /// What is not data: the program itself and all buffers.
    pub fn overhead(&self) -> u64 {
        self.usage.used.saturating_sub(self.dataset)
    }

    /// The share of the data in what was added since the start, in percent.
    pub fn dataset_percent(&self) -> f64 {
        percent(self.dataset, self.usage.used.saturating_sub(self.usage.startup))
    }

    /// How much more the operating system counts than is in use: 1.0 is none.
    pub fn fragmentation(&self) -> f64 {
        ratio(self.usage.resident, self.usage.used)
    }
}

/// `part` of `whole` in percent, 0 of nothing.
pub fn percent(part: u64, whole: u64) -> f64 {
    ratio(part, whole) * 100.0
}

/// `one` for each `other`, 0 where there is none.
pub fn ratio(one: u64, other: u64) -> f64 {
    if other == 0 { 0.0 } else { one as f64 / other as f64 }
}
