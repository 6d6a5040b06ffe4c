//! Values of every type: which byte stands for which form, and who reads and writes it.
//!
//! A value is read into the form that it would have had if commands had made it, within the limits of the reader's
//! settings: a compact form that is too large for them becomes the big one at the door.

use std::borrow::Cow;

use super::strings::{Cursor, Text as Piece, encode_integer, encode_string};
use super::{hash, list, set, stream, zset};
use crate::value::list::ChunkLimit;
use crate::value::{self, Text, TextRef, Value, ValueRef};

/// Bytes that tell the type of a value and its form.
pub(super) mod kind {
    pub(in super::super) const STRING: u8 = 0;
    pub(in super::super) const LIST: u8 = 1;
    pub(in super::super) const SET: u8 = 2;
    pub(in super::super) const ZSET: u8 = 3;
    pub(in super::super) const HASH: u8 = 4;
    pub(in super::super) const ZSET_BINARY: u8 = 5;
    pub(in super::super) const HASH_ZIPMAP: u8 = 9;
    pub(in super::super) const LIST_ZIPLIST: u8 = 10;
    pub(in super::super) const SET_INTSET: u8 = 11;
    pub(in super::super) const ZSET_ZIPLIST: u8 = 12;
    pub(in super::super) const HASH_ZIPLIST: u8 = 13;
    pub(in super::super) const LIST_ZIPLISTS: u8 = 14;
    pub(in super::super) const STREAM: u8 = 15;
    pub(in super::super) const HASH_LISTPACK: u8 = 16;
    pub(in super::super) const ZSET_LISTPACK: u8 = 17;
    pub(in super::super) const LIST_LISTPACKS: u8 = 18;
    pub(in super::super) const STREAM_2: u8 = 19;
    pub(in super::super) const SET_LISTPACK: u8 = 20;
    pub(in super::super) const STREAM_3: u8 = 21;
    pub(in super::super) const HASH_DEADLINES: u8 = 24;
    pub(in super::super) const HASH_LISTPACK_DEADLINES: u8 = 25;

    /// The name of a type, for those that cannot be read.
    pub(in super::super) fn name(kind: u8) -> &'static str {
        match kind {
            6 | 7 => "module",
            22 | 23 => "hash with field expiry, as a release candidate wrote it",
            _ => "unknown",
        }
    }
}

/// Up to which size what is read is held in its compact form.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub hash: value::hash::Thresholds,
    pub set: value::set::Thresholds,
    pub zset: value::zset::Thresholds,
    pub list: ChunkLimit,
    pub stream: value::stream::ChunkLimit,
}

impl Default for Limits {
    /// Those of Redis 7.0's default settings.
    fn default() -> Self {
        Self {
            hash: value::hash::Thresholds { entries: 512, value_bytes: 64 },
            set: value::set::Thresholds { intset_entries: 512, listpack_entries: 0, listpack_value: 64 },
            zset: value::zset::Thresholds::default(),
            list: ChunkLimit::DEFAULT,
            stream: value::stream::ChunkLimit::DEFAULT,
        }
    }
}

/// The byte of the form in which [`encode_value`] writes the value.
pub(super) fn kind_of(value: ValueRef<'_>) -> u8 {
    match value {
        ValueRef::Text(_) => kind::STRING,
        ValueRef::List(_) => kind::LIST_LISTPACKS,
        ValueRef::Hash(hash) => hash::kind_of(hash),
        ValueRef::Set(set) => set::kind_of(set),
        ValueRef::ZSet(zset) => zset::kind_of(zset),
        ValueRef::Stream(_) => kind::STREAM_2,
    }
}

/// Appends a value without its type. `compress` is for long strings and packs (`rdbcompression`).
pub fn encode_value(value: ValueRef<'_>, compress: bool, out: &mut Vec<u8>) {
    match value {
        ValueRef::Text(text) => encode_text(text, compress, out),
        ValueRef::List(list) => list::encode(list, compress, out),
        ValueRef::Hash(hash) => hash::encode(hash, compress, out),
        ValueRef::Set(set) => set::encode(set, compress, out),
        ValueRef::ZSet(zset) => zset::encode(zset, compress, out),
        ValueRef::Stream(stream) => stream::encode(stream, compress, out),
    }
}

/// Appends a string, or an element of a collection.
pub(super) fn encode_text(text: TextRef<'_>, compress: bool, out: &mut Vec<u8>) {
    match text {
        TextRef::Int(n) => encode_integer(n, out),
        TextRef::Bytes(bytes) => encode_string(bytes, compress, out),
    }
}

/// Whether [`decode_value`] knows this form.
pub(super) fn is_known(kind: u8) -> bool {
    matches!(kind, 0..=5 | 9..=21 | 24 | 25)
}

/// Reads a value of a known form. `None` where the bytes are none. A collection may come out empty: some old servers
/// wrote such, and what becomes of it is the caller's to say.
pub(super) fn decode_value(kind: u8, cursor: &mut Cursor<'_>, limits: &Limits) -> Option<Value> {
    Some(match kind {
        kind::STRING => Value::Text(decode_text(cursor)?),
        kind::LIST | kind::LIST_ZIPLIST | kind::LIST_ZIPLISTS | kind::LIST_LISTPACKS => {
            Value::List(list::decode(kind, cursor, limits)?)
        }
        kind::SET | kind::SET_INTSET | kind::SET_LISTPACK => Value::Set(set::decode(kind, cursor, limits)?),
        kind::ZSET | kind::ZSET_BINARY | kind::ZSET_ZIPLIST | kind::ZSET_LISTPACK => {
            Value::ZSet(zset::decode(kind, cursor, limits)?)
        }
        kind::STREAM | kind::STREAM_2 | kind::STREAM_3 => stream::decode(kind, cursor)?.into(),
        _ => Value::Hash(hash::decode(kind, cursor, limits)?),
    })
}

/// Steps over a value of a known form, so that somebody else can read it. `None` where it would end behind the input; what
/// is between is not looked at.
pub(super) fn skip_value(kind: u8, cursor: &mut Cursor<'_>) -> Option<()> {
    match kind {
        kind::LIST | kind::SET | kind::LIST_ZIPLISTS => skip_times(cursor, 1, |cursor| cursor.skip_string()),
        kind::HASH => skip_times(cursor, 2, |cursor| cursor.skip_string()),
        kind::ZSET => skip_times(cursor, 1, |cursor| {
            cursor.skip_string()?;
            zset::skip_score(cursor)
        }),
        kind::ZSET_BINARY => skip_times(cursor, 1, |cursor| {
            cursor.skip_string()?;
            cursor.take(8).map(drop)
        }),
        kind::LIST_LISTPACKS => skip_times(cursor, 1, |cursor| {
            cursor.plain()?;
            cursor.skip_string()
        }),
        kind::HASH_DEADLINES => {
            cursor.take(8)?;
            skip_times(cursor, 1, |cursor| {
                cursor.plain()?;
                cursor.skip_string()?;
                cursor.skip_string()
            })
        }
        kind::HASH_LISTPACK_DEADLINES => {
            cursor.take(8)?;
            cursor.skip_string()
        }
        kind::STREAM | kind::STREAM_2 | kind::STREAM_3 => stream::skip(kind, cursor),
        // One string, or a compact form in one.
        _ => cursor.skip_string(),
    }
}

/// Steps over as many parts as the length tells, times `each`.
pub(super) fn skip_times(
    cursor: &mut Cursor<'_>,
    each: u64,
    skip: impl Fn(&mut Cursor<'_>) -> Option<()>,
) -> Option<()> {
    for _ in 0..cursor.plain()?.checked_mul(each)? {
        skip(cursor)?;
    }
    Some(())
}

fn decode_text(cursor: &mut Cursor<'_>) -> Option<Text> {
    Some(match cursor.string()? {
        Piece::Integer(n) => Text::Int(i64::from(n)),
        Piece::Bytes(Cow::Borrowed(bytes)) => Text::new(bytes),
        // What was compressed is longer than any integer, and need not be copied again.
        Piece::Bytes(Cow::Owned(bytes)) if bytes.len() > 20 => Text::Whole(bytes.into_boxed_slice()),
        Piece::Bytes(Cow::Owned(bytes)) => Text::new(&bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Stepping over a value must end where reading it does, or the next key is read from its middle.
        #[test]
        fn stepping_over_ends_where_reading_does(kind in 0u8..26, bytes in prop::collection::vec(0u8..12, 0..60)) {
            prop_assume!(is_known(kind));
            let (mut read, mut skipped) = (Cursor { data: &bytes, pos: 0 }, Cursor { data: &bytes, pos: 0 });
            if decode_value(kind, &mut read, &Limits::default()).is_some() {
                prop_assert_eq!(skip_value(kind, &mut skipped), Some(()));
                prop_assert_eq!(read.pos, skipped.pos);
            }
        }
    }

    #[test]
    fn stepping_over_ends_at_the_end_of_every_form() {
        let text = b"\x01a";
        let pair = [&text[..], text].concat();
        let cases: [(u8, Vec<u8>); 12] = [
            (kind::STRING, text.to_vec()),
            (kind::STRING, b"\xc3\x05\x1e\x00a\xe0\x14\x00".to_vec()),
            (kind::STRING, b"\xc2abcd".to_vec()),
            (kind::LIST, [b"\x02", &pair[..]].concat()),
            (kind::SET, [b"\x02", &pair[..]].concat()),
            (kind::HASH, [b"\x01", &pair[..]].concat()),
            (kind::ZSET, [b"\x02", &text[..], b"\x011", text, b"\xfe"].concat()),
            (kind::ZSET_BINARY, [b"\x01", &text[..], b"12345678"].concat()),
            (kind::LIST_LISTPACKS, [b"\x01\x02", &text[..]].concat()),
            (kind::HASH_DEADLINES, [b"12345678\x01\x05", &pair[..]].concat()),
            (kind::HASH_LISTPACK_DEADLINES, [b"12345678", &text[..]].concat()),
            (kind::SET_INTSET, text.to_vec()),
        ];
        for (kind, bytes) in cases {
            let followed = [&bytes[..], b"next"].concat();
            let mut cursor = Cursor { data: &followed, pos: 0 };
            assert_eq!((skip_value(kind, &mut cursor), cursor.pos), (Some(()), bytes.len()), "kind {kind}");
            for short in 0..bytes.len() {
                let mut cursor = Cursor { data: &bytes[..short], pos: 0 };
                assert_eq!(skip_value(kind, &mut cursor), None, "kind {kind}, {short} bytes");
            }
        }
    }
}
