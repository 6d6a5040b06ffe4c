//! Lists.
//!
//! ```text
//! 18  n, then n nodes: 1 and a string (one element), or 2 and a listpack      written
//!  1  n, then n strings                                                       read
//! 10  a ziplist                                                               read
//! 14  n, then n ziplists                                                      read
//! ```
//!
//! Our chunks are listpacks already and are copied as they are.

use super::Limits;
use super::strings::{Cursor, encode_len, encode_string};
use super::value::kind;
use super::ziplist;
use crate::value::List;
use crate::value::listpack::Listpack;

/// A node that is one element.
const PLAIN: u64 = 1;
/// A node that is a listpack.
const PACKED: u64 = 2;
/// From this length on an element is a node of its own, in bytes: where Redis does not use listpacks any more.
const PLAIN_FROM: usize = 1 << 30;

pub(super) fn encode(list: &List, compress: bool, out: &mut Vec<u8>) {
    encode_nodes(list, PLAIN_FROM, compress, out);
}

fn encode_nodes(list: &List, plain_from: usize, compress: bool, out: &mut Vec<u8>) {
    encode_len(list.packs().count() as u64, out);
    for pack in list.packs() {
        let alone = if pack.bytes() > plain_from && pack.len() == 1 { pack.get(0) } else { None };
        match alone {
            Some(item) if item.len() >= plain_from => {
                encode_len(PLAIN, out);
                super::value::encode_text(item, compress, out);
            }
            _ => {
                encode_len(PACKED, out);
                encode_string(pack.as_bytes(), compress, out);
            }
        }
    }
}

pub(super) fn decode(kind: u8, cursor: &mut Cursor<'_>, limits: &Limits) -> Option<List> {
    let mut list = List::new();
    let nodes = if kind == kind::LIST_ZIPLIST { 1 } else { cursor.plain()? };
    for _ in 0..nodes {
        let packed = match kind {
            kind::LIST => false,
            kind::LIST_LISTPACKS => match cursor.plain()? {
                PLAIN => false,
                PACKED => true,
                _ => return None,
            },
            _ => true,
        };
        let bytes = cursor.string()?.into_bytes();
        if !packed {
            list.push_back(&bytes, limits.list);
        } else if kind == kind::LIST_LISTPACKS {
            list.push_pack(Listpack::from_bytes(&bytes).ok()?, limits.list);
        } else {
            list.push_pack(ziplist::decode(&bytes)?, limits.list);
        }
    }
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::rdb::testing;
    use proptest::prelude::*;

    fn list(elements: &[Vec<u8>]) -> List {
        let mut list = List::new();
        elements.iter().for_each(|element| list.push_back(element, Limits::default().list));
        list
    }

    #[test]
    fn an_element_that_is_too_long_for_a_pack_is_a_node_of_its_own() {
        let list = list(&[b"a".to_vec(), vec![b'x'; 9000], b"b".to_vec()]);
        let mut out = Vec::new();
        encode_nodes(&list, 9000, true, &mut out);
        assert_eq!(out[..2], [3, 2]);
        let mut cursor = Cursor { data: &out, pos: 0 };
        assert_eq!(decode(kind::LIST_LISTPACKS, &mut cursor, &Limits::default()), Some(list));
    }

    #[test]
    fn old_forms_are_read() {
        let wanted = list(&[b"one".to_vec(), b"2".to_vec()]);
        let zip = b"\x12\0\0\0\x0f\0\0\0\x02\0\0\x03one\x05\xf3\xff";
        assert_eq!(testing::read(kind::LIST, b"\x02\x03one\xc0\x02"), Some(wanted.clone().into()));
        assert_eq!(testing::read(kind::LIST_ZIPLIST, &testing::blob(zip)), Some(wanted.clone().into()));
        let two = [&[2][..], &testing::blob(zip), &testing::blob(zip)].concat();
        let doubled = list(&[b"one".to_vec(), b"2".to_vec(), b"one".to_vec(), b"2".to_vec()]);
        assert_eq!(testing::read(kind::LIST_ZIPLISTS, &two), Some(doubled.into()));
    }

    proptest! {
        #[test]
        fn any_list_reads_back(elements in prop::collection::vec(testing::element(), 1..200)) {
            testing::round_trip(&list(&elements).into());
        }
    }
}
