//! LZF, the compression of long strings in RDB files. Of the crates for it none is maintained, and it is
//! small.
//!
//! A compressed string is a row of pieces, told apart by the first byte:
//!
//! ```text
//! 000lllll  l+1 bytes                  literals
//! lllooooo  oooooooo                   copy of l+2 bytes (l = 1…6) from o+1 bytes back
//! 111ooooo  llllllll  oooooooo         copy of l+9 bytes
//! ```
//!
//! A copy may overlap what it writes: that is how runs are made.

use std::cell::RefCell;

const LITERALS_MAX: usize = 32;
const COPY_LEN_MAX: usize = 264;
const DISTANCE_MAX: usize = 1 << 13;
const TABLE_BITS: u32 = 13;
/// The most bytes that one compressed byte can stand for: three make 264.
const RATIO_MAX: usize = 88;

thread_local! {
    static TABLE: RefCell<Table> = const { RefCell::new(Table { base: 1, places: Vec::new() }) };
}

/// Where three bytes with some hash were last seen. Places are counted on from call to call, so that the
/// table needs no clearing: what is below `base` is of an earlier string.
struct Table {
    base: u32,
    places: Vec<u32>,
}

/// Appends the compressed form of `input` to `out` if it is at most `len_max` bytes long; otherwise leaves
/// `out` as it was and returns false.
pub(crate) fn compress(input: &[u8], len_max: usize, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let whole = TABLE.with_borrow_mut(|table| table.compress(input, len_max, out)).is_some();
    if !whole {
        out.truncate(start);
    }
    whole
}

impl Table {
    fn compress(&mut self, input: &[u8], len_max: usize, out: &mut Vec<u8>) -> Option<()> {
        let len = u32::try_from(input.len()).ok()?;
        if self.places.is_empty() || self.base.checked_add(len).is_none() {
            self.places = vec![0; 1 << TABLE_BITS];
            self.base = 1;
        }
        // Too long for the table's counting even when it is fresh.
        let next_base = self.base.checked_add(len)?;
        let limit = out.len() + len_max;
        let mut literals = 0;
        let mut at = 0;
        while let Some(&[a, b, c]) = input.get(at..at + 3) {
            let three = u32::from(a) << 16 | u32::from(b) << 8 | u32::from(c);
            let hash = three.wrapping_mul(0x9E37_79B1) >> (32 - TABLE_BITS);
            let place = self.places.get_mut(hash as usize)?;
            let before = place.checked_sub(self.base).map(|p| p as usize);
            *place = self.base + at as u32;
            let copy = before.filter(|&p| at - p <= DISTANCE_MAX && input.get(p..p + 3) == Some(&[a, b, c]));
            let Some(from) = copy else {
                at += 1;
                continue;
            };
            let ahead = input.get(at..(at + COPY_LEN_MAX).min(input.len()))?;
            let length = common(ahead, input.get(from..)?);
            push_literals(input.get(literals..at)?, out);
            push_copy(length, at - from, out);
            if out.len() > limit {
                self.base = next_base;
                return None;
            }
            at += length;
            literals = at;
        }
        self.base = next_base;
        push_literals(input.get(literals..)?, out);
        (out.len() <= limit).then_some(())
    }
}

/// How many bytes the two have in common at their beginnings.
fn common(a: &[u8], b: &[u8]) -> usize {
    let ((words, _), (others, _)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let equal = words.iter().zip(others).take_while(|(x, y)| x == y).count() * 8;
    let rest = a.iter().zip(b).skip(equal);
    equal + rest.take_while(|(x, y)| x == y).count()
}

fn push_literals(bytes: &[u8], out: &mut Vec<u8>) {
    for piece in bytes.chunks(LITERALS_MAX) {
        out.push(piece.len() as u8 - 1);
        out.extend_from_slice(piece);
    }
}

fn push_copy(length: usize, distance: usize, out: &mut Vec<u8>) {
    let (length, offset) = (length - 2, distance - 1);
    let high = (offset >> 8) as u8;
    if length < 7 {
        out.push((length as u8) << 5 | high);
    } else {
        out.push(7 << 5 | high);
        out.push((length - 7) as u8);
    }
    out.push(offset as u8);
}

/// Decompresses `input`, which must give exactly `len` bytes. `None` for anything that does not.
pub(crate) fn decompress(mut input: &[u8], len: usize) -> Option<Vec<u8>> {
    // Checked before memory is asked for: a few bytes must not make gigabytes.
    if len > input.len().saturating_mul(RATIO_MAX) {
        return None;
    }
    let mut out = Vec::with_capacity(len);
    while let [first, rest @ ..] = input {
        let kind = usize::from(first >> 5);
        if kind == 0 {
            let (literals, rest) = rest.split_at_checked(usize::from(*first) + 1)?;
            out.extend_from_slice(literals);
            input = rest;
        } else {
            let (extra, rest) = if kind == 7 { rest.split_first()? } else { (&0, rest) };
            let (low, rest) = rest.split_first()?;
            let length = kind + usize::from(*extra) + 2;
            let distance = (usize::from(first & 0x1f) << 8 | usize::from(*low)) + 1;
            let from = out.len().checked_sub(distance)?;
            for i in from..from + length {
                out.push(*out.get(i)?);
            }
            input = rest;
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(input: &[u8]) -> Option<usize> {
        let mut out = b"before".to_vec();
        if !compress(input, input.len() * 2 + 8, &mut out) {
            return None;
        }
        assert_eq!(decompress(&out[6..], input.len()).as_deref(), Some(input));
        Some(out.len() - 6)
    }

    #[test]
    fn a_run_becomes_short_and_noise_is_given_up() {
        assert!(round_trip(&[b'a'; 1000]).unwrap() < 20);
        let mut out = b"kept".to_vec();
        assert!(!compress(b"abcdefghijklmnopqrstuvwxyz", 22, &mut out));
        assert_eq!(out, b"kept");
    }

    #[test]
    fn what_redis_compressed_is_read() {
        // SET k "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" (40 bytes), saved by redis-server 7.0.15.
        let compressed = [0x01, b'a', b'a', 0xe0, 0x1b, 0x00, 0x01, b'a', b'a'];
        assert_eq!(decompress(&compressed, 40).unwrap(), [b'a'; 40]);
    }

    #[test]
    fn a_declared_length_beyond_all_compression_is_refused_without_asking_for_memory() {
        assert_eq!(decompress(&[0, b'a'], usize::MAX), None);
    }

    proptest! {
        #[test]
        fn whatever_goes_in_comes_out(input in proptest::collection::vec(0u8..4, 0..3000)) {
            prop_assert!(round_trip(&input).is_some());
        }

        #[test]
        fn long_repetitions_come_out(piece: Vec<u8>, times in 1usize..400) {
            prop_assert!(round_trip(&piece.repeat(times)).is_some());
        }

        #[test]
        fn no_bytes_make_it_panic(input: Vec<u8>, len in 0usize..10_000) {
            let _ = decompress(&input, len);
        }
    }
}
