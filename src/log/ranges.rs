//! Checksums of arbitrary ranges of a damaged file, for the search behind a bad group.

/// CRC32C of any range of some bytes, in steps that do not grow with the range. With it a hostile value
/// full of would-be check lines costs its length to search, not the square of it.
pub(super) struct Prefixes<'a> {
    bytes: &'a [u8],
    /// CRC of everything before block i.
    blocks: Vec<u32>,
}

impl<'a> Prefixes<'a> {
    const BLOCK_LEN: usize = 4096;

    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut crc = 0;
        let mut blocks = vec![0];
        for block in bytes.chunks(Self::BLOCK_LEN) {
            crc = crc32c::crc32c_append(crc, block);
            blocks.push(crc);
        }
        Self { bytes, blocks }
    }

    fn before(&self, at: usize) -> u32 {
        let block = at / Self::BLOCK_LEN;
        let crc = self.blocks.get(block).copied().unwrap_or_default();
        crc32c::crc32c_append(crc, self.bytes.get(block * Self::BLOCK_LEN..at).unwrap_or_default())
    }

    /// CRC of `bytes[from..to]`, begun with `seed`. A CRC is linear: the range's own is the difference
    /// between the prefix up to its end and the prefix up to its beginning moved on by its length.
    pub(super) fn crc(&self, seed: u32, from: usize, to: usize) -> u32 {
        let len = to.saturating_sub(from);
        let own = self.before(to) ^ crc32c::crc32c_combine(self.before(from), 0, len);
        crc32c::crc32c_combine(seed, own, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crc_of_a_range_equals_the_one_computed_directly() {
        let bytes: Vec<u8> = (0..20_000u32).map(|i| ((i * i) >> 3) as u8).collect();
        let prefixes = Prefixes::new(&bytes);
        for (from, to) in [(0, 0), (0, 20_000), (5, 4096), (4096, 8192), (4095, 12_289), (777, 777)] {
            assert_eq!(
                prefixes.crc(42, from, to),
                crc32c::crc32c_append(42, &bytes[from..to]),
                "{from}..{to}"
            );
        }
    }
}
