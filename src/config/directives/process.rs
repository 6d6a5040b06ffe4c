//! The process as a whole.

use super::{IMMUTABLE, LIVE, group};
use crate::config::kind::{I32_MAX, Kind};
use crate::config::value::{ShutdownFlags, check_shutdown};
use std::path::PathBuf;

group! {
    /// The process as a whole.
    process: Process {
        /// Number of databases for SELECT.
        databases: u32 = "databases", Kind::Int { min: 1, max: I32_MAX }, "16", IMMUTABLE;
        /// How often the background tasks run, times a second.
        hz: u32 = "hz", Kind::Clamped { low: 1, high: 500 }, "10", LIVE;
        /// Run the background tasks more often when there are many clients.
        dynamic_hz: bool = "dynamic-hz", Kind::Bool, "yes", LIVE;
        /// Milliseconds after which a running script is called slow and other clients get BUSY; 0 = never.
        busy_reply_threshold: u64 = "busy-reply-threshold" or "lua-time-limit", Kind::Int { min: 0, max: i64::MAX }, "5000", LIVE;
        /// Seconds that a shutdown waits for replicas.
        shutdown_timeout: u32 = "shutdown-timeout", Kind::Int { min: 0, max: I32_MAX }, "10", LIVE;
        /// What SIGINT does.
        shutdown_on_sigint: ShutdownFlags = "shutdown-on-sigint", Kind::Words(check_shutdown), "default", LIVE;
        /// What SIGTERM does.
        shutdown_on_sigterm: ShutdownFlags = "shutdown-on-sigterm", Kind::Words(check_shutdown), "default", LIVE;
        /// The file to write the process number to, if one is wanted.
        pidfile: Option<PathBuf> = "pidfile", Kind::Text, "", IMMUTABLE;
    }
}
