//! Writes RDB files of version 10, which every server from Redis 7.0 on reads.
//!
//! Entries are encoded apart from the file: a snapshot encodes them into a buffer while it holds a lock,
//! and the writer appends the buffers later (`stage`, `raw_entry`).

use std::io::{self, Write};

use super::strings::{encode_len, encode_string};
use super::tail::Tail;
use super::value::{encode_text, encode_value, kind_of};
use super::{Crc64, opcode};
use crate::log::record::Seq;
use crate::value::{TextRef, ValueRef};

/// What stands in front of the entries.
#[derive(Debug, Clone)]
pub struct Header<'a> {
    /// The version of Redis whose behaviour this is, for example "7.0.15".
    pub redis_version: &'a str,
    /// Wall time, in seconds.
    pub created_unix_s: i64,
    /// Bytes in use by the data.
    pub used_memory: u64,
    /// Whether the file is the base of a log.
    pub aof_base: bool,
    /// For a base: the sequence number that it holds the state of. Redis ignores the field.
    pub seq: Option<Seq>,
}

/// The name of the field that holds `Header::seq`.
pub(super) const AUX_SEQ: &str = "pinstripe-seq";
/// The name of a base's last field, which holds what `Tail::seal` tells.
pub(super) const AUX_TAIL: &str = "pinstripe-tail";

/// Appends a whole entry: expiry, type, key, value. `expires_unix_ms` is wall time.
pub fn encode_entry(
    key: &[u8],
    value: ValueRef<'_>,
    expires_unix_ms: Option<i64>,
    compress: bool,
    out: &mut Vec<u8>,
) {
    if let Some(ms) = expires_unix_ms {
        out.push(opcode::EXPIRES_MS);
        out.extend_from_slice(&ms.to_le_bytes());
    }
    out.push(kind_of(value));
    encode_string(key, compress, out);
    encode_value(value, compress, out);
}

/// Writes one file into a sink, with its checksum. The sink should buffer.
pub struct RdbWriter<W> {
    sink: W,
    crc: Crc64,
    scratch: Vec<u8>,
    compress: bool,
    /// A base has what version 10 cannot hold behind its end.
    tail: Option<Tail>,
}

impl<W: Write> RdbWriter<W> {
    /// Writes the beginning of the file. `compress` is for long strings (`rdbcompression`).
    pub fn new(sink: W, header: &Header<'_>, compress: bool) -> io::Result<Self> {
        let tail = header.aof_base.then(Tail::default);
        let mut writer = Self { sink, crc: Crc64::new(), scratch: Vec::new(), compress, tail };
        writer.put(b"REDIS0010")?;
        writer.aux("redis-ver", TextRef::Bytes(header.redis_version.as_bytes()))?;
        writer.aux("redis-bits", TextRef::Int(64))?;
        writer.aux("ctime", TextRef::Int(header.created_unix_s))?;
        writer.aux("used-mem", TextRef::Int(i64::try_from(header.used_memory).unwrap_or(i64::MAX)))?;
        writer.aux("aof-base", TextRef::Int(i64::from(header.aof_base)))?;
        if let Some(seq) = header.seq {
            let text = itoa::Buffer::new().format(seq).to_owned();
            writer.aux(AUX_SEQ, TextRef::Bytes(text.as_bytes()))?;
        }
        Ok(writer)
    }

    fn aux(&mut self, name: &str, value: TextRef<'_>) -> io::Result<()> {
        self.with_scratch(|out, compress| {
            out.push(opcode::AUX);
            encode_string(name.as_bytes(), compress, out);
            encode_text(value, compress, out);
        })
    }

    /// What follows is in this database. The two counts let a reader make room; they need not be exact.
    pub fn select(&mut self, db: u32, keys: u64, expires: u64) -> io::Result<()> {
        self.with_scratch(|out, _| {
            out.push(opcode::SELECT_DB);
            encode_len(u64::from(db), out);
            out.push(opcode::RESIZE_DB);
            encode_len(keys, out);
            encode_len(expires, out);
        })
    }

    /// One entry. `expires_unix_ms` is wall time.
    pub fn key(&mut self, key: &[u8], value: ValueRef<'_>, expires_unix_ms: Option<i64>) -> io::Result<()> {
        self.with_scratch(|out, compress| encode_entry(key, value, expires_unix_ms, compress, out))
    }

    /// Appends an entry of database `db` to `out`, for `raw_entry` — or lays it aside for the end, if the file is a
    /// base and the entry is a hash whose fields have deadlines.
    pub fn stage(
        &mut self,
        db: u32,
        key: &[u8],
        value: ValueRef<'_>,
        expires_unix_ms: Option<i64>,
        out: &mut Vec<u8>,
    ) {
        match (value, &mut self.tail) {
            (ValueRef::Hash(hash), Some(tail)) if hash.deadlines() > 0 => {
                tail.add(db, key, hash, expires_unix_ms)
            }
            _ => encode_entry(key, value, expires_unix_ms, self.compress, out),
        }
    }

    /// Entries made by `stage`, any number of them.
    pub fn raw_entry(&mut self, entries: &[u8]) -> io::Result<()> {
        self.put(entries)
    }

    /// Writes the end, behind it what was laid aside, and gives the sink back, not flushed.
    pub fn finish(mut self) -> io::Result<W> {
        if let Some(tail) = self.tail.take() {
            let seal = tail.seal()?;
            self.aux(AUX_TAIL, TextRef::Bytes(seal.as_bytes()))?;
            self.tail = Some(tail);
        }
        self.put(&[opcode::EOF])?;
        let crc = self.crc.value();
        self.sink.write_all(&crc.to_le_bytes())?;
        if let Some(tail) = self.tail {
            tail.write(&mut self.sink)?;
        }
        Ok(self.sink)
    }

    fn with_scratch(&mut self, fill: impl FnOnce(&mut Vec<u8>, bool)) -> io::Result<()> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        fill(&mut scratch, self.compress);
        let result = self.put(&scratch);
        self.scratch = scratch;
        result
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.sink.write_all(bytes)
    }
}
