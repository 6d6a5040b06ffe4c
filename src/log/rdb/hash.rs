//! Hashes.
//!
//! ```text
//!  4  n, then n times: field, value                                        written
//! 16  a listpack of field, value, field, value, …                          written
//! 24  least deadline (8 bytes, Unix ms), n, then n times:                  written where fields have deadlines
//!     deadline − least + 1 or 0 for none, field, value
//!  9  a zipmap                                                             read
//! 13  a ziplist of field, value, …                                         read
//! 25  least deadline, a listpack of field, value, deadline (0: none), …    read
//! ```
//!
//! Version 10 has no form for deadlines of fields. Types 24 and 25 are those of Redis 7.4. A `dump.rdb` or payload with
//! such a hash is therefore refused by Redis 7.0 — which could only have forgotten the deadlines — and read by 7.4.
//! A log's base holds such hashes as commands instead: see `tail`.

use super::Limits;
use super::strings::{Cursor, encode_len, encode_string};
use super::value::{encode_text, kind};
use super::{ziplist, zipmap};
use crate::base::clock::NEVER;
use crate::value::Hash;
use crate::value::listpack::Listpack;

pub(super) fn kind_of(hash: &Hash) -> u8 {
    match hash.listpack() {
        Some(_) => kind::HASH_LISTPACK,
        None if hash.deadlines() > 0 => kind::HASH_DEADLINES,
        None => kind::HASH,
    }
}

pub(super) fn encode(hash: &Hash, compress: bool, out: &mut Vec<u8>) {
    if let Some(pack) = hash.listpack() {
        return encode_string(pack.as_bytes(), compress, out);
    }
    let with_deadlines = hash.deadlines() > 0;
    // Not `earliest`, which may be a little too early.
    let least = hash.iter().map(|field| field.deadline).min().unwrap_or(NEVER);
    if with_deadlines {
        out.extend_from_slice(&least.to_le_bytes());
    }
    encode_len(hash.len() as u64, out);
    for field in hash.iter() {
        if with_deadlines {
            let after_least = if field.deadline == NEVER { 0 } else { field.deadline.abs_diff(least) + 1 };
            encode_len(after_least, out);
        }
        encode_text(field.name, compress, out);
        encode_text(field.value, compress, out);
    }
}

pub(super) fn decode(kind: u8, cursor: &mut Cursor<'_>, limits: &Limits) -> Option<Hash> {
    match kind {
        kind::HASH | kind::HASH_DEADLINES => {
            let least = match kind {
                kind::HASH => None,
                _ => Some(cursor.array().map(i64::from_le_bytes)?),
            };
            let mut hash = Hash::new();
            for _ in 0..cursor.plain()? {
                let deadline = match least {
                    Some(least) => deadline_after(least, cursor.plain()?)?,
                    None => NEVER,
                };
                let (name, value) = (cursor.string()?.into_bytes(), cursor.string()?.into_bytes());
                add(&mut hash, &name, &value, deadline, limits)?;
            }
            Some(hash)
        }
        kind::HASH_LISTPACK_DEADLINES => {
            let _least: [u8; 8] = cursor.array()?;
            let pack = Listpack::from_bytes(&cursor.string()?.into_bytes()).ok()?;
            let mut items = pack.iter();
            let mut hash = Hash::new();
            while let Some(name) = items.next() {
                let (value, deadline) = (items.next()?, items.next()?.integer()?);
                let deadline = if deadline == 0 { NEVER } else { deadline };
                let (mut a, mut b) = (itoa::Buffer::new(), itoa::Buffer::new());
                add(&mut hash, name.bytes(&mut a), value.bytes(&mut b), deadline, limits)?;
            }
            Some(hash)
        }
        _ => {
            let bytes = cursor.string()?.into_bytes();
            if kind == kind::HASH_ZIPMAP {
                let mut hash = Hash::new();
                for (name, value) in zipmap::decode(&bytes)? {
                    add(&mut hash, name, value, NEVER, limits)?;
                }
                return Some(hash);
            }
            let pack = match kind {
                kind::HASH_ZIPLIST => ziplist::decode(&bytes)?,
                _ => Listpack::from_bytes(&bytes).ok()?,
            };
            Hash::from_listpack(pack, &limits.hash).ok()
        }
    }
}

/// The deadline that type 24 counts from the least one.
fn deadline_after(least: i64, after: u64) -> Option<i64> {
    match after.checked_sub(1) {
        None => Some(NEVER),
        Some(after) => least.checked_add_unsigned(after).filter(|&deadline| deadline != NEVER),
    }
}

/// Adds a field; `None` if it is there already, which nobody writes.
fn add(hash: &mut Hash, name: &[u8], value: &[u8], deadline: i64, limits: &Limits) -> Option<()> {
    if !hash.set(name, value, &limits.hash) {
        return None;
    }
    if deadline != NEVER {
        hash.set_deadline(name, Some(deadline));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::rdb::testing;
    use crate::value::Value;
    use proptest::prelude::*;

    type Fields = Vec<(Vec<u8>, Vec<u8>, Option<i64>)>;

    fn hash(fields: &Fields) -> Value {
        let mut hash = Hash::new();
        for (name, value, deadline) in fields {
            hash.set(name, value, &Limits::default().hash);
            hash.set_deadline(name, *deadline);
        }
        hash.into()
    }

    fn plain(fields: &[(&str, &str)]) -> Value {
        hash(
            &fields
                .iter()
                .map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into(), None))
                .collect(),
        )
    }

    #[test]
    fn old_forms_are_read() {
        let wanted = plain(&[("a", "x"), ("b", "12")]);
        assert_eq!(testing::read(kind::HASH, b"\x02\x01a\x01x\x01b\xc0\x0c"), Some(wanted.clone()));
        let map = b"\x02\x01a\x01\x01x.\x01b\x02\x0012\xff";
        assert_eq!(testing::read(kind::HASH_ZIPMAP, &testing::blob(map)), Some(wanted.clone()));
        let zip = b"\x16\0\0\0\x13\0\0\0\x04\0\0\x01a\x03\x01x\x03\x01b\x03\xfd\xff";
        assert_eq!(testing::read(kind::HASH_ZIPLIST, &testing::blob(zip)), Some(wanted));
    }

    #[test]
    fn deadlines_of_newer_servers_are_read() {
        let wanted = hash(&vec![
            (b"a".into(), b"1".into(), Some(5000)),
            (b"b".into(), b"2".into(), None),
            (b"c".into(), b"3".into(), Some(5100)),
        ]);
        let least = 5000_i64.to_le_bytes();
        let table = [&least[..], b"\x03\x01\x01a\x011\x00\x01b\x012\x40\x65\x01c\x013"].concat();
        assert_eq!(testing::read(kind::HASH_DEADLINES, &table), Some(wanted.clone()));
        let pack: Listpack = ["a", "1", "5000", "c", "3", "5100", "b", "2", "0"].into_iter().collect();
        let packed = [&least[..], &testing::blob(pack.as_bytes())].concat();
        assert_eq!(testing::read(kind::HASH_LISTPACK_DEADLINES, &packed), Some(wanted));
    }

    #[test]
    fn a_deadline_that_cannot_be_counted_is_damage() {
        let late = [&(i64::MAX - 1).to_le_bytes()[..], b"\x01\x02\x01a\x011"].concat();
        assert_eq!(testing::read(kind::HASH_DEADLINES, &late), None);
        assert_eq!(testing::read(kind::HASH, b"\x02\x01a\x01x\x01a\x01y"), None);
    }

    proptest! {
        #[test]
        fn any_hash_reads_back(
            fields in prop::collection::vec((testing::element(), testing::element(), any::<bool>(), 0..i64::MAX - 1), 1..100),
        ) {
            let without: Fields = fields.iter().cloned().map(|(name, value, _, _)| (name, value, None)).collect();
            testing::round_trip(&hash(&without));
            let with: Fields =
                fields.into_iter().map(|(name, value, has, at)| (name, value, has.then_some(at))).collect();
            testing::round_trip(&hash(&with));
        }
    }
}
