//! Lengths and strings, of which everything in an RDB file is made.
//!
//! ```text
//! 00llllll                            length up to 63
//! 01llllll llllllll                   up to 16383
//! 10000000 + 4 bytes big-endian       up to 2³²−1
//! 10000001 + 8 bytes big-endian       any
//! 110000tt                            not a length: a string of special form tt
//!     tt 0, 1, 2                      an integer in 1, 2, 4 bytes little-endian; the string is its decimal text
//!     tt 3                            LZF: length compressed, length plain, bytes
//! ```
//!
//! Otherwise a string is its length and its bytes.

use std::borrow::Cow;

use super::lzf;

/// Strings up to this length are not worth compressing, as in Redis.
const COMPRESS_ABOVE_LEN: usize = 20;
/// Longer ones are left as they are: compressing one would hold up a worker for seconds.
const COMPRESS_UPTO_LEN: usize = 64 * 1024 * 1024;
/// A decimal text longer than this does not fit 32 bits.
const INTEGER_TEXT_LEN_MAX: usize = 11;

/// Appends a length.
pub(crate) fn encode_len(len: u64, out: &mut Vec<u8>) {
    match len {
        0..64 => out.push(len as u8),
        64..16384 => out.extend_from_slice(&(len as u16 | 0x4000).to_be_bytes()),
        _ => match u32::try_from(len) {
            Ok(len) => {
                out.push(0x80);
                out.extend_from_slice(&len.to_be_bytes());
            }
            Err(_) => {
                out.push(0x81);
                out.extend_from_slice(&len.to_be_bytes());
            }
        },
    }
}

/// Appends a string, in its shortest form.
pub(crate) fn encode_string(text: &[u8], compress: bool, out: &mut Vec<u8>) {
    if let Some(n) = integer_of(text) {
        return encode_small_integer(n, out);
    }
    if compress && (COMPRESS_ABOVE_LEN + 1..=COMPRESS_UPTO_LEN).contains(&text.len()) {
        let start = out.len();
        if lzf::compress(text, text.len() - 4, out) {
            // What stands before it is known only now.
            let compressed = out.len() - start;
            out.push(0xc3);
            encode_len(compressed as u64, out);
            encode_len(text.len() as u64, out);
            out[start..].rotate_left(compressed);
            if out.len() - start < text.len() {
                return;
            }
            out.truncate(start);
        }
    }
    encode_len(text.len() as u64, out);
    out.extend_from_slice(text);
}

/// Appends the decimal text of an integer, in its shortest form.
pub(crate) fn encode_integer(n: i64, out: &mut Vec<u8>) {
    match i32::try_from(n) {
        Ok(n) => encode_small_integer(n, out),
        Err(_) => {
            let mut buffer = itoa::Buffer::new();
            let text = buffer.format(n).as_bytes();
            encode_len(text.len() as u64, out);
            out.extend_from_slice(text);
        }
    }
}

fn encode_small_integer(n: i32, out: &mut Vec<u8>) {
    if let Ok(n) = i8::try_from(n) {
        out.push(0xc0);
        out.extend_from_slice(&n.to_le_bytes());
    } else if let Ok(n) = i16::try_from(n) {
        out.push(0xc1);
        out.extend_from_slice(&n.to_le_bytes());
    } else {
        out.push(0xc2);
        out.extend_from_slice(&n.to_le_bytes());
    }
}

/// The integer whose only text this is.
fn integer_of(text: &[u8]) -> Option<i32> {
    if text.len() > INTEGER_TEXT_LEN_MAX || text.is_empty() {
        return None;
    }
    let n: i32 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (itoa::Buffer::new().format(n).as_bytes() == text).then_some(n)
}

/// A length, or the mark of a special form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Plain(u64),
    Special(u8),
}

/// A string as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text<'a> {
    Bytes(Cow<'a, [u8]>),
    Integer(i32),
}

impl<'a> Text<'a> {
    /// The string's bytes.
    pub(crate) fn into_bytes(self) -> Cow<'a, [u8]> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Integer(n) => Cow::Owned(itoa::Buffer::new().format(n).as_bytes().to_vec()),
        }
    }
}

/// A place in the input. Every read is checked against what is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) pos: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.pos.checked_add(len)?;
        let bytes = self.data.get(self.pos..end)?;
        self.pos = end;
        Some(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[b]| b)
    }

    pub(crate) fn length(&mut self) -> Option<Length> {
        let first = self.byte()?;
        let low = u64::from(first & 0x3f);
        Some(match first >> 6 {
            0 => Length::Plain(low),
            1 => Length::Plain(low << 8 | u64::from(self.byte()?)),
            2 if first == 0x80 => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
            2 if first == 0x81 => Length::Plain(u64::from_be_bytes(self.array()?)),
            3 => Length::Special(first & 0x3f),
            _ => return None,
        })
    }

    /// A length that is one.
    pub(crate) fn plain(&mut self) -> Option<u64> {
        match self.length()? {
            Length::Plain(len) => Some(len),
            Length::Special(_) => None,
        }
    }

    /// Steps over a string.
    pub(crate) fn skip_string(&mut self) -> Option<()> {
        let bytes = match self.length()? {
            Length::Plain(len) => len,
            Length::Special(0) => 1,
            Length::Special(1) => 2,
            Length::Special(2) => 4,
            Length::Special(3) => {
                let compressed = self.plain()?;
                self.plain()?;
                compressed
            }
            Length::Special(_) => return None,
        };
        self.take(usize::try_from(bytes).ok()?).map(drop)
    }

    pub(crate) fn string(&mut self) -> Option<Text<'a>> {
        Some(match self.length()? {
            Length::Plain(len) => Text::Bytes(Cow::Borrowed(self.take(usize::try_from(len).ok()?)?)),
            Length::Special(0) => Text::Integer(i32::from(i8::from_le_bytes(self.array()?))),
            Length::Special(1) => Text::Integer(i32::from(i16::from_le_bytes(self.array()?))),
            Length::Special(2) => Text::Integer(i32::from_le_bytes(self.array()?)),
            Length::Special(3) => {
                let compressed = usize::try_from(self.plain()?).ok()?;
                let len = usize::try_from(self.plain()?).ok()?;
                Text::Bytes(Cow::Owned(lzf::decompress(self.take(compressed)?, len)?))
            }
            Length::Special(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode_string(text, true, &mut out);
        out
    }

    #[test]
    fn lengths_on_both_sides_of_every_limit_read_back() {
        for len in [0, 63, 64, 16383, 16384, u64::from(u32::MAX), u64::from(u32::MAX) + 1, u64::MAX] {
            let mut out = Vec::new();
            encode_len(len, &mut out);
            let mut cursor = Cursor { data: &out, pos: 0 };
            assert_eq!((cursor.plain(), cursor.pos), (Some(len), out.len()), "{len}");
        }
    }

    #[test]
    fn integers_take_their_shortest_form_and_only_plain_ones_are_integers() {
        assert_eq!(encoded(b"-128"), [0xc0, 0x80]);
        assert_eq!(encoded(b"128"), [0xc1, 0x80, 0]);
        assert_eq!(encoded(b"-2147483648"), [0xc2, 0, 0, 0, 0x80]);
        assert_eq!(encoded(b"2147483648"), *b"\x0a2147483648");
        for text in ["01", "+1", "-0", " 1", ""] {
            assert_eq!(encoded(text.as_bytes())[0] as usize, text.len(), "{text:?}");
        }
        let mut out = Vec::new();
        encode_integer(i64::MIN, &mut out);
        assert_eq!(out, *b"\x14-9223372036854775808");
    }

    #[test]
    fn a_long_string_is_compressed_only_when_that_wins() {
        assert_eq!(encoded(&[b'a'; 20])[0], 20);
        assert_eq!(encoded(&[b'a'; 21])[0], 0xc3);
        assert_eq!(encoded(b"abcdefghijklmnopqrstuvwxyz")[0], 26);
    }

    proptest! {
        #[test]
        fn any_string_reads_back(text in proptest::collection::vec(0u8..6, 0..200), noise: Vec<u8>) {
            for text in [text, noise] {
                let out = encoded(&text);
                let mut cursor = Cursor { data: &out, pos: 0 };
                prop_assert_eq!(cursor.string().unwrap().into_bytes(), &text[..]);
                prop_assert_eq!(cursor.pos, out.len());
            }
        }

        #[test]
        fn any_integer_reads_back(n: i64, small in -40000i64..40000) {
            for n in [n, small] {
                let mut out = Vec::new();
                encode_integer(n, &mut out);
                let mut cursor = Cursor { data: &out, pos: 0 };
                let text = n.to_string();
                prop_assert_eq!(cursor.string().unwrap().into_bytes(), text.as_bytes());
            }
        }
    }
}
