//! Turns: how a few operations get the whole house to themselves without a lock on every command's path.
//!
//! Every thread that runs commands has a seat, and holds its seat's lock for a turn: one batch of commands of one
//! connection. Whoever needs everything to stand still (FLUSHALL, SWAPDB, a snapshot's cut, a transaction that looks at
//! the whole table) takes all seats in order and so waits for the turns under way, some tens of microseconds.

use std::time::Duration;

use crossbeam_utils::CachePadded;
use parking_lot::{Mutex, MutexGuard};

/// Between two looks whether who holds everything takes long.
const LOOK: Duration = Duration::from_millis(5);

/// The seats.
pub struct Turns {
    seats: Box<[CachePadded<Mutex<()>>]>,
}

/// A turn under way.
pub struct Turn<'t> {
    turns: &'t Turns,
    seat: usize,
    guard: Option<MutexGuard<'t, ()>>,
}

/// Proof that every seat is held: nobody else runs a command while it lives.
pub struct Everything<'t>(#[expect(dead_code, reason = "held for its drop")] Vec<MutexGuard<'t, ()>>);

impl Turns {
    /// So many seats, numbered from 0.
    pub fn new(seats: usize) -> Self {
        Turns { seats: (0..seats).map(|_| CachePadded::new(Mutex::new(()))).collect() }
    }

    /// Begins a turn on a seat; waits while everything stands still.
    #[inline]
    pub fn begin(&self, seat: usize) -> Turn<'_> {
        Turn { turns: self, seat, guard: Some(self.seats[seat].lock()) }
    }

    /// As [`Turns::begin`], but none where everything stands still for so long that those who wait must be told.
    #[inline]
    pub fn begin_unless(&self, seat: usize, takes_long: impl Fn() -> bool) -> Option<Turn<'_>> {
        let mut guard = self.seats[seat].try_lock();
        while guard.is_none() {
            if takes_long() {
                return None;
            }
            guard = self.seats[seat].try_lock_for(LOOK);
        }
        Some(Turn { turns: self, seat, guard })
    }

    /// Makes everything stand still. The caller must not be in a turn: use [`Turn::with_everything`] there.
    pub fn everything(&self) -> Everything<'_> {
        Everything(self.seats.iter().map(|seat| seat.lock()).collect())
    }
}

impl Turn<'_> {
    /// Number of the seat.
    #[inline]
    pub fn seat(&self) -> usize {
        self.seat
    }

    /// Runs `body` while everything stands still, then goes on with the turn.
    pub fn with_everything<R>(&mut self, body: impl FnOnce() -> R) -> R {
        // The own seat must be given up first: another thread may hold lower seats and wait for it.
        self.guard = None;
        let everything = self.turns.everything();
        let result = body();
        drop(everything);
        self.guard = Some(self.turns.seats[self.seat].lock());
        result
    }
}
