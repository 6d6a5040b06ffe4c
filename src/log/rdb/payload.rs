//! The payload of DUMP and RESTORE: one value by itself.
//!
//! ```text
//! type, value | RDB version: u16 LE | CRC64 of all before: u64 LE
//! ```
//!
//! The version is 10, so that Redis 7.0 takes it; where only a newer server has the type, that server's.

use super::strings::Cursor;
use super::value::{Limits, decode_value, encode_value, is_known, kind, kind_of};
use super::{Crc64, VERSION_MAX, VERSION_WRITTEN};
use crate::value::{Value, ValueRef};

/// Bytes behind the value.
const FOOTER: usize = 10;
/// The version in which hashes got deadlines of fields.
const VERSION_WITH_DEADLINES: u16 = 12;

/// Why a payload cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadError {
    /// It is damaged, or made by a newer server.
    Envelope,
    /// The checksum fits, but what it guards is no value, or none that we have.
    Contents,
}

/// A value from a payload.
#[derive(Debug, PartialEq)]
pub struct Payload {
    /// The value, never empty.
    pub value: Value,
    /// The RDB version of who made it.
    pub version: u16,
}

/// The payload of a value.
pub fn encode_payload(value: ValueRef<'_>, compress: bool) -> Vec<u8> {
    let kind = kind_of(value);
    let version = if kind == kind::HASH_DEADLINES { VERSION_WITH_DEADLINES } else { VERSION_WRITTEN };
    let mut out = vec![kind];
    encode_value(value, compress, &mut out);
    out.extend_from_slice(&version.to_le_bytes());
    let mut crc = Crc64::new();
    crc.update(&out);
    out.extend_from_slice(&crc.value().to_le_bytes());
    out
}

/// The value of a payload.
pub fn decode_payload(bytes: &[u8], limits: &Limits) -> Result<Payload, PayloadError> {
    let (body, &[v0, v1, ref crc @ ..]) = bytes.split_last_chunk::<FOOTER>().ok_or(PayloadError::Envelope)?;
    let version = u16::from_le_bytes([v0, v1]);
    let mut actual = Crc64::new();
    actual.update(body);
    actual.update(&[v0, v1]);
    if u32::from(version) > VERSION_MAX || actual.value().to_le_bytes() != *crc {
        return Err(PayloadError::Envelope);
    }
    let value = contents(body, limits).ok_or(PayloadError::Contents)?;
    Ok(Payload { value, version })
}

fn contents(body: &[u8], limits: &Limits) -> Option<Value> {
    let mut cursor = Cursor { data: body, pos: 0 };
    let kind = cursor.byte().filter(|&kind| is_known(kind))?;
    let value = decode_value(kind, &mut cursor, limits)?;
    (cursor.pos == body.len() && !value.is_void()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Text;

    fn sealed(body: &[u8], version: u16) -> Vec<u8> {
        let mut out = [body, &version.to_le_bytes()].concat();
        let mut crc = Crc64::new();
        crc.update(&out);
        out.extend_from_slice(&crc.value().to_le_bytes());
        out
    }

    #[test]
    fn a_payload_is_what_redis_makes() {
        // SET k foo, DUMP k on redis-server 7.0.15.
        let redis = b"\x00\x03foo\x0a\x00sI9\xdbM\xc1\xba\x97";
        let value = Value::Text(Text::new(b"foo"));
        let ours = encode_payload(value.as_ref(), true);
        assert_eq!(ours.escape_ascii().to_string(), redis.escape_ascii().to_string());
        assert_eq!(decode_payload(redis, &Limits::default()), Ok(Payload { value, version: 10 }));
    }

    #[test]
    fn damage_and_newer_versions_are_told_from_contents_that_are_no_value() {
        let read = |bytes: &[u8]| decode_payload(bytes, &Limits::default()).map(|payload| payload.version);
        assert_eq!(read(b"abc"), Err(PayloadError::Envelope));
        assert_eq!(read(&sealed(b"\x00\x01x", 13)), Err(PayloadError::Envelope));
        assert_eq!(read(&sealed(b"\x00\x01x", 9)), Ok(9));
        let bodies: [&[u8]; 6] = [b"", b"\x00", b"\x00\x01xy", b"\x0f\x00", b"\x02\x00", b"\xff\x00"];
        for body in bodies {
            assert_eq!(read(&sealed(body, 10)), Err(PayloadError::Contents), "{body:?}");
        }
        let good = sealed(b"\x00\x01x", 10);
        for bit in 0..good.len() * 8 {
            let mut flipped = good.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&flipped), Err(PayloadError::Envelope), "bit {bit}");
        }
    }
}
