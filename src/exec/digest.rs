//! A fingerprint of the data: the same for the same data, however it is stored and in whatever order it came.
//!
//! DEBUG DIGEST and the tests compare by it: before and after a restart, a rewrite or a crash. Each key contributes the
//! SHA-1 of its database, name, type, deadline and value, and the contributions are xor-ed, so their order does not
//! matter. No key at all gives zeros. It has the form of Redis's own digest but not its value: Redis's depends on how it
//! walks its values.
//!
//! What is hashed, each field behind its length (8 bytes, little-endian), so that no two keys run together:
//!
//! ```text
//! key in a database:  db (8 bytes) | key | contents
//! contents:           type's name | deadline (8 bytes; i64::MAX without one) | value
//! string:             its bytes, also where it is kept as an integer
//! ```

use sha1::{Digest as _, Sha1};

use crate::base::clock::Millis;
use crate::table::{Entry, Table};
use crate::value::ValueRef;

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest([u8; 20]);

impl Digest {
    /// Of all databases. It is exact only while nobody writes.
    pub fn of_table(table: &Table, now: Millis) -> Digest {
        let mut sum = Digest::default();
        for db in 0..table.databases() {
            table.for_each(db, now, |entry| {
                let mut hash = Sha1::new();
                field(&mut hash, &(db as u64).to_le_bytes());
                field(&mut hash, entry.key());
                contents(&mut hash, entry);
                sum.add(Digest(hash.finalize().into()));
            });
        }
        sum
    }

    /// Of a key's contents, whatever it is called.
    pub fn of_contents(entry: &Entry) -> Digest {
        let mut hash = Sha1::new();
        contents(&mut hash, entry);
        Digest(hash.finalize().into())
    }

    fn add(&mut self, other: Digest) {
        self.0.iter_mut().zip(other.0).for_each(|(byte, more)| *byte ^= more);
    }
}

/// 40 hexadecimal digits.
impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn contents(hash: &mut Sha1, entry: &Entry) {
    field(hash, entry.kind().name().as_bytes());
    field(hash, &entry.expiry().to_le_bytes());
    let mut buffer = itoa::Buffer::new();
    match entry.value() {
        ValueRef::Text(text) => field(hash, text.bytes(&mut buffer)),
        ValueRef::List(list) => list.iter().for_each(|item| field(hash, item.bytes(&mut buffer))),
        ValueRef::Hash(fields) => unordered(
            hash,
            fields.iter().map(|found| {
                let (mut name, mut value) = (itoa::Buffer::new(), itoa::Buffer::new());
                let mut sum = Sha1::new();
                field(&mut sum, found.name.bytes(&mut name));
                field(&mut sum, found.value.bytes(&mut value));
                field(&mut sum, &found.deadline.to_le_bytes());
                sum
            }),
        ),
        ValueRef::Set(set) => unordered(
            hash,
            set.iter().map(|member| {
                let mut sum = Sha1::new();
                field(&mut sum, member.bytes(&mut itoa::Buffer::new()));
                sum
            }),
        ),
        // Ordered by score and member: the order is part of the contents, so it need not be undone.
        ValueRef::ZSet(zset) => zset.iter().for_each(|(member, score)| {
            field(hash, member.bytes(&mut itoa::Buffer::new()));
            field(hash, &score.to_le_bytes());
        }),
    }
}

/// Elements whose order does not count: their digests are xor-ed.
fn unordered(hash: &mut Sha1, elements: impl Iterator<Item = Sha1>) {
    let mut sum = [0u8; 20];
    for element in elements {
        sum.iter_mut().zip(element.finalize()).for_each(|(byte, more)| *byte ^= more);
    }
    field(hash, &sum);
}

fn field(hash: &mut Sha1, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::Seed;
    use crate::table::Expiry;

    fn digest(keys: &[(usize, &str, &str, Expiry)]) -> Digest {
        let table = Table::with_stripes(4, 4, Seed::random());
        for (db, key, value, expiry) in keys {
            let key = key.as_bytes();
            table.with_slot(table.address(*db, key), key, 0, |slot| slot.put_text(value.as_bytes(), *expiry));
        }
        Digest::of_table(&table, 0)
    }

    #[test]
    fn nothing_is_zeros() {
        assert_eq!(digest(&[]).to_string(), "0".repeat(40));
    }

    #[test]
    fn order_and_stripes_do_not_matter() {
        let (a, b) = ((0, "a", "1", Expiry::Clear), (1, "b", "2", Expiry::At(77)));
        assert_eq!(digest(&[a, b]), digest(&[b, a]));
    }

    #[test]
    fn every_part_of_a_key_matters() {
        let key = digest(&[(0, "ab", "c", Expiry::Clear)]);
        for other in [
            (1, "ab", "c", Expiry::Clear),
            (0, "a", "bc", Expiry::Clear),
            (0, "ab", "d", Expiry::Clear),
            (0, "ab", "c", Expiry::At(5)),
        ] {
            assert_ne!(digest(&[other]), key, "{other:?}");
        }
    }

    #[test]
    fn how_a_string_is_kept_does_not_matter() {
        let table = Table::with_stripes(1, 4, Seed::random());
        let address = table.address(0, b"k");
        let whole = table.with_slot(address, b"k", 0, |slot| {
            slot.put_text(b"12", Expiry::Clear);
            Digest::of_contents(slot.entry().unwrap())
        });
        let grown = table.with_slot(address, b"k", 0, |slot| {
            slot.change(|value| value.text_mut().unwrap().grow().extend_from_slice(b""));
            Digest::of_contents(slot.entry().unwrap())
        });
        assert_eq!(whole, grown);
    }
}
