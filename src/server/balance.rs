//! Which worker serves whom: fewer, fuller workers, as long as they are not busy.
//!
//! A worker that serves many connections wakes for many events at once; the same connections spread over several workers
//! cost more for each command (measured on two cores: 0.75 of redis-server's CPU with one worker, 1.00 with two). So a
//! new connection goes to the first worker that has time, and only when a worker is busy *and the machine has idle
//! cores* do some of its connections move to another. A connection moves between two turns, as a whole.
//!
//! Workers whose clients all want the same key only get in each other's way: what one has in its cache the other takes from
//! it, and both wait (a ZADD to one sorted set of a million: 5.6 µs of one worker, 10.7 of two). So where many commands find
//! their stripe locked, and not far more are run than fewer workers ran, the connections are gathered again, and it takes longer
//! from time to time until spreading is tried anew.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::worker::Handle;
use crate::exec::Context;
use crate::observe::process;

/// Time between two looks.
const PERIOD: Duration = Duration::from_millis(100);
/// Looks to wait after a move, so that its effect is seen before connections are spread.
const REST: u32 = 5;
/// A worker that computes a smaller part of the time than this has time for more, in thousandths.
const HAS_TIME: u64 = 600;
/// A worker that computes a larger part of the time than this has too much to do, in thousandths.
const BUSY: u64 = 850;
/// Cores that must be idle for spreading to help, in thousandths.
const IDLE_MIN: u64 = 700;

/// One command of so many that has to wait for its stripe is too many, if it is also more than a few.
const WAITS_PART: u64 = 20;
const WAITS_MIN: u64 = 500;
/// Workers that wait for each other all the same do well together if they do more by this part than fewer did.
const GAIN_PART: u64 = 4;
/// Looks without spreading after the connections were gathered: at first, and at most.
const PATIENCE_MIN: u32 = 20;
const PATIENCE_MAX: u32 = 600;

/// How often workers have met at the same stripe, and what came of spreading.
#[derive(Default)]
struct Meetings {
    /// As counted up to the last look.
    waits: u64,
    commands: u64,
    /// The most commands between two looks of late, and what that was when connections were last spread: what fewer workers
    /// did at their best, since a machine that others use has its slow moments.
    best: u64,
    best_of_fewer: Option<u64>,
    /// Looks since connections last moved, and whether that was spreading.
    since_move: u32,
    was_spread: bool,
    /// Looks to go without spreading, now and after the next gathering.
    apart: u32,
    patience: u32,
}

impl Meetings {
    /// Takes note of what was counted so far, one look after the other. True if workers hinder each other.
    fn hinder(&mut self, waits: u64, commands: u64) -> bool {
        self.since_move = self.since_move.saturating_add(1);
        self.apart = self.apart.saturating_sub(1);
        let new_waits = waits.saturating_sub(std::mem::replace(&mut self.waits, waits));
        let pace = commands.saturating_sub(std::mem::replace(&mut self.commands, commands));
        self.best = pace.max(self.best - self.best / 8);
        let are_many = new_waits >= WAITS_MIN && new_waits >= pace / WAITS_PART;
        are_many && self.best_of_fewer.is_none_or(|before| pace < before + before / GAIN_PART)
    }

    /// Whether what the last move brought has been seen for a whole look.
    fn may_gather(&self) -> bool {
        self.since_move >= 2
    }

    fn may_spread(&self) -> bool {
        self.since_move >= REST && self.apart == 0
    }

    fn spread(&mut self) {
        (self.since_move, self.was_spread) = (0, true);
        self.best_of_fewer = Some(self.best);
    }

    /// The connections were gathered. If it was spreading that brought the meetings, the next is put off for longer.
    fn gathered(&mut self) {
        let is_spreads_fault = self.was_spread && self.since_move <= 4 * REST;
        self.patience =
            if is_spreads_fault { (2 * self.patience).min(PATIENCE_MAX) } else { 0 }.max(PATIENCE_MIN);
        self.apart = self.patience;
        (self.since_move, self.was_spread) = (0, false);
    }
}

/// Watches the workers for ever.
pub(super) async fn run(ctx: Arc<Context>, workers: Arc<Vec<Handle>>) {
    let mut last: Vec<(u64, u64)> = workers.iter().map(Handle::times).collect();
    let (mut last_idle, mut last_look) = (process::idle_time(), ctx.clock.elapsed());
    let mut meetings = Meetings::default();
    let mut interval = tokio::time::interval(PERIOD);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let (idle, look) = (process::idle_time(), ctx.clock.elapsed());
        let passed = (look - last_look).as_nanos().max(1) as u64;
        for (worker, last) in workers.iter().zip(&mut last) {
            let now = worker.times();
            let part = |now: u64, last: u64| now.saturating_sub(last) * 1000 / passed;
            worker.load().busy.store(part(now.0, last.0), Relaxed);
            worker.load().waiting.store(part(now.1, last.1), Relaxed);
            *last = now;
        }
        let idle_cores = idle.saturating_sub(last_idle).as_nanos() as u64 * 1000 / passed;
        (last_idle, last_look) = (idle, look);
        let hinder = meetings.hinder(ctx.table.waits(), ctx.stats.sum(|seat| &seat.processed));
        let may_gather = meetings.may_gather() && !ctx.settings.load().network.io_threads_spread;
        if hinder && may_gather && gather(&workers) {
            meetings.gathered();
        } else if meetings.may_spread() && idle_cores >= IDLE_MIN && spread(&workers) {
            meetings.spread();
        }
    }
}

/// The worker for a new connection, at this time in nanoseconds: none that waits for the disk, if there is another. With
/// `spread` (`io-threads-spread`) it is that with the fewest, however little the others have to do.
pub(super) fn choose(workers: &[Handle], spread: bool, now: u64) -> Option<&Handle> {
    let is_stuck = |worker: &Handle| worker.load().is_stuck(now);
    let has_time = |worker: &&Handle| !spread && worker.load().busy.load(Relaxed) < HAS_TIME;
    let has_time = workers.iter().find(|worker| has_time(worker) && !is_stuck(worker));
    has_time.or_else(|| workers.iter().min_by_key(|worker| (is_stuck(worker), worker.connections())))
}

/// Has the worker with the fewest connections give them to the one with the most; false when only one has any.
fn gather(workers: &[Handle]) -> bool {
    let connections: Vec<usize> = workers.iter().map(Handle::connections).collect();
    let Some((from, to)) = fewest_and_most(&connections) else { return false };
    workers[from].load().send(connections[from], to);
    true
}

/// Who has the fewest, of those that have any, and who has the most: never the same.
fn fewest_and_most(connections: &[usize]) -> Option<(usize, usize)> {
    let serving = || (0..connections.len()).filter(|&index| connections[index] > 0);
    let most = serving().min_by_key(|&index| Reverse(connections[index]))?;
    let fewest = serving().filter(|&index| index != most).min_by_key(|&index| connections[index])?;
    Some((fewest, most))
}

/// Has the busiest worker give connections to the least busy; false when that is not called for.
fn spread(workers: &[Handle]) -> bool {
    let busy = |index: &usize| workers[*index].load().busy.load(Relaxed);
    let Some(hot) = (0..workers.len()).max_by_key(busy) else { return false };
    let Some(cool) = (0..workers.len()).min_by_key(busy) else { return false };
    let (hot_busy, cool_busy) = (busy(&hot), busy(&cool));
    let connections = workers[hot].connections();
    if hot_busy < BUSY || cool_busy >= HAS_TIME || connections < 2 {
        return false;
    }
    // As many as carry half of the difference, if all do the same work.
    let share = connections as u64 * (hot_busy - cool_busy) / 2 / hot_busy.max(1);
    workers[hot].load().send(share.max(1) as usize, cool);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_fewer_connections_gives_them_away() {
        assert_eq!(fewest_and_most(&[25, 25]), Some((1, 0)));
        assert_eq!(fewest_and_most(&[1, 0, 49]), Some((0, 2)));
        assert_eq!(fewest_and_most(&[0, 50]), None);
        assert_eq!(fewest_and_most(&[0, 0]), None);
    }

    #[test]
    fn a_few_meetings_hinder_nobody() {
        let mut meetings = Meetings::default();
        assert!(!meetings.hinder(WAITS_MIN - 1, 0), "hardly any");
        assert!(!meetings.hinder(10_000, 1_000_000), "one in a hundred");
        assert!(meetings.hinder(20_000, 1_050_000), "one in five");
        assert!(!meetings.hinder(20_000, 1_050_000), "that is past");
    }

    #[test]
    fn workers_that_do_more_together_do_not_hinder_each_other() {
        let mut meetings = Meetings::default();
        assert!(!meetings.hinder(0, 40_000));
        meetings.spread();
        assert!(!meetings.hinder(20_000, 100_000), "60,000 instead of 40,000");
        assert!(meetings.hinder(40_000, 145_000), "45,000 instead of 40,000");
    }

    #[test]
    fn a_slow_moment_before_spreading_does_not_make_it_look_good() {
        let mut meetings = Meetings::default();
        assert!(!meetings.hinder(0, 40_000));
        assert!(!meetings.hinder(0, 60_000), "20,000 only");
        meetings.spread();
        assert!(meetings.hinder(20_000, 100_000), "40,000 again");
    }

    #[test]
    fn spreading_that_ends_in_gathering_is_put_off_for_longer_each_time() {
        let mut meetings = Meetings::default();
        let pass = |meetings: &mut Meetings, waits| {
            meetings.hinder(meetings.waits + waits, meetings.commands + 10_000)
        };
        let apart = |meetings: &mut Meetings| {
            assert!(meetings.may_spread());
            meetings.spread();
            assert!(
                pass(meetings, 5000) && !meetings.may_gather(),
                "the move may have come in the middle of the look"
            );
            assert!(pass(meetings, 5000) && meetings.may_gather());
            meetings.gathered();
            (1..).find(|_| {
                pass(meetings, 0);
                meetings.may_spread()
            })
        };
        (0..REST).for_each(|_| assert!(!pass(&mut meetings, 0)));
        let looks = [(); 12].map(|()| apart(&mut meetings).unwrap());
        assert_eq!(looks[..3], [20, 40, 80]);
        assert_eq!(looks[11], PATIENCE_MAX);
        // Where it went well for a time, another load has begun.
        meetings.spread();
        (0..100).for_each(|_| assert!(!pass(&mut meetings, 0)));
        meetings.gathered();
        assert_eq!(meetings.apart, PATIENCE_MIN);
    }
}
