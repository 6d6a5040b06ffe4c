//! The small grammars of redis.conf: words with quotes, sizes with units, whole numbers, glob patterns.
//!
//! A configuration line is split into words as redis-cli and redis.conf have it:
//!
//! ```text
//! word           up to the next white space
//! "wo\x41 rd\n"  escapes \xHH \n \r \t \b \a, any other escaped character stands for itself
//! 'wo rd'        only \' is an escape
//! ```
//!
//! A closing quote must be followed by white space or the end of the line, so that `"a"b` is an error
//! instead of a surprise.

use crate::base::{bytes, glob};

/// Splits a line into its words; `None` when a quote is not closed or is followed by something else.
pub(super) fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    bytes::split_args(line).ok()
}

/// Writes one word so that [`split_words`] gives it back: bare when that is safe, else in double quotes.
pub(super) fn quote(word: &str) -> String {
    let bare = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\' | b'#');
    if !word.is_empty() && word.bytes().all(bare) {
        return word.to_owned();
    }
    let mut out = String::from("\"");
    for c in word.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Reads a size in bytes: a whole number and an optional unit, `k` `m` `g` by thousands and
/// `kb` `mb` `gb` by 1024, in any case.
///
/// Stricter than Redis in two places where it gives a silent surprise: a unit without a number and a number
/// that does not fit 64 bits are refused (Redis reads 0 and a wrapped number).
pub(super) fn memory(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Writes a size for a configuration file: with the largest unit that keeps it exact.
pub(super) fn memory_with_unit(bytes: u64) -> String {
    for (unit, shift) in [("gb", 30), ("mb", 20), ("kb", 10)] {
        if bytes != 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// Reads a whole number in its one canonical spelling: no plus sign, blank or leading zero.
pub(super) fn integer(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Whether a name matches a pattern, in any case.
pub(super) fn glob_matches(pattern: &[u8], text: &[u8]) -> bool {
    glob::matches(pattern, text, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Option<Vec<String>> {
        Some(split_words(line.as_bytes())?.into_iter().map(|w| String::from_utf8(w).unwrap()).collect())
    }

    #[test]
    fn words_are_split_as_redis_conf_has_them() {
        assert_eq!(words("  save 900  1 ").unwrap(), ["save", "900", "1"]);
        assert_eq!(words(r#"a "" 'b c' "d\"e\x41\n""#).unwrap(), ["a", "", "b c", "d\"eA\n"]);
        assert_eq!(words(r"'it\'s' back\slash").unwrap(), ["it's", r"back\slash"]);
        assert_eq!(words(""), Some(vec![]));
        for bad in ["\"open", "'open", "\"a\"b", "'a'b"] {
            assert_eq!(words(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_know_thousands_from_1024() {
        assert_eq!(memory("1k"), Some(1000));
        assert_eq!(memory("1KB"), Some(1024));
        assert_eq!(memory("3gb"), Some(3 << 30));
        assert_eq!(memory("18446744073709551615"), Some(u64::MAX));
        for bad in
            ["", "k", "-1", "+1", "1.5gb", "1tb", "1 kb", "18446744073709551616", "18446744073709551615gb"]
        {
            assert_eq!(memory(bad), None, "{bad}");
        }
    }

    #[test]
    fn patterns_match_in_any_case() {
        for (pattern, text, expected) in [
            ("*", "save", true),
            ("SA?E", "save", true),
            ("[s]ave", "save", true),
            ("[^s]ave", "save", false),
            ("[a-c]x", "Bx", true),
            ("*max*lag", "min-slaves-max-lag", true),
            ("*max*lag", "min-slaves-max-la", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("", "a", false),
        ] {
            assert_eq!(glob_matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_quoted_word_reads_back(word in ".*") {
            prop_assert_eq!(split_words(quote(&word).as_bytes()), Some(vec![word.into_bytes()]));
        }

        #[test]
        fn a_written_size_reads_back(bytes: u64, shift in 0u32..40) {
            let bytes = bytes << shift;
            prop_assert_eq!(memory(&memory_with_unit(bytes)), Some(bytes));
        }
    }
}
