//! The manifest: which files of `appendonlydir` are the data, in which order they load.
//!
//! ```text
//! #PINSTRIPE:1                                       ours, and optional: the checksum at the end must be there
//! file appendonly.aof.2.base.rdb seq 2 type b        the base: at most one
//! file appendonly.aof.1.incr.aof seq 1 type h        history: not needed any more, to be deleted; with `replaced
//!                                                    <unix seconds>` behind it when `aof-keep-history` keeps it
//! file appendonly.aof.2.incr.aof seq 2 type i        increments, in rising order
//! #CRC32C:9f3c01aa                                   of all lines above; ours
//! ```
//!
//! The format is Redis's (7.0): lines end with `\n`; a name with unusual bytes is quoted as redis-cli
//! quotes; unknown pairs behind the known ones are ignored; lines that begin with `#` too. Redis writes the
//! file without our lines when it takes over. Without the first one, a file that was cut short between two lines would pass
//! for one of Redis's that names fewer files.

use std::fmt::Write as _;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the directory.
    pub name: String,
    /// Its number, which Redis calls `seq`. (Not a sequence number of the log.)
    pub number: u64,
    /// For history that is kept: the Unix second at which it was replaced.
    pub replaced_unix_s: Option<i64>,
}

impl Entry {
    /// A file in use.
    pub fn new(name: String, number: u64) -> Self {
        Self { name, number, replaced_unix_s: None }
    }
}

/// See the head of this file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    pub base: Option<Entry>,
    pub history: Vec<Entry>,
    pub increments: Vec<Entry>,
}

/// Why a manifest cannot be used. `line` counts from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    pub line: usize,
    pub reason: &'static str,
}

const FIRST_LINE: &str = "#PINSTRIPE:1\n";
const CRC_PREFIX: &str = "#CRC32C:";

impl Manifest {
    /// Reads a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut manifest = Self::default();
        let mut covered = 0;
        let mut sealed = false;
        for (i, line) in bytes.split_inclusive(|&b| b == b'\n').enumerate() {
            let fail = |reason| ManifestError { line: i + 1, reason };
            if sealed {
                return Err(fail("something follows the checksum"));
            }
            let body = line.strip_suffix(b"\n").ok_or(fail("the line is not finished"))?;
            let body = body.strip_suffix(b"\r").unwrap_or(body);
            if let Some(hex) = body.strip_prefix(CRC_PREFIX.as_bytes()) {
                let above = bytes.get(..covered).unwrap_or_default();
                if hex != format!("{:08x}", crc32c::crc32c(above)).as_bytes() {
                    return Err(fail("the checksum does not fit the lines above it"));
                }
                sealed = true;
            } else if body.first() != Some(&b'#') {
                manifest.take(body).map_err(fail)?;
            }
            covered += line.len();
        }
        if !sealed && bytes.starts_with(FIRST_LINE.as_bytes()) {
            let line = bytes.iter().filter(|&&b| b == b'\n').count() + 1;
            return Err(ManifestError { line, reason: "the checksum at the end is missing" });
        }
        if manifest == Self::default() {
            return Err(ManifestError { line: 1, reason: "no file is named" });
        }
        Ok(manifest)
    }

    fn take(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let words = split_words(line).ok_or("a quotation is not closed")?;
        let (mut name, mut number, mut kind, mut replaced_unix_s) = (None, None, None, None);
        for pair in words.chunks(2) {
            let [key, value] = pair else { return Err("a key without a value") };
            match key.as_slice() {
                b"file" => name = String::from_utf8(value.clone()).ok(),
                b"seq" => number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()),
                b"replaced" => {
                    replaced_unix_s = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                }
                b"type" => kind = value.first().copied().filter(|_| value.len() == 1),
                _ => {}
            }
        }
        let name = name.ok_or("no file name")?;
        if name.is_empty() || name.contains(['/', '\0']) || name == "." || name == ".." {
            return Err("not the name of a file in this directory");
        }
        let entry = Entry { name, number: number.filter(|&n| n > 0).ok_or("no number")?, replaced_unix_s };
        match kind {
            Some(b'b') if self.base.is_some() => return Err("a second base"),
            Some(b'b') => self.base = Some(entry),
            Some(b'h') => self.history.push(entry),
            Some(b'i') if self.increments.last().is_some_and(|last| last.number >= entry.number) => {
                return Err("increments are not in rising order");
            }
            Some(b'i') => self.increments.push(entry),
            _ => return Err("no known type"),
        }
        Ok(())
    }

    /// The manifest as text, with its checksum.
    pub fn render(&self) -> String {
        let mut text = String::from(FIRST_LINE);
        let lines = (self.base.iter().map(|e| (e, 'b')))
            .chain(self.history.iter().map(|e| (e, 'h')))
            .chain(self.increments.iter().map(|e| (e, 'i')));
        for (entry, kind) in lines {
            let _ = write!(text, "file {} seq {} type {kind}", quoted(&entry.name), entry.number);
            if let Some(second) = entry.replaced_unix_s {
                let _ = write!(text, " replaced {second}");
            }
            text.push('\n');
        }
        let crc = crc32c::crc32c(text.as_bytes());
        let _ = writeln!(text, "{CRC_PREFIX}{crc:08x}");
        text
    }
}

/// A name as Redis writes it: bare when every byte is plain, otherwise in quotation marks.
fn quoted(name: &str) -> String {
    if name.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\')) {
        return name.to_owned();
    }
    let mut text = String::from("\"");
    for b in name.bytes() {
        let _ = match b {
            b'"' | b'\\' => write!(text, "\\{}", b as char),
            b' '..=b'~' => write!(text, "{}", b as char),
            _ => write!(text, "\\x{b:02x}"),
        };
    }
    text.push('"');
    text
}

/// Splits a line at blanks, with the quotations that Redis's configuration knows. `None` for an open
/// quotation.
fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii();
    while let Some(&first) = rest.first() {
        let (word, after) = match first {
            b'"' => double_quoted(rest.get(1..)?)?,
            b'\'' => single_quoted(rest.get(1..)?)?,
            _ => {
                let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
                (rest.get(..end)?.to_vec(), rest.get(end..)?)
            }
        };
        if !after.first().is_none_or(u8::is_ascii_whitespace) {
            return None;
        }
        words.push(word);
        rest = after.trim_ascii_start();
    }
    Some(words)
}

fn double_quoted(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some((word, after)),
            [b'\\', b'x', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |b: &u8| (*b as char).to_digit(16).unwrap_or_default() as u8;
                word.push(digit(high) << 4 | digit(low));
                after
            }
            [b'\\', b, after @ ..] => {
                word.push(match b {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                after
            }
            [b, after @ ..] => {
                word.push(*b);
                after
            }
            [] => return None,
        };
    }
}

fn single_quoted(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    loop {
        rest = match rest {
            [b'\'', after @ ..] => return Some((word, after)),
            [b'\\', b'\'', after @ ..] => {
                word.push(b'\'');
                after
            }
            [b, after @ ..] => {
                word.push(*b);
                after
            }
            [] => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(name: &str, number: u64) -> Entry {
        Entry::new(name.to_owned(), number)
    }

    fn sample() -> Manifest {
        Manifest {
            base: Some(entry("appendonly.aof.2.base.rdb", 2)),
            history: vec![
                Entry { replaced_unix_s: Some(1_700_000_000), ..entry("appendonly.aof.1.base.rdb", 1) },
                entry("appendonly.aof.1.incr.aof", 1),
            ],
            increments: vec![entry("my \"log\"é.2.incr.aof", 2), entry("appendonly.aof.3.incr.aof", 3)],
        }
    }

    #[test]
    fn what_redis_writes_is_read() {
        let text = b"file appendonly.aof.2.base.rdb seq 2 type b\n# a remark\n\
            file 'my log' seq 1 type h\nfile appendonly.aof.2.incr.aof seq 2 type i startoffset 7\n";
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(manifest.base, Some(entry("appendonly.aof.2.base.rdb", 2)));
        assert_eq!(manifest.history, [entry("my log", 1)]);
        assert_eq!(manifest.increments, [entry("appendonly.aof.2.incr.aof", 2)]);
    }

    #[test]
    fn what_cannot_be_right_is_refused_with_its_line() {
        let check = |text: &str, line, reason| {
            assert_eq!(Manifest::parse(text.as_bytes()), Err(ManifestError { line, reason }), "{text:?}");
        };
        check("", 1, "no file is named");
        check("file a seq 1 type b", 1, "the line is not finished");
        check("file a seq 1 type b\nfile b seq 2 type b\n", 2, "a second base");
        check("file a seq 2 type i\nfile b seq 2 type i\n", 2, "increments are not in rising order");
        check("file ../a seq 2 type i\n", 1, "not the name of a file in this directory");
        check("file \"a seq 2 type i\n", 1, "a quotation is not closed");
        check("file a seq x type i\n", 1, "no number");
        check("file a seq 1 type q\n", 1, "no known type");
        check("file a seq 1 type\n", 1, "a key without a value");
        check("\n", 1, "no file name");
    }

    #[test]
    fn a_changed_bit_is_found() {
        let text = sample().render().into_bytes();
        for bit in 0..text.len() * 8 {
            let mut other = text.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::parse(&other).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_file_that_was_cut_short_is_refused_wherever_that_was() {
        let text = sample().render().into_bytes();
        for len in 0..text.len() {
            assert!(Manifest::parse(&text[..len]).is_err(), "cut at {len}");
        }
    }

    proptest! {
        #[test]
        fn it_reads_back_whatever_the_names(name in "[^/\\x00]{3,20}", number in 1u64..) {
            let manifest = Manifest { base: None, history: vec![], increments: vec![entry(&name, number)] };
            prop_assert_eq!(Manifest::parse(manifest.render().as_bytes()), Ok(manifest));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Manifest::parse(&bytes);
        }
    }
}
