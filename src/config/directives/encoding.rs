//! Up to which size a value is held in its compact form, and so what OBJECT ENCODING answers.

use super::{LIVE, group};
use crate::config::kind::{I32_MAX, I64_MAX, Kind};

const COUNT: Kind = Kind::Int { min: 0, max: i64::MAX };
const SIZE: Kind = Kind::Memory { min: 0, max: I64_MAX };

group! {
    /// Up to which size a value is held in its compact form.
    encoding: Encoding {
        /// Fields of a compact hash.
        hash_max_listpack_entries: u64 = "hash-max-listpack-entries" or "hash-max-ziplist-entries", COUNT, "512", LIVE;
        /// Bytes of a field or value in a compact hash.
        hash_max_listpack_value: u64 = "hash-max-listpack-value" or "hash-max-ziplist-value", SIZE, "64", LIVE;
        /// Size of a list's node: above 0 in elements, -1 to -5 for 4, 8, 16, 32, 64 KiB.
        list_max_listpack_size: i32 = "list-max-listpack-size" or "list-max-ziplist-size",
            Kind::Int { min: i32::MIN as i64, max: I32_MAX }, "-2", LIVE;
        /// Nodes at each end of a list that are not compressed; 0 = none is compressed.
        list_compress_depth: u32 = "list-compress-depth", Kind::Int { min: 0, max: I32_MAX }, "0", LIVE;
        /// Members of a set of integers.
        set_max_intset_entries: u64 = "set-max-intset-entries", COUNT, "512", LIVE;
        /// Members of a compact set. From Redis 7.2, whose default is 128; 0 is what Redis 7.0 does.
        set_max_listpack_entries: u64 = "set-max-listpack-entries", COUNT, "0", LIVE;
        /// Bytes of a member of a compact set. From Redis 7.2.
        set_max_listpack_value: u64 = "set-max-listpack-value", SIZE, "64", LIVE;
        /// Members of a compact sorted set.
        zset_max_listpack_entries: u64 = "zset-max-listpack-entries" or "zset-max-ziplist-entries", COUNT, "128", LIVE;
        /// Bytes of a member of a compact sorted set.
        zset_max_listpack_value: u64 = "zset-max-listpack-value" or "zset-max-ziplist-value", SIZE, "64", LIVE;
        /// Bytes of a sparse HyperLogLog.
        hll_sparse_max_bytes: u64 = "hll-sparse-max-bytes", SIZE, "3000", LIVE;
        /// Bytes of a stream's node; 0 = any.
        stream_node_max_bytes: u64 = "stream-node-max-bytes", SIZE, "4096", LIVE;
        /// Entries of a stream's node; 0 = any.
        stream_node_max_entries: u64 = "stream-node-max-entries", COUNT, "100", LIVE;
    }
}
