//! What the server knows about its own work: counters, latencies, the slow log, the log of operations.
//!
//! Counters on a command's path belong to a seat (a worker): each has its own cache lines, and readers add them up.

pub mod histogram;
pub mod latency;
pub mod memory;
pub mod operations;
pub mod process;
pub mod slowlog;
pub mod stats;
