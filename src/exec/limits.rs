//! Up to which size values are held in their compact forms, by the settings.

use crate::config::Config;
use crate::log::rdb::Limits;
use crate::value::{hash, list, set, zset};

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
    }
}
