//! Deadlines of fields as clients give them: seconds or milliseconds, from now or since 1970.
//!
//! What is counted from now would come out differently when the log is replayed, so the log gets the moment itself.

use crate::base::clock::Millis;
use crate::base::number;
use crate::base::refusal::Refusal;

/// The last moment that a field's deadline can be, in Unix milliseconds: Redis keeps 46 bits of it.
pub(super) const MOMENT_MAX: Millis = (1 << 46) - 1;

/// What the number of a deadline counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    /// Milliseconds in one.
    millis: i64,
    /// Counted from now, or from 1970.
    from_now: bool,
}

impl Unit {
    /// Seconds from now.
    pub(super) const EX: Unit = Unit { millis: 1000, from_now: true };
    /// Milliseconds from now.
    pub(super) const PX: Unit = Unit { millis: 1, from_now: true };
    /// Unix time in seconds.
    pub(super) const EXAT: Unit = Unit { millis: 1000, from_now: false };
    /// Unix time in milliseconds.
    pub(super) const PXAT: Unit = Unit { millis: 1, from_now: false };

    /// The unit that an option's name stands for.
    pub(super) fn named(word: &[u8]) -> Option<Unit> {
        let names: [(&[u8], Unit); 4] =
            [(b"EX", Unit::EX), (b"PX", Unit::PX), (b"EXAT", Unit::EXAT), (b"PXAT", Unit::PXAT)];
        names.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, unit)| unit)
    }

    /// The moment that `number` means, which may lie in the past. `command` is the name, in lower case, that a refusal
    /// quotes.
    pub(super) fn moment(self, number: &[u8], now: Millis, command: &str) -> Result<Millis, Refusal> {
        let number = number::parse_i64(number).ok_or(Refusal::NotInteger)?;
        if number < 0 {
            return Err(Refusal::line("ERR invalid expire time, must be >= 0"));
        }
        let start = if self.from_now { now } else { 0 };
        let moment = number.checked_mul(self.millis).and_then(|millis| millis.checked_add(start));
        moment
            .filter(|&moment| moment <= MOMENT_MAX)
            .ok_or_else(|| Refusal::err(format!("invalid expire time in '{command}' command")))
    }
}

/// True when a moment has passed. In replay none has: what had passed is in the log as a removal.
pub(super) fn is_past(moment: Millis, now: Millis) -> bool {
    moment <= now && now != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_700_000_000_000;

    fn moment(unit: Unit, number: i64) -> Option<Millis> {
        unit.moment(number.to_string().as_bytes(), NOW, "hexpire").ok()
    }

    #[test]
    fn distances_count_from_now_and_moments_do_not() {
        assert_eq!(moment(Unit::EX, 2), Some(NOW + 2000));
        assert_eq!(moment(Unit::PX, 0), Some(NOW));
        assert_eq!(moment(Unit::EXAT, 2), Some(2000));
        assert_eq!(moment(Unit::PXAT, 2), Some(2));
    }

    #[test]
    fn moments_end_with_46_bits() {
        assert_eq!(moment(Unit::PXAT, MOMENT_MAX), Some(MOMENT_MAX));
        assert_eq!(moment(Unit::PXAT, MOMENT_MAX + 1), None);
        assert_eq!(moment(Unit::PX, MOMENT_MAX - NOW), Some(MOMENT_MAX));
        assert_eq!(moment(Unit::PX, MOMENT_MAX - NOW + 1), None);
        assert_eq!(moment(Unit::EX, i64::MAX), None);
        assert_eq!(moment(Unit::PX, i64::MAX), None);
        assert_eq!(moment(Unit::EXAT, -1), None);
    }

    #[test]
    fn nothing_has_passed_in_replay() {
        assert!(is_past(NOW, NOW) && is_past(0, NOW) && !is_past(NOW + 1, NOW) && !is_past(0, 0));
    }
}
