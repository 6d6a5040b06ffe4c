//! How long commands take: who is counted with which time.
//!
//! Looking at the clock costs a tenth of what a GET costs, so commands that are surely short are timed together, up to
//! [`AHEAD`] of them: each is counted with an equal share, and if they were slow all the same (they may have waited for a
//! stripe), the last one stands for them in the slow log. Where somebody asks for times so short that this would show
//! (`slowlog-log-slower-than`, `latency-monitor-threshold`), each is timed for itself.

use super::onlookers;
use super::registry::Command;
use super::run::Desk;
use super::session::Session;
use super::spec::{Spec, flag};
use crate::base::prefetch::AHEAD;
use crate::config::Config;
use crate::resp::request::Request;

/// The longest request and the longest answer, in bytes, of a command that is surely short.
pub(super) const BRIEF_BYTES: usize = 1024;

/// The least time, in nanoseconds, that somebody may ask to be told of while commands are timed together.
const TOLD_FROM: u64 = 1_000_000;

/// Whether commands may be timed together.
pub(super) fn is_shared(config: &Config) -> bool {
    onlookers::told_from(config) >= TOLD_FROM
}

impl Spec {
    /// Whether a request of so many words and bytes is surely run in a few microseconds: see [`flag::BRIEF`].
    pub(super) fn is_brief(&self, words: usize, bytes: usize) -> bool {
        let is_shortest = words == self.arity.unsigned_abs() as usize;
        self.has(flag::BRIEF) && bytes <= BRIEF_BYTES && (is_shortest || self.complexity == "O(1)")
    }
}

/// The commands that ran since the clock was looked at, by their numbers.
#[derive(Default)]
pub(super) struct Untimed {
    commands: [u16; AHEAD],
    count: usize,
}

impl Untimed {
    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    fn take(&mut self) -> ([u16; AHEAD], usize) {
        (self.commands, std::mem::take(&mut self.count))
    }
}

impl Desk<'_> {
    /// Counts a command whose time is told with that of a later one. False where it has to be timed now.
    #[inline]
    pub(super) fn leave_untimed(&mut self, command: &Command, failed: bool) -> bool {
        let untimed = &mut self.untimed;
        let Some(free) = untimed.commands.get_mut(untimed.count) else { return false };
        *free = command.id as u16;
        untimed.count += 1;
        if failed {
            self.counters.failed(command.id);
        }
        true
    }

    /// Looks at the clock after a command that began at `started`, and counts it and those that were left untimed before
    /// it, which `started` stands before.
    #[inline]
    pub(super) fn note_run(
        &mut self,
        command: &Command,
        session: &Session,
        request: &Request<'_>,
        started: u64,
        failed: bool,
    ) {
        self.elapsed = self.ctx.clock.elapsed_nanos();
        let took = self.elapsed.saturating_sub(started);
        let keep = self.config.observe.latency_tracking;
        let share = if self.untimed.count == 0 { took } else { self.share_out(took, 1) };
        self.counters.ran(command.id, 1, share, keep);
        if failed {
            self.counters.failed(command.id);
        }
        if took >= self.slow_from {
            // It may have made much of little input: those behind it shall look whether there is room.
            self.quiet = false;
            self.note_slow(command, session, request, took);
        }
    }

    /// Looks at the clock and counts what was left untimed, where no later command of the run does it. The slow log is not told
    /// of it: who asked is not known here any more, and what a run is made of is short but for waiting for a stripe.
    pub(super) fn catch_up(&mut self) {
        if self.untimed.count > 0 {
            let now = self.ctx.clock.elapsed_nanos();
            let took = now.saturating_sub(std::mem::replace(&mut self.elapsed, now));
            self.share_out(took, 0);
        }
    }

    /// Counts what was left untimed: it and so many more share this time. What one of these gets.
    fn share_out(&mut self, took: u64, more: usize) -> u64 {
        let (commands, count) = self.untimed.take();
        let share = took / (count + more) as u64;
        let keep = self.config.observe.latency_tracking;
        for same in commands[..count].chunk_by(PartialEq::eq) {
            self.counters.ran(same[0].into(), same.len() as u64, share, keep);
        }
        share
    }
}
