//! How much memory the data may take, and what goes first.

use super::{LIVE, group};
use crate::config::choice::MaxmemoryPolicy;
use crate::config::kind::{I32_MAX, Kind};

group! {
    /// How much memory the data may take, and what goes first.
    memory: Memory {
        /// Bytes that the data may take; 0 = any.
        maxmemory: u64 = "maxmemory", Kind::Memory { min: 0, max: u64::MAX }, "0", LIVE;
        /// Which keys to remove when `maxmemory` is reached.
        maxmemory_policy: MaxmemoryPolicy = "maxmemory-policy", Kind::OneOf(MaxmemoryPolicy::WORDS), "noeviction", LIVE;
        /// Keys to look at to find one to remove.
        maxmemory_samples: u32 = "maxmemory-samples", Kind::Int { min: 1, max: I32_MAX }, "5", LIVE;
        /// How much time eviction may take, 0 (least delay) to 100 (no bound).
        maxmemory_eviction_tenacity: u8 = "maxmemory-eviction-tenacity", Kind::Int { min: 0, max: 100 }, "10", LIVE;
        /// How slowly the counter of uses grows.
        lfu_log_factor: u32 = "lfu-log-factor", Kind::Int { min: 0, max: I32_MAX }, "10", LIVE;
        /// Minutes after which the counter of uses goes down by one; 0 = never.
        lfu_decay_time: u32 = "lfu-decay-time", Kind::Int { min: 0, max: I32_MAX }, "1", LIVE;
        /// How busily expired keys are looked for, 1 to 10.
        active_expire_effort: u8 = "active-expire-effort", Kind::Int { min: 1, max: 10 }, "1", LIVE;
        /// Free evicted values in the background.
        lazyfree_lazy_eviction: bool = "lazyfree-lazy-eviction", Kind::Bool, "no", LIVE;
        /// Free expired values in the background.
        lazyfree_lazy_expire: bool = "lazyfree-lazy-expire", Kind::Bool, "no", LIVE;
        /// Free values that a command replaces in the background.
        lazyfree_lazy_server_del: bool = "lazyfree-lazy-server-del", Kind::Bool, "no", LIVE;
        /// Let DEL free in the background, as UNLINK does.
        lazyfree_lazy_user_del: bool = "lazyfree-lazy-user-del", Kind::Bool, "no", LIVE;
        /// Let FLUSHALL and FLUSHDB free in the background unless told otherwise.
        lazyfree_lazy_user_flush: bool = "lazyfree-lazy-user-flush", Kind::Bool, "no", LIVE;
    }
}
