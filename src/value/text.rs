//! Strings: an integer where the bytes are one's canonical decimal text, else bytes.
//!
//! Redis shows three encodings: `int`; `embstr` for up to 44 bytes that were stored whole; `raw` for longer ones and
//! for those that were changed in place (APPEND, SETRANGE). The cases here are the same three, so that OBJECT ENCODING
//! needs no extra bit.

use crate::base::number;

/// The longest string that Redis stores in one piece with its header, in bytes.
const EMBEDDED_MAX: usize = 44;

/// A string value.
#[derive(Debug, Clone)]
pub enum Text {
    /// The canonical decimal text of this integer.
    Int(i64),
    /// Bytes stored whole; exactly sized.
    Whole(Box<[u8]>),
    /// Bytes that were changed in place and may change again; may have spare room.
    Grown(Vec<u8>),
}

/// A borrowed string: what handlers read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextRef<'a> {
    /// The canonical decimal text of this integer.
    Int(i64),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl Text {
    /// The string that `bytes` are, as an integer where they spell one canonically.
    pub fn new(bytes: &[u8]) -> Self {
        match Text::as_integer(bytes) {
            Some(integer) => Text::Int(integer),
            None => Text::Whole(bytes.into()),
        }
    }

    /// The integer whose canonical text the bytes are. Only texts of up to 20 bytes are tried: the longest i64 has that
    /// many.
    #[inline]
    pub fn as_integer(bytes: &[u8]) -> Option<i64> {
        match bytes {
            [b'-' | b'0'..=b'9', ..] if bytes.len() <= 20 => number::parse_i64(bytes),
            _ => None,
        }
    }

    /// A borrowed view.
    #[inline]
    pub fn as_ref(&self) -> TextRef<'_> {
        match self {
            Text::Int(integer) => TextRef::Int(*integer),
            Text::Whole(bytes) => TextRef::Bytes(bytes),
            Text::Grown(bytes) => TextRef::Bytes(bytes),
        }
    }

    /// The bytes for changing in place; an integer becomes its text first. From here on the encoding is `raw`.
    pub fn grow(&mut self) -> &mut Vec<u8> {
        let bytes = match std::mem::replace(self, Text::Int(0)) {
            Text::Int(integer) => itoa::Buffer::new().format(integer).as_bytes().to_vec(),
            Text::Whole(bytes) => bytes.into_vec(),
            Text::Grown(bytes) => bytes,
        };
        *self = Text::Grown(bytes);
        match self {
            Text::Grown(bytes) => bytes,
            _ => unreachable!("the line above made it Grown"),
        }
    }

    /// `int`, `embstr` or `raw`.
    pub fn encoding(&self) -> &'static str {
        match self {
            Text::Int(_) => "int",
            Text::Whole(bytes) if bytes.len() <= EMBEDDED_MAX => "embstr",
            Text::Whole(_) | Text::Grown(_) => "raw",
        }
    }

    /// Heap bytes held beyond the value's own size.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Text::Int(_) => 0,
            Text::Whole(bytes) => bytes.len(),
            Text::Grown(bytes) => bytes.capacity(),
        }
    }
}

/// Equal when the bytes are, however they are kept.
impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        let (mut a, mut b) = (itoa::Buffer::new(), itoa::Buffer::new());
        self.as_ref().bytes(&mut a) == other.as_ref().bytes(&mut b)
    }
}

impl<'a> TextRef<'a> {
    /// The bytes; an integer is written into `buffer` first.
    #[inline]
    pub fn bytes(self, buffer: &'a mut itoa::Buffer) -> &'a [u8] {
        match self {
            TextRef::Int(integer) => buffer.format(integer).as_bytes(),
            TextRef::Bytes(bytes) => bytes,
        }
    }

    /// Length of the text in bytes.
    pub fn len(self) -> usize {
        match self {
            TextRef::Int(integer) => itoa::Buffer::new().format(integer).len(),
            TextRef::Bytes(bytes) => bytes.len(),
        }
    }

    /// True for the empty string.
    pub fn is_empty(self) -> bool {
        matches!(self, TextRef::Bytes([]))
    }

    /// The integer that the text spells, if it spells one.
    pub fn integer(self) -> Option<i64> {
        match self {
            TextRef::Int(integer) => Some(integer),
            TextRef::Bytes(bytes) => number::parse_i64(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_follow_redis() {
        assert_eq!(Text::new(b"12").encoding(), "int");
        assert_eq!(Text::new(b"012").encoding(), "embstr");
        assert_eq!(Text::new(&[b'x'; 44]).encoding(), "embstr");
        assert_eq!(Text::new(&[b'x'; 45]).encoding(), "raw");
        let mut grown = Text::new(b"12");
        grown.grow().push(b'3');
        assert_eq!(grown.encoding(), "raw");
        assert_eq!(grown.as_ref().integer(), Some(123));
        assert_eq!(grown, Text::new(b"123"));
    }
}
