//! Comparing what somebody gave with what he should have given, without telling him how near he was.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Whether both are the same bytes. Neither the length nor the first byte that differs shows in how long it takes:
/// what is compared are the hashes, all of them.
#[must_use]
pub fn is_same(expected: &[u8], given: &[u8]) -> bool {
    let (expected, given) = (Sha256::digest(expected), Sha256::digest(given));
    expected[..].ct_eq(&given[..]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_are_the_same_secret() {
        assert!(is_same(b"secret", b"secret"));
        for other in [b"secre".as_slice(), b"secret\0", b"Secret", b""] {
            assert!(!is_same(b"secret", other), "{other:?}");
        }
    }
}
