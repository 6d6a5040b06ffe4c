//! What stands behind the RDB part of a log's base: hashes whose fields have deadlines, as commands.
//!
//! ```text
//! SELECT db | HSET key field value … | HPEXPIREAT key ms FIELDS n field … | PEXPIREAT key ms
//! ```
//!
//! Version 10 has no form for them, and a base may have commands behind it, which every server reads. The hashes are
//! kept as they were at the cut until the end is written: a clone shares its parts with the original.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::base::clock::{Millis, NEVER};
use crate::log::record::encode_command;
use crate::value::{Hash, TextRef};

/// The most fields in one command, so that no reader needs much memory at once.
const FIELDS_MAX: usize = 1024;

/// Hashes that are to be written at the end.
#[derive(Debug, Default)]
pub(super) struct Tail(Vec<Row>);

#[derive(Debug)]
struct Row {
    db: u32,
    key: Box<[u8]>,
    hash: Hash,
    expires_unix_ms: Option<i64>,
}

impl Tail {
    pub(super) fn add(&mut self, db: u32, key: &[u8], hash: &Hash, expires_unix_ms: Option<i64>) {
        self.0.push(Row { db, key: key.into(), hash: hash.clone(), expires_unix_ms });
    }

    /// What the RDB part says of the commands behind it: their length and CRC32C, as `<len>:<crc>` in hexadecimal. No
    /// checksum of the RDB part reaches them, and without this a file that was cut short between two of them would load.
    pub(super) fn seal(&self) -> io::Result<String> {
        let mut seal = Seal::default();
        self.write(&mut seal)?;
        Ok(seal.text())
    }

    /// Writes the commands.
    pub(super) fn write(&self, sink: &mut impl Write) -> io::Result<()> {
        let (mut out, mut selected) = (Vec::new(), None);
        for row in &self.0 {
            if selected.replace(row.db) != Some(row.db) {
                let db = row.db.to_string();
                encode_command(&mut out, [&b"SELECT"[..], db.as_bytes()].into_iter());
            }
            row.encode(&mut out);
            sink.write_all(&out)?;
            out.clear();
        }
        Ok(())
    }
}

/// Whether `tail` is what the seal was made of.
pub(super) fn fits(seal: &[u8], tail: &[u8]) -> bool {
    Seal { len: tail.len() as u64, crc: crc32c::crc32c(tail) }.text().as_bytes() == seal
}

#[derive(Default)]
struct Seal {
    len: u64,
    crc: u32,
}

impl Seal {
    fn text(&self) -> String {
        format!("{:x}:{:08x}", self.len, self.crc)
    }
}

impl Write for Seal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.len += bytes.len() as u64;
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Row {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut words: Vec<Vec<u8>> = vec![b"HSET".to_vec(), self.key.to_vec()];
        let mut due: BTreeMap<Millis, Vec<Vec<u8>>> = BTreeMap::new();
        for field in self.hash.iter() {
            if words.len() == 2 + 2 * FIELDS_MAX {
                encode_command(out, words.iter().map(Vec::as_slice));
                words.truncate(2);
            }
            words.extend([bytes(field.name), bytes(field.value)]);
            if field.deadline != NEVER {
                due.entry(field.deadline).or_default().push(bytes(field.name));
            }
        }
        encode_command(out, words.iter().map(Vec::as_slice));
        for (deadline, names) in due {
            let at = deadline.to_string();
            for names in names.chunks(FIELDS_MAX) {
                let count = names.len().to_string();
                let mut words: Vec<&[u8]> =
                    vec![b"HPEXPIREAT", &self.key, at.as_bytes(), b"FIELDS", count.as_bytes()];
                words.extend(names.iter().map(Vec::as_slice));
                encode_command(out, words.into_iter());
            }
        }
        if let Some(at) = self.expires_unix_ms {
            let at = at.to_string();
            encode_command(out, [&b"PEXPIREAT"[..], &self.key, at.as_bytes()].into_iter());
        }
    }
}

fn bytes(text: TextRef<'_>) -> Vec<u8> {
    text.bytes(&mut itoa::Buffer::new()).to_vec()
}
