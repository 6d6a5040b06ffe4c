//! When a worker rests for a moment before it waits for its clients.
//!
//! Who has answered all that was asked waits to be asked again, and whoever asks first wakes it. That costs the one who
//! asks 2 µs and the worker 4, and where requests come every 10 µs it comes with every few of them. So a worker that
//! serves many rests for a moment, in which nobody wakes it, and then finds several requests at once.
//!
//! It rests only where that is no loss. A rest is an eighth at most of the time in which the client that asks most often comes
//! round, and `io-threads-rest` at most. It gathers two requests at least, so that a few clients who wait for each answer are
//! answered at once. Who sends many commands together wakes us seldom, and is not made to wait. And a
//! worker that has hardly any time left does not rest, nor one on a machine where others take its core meanwhile.

use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::worker::Worker;
use crate::config::AppendFsync;

/// Turns are counted for so long, in nanoseconds, to know what is to be expected of the next period.
const PERIOD: u64 = 10_000_000;
/// A rest is at most one of so many parts of the time in which a client comes round.
const ROUND_PART: u64 = 8;
/// Requests that have to come during a rest, on average.
const GATHERED_MIN: u64 = 2;
/// Commands in a turn from which on there is no rest.
const MANY: u64 = 4;
/// A worker that computes a larger part of the time than this does not rest, in thousandths.
const BUSY: u64 = 850;
/// Nor does one that has to wait for its core for a larger part, in thousandths.
const WAITING_MAX: u64 = 100;

/// What a worker has been asked of late, and how long it is to rest.
#[derive(Default)]
pub(super) struct Rest {
    /// The number of the period under way, and when it began, in nanoseconds.
    period: Cell<u32>,
    began: Cell<u64>,
    turns: Cell<u64>,
    /// The commands that the worker had run when it began.
    commands: Cell<u64>,
    /// The most turns that one connection has had in it.
    most: Cell<u32>,
    /// As of the last period, in nanoseconds.
    length: Cell<u64>,
}

/// The turns that a connection has had in a period.
#[derive(Clone, Copy, Default)]
pub(super) struct Met {
    period: u32,
    turns: u32,
}

impl Rest {
    /// A connection has had a turn. `met` is where it keeps what it had before.
    pub(super) fn note_turn(&self, worker: &Worker, met: &Cell<Met>, now: u64) {
        let (period, before) = (self.period.get(), met.get());
        let turns = if before.period == period { before.turns.saturating_add(1) } else { 1 };
        met.set(Met { period, turns });
        self.most.set(self.most.get().max(turns));
        self.turns.set(self.turns.get() + 1);
        let passed = now.saturating_sub(self.began.get());
        if passed >= PERIOD {
            let commands = worker.ctx.stats.seat(worker.seat).processed.get();
            let new = commands.saturating_sub(self.commands.replace(commands));
            let (turns, most) = (self.turns.take(), u64::from(self.most.take()));
            let are_single = new < MANY * turns;
            let length = if are_single { length(passed, turns, most, longest(worker)) } else { 0 };
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
    let has_time = load.busy.load(Relaxed) < BUSY && load.waiting.load(Relaxed) <= WAITING_MAX;
    if has_time && !waits_for_disk { u64::from(config.network.io_threads_rest) * 1000 } else { 0 }
}

/// The rest for who had so many turns in this time, and so many at most of one connection.
fn length(passed: u64, turns: u64, most: u64, longest: u64) -> u64 {
    let round = passed / most.max(1);
    let length = longest.min(round / ROUND_PART);
    if length * turns >= GATHERED_MIN * passed { length } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// For clients that together ask so many times a second, all equally often.
    fn rest(clients: u64, rate: u64) -> u64 {
        length(SECOND, rate, rate / clients.max(1), 40_000)
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
    fn a_few_among_many_are_answered_at_once() {
        // Five that come round in 100 µs, and fifty that do in 1 ms.
        assert_eq!(length(SECOND, 50_000 + 50_000, 10_000, 40_000), 0);
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
