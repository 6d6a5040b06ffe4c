//! A fingerprint of the data: the same for the same data, however it is stored and in whatever order it came.
//!
//! DEBUG DIGEST and the tests compare by it: before and after a restart, a rewrite or a crash, and between this server and
//! redis-server, which computes the same. Two operations on 20 bytes build it, both with a text's SHA-1:
//!
//! ```text
//! add(text)      sum = sum ^ SHA-1(text)                    the order of what is added does not count
//! mix(text)      sum = SHA-1(sum ^ SHA-1(text))             it counts
//!
//! all            for each database that holds keys, in order:  mix(number)
//!                for each of its keys:  add(from zeros: mix(key), contents)
//! contents       mix(number of the type), value, add("!!expire!!") where there is a deadline
//! string         mix(bytes), also where it is kept as an integer
//! list           for each element:  mix(element)
//! set            for each member:   add(member)
//! sorted set     for each member:   add(from zeros: mix(member), mix(score as %.17g))
//! hash           for each field:    add(from zeros: mix(name), mix(value))
//! stream         for each entry:    mix(id as "ms.seq"), and for each field: mix(name), mix(value)
//! ```
//!
//! Numbers are 4 bytes, the highest first. No key at all gives zeros. The deadline of a field of a hash, which Redis 7.0
//! does not have, is mixed in behind its value. When a key expires is not part of it, as in Redis: only that it does.

use sha1::{Digest as _, Sha1};

use crate::base::clock::{Millis, NEVER};
use crate::base::number;
use crate::table::{Entry, Table};
use crate::value::stream::Id;
use crate::value::{Kind, ValueRef};

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest([u8; 20]);

impl Digest {
    /// Of all databases. It is exact only while nobody writes.
    pub fn of_table(table: &Table, now: Millis) -> Digest {
        let mut sum = Digest::default();
        for db in 0..table.databases() {
            let mut is_empty = true;
            table.for_each(db, now, |entry| {
                if std::mem::take(&mut is_empty) {
                    sum.mix(&(db as u32).to_be_bytes());
                }
                let mut of_key = Digest::default();
                of_key.mix(entry.key());
                of_key.take_in(entry);
                sum.add(&of_key.0);
            });
        }
        sum
    }

    /// Of a key's contents, whatever it is called.
    pub fn of_contents(entry: &Entry) -> Digest {
        let mut sum = Digest::default();
        sum.take_in(entry);
        sum
    }

    fn take_in(&mut self, entry: &Entry) {
        self.mix(&type_number(entry.kind()).to_be_bytes());
        let mut buffer = itoa::Buffer::new();
        match entry.value() {
            ValueRef::Text(text) => self.mix(text.bytes(&mut buffer)),
            ValueRef::List(list) => list.iter().for_each(|item| self.mix(item.bytes(&mut buffer))),
            ValueRef::Set(set) => set.iter().for_each(|member| self.add(member.bytes(&mut buffer))),
            ValueRef::ZSet(zset) => zset.iter().for_each(|(member, score)| {
                let mut of_member = Digest::default();
                of_member.mix(member.bytes(&mut buffer));
                of_member.mix(number::format_double(score).as_bytes());
                self.add(&of_member.0);
            }),
            ValueRef::Hash(fields) => fields.iter().for_each(|field| {
                let mut of_field = Digest::default();
                of_field.mix(field.name.bytes(&mut buffer));
                of_field.mix(field.value.bytes(&mut buffer));
                if field.deadline != NEVER {
                    of_field.mix(&field.deadline.to_be_bytes());
                }
                self.add(&of_field.0);
            }),
            ValueRef::Stream(stream) => stream.log().range(Id::MIN, Id::MAX).for_each(|entry| {
                self.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
                for (name, value) in entry.fields() {
                    self.mix(name.bytes(&mut buffer));
                    self.mix(value.bytes(&mut buffer));
                }
            }),
        }
        if entry.expiry() != NEVER {
            self.add(b"!!expire!!");
        }
    }

    fn mix(&mut self, text: &[u8]) {
        self.add(text);
        self.0 = Sha1::digest(self.0).into();
    }

    fn add(&mut self, text: &[u8]) {
        self.0.iter_mut().zip(Sha1::digest(text)).for_each(|(byte, more)| *byte ^= more);
    }
}

/// The number that Redis gives a type.
fn type_number(kind: Kind) -> u32 {
    match kind {
        Kind::Text => 0,
        Kind::List => 1,
        Kind::Set => 2,
        Kind::ZSet => 3,
        Kind::Hash => 4,
        Kind::Stream => 6,
    }
}

/// 40 hexadecimal digits.
impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
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
            table.write(table.address(*db, key), key, 0, |slot| slot.put_text(value.as_bytes(), *expiry));
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
            (0, "ab", "", Expiry::Clear),
        ] {
            assert_ne!(digest(&[other]), key, "{other:?}");
        }
    }

    #[test]
    fn how_a_string_is_kept_does_not_matter() {
        let table = Table::with_stripes(1, 4, Seed::random());
        let address = table.address(0, b"k");
        let whole = table.write(address, b"k", 0, |slot| {
            slot.put_text(b"12", Expiry::Clear);
            Digest::of_contents(slot.entry().unwrap())
        });
        let grown = table.write(address, b"k", 0, |slot| {
            slot.change(|value| value.text_mut().unwrap().grow().extend_from_slice(b""));
            Digest::of_contents(slot.entry().unwrap())
        });
        assert_eq!(whole, grown);
    }
}
