//! The one place that asks the operating system for the time.
//!
//! Everything that depends on time takes a [`Clock`], so that a test can set it, jump it backwards and let ten years
//! pass in a line. Deadlines of keys are wall time, as Redis has them (they survive a restart); durations and timers
//! are monotonic, so a jump of the wall clock never stalls anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Milliseconds since the Unix epoch; negative before 1970.
pub type Millis = i64;

/// A deadline that never comes: the key has no expiry.
pub const NEVER: Millis = i64::MAX;

/// A source of time. Cloning is cheap and gives the same source.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    /// The processor's counter where it runs evenly, else the operating system's: every command reads it, so it must cost
    /// next to nothing. With it what it showed when this clock was made.
    Real(quanta::Clock, u64),
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The operating system's time.
    pub fn real() -> Self {
        let clock = quanta::Clock::new();
        let start = clock.raw();
        Clock(Source::Real(clock, start))
    }

    /// A clock that stands still until it is told otherwise, for tests. `start` is in microseconds since the epoch.
    pub fn manual(start_us: i64) -> Self {
        Clock(Source::Manual(Arc::new(AtomicI64::new(start_us))))
    }

    /// Moves a manual clock; does nothing to the real one. `by_us` may be negative.
    pub fn advance(&self, by_us: i64) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(by_us, Ordering::Relaxed);
        }
    }

    /// Wall time in microseconds since the Unix epoch.
    #[expect(clippy::disallowed_methods, reason = "this is the clock's home")]
    pub fn unix_us(&self) -> i64 {
        match &self.0 {
            Source::Real(..) => match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
                Ok(since) => since.as_micros() as i64,
                Err(before) => -(before.duration().as_micros() as i64),
            },
            Source::Manual(now) => now.load(Ordering::Relaxed),
        }
    }

    /// Wall time in milliseconds since the Unix epoch.
    pub fn unix_ms(&self) -> Millis {
        self.unix_us().div_euclid(1000)
    }

    /// Time since this clock was made; never goes backwards on the real clock.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.elapsed_nanos())
    }

    /// As [`Clock::elapsed`], in nanoseconds.
    #[inline]
    pub fn elapsed_nanos(&self) -> u64 {
        match &self.0 {
            Source::Real(clock, start) => clock.delta_as_nanos(*start, clock.raw()),
            Source::Manual(now) => now.load(Ordering::Relaxed).max(0) as u64 * 1000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(5_000_000);
        let twin = clock.clone();
        assert_eq!(clock.unix_ms(), 5000);
        twin.advance(-1);
        assert_eq!(clock.unix_us(), 4_999_999);
        assert_eq!(clock.unix_ms(), 4999);
    }

    #[test]
    fn the_real_clock_knows_the_century() {
        let clock = Clock::real();
        assert!(clock.unix_ms() > 1_600_000_000_000);
        assert!(clock.elapsed() < Duration::from_secs(3600));
    }
}
