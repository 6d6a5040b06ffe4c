//! Reads RDB files: any bytes in, items out, or a typed error; never a panic, and never memory for more
//! than the bytes can hold.
//!
//! A file that holds anything that we cannot keep is refused as a whole, with the type and the key: loading
//! the rest would lose data behind the owner's back. The checksum stands at the end, so a caller must not
//! serve what it has loaded before `next` has returned `None`.

use std::borrow::Cow;
use std::fmt;

use super::encode::{AUX_SEQ, AUX_TAIL};
use super::strings::{Cursor, Length};
use super::value::{Limits, decode_value, is_known, kind, skip_value};
use super::{Crc64, VERSION_MAX, opcode, tail};
use crate::log::record::Seq;
use crate::value::Value;

/// From this version on there is a checksum at the end.
const VERSION_WITH_CHECKSUM: u32 = 5;
const MAGIC: &[u8] = b"REDIS";

/// What a file holds, in its order. `V` is what becomes of a value: read, or as it is [`Stored`].
#[derive(Debug, Clone, PartialEq)]
pub enum Item<'a, V = Value> {
    /// A field about the file.
    Aux { name: Cow<'a, [u8]>, value: Cow<'a, [u8]> },
    /// What follows is in this database.
    SelectDb(u32),
    /// How many keys to make room for, and how many of them expire. A hint; no more to be trusted than the
    /// file's length allows.
    ResizeDb { keys: u64, expires: u64 },
    /// A function library's source: skipped by us, and to be told to the owner.
    Function { code: Cow<'a, [u8]> },
    /// A module's data, skipped: to be told to the owner.
    ModuleSkipped,
    /// One key. `expires_unix_ms` is wall time and may be over; `idle_s` and `frequency` are for eviction.
    Entry {
        key: Cow<'a, [u8]>,
        value: V,
        expires_unix_ms: Option<i64>,
        idle_s: Option<u64>,
        frequency: Option<u8>,
    },
}

/// A value as it stands in the file. Reading it is the most work in loading, and can be done by another thread than the
/// one that reads the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    kind: u8,
    bytes: &'a [u8],
    /// Where it begins in the file.
    at: usize,
}

impl<'a> Stored<'a> {
    /// Reads it. None is a collection without elements: some old servers kept such, and a key with one is none.
    pub fn read(&self, limits: &Limits) -> Result<Option<Value>, RdbError> {
        let mut cursor = Cursor { data: self.bytes, pos: 0 };
        let value = decode_value(self.kind, &mut cursor, limits);
        match value.filter(|_| cursor.pos == self.bytes.len()) {
            Some(value) => Ok((!value.is_void()).then_some(value)),
            None => Err(RdbError::Damaged { offset: self.at as u64, reason: "a value" }),
        }
    }

    /// The string that it is, if it stands there byte by byte.
    pub fn plain_text(&self) -> Option<&'a [u8]> {
        let mut cursor = Cursor { data: self.bytes, pos: 0 };
        match (self.kind, cursor.length()) {
            (kind::STRING, Some(Length::Plain(_))) => self.bytes.get(cursor.pos..),
            _ => None,
        }
    }
}

/// Why a file cannot be used. `offset` counts bytes from its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RdbError {
    /// Not an RDB file at all.
    NotRdb,
    /// Made by a newer server.
    Newer { version: u32 },
    /// It ends early, or a byte cannot be what it should be.
    Damaged { offset: u64, reason: &'static str },
    /// All is read, but the checksum is another.
    Checksum,
    /// A key of a type that this server does not have.
    Unsupported { offset: u64, type_name: &'static str, key: Vec<u8> },
}

impl RdbError {
    /// Where it was found, if it belongs to a place.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Damaged { offset, .. } | Self::Unsupported { offset, .. } => Some(*offset),
            Self::NotRdb | Self::Newer { .. } => Some(0),
            Self::Checksum => None,
        }
    }
}

impl fmt::Display for RdbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRdb => f.write_str("not an RDB file"),
            Self::Newer { version } => write!(f, "RDB version {version} is newer than this server knows"),
            Self::Damaged { offset, reason } => write!(f, "damaged at byte {offset}: {reason}"),
            Self::Checksum => f.write_str("the checksum at the end does not fit the contents"),
            Self::Unsupported { offset, type_name, key } => {
                let key = key.escape_ascii();
                write!(
                    f,
                    "key \"{key}\" at byte {offset} is of a type that this server does not have: {type_name}"
                )
            }
        }
    }
}

impl std::error::Error for RdbError {}

/// See the head of this file.
pub struct Decoder<'a> {
    cursor: Cursor<'a>,
    version: u32,
    limits: Limits,
    /// We wrote it, so it has a checksum.
    is_own: bool,
    /// What the file says of what is behind its end.
    seal: Option<Cow<'a, [u8]>>,
    done: bool,
}

impl<'a> Decoder<'a> {
    /// Reads the beginning. Values are held as by Redis's default settings; `with_limits` changes that.
    pub fn new(data: &'a [u8]) -> Result<Self, RdbError> {
        let digits = data.strip_prefix(MAGIC).and_then(|rest| rest.get(..4)).ok_or(RdbError::NotRdb)?;
        let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let version: u32 = text.and_then(|text| text.parse().ok()).ok_or(RdbError::NotRdb)?;
        match version {
            0 => Err(RdbError::NotRdb),
            1..=VERSION_MAX => {
                let cursor = Cursor { data, pos: 9 };
                Ok(Self {
                    cursor,
                    version,
                    limits: Limits::default(),
                    is_own: false,
                    seal: None,
                    done: false,
                })
            }
            _ => Err(RdbError::Newer { version }),
        }
    }

    /// Sets up to which size values are held in their compact forms.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The file's version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// How far the decoder is, in bytes; after the end, where the file's tail begins (a base may have
    /// commands behind it).
    pub fn offset(&self) -> usize {
        self.cursor.pos
    }

    /// The next item; `None` when all is read and the checksum fits.
    #[expect(clippy::should_implement_trait, reason = "an iterator would go on after an error")]
    pub fn next(&mut self) -> Result<Option<Item<'a>>, RdbError> {
        loop {
            return Ok(Some(match self.next_stored()? {
                None => return Ok(None),
                Some(Item::Aux { name, value }) => Item::Aux { name, value },
                Some(Item::SelectDb(db)) => Item::SelectDb(db),
                Some(Item::ResizeDb { keys, expires }) => Item::ResizeDb { keys, expires },
                Some(Item::Function { code }) => Item::Function { code },
                Some(Item::ModuleSkipped) => Item::ModuleSkipped,
                Some(Item::Entry { key, value, expires_unix_ms, idle_s, frequency }) => {
                    let Some(value) = value.read(&self.limits)? else { continue };
                    Item::Entry { key, value, expires_unix_ms, idle_s, frequency }
                }
            }));
        }
    }

    /// As [`Decoder::next`], with values left as they stand in the file.
    pub fn next_stored(&mut self) -> Result<Option<Item<'a, Stored<'a>>>, RdbError> {
        let mut expires = None;
        let (mut idle_s, mut frequency) = (None, None);
        while !self.done {
            let at = self.cursor.pos;
            let code = self.need("the end is missing", Cursor::byte)?;
            match code {
                opcode::EXPIRES_MS => {
                    expires = Some(self.need("an expiry", |c| c.array().map(i64::from_le_bytes))?);
                }
                opcode::EXPIRES_S => {
                    let s = self.need("an expiry", |c| c.array().map(i32::from_le_bytes))?;
                    expires = Some(i64::from(s) * 1000);
                }
                opcode::IDLE => idle_s = Some(self.need("an idle time", Cursor::plain)?),
                opcode::FREQUENCY => frequency = Some(self.need("a frequency", Cursor::byte)?),
                opcode::EOF => self.end()?,
                opcode::AUX => {
                    let name = self.need("a field's name", Cursor::string)?.into_bytes();
                    let value = self.need("a field's value", Cursor::string)?.into_bytes();
                    self.is_own |= *name == *AUX_SEQ.as_bytes();
                    if *name == *AUX_TAIL.as_bytes() {
                        self.seal = Some(value.clone());
                    }
                    return Ok(Some(Item::Aux { name, value }));
                }
                opcode::SELECT_DB => {
                    let db = self.need("a database", |c| u32::try_from(c.plain()?).ok())?;
                    return Ok(Some(Item::SelectDb(db)));
                }
                opcode::RESIZE_DB => {
                    let keys = self.need("a size", Cursor::plain)?;
                    let expires = self.need("a size", Cursor::plain)?;
                    return Ok(Some(Item::ResizeDb { keys, expires }));
                }
                opcode::SLOT_INFO => {
                    self.need("a slot", |c| c.plain().and_then(|_| c.plain()).and_then(|_| c.plain()))?;
                }
                opcode::FUNCTION => {
                    let code = self.need("a function library", Cursor::string)?.into_bytes();
                    return Ok(Some(Item::Function { code }));
                }
                opcode::FUNCTION_EARLY => return Err(self.damaged(at, "functions of a release candidate")),
                opcode::MODULE_AUX => {
                    self.need("a module's data", skip_module)?;
                    return Ok(Some(Item::ModuleSkipped));
                }
                kind => {
                    let (key, value) = self.entry(kind, at)?;
                    let expires_unix_ms = expires;
                    return Ok(Some(Item::Entry { key, value, expires_unix_ms, idle_s, frequency }));
                }
            }
        }
        Ok(None)
    }

    fn entry(&mut self, kind: u8, at: usize) -> Result<(Cow<'a, [u8]>, Stored<'a>), RdbError> {
        let key = self.need("a key", Cursor::string)?.into_bytes();
        if !is_known(kind) {
            let (offset, type_name) = (at as u64, kind::name(kind));
            return Err(RdbError::Unsupported { offset, type_name, key: key.into_owned() });
        }
        let at = self.cursor.pos;
        self.need("a value", |cursor| skip_value(kind, cursor))?;
        let bytes = self.cursor.data.get(at..self.cursor.pos).unwrap_or_default();
        Ok((key, Stored { kind, bytes, at }))
    }

    fn end(&mut self) -> Result<(), RdbError> {
        let upto = self.cursor.pos;
        if self.version >= VERSION_WITH_CHECKSUM {
            let expected = self.need("the checksum is missing", |c| c.array().map(u64::from_le_bytes))?;
            let mut crc = Crc64::new();
            crc.update(self.cursor.data.get(..upto).unwrap_or_default());
            // A server that was told not to compute it writes zero. We always do.
            if (expected != 0 || self.is_own) && expected != crc.value() {
                return Err(RdbError::Checksum);
            }
        }
        let behind = self.cursor.data.get(self.cursor.pos..).unwrap_or_default();
        if self.seal.as_ref().is_some_and(|seal| !tail::fits(seal, behind)) {
            return Err(self.damaged(self.cursor.pos, "what stands behind the end is not what was written"));
        }
        self.done = true;
        Ok(())
    }

    fn need<T>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&mut Cursor<'a>) -> Option<T>,
    ) -> Result<T, RdbError> {
        let at = self.cursor.pos;
        read(&mut self.cursor).ok_or_else(|| self.damaged(at, what))
    }

    fn damaged(&self, at: usize, reason: &'static str) -> RdbError {
        RdbError::Damaged { offset: at as u64, reason }
    }
}

/// Skips a module's data: it tells the kind of each of its parts.
fn skip_module(cursor: &mut Cursor<'_>) -> Option<()> {
    const END: u64 = 0;
    cursor.plain()?;
    cursor.plain()?;
    cursor.plain()?;
    loop {
        match cursor.plain()? {
            END => return Some(()),
            1 | 2 => drop(cursor.plain()?),
            3 => drop(cursor.take(4)?),
            4 => drop(cursor.take(8)?),
            5 => drop(cursor.string()?),
            _ => return None,
        }
    }
}

/// The sequence number that a base of ours holds the state of. `beginning` is the first few hundred bytes
/// of the file.
pub fn base_seq(beginning: &[u8]) -> Option<Seq> {
    let mut decoder = Decoder::new(beginning).ok()?;
    while let Ok(Some(Item::Aux { name, value })) = decoder.next() {
        if *name == *AUX_SEQ.as_bytes() {
            return std::str::from_utf8(&value).ok()?.parse().ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::rdb::{Header, RdbWriter};
    use crate::value::{Hash, Text, TextRef, ValueRef};

    const HEADER: Header<'static> = Header {
        redis_version: "7.0.15",
        created_unix_s: 1_700_000_000,
        used_memory: 5,
        aof_base: true,
        seq: Some(77),
    };

    fn bytes(bytes: &[u8]) -> ValueRef<'_> {
        ValueRef::Text(TextRef::Bytes(bytes))
    }

    fn sample() -> Vec<u8> {
        let mut writer = RdbWriter::new(Vec::new(), &HEADER, true).unwrap();
        writer.select(0, 3, 1).unwrap();
        writer.key(b"a", bytes(b"hello"), None).unwrap();
        writer.key(b"12", ValueRef::Text(TextRef::Int(-7)), Some(1_800_000_000_123)).unwrap();
        writer.key(b"long", bytes(&[b'x'; 500]), None).unwrap();
        writer.select(3, 1, 0).unwrap();
        writer.key(b"big", ValueRef::Text(TextRef::Int(i64::MAX)), None).unwrap();
        writer.finish().unwrap()
    }

    fn read(data: &[u8]) -> Result<Vec<String>, RdbError> {
        let mut decoder = Decoder::new(data)?;
        let mut items = Vec::new();
        while let Some(item) = decoder.next()? {
            items.push(match item {
                Item::Aux { name, value } => format!("{}={}", name.escape_ascii(), value.escape_ascii()),
                Item::Entry { key, value, expires_unix_ms, .. } => {
                    let value = match value.as_ref() {
                        ValueRef::Text(TextRef::Bytes(bytes)) if bytes.len() > 20 => {
                            format!("{} bytes", bytes.len())
                        }
                        ValueRef::Text(TextRef::Bytes(bytes)) => bytes.escape_ascii().to_string(),
                        ValueRef::Text(TextRef::Int(n)) => format!("int {n}"),
                        _ => format!("{value:?}"),
                    };
                    format!("{} -> {value} {expires_unix_ms:?}", key.escape_ascii())
                }
                other => format!("{other:?}"),
            });
        }
        assert_eq!(decoder.offset(), data.len());
        Ok(items)
    }

    #[test]
    fn what_is_written_reads_back() {
        let items = read(&sample()).unwrap();
        let expected = [
            "redis-ver=7.0.15",
            "redis-bits=64",
            "ctime=1700000000",
            "used-mem=5",
            "aof-base=1",
            "pinstripe-seq=77",
            "SelectDb(0)",
            "ResizeDb { keys: 3, expires: 1 }",
            "a -> hello None",
            "12 -> int -7 Some(1800000000123)",
            "long -> 500 bytes None",
            "SelectDb(3)",
            "ResizeDb { keys: 1, expires: 0 }",
            "big -> int 9223372036854775807 None",
            "pinstripe-tail=0:00000000",
        ];
        assert_eq!(items, expected);
        assert_eq!(base_seq(&sample()[..100]), Some(77));
        assert_eq!(base_seq(b"REDIS0010"), None);
    }

    /// Made by redis-server 7.0.15: SET b hello EX 1000, SET a 1, and in database 3 SET c hello; then
    /// BGREWRITEAOF.
    const OF_REDIS: &[u8] = b"REDIS0010\xfa\tredis-ver\x067.0.15\xfa\nredis-bits\xc0@\xfa\x05ctime\xc2\xb1\x01\x05k\
        \xfa\x08used-mem\xc2\x90\x18\x0f\x00\xfa\x08aof-base\xc0\x01\xfe\x00\xfb\x02\x01\xfc\xc3\xdd\x9d\x0b\xa2\x01\x00\x00\
        \x00\x01b\x05hello\x00\x01a\xc0\x01\xfe\x03\xfb\x01\x00\x00\x01c\x05hello\xff\xb2q\xc7\x94\x19\xd9\x0b\xe1";

    #[test]
    fn a_base_of_redis_is_read() {
        let items = read(OF_REDIS).unwrap();
        assert_eq!(items[7..9], ["b -> hello Some(1795491225027)", "a -> int 1 None"]);
        assert_eq!(items.last().unwrap(), "c -> hello None");
    }

    #[test]
    fn older_and_newer_forms_are_read() {
        let old = b"REDIS0003\xfe\x00\xfd\x01\x00\x00\x00\x00\x01k\x01v\xff";
        assert_eq!(read(old).unwrap(), ["SelectDb(0)", "k -> v Some(1000)"]);
        let new = b"REDIS0012\xf8\x05\xf9\x07\x00\x01k\x01v\xf5\x03lib\xf7\x01\x02\x01\x02\x09\x05\x01x\x00\xff\0\0\0\0\0\0\0\0";
        assert_eq!(read(new).unwrap().len(), 3);
    }

    #[test]
    fn a_collection_without_elements_is_no_key() {
        let file = b"REDIS0003\xfe\x00\xfd\x01\x00\x00\x00\xf9\x07\x02\x01k\x00\x00\x01l\x01v\xff";
        assert_eq!(read(file).unwrap(), ["SelectDb(0)", "l -> v None"]);
    }

    #[test]
    fn hashes_with_deadlines_are_commands_behind_a_base_and_entries_of_a_dump() {
        let mut hash = Hash::new();
        for name in ["a", "b", "c"] {
            hash.set(name.as_bytes(), b"1", &Limits::default().hash);
        }
        hash.set_deadline(b"b", Some(1_800_000_000_000));
        for aof_base in [true, false] {
            let mut writer = RdbWriter::new(Vec::new(), &Header { aof_base, ..HEADER }, true).unwrap();
            let mut entries = Vec::new();
            writer.stage(2, b"k", ValueRef::Hash(&hash), Some(1_900_000_000_000), &mut entries);
            assert_eq!(entries.is_empty(), aof_base);
            writer.raw_entry(&entries).unwrap();
            let file = writer.finish().unwrap();
            let mut decoder = Decoder::new(&file).unwrap();
            let mut found = None;
            while let Some(item) = decoder.next().unwrap() {
                if let Item::Entry { value, .. } = item {
                    found = Some(value);
                }
            }
            let tail = file[decoder.offset()..].escape_ascii().to_string().replace("\\r\\n", " ");
            if aof_base {
                assert!(tail.starts_with("*2 $6 SELECT $1 2 *8 $4 HSET $1 k "), "{tail}");
                assert!(
                    tail.ends_with(
                        "*6 $10 HPEXPIREAT $1 k $13 1800000000000 $6 FIELDS $1 1 $1 b \
                     *3 $9 PEXPIREAT $1 k $13 1900000000000 "
                    ),
                    "{tail}"
                );
                assert_eq!(found, None);
            } else {
                assert_eq!(tail, "");
                assert_eq!(found, Some(Value::Hash(hash.clone())));
            }
        }
    }

    #[test]
    fn a_base_of_ours_is_refused_without_its_checksum_and_with_another_tail() {
        let mut hash = Hash::new();
        hash.set(b"a", b"1", &Limits::default().hash);
        hash.set_deadline(b"a", Some(1_800_000_000_000));
        let mut writer = RdbWriter::new(Vec::new(), &HEADER, true).unwrap();
        for key in [b"k", b"l"] {
            writer.stage(0, key, ValueRef::Hash(&hash), None, &mut Vec::new());
        }
        let file = writer.finish().unwrap();
        let loads = |bytes: &[u8]| {
            let mut decoder = Decoder::new(bytes).unwrap();
            while decoder.next()?.is_some() {}
            Ok::<_, RdbError>(decoder.offset())
        };
        let tail = loads(&file).unwrap();
        for len in tail..file.len() {
            assert!(matches!(loads(&file[..len]), Err(RdbError::Damaged { .. })), "cut at {len}");
        }
        for at in tail..file.len() {
            let mut other = file.clone();
            other[at] ^= 1;
            assert!(loads(&other).is_err(), "byte {at}");
        }
        let mut zeroed = file.clone();
        zeroed[tail - 8..tail].fill(0);
        assert_eq!(loads(&zeroed), Err(RdbError::Checksum));
    }

    #[test]
    fn what_cannot_be_kept_is_refused_with_its_type_and_key() {
        let error = read(b"REDIS0010\xfe\x00\x07\x04feed\x01").unwrap_err();
        assert_eq!(
            error.to_string(),
            "key \"feed\" at byte 11 is of a type that this server does not have: module"
        );
        assert_eq!(read(b"REDIS0099").unwrap_err(), RdbError::Newer { version: 99 });
        assert_eq!(read(b"*1\r\n$4\r\nPING\r\n").unwrap_err(), RdbError::NotRdb);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_found() {
        let whole = sample();
        for len in 0..whole.len() {
            assert!(read(&whole[..len]).is_err(), "cut at {len}");
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&flipped).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let data = [b"REDIS0010", &bytes[..]].concat();
            if let Ok(mut decoder) = Decoder::new(&data) {
                while let Ok(Some(_)) = decoder.next() {}
            }
        }

        #[test]
        fn any_entries_read_back(entries: Vec<(Vec<u8>, Vec<u8>, Option<i64>)>) {
            let mut writer = RdbWriter::new(Vec::new(), &HEADER, true).unwrap();
            for (key, value, expires) in &entries {
                writer.key(key, ValueRef::Text(Text::new(value).as_ref()), *expires).unwrap();
            }
            let data = writer.finish().unwrap();
            let mut decoder = Decoder::new(&data).unwrap();
            let mut found = Vec::new();
            while let Some(item) = decoder.next().unwrap() {
                if let Item::Entry { key, value, expires_unix_ms, .. } = item {
                    let text = value.as_ref().text().unwrap().bytes(&mut itoa::Buffer::new()).to_vec();
                    found.push((key.into_owned(), text, expires_unix_ms));
                }
            }
            prop_assert_eq!(found, entries);
        }
    }
}
