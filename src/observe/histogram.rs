//! A histogram of durations with about 12 % resolution: eight buckets for each power of two of nanoseconds.

use std::sync::atomic::{AtomicU64, Ordering};

/// Powers of two of nanoseconds that are told apart; the last takes all that is longer (over nine minutes).
const OCTAVES: usize = 40;
/// Buckets for each power of two.
const PARTS: usize = 8;

/// Counts of durations. Written by one thread, read by any.
pub struct Histogram {
    buckets: Box<[AtomicU64]>,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { buckets: (0..OCTAVES * PARTS).map(|_| AtomicU64::new(0)).collect() }
    }
}

/// The bucket of a duration.
#[inline]
fn bucket_of(nanos: u64) -> usize {
    let nanos = nanos.max(PARTS as u64);
    let octave = 63 - nanos.leading_zeros() as usize;
    let part = (nanos >> (octave - 3)) as usize & (PARTS - 1);
    ((octave - 3) * PARTS + part).min(OCTAVES * PARTS - 1)
}

/// The shortest duration in a bucket.
fn bucket_start(bucket: usize) -> u64 {
    bucket.checked_sub(1).map_or(0, |before| bucket_end(before) + 1)
}

/// The longest duration in a bucket.
fn bucket_end(bucket: usize) -> u64 {
    let (octave, part) = (bucket / PARTS + 3, bucket % PARTS);
    (1u64 << octave) + ((part as u64 + 1) << (octave - 3)) - 1
}

impl Histogram {
    /// Counts a duration so many times. Only the owner may call it: a plain store is cheaper than an atomic addition.
    #[inline]
    pub fn record(&self, nanos: u64, times: u64) {
        let bucket = &self.buckets[bucket_of(nanos)];
        bucket.store(bucket.load(Ordering::Relaxed) + times, Ordering::Relaxed);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.buckets.iter().for_each(|bucket| bucket.store(0, Ordering::Relaxed));
    }

    /// Adds its counts to `sum`.
    pub fn add_to(&self, sum: &mut Summary) {
        for (own, all) in self.buckets.iter().zip(&mut sum.counts) {
            *all += own.load(Ordering::Relaxed);
        }
    }
}

/// Counts of one or several histograms at a moment.
pub struct Summary {
    counts: Vec<u64>,
}

impl Default for Summary {
    fn default() -> Self {
        Summary { counts: vec![0; OCTAVES * PARTS] }
    }
}

impl Summary {
    /// Number of durations counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds the counts of another.
    pub fn add(&mut self, other: &Summary) {
        for (own, more) in self.counts.iter_mut().zip(&other.counts) {
            *own += more;
        }
    }

    /// Pairs of the longest duration in a bucket, in nanoseconds, and its count, where there is one.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let filled = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(bucket, count)| (bucket_end(bucket), *count))
    }

    /// The duration in nanoseconds that `percent` of all did not exceed.
    pub fn percentile(&self, percent: f64) -> u64 {
        let total = self.total();
        let rank = ((total as f64) * percent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return bucket_end(bucket);
            }
        }
        0
    }

    /// How many took less than two to the power of each of `exponents` nanoseconds: every one of them is the end of a
    /// bucket, so the counts are exact. In ascending order, each beyond the one before: not cumulative.
    pub fn between_powers_of_two(&self, exponents: std::ops::RangeInclusive<u32>) -> Vec<(u64, u64)> {
        let mut buckets = self.counts.iter().enumerate().peekable();
        exponents
            .map(|exponent| {
                let bound = 1u64 << exponent;
                let mut count = 0;
                while let Some((_, more)) = buckets.next_if(|(bucket, _)| bucket_end(*bucket) < bound) {
                    count += more;
                }
                (bound, count)
            })
            .collect()
    }

    /// Cumulative counts at powers of two of microseconds: pairs of (microseconds, durations no longer), only where the
    /// count grew.
    pub fn by_microseconds(&self) -> Vec<(u64, u64)> {
        let mut rows: Vec<(u64, u64)> = Vec::new();
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            seen += count;
            let us = bucket_start(bucket).div_ceil(1000).next_power_of_two();
            match rows.last_mut() {
                Some(last) if last.0 == us => last.1 = seen,
                _ => rows.push((us, seen)),
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_in_its_bucket_and_buckets_do_not_overlap() {
        let mut previous = 0;
        for nanos in (8..5_000_000u64).step_by(37) {
            let bucket = bucket_of(nanos);
            assert!(bucket >= previous && nanos <= bucket_end(bucket));
            assert!(bucket == 0 || nanos > bucket_end(bucket - 1));
            previous = bucket;
        }
        assert_eq!(bucket_of(u64::MAX), OCTAVES * PARTS - 1);
    }

    #[test]
    fn percentiles_are_within_an_eighth() {
        let histogram = Histogram::default();
        (1..=1000u64).for_each(|us| histogram.record(us * 1000, 1));
        let mut sum = Summary::default();
        histogram.add_to(&mut sum);
        assert_eq!(sum.total(), 1000);
        let median = sum.percentile(50.0) as f64 / 1000.0;
        assert!((500.0..=570.0).contains(&median), "{median}");
        assert_eq!(sum.by_microseconds().last(), Some(&(1024, 1000)));
        // 1024, 2048 … nanoseconds: one of a microsecond, none, two (2 and 3), …
        let powers = sum.between_powers_of_two(10..=20);
        assert_eq!(powers[..3], [(1024, 1), (2048, 1), (4096, 2)]);
        assert_eq!(powers.iter().map(|(_, count)| count).sum::<u64>(), 1000);
    }
}
