//! What every command may read of the process: the bundle that `boot` puts together once.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;

use super::freer::Freer;
use super::mailbox::Mailbox;
use super::registry::Registry;
use super::replicas::Replicas;
use super::turn::Turns;
use crate::base::clock::Clock;
use crate::clients::{Bounds, Client, Clients};
use crate::config::{Changed, Settings};
use crate::log::Log;
use crate::observe::latency::Latency;
use crate::observe::operations::Operations;
use crate::observe::slowlog::Slowlog;
use crate::observe::stats::Stats;
use crate::pubsub::PubSub;
use crate::script::Scripts;
use crate::table::Table;
use crate::tracking::Tracking;

/// The process, as commands see it.
pub struct Context {
    /// The data.
    pub table: Table,
    /// The log of changes.
    pub log: Arc<Log>,
    /// The settings.
    pub settings: Settings,
    /// The connections.
    pub clients: Clients,
    /// Who of them listens to which channel.
    pub pubsub: Arc<PubSub<Client>>,
    /// Who caches what.
    pub tracking: Arc<Tracking>,
    /// Who follows this server.
    pub replicas: Arc<Replicas>,
    /// How much may wait to be sent to a client, as of the last look: for who posts and has no settings at hand.
    pub bounds: Arc<ArcSwap<Bounds>>,
    /// The counters.
    pub stats: Stats,
    /// The slow log.
    pub slowlog: Slowlog,
    /// The log of operations.
    pub operations: Operations,
    /// Spikes of latency, by event.
    pub latency: Latency,
    /// The time.
    pub clock: Clock,
    /// The scripts that are known.
    pub scripts: Scripts,
    /// The commands.
    pub registry: Registry,
    /// The seats of all who run commands.
    pub turns: Turns,
    /// Who frees what would take long.
    pub freer: Freer,
    /// Orders to the machinery above.
    pub mailbox: Mailbox,
    /// What is true of this process from its start.
    pub identity: Identity,
    /// How far loading has come.
    pub loading: Loading,
    /// Snapshots and rewrites, as INFO and LASTSAVE show them.
    pub saves: Saves,
    /// False after DEBUG SET-ACTIVE-EXPIRE 0.
    pub active_expiry: AtomicBool,
    /// `maxmemory` in bytes; 0: no limit.
    pub memory_limit: AtomicU64,
    /// Bytes in use, as of the last look.
    pub memory_used: AtomicU64,
    /// What a change of settings needs besides being read; set once the server runs.
    pub apply_settings: OnceLock<ApplySettings>,
}

impl Context {
    /// True when more than `maxmemory` is in use, as of the last look a moment ago.
    #[inline]
    pub fn is_memory_full(&self) -> bool {
        let limit = self.memory_limit.load(Ordering::Relaxed);
        limit > 0 && self.memory_used.load(Ordering::Relaxed) > limit
    }

    /// Looks how much memory is in use, and notes the peak. Whether that is too much is asked anew by each command, so a
    /// limit that changes while somebody looks holds at once.
    pub fn measure_memory(&self) {
        let used = self.stats.memory.note(self.table.bytes() as u64 + self.freer.pending_bytes());
        self.memory_used.store(used, Ordering::Relaxed);
    }

    /// Has freed what was removed and would take long to free. To be called with no stripe locked.
    #[inline]
    pub fn free_garbage(&self) {
        self.freer.free(self.table.take_garbage());
    }
}

/// Carries out what a change of settings needs, such as listening on another port, or refuses it: the directive's name
/// and the reason. Called before the change shows.
pub type ApplySettings = Box<dyn Fn(&Changed) -> Result<(), (&'static str, String)> + Send + Sync>;

/// What is true of a process from its start.
pub struct Identity {
    /// 40 hexadecimal digits, another at each start.
    pub run_id: String,
    /// Unix time in milliseconds.
    pub started_at: i64,
    /// Threads that run commands.
    pub workers: usize,
    /// The configuration file, empty without one.
    pub config_file: String,
    /// The executable.
    pub executable: String,
}

/// How far loading has come. Commands without the `loading` flag are refused meanwhile.
#[derive(Default)]
pub struct Loading {
    active: AtomicBool,
    /// Unix time in seconds when it began.
    pub since: AtomicI64,
    /// Bytes to load.
    pub total: AtomicU64,
    /// Bytes loaded.
    pub done: AtomicU64,
    /// Milliseconds that it took, once it has ended.
    pub took_ms: AtomicU64,
    /// Keys that there were at its end.
    pub keys: AtomicU64,
}

impl Loading {
    /// True while data is being loaded.
    #[inline]
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Begins or ends it.
    pub fn set(&self, active: bool) {
        self.active.store(active, Ordering::Release);
    }
}

/// Snapshots and rewrites.
#[derive(Default)]
pub struct Saves {
    /// A `dump.rdb` is being written in the background.
    pub saving: AtomicBool,
    /// The log is being rewritten.
    pub rewriting: AtomicBool,
    /// The server is about to end: a job under way gives up, as what it writes will be written once more.
    pub ending: AtomicBool,
    /// A rewrite was asked for, and will begin when what is under way has ended.
    pub rewrite_scheduled: AtomicBool,
    /// Unix seconds of the last successful save, or of the start.
    pub last_save: AtomicI64,
    /// False when the last save failed.
    pub last_save_ok: AtomicBool,
    /// Seconds that the last save took, -1 before the first.
    pub last_save_seconds: AtomicI64,
    /// False when the last rewrite failed.
    pub last_rewrite_ok: AtomicBool,
    /// Seconds that the last rewrite took, -1 before the first.
    pub last_rewrite_seconds: AtomicI64,
    /// Unix seconds when the one under way began.
    pub began: AtomicI64,
    /// Unix milliseconds when the log was last seen to have been synced; 0 before the first time.
    pub last_sync: AtomicI64,
    /// Saves since the start.
    pub saves: AtomicU64,
    /// Rewrites since the start.
    pub rewrites: AtomicU64,
    /// The seat counters' sum of changes at the last successful save.
    pub changes_at_save: AtomicU64,
    /// The JSON file of `json-save` is being written.
    pub saving_json: AtomicBool,
    /// Unix seconds of the last attempt to write it, or of the start.
    pub last_json: AtomicI64,
    /// The sum of changes at the last one that succeeded, and one more; 0 before the first.
    pub changes_at_json: AtomicU64,
}
