//! Random input tensors.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// `count` tensors of `len` bytes. Every third is mostly saturated: rules part at the ends of the range.
pub fn random(seed: u64, len: usize, count: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..count).map(move |index| {
        let spread = if index % 3 == 0 { 600 } else { 255 };
        let byte = |_| rng.random_range(255 - spread..=spread).clamp(0, 255) as u8;
        (0..len).map(byte).collect()
    })
}
