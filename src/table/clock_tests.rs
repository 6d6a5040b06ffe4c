//! A clock that jumps: hours and years to and fro, to zero and to the ends of its range. No key is lost that has no deadline or
//! one ahead, none comes back, and none is seen whose time has come.

use std::collections::BTreeMap;

use super::expire::{Cursor, Progress};
use super::*;
use crate::base::random::Random;

const SEQUENCES: u64 = 10_000;
const STEPS: usize = 12;
const HOUR: Millis = 3_600_000;
const YEAR: Millis = 365 * 24 * HOUR;
/// The end of what 32 bits of seconds can say.
const YEAR_2038: Millis = 2_147_483_647_000;
/// The latest time that a command may set.
const LAST: Millis = i64::MAX - 1;

fn any_time(random: &mut Random, now: Millis) -> Millis {
    let by = [1, 1000, HOUR, 10 * YEAR][random.below(4) as usize];
    match random.below(8) {
        0 => 0,
        1 => YEAR_2038 + random.below(3) as i64 - 1,
        2 => LAST,
        3 | 4 => now.saturating_sub(by).max(0),
        _ => now.saturating_add(by).min(LAST),
    }
}

#[test]
fn keys_last_as_long_as_their_deadlines_whatever_the_clock_does() {
    let mut random = Random::seeded(7);
    for sequence in 0..SEQUENCES {
        let table = Table::with_stripes(1, 2, Seed::from_keys(sequence, 1));
        // None: no deadline.
        let mut model: BTreeMap<u8, Option<Millis>> = BTreeMap::new();
        let mut now = 1_800_000_000_000;
        for _ in 0..STEPS {
            now = any_time(&mut random, now);
            model.retain(|_, deadline| deadline.is_none_or(|at| at > now));
            let key = random.below(6) as u8;
            let address = table.address(0, &[key]);
            match random.below(4) {
                0 => {
                    let deadline = (random.below(3) > 0).then(|| any_time(&mut random, now).max(1));
                    let expiry = deadline.map_or(Expiry::Clear, Expiry::At);
                    table.write(address, &[key], now, |slot| slot.put_text(b"v", expiry));
                    model.insert(key, deadline);
                    model.retain(|_, deadline| deadline.is_none_or(|at| at > now));
                }
                1 => {
                    let progress = table.expire_some(&mut Cursor::default(), now, || false, |_, _, _, _| {});
                    assert_eq!(progress, Progress::Done);
                    assert_eq!(table.len(0), model.len(), "sequence {sequence}, at {now}");
                }
                _ => {}
            }
            for key in 0..6 {
                let there = table.write(table.address(0, &[key]), &[key], now, |slot| slot.exists());
                assert_eq!(there, model.contains_key(&key), "sequence {sequence}, key {key}, at {now}");
            }
        }
    }
}
