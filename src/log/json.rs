//! The file that the first of Pinstripe's ancestors kept: one JSON object, keys to values.
//!
//! ```text
//! {"key_1": "value_1", "key_2": "value_2"}
//! ```
//!
//! Written are strings only. Read is any JSON object: a value that is no string is taken as its text, as it stands there. The
//! reader keeps one key and one value in memory at a time, so the file may be of any length. Of a key that is there twice
//! the later value counts, if the caller keeps the order.

use std::fmt;
use std::io::{self, BufRead, Read, Write};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What a value was in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    /// A string; it is taken as it is.
    String,
    /// A number, as it was written.
    Number,
    /// `true` or `false`.
    Truth,
    /// `null`.
    Null,
    /// An object or an array.
    Nested,
}

impl JsonKind {
    /// For a person, in the plural.
    pub fn name(self) -> &'static str {
        match self {
            JsonKind::String => "strings",
            JsonKind::Number => "numbers",
            JsonKind::Truth => "truth values",
            JsonKind::Null => "nulls",
            JsonKind::Nested => "objects and arrays",
        }
    }
}

/// Why reading an object ended early.
#[derive(Debug)]
pub enum JsonError<E> {
    /// The file could not be read.
    Io(io::Error),
    /// It is not what it should be: what, with line and column.
    Malformed(String),
    /// The caller's own reason.
    Stopped(E),
}

/// Reads an object and hands out its keys and values in their order.
///
/// # Errors
/// See [`JsonError`]. What was handed out before may be a part of a file that is not whole.
pub fn read_object<E>(
    source: impl Read,
    mut each: impl FnMut(&str, &[u8], JsonKind) -> Result<(), E>,
) -> Result<(), JsonError<E>> {
    let mut stopped = None;
    let mut reader = serde_json::Deserializer::from_reader(source);
    let object = Object { each: &mut each, stopped: &mut stopped };
    let outcome = object.deserialize(&mut reader).and_then(|()| reader.end());
    match (stopped, outcome) {
        (Some(why), _) => Err(JsonError::Stopped(why)),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) if error.is_io() => Err(JsonError::Io(error.into())),
        (None, Err(error)) => Err(JsonError::Malformed(error.to_string())),
    }
}

/// Passes over the mark that some editors put in front of UTF-8; JSON itself knows none.
///
/// # Errors
/// When the source cannot be read.
pub fn skip_mark(source: &mut impl BufRead) -> io::Result<()> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    if source.fill_buf()?.starts_with(MARK) {
        source.consume(MARK.len());
    }
    Ok(())
}

struct Object<'c, F, E> {
    each: &'c mut F,
    stopped: &'c mut Option<E>,
}

impl<'de, E, F: FnMut(&str, &[u8], JsonKind) -> Result<(), E>> DeserializeSeed<'de> for Object<'_, F, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de, E, F: FnMut(&str, &[u8], JsonKind) -> Result<(), E>> Visitor<'de> for Object<'_, F, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one JSON object of keys to values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(key) = fields.next_key::<String>()? {
            let raw = fields.next_value::<Box<RawValue>>()?;
            let (text, kind) = value_of(&raw).map_err(A::Error::custom)?;
            if let Err(why) = (self.each)(&key, text.as_bytes(), kind) {
                *self.stopped = Some(why);
                return Err(A::Error::custom("the caller has stopped"));
            }
        }
        Ok(())
    }
}

/// A string's text, or any other value's as it was written.
fn value_of(raw: &RawValue) -> Result<(std::borrow::Cow<'_, str>, JsonKind), serde_json::Error> {
    let text = raw.get();
    let kind = match text.as_bytes().first() {
        Some(b'"') => return Ok((serde_json::from_str::<String>(text)?.into(), JsonKind::String)),
        Some(b'{' | b'[') => JsonKind::Nested,
        Some(b't' | b'f') => JsonKind::Truth,
        Some(b'n') => JsonKind::Null,
        _ => JsonKind::Number,
    };
    Ok((text.into(), kind))
}

/// Writes an object, one key a line.
pub struct ObjectWriter<W> {
    sink: W,
    is_empty: bool,
}

impl<W: Write> ObjectWriter<W> {
    /// Writes the beginning. The sink should buffer.
    ///
    /// # Errors
    /// The sink's.
    pub fn new(mut sink: W) -> io::Result<Self> {
        sink.write_all(b"{")?;
        Ok(ObjectWriter { sink, is_empty: true })
    }

    /// Writes a key and its value. False, and nothing is written, where one of them is not UTF-8: JSON cannot hold it.
    ///
    /// # Errors
    /// The sink's.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> io::Result<bool> {
        let (Ok(key), Ok(value)) = (std::str::from_utf8(key), std::str::from_utf8(value)) else {
            return Ok(false);
        };
        let sink = &mut self.sink;
        sink.write_all(if std::mem::take(&mut self.is_empty) { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *sink, key)?;
        sink.write_all(b": ")?;
        serde_json::to_writer(&mut *sink, value)?;
        Ok(true)
    }

    /// Writes the end, and gives the sink back, not flushed.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish(mut self) -> io::Result<W> {
        self.sink.write_all(if self.is_empty { b"}\n" } else { b"\n}\n" })?;
        Ok(self.sink)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8]) -> Result<Vec<(String, String, JsonKind)>, JsonError<()>> {
        let mut found = Vec::new();
        read_object(text, |key, value, kind| {
            found.push((key.to_owned(), String::from_utf8(value.to_vec()).unwrap(), kind));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn strings_are_taken_as_they_are_and_the_rest_as_its_text() {
        let text = r#" {"a": "x\n\u00e9", "b": 1.50, "c": [1, {"d": null}], "e": true, "f": null, "a": ""} "#;
        let found = read(text.as_bytes()).unwrap();
        let expected = [
            ("a", "x\né", JsonKind::String),
            ("b", "1.50", JsonKind::Number),
            ("c", r#"[1, {"d": null}]"#, JsonKind::Nested),
            ("e", "true", JsonKind::Truth),
            ("f", "null", JsonKind::Null),
            ("a", "", JsonKind::String),
        ];
        assert_eq!(found, expected.map(|(key, value, kind)| (key.to_owned(), value.to_owned(), kind)));
        assert!(read(b"{}").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_place() {
        for text in [
            "",
            "[]",
            "1",
            "{",
            r#"{"a": "x""#,
            r#"{"a"}"#,
            r#"{"a": "x"} {}"#,
            r#"{"a": "\ud800"}"#,
            "{1: 2}",
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(
                matches!(&error, JsonError::Malformed(why) if why.contains("line 1")),
                "{text}: {error:?}"
            );
        }
        assert!(read(b"{\"a\": \"\xff\"}").is_err());
        assert!(read(format!("{{\"a\": {}", "[".repeat(100_000)).as_bytes()).is_err());
    }

    #[test]
    fn a_caller_can_stop() {
        let outcome = read_object(&b"{\"a\": 1, \"b\": 2}"[..], |key, _, _| Err(key.to_owned()));
        assert!(matches!(outcome, Err(JsonError::Stopped(key)) if key == "a"));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(pairs: Vec<(String, String)>) {
            let mut writer = ObjectWriter::new(Vec::new()).unwrap();
            for (key, value) in &pairs {
                prop_assert!(writer.put(key.as_bytes(), value.as_bytes()).unwrap());
            }
            prop_assert!(!writer.put(b"k", b"\xff").unwrap());
            let text = writer.finish().unwrap();
            let found: Vec<_> = read(&text).unwrap().into_iter().map(|(key, value, _)| (key, value)).collect();
            prop_assert_eq!(found, pairs);
        }
    }
}
