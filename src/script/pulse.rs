//! How long the script under way has been running, and whether it shall be ended: what others may know of it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::base::clock::Clock;

/// Why SCRIPT KILL did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotEnded {
    /// No script runs, or not for long.
    NotBusy,
    /// It has written already: what it has not done yet would be missing.
    HasWritten,
}

/// Shared by the thread that runs a script and all others.
pub(super) struct Pulse {
    clock: Clock,
    /// Monotonic nanoseconds; after `limit` more the script takes too long.
    began: AtomicU64,
    /// 0: never.
    limit: AtomicU64,
    overdue: AtomicBool,
    has_written: AtomicBool,
    is_killed: AtomicBool,
    /// The server ends, so no script may go on.
    is_last: AtomicBool,
    /// See [`super::Scripts::set_attendant`].
    attendant: OnceLock<fn()>,
}

impl Pulse {
    pub(super) fn new(clock: Clock) -> Self {
        Pulse {
            clock,
            began: AtomicU64::new(0),
            limit: AtomicU64::new(0),
            overdue: AtomicBool::new(false),
            has_written: AtomicBool::new(false),
            is_killed: AtomicBool::new(false),
            is_last: AtomicBool::new(false),
            attendant: OnceLock::new(),
        }
    }

    pub(super) fn set_attendant(&self, attend: fn()) {
        // Told once, at the start.
        let _ = self.attendant.set(attend);
    }

    /// A script begins, which takes too long after so many milliseconds; 0: never.
    pub(super) fn begin(&self, limit_ms: u64) {
        self.began.store(self.clock.elapsed_nanos(), Relaxed);
        self.limit.store(limit_ms.saturating_mul(1_000_000), Relaxed);
        self.has_written.store(false, Relaxed);
        self.is_killed.store(false, Relaxed);
    }

    /// The script has ended.
    pub(super) fn end(&self) {
        self.overdue.store(false, Relaxed);
        self.is_killed.store(false, Relaxed);
    }

    /// Called by the script's thread now and then; why the script must end, if it must.
    pub(super) fn beat(&self) -> Option<&'static str> {
        let limit = self.limit.load(Relaxed);
        if limit > 0 && self.clock.elapsed_nanos().saturating_sub(self.began.load(Relaxed)) > limit {
            self.overdue.store(true, Relaxed);
            if let Some(attend) = self.attendant.get() {
                attend();
            }
        }
        if self.is_last.load(Relaxed) {
            return Some("Script ended because the server ends.");
        }
        self.is_killed.load(Relaxed).then_some("Script killed by user with SCRIPT KILL...")
    }

    /// The script has written.
    pub(super) fn note_write(&self) {
        self.has_written.store(true, Relaxed);
    }

    /// True while a script takes too long.
    pub(super) fn is_overdue(&self) -> bool {
        self.overdue.load(Relaxed)
    }

    /// Has the script end that takes too long, at its next beat.
    pub(super) fn kill(&self) -> Result<(), NotEnded> {
        if !self.is_overdue() {
            return Err(NotEnded::NotBusy);
        }
        if self.has_written.load(Relaxed) {
            return Err(NotEnded::HasWritten);
        }
        self.is_killed.store(true, Relaxed);
        Ok(())
    }

    /// Has any script end, or lets them run again: the server is about to end, or goes on after all.
    pub(super) fn set_last(&self, is_last: bool) {
        self.is_last.store(is_last, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_can_be_ended_only_when_it_takes_too_long_and_has_not_written() {
        let pulse = Pulse::new(Clock::manual(0));
        pulse.begin(5);
        assert_eq!((pulse.beat(), pulse.kill()), (None, Err(NotEnded::NotBusy)));
        pulse.clock.advance(6_000);
        assert_eq!((pulse.beat(), pulse.is_overdue()), (None, true));
        pulse.note_write();
        assert_eq!(pulse.kill(), Err(NotEnded::HasWritten));
        pulse.end();
        assert!(!pulse.is_overdue());

        pulse.begin(5);
        pulse.clock.advance(6_000);
        assert_eq!((pulse.beat(), pulse.kill()), (None, Ok(())));
        assert!(pulse.beat().is_some());
        pulse.end();
        pulse.begin(0);
        pulse.clock.advance(1_000_000_000);
        assert_eq!((pulse.beat(), pulse.is_overdue()), (None, false), "without a limit none takes too long");
    }
}
