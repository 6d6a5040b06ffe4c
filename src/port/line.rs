//! JSON Lines: one key a line, all types, any bytes.
//!
//! ```text
//! {"db":0,"key":"k","type":"string","value":"text","expire_at_ms":1800000000000}
//! {"db":0,"key":"l","type":"list","value":["first","second"]}
//! {"db":0,"key":"s","type":"set","value":["member"]}
//! {"db":0,"key":"z","type":"zset","value":[["member",1.5],["last","inf"]]}
//! {"db":0,"key":"h","type":"hash","value":[["field","value"],["short-lived","value",1800000000000]]}
//! {"db":0,"key":{"base64":"//4="},"type":"string","value":{"base64":"/wAB"}}
//! ```
//!
//! - `db` may be left out (0), and so may `expire_at_ms` (it stays). Times are Unix time in milliseconds.
//! - Whatever stands for bytes (a key, a string, an element, a field, a member) is a JSON string where the bytes are UTF-8, else an
//!   object with base64. Where numbers stand for bytes they are taken as they are written.
//! - Scores are numbers, written so that they read back exactly; infinities are the strings `inf` and `-inf`.
//! - A field's third member is when the field goes. A hash may be given as an object of fields to values, too.
//! - The value of a `stream` is an object: see [`super::stream`].
//! - Other members are refused: a misspelt `expire_at_ms` would keep a key for ever.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Entry, OwnedEntry, stream};
use crate::base::clock::NEVER;
use crate::base::number;
use crate::log::rdb::Limits;
use crate::value::{Hash, List, Set, Text, TextRef, Value, ValueRef, ZSet};

/// Appends an entry's line, with its end.
pub(super) fn write(entry: Entry<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"db\":");
    number::write_i64(out, i64::from(entry.db));
    out.extend_from_slice(b",\"key\":");
    write_bytes(entry.key, out);
    out.extend_from_slice(b",\"type\":\"");
    out.extend_from_slice(entry.value.kind().name().as_bytes());
    out.extend_from_slice(b"\",\"value\":");
    match entry.value {
        ValueRef::Text(text) => write_text(text, out),
        ValueRef::List(list) => write_array(list.iter(), out, write_text),
        ValueRef::Set(set) => write_array(set.iter(), out, write_text),
        ValueRef::ZSet(zset) => write_array(zset.iter(), out, |(member, score), out| {
            out.push(b'[');
            write_text(member, out);
            out.push(b',');
            write_score(score, out);
            out.push(b']');
        }),
        ValueRef::Hash(hash) => write_array(hash.iter(), out, |field, out| {
            out.push(b'[');
            write_text(field.name, out);
            out.push(b',');
            write_text(field.value, out);
            if field.deadline != NEVER {
                out.push(b',');
                number::write_i64(out, field.deadline);
            }
            out.push(b']');
        }),
        ValueRef::Stream(value) => stream::write(value, out),
    }
    if let Some(at) = entry.expire_at_ms {
        out.extend_from_slice(b",\"expire_at_ms\":");
        number::write_i64(out, at);
    }
    out.extend_from_slice(b"}\n");
}

pub(super) fn write_array<T>(
    items: impl Iterator<Item = T>,
    out: &mut Vec<u8>,
    write: impl Fn(T, &mut Vec<u8>),
) {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

pub(super) fn write_text(text: TextRef<'_>, out: &mut Vec<u8>) {
    write_bytes(text.bytes(&mut itoa::Buffer::new()), out);
}

pub(super) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(bytes) {
        // A vector takes all that is written to it.
        Ok(text) => drop(serde_json::to_writer(out, text)),
        Err(_) => {
            let text = format!("{{\"base64\":\"{}\"}}", STANDARD.encode(bytes));
            out.extend_from_slice(text.as_bytes());
        }
    }
}

fn write_score(score: f64, out: &mut Vec<u8>) {
    if score.is_finite() {
        number::write_double(out, score);
    } else {
        out.push(b'"');
        number::write_double(out, score);
        out.push(b'"');
    }
}

/// Reads a line.
///
/// # Errors
/// What is wrong with it, for a person.
pub(super) fn parse(line: &str, limits: &Limits) -> Result<OwnedEntry, String> {
    let parts = object(line)?;
    let mut db = 0;
    let (mut key, mut kind, mut value, mut expire_at_ms) = (None, None, None, None);
    for (name, raw) in &parts {
        match name.as_str() {
            "db" => db = raw.get().parse::<u32>().map_err(|_| format!("db {} is no number", raw.get()))?,
            "key" => key = Some(bytes(raw)?),
            "type" => kind = Some(string(raw)?),
            "value" => value = Some(*raw),
            "expire_at_ms" if raw.get() == "null" => {}
            "expire_at_ms" => expire_at_ms = Some(time(raw)?),
            other => return Err(format!("there is no member {other:?}")),
        }
    }
    let missing = |what: &str| format!("it has no {what:?}");
    let key = key.ok_or_else(|| missing("key"))?;
    let kind = kind.ok_or_else(|| missing("type"))?;
    let value = value.ok_or_else(|| missing("value"))?;
    let value = match kind.as_str() {
        "string" => Value::Text(Text::new(&bytes(value)?)),
        "list" => list(value, limits)?,
        "set" => set(value, limits)?,
        "zset" => zset(value, limits)?,
        "hash" => hash(value, limits)?,
        "stream" => stream::parse(value, limits)?,
        other => {
            return Err(format!(
                "there is no type {other:?}: string, list, set, zset, hash and stream are known"
            ));
        }
    };
    if value.is_void() {
        return Err(format!("the {kind} is empty, which no key can be"));
    }
    Ok(OwnedEntry { db, key, value, expire_at_ms })
}

/// Whether a line looks like one of these, and not like an object of keys to values.
pub(super) fn is_line(line: &str) -> bool {
    object(line).is_ok_and(|parts| {
        ["key", "type", "value"].iter().all(|name| parts.iter().any(|(found, _)| found == name))
    })
}

fn list(raw: &RawValue, limits: &Limits) -> Result<Value, String> {
    let mut list = List::new();
    for item in array(raw)? {
        list.push_back(&bytes(item)?, limits.list);
    }
    Ok(Value::List(list))
}

fn set(raw: &RawValue, limits: &Limits) -> Result<Value, String> {
    let mut set = Set::new();
    for item in array(raw)? {
        set.add(&bytes(item)?, &limits.set);
    }
    Ok(Value::Set(set))
}

fn zset(raw: &RawValue, limits: &Limits) -> Result<Value, String> {
    let mut zset = ZSet::new();
    for item in array(raw)? {
        let [member, score] = array(item)?[..] else {
            return Err(format!("a member of a sorted set is [member, score], not {}", shown(item)));
        };
        let score =
            number::parse_f64(&bytes(score)?).ok_or_else(|| format!("{} is no score", shown(score)))?;
        zset.insert(&bytes(member)?, score, &limits.zset);
    }
    Ok(Value::ZSet(zset))
}

fn hash(raw: &RawValue, limits: &Limits) -> Result<Value, String> {
    let mut hash = Hash::new();
    if raw.get().starts_with('{') {
        for (name, value) in object(raw.get())? {
            hash.set(name.as_bytes(), &bytes(value)?, &limits.hash);
        }
        return Ok(Value::Hash(hash));
    }
    for item in array(raw)? {
        match array(item)?[..] {
            [name, value] => drop(hash.set(&bytes(name)?, &bytes(value)?, &limits.hash)),
            [name, value, at] => {
                let name = bytes(name)?;
                hash.set(&name, &bytes(value)?, &limits.hash);
                hash.set_deadline(&name, Some(time(at)?));
            }
            _ => return Err(format!("a field of a hash is [field, value], not {}", shown(item))),
        }
    }
    Ok(Value::Hash(hash))
}

pub(super) fn time(raw: &RawValue) -> Result<i64, String> {
    let at = number::parse_i64(raw.get().as_bytes()).filter(|at| (0..NEVER).contains(at));
    at.ok_or_else(|| format!("{} is no time in milliseconds", shown(raw)))
}

/// A string, an object with base64, or a number as it is written.
pub(super) fn bytes(raw: &RawValue) -> Result<Vec<u8>, String> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => string(raw).map(String::into_bytes),
        Some(b'-' | b'0'..=b'9') => Ok(text.as_bytes().to_vec()),
        Some(b'{') => {
            let parts = object(text)?;
            let [(name, encoded)] = &parts[..] else {
                return Err(format!("bytes are a string or {{\"base64\":\"…\"}}, not {}", shown(raw)));
            };
            let decoded = STANDARD.decode(string(encoded)?).ok().filter(|_| name == "base64");
            decoded.ok_or_else(|| format!("{} is no base64", shown(raw)))
        }
        _ => Err(format!("bytes are a string or {{\"base64\":\"…\"}}, not {}", shown(raw))),
    }
}

pub(super) fn string(raw: &RawValue) -> Result<String, String> {
    let text = raw.get();
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        // Without escapes the string is the text itself.
        Some(inner) if !inner.contains('\\') => Ok(inner.to_owned()),
        Some(_) => serde_json::from_str(text).map_err(|error| error.to_string()),
        None => Err(format!("{} is no string", shown(raw))),
    }
}

pub(super) fn array(raw: &RawValue) -> Result<Vec<&RawValue>, String> {
    serde_json::from_str(raw.get()).map_err(|_| format!("{} is no array", shown(raw)))
}

/// The beginning of a value, for a message.
pub(super) fn shown(raw: &RawValue) -> String {
    const SHOWN: usize = 40;
    let text: String = raw.get().chars().take(SHOWN).collect();
    if text.len() < raw.get().len() { format!("{text}…") } else { text }
}

type Parts<'a> = Vec<(String, &'a RawValue)>;

/// The members of an object, in order.
pub(super) fn object(text: &str) -> Result<Parts<'_>, String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let parts = Members.deserialize(&mut reader).and_then(|parts| reader.end().map(|()| parts));
    parts.map_err(|error| error.to_string())
}

struct Members;

impl<'de> DeserializeSeed<'de> for Members {
    type Value = Parts<'de>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Parts<'de>, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = Parts<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Parts<'de>, A::Error> {
        let mut parts: Parts<'de> = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            if parts.iter().take(8).any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format!("{name:?} is there twice")));
            }
            parts.push((name, members.next_value()?));
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> Result<OwnedEntry, String> {
        parse(line, &Limits::default())
    }

    fn line(entry: &OwnedEntry) -> String {
        let mut out = Vec::new();
        write(entry.as_ref(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_lines_at_the_head_of_this_file_read_back_as_they_are() {
        let head = include_str!("line.rs").lines().filter_map(|line| line.strip_prefix("//! {"));
        let lines: Vec<String> = head.map(|line| format!("{{{line}\n")).collect();
        assert_eq!(lines.len(), 6);
        for text in lines {
            assert!(is_line(&text));
            let entry = read(&text).unwrap();
            let written = line(&entry);
            // A hash with deadlines and a set come in an order of their own.
            assert_eq!((read(&written).unwrap(), written.len()), (entry, text.len()), "{written}");
        }
    }

    #[test]
    fn hand_written_lines_may_be_shorter() {
        let entry =
            read(r#" {"key": 7, "type": "hash", "value": {"f": 1.50}, "expire_at_ms": null} "#).unwrap();
        assert_eq!((entry.db, entry.key.as_slice(), entry.expire_at_ms), (0, b"7".as_slice(), None));
        let expected = r#"{"db":0,"key":"7","type":"hash","value":[["f","1.50"]]}"#;
        assert_eq!(line(&entry).trim_end(), expected);
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        for (text, expected) in [
            ("{", "EOF"),
            ("[]", "an object"),
            (r#"{"key":"k","type":"string"}"#, "no \"value\""),
            (r#"{"type":"string","value":""}"#, "no \"key\""),
            (r#"{"key":"k","value":""}"#, "no \"type\""),
            (r#"{"key":"k","type":"graph","value":""}"#, "no type \"graph\""),
            (r#"{"key":"k","type":"stream","value":{}}"#, "\"entries\""),
            (r#"{"key":"k","type":"stream","value":{"entries":[["1-0",["f"]]]}}"#, "in pairs"),
            (r#"{"key":"k","type":"stream","value":{"entries":[["0",["f","v"]]]}}"#, "does not come after"),
            (r#"{"key":"k","type":"string","value":"","ttl":1}"#, "no member \"ttl\""),
            (r#"{"key":"k","key":"l","type":"string","value":""}"#, "twice"),
            (r#"{"key":"k","type":"string","value":true}"#, "not true"),
            (r#"{"key":"k","type":"string","value":{"base64":"*"}}"#, "no base64"),
            (r#"{"key":"k","type":"list","value":[]}"#, "empty"),
            (r#"{"key":"k","type":"list","value":"x"}"#, "no array"),
            (r#"{"key":"k","type":"zset","value":[["m"]]}"#, "[member, score]"),
            (r#"{"key":"k","type":"zset","value":[["m","nan"]]}"#, "no score"),
            (r#"{"key":"k","type":"hash","value":[["f"]]}"#, "[field, value]"),
            (r#"{"key":"k","type":"string","value":"","expire_at_ms":1.5}"#, "no time"),
            (r#"{"db":-1,"key":"k","type":"string","value":""}"#, "no number"),
            (r#"{"key":"\ud800","type":"string","value":""}"#, "hex escape"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..8);
        let limits = Limits::default();
        let some = 1..40usize;
        prop_oneof![
            bytes().prop_map(|bytes| Value::Text(Text::new(&bytes))),
            proptest::collection::vec(bytes(), some.clone()).prop_map(move |items| {
                let mut list = List::new();
                items.iter().for_each(|item| list.push_back(item, limits.list));
                Value::List(list)
            }),
            proptest::collection::vec(bytes(), some.clone()).prop_map(move |items| {
                let mut set = Set::new();
                for item in items {
                    set.add(&item, &limits.set);
                }
                Value::Set(set)
            }),
            proptest::collection::vec((bytes(), any::<f64>()), some.clone()).prop_map(move |items| {
                let mut zset = ZSet::new();
                for (member, score) in items {
                    zset.insert(&member, if score.is_nan() { f64::INFINITY } else { score }, &limits.zset);
                }
                Value::ZSet(zset)
            }),
            proptest::collection::vec((bytes(), bytes(), proptest::option::of(0..NEVER)), some).prop_map(
                move |items| {
                    let mut hash = Hash::new();
                    for (name, value, at) in items {
                        hash.set(&name, &value, &limits.hash);
                        hash.set_deadline(&name, at);
                    }
                    Value::Hash(hash)
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn every_value_reads_back(db: u32, key: Vec<u8>, value in value(), at in proptest::option::of(0..NEVER)) {
            let entry = OwnedEntry { db, key, value, expire_at_ms: at };
            prop_assert_eq!(read(&line(&entry)).unwrap(), entry);
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = read(&text);
        }
    }
}
