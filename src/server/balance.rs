//! Which worker serves whom: fewer, fuller workers, as long as they are not busy.
//!
//! A worker that serves many connections wakes for many events at once; the same connections spread over several workers
//! cost more for each command (measured on two cores: 0.75 of redis-server's CPU with one worker, 1.00 with two). So a
//! new connection goes to the first worker that has time, and only when a worker is busy *and the machine has idle
//! cores* do some of its connections move to another. A connection moves between two turns, as a whole.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::worker::Handle;
use crate::exec::Context;
use crate::observe::process;

/// Time between two looks.
const PERIOD: Duration = Duration::from_millis(100);
/// Looks to wait after a move, so that its effect is seen before the next.
const REST: u32 = 5;
/// A worker that computes a smaller part of the time than this has time for more, in thousandths.
const HAS_TIME: u64 = 600;
/// A worker that computes a larger part of the time than this has too much to do, in thousandths.
const BUSY: u64 = 850;
/// Cores that must be idle for spreading to help, in thousandths.
const IDLE_MIN: u64 = 700;

/// Watches the workers for ever.
pub(super) async fn run(ctx: Arc<Context>, workers: Arc<Vec<Handle>>) {
    let mut last: Vec<u64> = workers.iter().map(Handle::computed_nanos).collect();
    let (mut last_idle, mut last_look) = (process::idle_time(), ctx.clock.elapsed());
    let mut rest = 0u32;
    let mut interval = tokio::time::interval(PERIOD);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let (idle, look) = (process::idle_time(), ctx.clock.elapsed());
        let passed = (look - last_look).as_nanos().max(1) as u64;
        for (worker, last) in workers.iter().zip(&mut last) {
            let now = worker.computed_nanos();
            worker.load().busy.store(now.saturating_sub(*last) * 1000 / passed, Relaxed);
            *last = now;
        }
        let idle_cores = idle.saturating_sub(last_idle).as_nanos() as u64 * 1000 / passed;
        (last_idle, last_look) = (idle, look);
        rest = rest.saturating_sub(1);
        if rest == 0 && idle_cores >= IDLE_MIN && spread(&workers) {
            rest = REST;
        }
    }
}

/// The worker for a new connection. With `spread` (`io-threads-spread`) it is that with the fewest, however little the others
/// have to do.
pub(super) fn choose(workers: &[Handle], spread: bool) -> Option<&Handle> {
    let has_time = |worker: &&Handle| !spread && worker.load().busy.load(Relaxed) < HAS_TIME;
    let has_time = workers.iter().find(has_time);
    has_time.or_else(|| workers.iter().min_by_key(|worker| worker.connections()))
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
    let load = workers[hot].load();
    load.move_to.store(cool, Relaxed);
    load.to_move.store(share.max(1) as usize, Relaxed);
    true
}
