//! Zipmaps, the small hashes of Redis 2.4 and before: read only.
//!
//! ```text
//! fields (254 or 255: count them) | entry … | 0xFF
//! entry = length, name, length, unused bytes, value, the unused bytes
//! ```
//!
//! A length is one byte below 254, or 254 and four bytes little-endian.

use super::strings::Cursor;

const END: u8 = 0xff;
/// The count from which on only walking tells the number of fields, and the mark of a long length.
const LONG: u8 = 254;

/// Fields and their values; `None` if the bytes are no zipmap. A field may be there twice.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut cursor = Cursor { data: bytes, pos: 0 };
    let claimed = cursor.byte()?;
    let mut fields = Vec::new();
    while let Some(len) = length(&mut cursor)? {
        let name = cursor.take(len)?;
        let len = length(&mut cursor)??;
        let unused = usize::from(cursor.byte()?);
        let value = cursor.take(len)?;
        cursor.take(unused)?;
        fields.push((name, value));
    }
    let counted = claimed >= LONG || usize::from(claimed) == fields.len();
    (counted && cursor.pos == bytes.len()).then_some(fields)
}

/// A length, or `Some(None)` at the end's mark.
fn length(cursor: &mut Cursor<'_>) -> Option<Option<usize>> {
    Some(match cursor.byte()? {
        END => None,
        LONG => Some(usize::try_from(u32::from_le_bytes(cursor.array()?)).ok()?),
        short => Some(usize::from(short)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_lengths_and_unused_bytes_are_read() {
        let map = b"\x02\x03foo\xfe\x03\0\0\0\x02bar--\x01x\x00\x00\xff";
        assert_eq!(decode(map), Some(vec![(&b"foo"[..], &b"bar"[..]), (b"x", b"")]));
        for len in 0..map.len() {
            assert_eq!(decode(&map[..len]), None, "cut at {len}");
        }
        assert_eq!(decode(b"\x01\xff"), None, "fewer fields than told");
        assert_eq!(decode(b"\x00\xff\xff"), None, "bytes behind the end");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
