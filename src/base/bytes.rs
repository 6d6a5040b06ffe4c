//! Byte strings: comparing without regard to case, showing them to people, splitting a quoted line.
//!
//! Keys, values and even command names are bytes, not text: nothing here assumes UTF-8. "Case" is that of
//! ASCII alone, independent of any locale.
//!
//! One quoting rule serves inline commands, the configuration file and what `repr` prints:
//!
//! ```text
//! word             up to the next space, tab, CR or LF; a quote inside it opens a quoted part
//! "a\x41\n\"b"     \n \r \t \b \a, \xHH with two hexadecimal digits, and \c for any other c
//! 'it\'s'          only \' is special
//! ```
//!
//! After a closing quote a blank or the end must follow.

/// Whether two byte strings are equal when ASCII letters' case is ignored.
#[inline]
#[must_use]
pub fn eq_ignore_case(a: impl AsRef<[u8]>, b: impl AsRef<[u8]>) -> bool {
    a.as_ref().eq_ignore_ascii_case(b.as_ref())
}

/// Copies `text` in lower case to the front of `out` and returns that part; `None` if it does not fit.
#[inline]
pub fn lower_into<'o>(text: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
    let out = out.get_mut(..text.len())?;
    out.copy_from_slice(text);
    out.make_ascii_lowercase();
    Some(out)
}

/// Copies `text` in upper case to the front of `out` and returns that part; `None` if it does not fit.
#[inline]
pub fn upper_into<'o>(text: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
    let out = out.get_mut(..text.len())?;
    out.copy_from_slice(text);
    out.make_ascii_uppercase();
    Some(out)
}

/// `text` in double quotes, everything but printable ASCII escaped: one line, and [`split_args`] reads it back.
#[must_use]
pub fn repr(text: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for &byte in text {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'"' => out.push_str("\\\""),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x07 => out.push_str("\\a"),
            0x08 => out.push_str("\\b"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => {
                out.push_str("\\x");
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    out.push('"');
    out
}

/// A quote that is never closed, or is followed by something else than a blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbalanced;

/// The words of a line, unquoted.
///
/// # Errors
/// [`Unbalanced`] when the quotes of the line do not add up.
pub fn split_args(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
    let mut text = Vec::with_capacity(line.len());
    let mut words = Vec::new();
    split_args_with(line, &mut text, |start, end| words.push((start, end)))?;
    Ok(words.into_iter().map(|(start, end)| text[start..end].to_vec()).collect())
}

/// As [`split_args`], without an allocation per word: the words' bytes are appended to `text`, and `word` is told
/// where each one starts and ends there.
///
/// # Errors
/// [`Unbalanced`] when the quotes of the line do not add up; `text` then holds an unspecified part of it.
pub fn split_args_with(
    line: &[u8],
    text: &mut Vec<u8>,
    mut word: impl FnMut(usize, usize),
) -> Result<(), Unbalanced> {
    let mut rest = line;
    loop {
        while let [first, tail @ ..] = rest
            && is_blank(*first)
        {
            rest = tail;
        }
        if rest.is_empty() {
            return Ok(());
        }
        let start = text.len();
        rest = take_word(rest, text)?;
        word(start, text.len());
    }
}

/// Appends the word that `rest` begins with to `text`; returns what follows it.
fn take_word<'l>(mut rest: &'l [u8], text: &mut Vec<u8>) -> Result<&'l [u8], Unbalanced> {
    while let [first, tail @ ..] = rest {
        match first {
            // Vertical tab and form feed separate words (is_blank) but do not end one: clients see the same from Redis.
            b' ' | b'\t' | b'\r' | b'\n' => break,
            b'"' => return closed(take_double_quoted(tail, text)?),
            b'\'' => return closed(take_single_quoted(tail, text)?),
            _ => {
                text.push(*first);
                rest = tail;
            }
        }
    }
    Ok(rest)
}

fn take_double_quoted<'l>(mut rest: &'l [u8], text: &mut Vec<u8>) -> Result<&'l [u8], Unbalanced> {
    loop {
        rest = match rest {
            [] => return Err(Unbalanced),
            [b'"', tail @ ..] => return Ok(tail),
            [b'\\', b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                text.push(hex_value(*high) << 4 | hex_value(*low));
                tail
            }
            [b'\\', escaped, tail @ ..] => {
                text.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                tail
            }
            [byte, tail @ ..] => {
                text.push(*byte);
                tail
            }
        };
    }
}

fn take_single_quoted<'l>(mut rest: &'l [u8], text: &mut Vec<u8>) -> Result<&'l [u8], Unbalanced> {
    loop {
        rest = match rest {
            [] => return Err(Unbalanced),
            [b'\'', tail @ ..] => return Ok(tail),
            [b'\\', b'\'', tail @ ..] => {
                text.push(b'\'');
                tail
            }
            [byte, tail @ ..] => {
                text.push(*byte);
                tail
            }
        };
    }
}

fn closed(rest: &[u8]) -> Result<&[u8], Unbalanced> {
    match rest.first() {
        Some(&byte) if !is_blank(byte) => Err(Unbalanced),
        _ => Ok(rest),
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let words = split_args(line.as_bytes()).ok()?;
        Some(words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect())
    }

    #[test]
    fn a_line_splits_as_redis_splits_it() {
        let cases: &[(&str, Option<&[&str]>)] = &[
            ("", Some(&[])),
            (" \t\r\n", Some(&[])),
            ("PING", Some(&["PING"])),
            ("  SET  k\tv \r", Some(&["SET", "k", "v"])),
            (r#"ECHO "a\x41\n""#, Some(&["ECHO", "aA\n"])),
            (r#"ECHO "\xg1\q""#, Some(&["ECHO", "xg1q"])),
            (r#"ECHO "\r\t\b\a\"\\""#, Some(&["ECHO", "\r\t\u{8}\u{7}\"\\"])),
            (r"ECHO 'a\'b\n'", Some(&["ECHO", "a'b\\n"])),
            (r#"ECHO """#, Some(&["ECHO", ""])),
            (r#"a"b c""#, Some(&["ab c"])),
            ("a\u{b}b \u{c}c", Some(&["a\u{b}b", "c"])),
            (r#"ECHO "a"b"#, None),
            (r#"ECHO "a"#, None),
            (r"ECHO 'a", None),
            (r#"ECHO "a\"#, None),
            (r#"ECHO 'a'"b""#, None),
        ];
        for (line, expected) in cases {
            assert_eq!(
                words(line).as_deref(),
                expected.map(|e| e.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()).as_deref(),
                "{line:?}"
            );
        }
    }

    #[test]
    fn repr_is_one_printable_line() {
        assert_eq!(repr(b"a\"\\\n\r\t\x07\x08\x00\xff~"), r#""a\"\\\n\r\t\a\b\x00\xff~""#);
    }

    #[test]
    fn case_conversion_refuses_a_buffer_that_is_too_small() {
        let mut buffer = [0; 4];
        assert_eq!(lower_into(b"GeT1", &mut buffer), Some(&b"get1"[..]));
        assert_eq!(upper_into(b"get", &mut buffer), Some(&b"GET"[..]));
        assert_eq!(lower_into(b"GETEX", &mut buffer), None);
        assert!(eq_ignore_case(b"GeT", "gEt"));
        assert!(!eq_ignore_case("get", b"gets"));
    }

    proptest! {
        #[test]
        fn what_repr_writes_split_reads_back(args in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6)) {
            let line = args.iter().map(|arg| repr(arg)).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(split_args(line.as_bytes()), Ok(args));
        }

        #[test]
        fn no_line_makes_split_panic(line in prop::collection::vec(prop::sample::select(b"a \\\"'xn4\n".to_vec()), 0..30)) {
            let _ = split_args(&line);
        }
    }
}
