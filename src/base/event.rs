//! What can happen to a key, as subscribers of keyspace notifications are told: names and classes of redis-server 7.0, and
//! those of 7.4 and 8.0 for the fields of hashes.

/// What kind of happening an event is: a letter of `notify-keyspace-events`. The number is its bit there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Class {
    /// `g`: what is not of one type: DEL, EXPIRE, RENAME and the like.
    Generic = 1,
    /// `$`
    String = 1 << 1,
    /// `l`
    List = 1 << 2,
    /// `s`
    Set = 1 << 3,
    /// `h`
    Hash = 1 << 4,
    /// `z`
    ZSet = 1 << 5,
    /// `t`
    Stream = 1 << 8,
    /// `x`: a key was removed because its time had come.
    Expired = 1 << 6,
    /// `e`: a key was removed to make room.
    Evicted = 1 << 7,
    /// `m`: what was to be read is not there.
    KeyMiss = 1 << 10,
    /// `n`: a key was made.
    New = 1 << 11,
}

/// Something that happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Who wants to hear of it.
    pub class: Class,
    /// What subscribers are told.
    pub name: &'static str,
}

/// The key is gone because a command removed it, or the last of its elements.
pub const DEL: Event = generic("del");
/// The key is gone because its time had come.
pub const EXPIRED: Event = Event { class: Class::Expired, name: "expired" };
/// The key is gone because there was no room for all.
pub const EVICTED: Event = Event { class: Class::Evicted, name: "evicted" };
/// Fields of a hash are gone because their time had come.
pub const FIELDS_EXPIRED: Event = hash("hexpired");
/// The key was made.
pub const NEW: Event = Event { class: Class::New, name: "new" };
/// The key was to be read and is not there.
pub const KEY_MISS: Event = Event { class: Class::KeyMiss, name: "keymiss" };
/// The key got a deadline.
pub const EXPIRE: Event = generic("expire");
/// The key lost its deadline.
pub const PERSIST: Event = generic("persist");
/// The key was given a string.
pub const SET: Event = string("set");
/// Fields were removed from a hash.
pub const HDEL: Event = hash("hdel");

impl Event {
    /// True for what the table tells by itself, whichever command it is that makes it happen.
    pub fn is_of_table(self) -> bool {
        [NEW, DEL, KEY_MISS, EXPIRED, EVICTED, FIELDS_EXPIRED].contains(&self)
    }
}

/// An event of commands of no type.
pub const fn generic(name: &'static str) -> Event {
    Event { class: Class::Generic, name }
}

/// An event of strings.
pub const fn string(name: &'static str) -> Event {
    Event { class: Class::String, name }
}

/// An event of lists.
pub const fn list(name: &'static str) -> Event {
    Event { class: Class::List, name }
}

/// An event of sets.
pub const fn set(name: &'static str) -> Event {
    Event { class: Class::Set, name }
}

/// An event of hashes.
pub const fn hash(name: &'static str) -> Event {
    Event { class: Class::Hash, name }
}

/// An event of sorted sets.
pub const fn zset(name: &'static str) -> Event {
    Event { class: Class::ZSet, name }
}

/// An event of streams.
pub const fn stream(name: &'static str) -> Event {
    Event { class: Class::Stream, name }
}
