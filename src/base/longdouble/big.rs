//! Natural numbers of any size: as much of them as exact conversion between decimal and binary takes.

/// A natural number of any size: words of 64 bits, the lowest first, the highest not zero.
pub(super) struct Big(Vec<u64>);

/// The largest power of ten in one word.
const CHUNK: u64 = 10_u64.pow(CHUNK_DIGITS as u32);
const CHUNK_DIGITS: usize = 19;

impl Big {
    /// A number of one or two words.
    #[expect(clippy::cast_possible_truncation, reason = "cut into its words")]
    pub(super) fn from(value: u128) -> Big {
        let mut big = Big(vec![value as u64, (value >> 64) as u64]);
        big.trim();
        big
    }

    /// The number with these decimal digits (values 0 to 9), the first not zero.
    pub(super) fn from_digits(digits: &[u8]) -> Big {
        let mut big = Big(Vec::with_capacity(digits.len() / CHUNK_DIGITS + 1));
        for chunk in digits.chunks(CHUNK_DIGITS) {
            let (scale, value) = chunk
                .iter()
                .fold((1, 0), |(scale, value), &digit| (scale * 10, value * 10 + u64::from(digit)));
            big.multiply_add(scale, value);
        }
        big
    }

    #[expect(clippy::cast_possible_truncation, reason = "cut into its words")]
    fn multiply_add(&mut self, factor: u64, summand: u64) {
        let mut carry = u128::from(summand);
        for word in &mut self.0 {
            carry += u128::from(*word) * u128::from(factor);
            *word = carry as u64;
            carry >>= 64;
        }
        if carry != 0 {
            self.0.push(carry as u64);
        }
    }

    /// Multiplies by `10^power`.
    pub(super) fn multiply_power_of_ten(&mut self, mut power: u32) {
        while power > 0 {
            let step = power.min(CHUNK_DIGITS as u32);
            self.multiply_add(10_u64.pow(step), 0);
            power -= step;
        }
    }

    /// The number times `2^bits`.
    pub(super) fn shifted_up(&self, bits: u64) -> Big {
        let (words, bits) = (usize::try_from(bits / 64).unwrap_or(0), (bits % 64) as u32);
        let mut result = vec![0; words];
        let mut carry = 0;
        for &word in &self.0 {
            result.push(word << bits | carry);
            carry = word.checked_shr(64 - bits).unwrap_or(0);
        }
        result.push(carry);
        let mut result = Big(result);
        result.trim();
        result
    }

    /// Multiplies by two.
    pub(super) fn double(&mut self) {
        let mut carry = 0;
        for word in &mut self.0 {
            (*word, carry) = (*word << 1 | carry, *word >> 63);
        }
        if carry != 0 {
            self.0.push(carry);
        }
    }

    /// Whether it is smaller than `other`.
    pub(super) fn is_below(&self, other: &Big) -> bool {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev())).is_lt()
    }

    /// Takes away `other`, which is not larger.
    pub(super) fn subtract(&mut self, other: &Big) {
        let mut borrow = false;
        for (i, word) in self.0.iter_mut().enumerate() {
            let (difference, below) = word.overflowing_sub(other.0.get(i).copied().unwrap_or(0));
            let (difference, still_below) = difference.overflowing_sub(u64::from(borrow));
            *word = difference;
            borrow = below || still_below;
        }
        self.trim();
    }

    /// Number of bits, up to the highest that is set.
    pub(super) fn bits(&self) -> usize {
        self.0.last().map_or(0, |top| self.0.len() * 64 - top.leading_zeros() as usize)
    }

    /// The upper 128 bits, highest bit set, their exponent, and whether anything lies below.
    pub(super) fn top(&self) -> (u128, i64, bool) {
        let word =
            |back: usize| self.0.len().checked_sub(back).and_then(|i| self.0.get(i)).copied().unwrap_or(0);
        let shift = word(1).leading_zeros();
        let upper = u128::from(word(1)) << 64 | u128::from(word(2));
        let lower = word(3).checked_shr(64 - shift).unwrap_or(0);
        let below = word(3) << shift != 0 || self.0.iter().rev().skip(3).any(|&word| word != 0);
        (upper << shift | u128::from(lower), i64::try_from(self.bits()).unwrap_or(0) - 128, below)
    }

    /// The decimal digits.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a remainder is below its divisor, a partial quotient below 2^64"
    )]
    pub(super) fn into_decimal(mut self) -> String {
        let mut chunks = Vec::new();
        while !self.0.is_empty() {
            let mut rest = 0_u128;
            for word in self.0.iter_mut().rev() {
                let value = rest << 64 | u128::from(*word);
                *word = (value / u128::from(CHUNK)) as u64;
                rest = value % u128::from(CHUNK);
            }
            chunks.push(rest as u64);
            self.trim();
        }
        let mut text = chunks.pop().unwrap_or(0).to_string();
        for chunk in chunks.iter().rev() {
            text.push_str(&format!("{chunk:019}"));
        }
        text
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn digits_read_print_as_they_were(text in "[1-9][0-9]{0,120}") {
            let digits: Vec<u8> = text.bytes().map(|byte| byte - b'0').collect();
            prop_assert_eq!(Big::from_digits(&digits).into_decimal(), text);
        }

        #[test]
        fn small_numbers_compute_as_machine_words_do(a in 1_u128..1 << 100, b in 1_u128..1 << 100, shift in 0_u64..27) {
            let (large, small) = (Big::from(a.max(b)), Big::from(a.min(b)));
            prop_assert_eq!(small.is_below(&large), a != b);
            prop_assert!(!large.is_below(&small));
            let mut difference = Big::from(a.max(b));
            difference.subtract(&small);
            prop_assert_eq!(difference.shifted_up(0).into_decimal(), a.abs_diff(b).to_string());
            difference.double();
            prop_assert_eq!(difference.into_decimal(), (a.abs_diff(b) * 2).to_string());
            prop_assert_eq!(large.shifted_up(shift).into_decimal(), (a.max(b) << shift).to_string());
            prop_assert_eq!(large.bits(), 128 - a.max(b).leading_zeros() as usize);
        }

        #[test]
        fn the_top_of_a_number_is_what_lies_above_its_lower_bits(value in 1_u128..=u128::MAX, shift in 0_u64..300, low in 0_u64..2) {
            let mut number = Big::from(value).shifted_up(shift);
            number.multiply_add(1, 0);
            let zeros = value.leading_zeros();
            prop_assert_eq!(number.top(), (value << zeros, i64::try_from(shift).unwrap() - i64::from(zeros), false));
            if shift > u64::from(zeros) + 2 && low == 1 {
                number.multiply_add(1, 1);
                prop_assert_eq!(number.top(), (value << zeros, i64::try_from(shift).unwrap() - i64::from(zeros), true));
            }
        }
    }
}
