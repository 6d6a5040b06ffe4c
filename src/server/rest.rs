//! When a worker rests for a moment before it waits for its clients.
//!
//! Who has answered all that was asked waits to be asked again, and whoever asks first wakes it. That costs the one who
//! asks 2 µs and the worker 4, and where requests come every 10 µs it comes with every few of them. So a worker that
//! serves many rests for a moment, in which nobody wakes it, and then finds several requests at once.
//!
//! It rests only where that is no loss. Clients that ask one thing after the other come round in `clients / rate`: a rest is
//! an eighth of that at most, and `io-threads-rest` at most. It gathers two requests at least, so that a few clients who wait
//! for each answer are answered at once. Who sends many commands together wakes us seldom, and is not made to wait. And a
//! worker that has hardly any time left does not rest, nor one on a machine where others take its core meanwhile.

use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::worker::Worker;
use crate::config::AppendFsync;

/// Turns are counted for so long, in nanoseconds, to know what is to be expected of the next period.
const PERIOD: u64 = 2_000_000;
/// A rest is at most one of so many parts of the time in which clients come round.
const ROUND_PART: u64 = 8;
/// Requests that have to come during a rest, on average.
const GATHERED_MIN: u64 = 2;
/// Commands in a turn from which on there is no rest.
const MANY: u64 = 4;
/// A worker that computes a larger part of the time than this does not rest, in thousandths.
const BUSY: u64 = 850;
/// The least part of a core that the machine must have left, in thousandths.
const IDLE_MIN: u64 = 100;

/// What a worker has been asked of late, and how long it is to rest.
#[derive(Default)]
pub(super) struct Rest {
    /// The number of the period under way, and when it began, in nanoseconds.
    period: Cell<u32>,
    began: Cell<u64>,
    turns: Cell<u64>,
    /// The commands that the worker had run when it began.
    commands: Cell<u64>,
    /// Different connections that have had turns in it.
    clients: Cell<u64>,
    /// As of the last period, in nanoseconds.
    length: Cell<u64>,
}

impl Rest {
    /// A connection has had a turn. `met` is where it keeps the period of its last one.
    pub(super) fn note_turn(&self, worker: &Worker, met: &Cell<u32>, now: u64) {
        self.turns.set(self.turns.get() + 1);
        if met.replace(self.period.get()) != self.period.get() {
            self.clients.set(self.clients.get() + 1);
        }
        let passed = now.saturating_sub(self.began.get());
        if passed >= PERIOD {
            let commands = worker.ctx.stats.seat(worker.seat).processed.get();
            let new = commands.saturating_sub(self.commands.replace(commands));
            let (turns, clients) = (self.turns.take(), self.clients.take());
            let are_single = new < MANY * turns;
            let length = if are_single { length(passed, turns, clients, longest(worker)) } else { 0 };
            self.length.set(length);
            self.began.set(now);
            self.period.set(self.period.get().wrapping_add(1));
        }
    }

    /// How long to rest now.
    pub(super) fn length(&self) -> Option<Duration> {
        Some(Duration::from_nanos(self.length.get())).filter(|length| !length.is_zero())
    }
}

/// How long the worker may rest at most, in nanoseconds.
fn longest(worker: &Worker) -> u64 {
    let config = worker.ctx.settings.load();
    // Those who wait for the disk set the pace then, and it has gathered them.
    let waits_for_disk =
        config.persistence.appendonly && config.persistence.appendfsync == AppendFsync::Always;
    let load = &worker.load;
    let has_time = load.busy.load(Relaxed) < BUSY && load.idle_cores.load(Relaxed) >= IDLE_MIN;
    if has_time && !waits_for_disk { u64::from(config.network.io_threads_rest) * 1000 } else { 0 }
}

/// The rest for who had so many turns of so many connections in this time.
fn length(passed: u64, turns: u64, clients: u64, longest: u64) -> u64 {
    let round = passed * clients / turns.max(1);
    let length = longest.min(round / ROUND_PART);
    if length * turns >= GATHERED_MIN * passed { length } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// For clients that together ask so many times a second.
    fn rest(clients: u64, rate: u64) -> u64 {
        length(SECOND / 100, rate / 100, clients, 40_000)
    }

    #[test]
    fn who_serves_many_rests() {
        assert_eq!(rest(50, 100_000), 40_000);
        assert_eq!(rest(1000, 60_000), 40_000);
    }

    #[test]
    fn a_few_clients_are_answered_at_once() {
        assert_eq!(rest(1, 40_000), 0);
        assert_eq!(rest(8, 200_000), 0);
        assert_eq!(rest(15, 100_000), 0);
        // They come round in 160 µs.
        assert_eq!(rest(16, 100_000), 20_000);
    }

    #[test]
    fn who_is_asked_seldom_answers_at_once() {
        assert_eq!(rest(1000, 49_000), 0);
        assert_eq!(rest(0, 0), 0);
    }

    #[test]
    fn a_length_of_none_is_no_rest() {
        assert_eq!(length(SECOND, 200_000, 50, 0), 0);
        assert!(Rest::default().length().is_none());
    }
}
