//! Streams in JSON Lines: the member `value` of a line whose type is `stream`.
//!
//! ```text
//! {"entries":[["1-0",["field","value"]]],"last_id":"1-0","max_deleted_id":"0-0","entries_added":1,
//!  "groups":[{"name":"g","last_id":"1-0","entries_read":1,
//!             "consumers":[["alice",1800000000000]],"pending":[["1-0","alice",1800000000000,1]]}]}
//! ```
//!
//! - A consumer is its name and when it was last seen; what is pending is the id, who has it, when it was delivered and how
//!   often. Times are Unix time in milliseconds.
//! - Only `entries` must be there. The others follow from them: no group, nothing deleted, all entries that were ever added.
//! - `entries_read` is null, or left out, where a group does not know how many entries it has read.

use serde_json::value::RawValue;

use super::line::{array, bytes, object, shown, string, time, write_array, write_bytes, write_text};
use crate::base::number;
use crate::log::rdb::Limits;
use crate::value::stream::{Entry, Group, Id};
use crate::value::{Stream, Value};

/// Appends a stream.
pub(super) fn write(stream: &Stream, out: &mut Vec<u8>) {
    let log = stream.log();
    out.extend_from_slice(b"{\"entries\":");
    write_array(log.range(Id::MIN, Id::MAX), out, write_entry);
    write_id(b",\"last_id\":", log.last_id(), out);
    write_id(b",\"max_deleted_id\":", log.max_deleted(), out);
    out.extend_from_slice(b",\"entries_added\":");
    write_number(log.added(), out);
    out.extend_from_slice(b",\"groups\":");
    write_array(stream.groups(), out, |(name, group), out| write_group(name, group, out));
    out.push(b'}');
}

fn write_entry(entry: Entry<'_>, out: &mut Vec<u8>) {
    write_id(b"[", entry.id, out);
    out.push(b',');
    write_array(entry.fields().flat_map(|(name, value)| [name, value]), out, write_text);
    out.push(b']');
}

fn write_group(name: &[u8], group: &Group, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"name\":");
    write_bytes(name, out);
    write_id(b",\"last_id\":", group.last_id, out);
    if let Some(read) = group.entries_read {
        out.extend_from_slice(b",\"entries_read\":");
        write_number(read, out);
    }
    out.extend_from_slice(b",\"consumers\":");
    write_array(group.consumers(), out, |(name, consumer), out| {
        out.push(b'[');
        write_bytes(name, out);
        out.push(b',');
        number::write_i64(out, consumer.seen());
        out.push(b']');
    });
    out.extend_from_slice(b",\"pending\":");
    write_array(group.pending().range(Id::MIN), out, |(id, pending), out| {
        write_id(b"[", id, out);
        out.push(b',');
        write_bytes(group.owner(&pending), out);
        out.push(b',');
        number::write_i64(out, pending.delivered);
        out.push(b',');
        write_number(pending.count, out);
        out.push(b']');
    });
    out.push(b'}');
}

fn write_id(before: &[u8], id: Id, out: &mut Vec<u8>) {
    out.extend_from_slice(before);
    out.push(b'"');
    out.extend_from_slice(&id.text());
    out.push(b'"');
}

fn write_number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Reads a stream.
///
/// # Errors
/// What is wrong with it, for a person.
pub(super) fn parse(raw: &RawValue, limits: &Limits) -> Result<Value, String> {
    let (mut entries, mut groups) = (None, Vec::new());
    let (mut last_id, mut max_deleted, mut added) = (None, Id::MIN, None);
    for (name, raw) in object(raw.get())? {
        match name.as_str() {
            "entries" => entries = Some(array(raw)?),
            "last_id" => last_id = Some(id(raw)?),
            "max_deleted_id" => max_deleted = id(raw)?,
            "entries_added" => added = Some(count(raw)?),
            "groups" => groups = array(raw)?,
            other => return Err(format!("a stream has no member {other:?}")),
        }
    }
    let mut stream = Stream::new();
    for entry in entries.ok_or("a stream has \"entries\"")? {
        let [at, fields] = array(entry)?[..] else {
            return Err(format!("an entry of a stream is [id, [field, value, …]], not {}", shown(entry)));
        };
        let words = array(fields)?.into_iter().map(bytes).collect::<Result<Vec<_>, _>>()?;
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        if words.is_empty() || words.len() % 2 == 1 {
            return Err(format!("fields and values of an entry come in pairs, not as {}", shown(fields)));
        }
        if !stream.push(id(at)?, &words, limits.stream) {
            return Err(format!("{} does not come after the entry before it", shown(at)));
        }
    }
    let last_id = last_id.unwrap_or(stream.log().last_id());
    let added = added.unwrap_or(stream.log().added());
    if last_id < stream.log().last_id() {
        return Err(format!("last_id {last_id} is lower than that of the last entry"));
    }
    stream.set_history(last_id, max_deleted, added);
    for raw in groups {
        let (name, group) = group(raw)?;
        if !stream.add_group(&name, group) {
            return Err("two groups have the same name".to_owned());
        }
    }
    Ok(stream.into())
}

fn group(raw: &RawValue) -> Result<(Vec<u8>, Group), String> {
    let (mut own_name, mut consumers, mut pending) = (None, Vec::new(), Vec::new());
    let mut group = Group::new(Id::MIN, None);
    for (name, raw) in object(raw.get())? {
        match name.as_str() {
            "name" => own_name = Some(bytes(raw)?),
            "last_id" => group.last_id = id(raw)?,
            "entries_read" if raw.get() == "null" => {}
            "entries_read" => group.entries_read = Some(count(raw)?),
            "consumers" => consumers = array(raw)?,
            "pending" => pending = array(raw)?,
            other => return Err(format!("a group has no member {other:?}")),
        }
    }
    for raw in consumers {
        let [name, seen] = array(raw)?[..] else {
            return Err(format!("a consumer is [name, time], not {}", shown(raw)));
        };
        group.add_consumer(&bytes(name)?, time(seen)?);
    }
    for raw in pending {
        let [at, owner, delivered, times] = array(raw)?[..] else {
            return Err(format!("what is pending is [id, consumer, time, count], not {}", shown(raw)));
        };
        if !group.assign(id(at)?, &bytes(owner)?, time(delivered)?, count(times)?) {
            return Err(format!("the group has no consumer {}", shown(owner)));
        }
    }
    Ok((own_name.ok_or("a group has a \"name\"")?, group))
}

fn id(raw: &RawValue) -> Result<Id, String> {
    let text = string(raw)?;
    Id::parse(text.as_bytes(), 0).ok_or_else(|| format!("{text:?} is no id of a stream"))
}

fn count(raw: &RawValue) -> Result<u64, String> {
    let count = number::parse_i64(raw.get().as_bytes()).and_then(|count| u64::try_from(count).ok());
    count.ok_or_else(|| format!("{} is no count", shown(raw)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, String> {
        parse(&serde_json::from_str::<Box<RawValue>>(text).unwrap(), &Limits::default())
    }

    fn written(value: &Value) -> String {
        let mut out = Vec::new();
        write(value.as_ref().stream().unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_example_at_the_head_of_this_file_reads_back_as_it_is() {
        let head = include_str!("stream.rs").lines().skip(3).take(3);
        let text: String = head.map(|line| line.trim_start_matches("//!").trim()).collect();
        let value = read(&text).unwrap();
        assert_eq!(written(&value), text);
        assert_eq!(read(&written(&value)).unwrap(), value);
    }

    #[test]
    fn what_may_be_left_out_follows_from_the_entries() {
        let value = read(r#"{"entries":[["1",["f","v"]],["2-5",["f",7]]]}"#).unwrap();
        let expected =
            r#"{"entries":[["1-0",["f","v"]],["2-5",["f","7"]]],"last_id":"2-5","max_deleted_id":"0-0","#;
        assert_eq!(written(&value), format!(r#"{expected}"entries_added":2,"groups":[]}}"#));
    }

    #[test]
    fn what_is_wrong_with_a_stream_is_said() {
        for (text, expected) in [
            (r"{}", "has \"entries\""),
            (r#"{"entries":[],"x":1}"#, "no member \"x\""),
            (r#"{"entries":[["1-0"]]}"#, "[id, [field, value, …]]"),
            (r#"{"entries":[["1-0",[]]]}"#, "in pairs"),
            (r#"{"entries":[["x",["f","v"]]]}"#, "no id"),
            (r#"{"entries":[["2-0",["f","v"]],["1-0",["f","v"]]]}"#, "does not come after"),
            (r#"{"entries":[["2-0",["f","v"]]],"last_id":"1-0"}"#, "lower"),
            (r#"{"entries":[],"entries_added":-1}"#, "no count"),
            (r#"{"entries":[],"groups":[{}]}"#, "\"name\""),
            (r#"{"entries":[],"groups":[{"name":"g"},{"name":"g"}]}"#, "same name"),
            (r#"{"entries":[],"groups":[{"name":"g","pending":[["1-0","c",1,1]]}]}"#, "no consumer"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
