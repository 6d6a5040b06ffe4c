//! When and how often a key was used: 32 bits an entry, in one of two readings.
//!
//! Under an LRU (or no) policy they are the second of the last use. Under an LFU policy they are the minute of the
//! last decay (upper 24 bits) and a logarithmic counter (lower 8), which grows with probability
//! `1 / ((counter - 5) * lfu_log_factor + 1)` and falls by one every `lfu_decay_time` minutes: Redis's published scheme,
//! so that OBJECT FREQ and IDLETIME and the eviction policies mean the same here.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use crate::base::clock::Millis;

/// The counter of a new key: not 0, so that it is not the first to be evicted.
const LFU_NEW: u32 = 5;

/// How accesses are recorded. Shared by all workers, changed by CONFIG SET.
#[derive(Debug)]
pub struct Policy {
    lfu: AtomicBool,
    log_factor: AtomicU32,
    decay_minutes: AtomicU32,
    /// Wall time as of the last tick. Not the turn's time: replay runs at a time of its own, in which nothing expires.
    wall: AtomicI64,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            lfu: AtomicBool::new(false),
            log_factor: AtomicU32::new(10),
            decay_minutes: AtomicU32::new(1),
            wall: AtomicI64::new(0),
        }
    }
}

impl Policy {
    /// Takes over the settings `maxmemory-policy` (true for an LFU one), `lfu-log-factor` and `lfu-decay-time`.
    pub fn set(&self, lfu: bool, log_factor: u32, decay_minutes: u32) {
        self.lfu.store(lfu, Ordering::Relaxed);
        self.log_factor.store(log_factor, Ordering::Relaxed);
        self.decay_minutes.store(decay_minutes, Ordering::Relaxed);
    }

    /// True when frequencies are recorded, false when times are.
    pub fn is_lfu(&self) -> bool {
        self.lfu.load(Ordering::Relaxed)
    }

    /// Tells the time; to be called several times a second.
    pub fn tick(&self, now: Millis) {
        self.wall.store(now, Ordering::Relaxed);
    }

    /// The record of a new key.
    #[inline]
    pub fn fresh(&self) -> u32 {
        let now = self.wall.load(Ordering::Relaxed);
        if self.is_lfu() { minute(now) << 8 | LFU_NEW } else { second(now) }
    }

    /// The record after one more use. `chance` is any evenly spread number; the hash of the key and the time will do.
    #[inline]
    pub fn used(&self, record: u32, chance: u64) -> u32 {
        let now = self.wall.load(Ordering::Relaxed);
        if !self.is_lfu() {
            return second(now);
        }
        let counter = self.frequency(record, now);
        let above_new = u64::from(counter.saturating_sub(LFU_NEW));
        let steps = above_new * u64::from(self.log_factor.load(Ordering::Relaxed)) + 1;
        let grown = counter + u32::from(counter < 255 && chance.is_multiple_of(steps));
        minute(now) << 8 | grown
    }

    /// The frequency counter, decayed to now: what OBJECT FREQ shows.
    pub fn frequency(&self, record: u32, now: Millis) -> u32 {
        let decay = self.decay_minutes.load(Ordering::Relaxed);
        let passed = minute(now).wrapping_sub(record >> 8) & 0x00ff_ffff;
        // A record made since `now` was read may be a minute ahead of it.
        let passed = if passed > 0x007f_ffff { 0 } else { passed };
        let periods = passed.checked_div(decay).unwrap_or(0);
        (record & 0xff).saturating_sub(periods)
    }

    /// The record of a key whose value is replaced: a frequency stays with the key, a time is now.
    pub fn replaced(&self, record: u32) -> u32 {
        if self.is_lfu() { record } else { self.fresh() }
    }

    /// Seconds since the last use: what OBJECT IDLETIME shows.
    pub fn idle_seconds(&self, record: u32, now: Millis) -> u32 {
        second(now).saturating_sub(record)
    }

    /// The record of a key last used this many seconds ago, for RESTORE and snapshots; none under an LFU policy.
    pub fn idle_for(&self, seconds: u64) -> Option<u32> {
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        (!self.is_lfu()).then(|| second(self.wall.load(Ordering::Relaxed)).saturating_sub(seconds))
    }

    /// The record of a key used this often, for RESTORE and snapshots; none but under an LFU policy.
    pub fn with_frequency(&self, frequency: u8) -> Option<u32> {
        self.is_lfu().then(|| minute(self.wall.load(Ordering::Relaxed)) << 8 | u32::from(frequency))
    }
}

fn second(now: Millis) -> u32 {
    (now / 1000).clamp(0, i64::from(u32::MAX)) as u32
}

fn minute(now: Millis) -> u32 {
    (now / 60_000) as u32 & 0x00ff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequency_grows_with_use_and_decays_with_minutes() {
        let policy = Policy::default();
        policy.set(true, 0, 1);
        let now = 60_000_000;
        policy.tick(now);
        let mut record = policy.fresh();
        for chance in 0..10 {
            record = policy.used(record, chance);
        }
        assert_eq!(policy.frequency(record, now), LFU_NEW + 10);
        assert_eq!(policy.frequency(record, now + 3 * 60_000), LFU_NEW + 7);
        assert_eq!(policy.frequency(record, now + 3_000 * 60_000), 0);
    }

    #[test]
    fn the_largest_factor_makes_growth_rare_and_nothing_worse() {
        let policy = Policy::default();
        policy.set(true, u32::MAX, 1);
        let record = policy.with_frequency(255 - 1).unwrap();
        assert_eq!(policy.frequency(policy.used(record, 1), 0), 254);
        assert_eq!(policy.frequency(policy.used(record, 0), 0), 255);
    }

    #[test]
    fn a_record_from_elsewhere_is_taken_over_under_the_policy_that_reads_it() {
        let policy = Policy::default();
        let now = 60_000_000;
        policy.tick(now);
        assert_eq!(policy.with_frequency(7), None);
        assert_eq!(policy.idle_for(100).map(|record| policy.idle_seconds(record, now)), Some(100));
        policy.set(true, 10, 1);
        assert_eq!(policy.idle_for(100), None);
        assert_eq!(policy.with_frequency(7).map(|record| policy.frequency(record, now)), Some(7));
    }

    #[test]
    fn idle_time_counts_seconds() {
        let policy = Policy::default();
        policy.tick(5_000);
        let record = policy.fresh();
        assert_eq!(policy.idle_seconds(record, 12_999), 7);
        policy.tick(12_999);
        assert_eq!(policy.idle_seconds(policy.used(record, 0), 13_000), 1);
    }
}
