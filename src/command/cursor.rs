//! What SCAN, HSCAN, SSCAN and ZSCAN read alike: a cursor, then MATCH pattern and COUNT n.

use crate::base::glob;
use crate::base::refusal::Refusal;
use crate::exec::Args;

/// What a step visits when the client does not say.
const COUNT: usize = 10;

/// Reads the cursor.
pub(super) fn read(args: &mut Args<'_>) -> Result<u64, Refusal> {
    parse(args.word()?).ok_or(Refusal::line("ERR invalid cursor"))
}

/// How many a step visits, and which of them it answers with. The last option of a kind counts.
pub(super) struct Options<'a> {
    /// About so many are visited, at least one.
    pub(super) count: usize,
    pattern: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    /// Without any option read.
    pub(super) fn new() -> Self {
        Options { count: COUNT, pattern: None }
    }

    /// Reads all options there are, for the commands that know no others.
    pub(super) fn read(args: &mut Args<'a>) -> Result<Self, Refusal> {
        let mut options = Options::new();
        while !args.is_done() {
            if !options.take(args)? {
                return Err(Refusal::Syntax);
            }
        }
        Ok(options)
    }

    /// Reads one option; false where another word stands.
    pub(super) fn take(&mut self, args: &mut Args<'a>) -> Result<bool, Refusal> {
        if args.accept("COUNT") {
            let count = usize::try_from(args.int()?).ok().filter(|&count| count > 0);
            self.count = count.ok_or(Refusal::Syntax)?;
        } else if args.accept("MATCH") {
            self.pattern = Some(args.word()?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// True for what the pattern matches.
    pub(super) fn admits(&self, text: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| pattern == b"*" || glob::matches(pattern, text, false))
    }
}

/// Reads a cursor as the C library's `strtoul` does, which Redis asks: with a sign or without, negative ones counted
/// down from the top, the empty word as 0, and no more than 64 bits.
fn parse(word: &[u8]) -> Option<u64> {
    let (is_negative, digits) = match word {
        [] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let cursor = digits.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if is_negative { cursor.wrapping_neg() } else { cursor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_leniently_as_redis_does() {
        let cases: [(&[u8], Option<u64>); 10] = [
            (b"0", Some(0)),
            (b"", Some(0)),
            (b"+007", Some(7)),
            (b"-1", Some(u64::MAX)),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"18446744073709551616", None),
            (b"-", None),
            (b" 0", None),
            (b"0 ", None),
            (b"x", None),
        ];
        for (word, cursor) in cases {
            assert_eq!(parse(word), cursor, "{word:?}");
        }
    }
}
