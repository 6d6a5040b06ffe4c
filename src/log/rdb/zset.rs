//! Sorted sets.
//!
//! ```text
//!  5  n, then n times: member, score (8 bytes, IEEE 754 little-endian)     written
//! 17  a listpack of member, score, member, score, …                        written
//!  3  n, then n times: member, score as text                               read
//! 12  a ziplist of member, score, …                                        read
//! ```
//!
//! A score as text is its length in one byte and so many bytes; lengths of 253, 254 and 255 are NaN, +∞ and −∞
//! without text. Type 5 is written from the highest score down, as Redis does, whose skip list is built fastest so.

use super::Limits;
use super::strings::{Cursor, encode_len, encode_string};
use super::value::{encode_text, kind};
use super::ziplist;
use crate::base::number;
use crate::value::ZSet;

pub(super) fn kind_of(zset: &ZSet) -> u8 {
    if zset.as_listpack().is_some() { kind::ZSET_LISTPACK } else { kind::ZSET_BINARY }
}

pub(super) fn encode(zset: &ZSet, compress: bool, out: &mut Vec<u8>) {
    if let Some(pack) = zset.as_listpack() {
        return encode_string(pack, compress, out);
    }
    encode_len(zset.len() as u64, out);
    for (member, score) in zset.iter().rev() {
        encode_text(member, compress, out);
        out.extend_from_slice(&score.to_le_bytes());
    }
}

pub(super) fn decode(kind: u8, cursor: &mut Cursor<'_>, limits: &Limits) -> Option<ZSet> {
    match kind {
        kind::ZSET | kind::ZSET_BINARY => {
            let count = cursor.plain()?;
            let mut zset = ZSet::with_capacity(usize::try_from(count).ok()?, &limits.zset);
            for _ in 0..count {
                let member = cursor.string()?.into_bytes();
                let score = match kind {
                    kind::ZSET => score_as_text(cursor)?,
                    _ => cursor.array().map(f64::from_le_bytes)?,
                };
                if score.is_nan() || zset.insert(&member, score, &limits.zset).is_some() {
                    return None;
                }
            }
            Some(zset)
        }
        _ => {
            let bytes = cursor.string()?.into_bytes();
            let zset = match kind {
                kind::ZSET_ZIPLIST => ZSet::from_listpack(ziplist::decode(&bytes)?.as_bytes())?,
                _ => ZSet::from_listpack(&bytes)?,
            };
            Some(within(zset, limits))
        }
    }
}

/// The set in its big form if it is too large for the compact one.
fn within(zset: ZSet, limits: &Limits) -> ZSet {
    if zset.len() <= limits.zset.entries {
        return zset;
    }
    let mut big = ZSet::with_capacity(zset.len(), &limits.zset);
    for (member, score) in zset.iter() {
        big.insert(member.bytes(&mut itoa::Buffer::new()), score, &limits.zset);
    }
    big
}

/// Steps over a score as text.
pub(super) fn skip_score(cursor: &mut Cursor<'_>) -> Option<()> {
    match cursor.byte()? {
        253.. => Some(()),
        len => cursor.take(usize::from(len)).map(drop),
    }
}

fn score_as_text(cursor: &mut Cursor<'_>) -> Option<f64> {
    match cursor.byte()? {
        253 => None,
        254 => Some(f64::INFINITY),
        255 => Some(f64::NEG_INFINITY),
        len => number::parse_f64(cursor.take(usize::from(len))?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::rdb::testing;
    use crate::value::Value;
    use proptest::prelude::*;

    fn zset<B: AsRef<[u8]>>(pairs: &[(B, f64)]) -> Value {
        let mut zset = ZSet::new();
        for (member, score) in pairs {
            zset.insert(member.as_ref(), *score, &Limits::default().zset);
        }
        zset.into()
    }

    #[test]
    fn old_forms_are_read() {
        let wanted = zset(&[("a", 1.5), ("b", f64::INFINITY)]);
        assert_eq!(testing::read(kind::ZSET, b"\x02\x01a\x031.5\x01b\xfe"), Some(wanted));
        let zip = b"\x19\0\0\0\x15\0\0\0\x04\0\0\x01a\x03\x031.5\x05\x01b\x03\xfe\x1e\xff";
        let found = testing::read(kind::ZSET_ZIPLIST, &testing::blob(zip));
        assert_eq!(found, Some(zset(&[("a", 1.5), ("b", 30.0)])));
    }

    #[test]
    fn what_is_no_number_or_there_twice_is_damage() {
        assert_eq!(testing::read(kind::ZSET, b"\x01\x01a\xfd"), None);
        assert_eq!(testing::read(kind::ZSET, b"\x01\x01a\x03nan"), None);
        let nan = [&b"\x01\x01a"[..], &f64::NAN.to_le_bytes()].concat();
        assert_eq!(testing::read(kind::ZSET_BINARY, &nan), None);
        assert_eq!(testing::read(kind::ZSET, b"\x02\x01a\x011\x01a\x012"), None);
    }

    #[test]
    fn a_pack_beyond_the_limits_is_read_into_the_big_form() {
        let pairs: Vec<(String, f64)> = (0..9).map(|n| (n.to_string(), f64::from(n))).collect();
        let Value::ZSet(small) = zset(&pairs) else { unreachable!() };
        let limits = Limits {
            zset: crate::value::zset::Thresholds { entries: 8, value_bytes: 64 },
            ..Limits::default()
        };
        let mut out = Vec::new();
        encode(&small, true, &mut out);
        let found = decode(kind::ZSET_LISTPACK, &mut Cursor { data: &out, pos: 0 }, &limits).unwrap();
        assert_eq!((found.encoding(), found == small), ("skiplist", true));
    }

    proptest! {
        #[test]
        fn any_sorted_set_reads_back(
            pairs in prop::collection::vec((testing::element(), -1e300..1e300), 1..200),
        ) {
            testing::round_trip(&zset(&pairs));
        }
    }
}
