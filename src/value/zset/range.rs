//! Ranges of sorted sets: by score, by member, by rank; and which part of one LIMIT asks for.
//!
//! ```text
//! score      5 (5 -inf +inf          a parenthesis excludes the bound; what strtod reads, but not NaN
//! member     [a (a - +               a bracket includes the bound; - and + are before and after all members
//! rank       0 1 -1                  negative ranks count from the end
//! ```

use std::ops::{Bound, Range};

use crate::base::number;

/// A range of scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreRange {
    /// Lowest score.
    pub min: Bound<f64>,
    /// Highest score.
    pub max: Bound<f64>,
}

/// A range of members, for sets in which all scores are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LexRange<'a> {
    /// Lowest member.
    pub min: LexBound<'a>,
    /// Highest member.
    pub max: LexBound<'a>,
}

/// One end of a [`LexRange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// `-`: before all members.
    First,
    /// `[member`
    Included(&'a [u8]),
    /// `(member`
    Excluded(&'a [u8]),
    /// `+`: after all members.
    Last,
}

/// From which end LIMIT counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Lowest first.
    Forward,
    /// Highest first.
    Reverse,
}

impl ScoreRange {
    /// Every score.
    pub const ALL: ScoreRange = ScoreRange { min: Bound::Unbounded, max: Bound::Unbounded };

    /// The range as commands write it; `None` is "min or max is not a float".
    #[must_use]
    pub fn parse(min: &[u8], max: &[u8]) -> Option<ScoreRange> {
        Some(ScoreRange { min: score_bound(min)?, max: score_bound(max)? })
    }

    /// Whether the range begins after `score`.
    #[inline]
    #[must_use]
    pub fn is_after(&self, score: f64) -> bool {
        match self.min {
            Bound::Included(min) => score < min,
            Bound::Excluded(min) => score <= min,
            Bound::Unbounded => false,
        }
    }

    /// Whether the range has not ended before `score`.
    #[inline]
    #[must_use]
    pub fn reaches(&self, score: f64) -> bool {
        match self.max {
            Bound::Included(max) => score <= max,
            Bound::Excluded(max) => score < max,
            Bound::Unbounded => true,
        }
    }
}

impl<'a> LexRange<'a> {
    /// Every member.
    pub const ALL: LexRange<'static> = LexRange { min: LexBound::First, max: LexBound::Last };

    /// The range as commands write it; `None` is "min or max not valid string range item".
    #[must_use]
    pub fn parse(min: &'a [u8], max: &'a [u8]) -> Option<LexRange<'a>> {
        Some(LexRange { min: lex_bound(min)?, max: lex_bound(max)? })
    }

    /// Whether the range begins after `member`.
    #[inline]
    #[must_use]
    pub fn is_after(&self, member: &[u8]) -> bool {
        match self.min {
            LexBound::First => false,
            LexBound::Included(min) => member < min,
            LexBound::Excluded(min) => member <= min,
            LexBound::Last => true,
        }
    }

    /// Whether the range has not ended before `member`.
    #[inline]
    #[must_use]
    pub fn reaches(&self, member: &[u8]) -> bool {
        match self.max {
            LexBound::First => false,
            LexBound::Included(max) => member <= max,
            LexBound::Excluded(max) => member < max,
            LexBound::Last => true,
        }
    }
}

/// The ranks from `start` to `stop`, both included, of `length` entries; negative ones count from the end (-1 is the
/// last).
#[must_use]
pub fn ranks(start: i64, stop: i64, length: usize) -> Range<usize> {
    let end = i64::try_from(length).unwrap_or(i64::MAX);
    let resolve = |rank: i64| if rank < 0 { rank.saturating_add(end) } else { rank };
    let start = resolve(start).clamp(0, end);
    let stop = resolve(stop).clamp(-1, end - 1);
    // Both lie between 0 and the length.
    start as usize..(stop + 1).max(start) as usize
}

/// What LIMIT leaves of a range of ranks: `offset` entries left out from where reading begins, then up to `count`; all
/// of them if that is negative. A negative offset leaves nothing, as in Redis.
#[must_use]
pub fn limit(ranks: Range<usize>, offset: i64, count: i64, direction: Direction) -> Range<usize> {
    let Ok(offset) = usize::try_from(offset) else { return ranks.start..ranks.start };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    match direction {
        Direction::Forward => {
            let start = ranks.start.saturating_add(offset).min(ranks.end);
            start..start.saturating_add(count).min(ranks.end)
        }
        Direction::Reverse => {
            let end = ranks.end.saturating_sub(offset).max(ranks.start);
            end.saturating_sub(count).max(ranks.start)..end
        }
    }
}

fn score_bound(text: &[u8]) -> Option<Bound<f64>> {
    match text {
        [b'(', score @ ..] => loose_score(score).map(Bound::Excluded),
        score => loose_score(score).map(Bound::Included),
    }
}

/// A score as bounds have it: looser than a score to be stored. `strtod` does not check here whether it read anything,
/// so nothing is 0; blanks may come first; and what is too large or too small becomes infinity or 0.
fn loose_score(text: &[u8]) -> Option<f64> {
    if text.is_empty() {
        return Some(0.0);
    }
    let blanks = text.iter().take_while(|b| matches!(b, b' ' | b'\t'..=b'\r')).count();
    let text = &text[blanks..];
    let value = number::parse_f64(text).or_else(|| {
        let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
        match digits {
            [b'0'..=b'9' | b'.', ..] => std::str::from_utf8(text).ok()?.parse().ok(),
            _ => None,
        }
    })?;
    // Negative zero has the same place in the order.
    Some(value + 0.0)
}

fn lex_bound(text: &[u8]) -> Option<LexBound<'_>> {
    match text {
        b"-" => Some(LexBound::First),
        b"+" => Some(LexBound::Last),
        [b'[', member @ ..] => Some(LexBound::Included(member)),
        [b'(', member @ ..] => Some(LexBound::Excluded(member)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn score_bounds_are_read_as_redis_reads_them() {
        let parse = |text: &str| ScoreRange::parse(text.as_bytes(), b"0").map(|range| range.min);
        let (included, excluded) = (|x| Some(Bound::Included(x)), |x| Some(Bound::Excluded(x)));
        for (text, expected) in [
            ("5", included(5.0)),
            ("(5", excluded(5.0)),
            ("-inf", included(f64::NEG_INFINITY)),
            ("+inf", included(f64::INFINITY)),
            ("(inf", excluded(f64::INFINITY)),
            ("INFINITY", included(f64::INFINITY)),
            ("", included(0.0)),
            ("(", excluded(0.0)),
            (" 1", included(1.0)),
            ("( 1", excluded(1.0)),
            ("1e400", included(f64::INFINITY)),
            ("-1e400", included(f64::NEG_INFINITY)),
            ("1e-400", included(0.0)),
            ("+1", included(1.0)),
            ("0x10", included(16.0)),
            (" ", None),
            ("1 ", None),
            ("nan", None),
            ("((1", None),
            ("+-1", None),
            ("one", None),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
        assert_eq!(ScoreRange::parse(b"0", b"x"), None);
    }

    #[test]
    fn lex_bounds_need_a_bracket_or_stand_alone() {
        let parse = |text: &'static str| LexRange::parse(text.as_bytes(), b"+").map(|range| range.min);
        assert_eq!(parse("-"), Some(LexBound::First));
        assert_eq!(parse("+"), Some(LexBound::Last));
        assert_eq!(parse("[a"), Some(LexBound::Included(b"a")));
        assert_eq!(parse("(a"), Some(LexBound::Excluded(b"a")));
        assert_eq!(parse("["), Some(LexBound::Included(b"")));
        for text in ["", "a", "-a", "+a"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(LexRange::parse(b"-", b"a"), None);
    }

    #[test]
    fn ranks_and_limits_stay_within_the_set() {
        for (start, stop, expected) in [
            (0, -1, 0..5),
            (1, 2, 1..3),
            (-2, -1, 3..5),
            (-100, 100, 0..5),
            (3, 1, 3..3),
            (5, 9, 5..5),
            (0, -6, 0..0),
            (i64::MIN, i64::MAX, 0..5),
        ] {
            assert_eq!(ranks(start, stop, 5), expected, "{start} {stop}");
        }
        assert_eq!(ranks(0, -1, 0), 0..0);
        for (offset, count, forward, reverse) in [
            (0, -1, 10..20, 10..20),
            (3, 2, 13..15, 15..17),
            (8, 5, 18..20, 10..12),
            (99, 1, 20..20, 10..10),
            (0, 0, 10..10, 20..20),
            (-1, 2, 10..10, 10..10),
            (1, i64::MAX, 11..20, 10..19),
        ] {
            assert_eq!(limit(10..20, offset, count, Direction::Forward), forward, "{offset} {count}");
            assert_eq!(limit(10..20, offset, count, Direction::Reverse), reverse, "{offset} {count}");
        }
    }
}
