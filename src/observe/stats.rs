//! The counters behind INFO.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

use super::histogram::{Histogram, Summary};
use super::memory::Memory;

/// Kinds of errors that are told apart; a client that invents more only fills the last.
const ERROR_KINDS_MAX: usize = 128;
/// Totals that [`Rate`] follows.
const RATES: usize = 4;

/// All counters of the process.
pub struct Stats {
    seats: Box<[CachePadded<Seat>]>,
    errors: Mutex<BTreeMap<String, u64>>,
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Connections turned away because there were too many.
    pub connections_refused: AtomicU64,
    /// Connections ended because of what they were owed or had sent.
    pub limit_disconnections: AtomicU64,
    /// Changes since the last snapshot file.
    pub changes: AtomicU64,
    /// Commands a second, over the last samples.
    pub rate: Rate,
    /// What the process occupied at its start, and the most that it has.
    pub memory: Memory,
}

/// Counters that one worker writes and all may read.
pub struct Seat {
    commands: Box<[Command]>,
    /// Commands processed.
    pub processed: Counter,
    /// Bytes read from clients.
    pub bytes_in: Counter,
    /// Bytes written to clients, replicas included.
    pub bytes_out: Counter,
    /// Bytes of them that went to replicas: snapshots and the stream.
    pub bytes_to_replicas: Counter,
    /// Reads that found their key.
    pub hits: Counter,
    /// Reads that did not.
    pub misses: Counter,
    /// Error replies.
    pub errors: Counter,
    /// Turns: times that a connection's input was looked at.
    pub turns: Counter,
    /// Changes of data.
    pub changes: Counter,
    /// How long handing the log's groups to the operating system took; each group is what came together.
    pub flushes: Histogram,
    /// Nanoseconds of all of them.
    pub flush_nanos: Counter,
    /// How long turns waited for the device before they could be answered (`appendfsync always`).
    pub sync_waits: Histogram,
    /// Nanoseconds of all of them.
    pub sync_wait_nanos: Counter,
}

/// A counter with one writer.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds; only the owner of the seat may.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// Counters of one command.
#[derive(Default)]
struct Command {
    calls: Counter,
    nanos: Counter,
    rejected: Counter,
    failed: Counter,
    latency: OnceLock<Histogram>,
}

/// Counters of one command, summed over the seats.
#[derive(Default)]
pub struct CommandTotals {
    /// Times it ran.
    pub calls: u64,
    /// Nanoseconds that it ran.
    pub nanos: u64,
    /// Times it was refused before it ran.
    pub rejected: u64,
    /// Times it ran and answered an error.
    pub failed: u64,
}

impl Stats {
    /// Counters for so many seats and commands.
    pub fn new(seats: usize, commands: usize) -> Self {
        let seat = || Seat {
            commands: (0..commands).map(|_| Command::default()).collect(),
            processed: Counter::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            bytes_to_replicas: Counter::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            errors: Counter::default(),
            turns: Counter::default(),
            changes: Counter::default(),
            flushes: Histogram::default(),
            flush_nanos: Counter::default(),
            sync_waits: Histogram::default(),
            sync_wait_nanos: Counter::default(),
        };
        Stats {
            seats: (0..seats).map(|_| CachePadded::new(seat())).collect(),
            errors: Mutex::default(),
            connections: AtomicU64::new(0),
            connections_refused: AtomicU64::new(0),
            limit_disconnections: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            rate: Rate::default(),
            memory: Memory::at_start(),
        }
    }

    /// The counters of a seat.
    #[inline]
    pub fn seat(&self, seat: usize) -> &Seat {
        &self.seats[seat]
    }

    /// Number of seats.
    pub fn seats(&self) -> usize {
        self.seats.len()
    }

    /// One counter over all seats.
    pub fn sum(&self, counter: impl Fn(&Seat) -> &Counter) -> u64 {
        self.seats.iter().map(|seat| counter(seat).get()).sum()
    }

    /// Counts an error by the first word of its line.
    pub fn count_error(&self, prefix: &str) {
        let mut errors = self.errors.lock();
        if let Some(count) = errors.get_mut(prefix) {
            *count += 1;
        } else if errors.len() < ERROR_KINDS_MAX {
            errors.insert(prefix.to_owned(), 1);
        }
    }

    /// Errors by the first word of their lines.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().clone()
    }

    /// Counters of a command over all seats.
    pub fn command(&self, id: usize) -> CommandTotals {
        let mut sum = CommandTotals::default();
        for command in self.seats.iter().filter_map(|seat| seat.commands.get(id)) {
            sum.calls += command.calls.get();
            sum.nanos += command.nanos.get();
            sum.rejected += command.rejected.get();
            sum.failed += command.failed.get();
        }
        sum
    }

    /// Latencies of a command over all seats; none if it never ran.
    pub fn latency(&self, id: usize) -> Option<Summary> {
        let mut sum = Summary::default();
        for command in self.seats.iter().filter_map(|seat| seat.commands.get(id)) {
            if let Some(histogram) = command.latency.get() {
                histogram.add_to(&mut sum);
            }
        }
        (sum.total() > 0).then_some(sum)
    }

    /// How long groups of log records took to be handed to the operating system, and the nanoseconds of all together.
    pub fn flushes(&self) -> (Summary, u64) {
        let mut sum = Summary::default();
        self.seats.iter().for_each(|seat| seat.flushes.add_to(&mut sum));
        (sum, self.sum(|seat| &seat.flush_nanos))
    }

    /// How long turns waited for the device, and the nanoseconds of all together.
    pub fn sync_waits(&self) -> (Summary, u64) {
        let mut sum = Summary::default();
        self.seats.iter().for_each(|seat| seat.sync_waits.add_to(&mut sum));
        (sum, self.sum(|seat| &seat.sync_wait_nanos))
    }

    /// Forgets the latencies of a command: LATENCY RESET of histograms.
    pub fn clear_latency(&self, id: usize) {
        for command in self.seats.iter().filter_map(|seat| seat.commands.get(id)) {
            if let Some(histogram) = command.latency.get() {
                histogram.clear();
            }
        }
    }

    /// CONFIG RESETSTAT. A count that a worker is adding to at this moment may survive.
    pub fn reset(&self) {
        for seat in &self.seats {
            for counter in [
                &seat.processed,
                &seat.bytes_in,
                &seat.bytes_out,
                &seat.bytes_to_replicas,
                &seat.hits,
                &seat.misses,
                &seat.errors,
                &seat.turns,
            ] {
                counter.clear();
            }
            for command in &seat.commands {
                for counter in [&command.calls, &command.nanos, &command.rejected, &command.failed] {
                    counter.clear();
                }
                if let Some(histogram) = command.latency.get() {
                    histogram.clear();
                }
            }
        }
        self.errors.lock().clear();
        self.connections.store(0, Ordering::Relaxed);
        self.connections_refused.store(0, Ordering::Relaxed);
        self.limit_disconnections.store(0, Ordering::Relaxed);
        self.rate.clear();
    }
}

impl Seat {
    /// Counts so many calls that ran, each of which took so many nanoseconds.
    #[inline]
    pub fn ran(&self, id: usize, calls: u64, nanos: u64, keep_latency: bool) {
        let Some(command) = self.commands.get(id) else { return };
        command.calls.add(calls);
        command.nanos.add(calls * nanos);
        if keep_latency {
            command.latency.get_or_init(Histogram::default).record(nanos, calls);
        }
    }

    /// Counts that a call which was answered has failed.
    pub fn failed(&self, id: usize) {
        if let Some(command) = self.commands.get(id) {
            command.failed.add(1);
        }
    }

    /// Counts a call that was refused before it ran.
    pub fn rejected(&self, id: usize) {
        if let Some(command) = self.commands.get(id) {
            command.rejected.add(1);
        }
    }
}

/// Events a second over the last sixteen samples.
#[derive(Default)]
pub struct Rate(Mutex<RateState>);

#[derive(Default)]
struct RateState {
    last: Option<[(u64, u64); RATES]>,
    samples: [[u64; 16]; RATES],
    at: usize,
}

impl Rate {
    /// Takes a sample of ever-growing totals at a time in microseconds.
    pub fn sample(&self, now_us: u64, totals: [u64; RATES]) {
        let mut state = self.0.lock();
        let at = state.at;
        if let Some(last) = state.last {
            for (index, total) in totals.iter().enumerate() {
                let (then, before) = last[index];
                let passed = now_us.saturating_sub(then).max(1);
                state.samples[index][at] = total.saturating_sub(before) * 1_000_000 / passed;
            }
            state.at = (at + 1) % 16;
        }
        state.last = Some(totals.map(|total| (now_us, total)));
    }

    /// The mean of the samples of one total, per second.
    pub fn per_second(&self, index: usize) -> u64 {
        self.0.lock().samples[index].iter().sum::<u64>() / 16
    }

    fn clear(&self) {
        *self.0.lock() = RateState::default();
    }
}
