//! What is done regularly: expiry, samples, idle connections, the growth of the log.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::reclaim::{Pages, Reclaimer};
use crate::base::clock::Millis;
use crate::clients::{Client, flag};
use crate::config::MaxmemoryPolicy;
use crate::exec::mailbox::Order;
use crate::exec::{Context, commit::Journal, evict, limits, outage, tell, wait};
use crate::table::expire::{Cursor, Progress};

/// Time between two rounds.
const PERIOD: Duration = Duration::from_millis(100);
/// The longest time that one slice of an expiry cycle holds its seat.
const EXPIRY_SLICE: Duration = Duration::from_millis(1);
/// The longest time that one slice of eviction holds its seat.
const EVICTION_SLICE: Duration = Duration::from_millis(1);

/// Does it for ever, on a seat of its own.
pub(super) async fn run(ctx: Arc<Context>, seat: usize) {
    let mut expiry = Expiry::default();
    let mut reclaimer = Reclaimer::default();
    let mut pages = Pages::default();
    let mut mender = Mender::default();
    let mut compactor = Compactor::default();
    let mut wall = WallClock::default();
    let mut round = 0u64;
    let mut syncs = 0;
    let mut interval = tokio::time::interval(PERIOD);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if ctx.cron_paused.load(Relaxed) {
            continue;
        }
        let now = ctx.clock.unix_ms();
        let set_by = wall.set_by(now, ctx.clock.elapsed());
        if set_by != 0 {
            tracing::warn!(set_by_ms = set_by, "the system's clock was set");
            for client in ctx.clients.list() {
                client.last_use.store(use_after_setting(client.last_use.load(Relaxed), now, set_by), Relaxed);
            }
        }
        ctx.table.access.tick(now);
        sample(&ctx);
        note_syncs(&ctx, now, &mut syncs);
        ctx.bounds.store(Arc::new(limits::outbox(&ctx.settings.load(), now)));
        // What was removed without a turn: while loading.
        ctx.free_garbage();
        ctx.measure_memory();
        if reclaimer.is_due(ctx.memory_used.load(Relaxed), ctx.freer.pending_bytes()) {
            ctx.freer.give_back();
        }
        if let Some(due) = pages.due(ctx.memory_used.load(Relaxed), ctx.freer.has_pages_left(), round) {
            ctx.freer.tend_pages(due.is_calm);
        }
        outage::prepare(&ctx, now);
        if !ctx.loading.is_active() && ctx.active_expiry.load(Relaxed) && !ctx.table.holds_expiry(now) {
            expiry.round(&ctx, seat).await;
        }
        make_room(&ctx, seat).await;
        if round.is_multiple_of(10) {
            outage::provide(&ctx, seat);
            ctx.log.tell_time(now);
            ctx.replicas.tend(&ctx.log, &ctx.settings.load().replication, now);
            end_idle_connections(&ctx, now);
            end_strangers(&ctx, now);
            end_overfull_connections(&ctx, now);
            save_if_due(&ctx, now);
            save_json_if_due(&ctx, now);
        }
        mender.look(&ctx);
        compactor.look(&ctx);
        round += 1;
    }
}

fn sample(ctx: &Context) {
    let stats = &ctx.stats;
    let totals = [
        stats.sum(|seat| &seat.processed),
        stats.sum(|seat| &seat.bytes_in),
        stats.sum(|seat| &seat.bytes_out),
        stats.sum(|seat| &seat.bytes_to_replicas),
    ];
    stats.rate.sample(ctx.clock.elapsed().as_micros() as u64, totals);
}

/// The log asks no clock, so the time of its last sync is told to within a round.
fn note_syncs(ctx: &Context, now: i64, seen: &mut u64) {
    let syncs = ctx.log.stats().fsyncs;
    if syncs != *seen {
        *seen = syncs;
        ctx.saves.last_sync.store(now, Relaxed);
    }
}

/// The expiry cycle: where it is, and how busy it is.
#[derive(Default)]
struct Expiry {
    cursor: Cursor,
    /// Rounds in a row that ended with work left.
    behind: u32,
}

impl Expiry {
    /// The largest part of a period in percent. Above it the next round could not begin in time.
    const PERCENT_MAX: u32 = 80;

    /// One round: slices with rests between them, until all stripes have been visited or the time is up.
    async fn round(&mut self, ctx: &Context, seat: usize) {
        let effort = u32::from(ctx.settings.load().memory.active_expire_effort);
        let budget = PERIOD * self.percent(effort) / 100;
        let began = ctx.clock.elapsed();
        loop {
            let progress = self.slice(ctx, seat);
            if progress == Progress::Done || ctx.clock.elapsed() - began >= budget {
                self.behind = if progress == Progress::Done { 0 } else { self.behind + 1 };
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The part of a period that the next round may take: a quarter (more with a higher `active-expire-effort`), and twice as
    /// much each time that this was not enough. A slice stops nobody but who wants a key of the stripe that it is at,
    /// so what this costs is a core's time.
    fn percent(&self, effort: u32) -> u32 {
        let usual = 23 + 2 * effort;
        (usual << self.behind.min(2)).min(Self::PERCENT_MAX)
    }

    fn slice(&mut self, ctx: &Context, seat: usize) -> Progress {
        let mut journal = Journal::Log { log: &ctx.log, last: 0 };
        let progress = {
            // Who listens for connections is on this thread, too: it must not wait for a script that takes too long.
            let Some(_turn) = ctx.turns.begin_unless(seat, || ctx.scripts.is_overdue()) else {
                return Progress::Done;
            };
            let slice = ctx.clock.elapsed();
            let is_time_up = || ctx.clock.elapsed() - slice >= EXPIRY_SLICE;
            let (now, marks) = (ctx.clock.unix_ms(), ctx.table.marks());
            let progress =
                ctx.table.expire_some(&mut self.cursor, now, is_time_up, |db, key, lapsed, told| {
                    journal.lapsed(db, key, lapsed);
                    tell::publish(ctx, now, told);
                    ctx.stats.seat(seat).changes.add(1);
                });
            wait::serve_waiting_everywhere(ctx, marks, now);
            progress
        };
        settle(ctx, journal.last());
        progress
    }
}

/// Evicts keys where too much memory is in use and no command comes that would do it, for a quarter of the time at most.
async fn make_room(ctx: &Context, seat: usize) {
    let (began, now) = (ctx.clock.elapsed(), ctx.clock.unix_ms());
    loop {
        let config = ctx.settings.load();
        if !ctx.room.is_limited() || config.memory.maxmemory_policy == MaxmemoryPolicy::Noeviction {
            return ctx.evictor.note_room(ctx.clock.elapsed_nanos());
        }
        let (outcome, last) = {
            let Some(_turn) = ctx.turns.begin_unless(seat, || ctx.scripts.is_overdue()) else { return };
            if !evict::may(ctx, &config, now) {
                return;
            }
            let slice = EVICTION_SLICE.as_nanos() as u64;
            evict::make_room((ctx, &config), ctx.is_memory_full(), slice, seat, now)
        };
        settle(ctx, last);
        if outcome != evict::Outcome::MoreToDo || ctx.clock.elapsed() - began >= PERIOD / 4 {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// The end of a turn of the regular tasks, whose last record has this number, 0 if there was none.
fn settle(ctx: &Context, last: u64) {
    ctx.tracking.broadcast();
    ctx.free_garbage();
    if last > 0
        && let Err(fault) = ctx.log.flush(last, ctx.clock.unix_ms())
    {
        tracing::error!(%fault, "the log could not be written");
    }
}

/// Notices that somebody has set the wall clock. When clients last sent something is kept as wall time, because that is at
/// hand with every command, and it moves with the clock: else a jump forwards would end all who wait for a moment.
#[derive(Default)]
struct WallClock {
    /// What it showed at the last look, and how long the process had run then.
    last: Option<(Millis, Duration)>,
}

/// A smaller difference is drift, or the clock being brought back to the right time little by little.
const SET_MIN_MS: Millis = 1000;

impl WallClock {
    /// By how many milliseconds it was set since the last look.
    fn set_by(&mut self, now: Millis, elapsed: Duration) -> Millis {
        let Some((then, since)) = self.last.replace((now, elapsed)) else { return 0 };
        let passed = i64::try_from(elapsed.saturating_sub(since).as_millis()).unwrap_or(i64::MAX);
        let set_by = now.saturating_sub(then.saturating_add(passed));
        if set_by.saturating_abs() < SET_MIN_MS { 0 } else { set_by }
    }
}

/// When a client was used last, after the clock was set. Who has been heard since tells the new time already.
fn use_after_setting(last_use: Millis, now: Millis, set_by: Millis) -> Millis {
    let is_new = (now.saturating_sub(SET_MIN_MS)..=now).contains(&last_use);
    if is_new { last_use } else { last_use.saturating_add(set_by) }
}

fn end_idle_connections(ctx: &Context, now: i64) {
    let timeout = i64::from(ctx.settings.load().clients.timeout) * 1000;
    if timeout == 0 {
        return;
    }
    for client in ctx.clients.list() {
        let exempt = [flag::MONITOR, flag::PUBSUB, flag::BLOCKED, flag::REPLICA]
            .into_iter()
            .any(|bit| client.has_flag(bit));
        if !exempt && now - client.last_use.load(Relaxed) > timeout {
            client.kill();
        }
    }
}

/// Who does not give the password shall not keep those out who would.
fn end_strangers(ctx: &Context, now: i64) {
    let config = ctx.settings.load();
    let patience = i64::from(config.clients.auth_timeout) * 1000;
    if patience == 0 || !config.has_password() {
        return;
    }
    let is_late = |client: &&Arc<Client>| client.has_flag(flag::STRANGER) && now - client.since > patience;
    for client in ctx.clients.list().iter().filter(is_late) {
        tracing::info!(
            client = client.id,
            address = client.address,
            "closed: no password within auth-timeout"
        );
        client.kill();
        ctx.stats.limit_disconnections.fetch_add(1, Relaxed);
    }
}

/// The soft bounds of `client-output-buffer-limit`, also for clients to whom nothing more is posted.
fn end_overfull_connections(ctx: &Context, now: i64) {
    let bounds = limits::outbox(&ctx.settings.load(), now);
    ctx.clients.list().iter().for_each(|client| client.check_outbox(&bounds));
}

/// The `save` points: a snapshot after so many changes in so many seconds.
fn save_if_due(ctx: &Context, now: i64) {
    let changes = ctx.stats.sum(|seat| &seat.changes) - ctx.saves.changes_at_save.load(Relaxed);
    let passed = now / 1000 - ctx.saves.last_save.load(Relaxed);
    let config = ctx.settings.load();
    let due =
        config.persistence.save.iter().any(|point| changes >= point.changes && passed > point.seconds as i64);
    let may_save = !ctx.saves.saving.load(Relaxed) && ctx.saves.may_save(ctx.clock.elapsed());
    if due && may_save && !ctx.loading.is_active() {
        let (done, _) = tokio::sync::oneshot::channel();
        ctx.mailbox.post(Order::Save { in_background: true, done });
    }
}

/// `json-save`: every so many seconds, if anything has changed.
fn save_json_if_due(ctx: &Context, now: i64) {
    let config = ctx.settings.load();
    let Some((_, seconds)) = config.persistence.json_save.plan() else { return };
    let saves = &ctx.saves;
    let has_changed = ctx.stats.sum(|seat| &seat.changes) + 1 != saves.changes_at_json.load(Relaxed);
    let passed = now / 1000 - saves.last_json.load(Relaxed);
    let due = has_changed && passed >= seconds as i64 && !ctx.loading.is_active();
    if due && !saves.saving_json.swap(true, Relaxed) {
        ctx.mailbox.post(Order::SaveJson);
    }
}

/// Rewrites the log when it has grown: `auto-aof-rewrite-percentage` and `-min-size`. Where a base is written in a tenth of a
/// second and the log has doubled in another, it may grow further: rewriting takes a fifth of the time at most.
#[derive(Default)]
struct Compactor {
    pauses: Pauses,
}

impl Compactor {
    fn look(&mut self, ctx: &Context) {
        let config = ctx.settings.load();
        let percentage = u64::from(config.persistence.auto_aof_rewrite_percentage);
        if !may_rewrite(ctx) {
            return;
        }
        let now = ctx.clock.elapsed();
        self.pauses.note_end(now, Duration::ZERO);
        let log = ctx.log.stats();
        let grown = log.current_size.saturating_sub(log.base_size) * 100 / log.base_size.max(1);
        let is_due = percentage > 0
            && ctx.log.is_on()
            && log.current_size >= config.persistence.auto_aof_rewrite_min_size
            && grown >= percentage;
        // Behind a snapshot it would wait, and that is no time that it takes.
        if is_due && !ctx.saves.saving.load(Relaxed) && self.pauses.begin(now) {
            ctx.mailbox.post(Order::Rewrite { done: None });
        }
    }
}

/// A log that failed for good (a failed sync, a file that somebody removed or that may not grow) is continued by a new
/// generation, written from memory. That begins at once; writes are refused until it is done. One that could not be turned on
/// is tried again in the same way.
#[derive(Default)]
struct Mender {
    pauses: Pauses,
}

impl Mender {
    /// The least time between the end of a failed attempt and the next one: so service resumes about a second after the
    /// disk is well.
    const PAUSE_MIN: Duration = Duration::from_secs(1);

    fn look(&mut self, ctx: &Context) {
        let fault = ctx.log.sticky_fault().err().filter(|_| ctx.log.is_on());
        if fault.is_none() && !ctx.log.is_missed() {
            *self = Self::default();
            return;
        }
        if !may_rewrite(ctx) || !self.is_due(ctx.clock.elapsed()) {
            return;
        }
        match fault {
            Some(fault) => {
                tracing::error!(%fault, "the log cannot be continued; a new one is written from memory");
            }
            None => tracing::error!("the log could not be turned on; that is tried again"),
        }
        ctx.mailbox.post(Order::Rewrite { done: None });
    }

    /// To be asked while no attempt is under way; true begins one.
    fn is_due(&mut self, now: Duration) -> bool {
        self.pauses.note_end(now, Self::PAUSE_MIN);
        self.pauses.begin(now)
    }
}

/// Pauses after attempts, which grow with what those cost: with much data each one keeps a core and the disk busy. Times are
/// since the start of the process.
#[derive(Default)]
struct Pauses {
    /// When the attempt under way began.
    began: Option<Duration>,
    /// After an attempt the next one waits.
    not_before: Duration,
}

impl Pauses {
    /// So many times as long as an attempt is the pause after it.
    const FACTOR: u32 = 4;

    /// To be told in every round in which no attempt is under way.
    fn note_end(&mut self, now: Duration, least: Duration) {
        if let Some(began) = self.began.take() {
            self.not_before = now + least.max((now - began) * Self::FACTOR);
        }
    }

    /// True begins an attempt.
    fn begin(&mut self, now: Duration) -> bool {
        let may_begin = now >= self.not_before;
        if may_begin {
            self.began = Some(now);
        }
        may_begin
    }
}

fn may_rewrite(ctx: &Context) -> bool {
    let saves = &ctx.saves;
    let is_under_way = saves.rewrite_scheduled.load(Relaxed) || saves.rewriting.load(Relaxed);
    !is_under_way && !ctx.loading.is_active()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_leaves_everybody_as_idle_as_they_were() {
        let mut wall = WallClock::default();
        let mut look = |now, ms| wall.set_by(now, Duration::from_millis(ms));
        assert_eq!(look(1_000_000, 500), 0);
        assert_eq!(look(1_000_100, 600), 0);
        // A round that came late is no jump, nor is a little drift.
        assert_eq!(look(1_060_150, 60_600), 0);
        let (hour, now) = (3_600_000, 1_060_250 + 3_600_000);
        assert_eq!(look(now, 60_700), hour);
        assert_eq!(look(now + 100, 60_800), 0);
        assert_eq!(look(now + 200 - hour, 60_900), -hour);
        assert_eq!(look(i64::MIN, 61_000), i64::MIN);
        for (before, set_by) in [(now, hour), (now, -hour)] {
            let now = before + set_by;
            assert_eq!(use_after_setting(before - 5_000, now, set_by), now - 5_000);
            assert_eq!(use_after_setting(now - 50, now, set_by), now - 50);
        }
    }

    #[test]
    fn expiry_takes_more_of_the_time_while_it_is_behind() {
        let percents =
            |effort| [0, 1, 2, 9].map(|behind| Expiry { behind, ..Expiry::default() }.percent(effort));
        assert_eq!(percents(1), [25, 50, 80, 80]);
        assert_eq!(percents(10), [43, 80, 80, 80]);
    }

    #[test]
    fn a_broken_log_is_mended_at_once_and_after_failures_with_pauses_that_grow_with_what_they_cost() {
        let mut mender = Mender::default();
        let mut asked = |ms: u64| mender.is_due(Duration::from_millis(ms));
        assert!(asked(5_000));
        // The attempt has failed within 100 ms.
        assert!(!asked(5_100));
        assert!(!asked(6_000));
        assert!(asked(6_100));
        // The next one took ten seconds.
        assert!(!asked(16_100));
        assert!(!asked(56_000));
        assert!(asked(56_100));
    }

    #[test]
    fn what_takes_a_while_is_followed_by_four_times_as_long_a_pause() {
        let mut pauses = Pauses::default();
        let ms = Duration::from_millis;
        assert!(pauses.begin(ms(100)));
        pauses.note_end(ms(300), Duration::ZERO);
        assert!(!pauses.begin(ms(1_000)));
        // Only the end of an attempt counts.
        pauses.note_end(ms(1_000), Duration::ZERO);
        assert!(pauses.begin(ms(1_100)));
    }
}
