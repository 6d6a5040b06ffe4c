//! What one client may take.

use super::{LIVE, group};
use crate::config::kind::{I32_MAX, I64_MAX, Kind};
use crate::config::value::{OutputLimits, check_output_limits};

const MIB: u64 = 1 << 20;

group! {
    /// What one client may take.
    clients: Clients {
        /// Clients at a time; further ones are refused.
        maxclients: u32 = "maxclients", Kind::Int { min: 1, max: u32::MAX as i64 }, "10000", LIVE;
        /// Seconds after which a silent client is disconnected; 0 = never.
        timeout: u32 = "timeout", Kind::Int { min: 0, max: I32_MAX }, "0", LIVE;
        /// Seconds in which a client has to give the password; 0 = any number. Redis lets those who never do hold their places
        /// among `maxclients` for ever.
        auth_timeout: u32 = "auth-timeout", Kind::Int { min: 0, max: I32_MAX }, "10", LIVE;
        /// The longest argument of a command, bytes.
        proto_max_bulk_len: u64 = "proto-max-bulk-len", Kind::Memory { min: MIB, max: I64_MAX }, "536870912", LIVE;
        /// The most unexecuted input that a client may have, bytes.
        client_query_buffer_limit: u64 = "client-query-buffer-limit", Kind::Memory { min: MIB, max: I64_MAX }, "1073741824", LIVE;
        /// How much output may wait for each class of clients. Redis leaves ordinary clients without a limit, so
        /// that one that does not read can fill the memory; here it is 1 GiB at once or 256 MiB for a
        /// minute, which still lets through the largest value (512 MiB).
        client_output_buffer_limit: OutputLimits = "client-output-buffer-limit", Kind::Words(check_output_limits),
            "normal 1073741824 268435456 60 slave 268435456 67108864 60 pubsub 33554432 8388608 60", LIVE;
        /// Keys that the table for client-side caching may hold; 0 = any number.
        tracking_table_max_keys: u64 = "tracking-table-max-keys", Kind::Int { min: 0, max: i64::MAX }, "1000000", LIVE;
    }
}
