//! Entries picked at random, for eviction to choose among.
//!
//! Entries lie in the order of a keyed hash, so neighbours have nothing in common but chance: a sample is a short walk from
//! a random stripe, and from a random entry of each stripe on.

use super::Table;
use super::entry::Entry;
use crate::base::random::Random;

impl Table {
    /// Shows up to `count` entries of a database, none of them twice; with `expiring` only such as have a deadline. At most
    /// `walk` stripes are looked through, so there may be entries although none is shown. One stripe is locked at a time.
    pub fn sample(
        &self,
        db: usize,
        (count, expiring, walk): (usize, bool, usize),
        random: &mut Random,
        mut visit: impl FnMut(&Entry),
    ) {
        let stripes = self.stripes_of(db);
        let first = random.below(stripes.len() as u64) as usize;
        let (before, from) = stripes.split_at(first);
        let mut left = count;
        for stripe in from.iter().chain(before).take(walk) {
            if left == 0 {
                return;
            }
            left -= stripe.lock().sample(left, expiring, random, &mut visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::base::clock::NEVER;
    use crate::base::hash::Seed;
    use crate::table::{Expiry, STRIPES};

    fn table(stripes: usize, keys: u32, expiring: u32) -> Table {
        let table = Table::with_stripes(2, stripes, Seed::random());
        for key in 0..keys {
            let name = key.to_string();
            let expiry = if key < expiring { Expiry::At(i64::from(key) + 1) } else { Expiry::Clear };
            let address = table.address(0, name.as_bytes());
            table.peek(address, name.as_bytes(), |slot| slot.put_text(b"value", expiry));
        }
        table
    }

    fn sampled(table: &Table, count: usize, expiring: bool, random: &mut Random) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        table.sample(0, (count, expiring, STRIPES), random, |entry| {
            assert!(!expiring || entry.expiry() != NEVER);
            keys.push(entry.key().to_vec());
        });
        let different: HashSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len(), "one came twice");
        keys
    }

    #[test]
    fn a_sample_is_as_large_as_wanted_or_all_there_is() {
        let mut random = Random::seeded(1);
        let large = table(STRIPES, 20_000, 3);
        for (count, expiring, found) in [(5, false, 5), (0, false, 0), (30_000, false, 20_000), (5, true, 3)]
        {
            assert_eq!(sampled(&large, count, expiring, &mut random).len(), found, "{count} {expiring}");
        }
        large.sample(1, (5, false, STRIPES), &mut random, |_| panic!("an unused database has no entries"));
        assert_eq!(sampled(&table(STRIPES, 1, 0), 5, false, &mut random).len(), 1);
    }

    #[test]
    fn every_key_has_its_chance() {
        let mut random = Random::seeded(2);
        // Many stripes with few entries, and few with many.
        for stripes in [STRIPES, 2] {
            let table = table(stripes, 500, 100);
            for (count, expiring, keys) in [(5, false, 500), (1, false, 500), (5, true, 100), (1, true, 100)]
            {
                let seen: HashSet<_> =
                    (0..50_000).flat_map(|_| sampled(&table, count, expiring, &mut random)).collect();
                assert_eq!(seen.len(), keys, "{stripes} {count} {expiring}");
            }
        }
    }
}
