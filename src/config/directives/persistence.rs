//! What is written to the disk, when, and where.

use super::{IMMUTABLE, LIVE, OWN, PROTECTED, SERIAL, group};
use crate::config::choice::{AppendFsync, SanitizePayload};
use crate::config::kind::{I32_MAX, I64_MAX, Kind};
use crate::config::value::{HistoryBounds, JsonSave, SavePoint, check_history, check_json_save, check_save};
use std::path::PathBuf;

group! {
    /// What is written to the disk, when, and where.
    persistence: Persistence {
        /// The directory of all data files. The open log lives in it, so it is fixed once the server runs.
        dir: PathBuf = "dir", Kind::Text, ".", PROTECTED | IMMUTABLE;
        /// Name of the snapshot file in `dir`.
        dbfilename: String = "dbfilename", Kind::FileName("dbfilename"), "dump.rdb", PROTECTED;
        /// Keep a log of all writes. On by default, unlike in Redis: what was acknowledged stays.
        appendonly: bool = "appendonly", Kind::Bool, "yes", LIVE;
        /// When an acknowledged write is on the disk.
        appendfsync: AppendFsync = "appendfsync", Kind::OneOf(AppendFsync::WORDS), "everysec", LIVE;
        /// Start of the names of the log's files.
        appendfilename: String = "appendfilename", Kind::FileName("appendfilename"), "appendonly.aof", IMMUTABLE;
        /// Directory of the log's files, in `dir`.
        appenddirname: String = "appenddirname", Kind::FileName("appenddirname"), "appendonlydir", IMMUTABLE;
        /// Start although the log's last group is torn, as a crash leaves it.
        aof_load_truncated: bool = "aof-load-truncated", Kind::Bool, "yes", LIVE;
        /// Write the time into the log once a second, as annotations. On by default, unlike in Redis: without it there
        /// is no way back to a point in time, and it costs 16 bytes a second.
        aof_timestamp_enabled: bool = "aof-timestamp-enabled", Kind::Bool, "yes", LIVE;
        /// How long, or how much, of what a rewrite of the log replaces is kept, to go back in time with `pinstripe
        /// restore`: seconds, or bytes with a unit, or both; empty = nothing. Not in Redis.
        aof_keep_history: HistoryBounds = "aof-keep-history", Kind::Words(check_history), "", LIVE | OWN;
        /// Write the log's base as a snapshot, which loads faster than commands.
        aof_use_rdb_preamble: bool = "aof-use-rdb-preamble", Kind::Bool, "yes", LIVE;
        /// Rewrite the log when it has grown by this many percent; 0 = never by itself.
        auto_aof_rewrite_percentage: u32 = "auto-aof-rewrite-percentage", Kind::Int { min: 0, max: I32_MAX }, "100", LIVE;
        /// Do not rewrite a log that is smaller than this, bytes.
        auto_aof_rewrite_min_size: u64 = "auto-aof-rewrite-min-size", Kind::Memory { min: 0, max: I64_MAX }, "67108864", LIVE;
        /// Leave `fsync` out while the log is rewritten.
        no_appendfsync_on_rewrite: bool = "no-appendfsync-on-rewrite", Kind::Bool, "no", LIVE;
        /// When to write a snapshot by itself. Empty by default: the log holds every write already, and its
        /// rewrite is the snapshot.
        save: Vec<SavePoint> = "save", Kind::Words(check_save), "", LIVE | SERIAL;
        /// Refuse writes unless so many replicas follow and were heard a moment ago; 0 = write in any case.
        min_replicas_to_write: u32 = "min-replicas-to-write" or "min-slaves-to-write", Kind::Int { min: 0, max: I32_MAX }, "0", LIVE;
        /// Seconds that a replica may lag and still count; 0 = `min-replicas-to-write` is not obeyed.
        min_replicas_max_lag: u32 = "min-replicas-max-lag" or "min-slaves-max-lag", Kind::Int { min: 0, max: I32_MAX }, "10", LIVE;
        /// A JSON file in `dir` that gets all strings of database 0 every so many seconds. Not in Redis.
        json_save: JsonSave = "json-save", Kind::Words(check_json_save), "", LIVE;
        /// Refuse writes while the last snapshot failed.
        stop_writes_on_bgsave_error: bool = "stop-writes-on-bgsave-error", Kind::Bool, "yes", LIVE;
        /// Compress long strings in snapshots.
        rdbcompression: bool = "rdbcompression", Kind::Bool, "yes", LIVE;
        /// Put a checksum at the end of a snapshot, and compare it when loading.
        rdbchecksum: bool = "rdbchecksum", Kind::Bool, "yes", IMMUTABLE;
        /// How thoroughly RESTORE's payloads are checked.
        sanitize_dump_payload: SanitizePayload = "sanitize-dump-payload", Kind::OneOf(SanitizePayload::WORDS), "no", LIVE;
    }
}
