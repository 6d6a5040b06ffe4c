//! What COMMAND tells cluster-aware clients and documentation beyond the rows: nothing here steers this server.
//!
//! *Tips* say how a client with several servers may spread a command and join the replies, and whether two servers with
//! the same data would answer the same bytes. They are the values of Redis 7.0.15.

/// The tips of a command, by its full name.
pub(super) fn tips(full_name: &str) -> &'static [&'static str] {
    TIPS.iter().find(|(names, _)| names.contains(&full_name)).map_or(&[], |(_, tips)| tips)
}

/// The version in which Redis declared a command deprecated.
pub(super) fn deprecated_since(full_name: &str) -> Option<&'static str> {
    let found = DEPRECATED.iter().find(|(names, _)| names.contains(&full_name));
    found.map(|(_, version)| *version)
}

const VARIES: &str = "nondeterministic_output";
const ORDER_VARIES: &str = "nondeterministic_output_order";
const ALL_NODES: &str = "request_policy:all_nodes";
const ALL_SHARDS: &str = "request_policy:all_shards";
const BY_KEY: &str = "request_policy:multi_shard";
const ALL_OK: &str = "response_policy:all_succeeded";
const SUM: &str = "response_policy:agg_sum";
const SPECIAL: &str = "response_policy:special";

const TIPS: &[(&[&str], &[&str])] = &[
    (
        &[
            "client|info",
            "client|list",
            "dump",
            "hrandfield",
            "hscan",
            "lastsave",
            "object|encoding",
            "object|freq",
            "object|idletime",
            "object|refcount",
            "pttl",
            "spop",
            "srandmember",
            "sscan",
            "time",
            "ttl",
            "xadd",
            "xautoclaim",
            "xclaim",
            "xinfo|consumers",
            "xpending",
            "xtrim",
            "zrandmember",
            "zscan",
        ],
        &[VARIES],
    ),
    (
        &[
            "command",
            "command|docs",
            "command|info",
            "command|list",
            "function|list",
            "hgetall",
            "hkeys",
            "hvals",
            "sdiff",
            "sinter",
            "smembers",
            "sunion",
        ],
        &[ORDER_VARIES],
    ),
    (&["del", "exists", "touch", "unlink"], &[BY_KEY, SUM]),
    (&["mget"], &[BY_KEY]),
    (&["mset"], &[BY_KEY, ALL_OK]),
    (&["msetnx"], &[BY_KEY, "response_policy:agg_min"]),
    (&["dbsize"], &[ALL_SHARDS, SUM]),
    (&["flushall", "flushdb", "function|flush", "memory|purge", "ping"], &[ALL_SHARDS, ALL_OK]),
    (&["info", "memory|doctor", "memory|malloc-stats", "memory|stats"], &[VARIES, ALL_SHARDS, SPECIAL]),
    (&["keys"], &[ALL_SHARDS, ORDER_VARIES]),
    (&["randomkey"], &[ALL_SHARDS, VARIES]),
    (&["scan"], &[VARIES, "request_policy:special"]),
    (&["script|exists"], &[ALL_SHARDS, "response_policy:agg_logical_and"]),
    (&["script|kill"], &[ALL_SHARDS, "response_policy:one_succeeded"]),
    (&["wait"], &[ALL_SHARDS, "response_policy:agg_min"]),
    (&["config|set", "latency|reset", "script|flush", "script|load", "slowlog|reset"], &[ALL_NODES, ALL_OK]),
    (
        &["latency|doctor", "latency|graph", "latency|histogram", "latency|history", "latency|latest"],
        &[VARIES, ALL_NODES, SPECIAL],
    ),
    (&["slowlog|get"], &[ALL_NODES, VARIES]),
    (&["slowlog|len"], &[ALL_NODES, SUM, VARIES]),
];

const DEPRECATED: &[(&[&str], &str)] = &[
    (&["substr"], "2.0.0"),
    (&["setex", "setnx", "psetex"], "2.6.12"),
    (&["hmset"], "4.0.0"),
    (&["slaveof"], "5.0.0"),
    (
        &[
            "brpoplpush",
            "georadius",
            "georadius_ro",
            "georadiusbymember",
            "georadiusbymember_ro",
            "getset",
            "rpoplpush",
            "zrangebylex",
            "zrangebyscore",
            "zrevrange",
            "zrevrangebylex",
            "zrevrangebyscore",
        ],
        "6.2.0",
    ),
    (&["quit"], "7.2.0"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_command_is_listed_twice() {
        let mut seen = HashSet::new();
        assert!(TIPS.iter().flat_map(|(names, _)| names.iter()).all(|name| seen.insert(name)));
        seen.clear();
        assert!(DEPRECATED.iter().flat_map(|(names, _)| names.iter()).all(|name| seen.insert(name)));
    }
}
