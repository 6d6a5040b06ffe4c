//! From decimal text to the nearest number of the format, without an error on the way: as a fraction of two
//! natural numbers, divided down to the last bit that decides the rounding.

use super::big::Big;
use super::{Class, ZERO, from_wide};

/// Powers of ten beyond this, either way, are out of range for certain.
const POWER_MAX: i64 = 5000;

/// A decimal number: `digits * 10^power`.
pub(super) struct Decimal {
    /// Values 0 to 9, without zeros at either end.
    digits: Vec<u8>,
    power: i64,
}

impl Decimal {
    /// Reads digits with at most one point among them, then optionally `e` and an exponent.
    pub(super) fn parse(text: &[u8]) -> Option<Decimal> {
        /// Beyond any length of text, and far from overflowing the sums below.
        const EXPONENT_MAX: i64 = 1 << 40;
        let split = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (number, exponent) = match split {
            Some(at) => (text.get(..at)?, Some(text.get(at + 1..)?)),
            None => (text, None),
        };
        let (mut digits, mut power, mut point, mut any) = (Vec::with_capacity(number.len()), 0, false, false);
        for &byte in number {
            match byte {
                b'0'..=b'9' => {
                    any = true;
                    power -= i64::from(point);
                    if byte != b'0' || !digits.is_empty() {
                        digits.push(byte - b'0');
                    }
                }
                b'.' if !point => point = true,
                _ => return None,
            }
        }
        if !any {
            return None;
        }
        if let Some(exponent) = exponent {
            let (negative, exponent) = match exponent {
                [b'-', rest @ ..] => (true, rest),
                [b'+', rest @ ..] => (false, rest),
                _ => (false, exponent),
            };
            if exponent.is_empty() || !exponent.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let exponent =
                exponent.iter().fold(0, |sum, &digit| (sum * 10 + i64::from(digit - b'0')).min(EXPONENT_MAX));
            power += if negative { -exponent } else { exponent };
        }
        while digits.last() == Some(&0) {
            digits.pop();
            power += 1;
        }
        Some(Decimal { digits, power })
    }

    /// The nearest number of the format; `None` if it is far out of range.
    pub(super) fn to_binary(&self) -> Option<Class> {
        if self.digits.is_empty() {
            return Some(ZERO);
        }
        let magnitude = self.power + i64::try_from(self.digits.len()).ok()?;
        if magnitude.abs() > POWER_MAX {
            return None;
        }
        let power = u32::try_from(self.power.abs()).ok()?;
        let short = self.digits.len() <= 19 && (self.power < 0) && power <= 19;
        Some(if short {
            let number = self.digits.iter().fold(0, |number, &digit| number * 10 + u64::from(digit));
            quotient_of_words(number, 10_u128.pow(power))
        } else {
            let mut number = Big::from_digits(&self.digits);
            if self.power >= 0 {
                number.multiply_power_of_ten(power);
                let (mantissa, exponent, sticky) = number.top();
                from_wide(mantissa, exponent, sticky)
            } else {
                let mut divisor = Big::from(1);
                divisor.multiply_power_of_ten(power);
                quotient(number, divisor)
            }
        })
    }
}

/// `number / divisor`, for a divisor from 10 to 10^19: what nearly every text needs, and fast.
fn quotient_of_words(number: u64, divisor: u128) -> Class {
    let shift = number.leading_zeros();
    let dividend = u128::from(number << shift) << 64;
    // At least 2^127 / 2^64, and less than 2^128 / 10. One more bit makes sure that one remains to round by.
    let (whole, rest) = (dividend / divisor, dividend % divisor * 2);
    let bits = whole << 1 | u128::from(rest >= divisor);
    let sticky = rest != 0 && rest != divisor;
    let up = bits.leading_zeros();
    from_wide(bits << up, -65 - i64::from(shift) - i64::from(up), sticky)
}

/// `number / divisor`, both not zero, by long division bit by bit.
fn quotient(mut number: Big, mut divisor: Big) -> Class {
    /// All bits of the format, one to round by, and one to spare.
    const BITS: u32 = 66;
    let mut exponent = i64::try_from(number.bits()).unwrap_or(0) - i64::try_from(divisor.bits()).unwrap_or(0);
    if exponent < 0 {
        number = number.shifted_up(exponent.unsigned_abs());
    } else {
        divisor = divisor.shifted_up(exponent.unsigned_abs());
    }
    if number.is_below(&divisor) {
        number.double();
        exponent -= 1;
    }
    // Now the quotient lies between 1 and 2.
    let mut bits = 0_u128;
    for _ in 0..BITS {
        bits <<= 1;
        if !number.is_below(&divisor) {
            number.subtract(&divisor);
            bits |= 1;
        }
        number.double();
    }
    from_wide(bits << (128 - BITS), exponent - 127, number.bits() != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_ways_to_divide_agree(number in 1_u64..=9_999_999_999_999_999_999, power in 1_u32..=19) {
            let divisor = 10_u128.pow(power);
            prop_assert_eq!(quotient_of_words(number, divisor), quotient(Big::from(u128::from(number)), Big::from(divisor)));
        }
    }
}
