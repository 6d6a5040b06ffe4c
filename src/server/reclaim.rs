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

/// Watches how much memory has changed.
#[derive(Default)]
pub(super) struct Pages {
    /// What was in use at the last look.
    seen: u64,
}

impl Pages {
    /// True when the pages should be looked at now.
    pub(super) fn are_due(&mut self, used: u64, round: u64) -> bool {
        let are_due = used.abs_diff(self.seen) >= CHANGE_MIN || round.is_multiple_of(ROUNDS);
        if are_due {
            self.seen = used;
        }
        are_due
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
        assert!(pages.are_due(0, 0));
        assert!(!pages.are_due(CHANGE_MIN - 1, 1));
        assert!(pages.are_due(CHANGE_MIN, 2));
        assert!(!pages.are_due(CHANGE_MIN, 3));
        assert!(pages.are_due(0, 4));
        assert!(pages.are_due(0, ROUNDS));
    }
}
