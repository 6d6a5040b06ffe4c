//! The part of a string that BITCOUNT and BITPOS look at, as a range of bits, and what is done with it.

use std::ops::Range;

use crate::base::refusal::Refusal;
use crate::exec::Args;

/// Whether positions count bytes, as they do where nothing is said, or bits.
pub(super) fn counts_bits(args: &mut Args<'_>) -> Result<bool, Refusal> {
    let is_bits = args.accept("BIT");
    if !is_bits && !args.is_done() && !args.accept("BYTE") {
        return Err(Refusal::Syntax);
    }
    args.end().map(|()| is_bits)
}

/// The bits between two positions in a string of so many bytes, both included. Negative ones count from the end, and those
/// outside are moved into it. None where the last comes before the first.
pub(super) fn between(start: i64, end: i64, is_bits: bool, bytes: usize) -> Option<Range<usize>> {
    let unit = if is_bits { 1 } else { 8 };
    let total = (bytes * 8 / unit) as i64;
    let place = |position: i64| if position < 0 { position.saturating_add(total).max(0) } else { position };
    let (first, last) = (place(start), place(end).min(total - 1));
    (first <= last).then(|| first as usize * unit..(last as usize + 1) * unit)
}

/// How many bits of a range, which lies within the bytes, are set.
pub(super) fn count(bytes: &[u8], range: Range<usize>) -> u64 {
    let ones = |bytes: &[u8]| -> u64 {
        let (words, rest) = bytes.as_chunks::<8>();
        let in_words: u64 = words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones())).sum();
        in_words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
    };
    let whole = bytes.get(range.start / 8..range.end.div_ceil(8)).unwrap_or_default();
    let before = whole.first().map_or(0, |first| first & !from(range.start));
    let behind = match (whole.last(), range.end % 8) {
        (Some(last), 1..) => last & from(range.end),
        _ => 0,
    };
    ones(whole) - u64::from(before.count_ones()) - u64::from(behind.count_ones())
}

/// The first bit of a range, which lies within the bytes, that is as wanted.
pub(super) fn find(bytes: &[u8], range: Range<usize>, wanted: bool) -> Option<usize> {
    let base = range.start / 8;
    let whole = bytes.get(base..range.end.div_ceil(8))?;
    // Seen so that a bit that is looked for is a 1.
    let seen = |byte: u8| if wanted { byte } else { !byte };
    let first = seen(*whole.first()?) & from(range.start);
    let at = if first != 0 {
        base * 8 + first.leading_zeros() as usize
    } else {
        let skipped = if wanted { 0 } else { u8::MAX };
        let (words, _) = whole[1..].as_chunks::<8>();
        let words = words.iter().take_while(|word| **word == [skipped; 8]).count();
        let rest = &whole[1 + words * 8..];
        let index = rest.iter().position(|byte| *byte != skipped)?;
        (base + 1 + words * 8 + index) * 8 + seen(rest[index]).leading_zeros() as usize
    };
    (at < range.end).then_some(at)
}

/// The bits of a byte from this one of a string on.
fn from(bit: usize) -> u8 {
    u8::MAX >> (bit % 8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn positions_are_moved_into_the_string() {
        for (start, end, is_bits, expected) in [
            (0, -1, false, Some(0..24)),
            (1, 1, false, Some(8..16)),
            (-2, 100, false, Some(8..24)),
            (5, 30, true, Some(5..24)),
            (-1, -1, true, Some(23..24)),
            (2, 1, false, None),
            (3, 9, false, None),
            (i64::MIN, i64::MAX, true, Some(0..24)),
            (i64::MAX, i64::MAX, true, None),
        ] {
            assert_eq!(between(start, end, is_bits, 3), expected, "{start} {end}");
        }
        assert_eq!(between(0, -1, false, 0), None);
    }

    proptest! {
        #[test]
        fn counting_and_finding_agree_with_a_look_at_each_bit(
            runs in proptest::collection::vec((prop_oneof![Just(0_u8), Just(255), any::<u8>()], 0..20_usize), 0..8),
            ends in any::<(u16, u16)>(),
        ) {
            let bytes: Vec<u8> = runs.into_iter().flat_map(|(byte, count)| vec![byte; count]).collect();
            let bits = bytes.len() * 8;
            let (a, b) = (usize::from(ends.0) % (bits + 1), usize::from(ends.1) % (bits + 1));
            let range = a.min(b)..a.max(b);
            let is_set = |bit: usize| super::super::Place::of(bit).is_set(&bytes);
            let ones = range.clone().filter(|&bit| is_set(bit)).count() as u64;
            prop_assert_eq!(count(&bytes, range.clone()), if range.is_empty() { 0 } else { ones });
            for wanted in [true, false] {
                let first = range.clone().find(|&bit| is_set(bit) == wanted);
                prop_assert_eq!(find(&bytes, range.clone(), wanted), first);
            }
        }
    }
}
