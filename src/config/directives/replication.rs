//! How replicas are fed. This server follows nobody, so what a replica is told to do itself stands among the directives
//! without effect.

use super::{LIVE, group};
use crate::config::kind::{I32_MAX, I64_MAX, Kind};

group! {
    /// How replicas are fed.
    replication: Replication {
        /// Bytes of the stream that are kept, so that a replica that was away for a moment need not begin anew.
        repl_backlog_size: u64 = "repl-backlog-size", Kind::Memory { min: 1, max: I64_MAX }, "1048576", LIVE;
        /// Seconds after the last replica has gone until they are given up; 0 = never.
        repl_backlog_ttl: u64 = "repl-backlog-ttl", Kind::Int { min: 0, max: i64::MAX }, "3600", LIVE;
        /// Seconds between the PINGs in the stream.
        repl_ping_replica_period: u32 = "repl-ping-replica-period" or "repl-ping-slave-period", Kind::Int { min: 1, max: I32_MAX }, "10", LIVE;
        /// Seconds of silence after which a replica is given up.
        repl_timeout: u32 = "repl-timeout", Kind::Int { min: 1, max: I32_MAX }, "60", LIVE;
    }
}
