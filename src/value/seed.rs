//! The hash of what is inside values: fields of hashes, members of sets and of sorted sets.
//!
//! Clients choose these bytes, so the hash has a secret, drawn when it is first used. It is one for the whole process:
//! then a value can be moved to another key, and two values can be compared, without hashing again. SCAN-like commands
//! show a client the order of its own members; that tells it no more than which of them it has already seen are
//! neighbours.

use crate::base::hash::Seed;
use std::sync::LazyLock;

static SEED: LazyLock<Seed> = LazyLock::new(Seed::random);

/// The keyed hash of `bytes`; the same throughout the life of the process.
#[inline]
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    SEED.hash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_steady_and_depends_on_every_byte() {
        assert_eq!(hash(b"member"), hash(b"member"));
        assert_ne!(hash(b"member"), hash(b"membes"));
        assert_ne!(hash(b""), hash(b"\0"));
    }
}
