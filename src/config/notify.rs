//! Which keyspace events are published: the letters of `notify-keyspace-events`.
//!
//! ```text
//! K  to __keyspace@<db>__:<key>      E  to __keyevent@<db>__:<event>     (without one of them, nothing is sent)
//! g $ l s h z t x e d                the classes that A stands for
//! m n                                misses and new keys: never part of A
//! ```

use super::value::Setting;
use crate::base::event::Class;

/// A set of event classes and channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotifyFlags(u16);

/// Letter and bit, in the order in which CONFIG GET shows them.
const LETTERS: [(char, NotifyFlags); 14] = [
    ('g', NotifyFlags::GENERIC),
    ('$', NotifyFlags::STRING),
    ('l', NotifyFlags::LIST),
    ('s', NotifyFlags::SET),
    ('h', NotifyFlags::HASH),
    ('z', NotifyFlags::ZSET),
    ('x', NotifyFlags::EXPIRED),
    ('e', NotifyFlags::EVICTED),
    ('t', NotifyFlags::STREAM),
    ('d', NotifyFlags::MODULE),
    ('n', NotifyFlags::NEW),
    ('K', NotifyFlags::KEYSPACE),
    ('E', NotifyFlags::KEYEVENT),
    ('m', NotifyFlags::KEY_MISS),
];

impl NotifyFlags {
    /// Commands that are not of one type: DEL, EXPIRE, RENAME and the like.
    pub const GENERIC: Self = Self(1);
    /// Strings.
    pub const STRING: Self = Self(1 << 1);
    /// Lists.
    pub const LIST: Self = Self(1 << 2);
    /// Sets.
    pub const SET: Self = Self(1 << 3);
    /// Hashes.
    pub const HASH: Self = Self(1 << 4);
    /// Sorted sets.
    pub const ZSET: Self = Self(1 << 5);
    /// A key expired.
    pub const EXPIRED: Self = Self(1 << 6);
    /// A key was evicted.
    pub const EVICTED: Self = Self(1 << 7);
    /// Streams.
    pub const STREAM: Self = Self(1 << 8);
    /// Types of modules.
    pub const MODULE: Self = Self(1 << 9);
    /// A read found no key.
    pub const KEY_MISS: Self = Self(1 << 10);
    /// A key was created.
    pub const NEW: Self = Self(1 << 11);
    /// Publish to `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: Self = Self(1 << 12);
    /// Publish to `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: Self = Self(1 << 13);
    /// What `A` stands for.
    pub const ALL: Self = Self((1 << 10) - 1);

    /// Whether all of `other` is in this set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether an event of this class is published at all.
    pub fn wants(self, class: Class) -> bool {
        self.0 & class as u16 != 0 && self.0 & (Self::KEYSPACE.0 | Self::KEYEVENT.0) != 0
    }

    /// Whether events are published to the channel of their key.
    pub fn to_keyspace(self) -> bool {
        self.contains(Self::KEYSPACE)
    }

    /// Whether events are published to the channel of their name.
    pub fn to_keyevent(self) -> bool {
        self.contains(Self::KEYEVENT)
    }

    /// Whether any event is published.
    pub fn wants_any(self) -> bool {
        let classes = !(Self::KEYSPACE.0 | Self::KEYEVENT.0);
        self.0 & classes != 0 && self.0 & !classes != 0
    }

    fn parse(text: &str) -> Option<Self> {
        let mut flags = 0;
        for letter in text.chars() {
            flags |= match letter {
                'A' => Self::ALL.0,
                _ => LETTERS.iter().find(|(l, _)| *l == letter)?.1.0,
            };
        }
        Some(Self(flags))
    }
}

impl Setting for NotifyFlags {
    fn show(&self) -> String {
        let all = self.contains(Self::ALL);
        let letters =
            LETTERS.iter().filter(|(_, flag)| self.contains(*flag) && !(all && Self::ALL.contains(*flag)));
        let mut text: String =
            all.then_some('A').into_iter().chain(letters.map(|(letter, _)| *letter)).collect();
        // redis-server 7.0 forgets it beside an A, and its successors put it at the end.
        if all && text.contains('n') {
            text.retain(|letter| letter != 'n');
            text.push('n');
        }
        text
    }
    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

/// Checks and normalises the letters. A blank is none.
pub(super) fn check_notify(words: &[&str]) -> Result<String, String> {
    let refusal = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
    match NotifyFlags::parse(&words.join(" ")) {
        Some(flags) => Ok(flags.show()),
        None => Err(refusal.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_shown_in_the_order_of_redis() {
        for (given, shown) in [
            ("KEA", "AKE"),
            ("Ex", "xE"),
            ("gxE$K", "g$xKE"),
            ("KEg$lshzxetd", "AKE"),
            ("KEg$lshzxet", "g$lshzxetKE"),
            ("AmKE", "AKEm"),
            ("mKEnl", "lnKEm"),
            ("nAmKE", "AKEmn"),
            ("", ""),
        ] {
            assert_eq!(check_notify(&[given]).as_deref(), Ok(shown), "{given}");
        }
        for wrong in [&["Q"][..], &["K", "E"], &["K "], &[" "], &["K\tE"]] {
            assert!(check_notify(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn nothing_is_wanted_without_a_channel() {
        let parse = |text| NotifyFlags::parse(text).unwrap();
        assert!(!NotifyFlags::ALL.wants(Class::String) && !NotifyFlags::ALL.wants_any());
        assert!(parse("E$").wants(Class::String) && parse("E$").wants_any());
        assert!(!parse("E$").wants(Class::List));
        assert!(!parse("KE").wants_any() && !parse("").wants_any());
    }

    #[test]
    fn the_bits_of_classes_are_those_of_their_letters() {
        for (letter, class) in [
            ('g', Class::Generic),
            ('$', Class::String),
            ('l', Class::List),
            ('s', Class::Set),
            ('h', Class::Hash),
            ('z', Class::ZSet),
            ('x', Class::Expired),
            ('m', Class::KeyMiss),
            ('n', Class::New),
        ] {
            let flags = NotifyFlags::parse(&format!("K{letter}")).unwrap();
            assert!(flags.wants(class), "{letter}");
        }
    }
}
