//! Whether a sync waits a moment for company.
//!
//! With `appendfsync always` clients that wait for their answers fall into two halves: while one half's records are synced
//! the other half's come in, and each sync just misses those whom the one before has answered. A sync that waits until these
//! are back serves all of them, and each of them waits for one sync instead of two.
//!
//! ```text
//! at once     sync ▏ half A ▕▏ half B ▕▏ half A ▕▏ half B ▕        a client is answered after two syncs
//! gathering   sync ▏ A and B ▕ ▏ A and B ▕ ▏ A and B ▕             after one, and the time it takes to come back
//! ```
//!
//! How many will come nobody says, so it is tried: now and then a sync waits for as many records as the last two had
//! together. If most of them come within half of the time that a sync takes, the next ones wait for as many; where they
//! do not, as with a single client, or where the disk is faster than the clients, the trial has cost one half of a sync
//! in seventeen. A wait that is over at once does not show whether more would have come: that is why it goes on trying
//! while it succeeds.

use std::time::Duration;

/// From one trial to the next.
const SYNCS_BETWEEN_TRIALS: u32 = 16;

/// What a sync waits for before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Company {
    /// So many records are there to be synced,
    pub(super) records: u64,
    /// or this much time has passed.
    pub(super) at_most: Duration,
}

/// What the syncs so far have shown.
#[derive(Debug, Default)]
pub(super) struct Gather {
    /// Records of the last sync, and of the one before.
    last: u64,
    before: u64,
    /// How long the last one took.
    took: Duration,
    /// So many records come, if they are waited for; 0 when waiting is of no use.
    expected: u64,
    is_trial: bool,
    until_trial: u32,
}

impl Gather {
    /// What the next sync waits for; none when it begins at once.
    pub(super) fn company(&mut self) -> Option<Company> {
        self.is_trial = self.until_trial == 0;
        self.until_trial = self.until_trial.checked_sub(1).unwrap_or(SYNCS_BETWEEN_TRIALS);
        let records = if self.is_trial { self.last + self.before } else { self.expected };
        (records > 0).then_some(Company { records, at_most: self.took / 2 })
    }

    /// Takes note of a sync: how many records it made durable, and how long it took.
    pub(super) fn synced(&mut self, records: u64, took: Duration) {
        let most_of = |wanted: u64| wanted > 0 && records >= wanted - wanted / 4;
        let trial = self.last + self.before;
        let is_worth_it = most_of(self.expected) || (self.is_trial && most_of(trial));
        self.expected = if is_worth_it { records } else { 0 };
        (self.before, self.last, self.took) = (self.last, records, took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: Duration = Duration::from_millis(4);

    /// Clients that each write again `back` after they were answered, and what they come to: the mean time from one sync
    /// to the next, and the records of the last one.
    fn simulate(clients: u64, back: Duration, syncs: u32) -> (Duration, u64) {
        let mut gather = Gather::default();
        // (when they are back, how many)
        let (mut waiting, mut coming) =
            (clients - clients / 2, vec![(Duration::from_millis(1), clients / 2)]);
        let (mut now, mut last) = (Duration::ZERO, 0);
        let arrive = |waiting: &mut u64, coming: &mut Vec<(Duration, u64)>, until: Duration| {
            coming.retain(|&(at, count)| {
                *waiting += if at <= until { count } else { 0 };
                at > until
            });
        };
        for _ in 0..syncs {
            // Nobody syncs for nobody.
            while waiting == 0 {
                now += Duration::from_micros(10);
                arrive(&mut waiting, &mut coming, now);
            }
            if let Some(company) = gather.company() {
                let end = now + company.at_most;
                while waiting < company.records && now < end {
                    now += Duration::from_micros(10);
                    arrive(&mut waiting, &mut coming, now);
                }
            }
            last = std::mem::take(&mut waiting);
            now += SYNC;
            arrive(&mut waiting, &mut coming, now);
            coming.push((now + back, last));
            gather.synced(last, SYNC);
        }
        (now / syncs, last)
    }

    #[test]
    fn two_halves_become_one() {
        let (period, last) = simulate(50, Duration::from_micros(500), 400);
        assert_eq!(last, 50);
        assert!(period < SYNC + Duration::from_micros(700), "{period:?}");
    }

    #[test]
    fn a_single_client_pays_for_trials_only() {
        let back = Duration::from_micros(50);
        let (period, last) = simulate(1, back, 1700);
        assert_eq!(last, 1);
        assert!(period < SYNC + back + SYNC / 30, "{period:?}");
    }

    #[test]
    fn who_takes_longer_to_come_back_is_not_waited_for() {
        let (period, _) = simulate(50, Duration::from_micros(3500), 1700);
        assert!(period < SYNC + SYNC / 30, "{period:?}");
    }

    #[test]
    fn more_clients_than_expected_are_found_by_a_trial() {
        let mut gather = Gather::default();
        for _ in 0..100 {
            // Twenty come if so many are waited for, else five.
            let come = gather.company().map_or(5, |company| company.records.min(20));
            gather.synced(come, SYNC);
        }
        assert_eq!(gather.expected, 20);
    }

    #[test]
    fn whoever_has_gone_is_not_waited_for_again() {
        let mut gather = Gather::default();
        gather.synced(25, SYNC);
        gather.synced(25, SYNC);
        assert_eq!(gather.company(), Some(Company { records: 50, at_most: SYNC / 2 }));
        gather.synced(50, SYNC);
        assert_eq!(gather.company().map(|company| company.records), Some(50));
        gather.synced(10, SYNC);
        assert_eq!(gather.company(), None);
    }
}
