//! Keys that were chosen to collide do so only for the secret that they were chosen for, and no two starts have the same.

use std::collections::BTreeSet;

use super::*;

const STRIPES: usize = 64;
const KEYS: usize = 2_000;

fn stripes(seed: Seed, keys: &[String]) -> Vec<usize> {
    let table = Table::with_stripes(1, STRIPES, seed);
    let mut counts = vec![0; STRIPES];
    for key in keys {
        counts[table.address(0, key.as_bytes()).stripe()] += 1;
    }
    counts
}

#[test]
fn keys_that_collide_for_one_secret_are_spread_by_another() {
    let known = Table::with_stripes(1, STRIPES, Seed::from_keys(0, 0));
    let collides = |key: &String| known.address(0, key.as_bytes()).stripe() == 0;
    let keys: Vec<String> = (0..).map(|n| format!("key:{n}")).filter(collides).take(KEYS).collect();
    assert_eq!(stripes(Seed::from_keys(0, 0), &keys)[0], KEYS);
    // A chi-square of 63 degrees of freedom is above 120 once in ten thousand times, and above 200 never.
    let expected = (KEYS / STRIPES) as f64;
    let chi: f64 =
        stripes(Seed::random(), &keys).iter().map(|&n| (n as f64 - expected).powi(2) / expected).sum();
    assert!(chi < 200.0, "chi-square {chi}");
}

#[test]
fn no_two_starts_have_one_secret() {
    let hashes: BTreeSet<u64> = (0..100).map(|_| Seed::random().hash(b"key")).collect();
    assert_eq!(hashes.len(), 100);
}
