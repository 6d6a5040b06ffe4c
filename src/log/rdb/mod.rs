//! RDB, the format of `dump.rdb` and of a log's base. Versions 1 to 12 are read, version 10 is written.
//!
//! ```text
//! "REDIS0010"
//! FA name value …                     auxiliary fields
//! FE db  FB keys expires              database, and hints of its size
//! [FC ms | FD s] [F8 idle | F9 freq] type key value …
//! FF  CRC64 (8 bytes little-endian; 0: not computed)
//! ```
//!
//! A value is strings and lengths (`strings`), in a form that its type byte tells (`value`): each type has a file, and
//! so have the forms of old servers. Modules are refused.

mod decode;
mod encode;
mod hash;
mod list;
pub(crate) mod lzf;
mod payload;
mod set;
mod stream;
pub(crate) mod strings;
mod tail;
#[cfg(test)]
mod testing;
mod value;
mod ziplist;
mod zipmap;
mod zset;

pub use decode::{Decoder, Item, RdbError, Stored, base_seq};
pub use encode::{Header, RdbWriter, encode_entry};
pub use payload::{Payload, PayloadError, decode_payload, encode_payload};
pub use value::{Limits, encode_value};

/// The version that is written.
const VERSION_WRITTEN: u16 = 10;
/// The newest version that is read.
const VERSION_MAX: u32 = 12;

/// Bytes that stand where a type could.
mod opcode {
    pub(super) const SLOT_INFO: u8 = 0xf4;
    pub(super) const FUNCTION: u8 = 0xf5;
    pub(super) const FUNCTION_EARLY: u8 = 0xf6;
    pub(super) const MODULE_AUX: u8 = 0xf7;
    pub(super) const IDLE: u8 = 0xf8;
    pub(super) const FREQUENCY: u8 = 0xf9;
    pub(super) const AUX: u8 = 0xfa;
    pub(super) const RESIZE_DB: u8 = 0xfb;
    pub(super) const EXPIRES_MS: u8 = 0xfc;
    pub(super) const EXPIRES_S: u8 = 0xfd;
    pub(super) const SELECT_DB: u8 = 0xfe;
    pub(super) const EOF: u8 = 0xff;
}

/// CRC-64 as Redis computes it (Jones's polynomial, reflected, no inversions).
struct Crc64(crc_fast::Digest);

impl Crc64 {
    fn new() -> Self {
        Self(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Redis))
    }

    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn value(&self) -> u64 {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_redis_s() {
        let mut crc = Crc64::new();
        crc.update(b"123456789");
        assert_eq!(crc.value(), 0xe9c6_d914_c4b8_d9ca);
    }
}
