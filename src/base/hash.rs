//! Hashes and checksums.
//!
//! - [`Seed`]: SipHash-1-3 (Aumasson and Bernstein, 2012, with fewer rounds, as the standard library's hash tables
//!   use it). Wherever a client chooses the keys, a hash without a secret lets it fill one bucket and stop us.
//! - [`crc16`], [`slot`]: CRC-16/XMODEM, which maps keys to the 16384 slots of a cluster.
//! - [`Crc64`]: CRC-64 with Jones' polynomial, at the end of RDB files and DUMP payloads.

use crc_fast::{CrcAlgorithm, Digest};
use std::hash::{BuildHasher as _, RandomState};

/// The secret of a keyed hash.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    key: [u64; 2],
}

impl Seed {
    /// A secret that differs in every process and every call.
    #[must_use]
    pub fn random() -> Seed {
        // A keyed hash of a constant, under a key from the system's source of randomness.
        Seed { key: [RandomState::new().hash_one(0), RandomState::new().hash_one(1)] }
    }

    /// A known one, for tests.
    #[must_use]
    pub fn from_keys(first: u64, second: u64) -> Seed {
        Seed { key: [first, second] }
    }

    /// The hash of `bytes`.
    #[inline]
    #[must_use]
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        let [k0, k1] = self.key;
        // The constants spell "somepseudorandomlygeneratedbytes".
        let mut state = Sip {
            a: k0 ^ 0x736f_6d65_7073_6575,
            b: k1 ^ 0x646f_7261_6e64_6f6d,
            c: k0 ^ 0x6c79_6765_6e65_7261,
            d: k1 ^ 0x7465_6462_7974_6573,
        };
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            state.absorb(u64::from_le_bytes(*word));
        }
        state.absorb(last_word(tail, bytes.len()));
        state.c ^= 0xff;
        state.round();
        state.round();
        state.round();
        state.a ^ state.b ^ state.c ^ state.d
    }
}

/// The bytes that fill no word, and the length's lowest byte on top.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lowest byte is meant")]
fn last_word(tail: &[u8], length: usize) -> u64 {
    let top = u64::from(length as u8) << 56;
    // Two overlapping halves read any number of bytes from 4 to 7 without a loop.
    if let (Some(low), Some(high)) = (tail.first_chunk::<4>(), tail.last_chunk::<4>()) {
        let shift = 8 * (tail.len() - 4);
        return top | u64::from(u32::from_le_bytes(*low)) | u64::from(u32::from_le_bytes(*high)) << shift;
    }
    tail.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)) | top
}

struct Sip {
    a: u64,
    b: u64,
    c: u64,
    d: u64,
}

impl Sip {
    #[inline(always)]
    fn absorb(&mut self, word: u64) {
        self.d ^= word;
        self.round();
        self.a ^= word;
    }

    #[inline(always)]
    fn round(&mut self) {
        self.a = self.a.wrapping_add(self.b);
        self.c = self.c.wrapping_add(self.d);
        self.b = self.b.rotate_left(13) ^ self.a;
        self.d = self.d.rotate_left(16) ^ self.c;
        self.a = self.a.rotate_left(32);
        self.c = self.c.wrapping_add(self.b);
        self.a = self.a.wrapping_add(self.d);
        self.b = self.b.rotate_left(17) ^ self.c;
        self.d = self.d.rotate_left(21) ^ self.a;
        self.c = self.c.rotate_left(32);
    }
}

/// Number of slots in a cluster.
pub const SLOTS: u16 = 16384;

/// The slot of a key. If the key has a non-empty `{tag}`, only the first one counts, so that related keys can be
/// kept together.
#[must_use]
pub fn slot(key: &[u8]) -> u16 {
    crc16(tag(key).unwrap_or(key)) % SLOTS
}

fn tag(key: &[u8]) -> Option<&[u8]> {
    let after = key.get(memchr::memchr(b'{', key)? + 1..)?;
    let tag = after.get(..memchr::memchr(b'}', after)?)?;
    (!tag.is_empty()).then_some(tag)
}

/// CRC-16/XMODEM: polynomial 0x1021, highest bit first, starting from 0.
#[must_use]
pub fn crc16(bytes: &[u8]) -> u16 {
    const TABLE: [u16; 256] = crc16_table();
    bytes.iter().fold(0, |crc, &byte| {
        let [high, low] = crc.to_be_bytes();
        u16::from_be_bytes([low, 0]) ^ TABLE[usize::from(high ^ byte)]
    })
}

const fn crc16_table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = (i as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
}

/// CRC-64/REDIS, piece by piece: polynomial 0xad93d23594c935a9, lowest bit first, starting from 0.
#[derive(Debug)]
pub struct Crc64(Digest);

impl Crc64 {
    /// The checksum of nothing.
    #[must_use]
    pub fn new() -> Crc64 {
        Crc64(Digest::new(CrcAlgorithm::Crc64Redis))
    }

    /// Adds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) -> &mut Crc64 {
        self.0.update(bytes);
        self
    }

    /// The checksum of all bytes added so far.
    #[must_use]
    pub fn finish(&self) -> u64 {
        self.0.finalize()
    }
}

impl Default for Crc64 {
    fn default() -> Crc64 {
        Crc64::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::hash::{DefaultHasher, Hasher as _};

    #[test]
    fn siphash_uses_both_keys() {
        // The key of the published vectors. The values come from another implementation, which gives the published
        // ones for SipHash-2-4.
        let seed = Seed::from_keys(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        let input: Vec<u8> = (0..64).collect();
        let expected = [
            (0, 0xabac_0158_050f_c4dc_u64),
            (1, 0xc9f4_9bf3_7d57_ca93),
            (7, 0xd392_7d98_9bb1_1140),
            (8, 0x3690_9511_8d29_9a8e),
            (15, 0xd320_d86d_2a51_9956),
            (63, 0x9d19_9062_b7bb_b3a8),
        ];
        for (length, hash) in expected {
            assert_eq!(seed.hash(&input[..length]), hash, "{length}");
        }
        assert_ne!(Seed::random().hash(b"key"), Seed::random().hash(b"key"));
    }

    #[test]
    fn known_checksums() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(Crc64::new().finish(), 0);
        assert_eq!(Crc64::new().update(b"123456789").finish(), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(Crc64::new().update(b"1234").update(b"").update(b"56789").finish(), 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn a_tag_decides_the_slot() {
        // As redis-server's CLUSTER KEYSLOT answers.
        let cases = [
            ("foo", 12182),
            ("bar", 5061),
            ("", 0),
            ("{foo}bar", 12182),
            ("a{foo}{bar}", 12182),
            ("somekey", 11058),
        ];
        for (key, expected) in cases {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
        for key in ["{}foo", "foo{", "foo}{", "foo{}{bar}"] {
            assert_eq!(slot(key.as_bytes()), crc16(key.as_bytes()) % SLOTS, "{key}: no tag");
        }
        assert_eq!(slot(b"a{{foo}}"), crc16(b"{foo") % SLOTS);
    }

    proptest! {
        #[test]
        fn with_zero_keys_the_hash_is_the_standard_librarys(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut hasher = DefaultHasher::new();
            hasher.write(&bytes);
            prop_assert_eq!(Seed::from_keys(0, 0).hash(&bytes), hasher.finish());
        }

        #[test]
        fn crc64_is_the_same_however_it_is_cut(bytes in prop::collection::vec(any::<u8>(), 0..600), cut in any::<prop::sample::Index>()) {
            let cut = cut.index(bytes.len() + 1);
            let mut naive = 0_u64;
            for byte in &bytes {
                naive ^= u64::from(*byte);
                for _ in 0..8 {
                    naive = if naive & 1 == 0 { naive >> 1 } else { naive >> 1 ^ 0xad93_d235_94c9_35a9_u64.reverse_bits() };
                }
            }
            prop_assert_eq!(Crc64::new().update(&bytes[..cut]).update(&bytes[cut..]).finish(), naive);
        }
    }
}
