//! The data types, without keys, locks or protocol.
//!
//! A value knows its type's name, the name of its present encoding and its size. What it does not know is the key it
//! is stored under, who may see it, or how it is written to a client or a file.

pub mod dict;
pub mod hash;
pub mod intset;
pub mod list;
pub mod listpack;
pub mod seed;
pub mod set;
pub mod stream;
pub mod text;
pub mod zset;

pub use hash::Hash;
pub use list::List;
pub use set::Set;
pub use stream::Stream;
pub use text::{Text, TextRef};
pub use zset::ZSet;

use crate::base::clock::{Millis, NEVER};
use crate::base::refusal::Refusal;

/// The counter that an `Arc` keeps before its content, in bytes.
const ARC_HEAD: usize = 8;

/// What a key holds, owned.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A string: bytes, or an integer kept as one.
    Text(Text),
    /// A list.
    List(List),
    /// A hash.
    Hash(Hash),
    /// A set.
    Set(Set),
    /// A sorted set.
    ZSet(ZSet),
    /// A stream; behind a pointer, because it is much larger than the others.
    Stream(Box<Stream>),
}

/// What a key holds, borrowed: what handlers, snapshots and digests read.
#[derive(Debug, Clone, Copy)]
pub enum ValueRef<'a> {
    /// A string.
    Text(TextRef<'a>),
    /// A list.
    List(&'a List),
    /// A hash.
    Hash(&'a Hash),
    /// A set.
    Set(&'a Set),
    /// A sorted set.
    ZSet(&'a ZSet),
    /// A stream.
    Stream(&'a Stream),
}

/// The name of a type as TYPE and SCAN's TYPE option have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `string`
    Text,
    /// `list`
    List,
    /// `hash`
    Hash,
    /// `set`
    Set,
    /// `zset`
    ZSet,
    /// `stream`
    Stream,
}

impl Kind {
    /// The name that TYPE answers.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Text => "string",
            Kind::List => "list",
            Kind::Hash => "hash",
            Kind::Set => "set",
            Kind::ZSet => "zset",
            Kind::Stream => "stream",
        }
    }
}

impl Value {
    /// A borrowed view.
    #[inline]
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Value::Text(text) => ValueRef::Text(text.as_ref()),
            Value::List(list) => ValueRef::List(list),
            Value::Hash(hash) => ValueRef::Hash(hash),
            Value::Set(set) => ValueRef::Set(set),
            Value::ZSet(zset) => ValueRef::ZSet(zset),
            Value::Stream(stream) => ValueRef::Stream(stream),
        }
    }

    /// The type.
    pub fn kind(&self) -> Kind {
        match self {
            Value::Text(_) => Kind::Text,
            Value::List(_) => Kind::List,
            Value::Hash(_) => Kind::Hash,
            Value::Set(_) => Kind::Set,
            Value::ZSet(_) => Kind::ZSet,
            Value::Stream(_) => Kind::Stream,
        }
    }

    /// The name of the present encoding, as OBJECT ENCODING has it.
    pub fn encoding(&self) -> &'static str {
        match self {
            Value::Text(text) => text.encoding(),
            Value::List(list) => list.encoding(),
            Value::Hash(hash) => hash.encoding(),
            Value::Set(set) => set.encoding(),
            Value::ZSet(zset) => zset.encoding(),
            Value::Stream(stream) => stream.encoding(),
        }
    }

    /// Heap bytes held beyond the value's own size. Kept up to date by each type, so that asking costs nothing.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Value::Text(text) => text.heap_bytes(),
            Value::List(list) => list.heap_bytes(),
            Value::Hash(hash) => hash.heap_bytes(),
            Value::Set(set) => set.heap_bytes(),
            Value::ZSet(zset) => zset.heap_bytes(),
            Value::Stream(stream) => size_of::<Stream>() + stream.heap_bytes(),
        }
    }

    /// True for a collection without elements, which a key may not hold. A stream may be held without entries.
    pub fn is_void(&self) -> bool {
        match self {
            Value::Text(_) | Value::Stream(_) => false,
            Value::List(list) => list.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
            Value::Set(set) => set.is_empty(),
            Value::ZSet(zset) => zset.is_empty(),
        }
    }

    /// A time before which no part of the value is due, [`NEVER`] where none has a deadline: only fields of hashes have.
    #[inline]
    pub fn earliest(&self) -> Millis {
        if let Value::Hash(hash) = self { hash.earliest() } else { NEVER }
    }

    /// The string for changing it in place, or the refusal that a string command gives for other types.
    pub fn text_mut(&mut self) -> Result<&mut Text, Refusal> {
        if let Value::Text(text) = self { Ok(text) } else { Err(Refusal::WrongType) }
    }

    /// The list for changing it in place, or the refusal.
    pub fn list_mut(&mut self) -> Result<&mut List, Refusal> {
        if let Value::List(list) = self { Ok(list) } else { Err(Refusal::WrongType) }
    }

    /// The hash for changing it in place, or the refusal.
    pub fn hash_mut(&mut self) -> Result<&mut Hash, Refusal> {
        if let Value::Hash(hash) = self { Ok(hash) } else { Err(Refusal::WrongType) }
    }

    /// The set for changing it in place, or the refusal.
    pub fn set_mut(&mut self) -> Result<&mut Set, Refusal> {
        if let Value::Set(set) = self { Ok(set) } else { Err(Refusal::WrongType) }
    }

    /// The sorted set for changing it in place, or the refusal.
    pub fn zset_mut(&mut self) -> Result<&mut ZSet, Refusal> {
        if let Value::ZSet(zset) = self { Ok(zset) } else { Err(Refusal::WrongType) }
    }

    /// The stream for changing it in place, or the refusal.
    pub fn stream_mut(&mut self) -> Result<&mut Stream, Refusal> {
        if let Value::Stream(stream) = self { Ok(stream) } else { Err(Refusal::WrongType) }
    }
}

/// What a command will want of a value.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'w> {
    /// What the first and the last word behind the key name. The first is a member's name in all commands that look one up in a
    /// hash or set; in a sorted set the last is, and the first may be its new score.
    Words(&'w [u8], &'w [u8]),
    /// The lowest member of a sorted set, to remove it.
    Lowest,
    /// The highest.
    Highest,
}

impl<'a> ValueRef<'a> {
    /// Elements of a collection, counted as its commands count them; 1 for a string.
    pub fn elements(self) -> usize {
        match self {
            ValueRef::Text(_) => 1,
            ValueRef::List(list) => list.len(),
            ValueRef::Hash(hash) => hash.len(),
            ValueRef::Set(set) => set.len(),
            ValueRef::ZSet(zset) => zset.len(),
            ValueRef::Stream(stream) => stream.log().len(),
        }
    }

    /// Asks for the memory that commands will need which want this of it, if it is a value that does not fit into the caches.
    pub fn look_ahead<'w>(self, wanted: impl Iterator<Item = Wanted<'w>>) {
        let dict = match self {
            ValueRef::Hash(hash) => hash.dict(),
            ValueRef::Set(set) => set.dict(),
            ValueRef::ZSet(zset) => return zset.look_ahead(wanted),
            ValueRef::Text(_) | ValueRef::List(_) | ValueRef::Stream(_) => None,
        };
        if let Some(dict) = dict.filter(|dict| dict.is_far()) {
            dict.look_ahead(wanted.filter_map(|wanted| match wanted {
                Wanted::Words(first, _) => Some(first),
                Wanted::Lowest | Wanted::Highest => None,
            }));
        }
    }

    /// The string, or the refusal that a string command gives for other types.
    #[inline]
    pub fn text(self) -> Result<TextRef<'a>, Refusal> {
        if let ValueRef::Text(text) = self { Ok(text) } else { Err(Refusal::WrongType) }
    }

    /// The list, or the refusal.
    pub fn list(self) -> Result<&'a List, Refusal> {
        if let ValueRef::List(list) = self { Ok(list) } else { Err(Refusal::WrongType) }
    }

    /// The hash, or the refusal.
    pub fn hash(self) -> Result<&'a Hash, Refusal> {
        if let ValueRef::Hash(hash) = self { Ok(hash) } else { Err(Refusal::WrongType) }
    }

    /// The set, or the refusal.
    pub fn set(self) -> Result<&'a Set, Refusal> {
        if let ValueRef::Set(set) = self { Ok(set) } else { Err(Refusal::WrongType) }
    }

    /// The sorted set, or the refusal.
    pub fn zset(self) -> Result<&'a ZSet, Refusal> {
        if let ValueRef::ZSet(zset) = self { Ok(zset) } else { Err(Refusal::WrongType) }
    }

    /// The stream, or the refusal.
    pub fn stream(self) -> Result<&'a Stream, Refusal> {
        if let ValueRef::Stream(stream) = self { Ok(stream) } else { Err(Refusal::WrongType) }
    }

    /// The type.
    pub fn kind(self) -> Kind {
        match self {
            ValueRef::Text(_) => Kind::Text,
            ValueRef::List(_) => Kind::List,
            ValueRef::Hash(_) => Kind::Hash,
            ValueRef::Set(_) => Kind::Set,
            ValueRef::ZSet(_) => Kind::ZSet,
            ValueRef::Stream(_) => Kind::Stream,
        }
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Value::Text(text)
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Value::List(list)
    }
}

impl From<Hash> for Value {
    fn from(hash: Hash) -> Self {
        Value::Hash(hash)
    }
}

impl From<Set> for Value {
    fn from(set: Set) -> Self {
        Value::Set(set)
    }
}

impl From<ZSet> for Value {
    fn from(zset: ZSet) -> Self {
        Value::ZSet(zset)
    }
}

impl From<Stream> for Value {
    fn from(stream: Stream) -> Self {
        Value::Stream(Box::new(stream))
    }
}
