//! One entry of a listpack: head, data, way back. The layout is drawn in the parent's header.

use super::Item;
use crate::base::number;

/// The form in which `bytes` are kept: an integer where they are one's only spelling.
#[inline]
#[must_use]
pub fn canonical(bytes: &[u8]) -> Item<'_> {
    match bytes {
        [b'-' | b'0'..=b'9', ..] if bytes.len() <= 20 => match number::parse_i64(bytes) {
            Some(integer) => Item::Int(integer),
            None => Item::Bytes(bytes),
        },
        _ => Item::Bytes(bytes),
    }
}

/// As [`canonical`], for an entry that may come from another server.
#[inline]
pub(super) fn normal(item: Item<'_>) -> Item<'_> {
    match item {
        Item::Bytes(bytes) => canonical(bytes),
        Item::Int(_) => item,
    }
}

/// Bytes that an entry of `bytes` takes in a pack.
#[inline]
#[must_use]
pub fn entry_size(bytes: &[u8]) -> usize {
    Encoded::of(canonical(bytes)).size()
}

/// An entry about to be written.
pub(super) struct Encoded<'a> {
    head: [u8; 9],
    head_len: usize,
    data: &'a [u8],
}

impl<'a> Encoded<'a> {
    /// The form of `item`, which is [`normal`].
    pub(super) fn of(item: Item<'a>) -> Self {
        let mut head = [0; 9];
        let (head_len, data): (usize, &[u8]) = match item {
            Item::Bytes(data) => match data.len() {
                len @ 0..=0x3f => {
                    head[0] = 0x80 | low_byte(len);
                    (1, data)
                }
                len @ 0x40..=0xfff => {
                    head[0] = 0xe0 | low_byte(len >> 8);
                    head[1] = low_byte(len);
                    (2, data)
                }
                len => {
                    // Longer strings have no form. Callers keep to `fits`; should one not, the string is cut, and
                    // the pack stays well-formed.
                    let len = u32::try_from(len).unwrap_or(u32::MAX);
                    head[0] = 0xf0;
                    head[1..5].copy_from_slice(&len.to_le_bytes());
                    (5, data.get(..usize::try_from(len).unwrap_or(usize::MAX)).unwrap_or(data))
                }
            },
            Item::Int(integer) => {
                let le = integer.to_le_bytes();
                let wide = match integer {
                    0..=0x7f => {
                        head[0] = le[0];
                        return Encoded { head, head_len: 1, data: &[] };
                    }
                    -0x1000..=0xfff => {
                        head[0] = 0xc0 | (le[1] & 0x1f);
                        head[1] = le[0];
                        return Encoded { head, head_len: 2, data: &[] };
                    }
                    -0x8000..=0x7fff => (0xf1, 2),
                    -0x80_0000..=0x7f_ffff => (0xf2, 3),
                    -0x8000_0000..=0x7fff_ffff => (0xf3, 4),
                    _ => (0xf4, 8),
                };
                head[0] = wide.0;
                head[1..=wide.1].copy_from_slice(&le[..wide.1]);
                (1 + wide.1, &[])
            }
        };
        Encoded { head, head_len, data }
    }

    /// Bytes of head and data.
    #[inline]
    fn len(&self) -> usize {
        self.head_len + self.data.len()
    }

    /// Bytes of the whole entry.
    #[inline]
    pub(super) fn size(&self) -> usize {
        self.len() + way_back_size(self.len())
    }

    /// Whether `entry`, of the same text, has this form.
    pub(super) fn is_form_of(&self, entry: &[u8]) -> bool {
        let mut way_back = [0; 5];
        let way_back = &mut way_back[..way_back_size(self.len())];
        write_way_back(self.len(), way_back);
        entry.len() == self.size()
            && entry.starts_with(&self.head[..self.head_len])
            && entry.ends_with(way_back)
    }

    /// Writes the entry into `out`, which is as long as it.
    pub(super) fn write(&self, out: &mut [u8]) {
        let (head, rest) = out.split_at_mut(self.head_len);
        head.copy_from_slice(&self.head[..self.head_len]);
        let (data, way_back) = rest.split_at_mut(self.data.len());
        data.copy_from_slice(self.data);
        write_way_back(self.len(), way_back);
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lowest byte is what is asked for")]
fn low_byte(value: usize) -> u8 {
    value as u8
}

/// The entry that begins at `at`, and the length of its head and data. `None` at the end and for what is no entry.
#[inline]
pub(super) fn decode(bytes: &[u8], at: usize) -> Option<(Item<'_>, usize)> {
    let (&first, tail) = bytes.get(at..)?.split_first()?;
    let string = |head: usize, len: usize| {
        let data = tail.get(head - 1..)?.get(..len)?;
        Some((Item::Bytes(data), head + len))
    };
    match first {
        0..=0x7f => Some((Item::Int(i64::from(first)), 1)),
        0x80..=0xbf => string(1, usize::from(first & 0x3f)),
        0xc0..=0xdf => {
            let unsigned = i64::from(first & 0x1f) << 8 | i64::from(*tail.first()?);
            Some((Item::Int(if unsigned < 0x1000 { unsigned } else { unsigned - 0x2000 }), 2))
        }
        0xe0..=0xef => string(2, usize::from(first & 0xf) << 8 | usize::from(*tail.first()?)),
        0xf0 => string(5, usize::try_from(u32::from_le_bytes(*tail.first_chunk()?)).ok()?),
        0xf1 => Some((Item::Int(i64::from(i16::from_le_bytes(*tail.first_chunk()?))), 3)),
        0xf2 => {
            let [low, middle, high] = *tail.first_chunk()?;
            // Placed in the upper bytes and shifted back, so that the sign comes along.
            Some((Item::Int(i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8)), 4))
        }
        0xf3 => Some((Item::Int(i64::from(i32::from_le_bytes(*tail.first_chunk()?))), 5)),
        0xf4 => Some((Item::Int(i64::from_le_bytes(*tail.first_chunk()?)), 9)),
        _ => None,
    }
}

/// Bytes of the way back behind `len` bytes of head and data. The limits but the first lie one below what the bits
/// could hold: Redis writes it so, and the number of bytes is part of the format.
#[inline]
pub(super) fn way_back_size(len: usize) -> usize {
    match len {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// Writes the way back behind `len` bytes into `out`, which has [`way_back_size`].
#[inline]
fn write_way_back(len: usize, out: &mut [u8]) {
    let mut left = len;
    for byte in out.iter_mut().rev() {
        *byte = 0x80 | low_byte(left & 0x7f);
        left >>= 7;
    }
    if let Some(first) = out.first_mut() {
        *first &= 0x7f;
    }
}

/// The length that the way back ending at `end` tells, read from its last byte to its first, not before `start`.
#[inline]
pub(super) fn way_back(bytes: &[u8], start: usize, end: usize) -> Option<usize> {
    let (mut len, mut shift) = (0, 0);
    for &byte in bytes.get(start..end)?.iter().rev().take(5) {
        len |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(len);
        }
        shift += 7;
    }
    None
}
