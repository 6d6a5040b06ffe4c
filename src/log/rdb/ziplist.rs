//! Ziplists, which Redis used before listpacks: read only, and made into a listpack.
//!
//! ```text
//! total bytes: u32 LE | offset of the last entry: u32 LE | entries: u16 LE, 65535 for "that many or more"
//! entry … | 0xFF
//!
//! entry = bytes of the entry before (one byte below 254, or 254 and u32 LE), head, data
//!   00llllll                        data   up to 63 bytes
//!   01llllll llllllll               data   up to 16383 bytes, length big-endian
//!   10000000 u32 big-endian         data   more bytes
//!   0xC0 0xD0 0xE0 0xF0 0xFE               16-, 32-, 64-, 24-, 8-bit integer, LE
//!   1111nnnn, n from 1 to 13               the integer n − 1
//! ```
//!
//! Everything that is told twice must be told alike: totals, the last entry's place, every entry's way back.

use crate::value::TextRef;
use crate::value::listpack::Listpack;

use super::strings::Cursor;

/// Bytes before the first entry.
const HEADER: usize = 10;
const END: u8 = 0xff;
/// The count from which on only walking tells the number of entries.
const COUNT_UNKNOWN: u16 = u16::MAX;
/// The mark of a way back in four more bytes.
const LONG_WAY_BACK: u8 = 0xfe;

/// The listpack with the same entries; `None` if the bytes are no ziplist.
pub(super) fn decode(bytes: &[u8]) -> Option<Listpack> {
    let (&end, body) = bytes.split_last()?;
    let mut cursor = Cursor { data: body, pos: 0 };
    let total = u32::from_le_bytes(cursor.array()?);
    let last = u32::from_le_bytes(cursor.array()?);
    let claimed = u16::from_le_bytes(cursor.array()?);
    if end != END || usize::try_from(total) != Ok(bytes.len()) {
        return None;
    }
    let mut pack = Listpack::with_capacity(bytes.len());
    let (mut start, mut before, mut count) = (HEADER, 0, 0_usize);
    while cursor.pos < body.len() {
        start = cursor.pos;
        let way_back = match cursor.byte()? {
            LONG_WAY_BACK => usize::try_from(u32::from_le_bytes(cursor.array()?)).ok()?,
            END => return None,
            short => usize::from(short),
        };
        if way_back != before {
            return None;
        }
        pack.push_back_item(item(&mut cursor)?);
        before = cursor.pos - start;
        count += 1;
    }
    let counted = claimed == COUNT_UNKNOWN || usize::from(claimed) == count;
    (counted && usize::try_from(last) == Ok(start)).then_some(pack)
}

fn item<'a>(cursor: &mut Cursor<'a>) -> Option<TextRef<'a>> {
    let head = cursor.byte()?;
    let low = usize::from(head & 0x3f);
    let len = match head >> 6 {
        0 => low,
        1 => low << 8 | usize::from(cursor.byte()?),
        2 if head == 0x80 => usize::try_from(u32::from_be_bytes(cursor.array()?)).ok()?,
        2 => return None,
        _ => return integer(head, cursor).map(TextRef::Int),
    };
    cursor.take(len).map(TextRef::Bytes)
}

fn integer(head: u8, cursor: &mut Cursor<'_>) -> Option<i64> {
    Some(match head {
        0xc0 => i64::from(i16::from_le_bytes(cursor.array()?)),
        0xd0 => i64::from(i32::from_le_bytes(cursor.array()?)),
        0xe0 => i64::from_le_bytes(cursor.array()?),
        0xf0 => {
            let [low, middle, high] = cursor.array()?;
            // Placed in the upper bytes and shifted back, so that the sign comes along.
            i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8)
        }
        0xfe => i64::from(i8::from_le_bytes(cursor.array()?)),
        0xf1..=0xfd => i64::from(head & 0x0f) - 1,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A ziplist as Redis writes one, without its narrowest integers.
    fn encode(entries: &[Vec<u8>]) -> Vec<u8> {
        let (mut out, mut before, mut last) = (vec![0; HEADER], 0_usize, HEADER);
        for entry in entries {
            last = out.len();
            match u8::try_from(before) {
                Ok(short) if short < LONG_WAY_BACK => out.push(short),
                _ => {
                    out.push(LONG_WAY_BACK);
                    out.extend_from_slice(&(before as u32).to_le_bytes());
                }
            }
            match std::str::from_utf8(entry).ok().and_then(|text| text.parse::<i64>().ok()) {
                Some(n) if n.to_string().as_bytes() == &entry[..] => {
                    out.push(0xe0);
                    out.extend_from_slice(&n.to_le_bytes());
                }
                _ => {
                    match entry.len() {
                        len @ 0..64 => out.push(len as u8),
                        len @ 64..16384 => out.extend_from_slice(&(len as u16 | 0x4000).to_be_bytes()),
                        len => {
                            out.push(0x80);
                            out.extend_from_slice(&(len as u32).to_be_bytes());
                        }
                    }
                    out.extend_from_slice(entry);
                }
            }
            before = out.len() - last;
        }
        out.push(END);
        let total = out.len() as u32;
        out[..4].copy_from_slice(&total.to_le_bytes());
        out[4..8].copy_from_slice(&(last as u32).to_le_bytes());
        out[8..10].copy_from_slice(&(entries.len() as u16).to_le_bytes());
        out
    }

    #[test]
    fn every_head_is_read() {
        let entries: &[(&[u8], &str)] = &[
            (b"\x02hi", "hi"),
            (b"\x40\x02hi", "hi"),
            (b"\x80\0\0\0\x02hi", "hi"),
            (b"\xc0\xff\x7f", "32767"),
            (b"\xd0\0\0\0\x80", "-2147483648"),
            (b"\xe0\xff\xff\xff\xff\xff\xff\xff\x7f", "9223372036854775807"),
            (b"\xf0\xff\xff\xff", "-1"),
            (b"\xfe\x80", "-128"),
            (b"\xf1", "0"),
            (b"\xfd", "12"),
        ];
        let (mut bytes, mut before) = (vec![0; HEADER], 0);
        for (head_and_data, _) in entries {
            bytes[4] = bytes.len() as u8;
            bytes.push(before);
            bytes.extend_from_slice(head_and_data);
            before = head_and_data.len() as u8 + 1;
        }
        bytes.push(END);
        (bytes[0], bytes[8]) = (bytes.len() as u8, entries.len() as u8);
        assert_eq!(decode(&bytes), Some(entries.iter().map(|(_, text)| text).collect()));
        for bit in 0..HEADER * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn an_end_in_the_middle_and_heads_that_mean_nothing_are_refused() {
        for entry in [&b"\xff"[..], b"\x00\xff", b"\x00\x81", b"\x00\xc1\0\0", b"\x01\x00"] {
            let mut bytes = vec![0; HEADER];
            (bytes[4], bytes[8]) = (HEADER as u8, 1);
            bytes.extend_from_slice(entry);
            bytes.push(END);
            bytes[0] = bytes.len() as u8;
            assert_eq!(decode(&bytes), None, "{entry:?}");
        }
    }

    proptest! {
        #[test]
        fn any_ziplist_is_read_and_no_cut_is(entries in prop::collection::vec(super::super::testing::element(), 0..40)) {
            let bytes = encode(&entries);
            prop_assert_eq!(decode(&bytes), Some(entries.iter().collect()));
            for len in 0..bytes.len().min(300) {
                prop_assert_eq!(decode(&bytes[..len]), None);
            }
        }

        #[test]
        fn no_bytes_and_no_flipped_bit_make_it_panic(
            entries in prop::collection::vec(super::super::testing::element(), 1..10),
            bits in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
            noise: Vec<u8>,
        ) {
            let _ = decode(&noise);
            let mut bytes = encode(&entries);
            for bit in bits {
                let bit = bit.index(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            if let Some(pack) = decode(&bytes) {
                prop_assert_eq!(Listpack::from_bytes(pack.as_bytes()), Ok(pack));
            }
        }
    }
}
