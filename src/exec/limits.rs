//! Limits by the settings: up to which size values are held in their compact forms, and how much may wait to be sent to a
//! client.

use crate::base::clock::Millis;
use crate::clients::{Bound, Bounds};
use crate::config::{Config, OutputLimit};
use crate::log::rdb::Limits;
use crate::value::{hash, list, set, stream, zset};

/// The limits that the settings are.
pub fn of(config: &Config) -> Limits {
    let encoding = &config.encoding;
    let size = |setting: u64| usize::try_from(setting).unwrap_or(usize::MAX);
    Limits {
        hash: hash::Thresholds {
            entries: size(encoding.hash_max_listpack_entries),
            value_bytes: size(encoding.hash_max_listpack_value),
        },
        set: set::Thresholds {
            intset_entries: size(encoding.set_max_intset_entries),
            listpack_entries: size(encoding.set_max_listpack_entries),
            listpack_value: size(encoding.set_max_listpack_value),
        },
        zset: zset::Thresholds {
            entries: size(encoding.zset_max_listpack_entries),
            value_bytes: size(encoding.zset_max_listpack_value),
        },
        list: list::ChunkLimit::from_directive(encoding.list_max_listpack_size),
        stream: stream::ChunkLimit::from_directives(
            encoding.stream_node_max_bytes,
            encoding.stream_node_max_entries,
        ),
    }
}

/// How much may wait to be sent to a client, as of now.
pub fn outbox(config: &Config, now: Millis) -> Bounds {
    let limits = &config.clients.client_output_buffer_limit;
    Bounds { normal: bound(limits.normal), pubsub: bound(limits.pubsub), replica: bound(limits.replica), now }
}

fn bound(limit: OutputLimit) -> Bound {
    let bytes = |setting: u64| if setting == 0 { u64::MAX } else { setting };
    Bound {
        hard: bytes(limit.hard),
        soft: bytes(limit.soft),
        soft_ms: Millis::try_from(limit.soft_seconds).unwrap_or(Millis::MAX).saturating_mul(1000),
    }
}
