//! Directives of Redis 7.0 that are known but not obeyed.
//!
//! An unchanged redis.conf must start this server, and tools that CONFIG SET any of these must not fail. So they are
//! checked, kept and shown; those that were changed from Redis's default are named once in a warning at start.
//! Where a value would promise something that is not there — encryption, a cluster, a replica — the server refuses to
//! start instead.

use super::{Directive, FILE_ONLY, Flags, HIDDEN, IMMUTABLE, LIVE, SENSITIVE, Store};
use crate::config::kind::{I32_MAX, I64_MAX, Kind};

const INT: Kind = Kind::Int { min: 0, max: I32_MAX };
const ANY_INT: Kind = Kind::Int { min: i32::MIN as i64, max: I32_MAX };
const LONG: Kind = Kind::Int { min: 0, max: i64::MAX };
const PORT: Kind = Kind::Int { min: 0, max: 65535 };
const SIZE: Kind = Kind::Memory { min: 0, max: I64_MAX };
const SYSLOG_FACILITIES: &[&str] =
    &["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"];

const fn unused(name: &'static str, kind: Kind, default: &'static str, flags: Flags) -> Directive {
    Directive { name, alias: None, kind, default, flags, store: Store::Unused }
}

const fn text(name: &'static str) -> Directive {
    unused(name, Kind::Text, "", LIVE)
}

const fn yes_no(name: &'static str, default: &'static str) -> Directive {
    unused(name, Kind::Bool, default, LIVE)
}

/// The same under an older name.
const fn or(alias: &'static str, row: Directive) -> Directive {
    Directive { alias: Some(alias), ..row }
}

const fn unsupported(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    flags: Flags,
    why: &'static str,
) -> Directive {
    Directive { name, alias: None, kind, default, flags, store: Store::Unsupported(why) }
}

pub(in crate::config) const ROWS: &[Directive] = &[
    // What would be dangerous to ignore.
    unsupported(
        "tls-port",
        PORT,
        "0",
        LIVE,
        "TLS is not offered: leave tls-port 0 and put a TLS proxy in front",
    ),
    unsupported("cluster-enabled", Kind::Bool, "no", IMMUTABLE, "cluster mode is not offered"),
    or(
        "slaveof",
        unsupported("replicaof", Kind::Words(replica_of), "", IMMUTABLE, "this server follows no other"),
    ),
    unsupported("loadmodule", Kind::Words(words), "", FILE_ONLY, "modules are not offered: remove the line"),
    // The process.
    unused("daemonize", Kind::Bool, "no", IMMUTABLE),
    unused("supervised", Kind::OneOf(&["upstart", "systemd", "auto", "no"]), "no", IMMUTABLE),
    unused("always-show-logo", Kind::Bool, "no", IMMUTABLE),
    unused("set-proc-title", Kind::Bool, "yes", IMMUTABLE),
    unused("proc-title-template", Kind::Text, "{title} {listen-addr} {server-mode}", LIVE),
    yes_no("crash-log-enabled", "yes"),
    yes_no("crash-memcheck-enabled", "yes"),
    unused("disable-thp", Kind::Bool, "yes", IMMUTABLE),
    unused("ignore-warnings", Kind::Text, "", LIVE),
    unused("oom-score-adj", Kind::OneOf(&["no", "yes", "relative", "absolute"]), "no", LIVE),
    unused("oom-score-adj-values", Kind::Words(oom_scores), "0 200 800", LIVE),
    unused("syslog-enabled", Kind::Bool, "no", IMMUTABLE),
    unused("syslog-facility", Kind::OneOf(SYSLOG_FACILITIES), "local0", IMMUTABLE),
    unused("syslog-ident", Kind::Text, "redis", IMMUTABLE),
    unused("server_cpulist", Kind::Text, "", IMMUTABLE),
    unused("bio_cpulist", Kind::Text, "", IMMUTABLE),
    unused("aof_rewrite_cpulist", Kind::Text, "", IMMUTABLE),
    unused("bgsave_cpulist", Kind::Text, "", IMMUTABLE),
    unused("io-threads-do-reads", Kind::Bool, "no", IMMUTABLE),
    unused("socket-mark-id", Kind::Int { min: 0, max: u32::MAX as i64 }, "0", IMMUTABLE),
    text("bind-source-addr"),
    // Memory and files of an implementation that forks.
    yes_no("activerehashing", "yes"),
    yes_no("activedefrag", "no"),
    unused("active-defrag-cycle-max", Kind::Int { min: 1, max: 99 }, "25", LIVE),
    unused("active-defrag-cycle-min", Kind::Int { min: 1, max: 99 }, "1", LIVE),
    unused("active-defrag-ignore-bytes", Kind::Memory { min: 1, max: I64_MAX }, "104857600", LIVE),
    unused("active-defrag-max-scan-fields", Kind::Int { min: 1, max: i64::MAX }, "1000", LIVE),
    unused("active-defrag-threshold-lower", Kind::Int { min: 0, max: 1000 }, "10", LIVE),
    unused("active-defrag-threshold-upper", Kind::Int { min: 0, max: 1000 }, "100", LIVE),
    yes_no("jemalloc-bg-thread", "yes"),
    unused("maxmemory-clients", Kind::MemoryOrPercent, "0", LIVE),
    yes_no("aof-disable-auto-gc", "no"),
    yes_no("aof-rewrite-incremental-fsync", "yes"),
    yes_no("rdb-save-incremental-fsync", "yes"),
    yes_no("rdb-del-sync-files", "no"),
    unused(
        "propagation-error-behavior",
        Kind::OneOf(&["ignore", "panic", "panic-on-replicas"]),
        "ignore",
        LIVE,
    ),
    // Slowness for tests of an implementation that forks; no client is shown them unasked.
    unused("key-load-delay", ANY_INT, "0", LIVE | HIDDEN),
    unused("rdb-key-save-delay", ANY_INT, "0", LIVE | HIDDEN),
    unused("use-exit-on-panic", Kind::Bool, "no", LIVE | HIDDEN),
    // Replication: what a replica is told, and how a server that forks feeds one.
    unused("masterauth", Kind::Text, "", LIVE | SENSITIVE),
    unused("masteruser", Kind::Text, "", LIVE | SENSITIVE),
    or("slave-announce-ip", text("replica-announce-ip")),
    or("slave-announce-port", unused("replica-announce-port", PORT, "0", LIVE)),
    yes_no("replica-announced", "yes"),
    yes_no("replica-ignore-disk-write-errors", "no"),
    or("slave-ignore-maxmemory", yes_no("replica-ignore-maxmemory", "yes")),
    or("slave-lazy-flush", yes_no("replica-lazy-flush", "no")),
    or("slave-priority", unused("replica-priority", INT, "100", LIVE)),
    or("slave-read-only", yes_no("replica-read-only", "yes")),
    or("slave-serve-stale-data", yes_no("replica-serve-stale-data", "yes")),
    yes_no("repl-disable-tcp-nodelay", "no"),
    unused("repl-diskless-load", Kind::OneOf(&["disabled", "on-empty-db", "swapdb"]), "disabled", LIVE),
    yes_no("repl-diskless-sync", "yes"),
    unused("repl-diskless-sync-delay", INT, "5", LIVE),
    unused("repl-diskless-sync-max-replicas", INT, "0", LIVE),
    // Cluster.
    yes_no("cluster-allow-pubsubshard-when-down", "yes"),
    yes_no("cluster-allow-reads-when-down", "no"),
    yes_no("cluster-allow-replica-migration", "yes"),
    unused("cluster-announce-bus-port", PORT, "0", LIVE),
    text("cluster-announce-hostname"),
    text("cluster-announce-ip"),
    unused("cluster-announce-port", PORT, "0", LIVE),
    unused("cluster-announce-tls-port", PORT, "0", LIVE),
    unused("cluster-config-file", Kind::Text, "nodes.conf", IMMUTABLE),
    unused("cluster-link-sendbuf-limit", SIZE, "0", LIVE),
    unused("cluster-migration-barrier", INT, "1", LIVE),
    unused("cluster-node-timeout", LONG, "15000", LIVE),
    unused("cluster-port", PORT, "0", IMMUTABLE),
    unused(
        "cluster-preferred-endpoint-type",
        Kind::OneOf(&["ip", "hostname", "unknown-endpoint"]),
        "ip",
        LIVE,
    ),
    or("cluster-slave-no-failover", yes_no("cluster-replica-no-failover", "no")),
    or("cluster-slave-validity-factor", unused("cluster-replica-validity-factor", INT, "10", LIVE)),
    yes_no("cluster-require-full-coverage", "yes"),
    // TLS, which only tls-port would switch on.
    unused("tls-auth-clients", Kind::OneOf(&["no", "yes", "optional"]), "yes", LIVE),
    text("tls-ca-cert-dir"),
    text("tls-ca-cert-file"),
    text("tls-cert-file"),
    text("tls-ciphers"),
    text("tls-ciphersuites"),
    text("tls-client-cert-file"),
    text("tls-client-key-file"),
    unused("tls-client-key-file-pass", Kind::Text, "", LIVE | SENSITIVE),
    yes_no("tls-cluster", "no"),
    text("tls-dh-params-file"),
    text("tls-key-file"),
    unused("tls-key-file-pass", Kind::Text, "", LIVE | SENSITIVE),
    yes_no("tls-prefer-server-ciphers", "no"),
    text("tls-protocols"),
    yes_no("tls-replication", "no"),
    unused("tls-session-cache-size", INT, "20480", LIVE),
    unused("tls-session-cache-timeout", INT, "300", LIVE),
    yes_no("tls-session-caching", "yes"),
];

fn words(words: &[&str]) -> Result<String, String> {
    Ok(words.join(" "))
}

/// `replicaof no one` is the default.
fn replica_of(words: &[&str]) -> Result<String, String> {
    match words {
        [] => Ok(String::new()),
        [no, one] if no.eq_ignore_ascii_case("no") && one.eq_ignore_ascii_case("one") => Ok(String::new()),
        [host, port] => Ok(format!("{host} {port}")),
        _ => Err("wrong number of arguments".into()),
    }
}

fn oom_scores(words: &[&str]) -> Result<String, String> {
    let in_range =
        |word: &&str| crate::config::parse::integer(word).is_some_and(|n| (-2000..=2000).contains(&n));
    match words {
        [_, _, _] if words.iter().all(in_range) => Ok(words.join(" ")),
        [_, _, _] => Err("Invalid oom-score-adj-values, elements must be between -2000 and 2000.".into()),
        _ => Err("wrong number of arguments".into()),
    }
}
