//! Deadlines as clients give them to SET, SETEX, PSETEX and GETEX: seconds or milliseconds, from now or since 1970.
//!
//! What is counted from now would come out differently when the log is replayed, so the log gets the moment itself.

use crate::base::clock::{Millis, NEVER};
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::Effect;

/// What the number of a deadline counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Seconds from now.
    Ex,
    /// Milliseconds from now.
    Px,
    /// Unix time in seconds.
    ExAt,
    /// Unix time in milliseconds.
    PxAt,
}

impl Form {
    /// The form that an option's name stands for.
    pub(super) fn named(word: &[u8]) -> Option<Form> {
        const NAMES: [(&[u8], Form); 4] =
            [(b"EX", Form::Ex), (b"PX", Form::Px), (b"EXAT", Form::ExAt), (b"PXAT", Form::PxAt)];
        NAMES.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, form)| form)
    }

    /// True when the number is a moment rather than a distance from now.
    pub(super) fn is_moment(self) -> bool {
        matches!(self, Form::ExAt | Form::PxAt)
    }

    /// The moment that `number` means. It may lie in the past, but not before 1970. `command` is the name, in lower
    /// case, that a refusal quotes.
    pub(super) fn moment(self, number: &[u8], now: Millis, command: &str) -> Result<Millis, Refusal> {
        let number = number::parse_i64(number).ok_or(Refusal::NotInteger)?;
        let millis = match self {
            Form::Ex | Form::ExAt => number.checked_mul(1000),
            Form::Px | Form::PxAt => Some(number),
        };
        let start = if self.is_moment() { 0 } else { now };
        millis
            .filter(|&millis| millis > 0)
            .and_then(|millis| millis.checked_add(start))
            .filter(|&moment| moment > 0)
            // The last moment of all stands for "no deadline" in the table.
            .map(|moment| moment.min(NEVER - 1))
            .ok_or_else(|| Refusal::err(format!("invalid expire time in '{command}' command")))
    }
}

/// The effect of storing a string with a deadline.
pub(super) fn stored_until(key: &[u8], value: &[u8], moment: Millis) -> Effect {
    Effect::instead([b"SET", key, value, b"PXAT", itoa::Buffer::new().format(moment).as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_700_000_000_000;

    fn moment(form: Form, number: &str) -> Option<Millis> {
        form.moment(number.as_bytes(), NOW, "set").ok()
    }

    #[test]
    fn distances_count_from_now_and_moments_do_not() {
        assert_eq!(moment(Form::Ex, "2"), Some(NOW + 2000));
        assert_eq!(moment(Form::Px, "2"), Some(NOW + 2));
        assert_eq!(moment(Form::ExAt, "2"), Some(2000));
        assert_eq!(moment(Form::PxAt, "2"), Some(2));
    }

    #[test]
    fn what_no_clock_will_reach_is_refused() {
        assert_eq!(moment(Form::Ex, "0"), None);
        assert_eq!(moment(Form::PxAt, "-1"), None);
        assert_eq!(moment(Form::Ex, "9223372036854776"), None);
        assert_eq!(moment(Form::Ex, "9223372036854775"), None, "fits in milliseconds, but not from now on");
        assert_eq!(moment(Form::ExAt, "9223372036854775"), Some(9_223_372_036_854_775_000));
        assert_eq!(moment(Form::Px, "9223372036854775807"), None);
        assert_eq!(moment(Form::PxAt, "9223372036854775807"), Some(NEVER - 1), "a deadline all the same");
        assert_eq!(Form::Ex.moment(b"1.5", NOW, "set"), Err(Refusal::NotInteger));
    }
}
