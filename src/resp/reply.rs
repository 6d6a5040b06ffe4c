//! Replies, written straight into a connection's output buffer. The only place that knows RESP2 from RESP3.
//!
//! ```text
//!                 RESP2                RESP3
//! null            $-1  (array: *-1)    _
//! boolean         :1 or :0             #t or #f
//! double          $3 1.5               ,1.5
//! big number      $20 123…             (123…
//! verbatim text   $2 hi                =6 txt:hi
//! map of n        array of 2n          %n
//! set, push       array                ~n, >n
//! ```
//!
//! A handler says what it means (`map(2)`), never how it looks. Whatever is written, one reply stays one frame:
//! line ends in the text of an error or a status become blanks.

use crate::base::number::write_double;
use std::slice;

/// The protocol version that a connection has agreed on with HELLO.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Proto {
    /// What every client speaks, and the start of every connection.
    #[default]
    Resp2,
    /// With types for null, booleans, doubles, maps, sets and out-of-band data.
    Resp3,
}

/// A position in the output to which a reply can be taken back.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

/// The place of a header whose count is known only after the elements have been written. Elements are counted by
/// the caller. Nested ones must be closed from the inside out.
#[derive(Debug)]
#[must_use = "without its header the reply is malformed"]
pub struct Deferred(usize);

/// Writes replies to the end of a buffer.
#[derive(Debug)]
pub struct Reply<'a> {
    out: &'a mut Vec<u8>,
    proto: Proto,
}

impl<'a> Reply<'a> {
    /// Replies are appended to `out`.
    #[inline]
    #[must_use]
    pub fn new(out: &'a mut Vec<u8>, proto: Proto) -> Reply<'a> {
        Reply { out, proto }
    }

    /// The version written.
    #[inline]
    #[must_use]
    pub fn proto(&self) -> Proto {
        self.proto
    }

    /// What is written from now on (HELLO replies in the version that it has switched to).
    pub fn set_proto(&mut self, proto: Proto) {
        self.proto = proto;
    }

    /// Bytes in the output buffer, those of earlier replies included.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether the output buffer is empty.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// The end of what is written so far.
    #[inline]
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.out.len())
    }

    /// How many bytes have been written since `mark`.
    #[inline]
    #[must_use]
    pub fn len_since(&self, mark: Mark) -> usize {
        self.out.len() - mark.0
    }

    /// Whether anything has been written since `mark`.
    #[inline]
    #[must_use]
    pub fn is_at(&self, mark: Mark) -> bool {
        self.out.len() == mark.0
    }

    /// Takes back everything written since `mark`.
    #[inline]
    pub fn rollback(&mut self, mark: Mark) {
        self.out.truncate(mark.0);
    }

    /// `+OK`
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A status, such as `PONG` or `QUEUED`.
    #[inline]
    pub fn simple(&mut self, text: impl AsRef<[u8]>) {
        self.line(b'+', text.as_ref());
    }

    /// An error, from its prefix word on: `ERR syntax error`.
    pub fn error(&mut self, text: impl AsRef<[u8]>) {
        self.line(b'-', text.as_ref());
    }

    /// A string of any bytes.
    #[inline]
    pub fn bulk(&mut self, text: &[u8]) {
        self.out.reserve(text.len() + HEADER_MAX + 2);
        self.header(b'$', text.len());
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn int(&mut self, value: i64) {
        match value {
            0 => self.out.extend_from_slice(b":0\r\n"),
            1 => self.out.extend_from_slice(b":1\r\n"),
            _ => number_line(self.out, b':', itoa::Buffer::new().format(value)),
        }
    }

    /// An integer as a string.
    #[inline]
    pub fn bulk_int(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A value that is absent.
    #[inline]
    pub fn null(&mut self) {
        self.out.extend_from_slice(match self.proto {
            Proto::Resp2 => b"$-1\r\n",
            Proto::Resp3 => b"_\r\n",
        });
    }

    /// An array that is absent.
    #[inline]
    pub fn null_array(&mut self) {
        self.out.extend_from_slice(match self.proto {
            Proto::Resp2 => b"*-1\r\n",
            Proto::Resp3 => b"_\r\n",
        });
    }

    /// A truth value.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.out.extend_from_slice(match (self.proto, value) {
            (Proto::Resp2, true) => b":1\r\n",
            (Proto::Resp2, false) => b":0\r\n",
            (Proto::Resp3, true) => b"#t\r\n",
            (Proto::Resp3, false) => b"#f\r\n",
        });
    }

    /// A floating-point number.
    pub fn double(&mut self, value: f64) {
        match self.proto {
            Proto::Resp3 => {
                self.out.push(b',');
                write_double(self.out, value);
                self.out.extend_from_slice(b"\r\n");
            }
            Proto::Resp2 => {
                // The text has 1 to 24 bytes. Its length gets two digits of room and goes in afterwards.
                let start = self.out.len();
                self.out.extend_from_slice(b"$00\r\n");
                let text = self.out.len();
                write_double(self.out, value);
                let length = self.out.len() - text;
                match self.out.get_mut(start + 1..start + 3) {
                    Some(digits) if length >= 10 => {
                        let length = u8::try_from(length).unwrap_or(99);
                        digits.copy_from_slice(&[b'0' + length / 10, b'0' + length % 10]);
                    }
                    _ => {
                        self.out.remove(start + 1);
                        self.out[start + 1] = b'0' + u8::try_from(length).unwrap_or(0);
                    }
                }
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// An integer of any size, as decimal text.
    pub fn big_number(&mut self, text: &str) {
        match self.proto {
            Proto::Resp2 => self.bulk(text.as_bytes()),
            Proto::Resp3 => self.line(b'(', text.as_bytes()),
        }
    }

    /// Text for people, with its format: `txt` or `mkd`.
    pub fn verbatim(&mut self, format: &[u8; 3], text: &[u8]) {
        match self.proto {
            Proto::Resp2 => self.bulk(text),
            Proto::Resp3 => {
                self.header(b'=', text.len() + 4);
                self.out.extend_from_slice(format);
                self.out.push(b':');
                self.out.extend_from_slice(text);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// An array of `n` elements, which follow.
    #[inline]
    pub fn array(&mut self, n: usize) {
        self.header(b'*', n);
    }

    /// A map of `n` pairs: keys and values follow in turn.
    #[inline]
    pub fn map(&mut self, n: usize) {
        let (mark, n) = self.map_header(n);
        self.header(mark, n);
    }

    /// A set of `n` elements, which follow.
    #[inline]
    pub fn set(&mut self, n: usize) {
        self.header(self.set_mark(), n);
    }

    /// Out-of-band data of `n` elements, which follow.
    #[inline]
    pub fn push(&mut self, n: usize) {
        let mark = if self.proto == Proto::Resp2 { b'*' } else { b'>' };
        self.header(mark, n);
    }

    /// Leaves the place of an array's, set's or map's header, to be closed once its size is known.
    #[inline]
    pub fn defer(&mut self) -> Deferred {
        Deferred(self.out.len())
    }

    /// Makes what was written since `defer` an array of `n` elements.
    pub fn close_array(&mut self, place: Deferred, n: usize) {
        self.close(&place, b'*', n);
    }

    /// Makes what was written since `defer` a set of `n` elements.
    pub fn close_set(&mut self, place: Deferred, n: usize) {
        self.close(&place, self.set_mark(), n);
    }

    /// Makes what was written since `defer` a map of `n` pairs.
    pub fn close_map(&mut self, place: Deferred, n: usize) {
        let (mark, n) = self.map_header(n);
        self.close(&place, mark, n);
    }

    /// Bytes that are a reply already.
    #[inline]
    pub fn raw(&mut self, frame: &[u8]) {
        self.out.extend_from_slice(frame);
    }

    fn map_header(&self, pairs: usize) -> (u8, usize) {
        match self.proto {
            Proto::Resp2 => (b'*', pairs * 2),
            Proto::Resp3 => (b'%', pairs),
        }
    }

    fn set_mark(&self) -> u8 {
        match self.proto {
            Proto::Resp2 => b'*',
            Proto::Resp3 => b'~',
        }
    }

    #[inline]
    fn header(&mut self, mark: u8, n: usize) {
        match u8::try_from(n) {
            Ok(n @ 0..=9) => self.out.extend_from_slice(&[mark, b'0' + n, b'\r', b'\n']),
            Ok(n @ 10..=99) => {
                self.out.extend_from_slice(&[mark, b'0' + n / 10, b'0' + n % 10, b'\r', b'\n'])
            }
            _ => number_line(self.out, mark, itoa::Buffer::new().format(n)),
        }
    }

    fn close(&mut self, place: &Deferred, mark: u8, n: usize) {
        let Deferred(place) = *place;
        let end = self.out.len();
        self.header(mark, n);
        // The header was written at the end; turning it to the front moves every byte once.
        let header = self.out.len() - end;
        if let Some(tail) = self.out.get_mut(place..) {
            tail.rotate_right(header);
        }
    }

    /// A mark, text, and a line end. Line ends in the text become blanks, since they would end the reply early, and so do zeros,
    /// at which clients written in C cut it off.
    #[inline]
    fn line(&mut self, mark: u8, text: &[u8]) {
        self.out.reserve(text.len() + 3);
        self.out.push(mark);
        self.out.extend(text.iter().map(|byte| if matches!(byte, b'\r' | b'\n' | 0) { b' ' } else { *byte }));
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Bytes of the longest header: a mark, 20 digits, CR LF.
const HEADER_MAX: usize = 23;

#[inline]
fn number_line(out: &mut Vec<u8>, mark: u8, digits: &str) {
    out.reserve(digits.len() + 3);
    out.extend_from_slice(slice::from_ref(&mark));
    out.extend_from_slice(digits.as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `write` writes in RESP2 and in RESP3, after a reply that must stay as it is.
    #[track_caller]
    fn check(write: impl Fn(&mut Reply<'_>), resp2: &str, resp3: &str) {
        for (proto, expected) in [(Proto::Resp2, resp2), (Proto::Resp3, resp3)] {
            let mut out = b"+before\r\n".to_vec();
            write(&mut Reply::new(&mut out, proto));
            assert_eq!(String::from_utf8(out).unwrap(), format!("+before\r\n{expected}"), "{proto:?}");
        }
    }

    #[test]
    fn shapes_that_are_the_same_in_both_versions() {
        let same = |write: fn(&mut Reply<'_>), expected: &str| check(write, expected, expected);
        same(|r| r.ok(), "+OK\r\n");
        same(|r| r.simple("PONG"), "+PONG\r\n");
        same(|r| r.bulk(b""), "$0\r\n\r\n");
        same(|r| r.bulk(b"a\r\nb"), "$4\r\na\r\nb\r\n");
        same(|r| r.bulk(&[b'x'; 10]), "$10\r\nxxxxxxxxxx\r\n");
        same(|r| r.bulk(&[b'x'; 100]), &format!("$100\r\n{}\r\n", "x".repeat(100)));
        same(|r| r.int(0), ":0\r\n");
        same(|r| r.int(1), ":1\r\n");
        same(|r| r.int(-1), ":-1\r\n");
        same(|r| r.int(i64::MIN), ":-9223372036854775808\r\n");
        same(|r| r.bulk_int(-42), "$3\r\n-42\r\n");
        same(|r| r.bulk_int(i64::MIN), "$20\r\n-9223372036854775808\r\n");
        same(|r| r.array(0), "*0\r\n");
        same(|r| r.array(99), "*99\r\n");
        same(|r| r.array(1_000_000), "*1000000\r\n");
        same(|r| r.raw(b":5\r\n"), ":5\r\n");
    }

    #[test]
    fn shapes_that_differ() {
        check(|r| r.null(), "$-1\r\n", "_\r\n");
        check(|r| r.null_array(), "*-1\r\n", "_\r\n");
        check(|r| r.bool(true), ":1\r\n", "#t\r\n");
        check(|r| r.bool(false), ":0\r\n", "#f\r\n");
        check(|r| r.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
        check(|r| r.double(0.1), "$19\r\n0.10000000000000001\r\n", ",0.10000000000000001\r\n");
        check(|r| r.double(123_456_789.0), "$9\r\n123456789\r\n", ",123456789\r\n");
        check(|r| r.double(1_234_567_890.0), "$10\r\n1234567890\r\n", ",1234567890\r\n");
        check(
            |r| r.double(-f64::MIN_POSITIVE),
            "$24\r\n-2.2250738585072014e-308\r\n",
            ",-2.2250738585072014e-308\r\n",
        );
        check(|r| r.double(f64::INFINITY), "$3\r\ninf\r\n", ",inf\r\n");
        check(|r| r.double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
        check(|r| r.double(f64::NAN), "$3\r\nnan\r\n", ",nan\r\n");
        check(
            |r| r.big_number("123456789012345678901"),
            "$21\r\n123456789012345678901\r\n",
            "(123456789012345678901\r\n",
        );
        check(|r| r.verbatim(b"txt", b"hi\r\n"), "$4\r\nhi\r\n\r\n", "=8\r\ntxt:hi\r\n\r\n");
        check(|r| r.map(2), "*4\r\n", "%2\r\n");
        check(|r| r.set(2), "*2\r\n", "~2\r\n");
        check(|r| r.push(3), "*3\r\n", ">3\r\n");
    }

    #[test]
    fn a_deferred_header_lands_before_its_elements() {
        let write = |r: &mut Reply<'_>| {
            let outer = r.defer();
            r.bulk(b"k");
            let inner = r.defer();
            (0..12).for_each(|i| r.int(i % 2));
            r.close_set(inner, 12);
            let empty = r.defer();
            r.close_map(empty, 0);
            r.null();
            r.close_map(outer, 2);
            let array = r.defer();
            r.ok();
            r.close_array(array, 1);
        };
        let ints = ":0\r\n:1\r\n".repeat(6);
        check(
            write,
            &format!("*4\r\n$1\r\nk\r\n*12\r\n{ints}*0\r\n$-1\r\n*1\r\n+OK\r\n"),
            &format!("%2\r\n$1\r\nk\r\n~12\r\n{ints}%0\r\n_\r\n*1\r\n+OK\r\n"),
        );
    }

    #[test]
    fn an_error_is_one_line_whatever_it_quotes() {
        check(
            |r| r.error("ERR unknown command 'a\r\n+OK\n\0'"),
            "-ERR unknown command 'a  +OK  '\r\n",
            "-ERR unknown command 'a  +OK  '\r\n",
        );
        check(|r| r.simple("a\nb"), "+a b\r\n", "+a b\r\n");
    }

    #[test]
    fn a_rollback_removes_what_came_after_the_mark_only() {
        check(
            |r| {
                r.int(7);
                let mark = r.mark();
                assert!(r.is_at(mark));
                r.array(2);
                r.null();
                assert!(!r.is_at(mark));
                r.rollback(mark);
                r.error("ERR no");
            },
            ":7\r\n-ERR no\r\n",
            ":7\r\n-ERR no\r\n",
        );
    }
}
