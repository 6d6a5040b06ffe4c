//! When memory is given back to the operating system: after so much was removed that it shows.
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
}
