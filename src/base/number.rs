//! Numbers as text: what Redis accepts as one, and how it prints one.
//!
//! Integers are strict: what is accepted is exactly what printing that integer gives, so that a string holds an
//! integer if and only if its bytes are the integer's only spelling. Doubles are read as C's `strtod` reads them
//! (hexadecimal and `infinity` included, blanks and NaN refused) and printed as `%.17g` prints them: what clients
//! of Redis 7.0 see for scores.

use std::fmt::Write as _;

/// Reads an integer in its only spelling: no `+`, no leading zeros, no blanks, no `-0`.
#[inline]
#[must_use]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => match parse_u64(digits)? {
            0 => None,
            magnitude if magnitude <= i64::MIN.unsigned_abs() => Some(magnitude.wrapping_neg().cast_signed()),
            _ => None,
        },
        _ => i64::try_from(parse_u64(text)?).ok(),
    }
}

/// Reads an unsigned integer in its only spelling; see [`parse_i64`].
#[inline]
#[must_use]
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    /// Digits of `u64::MAX`.
    const DIGITS_MAX: usize = 20;
    match text {
        [b'0'] => return Some(0),
        [b'1'..=b'9', ..] if text.len() <= DIGITS_MAX => {}
        _ => return None,
    }
    let mut value = 0_u64;
    if text.len() < DIGITS_MAX {
        for &byte in text {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + u64::from(digit);
        }
    } else {
        for &byte in text {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
        }
    }
    Some(value)
}

/// Appends `value` in decimal.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Reads a double as `strtod` does, all of `text`. Refused: blanks around it, NaN, and what overflows to
/// infinity or underflows to zero.
#[must_use]
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    // Nearly all scores are small integers, and those need no decimal conversion.
    if let Some(integer) = parse_short_integer(text) {
        return Some(integer);
    }
    let (negative, magnitude) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let value = match magnitude {
        [b'0', b'x' | b'X', rest @ ..] => HexFloat::parse(rest)?.to_f64()?,
        // A second sign is refused here, because the standard library would take it.
        [b'0'..=b'9' | b'.', ..] => {
            let value: f64 = std::str::from_utf8(magnitude).ok()?.parse().ok()?;
            if value.is_infinite() || (value == 0.0 && has_nonzero_digit(magnitude)) {
                return None;
            }
            value
        }
        _ if magnitude.eq_ignore_ascii_case(b"inf") || magnitude.eq_ignore_ascii_case(b"infinity") => {
            f64::INFINITY
        }
        _ => return None,
    };
    Some(if negative { -value } else { value })
}

/// Reads up to 15 digits, zeros in front or not, behind a minus or not: numbers that a double holds exactly.
fn parse_short_integer(text: &[u8]) -> Option<f64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if !(1..=15).contains(&digits.len()) {
        return None;
    }
    let mut integer = 0_u64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        integer = integer * 10 + u64::from(digit);
    }
    #[expect(clippy::cast_precision_loss, reason = "at most 15 digits: below 2^53, hence exact")]
    let magnitude = integer as f64;
    Some(if digits.len() < text.len() { -magnitude } else { magnitude })
}

/// Whether the digits before the exponent are not all zero.
fn has_nonzero_digit(decimal: &[u8]) -> bool {
    decimal.iter().take_while(|&&b| b != b'e' && b != b'E').any(|b| matches!(b, b'1'..=b'9'))
}

/// `value` as `%.17g` prints it; infinities are `inf` and `-inf`, NaN is `nan`.
#[must_use]
pub fn format_double(value: f64) -> String {
    let mut out = Vec::with_capacity(24);
    write_double(&mut out, value);
    // What was written is ASCII.
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends [`format_double`]'s text.
pub fn write_double(out: &mut Vec<u8>, value: f64) {
    /// `%.17g` writes integers below this without an exponent.
    const PLAIN_MAX: f64 = 1e17;
    if value.is_nan() {
        return out.extend_from_slice(b"nan");
    }
    if value.is_infinite() {
        return out.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" });
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked: below 10^17 in magnitude, without a fraction"
    )]
    if value.abs() < PLAIN_MAX && value.trunc() == value && !(value == 0.0 && value.is_sign_negative()) {
        return write_i64(out, value as i64);
    }
    write_significant(out, value, DIGITS_MAX);
}

/// The most digits that say more about a double.
const DIGITS_MAX: usize = 17;

/// Appends a finite `value` as `%.<digits>g` prints it, of 1 to 17 digits.
pub fn write_significant(out: &mut Vec<u8>, value: f64, digits: usize) {
    let digits = digits.clamp(1, DIGITS_MAX);
    let mut text = Scientific::default();
    // A fixed buffer that is large enough for 17 digits cannot fail to take them.
    let _ = write!(text, "{:.*e}", digits - 1, value.abs());
    if value.is_sign_negative() {
        out.push(b'-');
    }
    write_general(out, text.as_bytes(), digits as i64);
}

/// Turns `d.dddde±x` into the form of `%.<precision>g`: an exponent only below 1e-4 and where the digits do not reach the
/// point, no zeros at the end.
fn write_general(out: &mut Vec<u8>, scientific: &[u8], precision: i64) {
    let split = scientific.iter().position(|&b| b == b'e').unwrap_or(scientific.len());
    let (mantissa, exponent) = (&scientific[..split], scientific.get(split + 1..).unwrap_or_default());
    let exponent = parse_i64(exponent).unwrap_or(0);
    let mut digits = [b'0'; DIGITS_MAX];
    let mut count = 0;
    for &byte in mantissa.iter().filter(|b| b.is_ascii_digit()).take(digits.len()) {
        digits[count] = byte;
        count += 1;
    }
    while count > 1 && digits[count - 1] == b'0' {
        count -= 1;
    }
    let digits = &digits[..count];
    match exponent {
        -4..=-1 => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + usize::try_from(-exponent - 1).unwrap_or(0), b'0');
            out.extend_from_slice(digits);
        }
        0.. if exponent < precision => {
            let whole = usize::try_from(exponent + 1).unwrap_or(1);
            if digits.len() <= whole {
                out.extend_from_slice(digits);
                out.resize(out.len() + whole - digits.len(), b'0');
            } else {
                out.extend_from_slice(&digits[..whole]);
                out.push(b'.');
                out.extend_from_slice(&digits[whole..]);
            }
        }
        _ => {
            out.push(digits[0]);
            if digits.len() > 1 {
                out.push(b'.');
                out.extend_from_slice(&digits[1..]);
            }
            out.push(b'e');
            out.push(if exponent < 0 { b'-' } else { b'+' });
            if exponent.abs() < 10 {
                out.push(b'0');
            }
            write_i64(out, exponent.abs());
        }
    }
}

/// A small text on the stack, so that printing a double allocates nothing.
#[derive(Default)]
struct Scientific {
    text: [u8; 32],
    len: usize,
}

impl Scientific {
    fn as_bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }
}

impl std::fmt::Write for Scientific {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        let end = self.len + part.len();
        self.text.get_mut(self.len..end).ok_or(std::fmt::Error)?.copy_from_slice(part.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// A hexadecimal floating-point number: `mantissa * 2^exponent`, and whether non-zero bits were left off below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HexFloat {
    /// Its highest bit is set, or it is zero. At least the upper 125 bits are exact.
    pub(crate) mantissa: u128,
    pub(crate) exponent: i64,
    pub(crate) sticky: bool,
}

impl HexFloat {
    /// Reads what follows `0x`: hexadecimal digits with at most one point, then optionally `p` and an exponent.
    pub(crate) fn parse(text: &[u8]) -> Option<HexFloat> {
        /// Beyond every format's range, and far from overflowing the sums below.
        const EXPONENT_MAX: i64 = 1 << 40;
        let (mut mantissa, mut exponent, mut sticky) = (0_u128, 0_i64, false);
        let (mut digits, mut point) = (false, false);
        let mut rest = text;
        while let [byte, tail @ ..] = rest {
            if let Some(digit) = char::from(*byte).to_digit(16) {
                digits = true;
                if mantissa >> 124 == 0 {
                    mantissa = mantissa << 4 | u128::from(digit);
                    exponent -= if point { 4 } else { 0 };
                } else {
                    sticky |= digit != 0;
                    exponent += if point { 0 } else { 4 };
                }
            } else if *byte == b'.' && !point {
                point = true;
            } else {
                break;
            }
            rest = tail;
        }
        if !digits {
            return None;
        }
        match rest {
            [] => {}
            [b'p' | b'P', power @ ..] => {
                let (negative, power) = match power {
                    [b'-', power @ ..] => (true, power),
                    [b'+', power @ ..] => (false, power),
                    _ => (false, power),
                };
                if power.is_empty() || !power.iter().all(u8::is_ascii_digit) {
                    return None;
                }
                let power = power
                    .iter()
                    .fold(0, |power, &digit| (power * 10 + i64::from(digit - b'0')).min(EXPONENT_MAX));
                exponent += if negative { -power } else { power };
            }
            _ => return None,
        }
        let shift = if mantissa == 0 { 0 } else { mantissa.leading_zeros() };
        Some(HexFloat { mantissa: mantissa << shift, exponent: exponent - i64::from(shift), sticky })
    }

    /// Rounded to nearest, ties to even; `None` where `strtod` reports a range error that leaves zero or infinity.
    fn to_f64(self) -> Option<f64> {
        if self.mantissa == 0 {
            return Some(0.0);
        }
        // The value lies in [2^top, 2^(top+1)).
        let top = self.exponent + 127;
        // Bits kept: 53, or fewer where the number is subnormal.
        let kept = (top + 1075).min(53);
        if top > 1023 || kept < 0 {
            return None;
        }
        let units = u64::try_from(round_to(self.mantissa, self.sticky, u32::try_from(kept).ok()?)).ok()?;
        // Adding the units to the exponent's bits carries by itself: into the next power of two, from subnormal to
        // normal, and into infinity.
        let biased = if kept < 53 { 0 } else { u64::try_from(top + 1022).ok()? };
        let value = f64::from_bits((biased << 52) + units);
        (value.is_finite() && value != 0.0).then_some(value)
    }
}

/// The upper `kept` (0 to 127) bits of `mantissa`, rounded to nearest, ties to even. `sticky` tells that more than
/// nothing lies below the last bit.
pub(crate) fn round_to(mantissa: u128, sticky: bool, kept: u32) -> u128 {
    let half = 1_u128 << (127 - kept);
    let (units, remainder) = match kept {
        0 => (0, mantissa),
        _ => (mantissa >> (128 - kept), mantissa & ((half << 1).wrapping_sub(1))),
    };
    let up = remainder > half || (remainder == half && (sticky || units & 1 == 1));
    units + u128::from(up)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn significant_digits_are_those_of_c() {
        let text = |value: f64, precision: usize| {
            let mut out = Vec::new();
            write_significant(&mut out, value, precision);
            String::from_utf8(out).unwrap()
        };
        // What printf of a shell prints for %.14g and the like.
        for (value, precision, expected) in [
            (0.0, 14, "0"),
            (-0.0, 14, "-0"),
            (0.1, 14, "0.1"),
            (1e15, 14, "1e+15"),
            (123_456_789_012_345.0, 14, "1.2345678901234e+14"),
            (1e14, 14, "1e+14"),
            (99_999_999_999_999.0, 14, "99999999999999"),
            (1.0 / 3.0, 14, "0.33333333333333"),
            (1.5e-5, 14, "1.5e-05"),
            (0.0001, 14, "0.0001"),
            (9.99, 2, "10"),
            (1.23456, 3, "1.23"),
            (1e300, 14, "1e+300"),
        ] {
            assert_eq!(text(value, precision), expected, "{value} {precision}");
        }
    }

    #[test]
    fn an_integer_has_one_spelling() {
        for text in ["0", "-1", "7", "9223372036854775807", "-9223372036854775808", "1000000000000000000"] {
            assert_eq!(parse_i64(text.as_bytes()), text.parse().ok(), "{text}");
        }
        for text in [
            "",
            "-",
            "-0",
            "+1",
            "01",
            "-01",
            " 1",
            "1 ",
            "1a",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "99999999999999999999",
            "123456789012345678901",
        ] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"-1"), None);
    }

    /// The answers of redis-server 7.0.15 to `ZADD z <text> m` and `ZSCORE z m`.
    #[test]
    fn doubles_are_read_and_printed_as_redis_does() {
        let accepted = [
            ("0.1", "0.10000000000000001"),
            ("3.0e20", "3e+20"),
            ("1e100", "1e+100"),
            ("0", "0"),
            ("1e-7", "9.9999999999999995e-08"),
            ("1e-4", "0.0001"),
            ("0.00012", "0.00012"),
            ("1e17", "1e+17"),
            ("1e16", "10000000000000000"),
            ("123456789012345678", "1.2345678901234568e+17"),
            ("99999999999999999", "1e+17"),
            ("5e-324", "4.9406564584124654e-324"),
            ("0e-400", "0"),
            ("1e-310", "9.9999999999999694e-311"),
            ("inf", "inf"),
            ("+inf", "inf"),
            ("-inf", "-inf"),
            ("INFINITY", "inf"),
            ("-Infinity", "-inf"),
            ("0x10", "16"),
            ("0X1p3", "8"),
            ("0x.8", "0.5"),
            ("0x1.8p-1074", "9.8813129168249309e-324"),
            ("0x1.8p-1075", "4.9406564584124654e-324"),
            ("1.", "1"),
            (".5", "0.5"),
            ("+5", "5"),
            ("-.5e1", "-5"),
            ("123456789012345.125", "123456789012345.12"),
            ("123456789012345.375", "123456789012345.38"),
            ("0x1.fffffffffffff7p1023", "1.7976931348623157e+308"),
            ("0x1.00000000000008p0", "1"),
            ("0x1.00000000000018p0", "1.0000000000000004"),
            ("0x1.000000000000080000000000000000000000000000000000000000001p0", "1.0000000000000002"),
            ("1e0000000000005", "100000"),
            ("0x0p99999", "0"),
            ("-0x10", "-16"),
            ("0x1.p1", "2"),
            ("-0.0", "-0"),
        ];
        for (text, printed) in accepted {
            assert_eq!(parse_f64(text.as_bytes()).map(format_double).as_deref(), Some(printed), "{text}");
        }
        for text in [
            "",
            ".",
            "1e400",
            "1e-400",
            "2e-324",
            "nan",
            "-nan",
            "0x",
            "0xp1",
            "0x1p",
            "0x.",
            "1e",
            "1e+",
            "++5",
            "+-5",
            "1_0",
            "0x1p1024",
            "0x1p-1075",
            "0x1p-9999999999999999999",
            "0x1.fffffffffffff8p1023",
            "in",
            "infinit",
            "inf1",
            "1e5000000000000000000000",
            " 1",
            "1 ",
            "\t1",
            "1\0",
            "\u{b}1",
            "é",
        ] {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn printing_then_reading_gives_the_same_integer(value: i64) {
            let mut out = Vec::new();
            write_i64(&mut out, value);
            prop_assert_eq!(parse_i64(&out), Some(value));
        }

        #[test]
        fn printing_then_reading_gives_the_same_double(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(parse_f64(format_double(value).as_bytes()).map(f64::to_bits), Some(bits));
        }

        #[test]
        fn hexadecimal_reads_exactly(bits: u64) {
            let value = f64::from_bits(bits & !(1 << 63));
            prop_assume!(value.is_normal());
            let text = format!("0x1.{:013x}p{}", bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff).cast_signed() - 1023);
            prop_assert_eq!(parse_f64(text.as_bytes()), Some(value));
        }

        #[test]
        fn strict_integers_agree_with_the_standard_library(text in "-?[0-9]{1,21}") {
            let expected = text.parse::<i64>().ok().filter(|value| value.to_string() == text);
            prop_assert_eq!(parse_i64(text.as_bytes()), expected);
        }
    }
}
