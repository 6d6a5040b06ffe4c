//! When memory is given back to the operating system: after so much was removed that it shows. And when its pages are looked
//! at, to make huge ones of those that have become full: after so much has changed that some may have.
//!
//! Removed keys leave free memory with the allocator, which new ones will use. Only where far less is in use than there was,
//! and all that was laid aside is freed, is the rest worth the work of giving it back.

/// The least fall in bytes: below it giving back is not worth the page faults of taking it again.
const FALL_MIN: u64 = 8 * 1024 * 1024;
/// The least fall as a part of what was in use: one of so many.
const FALL_PART: u64 = 4;

/// Watches how much memory is in use.
#[derive(Default)]
pub(super) struct Reclaimer {
    /// The most that was in use since memory was last given back.
    high: u64,
}

impl Reclaimer {
    /// True when memory should be given back now: `used` bytes are in use, and of them `pending` wait to be freed.
    pub(super) fn is_due(&mut self, used: u64, pending: u64) -> bool {
        self.high = self.high.max(used);
        let fall = self.high - used;
        let is_due = pending == 0 && fall >= FALL_MIN && fall >= self.high / FALL_PART;
        if is_due {
            self.high = used;
        }
        is_due
    }
}

/// A change in bytes after which pages are looked at.
const CHANGE_MIN: u64 = 1024 * 1024;
/// Rounds after which they are looked at in any case: what is not counted as used takes memory as well.
const ROUNDS: u64 = 100;
/// A change in bytes from one round to the next, up to which memory is calm: 10 MB a second.
const CALM_MAX: u64 = 1024 * 1024;

/// Watches how much memory has changed.
#[derive(Default)]
pub(super) struct Pages {
    /// What was in use at the last look at the pages, and in the last round.
    seen: u64,
    last: u64,
}

/// What is to be done about pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// Memory is calm, so that there is time to make huge pages.
    pub(super) is_calm: bool,
}

impl Pages {
    /// Whether the pages should be looked at now, of which some are `left` from the last look.
    pub(super) fn due(&mut self, used: u64, left: bool, round: u64) -> Option<Due> {
        let is_calm = used.abs_diff(std::mem::replace(&mut self.last, used)) <= CALM_MAX;
        let has_changed = used.abs_diff(self.seen) >= CHANGE_MIN;
        let are_due = has_changed || (left && is_calm) || round.is_multiple_of(ROUNDS);
        are_due.then(|| {
            self.seen = used;
            Due { is_calm }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_once_after_a_fall_that_shows_and_when_all_is_freed() {
        const MB: u64 = 1 << 20;
        let mut reclaimer = Reclaimer::default();
        let mut asked = |used: u64, pending: u64| reclaimer.is_due(used * MB, pending * MB);
        assert!(!asked(100, 0));
        assert!(!asked(80, 0), "a fifth");
        assert!(!asked(60, 50), "not freed yet");
        assert!(asked(10, 0));
        assert!(!asked(10, 0), "given back already");
        assert!(!asked(4, 0), "too little");
        assert!(!asked(200, 0));
        assert!(asked(150, 0));
    }

    #[test]
    fn pages_are_looked_at_after_a_change_and_now_and_then() {
        let mut pages = Pages::default();
        let mut due = |used, left, round| pages.due(used, left, round).map(|due| due.is_calm);
        assert_eq!(due(0, false, 0), Some(true));
        assert_eq!(due(CHANGE_MIN - 1, false, 1), None);
        assert_eq!(due(CHANGE_MIN, false, 2), Some(true));
        assert_eq!(due(CHANGE_MIN, false, 3), None);
        assert_eq!(due(CHANGE_MIN, true, 4), Some(true));
        assert_eq!(due(0, false, 5), Some(true));
        assert_eq!(due(0, false, ROUNDS), Some(true));
        // While it grows fast there is no time.
        assert_eq!(due(2 * CALM_MAX, true, ROUNDS + 1), Some(false));
        assert_eq!(due(4 * CALM_MAX, true, ROUNDS + 2), Some(false));
        assert_eq!(due(4 * CALM_MAX, true, ROUNDS + 3), Some(true));
    }
}
