//! What `maxmemory` leaves: the gate that refuses what needs more, and when it looks anew.
//!
//! Measuring visits every stripe of the table, some tens of microseconds, so no command can have that done for itself. But
//! what was measured is stale at once, in both directions. A client that has deleted something may write again, so nobody is
//! refused before another look, unless nothing has changed since the last. And a client that writes fast must not get far
//! beyond the limit, so another look is due after so many bytes of input, and after the time in which a command that makes
//! much of little input (SETRANGE, COPY) could have filled the rest. Without a limit nothing of this is done.
//!
//! What waits to be freed does not count here, though it does in INFO: it is as good as gone, and nobody who has deleted it
//! shall have to wait for that. Nor do, as in Redis, the buffers of the log and of replicas, as no client can help them.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use parking_lot::Mutex;

use super::context::Context;
use crate::clients::flag;
use crate::resp::request::Request;

/// Bytes of input after which another look is due, at least.
const STEP_MIN: u64 = 1 << 20;
/// Where more room is left, the part of it after which a look is due: one of so many.
const STEP_PART: u64 = 64;
/// Bytes that a machine can fill in a nanosecond, at most.
const FILLED_IN_NANO: u64 = 8;
/// The mean time in nanoseconds between two looks for the time's sake, at least: so they take a small part of it.
const PAUSE_MIN: u64 = 1_000_000;
/// So many of them may follow each other at once, where there were none for a while: who sends one command at a time finds
/// what the last one has done.
const LOOKS_AT_ONCE: u64 = 16;
/// For each client, the time in nanoseconds after which their buffers are looked at again. Ten thousand clients cost more
/// than the table, and a few next to nothing.
const CLIENT_PAUSE: u64 = 1_000;

/// The limit and the last look.
#[derive(Default)]
pub struct Room {
    /// `maxmemory` in bytes; 0: no limit.
    limit: AtomicU64,
    /// Bytes in use, as of the last look.
    used: AtomicU64,
    /// Bytes of the clients' buffers among them.
    of_clients: AtomicU64,
    /// Bytes of the input that was let through since.
    added: AtomicU64,
    /// The seats' sum of changes at the last look.
    changes: AtomicU64,
    /// Monotonic nanoseconds of the last look, and of the last one at the clients.
    looked_at: AtomicU64,
    /// Monotonic nanoseconds of the time when the looks so far would have been due, a pause after each.
    paid_until: AtomicU64,
    clients_looked_at: AtomicU64,
    /// Who looks. One at a time, else who was slow would put his older figure over a newer one.
    looking: Mutex<()>,
}

impl Room {
    /// With a limit in bytes; 0: none.
    pub fn new(limit: u64) -> Self {
        Room { limit: limit.into(), ..Room::default() }
    }

    /// Changes the limit. To be followed by [`Context::measure_memory`].
    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Relaxed);
    }

    /// True when there is a limit.
    #[inline]
    pub fn is_limited(&self) -> bool {
        self.limit.load(Relaxed) > 0
    }

    fn is_full(&self) -> bool {
        self.is_limited() && self.used.load(Relaxed) > self.limit.load(Relaxed)
    }

    /// Bytes in use beyond the limit, as of the last look and what was freed since.
    pub(super) fn excess(&self) -> u64 {
        if self.is_limited() { self.used.load(Relaxed).saturating_sub(self.limit.load(Relaxed)) } else { 0 }
    }

    /// Takes note that so many bytes are not in use any more.
    pub(super) fn freed(&self, bytes: u64) {
        let _one_at_a_time = self.looking.lock();
        self.used.store(self.used.load(Relaxed).saturating_sub(bytes), Relaxed);
    }

    /// Whether so many bytes are too much, with those of the clients' buffers as of the last look at them.
    fn is_over(&self, own: u64) -> bool {
        self.is_limited() && own + self.of_clients.load(Relaxed) > self.limit.load(Relaxed)
    }

    /// Whether another look is due at this time in monotonic nanoseconds, before more is let in.
    fn is_due(&self, now: u64) -> bool {
        let room = self.limit.load(Relaxed).saturating_sub(self.used.load(Relaxed));
        let passed = now.saturating_sub(self.looked_at.load(Relaxed));
        let is_paid = self.paid_until.load(Relaxed) < now + LOOKS_AT_ONCE * PAUSE_MIN;
        self.added.load(Relaxed) >= STEP_MIN.max(room / STEP_PART)
            || passed >= room / FILLED_IN_NANO && is_paid
    }

    /// Takes note of a look at this time in monotonic nanoseconds. Whoever calls holds `looking`.
    fn looked(&self, now: u64) {
        self.looked_at.store(now, Relaxed);
        // Looks for other reasons come as often as they have to, and shall not use up those of all the time to come.
        let paid_until = self.paid_until.load(Relaxed).clamp(now, now + LOOKS_AT_ONCE * PAUSE_MIN);
        self.paid_until.store(paid_until + PAUSE_MIN, Relaxed);
    }
}

impl Context {
    /// True when more than `maxmemory` is in use. No stripe may be locked.
    #[inline]
    pub fn is_memory_full(&self) -> bool {
        self.room.is_limited() && self.is_full_for(0)
    }

    /// As [`Context::is_memory_full`], before a command that may need more is let in.
    #[inline]
    pub(super) fn is_memory_full_for(&self, request: &Request<'_>) -> bool {
        self.room.is_limited() && self.is_full_for(request.iter().map(<[u8]>::len).sum())
    }

    /// False when a few commands of so many bytes together may be let in without asking for each of them.
    #[inline]
    pub(super) fn is_memory_tight(&self, bytes: impl FnOnce() -> usize) -> bool {
        self.room.is_limited() && self.is_tight_for(bytes())
    }

    fn is_tight_for(&self, bytes: usize) -> bool {
        // When it was full at the last look each is asked about for itself: those that only read need no other look.
        bytes as u64 >= STEP_MIN || self.room.is_full() || self.is_full_for(bytes)
    }

    #[inline(never)]
    fn is_full_for(&self, bytes: usize) -> bool {
        let room = &self.room;
        if self.is_look_due() {
            let _one_at_a_time = room.looking.lock();
            // Who waited may find that it has been done for him.
            if self.is_look_due() {
                self.look_at_memory();
            }
        }
        room.added.fetch_add(bytes as u64, Relaxed);
        room.is_full()
    }

    fn is_look_due(&self) -> bool {
        let room = &self.room;
        let has_changed = || self.sum_of_changes() != room.changes.load(Acquire);
        room.is_due(self.clock.elapsed_nanos()) || (room.is_full() && has_changed())
    }

    pub(super) fn sum_of_changes(&self) -> u64 {
        self.stats.sum(|seat| &seat.changes)
    }

    /// Looks how much memory is in use, and notes the peak. Whether that is too much is asked anew by each command, so a
    /// limit that changes while somebody looks holds at once. No stripe may be locked.
    pub fn measure_memory(&self) {
        self.look_at_clients(self.clock.elapsed_nanos());
        let one_at_a_time = self.room.looking.lock();
        let held = self.look_at_memory() + self.freer.pending_bytes();
        drop(one_at_a_time);
        self.memory_used.store(self.stats.memory.note(held), Relaxed);
    }

    /// The look itself; the bytes of data. Whoever calls holds `looking`.
    fn look_at_memory(&self) -> u64 {
        let (room, now) = (&self.room, self.clock.elapsed_nanos());
        // First, so that a change meanwhile is a reason for another look.
        let changes = self.sum_of_changes();
        room.added.store(0, Relaxed);
        let data = self.table.bytes() as u64;
        let own = self.stats.memory.startup() + data;
        let clients_passed = now.saturating_sub(room.clients_looked_at.load(Relaxed));
        // A command that was in a buffer at the last look may be data by now, and must not count twice.
        let would_refuse = || own <= room.limit.load(Relaxed) && room.is_over(own);
        if clients_passed >= CLIENT_PAUSE * self.clients.len() as u64 || would_refuse() {
            self.look_at_clients(now);
        }
        room.used.store(own + room.of_clients.load(Relaxed), Relaxed);
        room.looked(self.clock.elapsed_nanos());
        // Last: whoever takes a change for seen must find what was seen.
        room.changes.store(changes, Release);
        data
    }

    fn look_at_clients(&self, now: u64) {
        let held =
            self.clients.sum(|client| if client.has_flag(flag::REPLICA) { 0 } else { client.held_bytes() });
        self.room.of_clients.store(held, Relaxed);
        self.room.clients_looked_at.store(now, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    #[test]
    fn a_look_is_due_after_so_much_input_or_so_much_time_as_could_fill_the_room() {
        let room = Room::new(1000 * MB);
        // What is in use, what came since, nanoseconds since.
        let cases = [
            (0, 15 * MB, 0, false),
            (0, 16 * MB, 0, true),
            (990 * MB, MB - 1, 0, false),
            (990 * MB, MB, 0, true),
            (2000 * MB, 0, 0, true),
            (999 * MB, 0, MB / FILLED_IN_NANO - 1, false),
            (999 * MB, 0, MB / FILLED_IN_NANO, true),
            (0, 0, 131_071_999, false),
            (0, 0, 131_072_000, true),
        ];
        for (used, added, passed, is_due) in cases {
            room.used.store(used, Relaxed);
            room.added.store(added, Relaxed);
            assert_eq!(room.is_due(passed), is_due, "{used} {added} {passed}");
        }
    }

    #[test]
    fn a_few_looks_may_follow_each_other_and_then_they_have_pauses() {
        let room = Room::new(MB);
        room.used.store(MB, Relaxed);
        let began = 1_000 * PAUSE_MIN;
        let count = (began..began + 100 * PAUSE_MIN).step_by(PAUSE_MIN as usize / 10).filter(|&now| {
            let is_due = room.is_due(now);
            if is_due {
                room.looked(now);
            }
            is_due
        });
        let count = count.count() as u64;
        assert!((100 + LOOKS_AT_ONCE - 1..=100 + LOOKS_AT_ONCE).contains(&count), "{count}");
    }

    #[test]
    fn memory_is_full_above_the_limit_and_never_without_one() {
        let room = Room::new(10);
        for (limit, used, is_full) in [(10, 10, false), (10, 11, true), (0, u64::MAX, false)] {
            room.set_limit(limit);
            room.used.store(used, Relaxed);
            assert_eq!(room.is_full(), is_full);
        }
    }
}
