//! Streams.
//!
//! ```text
//! stream    n, then n times: id of the chunk (a string of 16 bytes), its listpack
//!           length | last id                        an id is two lengths: ms, seq
//!           first id | highest deleted id | entries ever added                            19, 21
//!           n, then n groups
//! group     name | last id
//!           entries read, 2⁶⁴−1 where not known                                           19, 21
//!           n, then n times what is pending: id (16 bytes), delivered, how often
//!           n, then n times a consumer: name, seen
//!           active                                                                        21
//!           n, then n ids of what is pending with it (16 bytes each)
//! ```
//!
//! 19 is written, which is Redis 7.0's; 15 and 21 (5.0's and 7.2's) are read as well. Times are Unix milliseconds in 8 bytes,
//! little-endian. Chunks are listpacks already and are copied as they are; what comes from outside is looked at item by item
//! (`value/stream/chunk.rs`), and whatever contradicts itself is refused: a length that is not that of the entries, ids that
//! do not rise, something pending that no consumer has, or two.

use std::borrow::Cow;

use super::strings::{Cursor, encode_len, encode_string};
use super::value::{kind, skip_times};
use crate::value::Stream;
use crate::value::listpack::Listpack;
use crate::value::stream::{Group, Id};

/// The count of a group that does not know how many entries it has read.
const UNKNOWN: u64 = u64::MAX;
/// Bytes of an id where it stands by itself.
const ID_BYTES: usize = 16;
/// The consumer of what is pending until its consumer is read.
const NOBODY: &[u8] = b"";

pub(super) fn encode(stream: &Stream, compress: bool, out: &mut Vec<u8>) {
    let log = stream.log();
    encode_len(log.parts().0 as u64, out);
    for (base, pack) in log.packs() {
        encode_string(&base.to_bytes(), compress, out);
        encode_string(pack.as_bytes(), compress, out);
    }
    encode_len(log.len() as u64, out);
    encode_id(log.last_id(), out);
    encode_id(log.first_id(), out);
    encode_id(log.max_deleted(), out);
    encode_len(log.added(), out);
    encode_len(stream.groups().len() as u64, out);
    for (name, group) in stream.groups() {
        encode_string(name, compress, out);
        encode_group(group, compress, out);
    }
}

fn encode_group(group: &Group, compress: bool, out: &mut Vec<u8>) {
    encode_id(group.last_id, out);
    encode_len(group.entries_read.unwrap_or(UNKNOWN), out);
    encode_len(group.pending().len() as u64, out);
    for (id, pending) in group.pending().range(Id::MIN) {
        out.extend_from_slice(&id.to_bytes());
        out.extend_from_slice(&pending.delivered.to_le_bytes());
        encode_len(pending.count, out);
    }
    encode_len(group.consumers().len() as u64, out);
    for (name, consumer) in group.consumers() {
        encode_string(name, compress, out);
        out.extend_from_slice(&consumer.seen().to_le_bytes());
        encode_len(consumer.pending().len() as u64, out);
        for (id, ()) in consumer.pending().range(Id::MIN) {
            out.extend_from_slice(&id.to_bytes());
        }
    }
}

fn encode_id(id: Id, out: &mut Vec<u8>) {
    encode_len(id.ms, out);
    encode_len(id.seq, out);
}

pub(super) fn decode(kind: u8, cursor: &mut Cursor<'_>) -> Option<Stream> {
    let mut stream = Stream::new();
    for _ in 0..cursor.plain()? {
        let base = cursor.string()?.into_bytes();
        let base = Id::from_bytes(<[u8; ID_BYTES]>::try_from(&*base).ok()?);
        let pack = Listpack::from_bytes(&cursor.string()?.into_bytes()).ok()?;
        if !stream.adopt(base, pack) {
            return None;
        }
    }
    let len = cursor.plain()?;
    let last_id = decode_id(cursor)?;
    let (max_deleted, added) = match kind {
        kind::STREAM => (Id::MIN, len),
        _ => {
            decode_id(cursor)?;
            (decode_id(cursor)?, cursor.plain()?)
        }
    };
    if len != stream.log().len() as u64 || stream.log().top_id() > last_id {
        return None;
    }
    stream.set_history(last_id, max_deleted, added);
    for _ in 0..cursor.plain()? {
        let name = cursor.string()?.into_bytes();
        let last_id = decode_id(cursor)?;
        let entries_read = match kind {
            kind::STREAM => stream.log().count_up_to(last_id),
            _ => match cursor.plain()? {
                UNKNOWN => None,
                read => Some(i64::try_from(read).ok()?.cast_unsigned()),
            },
        };
        let group = decode_group(kind, Group::new(last_id, entries_read), cursor)?;
        if !stream.add_group(&name, group) {
            return None;
        }
    }
    Some(stream)
}

fn decode_group(kind: u8, mut group: Group, cursor: &mut Cursor<'_>) -> Option<Group> {
    // Who has it comes later, so it is with somebody who goes again.
    let mut all = Group::new(Id::MIN, None);
    all.add_consumer(NOBODY, 0);
    for _ in 0..cursor.plain()? {
        let id = Id::from_bytes(cursor.array()?);
        let (delivered, count) = (cursor.array().map(i64::from_le_bytes)?, cursor.plain()?);
        if all.pending().get(id).is_some() {
            return None;
        }
        all.assign(id, NOBODY, delivered, count);
    }
    for _ in 0..cursor.plain()? {
        let name: Cow<'_, [u8]> = cursor.string()?.into_bytes();
        let seen = cursor.array().map(i64::from_le_bytes)?;
        if kind == kind::STREAM_3 {
            cursor.take(8)?;
        }
        if !group.add_consumer(&name, seen) {
            return None;
        }
        for _ in 0..cursor.plain()? {
            let id = Id::from_bytes(cursor.array()?);
            let pending = all.pending().get(id)?;
            if group.pending().get(id).is_some() {
                return None;
            }
            group.assign(id, &name, pending.delivered, pending.count);
        }
    }
    (group.pending().len() == all.pending().len()).then_some(group)
}

fn decode_id(cursor: &mut Cursor<'_>) -> Option<Id> {
    Some(Id { ms: cursor.plain()?, seq: cursor.plain()? })
}

/// Steps over a stream.
pub(super) fn skip(kind: u8, cursor: &mut Cursor<'_>) -> Option<()> {
    skip_times(cursor, 2, |cursor| cursor.skip_string())?;
    cursor.plain()?;
    decode_id(cursor)?;
    if kind != kind::STREAM {
        decode_id(cursor)?;
        decode_id(cursor)?;
        cursor.plain()?;
    }
    skip_times(cursor, 1, |cursor| {
        cursor.skip_string()?;
        decode_id(cursor)?;
        if kind != kind::STREAM {
            cursor.plain()?;
        }
        skip_times(cursor, 1, |cursor| {
            cursor.take(ID_BYTES + 8)?;
            cursor.plain().map(drop)
        })?;
        skip_times(cursor, 1, |cursor| {
            cursor.skip_string()?;
            cursor.take(if kind == kind::STREAM_3 { 16 } else { 8 })?;
            skip_times(cursor, 1, |cursor| cursor.take(ID_BYTES).map(drop))
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::rdb::testing;
    use crate::value::Value;
    use crate::value::stream::ChunkLimit;

    fn id(ms: u64) -> Id {
        Id { ms, seq: 0 }
    }

    fn sample() -> Stream {
        let mut stream = Stream::new();
        for ms in 1..=5 {
            stream.push(id(ms), &[b"name", b"value"], ChunkLimit::from_directives(0, 2));
        }
        stream.push(id(6), &[b"other", b"7"], ChunkLimit::DEFAULT);
        stream.remove(id(2));
        let mut group = Group::new(id(3), Some(3));
        group.add_consumer(b"alice", 5);
        group.add_consumer(b"bob", 6);
        group.assign(id(1), b"alice", 100, 2);
        group.assign(id(3), b"alice", 101, 1);
        stream.add_group(b"readers", group);
        stream.add_group(b"idle", Group::new(Id::MIN, None));
        stream
    }

    fn encoded(stream: &Stream) -> Vec<u8> {
        let mut out = Vec::new();
        encode(stream, false, &mut out);
        out
    }

    #[test]
    fn a_stream_with_groups_reads_back() {
        let stream = sample();
        testing::round_trip(&stream.clone().into());
        testing::round_trip(&Stream::new().into());
        let found = testing::read(kind::STREAM_2, &encoded(&stream));
        assert_eq!(found, Some(Value::from(stream)));
    }

    /// XADD s 1-1 f v, XGROUP CREATE s g 0, XREADGROUP GROUP g c STREAMS s > on redis-server 7.0.15; and what older and newer
    /// servers leave out and put in.
    #[test]
    fn a_stream_of_redis_is_read_in_all_versions() {
        let one = id_bytes(1);
        let time = b"i\x9b\x89\x15\xa2\x01\x00\x00";
        let pack = b"\x1d\x1d\0\0\0\x0a\0\x01\x01\0\x01\x01\x01\x81f\x02\0\x01\x02\x01\0\x01\0\x01\x81v\x02\x04\x01\xff";
        let parts = |history: &[u8], read: &[u8], active: &[u8]| {
            let chunks = [&b"\x01\x10"[..], &one, pack, b"\x01\x01\x01", history].concat();
            let group = [&b"\x01\x01g\x01\x01"[..], read, b"\x01", &one, time, b"\x01"].concat();
            let consumer = [&b"\x01\x01c"[..], time, active, b"\x01", &one].concat();
            [chunks, group, consumer].concat()
        };
        let history = b"\x01\x01\0\0\x01";
        let of_7_0 = parts(history, b"\x01", b"");
        let found = testing::read(kind::STREAM_2, &of_7_0).unwrap();
        let stream = found.as_ref().stream().unwrap();
        assert_eq!(encoded(stream), of_7_0);
        assert_eq!(
            stream.group(b"g").map(|group| (group.entries_read, group.pending().len())),
            Some((Some(1), 1))
        );
        assert_eq!(testing::read(kind::STREAM, &parts(b"", b"", b"")).as_ref(), Some(&found));
        assert_eq!(testing::read(kind::STREAM_3, &parts(history, b"\x01", time)).as_ref(), Some(&found));
    }

    fn id_bytes(number: u8) -> [u8; 16] {
        Id { ms: number.into(), seq: number.into() }.to_bytes()
    }

    #[test]
    fn what_contradicts_itself_is_no_stream() {
        let good = encoded(&sample());
        assert!(testing::read(kind::STREAM_2, &good).is_some());
        // Pending with nobody, or with two: the counts behind the two consumers' times.
        let alice = good.windows(5).position(|name| name == b"alice").unwrap() + 5 + 8;
        let mut nobody = good.clone();
        nobody[alice] = 1;
        nobody.drain(alice + 1..alice + 1 + ID_BYTES);
        assert_eq!(testing::read(kind::STREAM_2, &nobody), None);
        let mut twice = good.clone();
        twice.copy_within(alice + 1..alice + 1 + ID_BYTES, alice + 1 + ID_BYTES);
        assert_eq!(testing::read(kind::STREAM_2, &twice), None);
        // A length that is another, a last id below an entry's.
        let mut short = Vec::new();
        encode(&Stream::new(), false, &mut short);
        assert!(testing::read(kind::STREAM_2, &short).is_some());
        short[1] = 1;
        assert_eq!(testing::read(kind::STREAM_2, &short), None);
    }

    proptest! {
        #[test]
        fn any_stream_reads_back(
            entries in prop::collection::vec(
                (0..3u64, 0..3u64, prop::collection::vec((testing::element(), testing::element()), 1..4)), 1..60),
            deleted in prop::collection::vec(0..60usize, 0..20),
            limit in 1..20u64,
        ) {
            let (mut stream, mut ids) = (Stream::new(), Vec::new());
            for (ms, seq, fields) in &entries {
                let last = stream.log().last_id();
                let id = if *ms > 0 { Id { ms: last.ms + ms, seq: *seq } } else { Id { seq: last.seq + 1 + seq, ..last } };
                let words: Vec<&[u8]> = fields.iter().flat_map(|(name, value)| [&name[..], &value[..]]).collect();
                prop_assert!(stream.push(id, &words, ChunkLimit::from_directives(4096, limit)));
                ids.push(id);
            }
            deleted.iter().filter_map(|at| ids.get(*at)).for_each(|id| { stream.remove(*id); });
            testing::round_trip(&stream.into());
        }
    }
}
