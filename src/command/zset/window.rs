//! The stretch of a sorted set that ZRANGE and its relatives are about, as their arguments describe it.
//!
//! ```text
//! min max [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
//! ```
//!
//! With REV the set is read from its highest member down, and ranges of scores or members are written from high to low.
//! The older commands (ZREVRANGE, ZRANGEBYSCORE, …) have some of this in their names, and do not take those words.

use std::ops::Range;

use super::{NOT_MEMBERS, NOT_SCORES};
use crate::base::refusal::Refusal;
use crate::exec::Args;
use crate::value::ZSet;
use crate::value::zset::{Direction, LexRange, ScoreRange, limit, ranks};

/// What a range is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Rank,
    Score,
    Lex,
}

/// What a command's name settles already, and whether it can tell scores.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub(super) by: Option<By>,
    pub(super) direction: Option<Direction>,
    pub(super) takes_with_scores: bool,
}

/// A stretch of any sorted set.
pub(super) struct Window<'a> {
    extent: Extent<'a>,
    /// Offset and count, of which LIMIT's absence is 0 and all.
    limit: (i64, i64),
    pub(super) direction: Direction,
    pub(super) with_scores: bool,
}

enum Extent<'a> {
    Ranks(i64, i64),
    Scores(ScoreRange),
    Members(LexRange<'a>),
}

/// LIMIT's count for as many as there are.
const NO_LIMIT: i64 = -1;

impl<'a> Window<'a> {
    /// Reads the arguments from the range's first end on.
    pub(super) fn read(args: &mut Args<'a>, form: Form) -> Result<Self, Refusal> {
        let (first, second) = (args.word()?, args.word()?);
        let Form { mut by, mut direction, takes_with_scores } = form;
        let (mut limit, mut with_scores) = ((0, NO_LIMIT), false);
        while !args.is_done() {
            if takes_with_scores && args.accept("WITHSCORES") {
                with_scores = true;
            } else if args.left() > 2 && args.accept("LIMIT") {
                limit = (args.int()?, args.int()?);
            } else if direction.is_none() && args.accept("REV") {
                direction = Some(Direction::Reverse);
            } else if by.is_none() && args.accept("BYLEX") {
                by = Some(By::Lex);
            } else if by.is_none() && args.accept("BYSCORE") {
                by = Some(By::Score);
            } else {
                return Err(Refusal::Syntax);
            }
        }
        let by = by.unwrap_or(By::Rank);
        let direction = direction.unwrap_or(Direction::Forward);
        if by == By::Rank && limit.1 != NO_LIMIT {
            return Err(Refusal::line(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if by == By::Lex && with_scores {
            return Err(Refusal::line(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let (min, max) = match direction {
            Direction::Reverse => (second, first),
            Direction::Forward => (first, second),
        };
        let extent = match by {
            By::Rank => Extent::Ranks(rank(first)?, rank(second)?),
            By::Score => Extent::Scores(ScoreRange::parse(min, max).ok_or(NOT_SCORES)?),
            By::Lex => Extent::Members(LexRange::parse(min, max).ok_or(NOT_MEMBERS)?),
        };
        Ok(Window { extent, limit, direction, with_scores })
    }

    /// The ranks of the stretch in `zset`, counted from the lowest member whatever the direction.
    pub(super) fn span(&self, zset: &ZSet) -> Range<usize> {
        let span = match &self.extent {
            Extent::Ranks(start, stop) => {
                let span = ranks(*start, *stop, zset.len());
                return if self.direction == Direction::Reverse { zset.mirrored(span) } else { span };
            }
            Extent::Scores(range) => zset.span_by_score(range),
            Extent::Members(range) => zset.span_by_lex(range),
        };
        limit(span, self.limit.0, self.limit.1, self.direction)
    }
}

fn rank(word: &[u8]) -> Result<i64, Refusal> {
    crate::base::number::parse_i64(word).ok_or(Refusal::NotInteger)
}
