//! What the fuzzers do with bytes. `fuzz/` compiles this file too, for cargo-fuzz; here plain chance throws the bytes.
//!
//! Each body may refuse the bytes, but neither panic nor hang, and keeps what else it promises: a request stream gives the
//! same commands however it is cut, a reader's verdict is the same twice, a glob needs no more than a few steps a byte.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use pinstripe::base::hash::Crc64;
use pinstripe::config;
use pinstripe::log::Reader;
use pinstripe::log::rdb::{Decoder, Limits as ValueLimits, decode_payload, encode_payload};
use pinstripe::resp::request::{Batch, Limits, RequestParser};

/// A body's name, the body, and bytes to begin with.
pub(crate) type Target = (&'static str, fn(&[u8]), &'static [&'static [u8]]);

pub(crate) const TARGETS: &[Target] = &[
    ("codec", codec, &[b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\nPING\r\n", b"SET \"a\\x00b\" 'c d'\r\n*0\r\n*1\r\n$4\r\nPING\r\n"]),
    ("log", log, &[
        b"#PS:1:00000000000000ab:0:12345678\r\n#G\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n#CK:1:4a:00000000:00000000:0\r\n",
        b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n*1\r\n$4\r\nEXEC\r\n#TS:1700000000\r\n",
    ]),
    ("rdb", rdb, &[
        b"REDIS0010\xfa\x09redis-ver\x067.0.15\xfe\x00\xfb\x01\x00\x00\x01a\x01b\x01\x01l\x02\x01x\x01y\xff\x00\x00\x00\x00\x00\x00\x00\x00",
        b"REDIS0010\xfe\x00\x13\x01s\x01\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\x1d\x1d\0\0\0\x0a\0\x01\x01\0\x01\x01\x01\x81f\x02\0\x01\x02\x01\0\x01\0\x01\x81v\x02\x04\x01\xff\x01\x01\x01\x01\x01\0\0\x01\x01\x01g\x01\x01\x01\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01i\x9b\x89\x15\xa2\x01\0\0\x01\x01\x01ci\x9b\x89\x15\xa2\x01\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\xff\0\0\0\0\0\0\0\0",
    ]),
    ("payload", payload, &[b"\x00\xc0\x2a\x0a\x00", b"\x01\x02\x01a\x011\x0a\x00", b"\x05\x01\x01a\0\0\0\0\0\0\xf0\x3f\x0a\x00"]),
    ("config", config_text, &[b"port 6380\nsave 3600 1 300 100\nclient-output-buffer-limit normal 1gb 256mb 60\nrequirepass \"a b\\x00\"\n"]),
    ("glob", glob, &[b"a*[^b-d]?\\*\0aXbXc*", b"*a*a*a*a*a*\0aaaaaaaaaaaaaaab"]),
];

/// Commands that come out of the bytes, fed in pieces of so many bytes.
fn commands(bytes: &[u8], piece: usize) -> (Vec<Vec<Vec<u8>>>, bool) {
    let (mut parser, mut batch, mut buffer) = (RequestParser::new(), Batch::new(), Vec::new());
    let mut all = Vec::new();
    for part in bytes.chunks(piece.max(1)) {
        buffer.extend_from_slice(part);
        let parsed = parser.parse(&buffer, &Limits::default(), &mut batch, usize::MAX);
        for at in 0..batch.len() {
            all.push(batch.get(at, &buffer).iter().map(<[u8]>::to_vec).collect());
        }
        buffer.drain(..parsed.consumed);
        if parsed.error.is_some() {
            return (all, true);
        }
    }
    (all, false)
}

pub(crate) fn codec(bytes: &[u8]) {
    let whole = commands(bytes, bytes.len());
    for piece in [1, 7] {
        assert!(commands(bytes, piece) == whole, "other commands when fed in pieces of {piece}");
    }
}

pub(crate) fn log(bytes: &[u8]) {
    let read = || {
        let mut reader = Reader::new(bytes, None);
        let mut units = 0;
        while let Some(batch) = reader.next_batch() {
            units += batch.units().map(|unit| unit.commands().len()).sum::<usize>();
        }
        (units, reader.finish())
    };
    assert_eq!(read(), read());
}

pub(crate) fn rdb(bytes: &[u8]) {
    if let Ok(mut decoder) = Decoder::new(bytes) {
        while let Ok(Some(_)) = decoder.next() {}
    }
}

/// The bytes are what a checksum guards, and get the right one: no chance and no fuzzer finds it. What is taken for a value is
/// the same after it was written and read again.
pub(crate) fn payload(bytes: &[u8]) {
    let limits = ValueLimits::default();
    let _ = decode_payload(bytes, &limits);
    let mut crc = Crc64::new();
    crc.update(bytes);
    let sealed = [bytes, &crc.finish().to_le_bytes()].concat();
    if let Ok(read) = decode_payload(&sealed, &limits) {
        let again = decode_payload(&encode_payload(read.value.as_ref(), true), &limits);
        assert_eq!(again.map(|again| again.value), Ok(read.value));
    }
}

/// One file, and no others.
struct OneFile<'b>(&'b [u8]);

impl config::ConfigFiles for OneFile<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new("pinstripe.conf") {
            Ok(self.0.to_vec())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _dir: &Path) -> io::Result<Vec<OsString>> {
        Ok(Vec::new())
    }
}

pub(crate) fn config_text(bytes: &[u8]) {
    let _ = config::load(Some(Path::new("pinstripe.conf")), &[], &OneFile(bytes));
}

pub(crate) fn glob(bytes: &[u8]) {
    let (pattern, text) = bytes.split_at(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len() / 2));
    let _ = pinstripe::base::glob::matches(pattern, text, false);
    let _ = pinstripe::base::glob::matches(pattern, text, true);
}
