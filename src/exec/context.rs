//! What every command may read of the process: the bundle that `boot` puts together once.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::evict::Evictor;
use super::freer::Freer;
use super::mailbox::Mailbox;
use super::registry::Registry;
use super::replicas::Replicas;
use super::room::Room;
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
    /// True after DEBUG PAUSE-CRON 1: nothing is done regularly.
    pub cron_paused: AtomicBool,
    /// What `maxmemory` leaves.
    pub room: Room,
    /// Who removes keys where it leaves nothing.
    pub evictor: Evictor,
    /// Bytes of data in use, what waits to be freed included, as of the last regular look.
    pub memory_used: AtomicU64,
    /// What a change of settings needs besides being read; set once the server runs.
    pub apply_settings: OnceLock<ApplySettings>,
}

impl Context {
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
    /// False when the last save failed, as far as nobody waited for it: SAVE and SHUTDOWN tell their caller, and stop no writes.
    pub last_save_ok: AtomicBool,
    /// When the `save` points may order the next one, in milliseconds since the start of the process.
    next_save_ms: AtomicU64,
    /// Seconds that the last such save took, -1 before the first.
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

impl Saves {
    /// The least time between the end of a failed save and the next one that the `save` points order, as in Redis: with much
    /// data each attempt keeps the disk busy.
    const PAUSE: Duration = Duration::from_secs(5);

    /// What came of a save, and when, since the start of the process. `in_background`: nobody waits for it.
    pub fn note_end(&self, is_ok: bool, in_background: bool, now: Duration) {
        if is_ok || in_background {
            self.last_save_ok.store(is_ok, Ordering::Relaxed);
            let next = if is_ok { Duration::ZERO } else { now + Self::PAUSE };
            self.next_save_ms.store(next.as_millis() as u64, Ordering::Relaxed);
        }
    }

    /// Whether the `save` points may order a save at this time since the start of the process.
    pub fn may_save(&self, now: Duration) -> bool {
        now.as_millis() as u64 >= self.next_save_ms.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_save_that_nobody_waits_for_stops_writes_and_delays_the_next_one() {
        let saves = Saves::default();
        let seconds = Duration::from_secs;
        let is_ok = |saves: &Saves| saves.last_save_ok.load(Ordering::Relaxed);
        saves.note_end(true, false, seconds(1));
        saves.note_end(false, false, seconds(2));
        assert!(is_ok(&saves) && saves.may_save(seconds(2)));

        saves.note_end(false, true, seconds(10));
        assert!(!is_ok(&saves));
        let due = [10, 14, 15].map(|at| saves.may_save(seconds(at)));
        assert_eq!(due, [false, false, true]);

        // Somebody's SAVE shows that the disk is well.
        saves.note_end(true, false, seconds(11));
        assert!(is_ok(&saves) && saves.may_save(seconds(11)));
    }
}
