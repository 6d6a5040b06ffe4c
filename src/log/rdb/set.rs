//! Sets.
//!
//! ```text
//!  2  n, then n members                   written
//! 11  an intset                           written
//! 20  a listpack, as of version 11        read
//! ```

use super::Limits;
use super::strings::{Cursor, encode_len, encode_string};
use super::value::{encode_text, kind};
use crate::value::Set;
use crate::value::intset::Intset;
use crate::value::listpack::Listpack;

pub(super) fn kind_of(set: &Set) -> u8 {
    if set.intset().is_some() { kind::SET_INTSET } else { kind::SET }
}

pub(super) fn encode(set: &Set, compress: bool, out: &mut Vec<u8>) {
    if let Some(integers) = set.intset() {
        return encode_string(integers.as_bytes(), compress, out);
    }
    encode_len(set.len() as u64, out);
    for member in set.iter() {
        encode_text(member, compress, out);
    }
}

pub(super) fn decode(kind: u8, cursor: &mut Cursor<'_>, limits: &Limits) -> Option<Set> {
    if kind == kind::SET {
        let mut set = Set::new();
        for _ in 0..cursor.plain()? {
            // Nobody writes a member twice, so one that is there twice is damage.
            if !set.add(&cursor.string()?.into_bytes(), &limits.set) {
                return None;
            }
        }
        return Some(set);
    }
    let bytes = cursor.string()?.into_bytes();
    if kind == kind::SET_INTSET {
        return Some(Set::from_intset(Intset::from_bytes(&bytes).ok()?, &limits.set));
    }
    Set::from_listpack(Listpack::from_bytes(&bytes).ok()?, &limits.set).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::rdb::testing;
    use crate::value::Value;
    use proptest::prelude::*;

    fn set<B: AsRef<[u8]>>(members: &[B]) -> Value {
        let mut set = Set::new();
        members.iter().for_each(|member| _ = set.add(member.as_ref(), &Limits::default().set));
        set.into()
    }

    #[test]
    fn a_listpack_of_a_newer_server_is_read() {
        let pack: Listpack = ["a", "7", "b"].into_iter().collect();
        let found = testing::read(kind::SET_LISTPACK, &testing::blob(pack.as_bytes()));
        assert_eq!(found, Some(set(&["a", "7", "b"])));
    }

    #[test]
    fn a_member_that_is_there_twice_is_damage() {
        assert_eq!(testing::read(kind::SET, b"\x02\x01a\x01a"), None);
        let pack: Listpack = ["a", "a"].into_iter().collect();
        assert_eq!(testing::read(kind::SET_LISTPACK, &testing::blob(pack.as_bytes())), None);
    }

    proptest! {
        #[test]
        fn any_set_reads_back(
            members in prop::collection::vec(testing::element(), 1..200),
            integers in prop::collection::vec(any::<i64>(), 1..600),
        ) {
            testing::round_trip(&set(&members));
            let texts: Vec<String> = integers.iter().map(i64::to_string).collect();
            testing::round_trip(&set(&texts));
        }
    }
}
