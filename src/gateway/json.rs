//! JSON out of replies, and commands out of JSON.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis_protocol::resp2::types::OwnedFrame;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::answer::Refused;
use super::paced::Paced;
use crate::resp::request::OwnedRequest;

/// Words of one command, as Redis has it.
const WORDS_MAX: usize = 1024 * 1024;
/// Commands of one pipeline. A command takes a hundred bytes besides its own, so this bounds what a body of brackets costs.
const COMMANDS_MAX: usize = 100_000;

/// How strings of a result are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strings {
    /// As text; bytes that are not UTF-8 become U+FFFD.
    Text,
    /// In base64, but for the status OK.
    Base64,
}

/// `{"result": …}`, or `{"error": …}` for an error.
///
/// # Errors
/// When it is too long.
pub(super) async fn write_outcome(
    frame: &OwnedFrame,
    strings: Strings,
    body: &mut Paced,
) -> Result<(), Refused> {
    let name: &[u8] = if matches!(frame, OwnedFrame::Error(_)) { b"{\"error\":" } else { b"{\"result\":" };
    body.out.extend_from_slice(name);
    match frame {
        OwnedFrame::SimpleString(text) if text == b"OK" => body.out.extend_from_slice(b"\"OK\""),
        OwnedFrame::Array(items) => write_items(items, strings, body).await?,
        frame => write_value(frame, strings, &mut body.out),
    }
    body.out.push(b'}');
    body.rest().await
}

/// The outermost array is the one that may be long.
async fn write_items(items: &[OwnedFrame], strings: Strings, body: &mut Paced) -> Result<(), Refused> {
    body.out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        body.separate(index);
        write_value(item, strings, &mut body.out);
        body.rest().await?;
    }
    body.out.push(b']');
    Ok(())
}

fn write_value(frame: &OwnedFrame, strings: Strings, out: &mut Vec<u8>) {
    match frame {
        OwnedFrame::Null => out.extend_from_slice(b"null"),
        OwnedFrame::Integer(integer) => {
            out.extend_from_slice(itoa::Buffer::new().format(*integer).as_bytes())
        }
        OwnedFrame::Error(line) => write_text(line, out),
        OwnedFrame::SimpleString(bytes) | OwnedFrame::BulkString(bytes) => match strings {
            Strings::Text => write_text(&String::from_utf8_lossy(bytes), out),
            Strings::Base64 => write_text(&STANDARD.encode(bytes), out),
        },
        OwnedFrame::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(item, strings, out);
            }
            out.push(b']');
        }
    }
}

/// A JSON string.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    // A vector takes all that is written to it.
    let _ = serde_json::to_writer(out, text);
}

/// A command from an array of its words: strings, and numbers and truth values as their text.
///
/// # Errors
/// What is wrong with it, for a person.
pub(super) fn command(body: &[u8]) -> Result<OwnedRequest, String> {
    read(body, Words).map_err(|why| {
        format!("The body must be one command as a JSON array, such as [\"GET\", \"key\"]: {why}")
    })
}

/// Commands from an array of them.
///
/// # Errors
/// What is wrong with it, for a person.
pub(super) fn commands(body: &[u8]) -> Result<Vec<OwnedRequest>, String> {
    read(body, Commands).map_err(|why| {
        format!(
            "The body must be a JSON array of commands, such as [[\"GET\", \"a\"], [\"GET\", \"b\"]]: {why}"
        )
    })
}

/// The text that `{"value": …}` asks to store: a string, or a number as it was written.
///
/// # Errors
/// What is wrong with it, for a person.
pub(super) fn value(body: &[u8]) -> Result<Vec<u8>, String> {
    read(body, Value)
        .map_err(|why| format!("The body must be a JSON object such as {{\"value\": \"text\"}}: {why}"))
}

fn read<'b, S: DeserializeSeed<'b>>(body: &'b [u8], seed: S) -> Result<S::Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let found = seed.deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

/// What a scalar stands for; truth values only in commands.
fn scalar(raw: &RawValue, truth: bool) -> Option<Result<Vec<u8>, serde_json::Error>> {
    let text = raw.get();
    match text.as_bytes().first()? {
        // Without escapes the string is the text itself.
        b'"' if !text.contains('\\') => Some(Ok(text.as_bytes()[1..text.len() - 1].to_vec())),
        b'"' => Some(serde_json::from_str::<String>(text).map(String::into_bytes)),
        b'-' | b'0'..=b'9' => Some(Ok(text.as_bytes().to_vec())),
        b't' | b'f' if truth => Some(Ok(text.as_bytes().to_vec())),
        _ => None,
    }
}

struct Words;

impl<'de> DeserializeSeed<'de> for Words {
    type Value = OwnedRequest;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<OwnedRequest, D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Words {
    type Value = OwnedRequest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of words")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OwnedRequest, A::Error> {
        let mut request = OwnedRequest::default();
        let mut count = 0;
        while let Some(raw) = items.next_element::<&RawValue>()? {
            let word = scalar(raw, true)
                .ok_or_else(|| A::Error::custom("each word must be a string, a number, true or false"))?;
            request.push(&word.map_err(A::Error::custom)?);
            count += 1;
            if count > WORDS_MAX {
                return Err(A::Error::custom(format!("more than {WORDS_MAX} words")));
            }
        }
        if count == 0 {
            return Err(A::Error::custom("the command has no name"));
        }
        Ok(request)
    }
}

struct Commands;

impl<'de> DeserializeSeed<'de> for Commands {
    type Value = Vec<OwnedRequest>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Vec<OwnedRequest>, D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Commands {
    type Value = Vec<OwnedRequest>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of commands")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<OwnedRequest>, A::Error> {
        let mut requests = Vec::new();
        while let Some(request) = items.next_element_seed(Words)? {
            if requests.len() == COMMANDS_MAX {
                return Err(A::Error::custom(format!("more than {COMMANDS_MAX} commands")));
            }
            requests.push(request);
        }
        Ok(requests)
    }
}

struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Vec<u8>, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Vec<u8>, A::Error> {
        let mut found = None;
        while let Some(name) = fields.next_key::<std::borrow::Cow<'de, str>>()? {
            if name == "value" {
                found = Some(fields.next_value::<&RawValue>()?);
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        let raw = found.ok_or_else(|| A::Error::custom("it has no \"value\""))?;
        let bytes = scalar(raw, false).ok_or_else(|| {
            A::Error::custom("\"value\" must be a string or a number; send other JSON as its text")
        })?;
        bytes.map_err(A::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(body: &str) -> Result<Vec<String>, String> {
        let request = command(body.as_bytes())?;
        let text = |word: &[u8]| String::from_utf8(word.to_vec()).unwrap();
        Ok(request.as_request().iter().map(text).collect())
    }

    fn outcome(frame: OwnedFrame, strings: Strings) -> String {
        let mut body = Paced::new(u64::MAX);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(write_outcome(&frame, strings, &mut body)).unwrap();
        String::from_utf8(body.out).unwrap()
    }

    #[test]
    fn words_are_strings_and_what_has_one_text() {
        let body = r#" ["SET", "k\n\u00e9", 1, -1.50, 1e400, 12345678901234567890123, true, ""] "#;
        let expected = ["SET", "k\né", "1", "-1.50", "1e400", "12345678901234567890123", "true", ""];
        assert_eq!(words(body).unwrap(), expected);
        for broken in [
            "",
            "[]",
            "[",
            "{}",
            "\"GET\"",
            "[null]",
            "[[]]",
            "[{}]",
            "[\"a\"] x",
            "[\"a\",]",
            "[\"\\ud800\"]",
            "[\"a\n\"]",
            "[\u{0}]",
        ] {
            assert!(words(broken).is_err(), "{broken}");
        }
        assert!(command(b"[\"\xff\"]").is_err());
    }

    #[test]
    fn a_value_is_a_string_or_a_number_as_it_was_written() {
        for (body, expected) in [
            (r#"{"value": "text"}"#, "text"),
            (r#"{"value": ""}"#, ""),
            (r#"{"other": [1, {"value": 2}], "value": 1.0}"#, "1.0"),
            (r#"{"value": 1, "value": "2"}"#, "2"),
            (r#"{"v\u0061lue": "a\"b"}"#, "a\"b"),
            (r#"{"value": -0}"#, "-0"),
        ] {
            assert_eq!(value(body.as_bytes()).unwrap(), expected.as_bytes(), "{body}");
        }
        for body in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"Value": "x"}"#,
            r#"{"value": true}"#,
            r#"{"value": null}"#,
            r#"{"value": {}}"#,
            r#"{"value": []}"#,
            r#"{"value": 01}"#,
            r#"{"value": "x"} {}"#,
        ] {
            assert!(value(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn nothing_is_too_deep_to_be_refused() {
        let deep = format!("{{\"x\": {}1{}, \"value\": 2}}", "[".repeat(100_000), "]".repeat(100_000));
        // Passed over or refused, but without a deep stack.
        let _ = value(deep.as_bytes());
        assert!(commands("[".repeat(1_000_000).as_bytes()).is_err());
        assert!(command(format!("[{}]", "[".repeat(1_000_000)).as_bytes()).is_err());
    }

    #[test]
    fn results_have_the_shapes_of_upstash() {
        let nested = || {
            OwnedFrame::Array(vec![
                OwnedFrame::BulkString(b"a\"\xff".to_vec()),
                OwnedFrame::Null,
                OwnedFrame::Array(vec![OwnedFrame::Integer(-7)]),
                OwnedFrame::SimpleString(b"OK".to_vec()),
            ])
        };
        let ok = || OwnedFrame::SimpleString(b"OK".to_vec());
        assert_eq!(outcome(nested(), Strings::Text), "{\"result\":[\"a\\\"\u{fffd}\",null,[-7],\"OK\"]}");
        assert_eq!(outcome(nested(), Strings::Base64), r#"{"result":["YSL/",null,[-7],"T0s="]}"#);
        assert_eq!(outcome(ok(), Strings::Base64), r#"{"result":"OK"}"#);
        assert_eq!(outcome(OwnedFrame::BulkString(b"OK".to_vec()), Strings::Base64), r#"{"result":"T0s="}"#);
        assert_eq!(
            outcome(OwnedFrame::SimpleString(b"PONG".to_vec()), Strings::Base64),
            r#"{"result":"UE9ORw=="}"#
        );
        assert_eq!(
            outcome(OwnedFrame::Error("ERR \"x\"".into()), Strings::Base64),
            r#"{"error":"ERR \"x\""}"#
        );
    }

    proptest! {
        #[test]
        fn every_text_survives_the_way_in_and_out(texts in proptest::collection::vec(".*", 1..5)) {
            let body = serde_json::to_vec(&texts).unwrap();
            prop_assert_eq!(words(std::str::from_utf8(&body).unwrap()).unwrap(), texts.clone());
            let frame = OwnedFrame::BulkString(texts[0].clone().into_bytes());
            let back: serde_json::Value = serde_json::from_str(&outcome(frame, Strings::Text)).unwrap();
            prop_assert_eq!(back["result"].as_str(), Some(texts[0].as_str()));
        }

        #[test]
        fn no_bytes_make_it_panic(body: Vec<u8>) {
            let _ = (command(&body), commands(&body), value(&body));
        }
    }
}
