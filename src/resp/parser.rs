//! The request parser: cutting what a client sends into commands.
//!
//! The parser keeps its place. A command that comes in many pieces is read once: the pieces understood so far are
//! remembered as ranges, and nothing is read again. Announced counts and lengths reserve no memory; a client
//! pays with bytes for whatever we store.
//!
//! What is accepted, what is refused and with which words is as in redis-server 7.0.15 (asked over a socket), down
//! to the two bytes after a length or a bulk string, of which the last may be anything. There are two differences,
//! both for the good of whoever types: a zero byte is a byte as any other, where Redis waits forever for the end
//! of its line, and a line's limit does not depend on how its bytes were cut into packets.

use super::inline;
use super::request::{BUFFER_MAX, Batch, OwnedRequest, Shape, Span};
use crate::base::number::parse_i64;
use bytes::{Buf as _, BytesMut};
use memchr::memchr;
use std::{fmt, io};

/// What a client may send. Before it has authenticated it gets little, so that a stranger cannot make us buffer
/// much. AUTH within a pipeline changes the limits for what follows it: while they are those of a stranger, parse
/// one command at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one argument (`proto-max-bulk-len`).
    pub bulk_max: usize,
    /// Arguments of one command.
    pub multibulk_max: usize,
    /// Bytes of an inline command, and of the line that holds a length.
    pub inline_max: usize,
    /// Whether the client has not authenticated though it must: the two limits below hold as well.
    pub stranger: bool,
}

impl Limits {
    /// Arguments that a client may send before it has authenticated: enough for HELLO with all its options.
    pub const STRANGER_MULTIBULK_MAX: usize = 10;
    /// Bytes of an argument before authentication: enough for any password.
    pub const STRANGER_BULK_MAX: usize = 16 * 1024;

    /// Limits before authentication.
    #[must_use]
    pub fn stranger() -> Limits {
        Limits { stranger: true, ..Limits::default() }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            bulk_max: 512 * 1024 * 1024,
            multibulk_max: i32::MAX as usize,
            inline_max: 64 * 1024,
            stranger: false,
        }
    }
}

/// Why a client's bytes cannot be understood. The connection is closed after the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The number of arguments is none, or too large.
    InvalidMultibulkLength,
    /// As above, but only because the client has not authenticated.
    UnauthenticatedMultibulkLength,
    /// Something else than a bulk string in an array.
    ExpectedBulk(u8),
    /// The length of an argument is none, or too large.
    InvalidBulkLength,
    /// As above, but only because the client has not authenticated.
    UnauthenticatedBulkLength,
    /// The line with the number of arguments does not end.
    MultibulkCountTooBig,
    /// The line with the length of an argument does not end.
    BulkCountTooBig,
    /// An inline command does not end.
    InlineTooBig,
    /// An inline command's quotes do not add up.
    UnbalancedQuotes,
    /// A command is longer than [`BUFFER_MAX`] bytes.
    RequestTooBig,
}

impl ProtocolError {
    /// The error reply's text, without the leading `-` and the line end.
    #[must_use]
    pub fn wire(&self) -> Vec<u8> {
        match self {
            // The byte as it came, which need not be text.
            ProtocolError::ExpectedBulk(byte) => {
                [&b"ERR Protocol error: expected '$', got '"[..], &[*byte, b'\'']].concat()
            }
            _ => format!("ERR {self}").into_bytes(),
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        f.write_str(match self {
            ProtocolError::InvalidMultibulkLength => "invalid multibulk length",
            ProtocolError::UnauthenticatedMultibulkLength => "unauthenticated multibulk length",
            ProtocolError::ExpectedBulk(byte) => {
                return write!(f, "expected '$', got '{}'", byte.escape_ascii());
            }
            ProtocolError::InvalidBulkLength => "invalid bulk length",
            ProtocolError::UnauthenticatedBulkLength => "unauthenticated bulk length",
            ProtocolError::MultibulkCountTooBig => "too big mbulk count string",
            ProtocolError::BulkCountTooBig => "too big bulk count string",
            ProtocolError::InlineTooBig => "too big inline request",
            ProtocolError::UnbalancedQuotes => "unbalanced quotes in request",
            ProtocolError::RequestTooBig => "too big request",
        })
    }
}

impl std::error::Error for ProtocolError {}

/// What one call of [`RequestParser::parse`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Bytes of the complete commands, and of what is skipped silently. Once the batch has been run the caller
    /// removes them from the front of its buffer; the next call expects the rest to be there, and more behind it.
    pub consumed: usize,
    /// Bytes still missing for the argument that is being read; 0 if that is not known.
    pub want: usize,
    /// What is wrong with the bytes after the commands of the batch: run these first, then reply it and close.
    /// Every further call gives the same error and no commands.
    pub error: Option<ProtocolError>,
}

/// Cuts a stream into commands; one for each connection.
#[derive(Debug, Default)]
pub struct RequestParser {
    /// The command that is not complete yet. Its positions count from the start of the next buffer.
    partial: Cursor,
    /// The arguments read so far of a command that came in more than one piece.
    spans: Vec<Span>,
    error: Option<ProtocolError>,
}

/// A place within a command.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    /// Everything before it is understood.
    at: usize,
    /// Bytes from `at` on that are known to hold no line end.
    seen: usize,
    /// Arguments still to come; 0: the command's first line has not been read.
    missing: usize,
    /// Length of the argument that starts at `at`, if its length has been read.
    bulk: Option<usize>,
    /// Whether some line end was not CR LF.
    sloppy: bool,
}

impl RequestParser {
    /// A parser at the start of a stream.
    #[must_use]
    pub fn new() -> RequestParser {
        RequestParser::default()
    }

    /// Replaces the commands in `batch` by those that `buf` starts with, at most `commands_max`. If so many were
    /// found, there may be more: call again once `consumed` bytes have been removed.
    pub fn parse(&mut self, buf: &[u8], limits: &Limits, batch: &mut Batch, commands_max: usize) -> Parsed {
        batch.clear();
        if self.error.is_some() {
            return Parsed { consumed: 0, want: 0, error: self.error };
        }
        let buf = buf.get(..BUFFER_MAX).unwrap_or(buf);
        let mut consumed = 0;
        let mut want = 0;
        while batch.len() < commands_max && consumed < buf.len() {
            if self.partial.is_fresh()
                && let Some(end) = plain_command(buf, consumed, limits, batch)
            {
                consumed = end;
                continue;
            }
            match self.parse_one(buf, consumed, limits, batch) {
                Ok(Step::Complete(end)) => consumed = end,
                Ok(Step::Partial(missing)) => {
                    want = missing;
                    break;
                }
                Err(error) => {
                    self.error = Some(error);
                    self.spans = Vec::new();
                    break;
                }
            }
        }
        Parsed { consumed, want, error: self.error }
    }

    /// Reads the command that starts at `start`, or goes on reading it.
    #[inline]
    fn parse_one(
        &mut self,
        buf: &[u8],
        start: usize,
        limits: &Limits,
        batch: &mut Batch,
    ) -> Result<Step, ProtocolError> {
        // What is left from the previous buffer lies at the start of this one: then `start` is 0, and the cursor's
        // positions hold as they are. Otherwise the cursor is fresh.
        let mut cursor = Cursor { at: self.partial.at + start, ..self.partial };
        if cursor.missing == 0 {
            if buf.get(start) != Some(&b'*') {
                return self.parse_inline(buf, start, limits, batch);
            }
            let Some((count, end)) = cursor.line(buf, limits, ProtocolError::MultibulkCountTooBig)? else {
                return Ok(self.park(cursor, start, 0));
            };
            cursor.missing = count_of(count, limits)?;
            cursor.at = end;
            if cursor.missing == 0 {
                self.partial = Cursor::default();
                return Ok(Step::Complete(end));
            }
        }
        let first = batch.spans.len();
        if self.spans.is_empty() {
            if let Some(want) = cursor.read_args(buf, limits, &mut batch.spans)? {
                let shift = Span::new(start, start).start;
                self.spans.extend(
                    batch
                        .spans
                        .drain(first..)
                        .map(|span| Span { start: span.start - shift, end: span.end - shift }),
                );
                return Ok(self.park(cursor, start, want));
            }
        } else {
            if let Some(want) = cursor.read_args(buf, limits, &mut self.spans)? {
                return Ok(self.park(cursor, start, want));
            }
            batch.spans.append(&mut self.spans);
            self.spans.shrink_to(Batch::KEPT_MAX);
        }
        self.partial = Cursor::default();
        batch.finish(first, start, cursor.at, if cursor.sloppy { Shape::SloppyArray } else { Shape::Array });
        Ok(Step::Complete(cursor.at))
    }

    fn parse_inline(
        &mut self,
        buf: &[u8],
        start: usize,
        limits: &Limits,
        batch: &mut Batch,
    ) -> Result<Step, ProtocolError> {
        let rest = &buf[start..];
        let length = match inline::find(rest, self.partial.seen, limits.inline_max)? {
            inline::Line::Partial(seen) => {
                return Ok(self.park(Cursor { at: start, seen, ..Cursor::default() }, start, 0));
            }
            inline::Line::Complete(length) => length,
        };
        self.partial = Cursor::default();
        let end = start + length + 1;
        let first = batch.spans.len();
        inline::split(&rest[..length], &mut batch.text, &mut batch.spans)?;
        if batch.spans.len() > first {
            batch.finish(first, start, end, Shape::Inline);
        }
        Ok(Step::Complete(end))
    }

    /// Keeps the place within a command that starts at `start`, which the caller is going to move to the front.
    fn park(&mut self, cursor: Cursor, start: usize, want: usize) -> Step {
        self.partial = Cursor { at: cursor.at - start, ..cursor };
        Step::Partial(want)
    }
}

enum Step {
    /// A command, or something to skip, ends there.
    Complete(usize),
    /// The buffer ends before the command does; so many bytes are missing, if that is known.
    Partial(usize),
}

/// Reads a command of the plain shape that nearly every one has: complete, an array of bulk strings, each number of few
/// digits. Whatever else there is at `start`, it is left to [`RequestParser::parse_one`], which tells what is wrong with it.
#[inline]
fn plain_command(buf: &[u8], start: usize, limits: &Limits, batch: &mut Batch) -> Option<usize> {
    if limits.stranger {
        return None;
    }
    let (count, mut at) = plain_number(buf, start, b'*')?;
    if count == 0 || count > limits.multibulk_max {
        return None;
    }
    let first = batch.spans.len();
    for _ in 0..count {
        let argument = plain_number(buf, at, b'$').filter(|(length, _)| *length <= limits.bulk_max);
        let ended = argument.and_then(|(length, from)| {
            let ending = buf.get(from + length..)?.first_chunk::<2>()?;
            (ending == b"\r\n").then_some((from, from + length))
        });
        let Some((from, to)) = ended else {
            batch.spans.truncate(first);
            return None;
        };
        batch.spans.push(Span::new(from, to));
        at = to + 2;
    }
    batch.finish(first, start, at, Shape::Array);
    Some(at)
}

/// The number of one to three digits between `mark` and CR LF, and where its line ends. It looks at eight bytes in one
/// load, so it sees no number that stands nearer to the end of the buffer.
#[inline(always)]
fn plain_number(buf: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
    let word = u64::from_le_bytes(*buf.get(at..)?.first_chunk::<8>()?);
    let byte = |i: u32| word >> (8 * i) & 0xff;
    let digit = |i: u32| byte(i).wrapping_sub(u64::from(b'0'));
    let ends_behind =
        |digits: u32| word >> (8 * (digits + 1)) & 0xffff == u64::from(u16::from_le_bytes(*b"\r\n"));
    if byte(0) != u64::from(mark) || digit(1) > 9 {
        return None;
    }
    if ends_behind(1) {
        return Some((digit(1) as usize, at + 4));
    }
    // A leading zero is not how a number is written.
    if digit(1) == 0 || digit(2) > 9 {
        return None;
    }
    if ends_behind(2) {
        return Some(((digit(1) * 10 + digit(2)) as usize, at + 5));
    }
    (digit(3) <= 9 && ends_behind(3)).then(|| ((digit(1) * 100 + digit(2) * 10 + digit(3)) as usize, at + 6))
}

impl Cursor {
    /// True where nothing of a command has been read yet.
    #[inline]
    fn is_fresh(&self) -> bool {
        self.at == 0 && self.seen == 0 && self.missing == 0 && self.bulk.is_none()
    }

    /// Reads arguments up to the command's end (`None`) or the buffer's (`Some`, with the number of bytes wanted).
    #[inline]
    fn read_args(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Option<usize>, ProtocolError> {
        loop {
            let length = match self.bulk {
                Some(length) => length,
                None => {
                    let Some((length, end)) = self.line(buf, limits, ProtocolError::BulkCountTooBig)? else {
                        return Ok(Some(0));
                    };
                    let length = length_of(buf, self.at, length, limits)?;
                    self.at = end;
                    length
                }
            };
            let end = self.at + length;
            let Some(ending) = buf.get(end..).and_then(|rest| rest.get(..2)) else {
                self.bulk = Some(length);
                if end + 2 > BUFFER_MAX {
                    return Err(ProtocolError::RequestTooBig);
                }
                return Ok(Some(end + 2 - buf.len()));
            };
            self.sloppy |= ending != b"\r\n";
            spans.push(Span::new(self.at, end));
            self.at = end + 2;
            self.bulk = None;
            self.missing -= 1;
            if self.missing == 0 {
                return Ok(None);
            }
        }
    }

    /// The number on the line at `self.at`, after its first byte, and where the line ends. `None` if the buffer
    /// ends first. A line is anything up to a CR and one more byte.
    #[inline]
    fn line(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        too_big: ProtocolError,
    ) -> Result<Option<(Number, usize)>, ProtocolError> {
        if let Some((number, end)) = short_number(buf, self.at) {
            self.seen = 0;
            return Ok(Some((Number::Valid(number), end)));
        }
        self.long_line(buf, limits, too_big)
    }

    #[cold]
    fn long_line(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        too_big: ProtocolError,
    ) -> Result<Option<(Number, usize)>, ProtocolError> {
        let rest = buf.get(self.at..).unwrap_or_default();
        let length = memchr(b'\r', rest.get(self.seen..).unwrap_or_default()).map(|at| self.seen + at);
        if length.unwrap_or(rest.len()) > limits.inline_max {
            return Err(too_big);
        }
        let Some((length, last)) = length.and_then(|length| Some((length, rest.get(length + 1)?))) else {
            self.seen = length.unwrap_or(rest.len());
            return Ok(None);
        };
        self.sloppy |= *last != b'\n';
        self.seen = 0;
        let number = rest.get(1..length).and_then(parse_i64).map_or(Number::Invalid, Number::Valid);
        Ok(Some((number, self.at + length + 2)))
    }
}

#[derive(Clone, Copy)]
enum Number {
    Valid(i64),
    Invalid,
}

/// Nearly every line is a mark, one to six digits and CR LF; anything else is left to the long way.
#[inline]
fn short_number(buf: &[u8], at: usize) -> Option<(i64, usize)> {
    const DIGITS_MAX: usize = 6;
    let line = buf.get(at + 1..)?;
    let mut value = 0;
    for (i, &byte) in line.iter().take(DIGITS_MAX + 1).enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value * 10 + i64::from(digit);
        } else {
            let plain =
                byte == b'\r' && i > 0 && line.get(i + 1) == Some(&b'\n') && (line[0] != b'0' || i == 1);
            return plain.then_some((value, at + 1 + i + 2));
        }
    }
    None
}

/// The number of arguments that a first line announces; 0 for those that are skipped silently.
#[inline]
fn count_of(number: Number, limits: &Limits) -> Result<usize, ProtocolError> {
    let Number::Valid(count) = number else {
        return Err(ProtocolError::InvalidMultibulkLength);
    };
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    if count > limits.multibulk_max {
        Err(ProtocolError::InvalidMultibulkLength)
    } else if limits.stranger && count > Limits::STRANGER_MULTIBULK_MAX {
        Err(ProtocolError::UnauthenticatedMultibulkLength)
    } else {
        Ok(count)
    }
}

/// The length of an argument whose line starts at `at`.
#[inline]
fn length_of(buf: &[u8], at: usize, number: Number, limits: &Limits) -> Result<usize, ProtocolError> {
    let mark = buf.get(at).copied().unwrap_or_default();
    if mark != b'$' {
        return Err(ProtocolError::ExpectedBulk(mark));
    }
    let length = match number {
        Number::Valid(length) => usize::try_from(length).map_err(|_| ProtocolError::InvalidBulkLength)?,
        Number::Invalid => return Err(ProtocolError::InvalidBulkLength),
    };
    if length > limits.bulk_max {
        Err(ProtocolError::InvalidBulkLength)
    } else if limits.stranger && length > Limits::STRANGER_BULK_MAX {
        Err(ProtocolError::UnauthenticatedBulkLength)
    } else {
        Ok(length)
    }
}

/// Commands one at a time, for whoever reads with [`tokio_util::codec`].
#[derive(Debug, Default)]
pub struct RequestCodec {
    parser: RequestParser,
    batch: Batch,
    limits: Limits,
}

impl RequestCodec {
    /// A codec at the start of a stream.
    #[must_use]
    pub fn new(limits: Limits) -> RequestCodec {
        RequestCodec { limits, ..RequestCodec::default() }
    }
}

impl tokio_util::codec::Decoder for RequestCodec {
    type Item = OwnedRequest;
    type Error = DecodeError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<OwnedRequest>, DecodeError> {
        /// Bytes reserved ahead of an argument: beyond that, only for bytes that have come.
        const RESERVED_MAX: usize = 1024 * 1024;
        let parsed = self.parser.parse(src, &self.limits, &mut self.batch, 1);
        let command = (!self.batch.is_empty()).then(|| OwnedRequest::from_request(&self.batch.get(0, src)));
        src.advance(parsed.consumed);
        match (command, parsed.error) {
            (Some(command), _) => Ok(Some(command)),
            (None, Some(error)) => Err(DecodeError::Protocol(error)),
            (None, None) => {
                src.reserve(parsed.want.min(RESERVED_MAX));
                Ok(None)
            }
        }
    }
}

/// Why [`RequestCodec`] gave up.
#[derive(Debug)]
pub enum DecodeError {
    /// The bytes are no commands.
    Protocol(ProtocolError),
    /// They could not be read.
    Io(io::Error),
}

impl From<io::Error> for DecodeError {
    fn from(error: io::Error) -> DecodeError {
        DecodeError::Io(error)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Protocol(error) => error.fmt(f),
            DecodeError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_reserves_no_memory() {
        let (mut parser, mut batch) = (RequestParser::new(), Batch::new());
        let parsed =
            parser.parse(b"*2147483647\r\n$1\r\na\r\n$536870912\r\n", &Limits::default(), &mut batch, 1);
        assert_eq!((parsed.consumed, parsed.error), (0, None));
        assert_eq!(parser.spans.len(), 1);
        assert!(parser.spans.capacity() < 16 && batch.spans.capacity() < 16);
    }
}
