//! Chance: a small generator that a test can seed.
//!
//! xoshiro256++ (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", 2019), its state filled by
//! SplitMix64. For sampling, skipping and naming. Not for secrets: whoever has seen some numbers can tell the next.

use std::hash::{BuildHasher as _, RandomState};

/// A generator of pseudo-random numbers.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The generator that always gives the same numbers for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Random {
        let mut seed = seed;
        Random { state: std::array::from_fn(|_| split_mix(&mut seed)) }
    }

    /// A generator that differs in every process and every call.
    #[must_use]
    pub fn from_os() -> Random {
        // The standard library keys its hash tables from the system's source of randomness, and changes the key for
        // each of them. A keyed hash of a constant is therefore a random number.
        Random { state: std::array::from_fn(|i| RandomState::new().hash_one(i)) }
    }

    /// The next 64 bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number below `n`, each as likely as any other; 0 if `n` is 0.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        // Lemire's method: the upper half of a product is fair once the few lower halves are left out that would
        // favour some results.
        if n == 0 {
            return 0;
        }
        let unfair = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
            if product as u64 >= unfair {
                return (product >> 64) as u64;
            }
        }
    }

    /// A number from 0 up to, but not including, 1.
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Fills `out`.
    pub fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }

    /// 40 hexadecimal digits, as run ids and replication ids have.
    pub fn hex40(&mut self) -> String {
        (0..40).filter_map(|_| char::from_digit((self.next_u64() >> 60) as u32, 16)).collect()
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generators_are_the_published_ones() {
        let mut seed = 1_234_567;
        assert_eq!(
            [split_mix(&mut seed), split_mix(&mut seed)],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
        let mut random = Random { state: [1, 2, 3, 4] };
        assert_eq!(
            [random.next_u64(), random.next_u64(), random.next_u64()],
            [41_943_041, 58_720_359, 3_588_806_011_781_223]
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_the_system_never_does() {
        let (mut a, mut b) = (Random::seeded(7), Random::seeded(7));
        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
        assert_ne!(Random::from_os().next_u64(), Random::from_os().next_u64());
    }

    #[test]
    fn below_is_in_range_and_even() {
        let mut random = Random::seeded(1);
        let mut counts = [0_u32; 6];
        (0..60_000).for_each(|_| counts[usize::try_from(random.below(6)).unwrap()] += 1);
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        assert_eq!((random.below(0), random.below(1)), (0, 0));
        // A range where a plain remainder would give the lower half twice as often as the upper.
        let n = u64::MAX / 3 * 2;
        let low = (0..10_000).filter(|_| random.below(n) < n / 2).count();
        assert!((4_700..5_300).contains(&low), "{low}");
        assert!((0..1000).map(|_| random.unit()).all(|x| (0.0..1.0).contains(&x)));
    }

    #[test]
    fn fill_and_hex_fill_everything() {
        let mut random = Random::seeded(2);
        let mut bytes = [0; 1001];
        random.fill(&mut bytes);
        assert!(bytes.iter().filter(|&&byte| byte == 0).count() < 20);
        let id = random.hex40();
        assert!(id.len() == 40 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    }
}
