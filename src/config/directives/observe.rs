//! What the server tells about itself.

use super::{IMMUTABLE, LIVE, OWN, group};
use crate::config::choice::{LogFormat, LogLevel};
use crate::config::kind::{I64_MAX, Kind};
use crate::config::notify::{NotifyFlags, check_notify};
use crate::config::value::{Percentiles, check_percentiles};
use std::path::PathBuf;

const COUNT: Kind = Kind::Int { min: 0, max: i64::MAX };

group! {
    /// What the server tells about itself.
    observe: Observe {
        /// The least important messages to log.
        loglevel: LogLevel = "loglevel", Kind::OneOf(LogLevel::WORDS), "notice", LIVE;
        /// The file to log to, if not standard error.
        logfile: Option<PathBuf> = "logfile", Kind::Text, "", IMMUTABLE;
        /// The shape of a line in the log. Not in Redis.
        log_format: LogFormat = "log-format", Kind::OneOf(LogFormat::WORDS), "text", IMMUTABLE | OWN;
        /// The file to write a line for each operation on a key to, if one is wanted. Not in Redis.
        operation_log: Option<PathBuf> = "operation-log", Kind::Text, "", IMMUTABLE | OWN;
        /// Bytes from which a new operation log is begun and the old one renamed. Not in Redis.
        operation_log_max_size: u64 = "operation-log-max-size", Kind::Memory { min: 4096, max: I64_MAX }, "104857600", LIVE;
        /// Microseconds from which a command is in the slow log; -1 = none, 0 = all.
        slowlog_log_slower_than: i64 = "slowlog-log-slower-than", Kind::Int { min: -1, max: i64::MAX }, "10000", LIVE;
        /// Entries of the slow log.
        slowlog_max_len: u64 = "slowlog-max-len", COUNT, "128", LIVE;
        /// Milliseconds from which an event is in LATENCY's history; 0 = none.
        latency_monitor_threshold: u64 = "latency-monitor-threshold", COUNT, "0", LIVE;
        /// Keep a histogram of each command's time.
        latency_tracking: bool = "latency-tracking", Kind::Bool, "yes", LIVE;
        /// Percentiles that INFO latencystats shows.
        latency_tracking_info_percentiles: Percentiles = "latency-tracking-info-percentiles",
            Kind::Words(check_percentiles), "50 99 99.9", LIVE;
        /// Keyspace events that are published.
        notify_keyspace_events: NotifyFlags = "notify-keyspace-events", Kind::Words(check_notify), "", LIVE;
    }
}
