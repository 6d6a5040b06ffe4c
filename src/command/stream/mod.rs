//! Streams: entries that are added at the end and read by anyone, or shared out among the consumers of a group.
//!
//! What several commands share stands in files of its own: `trim` (the options that shorten a stream), `read` (what XREAD and
//! XREADGROUP have in common) and the few functions below.
//!
//! The log gets ids and times as they came to be: XADD with the id that it made up, a trim with the exact length or id, and
//! what a group was given as XCLAIM and XGROUP SETID, which any server replays to the same group.

mod read;
mod trim;
mod xack;
mod xadd;
mod xautoclaim;
mod xclaim;
mod xdel;
mod xgroup;
mod xinfo;
mod xlen;
mod xpending;
mod xrange;
mod xread;
mod xreadgroup;
mod xsetid;
mod xtrim;

use crate::base::clock::Millis;
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Record, Spec};
use crate::resp::reply::Reply;
use crate::table::{Entry, Slot};
use crate::value::stream::{self, Group, Id, Log};
use crate::value::{Stream, TextRef};

pub(super) const FAMILY: &[&[Spec]] = &[
    xack::SPECS,
    xadd::SPECS,
    xautoclaim::SPECS,
    xclaim::SPECS,
    xdel::SPECS,
    xgroup::SPECS,
    xinfo::SPECS,
    xlen::SPECS,
    xpending::SPECS,
    xrange::SPECS,
    xread::SPECS,
    xreadgroup::SPECS,
    xsetid::SPECS,
    xtrim::SPECS,
];

/// What is said of an id that cannot be read.
const NO_ID: Refusal = Refusal::line("ERR Invalid stream ID specified as stream command argument");

/// The stream of a key; none when there is no key, a refusal when it holds another type.
fn stream_of(entry: Option<&Entry>) -> Result<Option<&Stream>, Refusal> {
    entry.map(|entry| entry.value().stream()).transpose()
}

/// Changes the stream that a key is known to hold.
fn change<R>(slot: &mut Slot<'_>, change: impl FnOnce(&mut Stream) -> R) -> Result<Option<R>, Refusal> {
    slot.change(|value| value.stream_mut().map(change)).transpose()
}

/// Changes what a stream knows beside its entries. As in Redis, who watches the key or caches what it read of it is not told.
fn change_aside<R>(slot: &mut Slot<'_>, change: impl FnOnce(&mut Stream) -> R) -> Result<Option<R>, Refusal> {
    slot.change_aside(|value| value.stream_mut().map(change)).transpose()
}

/// Tells that the key is not there, for commands that change what they find and make nothing.
fn tell_if_missed(slot: &mut Slot<'_>) {
    if !slot.exists() {
        slot.tell(event::KEY_MISS);
    }
}

/// Changes a group that a stream is known to have, with the entries at hand.
fn change_group<R>(
    slot: &mut Slot<'_>,
    name: &[u8],
    change_it: impl FnOnce(&mut Group, &Log) -> R,
) -> Result<R, Refusal> {
    let done = change_aside(slot, |stream| stream.change_group(name, change_it))?.flatten();
    done.ok_or_else(|| no_group(slot.key(), name))
}

/// An id as it is, without the short forms for the lowest and the highest. Where only milliseconds are given, the number
/// is `missing_seq`.
fn exact_id(word: &[u8], missing_seq: u64) -> Result<Id, Refusal> {
    Id::parse(word, missing_seq).ok_or(NO_ID)
}

/// An id, `-` for the lowest or `+` for the highest.
fn id(word: &[u8], missing_seq: u64) -> Result<Id, Refusal> {
    match word {
        b"-" => Ok(Id::MIN),
        b"+" => Ok(Id::MAX),
        _ => exact_id(word, missing_seq),
    }
}

/// The lower end of an interval; `(` in front leaves the id itself out.
fn lower_end(word: &[u8]) -> Result<Id, Refusal> {
    match word {
        [b'(', word @ ..] if !word.is_empty() => {
            let start = exact_id(word, 0)?;
            start.next().ok_or(Refusal::line("ERR invalid start ID for the interval"))
        }
        _ => id(word, 0),
    }
}

/// The upper end of an interval, as [`lower_end`].
fn upper_end(word: &[u8]) -> Result<Id, Refusal> {
    match word {
        [b'(', word @ ..] if !word.is_empty() => {
            let end = exact_id(word, u64::MAX)?;
            end.previous().ok_or(Refusal::line("ERR invalid end ID for the interval"))
        }
        _ => id(word, u64::MAX),
    }
}

/// A number of entries: 0 for less.
fn count(number: i64) -> usize {
    usize::try_from(number.max(0)).unwrap_or(usize::MAX)
}

/// What is said where a key or a group of it is missing.
fn no_group(key: &[u8], group: &[u8]) -> Refusal {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    Refusal::Line(format!("NOGROUP No such key '{key}' or consumer group '{group}'").into())
}

/// As [`no_group`], in the words of XGROUP and XINFO.
fn no_group_of_key(key: &[u8], group: &[u8]) -> Refusal {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    Refusal::Line(format!("NOGROUP No such consumer group '{group}' for key name '{key}'").into())
}

#[inline]
fn answer_id(id: Id, reply: &mut Reply<'_>) {
    reply.bulk(&id.text());
}

/// Answers with an entry: its id, and its fields and values in one row.
fn answer_entry(entry: &stream::Entry<'_>, reply: &mut Reply<'_>) {
    reply.array(2);
    answer_id(entry.id, reply);
    let fields = entry.fields();
    reply.array(fields.len() * 2);
    for word in fields.flat_map(|(name, value)| [name, value]) {
        match word {
            TextRef::Bytes(bytes) => reply.bulk(bytes),
            TextRef::Int(integer) => reply.bulk_int(integer),
        }
    }
}

/// Answers with up to `most` entries; how many they are is not known before.
fn answer_entries<'a>(entries: impl Iterator<Item = stream::Entry<'a>>, most: usize, reply: &mut Reply<'_>) {
    let place = reply.defer();
    let mut answered = 0;
    for entry in entries.take(most) {
        answer_entry(&entry, reply);
        answered += 1;
    }
    reply.close_array(place, answered);
}

/// Records that entries were delivered to a consumer at a time, for the nth time. Many ids become several commands, so that no
/// reader of the log needs much memory at once.
fn record_delivery(
    record: &mut Record,
    (key, group, consumer): (&[u8], &[u8], &[u8]),
    ids: &[Id],
    (delivered, times): (Millis, u64),
) {
    /// Ids of one command.
    const AT_ONCE: usize = 256;
    let (mut delivered_text, mut times_text) = (itoa::Buffer::new(), itoa::Buffer::new());
    let (delivered, times) =
        (delivered_text.format(delivered).as_bytes(), times_text.format(times).as_bytes());
    for ids in ids.chunks(AT_ONCE) {
        let ids: Vec<_> = ids.iter().map(|id| id.text()).collect();
        let mut words: Vec<&[u8]> = vec![b"XCLAIM", key, group, consumer, b"0"];
        words.extend(ids.iter().map(|id| &id[..]));
        words.extend([&b"TIME"[..], delivered, b"RETRYCOUNT", times, b"FORCE", b"JUSTID"]);
        record.push_words(&words);
    }
}

/// Records how far a group has read.
fn record_position(record: &mut Record, key: &[u8], name: &[u8], group: &Group) {
    let mut buffer = itoa::Buffer::new();
    let read = group.entries_read.map_or("-1", |read| buffer.format(read));
    record.push([b"XGROUP", b"SETID", key, name, &group.last_id.text(), b"ENTRIESREAD", read.as_bytes()]);
}
