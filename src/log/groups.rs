//! How many records went to the operating system together: what group commit is worth at a glance.

use std::sync::atomic::{AtomicU64, Ordering};

/// Powers of two of records that are told apart; the last takes all that is more.
const SIZES: usize = 16;

/// Counts of groups by their records. Written under the file's lock, read by any.
#[derive(Default)]
pub(super) struct Groups {
    by_size: [AtomicU64; SIZES],
    records: AtomicU64,
    bytes: AtomicU64,
}

/// Groups of records at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupSizes {
    /// Pairs of the most records that a group of this row has, and how many such groups there were: 1, 2, 4, 8 … The
    /// last row has no upper bound.
    pub rows: Vec<(u64, u64)>,
    /// Records in all of them.
    pub records: u64,
    /// Bytes written, with the lines that check them.
    pub bytes: u64,
}

impl Groups {
    /// Counts a group. Only who holds the file's lock may: a plain store is cheaper than an atomic addition.
    pub(super) fn add(&self, records: u64, bytes: u64) {
        let size = records.max(1).next_power_of_two().trailing_zeros() as usize;
        let row = &self.by_size[size.min(SIZES - 1)];
        row.store(row.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        for (sum, more) in [(&self.records, records), (&self.bytes, bytes)] {
            sum.store(sum.load(Ordering::Relaxed) + more, Ordering::Relaxed);
        }
    }

    pub(super) fn sizes(&self) -> GroupSizes {
        let row = |(size, count): (usize, &AtomicU64)| {
            let most = if size == SIZES - 1 { u64::MAX } else { 1 << size };
            (most, count.load(Ordering::Relaxed))
        };
        GroupSizes {
            rows: self.by_size.iter().enumerate().map(row).collect(),
            records: self.records.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_in_the_first_row_that_takes_its_size() {
        let groups = Groups::default();
        for records in [1, 2, 3, 4, 5, 16_384, 16_385, 1 << 40] {
            groups.add(records, 10);
        }
        let sizes = groups.sizes();
        let filled: Vec<_> = sizes.rows.iter().copied().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(1, 1), (2, 1), (4, 2), (8, 1), (16_384, 1), (u64::MAX, 2)]);
        assert_eq!(sizes.bytes, 80);
    }
}
