//! Values of every type: which byte stands for which form, and who reads and writes it.
//!
//! A value is read into the form that it would have had if commands had made it, within the limits of the reader's
//! settings: a compact form that is too large for them becomes the big one at the door.

use std::borrow::Cow;

use super::strings::{Cursor, Text as Piece, encode_integer, encode_string};
use super::{hash, list, set, zset};
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
    pub(in super::super) const HASH_LISTPACK: u8 = 16;
    pub(in super::super) const ZSET_LISTPACK: u8 = 17;
    pub(in super::super) const LIST_LISTPACKS: u8 = 18;
    pub(in super::super) const SET_LISTPACK: u8 = 20;
    pub(in super::super) const HASH_DEADLINES: u8 = 24;
    pub(in super::super) const HASH_LISTPACK_DEADLINES: u8 = 25;

    /// The name of a type, for those that cannot be read.
    pub(in super::super) fn name(kind: u8) -> &'static str {
        match kind {
            6 | 7 => "module",
            15 | 19 | 21 => "stream",
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
}

impl Default for Limits {
    /// Those of Redis 7.0's default settings.
    fn default() -> Self {
        Self {
            hash: value::hash::Thresholds { entries: 512, value_bytes: 64 },
            set: value::set::Thresholds { intset_entries: 512, listpack_entries: 0, listpack_value: 64 },
            zset: value::zset::Thresholds::default(),
            list: ChunkLimit::DEFAULT,
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
    matches!(kind, 0..=5 | 9..=14 | 16..=18 | 20 | 24 | 25)
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
        _ => Value::Hash(hash::decode(kind, cursor, limits)?),
    })
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
