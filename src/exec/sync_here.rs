//! Whether a thread that runs commands syncs the log itself, or leaves that to the log's own thread.
//!
//! Leaving it costs two wake-ups of threads for each sync, which on a disk that syncs in 0.2 ms is more than what is done
//! meanwhile is worth. But whoever syncs serves nobody until it is done. So a thread does it where syncs are quick and
//! nearly all whom it serves wait for them anyway; where others only read, or the disk is slow, it goes on serving.

use std::time::Duration;

/// A sync that takes longer is not quick: who comes meanwhile notices.
const QUICK_MAX: Duration = Duration::from_millis(1);
/// Syncs to leave to the other thread after one that was not quick, where the one before it was quick; twice as many each time
/// if the next one here is slow again.
const LEFT_FIRST: u32 = 4;
const LEFT_MAX: u32 = 256;
/// At most one turn of so many may do without a sync.
const FREE_PART: u64 = 8;
/// The weight of a turn when it is new; it halves with each sync.
const WEIGHT: u64 = 1 << 10;

/// What the syncs of late have shown of a thread.
#[derive(Debug, Default)]
pub struct SyncHere {
    /// The turns of the thread as counted before the last sync.
    counted: u64,
    /// The weights of turns that waited for a sync, and of all.
    waited: u64,
    all: u64,
    /// Syncs that are left to the other thread without asking.
    left: u32,
    /// How many were left after the last sync here; none if it was quick.
    left_before: u32,
    /// Whether all are.
    is_never_wise: bool,
}

impl SyncHere {
    /// For a thread that has to serve, whatever the disk does.
    #[must_use]
    pub fn never() -> SyncHere {
        SyncHere { is_never_wise: true, ..SyncHere::default() }
    }

    /// Whether the sync that so many wait for is to be done here, when the thread has had so many turns in its life.
    pub(super) fn is_wise(&mut self, waiting: usize, turns: u64) -> bool {
        let waiting = waiting as u64 * WEIGHT;
        let new = turns.saturating_sub(std::mem::replace(&mut self.counted, turns)) * WEIGHT;
        self.waited = self.waited / 2 + waiting;
        // Who waits may have come before the last sync.
        self.all = self.all / 2 + new.max(waiting);
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        !self.is_never_wise && self.all - self.waited <= self.all / FREE_PART
    }

    /// A sync was done here, and took so long.
    pub(super) fn took(&mut self, time: Duration) {
        // Every disk is slow now and then.
        self.left = if time > QUICK_MAX { (2 * self.left_before).clamp(LEFT_FIRST, LEFT_MAX) } else { 0 };
        self.left_before = self.left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(200);

    /// How many of `syncs` are done here, where so many turns wait for each and so many do without.
    fn done_here(syncs: u32, waiting: usize, free: u64, took: Duration) -> u32 {
        let (mut here, mut turns, mut done) = (SyncHere::default(), 0, 0);
        for _ in 0..syncs {
            turns += waiting as u64 + free;
            if here.is_wise(waiting, turns) {
                here.took(took);
                done += 1;
            }
        }
        done
    }

    #[test]
    fn writers_alone_are_synced_here() {
        assert_eq!(done_here(1000, 1, 0, QUICK), 1000);
        assert_eq!(done_here(1000, 25, 1, QUICK), 1000);
    }

    #[test]
    fn readers_are_served_meanwhile() {
        assert_eq!(done_here(1000, 1, 1, QUICK), 0);
        assert_eq!(done_here(1000, 25, 25, QUICK), 0);
    }

    #[test]
    fn who_has_to_serve_never_syncs() {
        let mut here = SyncHere::never();
        assert!((1..100).all(|sync| !here.is_wise(1, sync)));
    }

    #[test]
    fn a_slow_disk_is_tried_seldom() {
        assert!(done_here(10_000, 25, 0, 2 * QUICK_MAX) < 50);
    }

    #[test]
    fn one_slow_sync_among_many_is_soon_forgiven() {
        let mut here = SyncHere::default();
        let done = (1..1000).filter(|&sync| {
            let wise = here.is_wise(1, sync);
            if wise {
                here.took(if sync % 100 == 0 { 2 * QUICK_MAX } else { QUICK });
            }
            wise
        });
        assert!(done.count() > 900);
    }

    #[test]
    fn who_stops_reading_is_forgotten() {
        let mut here = SyncHere::default();
        assert!(!here.is_wise(10, 1000));
        let turns = (1..20).map(|sync| 1000 + 10 * sync);
        assert!(turns.map(|turns| here.is_wise(10, turns)).last().unwrap());
    }
}
