//! What the tests of the types share.

use proptest::prelude::*;

use super::strings::{Cursor, encode_string};
use super::value::{Limits, decode_value, encode_value, kind_of};
use crate::value::Value;

/// The value that all of `bytes` are.
pub(super) fn read(kind: u8, bytes: &[u8]) -> Option<Value> {
    let mut cursor = Cursor { data: bytes, pos: 0 };
    decode_value(kind, &mut cursor, &Limits::default()).filter(|_| cursor.pos == bytes.len())
}

/// `bytes` as a string in the file.
pub(super) fn blob(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_string(bytes, true, &mut out);
    out
}

/// Writes the value and reads it: it is the same; no beginning of the bytes is a value, and no
/// flipped bit makes the reader panic.
pub(super) fn round_trip(value: &Value) {
    for compress in [false, true] {
        let mut bytes = Vec::new();
        encode_value(value.as_ref(), compress, &mut bytes);
        let kind = kind_of(value.as_ref());
        assert_eq!(read(kind, &bytes).as_ref(), Some(value));
        let step = 1 + bytes.len() / 12;
        for len in (0..bytes.len()).step_by(step) {
            assert_eq!(read(kind, &bytes[..len]), None, "cut at {len} of {}", bytes.len());
        }
        for at in (0..bytes.len()).step_by(step) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            let _ = read(kind, &flipped);
        }
    }
}

/// Elements of the kinds that are kept differently.
pub(super) fn element() -> impl Strategy<Value = Vec<u8>> {
    let number = any::<i64>()
        .prop_flat_map(|n| (0..64_u32).prop_map(move |shift| (n >> shift).to_string().into_bytes()));
    let run =
        (any::<u8>(), prop_oneof![0..70_usize, 4090..4100_usize]).prop_map(|(byte, len)| vec![byte; len]);
    prop_oneof![4 => number, 4 => prop::collection::vec(any::<u8>(), 0..80), 1 => run]
}

proptest! {
    #[test]
    fn no_bytes_of_any_type_make_it_panic(kind in 0..30_u8, bytes: Vec<u8>) {
        if super::value::is_known(kind) {
            let _ = read(kind, &bytes);
        }
    }
}
