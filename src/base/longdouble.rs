//! Floating-point numbers with a 64-bit mantissa: the `long double` of x86, in which Redis computes INCRBYFLOAT and
//! HINCRBYFLOAT.
//!
//! Clients see its precision: 3 + 1.1 gives `4.1` here, where a double, printed to the same 17 digits, would give
//! `4.09999999999999964`. Rust has no such type, so this is one in software: read, add, print, each rounded
//! once, to nearest, ties to even.
//!
//! ```text
//! value = mantissa * 2^exponent         2^63 <= mantissa < 2^64, except below 2^-16382 (subnormal)
//! ```
//!
//! Printed is `%.17Lf` without the zeros at its end, so nothing below 10^-17 is ever seen.

mod big;
mod decimal;

use super::number::{HexFloat, round_to};
use big::Big;
use decimal::Decimal;

/// Bytes of the longest text that is read: Redis's limit, beyond any need.
const TEXT_MAX: usize = 5119;
/// Exponent of the highest bit of the largest finite number.
const TOP_MAX: i64 = 16383;
/// Exponent of the lowest bit of all numbers.
const BOTTOM: i64 = -16445;

/// A number of the x87 extended format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    class: Class,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Finite { mantissa: u64, exponent: i64 },
    Infinite,
    NotANumber,
}

const ZERO: Class = Class::Finite { mantissa: 0, exponent: 0 };

impl LongDouble {
    /// Reads decimal, hexadecimal (`0x1.8p3`) or infinity, as `strtold` does. Refused: blanks, NaN, and what overflows
    /// to infinity or underflows to zero.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() > TEXT_MAX {
            return None;
        }
        let (negative, magnitude) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let class = match magnitude {
            [b'0', b'x' | b'X', rest @ ..] => {
                let hex = HexFloat::parse(rest)?;
                from_wide(hex.mantissa, hex.exponent, hex.sticky)
            }
            [b'0'..=b'9' | b'.', ..] => Decimal::parse(magnitude)?.to_binary()?,
            _ if magnitude.eq_ignore_ascii_case(b"inf") || magnitude.eq_ignore_ascii_case(b"infinity") => {
                return Some(LongDouble { negative, class: Class::Infinite });
            }
            _ => return None,
        };
        let nothing_left = class == ZERO && magnitude_is_not_zero(magnitude);
        (class != Class::Infinite && !nothing_left).then_some(LongDouble { negative, class })
    }

    /// The sum.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "an operator would hide that this rounds")]
    pub fn add(self, other: LongDouble) -> LongDouble {
        let ((a, a_exponent), (b, b_exponent)) = match (self.class, other.class) {
            (
                Class::Finite { mantissa: a, exponent: a_exponent },
                Class::Finite { mantissa: b, exponent: b_exponent },
            ) => ((a, a_exponent), (b, b_exponent)),
            (Class::Finite { .. }, _) => return other,
            (_, Class::Finite { .. }) => return self,
            (Class::Infinite, Class::Infinite) if self.negative == other.negative => return self,
            _ => return LongDouble { negative: false, class: Class::NotANumber },
        };
        if a == 0 {
            return other;
        }
        if b == 0 {
            return self;
        }
        if (a_exponent, a) < (b_exponent, b) {
            return other.add(self);
        }
        // |self| >= |other|: exponents order normal numbers, and subnormal ones all have the lowest. 62 bits below the
        // larger number's last one make room for all of the smaller, or for so much that one sticky bit decides.
        const ROOM: u32 = 62;
        let distance = u32::try_from(a_exponent - b_exponent).unwrap_or(u32::MAX);
        let large = u128::from(a) << ROOM;
        let unshifted = u128::from(b) << ROOM;
        let small = unshifted.checked_shr(distance).unwrap_or(0);
        let sticky = small.checked_shl(distance).unwrap_or(0) != unshifted;
        let sum = if self.negative == other.negative {
            large + small
        } else {
            // What was shifted out of the smaller number is taken from the next bit up.
            large - small - u128::from(sticky)
        };
        if sum == 0 {
            return LongDouble { negative: false, class: ZERO };
        }
        let shift = sum.leading_zeros();
        let exponent = a_exponent - i64::from(ROOM) - i64::from(shift);
        LongDouble { negative: self.negative, class: from_wide(sum << shift, exponent, sticky) }
    }

    /// Whether it is neither infinite nor NaN.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        matches!(self.class, Class::Finite { .. })
    }

    /// Decimal, with up to 17 digits after the point, without zeros at its end; `inf`, `-inf` or `nan`.
    #[must_use]
    pub fn to_text(self) -> String {
        let magnitude = match self.class {
            Class::NotANumber => return "nan".to_owned(),
            Class::Infinite => "inf".to_owned(),
            Class::Finite { mantissa, exponent } if exponent >= 0 => {
                Big::from(u128::from(mantissa)).shifted_up(exponent.unsigned_abs()).into_decimal()
            }
            Class::Finite { mantissa, exponent } => fraction_text(mantissa, exponent),
        };
        if self.negative && magnitude != "0" { format!("-{magnitude}") } else { magnitude }
    }
}

/// Rounds `mantissa * 2^exponent`, where the mantissa's highest bit is set or it is zero, to the format.
fn from_wide(mantissa: u128, exponent: i64, sticky: bool) -> Class {
    let top = exponent + 127;
    // Fewer bits are kept where the number is subnormal.
    let kept = (top - BOTTOM + 1).min(64);
    if mantissa == 0 || kept < 0 {
        return ZERO;
    }
    if top > TOP_MAX {
        return Class::Infinite;
    }
    let kept = u32::try_from(kept).unwrap_or(0);
    let rounded = round_to(mantissa, sticky, kept);
    let exponent = top - i64::from(kept) + 1;
    match u64::try_from(rounded) {
        Ok(0) => ZERO,
        Ok(mantissa) => Class::Finite { mantissa, exponent },
        // All bits were ones, and the number became the next power of two.
        Err(_) if top == TOP_MAX => Class::Infinite,
        Err(_) => Class::Finite { mantissa: 1 << 63, exponent: exponent + 1 },
    }
}

/// `%.17f` of `mantissa * 2^exponent` for a negative exponent, without zeros at its end.
fn fraction_text(mantissa: u64, exponent: i64) -> String {
    const DIGITS: u32 = 17;
    const UNIT: u128 = 10_u128.pow(DIGITS);
    // 64 bits times 57 bits: the number in units of 10^-17, before the shift that makes it whole.
    let scaled = u128::from(mantissa) * UNIT;
    let units = match u32::try_from(-exponent) {
        Ok(shift @ 1..=127) => {
            let (units, rest, half) = (scaled >> shift, scaled & ((1 << shift) - 1), 1_u128 << (shift - 1));
            units + u128::from(rest > half || (rest == half && units & 1 == 1))
        }
        // 121 bits shifted by 128 and more: less than half a unit.
        _ => 0,
    };
    let (whole, fraction) = (units / UNIT, units % UNIT);
    if fraction == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{fraction:017}");
    text.trim_end_matches('0').to_owned()
}

fn magnitude_is_not_zero(magnitude: &[u8]) -> bool {
    let (digits, exponent): (&[u8], &[u8]) = match magnitude {
        [b'0', b'x' | b'X', rest @ ..] => (rest, b"pP"),
        _ => (magnitude, b"eE"),
    };
    digits.iter().take_while(|byte| !exponent.contains(byte)).any(|byte| !matches!(byte, b'0' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(a: &str, b: &str) -> Option<String> {
        let sum = LongDouble::parse(a.as_bytes())?.add(LongDouble::parse(b.as_bytes())?);
        Some(sum.to_text())
    }

    /// The answers of redis-server 7.0.15 on x86-64 to `SET f <a>` and `INCRBYFLOAT f <b>`.
    const PAIRS: &[(&str, &str, &str)] = &[
        ("3.0", "1.1", "4.1"),
        ("10.50", "0.1", "10.6"),
        ("5.0e3", "2.0e2", "5200"),
        ("0.1", "0.2", "0.3"),
        ("1e-7", "0", "0.0000001"),
        ("0", "99999999999999999", "99999999999999999"),
        ("0", "0x1.00000000000008p0", "1.00000000000000011"),
        ("-0", "0", "0"),
        ("-0.000000000000000001", "0", "0"),
        ("0", "5e-324", "0"),
        ("0", "3.6e-4951", "0"),
        ("0", "1.9e-4951", "0"),
        ("0", "0x1.8p-16446", "0"),
        ("5114034824912850.0", "151", "5114034824913001"),
        ("619", "619", "1238"),
        ("49401569200307699769.000000000000000015", "11", "49401569200307699780"),
        ("+7.0003944119", "2.467387911512059e+17", "246738791151205907"),
        ("+662910082060624435621337779221e-1911", "600", "600"),
        ("862", "0x2753a.1c42b5b8b5b11p-80", "862"),
        ("+0x8.5cf6da51f6422c15p60", "536893.54173331", "9642045883187745791"),
        ("0x9e69e2.a7df18566dp41", "-8.684357909689639e-20", "22829807882355125466"),
        ("0x7049602cdab69de951886057bc8aadb.e9f4bed6ac20p-12527", "776385421494", "776385421494"),
        ("0.71", "84245567814221846674100.0560088835121444232443", "84245567814221846675456"),
        (
            "48028809788748499103710001.97037",
            "77749441993044088942456.39825192786",
            "48106559230741543192100864",
        ),
        ("27478793.25", "63e41", "6299999999999999999770455500093585950244864"),
        ("265952980336746646111507790126682806e-1477", "9166e17", "916600000000000000000"),
        ("+0x6574.bf1p74", "1175316.3307", "490611307096520034485272576"),
        ("0x2bda5c302.5303fbc31p33", "82616505.000000416", "101118062413072341056"),
        (
            "-3508.0964",
            "0x13c044863d1fb9edefdaad366049cb.1539d44e3d9afc6030p15",
            "3360466272780269317144183744405153251328",
        ),
        (
            "0x53d7696496542f400947fdc36dddb7.31e65df402517bce42d1fd22c293p-16",
            "175",
            "6642604178016314781716109590528",
        ),
        ("-758185009.718434", "758185009.7184341", "0.00000010000076145"),
        ("+4.50000000000000000000000000001", "0.0848216415219", "4.5848216415219"),
        ("9.425179427293813e-20", "8.21694335", "8.21694335"),
        ("+38131298949018496053e-28", "349991697899.5", "349991697899.5"),
        ("25.000000000000000005", "-0x56b4dff.3790p-41", "24.99995865509880922"),
        ("+0x2f38c5c8559df52f3.812a6b01c3bd42p-76", "+0.131", "0.13172054699588483"),
        ("7371851056577.5", "0x3efe8ce7ba7ff638b65ad14dfb066f0bbed.d259937p-15036", "7371851056577.5"),
        ("706759481206031475376e-25", "0x266.5a1a99b4484e450ee0p-54", "0.00007067594815471"),
        ("20376.0000015085", "52100424.76293175", "52120800.76293325849837856"),
        (
            "395.758946808050661222254191273961043799",
            "1164020176.000000000000000015",
            "1164020571.75894680805504322",
        ),
        ("33294018004.627224", "835919874e3", "869213892004.62722402811050415"),
        ("85245583405196301168e-10", "-85245583405196301168e-101", "8524558340.51963011687621474"),
        ("+196708688.6932243", "+0x7cb87f1daf4cfc5180802630.215p-69", "262098249.62087331429938786"),
        ("+0x17c36d5.2024a8c3477a274p-3693", "43917653.15928273", "43917653.1592827300009958"),
        ("62.0000071394", "0x456b7070b7e.1e6295p-31", "2283.42990963247765257"),
        (
            "+0x0.1ea014158e6497a8cbfe86063d98f41d2p48",
            "3476309.631282570",
            "33672884033978.22370147705078125",
        ),
        ("460", "-4601", "-4141"),
        ("-388849.000000000000000015", "487", "-388362"),
        ("-2233660677756", "3.0402572269413943e-18", "-2233660677756"),
        ("707311661154070796575613e-417", "-2924853.0000", "-2924853"),
        ("-5085029958882272.0", "0xff32b68f8b60cd5b51c3.b7f7a0842p-9192", "-5085029958882272"),
        ("-1932978156461170.000000000000000015", "0xa04d483b1.5b234117c3642p-6030", "-1932978156461170"),
        ("-795", "0x58af8574f3ed59a620e2c94e1b7.4858af0a0afcb7ae64c4187e2deafp-1216", "-795"),
        ("-0x1571044d164468d61d4b7d94e521.5e7313ea36e845152143596p-10457", "-847", "-847"),
        (
            "-88",
            "-557245151524201292468870717765602212863197.525002331147",
            "-557245151524201292480795156571585177976832",
        ),
        (
            "-88258861982468298364351922753535505679.60035847",
            "0.135030939246552",
            "-88258861982468298363692851149009846272",
        ),
        ("-661249552480e23", "7.0000000085", "-66124955247999999999543202579218432"),
        ("+3821705076.000000000000000005", "-9589518634952e13", "-95895186349519996176039936"),
        (
            "-62316060.0000000092",
            "-0x131035c6a304.15f1d9c64431880b1d53a3dc785p56",
            "-1510351859032280810222637809664",
        ),
        ("-0x6224f64c04d46735b9a.198bp6", "+9071731.054", "-1853894982693682575835136"),
        ("5227786.000005", "-0x17d45209febe28.1041fe41c2150a036288eeab75d94p23", "-56265525192853412143104"),
        ("-0x52a5a55566e7.2f2dd9c98dp36", "88993772662.0009310076", "-6244634846543997039542272"),
        ("11009145.4192457", "-11009145.41924571", "-0.00000000999989425"),
        ("-0.93792242305019968285", "0.016504945771281", "-0.92141747727891868"),
        ("80874095697862e-2241", "-9.113084271491629e-10", "-0.00000000091130843"),
        ("-2425364992835340122e-22", "2425364992835340122e-221", "-0.00024253649928353"),
        ("-0.7358134907387203771", "+0x198.b59p-574", "-0.73581349073872038"),
        ("0x138a909158089f.1d9cc8c65c84p-4824", "-0.310627386371100", "-0.3106273863711"),
        ("9.865195701004232e-14", "-0x0.4dcd5a56p-31", "-0.00000000014142265"),
    ];

    #[test]
    fn sums_are_those_of_redis() {
        for (a, b, expected) in PAIRS {
            assert_eq!(sum(a, b).as_deref(), Some(*expected), "{a} + {b}");
            assert_eq!(sum(b, a).as_deref(), Some(*expected), "{b} + {a}");
        }
    }

    #[test]
    fn large_numbers_are_printed_in_full() {
        let text = sum("0", "1e400").unwrap();
        assert_eq!(text.len(), 401);
        assert!(
            text.starts_with(
                "10000000000000000000281880683947586514586453433629052038625910693539685534008629"
            )
        );
        assert!(
            sum("0", "1e4932")
                .unwrap()
                .starts_with("10000000000000000000060189493879638913238377742545331147737850413525330")
        );
    }

    #[test]
    fn what_strtold_refuses_is_refused() {
        for text in [
            "",
            ".",
            "-",
            "+",
            "e5",
            "1e",
            "1e+",
            "++5",
            "+-5",
            "1_0",
            " 1",
            "1 ",
            "\t1",
            "1\0",
            "nan",
            "-nan",
            "in",
            "infinit",
            "inf1",
            "0x",
            "0xp1",
            "0x1p",
            "1.2.3",
            "1e5.",
            "1.2e4932",
            "1e-4951",
            "1.8e-4951",
            "1e5000000000000000000000",
            "1e-99999999999",
            "0x1p16384",
            "0x1p-16446",
            "0x1.ffffffffffffffffp16383",
        ] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
        }
        assert!(LongDouble::parse("1".repeat(4932).as_bytes()).is_some());
        assert!(LongDouble::parse(format!("0.{}", "1".repeat(TEXT_MAX - 2)).as_bytes()).is_some());
        assert!(LongDouble::parse(format!("0.{}", "1".repeat(TEXT_MAX - 1)).as_bytes()).is_none());
    }

    #[test]
    fn infinity_is_read_and_reached_but_not_finite() {
        assert_eq!(sum("inf", "-1").as_deref(), Some("inf"));
        assert_eq!(sum("1", "-Infinity").as_deref(), Some("-inf"));
        assert_eq!(sum("+INF", "-inf").as_deref(), Some("nan"));
        assert_eq!(sum("1.1e4932", "1.1e4932").as_deref(), Some("inf"));
        let largest = LongDouble::parse(b"0x1.fffffffffffffffep16383").unwrap();
        assert!(largest.is_finite() && !largest.add(largest).is_finite());
    }

    proptest! {
        #[test]
        fn integers_of_64_bits_are_exact(a: i64, b: i64) {
            prop_assume!(a.checked_add(b).is_some());
            prop_assert_eq!(sum(&a.to_string(), &b.to_string()), Some((a + b).to_string()));
        }

        #[test]
        fn no_text_panics(text in "[-+]?[0-9.eExXpPinf+-]{0,12}", other in "[-+]?[0-9]{0,5}[.]?[0-9]{0,5}(e-?[0-9]{1,4})?") {
            let _ = sum(&text, &other);
        }
    }
}
