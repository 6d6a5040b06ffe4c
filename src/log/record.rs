//! The text of an increment: commands in RESP, and the annotation lines that make them trustworthy.
//!
//! Redis skips lines that begin with `#` between commands (since 7.0), so the checks ride in the file
//! without being in its way. An increment is one section or several; each opening of the file for appending
//! starts one:
//!
//! ```text
//! #PS:1:<id>:<first>:<check>\r\n             section: format version, random id, sequence number before it
//! #G\r\n                                     group: what one flush handed to the operating system
//! #TS:<unix seconds>\r\n                     at most once a second (Redis's own annotation)
//! *3\r\n$3\r\nSET\r\n…                       the group's commands
//! #CK:<seq>:<len>:<crc>:<chain>:<durable>\r\n
//! #G\r\n …
//! ```
//!
//! All numbers are lower-case hexadecimal without leading zeros, except `<id>` (16 digits) and the three
//! checks (8 digits).
//!
//! ```text
//! check    CRC32C of the line before it, begun with the seed of the section before (a file's first: 0)
//! seed     the same number: it hangs on the random id, and the section's other checks hang on it
//! seq      sequence number of the group's last unit
//! len      bytes from the end of the last CK (or PS) line to this one
//! crc      CRC32C of those bytes, begun with the seed
//! chain    CRC32C of the four other fields (little-endian), begun with the chain before (first: the seed)
//! durable  the highest sequence number known to be on the device when the group was written: the watermark
//! ```
//!
//! Everything hangs on an id that no client ever sees. So a client cannot store a value which, found at the
//! torn end of a file, passes for a good group. A CK line may come without a group (len 0): it only moves
//! the watermark.
//!
//! Every group opens with `#G`, for this reason: a redis-server that was started on the directory appends
//! to the same file, and begins with `*` or `#TS`. So what follows a CK line is either ours, perhaps torn,
//! or another server's and not to be cut.
//!
//! A unit is what is replayed wholly or not at all, and carries one sequence number: one command, or MULTI
//! … EXEC. SELECT is part of the stream but no unit.

/// The number that orders everything written; 0 is "before the first".
pub type Seq = u64;

/// The version of this format, as it stands in section lines.
pub(crate) const FORMAT_VERSION: u64 = 1;
pub(crate) const SECTION_PREFIX: &[u8] = b"#PS:";
pub(crate) const CHECK_PREFIX: &[u8] = b"#CK:";
pub(crate) const TIME_PREFIX: &[u8] = b"#TS:";
pub(crate) const GROUP_LINE: &[u8] = b"#G\r\n";
/// Redis reads annotations into a buffer of this size, the line's end included.
pub(crate) const ANNOTATION_LEN_MAX: usize = 1024;

/// Appends one command.
pub fn encode_command<'a>(out: &mut Vec<u8>, args: impl ExactSizeIterator<Item = &'a [u8]>) {
    encode_array_header(out, args.len());
    for arg in args {
        encode_bulk(out, arg);
    }
}

/// Appends `*<n>\r\n`; `n` times `encode_bulk` must follow.
pub fn encode_array_header(out: &mut Vec<u8>, n: usize) {
    header(out, b'*', n);
}

/// Appends one argument.
pub fn encode_bulk(out: &mut Vec<u8>, arg: &[u8]) {
    header(out, b'$', arg.len());
    out.reserve(arg.len() + 2);
    out.extend_from_slice(arg);
    out.extend_from_slice(b"\r\n");
}

fn header(out: &mut Vec<u8>, mark: u8, n: usize) {
    // Nearly all lengths have one digit or two, and a line of known length is written at once.
    match u8::try_from(n) {
        Ok(n @ 0..10) => return out.extend_from_slice(&[mark, b'0' + n, b'\r', b'\n']),
        Ok(n @ 10..100) => return out.extend_from_slice(&[mark, b'0' + n / 10, b'0' + n % 10, b'\r', b'\n']),
        _ => out.push(mark),
    }
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The fields of a `#PS` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) id: u64,
    pub(crate) first: Seq,
}

impl Section {
    /// Appends the line and returns the section's seed. `before` is the seed of the section before, or 0.
    pub(crate) fn encode(self, before: u32, out: &mut Vec<u8>) -> u32 {
        let start = out.len();
        out.extend_from_slice(SECTION_PREFIX);
        push_hex(out, FORMAT_VERSION);
        out.push(b':');
        push_hex_fixed(out, self.id, 16);
        out.push(b':');
        push_hex(out, self.first);
        let seed = crc32c::crc32c_append(before, out.get(start..).unwrap_or_default());
        out.push(b':');
        push_hex_fixed(out, u64::from(seed), 8);
        out.extend_from_slice(b"\r\n");
        seed
    }

    /// Reads a line (without its end). `Err(version)` for a newer format, `None` for anything else that is
    /// not right.
    pub(crate) fn parse(line: &[u8], before: u32) -> Option<Result<(Self, u32), u64>> {
        let rest = line.strip_prefix(SECTION_PREFIX)?;
        let mut fields = rest.split(|&b| b == b':');
        let version = parse_hex(fields.next()?)?;
        if version != FORMAT_VERSION {
            return Some(Err(version));
        }
        let id = parse_hex_fixed(fields.next()?, 16)?;
        let first = parse_hex(fields.next()?)?;
        let check = parse_hex_fixed(fields.next()?, 8)?;
        let covered = line.len().checked_sub(9)?;
        let seed = crc32c::crc32c_append(before, line.get(..covered)?);
        let whole = fields.next().is_none() && check == u64::from(seed);
        whole.then_some(Ok((Self { id, first }, seed)))
    }
}

/// The fields of a `#CK` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) seq: Seq,
    pub(crate) len: u64,
    pub(crate) crc: u32,
    pub(crate) chain: u32,
    pub(crate) durable: Seq,
}

impl Check {
    /// The line for a group: `bytes` is all since the last CK or PS line.
    pub(crate) fn of(bytes: &[u8], seq: Seq, durable: Seq, seed: u32, chain_before: u32) -> Self {
        let len = bytes.len() as u64;
        let crc = crc32c::crc32c_append(seed, bytes);
        let mut check = Self { seq, len, crc, chain: 0, durable };
        check.chain = check.chain_after(chain_before);
        check
    }

    /// What `chain` must be, given the chain before.
    pub(crate) fn chain_after(&self, before: u32) -> u32 {
        let mut chain = crc32c::crc32c_append(before, &self.seq.to_le_bytes());
        chain = crc32c::crc32c_append(chain, &self.len.to_le_bytes());
        chain = crc32c::crc32c_append(chain, &self.crc.to_le_bytes());
        crc32c::crc32c_append(chain, &self.durable.to_le_bytes())
    }

    /// Appends the line.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(CHECK_PREFIX);
        push_hex(out, self.seq);
        out.push(b':');
        push_hex(out, self.len);
        out.push(b':');
        push_hex_fixed(out, u64::from(self.crc), 8);
        out.push(b':');
        push_hex_fixed(out, u64::from(self.chain), 8);
        out.push(b':');
        push_hex(out, self.durable);
        out.extend_from_slice(b"\r\n");
    }

    /// Reads a line (without its end). Only its shape is judged here.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.strip_prefix(CHECK_PREFIX)?.split(|&b| b == b':');
        let check = Self {
            seq: parse_hex(fields.next()?)?,
            len: parse_hex(fields.next()?)?,
            crc: u32::try_from(parse_hex_fixed(fields.next()?, 8)?).ok()?,
            chain: u32::try_from(parse_hex_fixed(fields.next()?, 8)?).ok()?,
            durable: parse_hex(fields.next()?)?,
        };
        fields.next().is_none().then_some(check)
    }
}

fn push_hex(out: &mut Vec<u8>, n: u64) {
    let digits = (64 - n.leading_zeros() as usize).div_ceil(4).max(1);
    push_hex_fixed(out, n, digits);
}

fn push_hex_fixed(out: &mut Vec<u8>, n: u64, digits: usize) {
    for i in (0..digits).rev() {
        let nibble = (n >> (4 * i)) as u8 & 0xf;
        out.push(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    }
}

/// Strict: one number has one spelling, so that no changed byte of a line goes unnoticed.
fn parse_hex(text: &[u8]) -> Option<u64> {
    if text.len() > 16 || (text.len() > 1 && text.first() == Some(&b'0')) {
        return None;
    }
    parse_hex_fixed(text, text.len())
}

fn parse_hex_fixed(text: &[u8], digits: usize) -> Option<u64> {
    if text.len() != digits || text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |n, &b| {
        let nibble = match b {
            b'0'..=b'9' => b - b'0',
            b'a'..=b'f' => b - b'a' + 10,
            _ => return None,
        };
        Some(n << 4 | u64::from(nibble))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        let mut out = Vec::new();
        encode_command(&mut out, [b"SET".as_slice(), b"k", b""].into_iter());
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
    }

    #[test]
    fn a_check_line_reads_back_and_hangs_on_seed_and_chain() {
        let check = Check::of(b"bytes", 0x1f, 0, 7, 9);
        let mut line = Vec::new();
        check.encode(&mut line);
        assert!(line.starts_with(b"#CK:1f:5:") && line.ends_with(b":0\r\n"));
        let parsed = Check::parse(&line[..line.len() - 2]).unwrap();
        assert_eq!(parsed, check);
        assert_eq!(parsed.chain_after(9), parsed.chain);
        assert_ne!(parsed.chain_after(8), parsed.chain);
        assert_ne!(Check::of(b"bytes", 0x1f, 0, 8, 9).crc, check.crc);
    }

    #[test]
    fn numbers_have_one_spelling() {
        for bad in ["", "0a", "A", "g", "11112222333344445", "+1"] {
            assert_eq!(parse_hex(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse_hex(b"0"), Some(0));
        assert_eq!(parse_hex(b"ffffffffffffffff"), Some(u64::MAX));
    }

    #[test]
    fn a_section_line_is_refused_when_a_byte_or_the_section_before_is_another() {
        let section = Section { id: 0xabc, first: 77 };
        let mut line = Vec::new();
        let seed = section.encode(5, &mut line);
        line.truncate(line.len() - 2);
        assert_eq!(Section::parse(&line, 5), Some(Ok((section, seed))));
        assert_eq!(Section::parse(&line, 6), None);
        for i in 6..line.len() {
            let mut other = line.clone();
            other[i] ^= 1;
            assert_eq!(Section::parse(&other, 5), None, "byte {i}");
        }
        assert_eq!(Section::parse(b"#PS:2:what:ever", 5), Some(Err(2)));
    }
}
