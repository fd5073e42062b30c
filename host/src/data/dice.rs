//! Chance that falls alike on every platform: whole-number draws, and only exactly rounded float operations.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// An own sequence for every (seed, identity, stream).
    pub(super) fn new(seed: u64, identity: u32, stream: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..12].copy_from_slice(&identity.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream);
        Dice(rng)
    }

    /// Evenly from `low` to `high`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.0.next_u32() >> 8) as f32 / 16_777_216.0;
        low + (high - low) * unit
    }

    /// Near to normally distributed about zero, never past 3.5 times `deviation`: the sum of four even draws.
    pub(super) fn bell(&mut self, deviation: f32) -> f32 {
        let draw = self.0.next_u64();
        let sum: u64 = (0..4).map(|i| draw >> (16 * i) & 0xffff).sum();
        // Four draws from 0 to 65535 have the mean 131070 and the standard deviation 37837.2.
        deviation * ((sum as f32 - 131_070.0) / 37_837.2)
    }

    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.between(0.0, 1.0) < probability
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *self.choose(from)
    }

    /// One of `from`, which has some.
    pub(super) fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Evenly from 0 to `count - 1`; `count` is not 0.
    pub(super) fn below(&mut self, count: usize) -> usize {
        ((u64::from(self.0.next_u32()) * count as u64) >> 32) as usize
    }
}
