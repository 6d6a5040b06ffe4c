//! Eviction: removing keys where more than `maxmemory` is in use, as `maxmemory-policy` wants it.
//!
//! It is done before a command runs, of whatever kind, and by the regular tasks, for when no command comes. Who goes is the
//! best of a small pool, to which a few keys picked at random are added before each choice: Redis's published scheme, close
//! to what a list of all keys in the order of their use would choose, without the cost of one. One thread evicts at a time;
//! who comes meanwhile waits, and finds room or goes on with it.
//!
//! A removal is a change like any other: it has its record (DEL), marks watchers, tells caches and listeners, and wakes those
//! who wait for the key to go. So nothing is evicted while changes may not be: in transactions and scripts, which have been
//! asked before they began, while the log has a fault, and while CLIENT PAUSE holds writes.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use super::commit::Journal;
use super::context::Context;
use super::run::Desk;
use super::session::Session;
use super::{gate, listen, tell, wait};
use crate::base::clock::Millis;
use crate::base::random::Random;
use crate::config::{Config, MaxmemoryPolicy};
use crate::resp::request::Request;
use crate::table::{Entry, access};

/// Candidates that are kept for the next choice.
const POOL: usize = 16;
/// Stripes to look through for a few keys more, where it is not known that there are so few keys that all have to be.
const WALK: usize = 64;
/// Keys that are removed between two looks at the time, and at what forbids it.
const AT_ONCE: u64 = 16;

/// Who evicts, and what came of it so far.
#[derive(Default)]
pub struct Evictor {
    pool: Mutex<Pool>,
    /// Keys that were evicted.
    evicted: AtomicU64,
    /// Monotonic nanoseconds since more than `maxmemory` is in use; 0: it is not.
    exceeded_since: AtomicU64,
    /// Nanoseconds for which it was, until it was no more.
    exceeded: AtomicU64,
}

/// What came of making room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There is room.
    Done,
    /// There is more to remove, and the time is up: it goes on with the next command.
    MoreToDo,
    /// There is not, and nothing that may be removed.
    Nothing,
}

/// Keys that may be evicted, the best last.
struct Pool {
    /// As was wanted when they were found.
    policy: MaxmemoryPolicy,
    candidates: Vec<Candidate>,
    random: Random,
    /// The changes so far when nothing was found to be evicted. Without another there still is nothing.
    barren_at: Option<u64>,
}

impl Default for Pool {
    fn default() -> Self {
        Pool {
            policy: MaxmemoryPolicy::Noeviction,
            candidates: Vec::new(),
            random: Random::from_os(),
            barren_at: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    /// The higher, the better it is to be evicted.
    score: u64,
    db: usize,
    key: Box<[u8]>,
}

impl Evictor {
    /// Keys that were evicted since the start or CONFIG RESETSTAT.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// Milliseconds for which more than `maxmemory` was in use while keys could be evicted: those that are over, and those
    /// up to `now`, in monotonic nanoseconds, that are not.
    pub fn exceeded_ms(&self, now: u64) -> (u64, u64) {
        let since = self.exceeded_since.load(Relaxed);
        let current = if since == 0 { 0 } else { now.saturating_sub(since) };
        (self.exceeded.load(Relaxed) / 1_000_000, current / 1_000_000)
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        for figure in [&self.evicted, &self.exceeded, &self.exceeded_since] {
            figure.store(0, Relaxed);
        }
    }

    fn note_exceeded(&self, now: u64) {
        // None but the first to notice.
        let _ = self.exceeded_since.compare_exchange(0, now.max(1), Relaxed, Relaxed);
    }

    /// There is room, or none is to be made any more, at this time in monotonic nanoseconds.
    pub fn note_room(&self, now: u64) {
        if self.exceeded_since.load(Relaxed) > 0 {
            let since = self.exceeded_since.swap(0, Relaxed);
            self.exceeded.fetch_add(if since == 0 { 0 } else { now.saturating_sub(since) }, Relaxed);
        }
    }
}

/// Whether there is no room for more: what came of making it says so, or, where that was not tried, who is asked.
pub(super) fn lacks_room(made: Option<Outcome>, is_full: impl FnOnce() -> bool) -> bool {
    made.map_or_else(is_full, |made| made == Outcome::Nothing)
}

/// Whether keys may be evicted now, if they may at all.
pub fn may(ctx: &Context, config: &Config, now: Millis) -> bool {
    config.memory.maxmemory_policy != MaxmemoryPolicy::Noeviction
        && !ctx.loading.is_active()
        && gate::disk_takes_writes(ctx, config).is_ok()
        && ctx.clients.paused_until(true, now).is_none()
}

/// If memory is full, removes keys until no more than `maxmemory` is in use, or for about so many nanoseconds. What came of
/// it, and the number of the last record. In a turn on the seat, with no stripe locked, where [`may`] allows it.
pub fn make_room(
    (ctx, config): (&Context, &Config),
    is_full: bool,
    budget: u64,
    seat: usize,
    now: Millis,
) -> (Outcome, u64) {
    let evictor = &ctx.evictor;
    let began = ctx.clock.elapsed_nanos();
    if !is_full {
        evictor.note_room(began);
        return (Outcome::Done, 0);
    }
    evictor.note_exceeded(began);
    let marks = ctx.table.marks();
    let mut pool = evictor.pool.lock();
    // Who has waited for the others has his own time.
    let began = ctx.clock.elapsed_nanos();
    let mut journal = Journal::Log { log: &ctx.log, last: 0 };
    let mut count = 0;
    let outcome = loop {
        if ctx.room.excess() == 0 {
            break Outcome::Done;
        }
        let Some(bytes) = pool.evict_one(ctx, config, now, &mut journal) else { break Outcome::Nothing };
        ctx.room.freed(bytes as u64);
        count += 1;
        let is_time_up = || ctx.clock.elapsed_nanos().saturating_sub(began) >= budget;
        if count % AT_ONCE == 0 && (is_time_up() || !may(ctx, config, now)) {
            break Outcome::MoreToDo;
        }
    };
    drop(pool);
    ctx.stats.seat(seat).changes.add(count);
    evictor.evicted.fetch_add(count, Relaxed);
    let ended = ctx.clock.elapsed_nanos();
    if outcome == Outcome::Done {
        evictor.note_room(ended);
    }
    let ms = ended.saturating_sub(began) / 1_000_000;
    ctx.latency.record("eviction-cycle", now / 1000, ms, config.observe.latency_monitor_threshold);
    let served = wait::serve_waiting_everywhere(ctx, marks, now);
    ctx.stats.seat(seat).changes.add(served as u64);
    (outcome, journal.last())
}

impl Desk<'_> {
    /// Evicts keys, where too much memory is in use. What that tells the session stands before the next reply.
    #[cold]
    pub(super) fn make_room(&mut self, session: &mut Session, request: &Request<'_>, out: &mut Vec<u8>) {
        let (ctx, now) = (self.ctx, self.now());
        if !self.is_in_turn() || session.in_exec {
            return;
        }
        if ctx.loading.is_active() || ctx.clients.paused_until(true, now).is_some() {
            // Those to come will say what holds the command; that there is no room is no reason to refuse it.
            self.room_made = Some(Outcome::Done);
            return;
        }
        if !may(ctx, &self.config, now) {
            return;
        }
        let is_full = ctx.is_memory_full_for(request);
        let budget = budget_nanos(self.config.memory.maxmemory_eviction_tenacity);
        let (made, last) = make_room((ctx, &self.config), is_full, budget, self.seat(), now);
        self.room_made = Some(made);
        session.need.wrote(last);
        if is_full && session.client.has_posted() {
            let mark = out.len();
            listen::place_posted(session, true, mark, out);
            self.note_posted(session, mark, out);
        }
    }
}

impl Pool {
    /// Removes the key that it is best to remove; the bytes that it took, none if no key may be removed.
    fn evict_one(
        &mut self,
        ctx: &Context,
        config: &Config,
        now: Millis,
        journal: &mut Journal<'_>,
    ) -> Option<usize> {
        let policy = config.memory.maxmemory_policy;
        if policy != self.policy {
            // What was good by other rules says nothing.
            *self = Pool { policy, ..Pool::default() };
        }
        let changes = ctx.sum_of_changes();
        if self.barren_at == Some(changes) {
            return None;
        }
        loop {
            self.fill(ctx, config, now, WALK);
            if self.candidates.len() < config.memory.maxmemory_samples.min(POOL as u32) as usize {
                self.fill(ctx, config, now, usize::MAX);
            }
            let Some(candidate) = self.candidates.pop() else {
                self.barren_at = Some(changes);
                return None;
            };
            // It may be gone, or stay for ever now.
            let removed = remove(ctx, &candidate, is_of_expiring(policy), now, journal);
            if removed.is_some() {
                return removed;
            }
        }
    }

    /// Adds a few keys of each database.
    fn fill(&mut self, ctx: &Context, config: &Config, now: Millis, walk: usize) {
        let is_random =
            matches!(self.policy, MaxmemoryPolicy::AllkeysRandom | MaxmemoryPolicy::VolatileRandom);
        let count = if is_random { 1 } else { config.memory.maxmemory_samples as usize };
        let rules = (count, is_of_expiring(self.policy), walk);
        let Pool { policy, candidates, random, .. } = self;
        // The other generator is busy with finding them.
        let mut luck = Random::seeded(random.next_u64());
        for db in 0..ctx.table.databases() {
            ctx.table.sample(db, rules, random, |entry| {
                let score = if is_random {
                    luck.next_u64()
                } else {
                    score(*policy, entry.access(), entry.expiry(), &ctx.table.access, now)
                };
                add(candidates, score, db, entry);
            });
        }
    }
}

fn is_of_expiring(policy: MaxmemoryPolicy) -> bool {
    use MaxmemoryPolicy::{VolatileLfu, VolatileLru, VolatileRandom, VolatileTtl};
    matches!(policy, VolatileLru | VolatileLfu | VolatileRandom | VolatileTtl)
}

/// How good it is to evict a key with this record of use and this deadline.
fn score(policy: MaxmemoryPolicy, used: u32, expiry: Millis, access: &access::Policy, now: Millis) -> u64 {
    match policy {
        MaxmemoryPolicy::VolatileTtl => u64::MAX - expiry.max(0).unsigned_abs(),
        MaxmemoryPolicy::AllkeysLfu | MaxmemoryPolicy::VolatileLfu => {
            u64::from(u8::MAX) - u64::from(access.frequency(used, now)).min(u64::from(u8::MAX))
        }
        _ => u64::from(access.idle_seconds(used, now)),
    }
}

/// Puts a key among the candidates, if it is one of the best.
fn add(candidates: &mut Vec<Candidate>, score: u64, db: usize, entry: &Entry) {
    let is_full = candidates.len() >= POOL;
    if is_full && candidates.first().is_some_and(|worst| worst.score >= score) {
        return;
    }
    if candidates.iter().any(|known| known.db == db && *known.key == *entry.key()) {
        return;
    }
    if is_full {
        candidates.remove(0);
    }
    let at = candidates.partition_point(|known| known.score <= score);
    candidates.insert(at, Candidate { score, db, key: entry.key().into() });
}

fn remove(
    ctx: &Context,
    candidate: &Candidate,
    only_expiring: bool,
    now: Millis,
    journal: &mut Journal<'_>,
) -> Option<usize> {
    let Candidate { db, key, .. } = candidate;
    // One whose time has come goes like any other: what it frees counts.
    ctx.table.peek(ctx.table.address(*db, key), key, |slot| {
        let may_go = slot.entry().is_some_and(|entry| !only_expiring || entry.deadline().is_some());
        let freed = if may_go { slot.evict() } else { None }?;
        journal.removed(*db, key);
        journal.seen(slot);
        tell::publish(ctx, now, slot.take_told());
        Some(freed)
    })
}

/// How long room is made before a command, in nanoseconds: half a millisecond with the default of 10, and growing to minutes.
pub fn budget_nanos(tenacity: u8) -> u64 {
    const STEP_NANOS: u64 = 50_000;
    const LINEAR_UPTO: u8 = 10;
    match tenacity {
        0..=LINEAR_UPTO => STEP_NANOS * u64::from(tenacity),
        100.. => u64::MAX,
        _ => {
            let steps = i32::from(tenacity - LINEAR_UPTO);
            (STEP_NANOS as f64 * f64::from(LINEAR_UPTO) * 1.15_f64.powi(steps)) as u64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::NEVER;

    #[test]
    fn the_pool_keeps_the_best_in_order_and_each_once() {
        let mut candidates = Vec::new();
        let table = crate::table::Table::new(1, crate::base::hash::Seed::random());
        let mut add_key = |score: u64| {
            let name = score.to_string();
            table.peek(table.address(0, name.as_bytes()), name.as_bytes(), |slot| {
                slot.put_text(b"", crate::table::Expiry::Clear);
                add(&mut candidates, score, 0, slot.entry().unwrap());
            });
        };
        (0..40).chain(0..40).rev().for_each(&mut add_key);
        let scores: Vec<u64> = candidates.iter().map(|candidate| candidate.score).collect();
        assert_eq!(scores, (24..40).collect::<Vec<_>>());
    }

    #[test]
    fn who_is_idle_rare_or_due_soon_goes_first() {
        use MaxmemoryPolicy::{AllkeysLfu, AllkeysLru, VolatileTtl};
        let access = access::Policy::default();
        let now = 100_000;
        let score = |policy, used, expiry| score(policy, used, expiry, &access, now);
        assert!(score(AllkeysLru, 10, NEVER) > score(AllkeysLru, 90, NEVER));
        assert!(score(VolatileTtl, 0, 5) > score(VolatileTtl, 0, 6));
        let minute = 1 << 8;
        assert!(score(AllkeysLfu, minute | 5, NEVER) > score(AllkeysLfu, minute | 200, NEVER));
    }

    #[test]
    fn the_budget_grows_with_tenacity() {
        let budgets = [0, 5, 10, 11, 50, 99, 100].map(budget_nanos);
        assert_eq!(budgets[..3], [0, 250_000, 500_000]);
        assert!(budgets.is_sorted() && budgets[3] == 575_000 && budgets[6] == u64::MAX, "{budgets:?}");
    }
}
