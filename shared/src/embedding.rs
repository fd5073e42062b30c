//! The embedding and the one distance between two of them, in integers, so that host and board decide alike.

use serde::{Deserialize, Serialize};

use crate::{isqrt, kernels};

/// Most elements of an embedding.
pub const MAX_DIM: usize = 512;

/// A vector of signed bytes, as the last layer leaves it.
pub type Embedding = heapless::Vec<i8, MAX_DIM>;

/// The elements that `bytes` hold, one a byte.
pub fn signed(bytes: &[u8]) -> &[i8] {
    bytemuck::cast_slice(bytes)
}

/// The mean of some elements, of the first 2^23, halves rounded up, 0 of none: what an element of a template is that was made of several samples.
pub fn mean(elements: impl Iterator<Item = i8>) -> i8 {
    let sum_and_count = |(sum, count): (i32, i32), element| (sum + i32::from(element), count + 1);
    let (sum, count) = elements.take(1 << 23).fold((0, 0), sum_and_count);
    // A mean of bytes is one.
    (2 * sum + count).div_euclid(2 * count.max(1)) as i8
}

/// A distance: smaller is more alike. What one unit means, the [`Metric`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Distance(pub u32);

impl Distance {
    /// This distance from a template whose samples differ by `own`, less half of what that is above the `usual`: more where it
    /// is below.
    pub fn with_allowance(self, own: Distance, usual: Distance) -> Distance {
        Distance((i64::from(self.0) - own.allowance(usual)).clamp(0, u32::MAX.into()) as u32)
    }

    /// What is taken off the distances from a template whose samples differ by this, where others' differ by `usual`.
    pub fn allowance(self, usual: Distance) -> i64 {
        (i64::from(self.0) - i64::from(usual.0)) >> 1
    }
}

/// How two embeddings are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Metric {
    /// `|a - b|^2` in squared embedding steps.
    Euclidean,
    /// `1 - cos(a, b)` in units of 2^-16: 0 for the same direction, 131072 for opposite ones. A zero vector has the
    /// distance 65536 from everything.
    Cosine,
}

/// One in the units of [`Metric::Cosine`].
pub const COSINE_ONE: u32 = 1 << 16;

impl Metric {
    /// The distance of two embeddings of the same length (the longer is cut).
    ///
    /// Euclidean: exact. Cosine: `2^16 - floor(2^24 * dot / isqrt(2^16 * |a|^2 * |b|^2))`, all in integers, so equal
    /// everywhere; within 2^-15 of the real value.
    pub fn distance(self, a: &[i8], b: &[i8]) -> Distance {
        let len = a.len().min(b.len());
        let (a, b) = (a.get(..len).unwrap_or_default(), b.get(..len).unwrap_or_default());
        match self {
            Metric::Euclidean => Distance(kernels::squared_distance(a, b)),
            Metric::Cosine => {
                // |a|^2 <= 512 * 128^2 = 2^23: the product of both is at most 2^46, shifted below 2^63.
                let norms = kernels::dot(a, a) as u64 * kernels::dot(b, b) as u64;
                cosine_distance(kernels::dot(a, b), isqrt(norms << 16))
            }
        }
    }

    /// How much `samples` of one identity differ: the mean distance of all pairs of them, rounded down; none of fewer than two.
    pub fn spread<S: AsRef<[i8]>>(self, samples: &[S]) -> Option<Distance> {
        let (mut sum, mut pairs) = (0u64, 0u64);
        for (index, a) in samples.iter().enumerate() {
            for b in samples.iter().take(index) {
                sum += u64::from(self.distance(a.as_ref(), b.as_ref()).0);
                pairs += 1;
            }
        }
        sum.checked_div(pairs).map(|mean| Distance(mean as u32))
    }

    /// The distance as a real number: the Euclidean distance in the net's own units, or `1 - cos`. For people; decisions
    /// compare [`Distance`]s.
    pub fn real(self, distance: Distance, embedding_scale: f32) -> f32 {
        use micromath::F32Ext;
        match self {
            Metric::Euclidean => {
                // An estimate that is up to a sixteenth off; two of Newton's steps leave two millionths.
                let square = distance.0.max(1) as f32;
                let step = |root: f32| (root + square / root) / 2.0;
                let root = if distance.0 == 0 { 0.0 } else { step(step(F32Ext::sqrt(square))) };
                root * embedding_scale
            }
            Metric::Cosine => distance.0 as f32 / COSINE_ONE as f32,
        }
    }

    /// The metric's byte in bundle and messages.
    pub fn code(self) -> u8 {
        match self {
            Metric::Euclidean => 0,
            Metric::Cosine => 1,
        }
    }

    /// The metric of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        [Metric::Euclidean, Metric::Cosine].into_iter().find(|metric| metric.code() == code)
    }
}

/// The cosine distance `2^16 - floor(2^24 * dot / root)` from `dot = a . b`, at most 2^23, and `root = isqrt(2^16 * |a|^2 * |b|^2)`;
/// 2^16 where the root is 0.
#[inline(never)]
pub(crate) fn cosine_distance(dot: i32, root: u32) -> Distance {
    if root == 0 {
        return Distance(COSINE_ONE);
    }
    // An estimate of 24 bits, of which at most 17 lie before the point; then what it leaves.
    let mut cosine = (dot as f32 / root as f32 * (1 << 24) as f32) as i32;
    let root = i64::from(root);
    let mut left = (i64::from(dot) << 24) - i64::from(cosine) * root;
    while left < 0 {
        (cosine, left) = (cosine - 1, left + root);
    }
    while left >= root {
        (cosine, left) = (cosine + 1, left - root);
    }
    let one = COSINE_ONE as i32;
    Distance((one - cosine.clamp(-one, one)) as u32)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn pair() -> impl Strategy<Value = (Vec<i8>, Vec<i8>)> {
        (1..=MAX_DIM).prop_flat_map(|n| (prop::collection::vec(any::<i8>(), n), prop::collection::vec(any::<i8>(), n)))
    }

    #[test]
    fn means_round_halves_up() {
        let of = |elements: &[i8]| mean(elements.iter().copied());
        assert_eq!([of(&[]), of(&[-7]), of(&[1, 2]), of(&[-1, -2]), of(&[-1, -1, -2])], [0, -7, 2, -1, -1]);
        assert_eq!([of(&[-128; 3]), of(&[127; 5]), of(&[-128, 127])], [-128, 127, 0]);
    }

    proptest! {
        #[test]
        fn real_distances_are_roots(distance: u32, shift in 0u32..32) {
            let distance = Distance(distance >> shift);
            let root = f64::from(distance.0).sqrt();
            let error = (f64::from(Metric::Euclidean.real(distance, 1.0)) - root).abs();
            prop_assert!(error <= 2e-6 * root, "{} {}", error, root);
        }

        #[test]
        fn euclidean_is_the_definition((a, b) in pair()) {
            let expected: u64 = a.iter().zip(&b).map(|(&x, &y)| (i64::from(x) - i64::from(y)).pow(2) as u64).sum();
            prop_assert_eq!(u64::from(Metric::Euclidean.distance(&a, &b).0), expected);
        }

        #[test]
        fn cosine_is_the_definition((a, b) in pair(), shift in 0u32..8) {
            let a: Vec<i8> = a.into_iter().map(|x| x >> shift).collect();
            let dot = |x: &[i8], y: &[i8]| x.iter().zip(y).map(|(&p, &q)| i64::from(p) * i64::from(q)).sum::<i64>();
            let root = ((dot(&a, &a) * dot(&b, &b)) << 16).isqrt();
            let cosine = (dot(&a, &b) << 24).checked_div_euclid(root).unwrap_or(0);
            prop_assert_eq!(i64::from(Metric::Cosine.distance(&a, &b).0), 65536 - cosine);
        }

        #[test]
        fn cosine_is_within_its_bound((a, b) in pair()) {
            let dot = |x: &[i8], y: &[i8]| x.iter().zip(y).map(|(&p, &q)| f64::from(p) * f64::from(q)).sum::<f64>();
            prop_assume!(dot(&a, &a) > 0.0 && dot(&b, &b) > 0.0);
            let expected = 1.0 - dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
            let got = f64::from(Metric::Cosine.distance(&a, &b).0) / f64::from(COSINE_ONE);
            // A root of small norms is cut to 2^-8 of a step, relative to at least 2^8.
            prop_assert!((got - expected).abs() < 1.0 / 128.0 / dot(&a, &a).sqrt().min(dot(&b, &b).sqrt()) + 2f64.powi(-15));
        }

        #[test]
        fn both_are_symmetric_and_zero_on_equals((a, b) in pair()) {
            for metric in [Metric::Euclidean, Metric::Cosine] {
                prop_assert_eq!(metric.distance(&a, &b), metric.distance(&b, &a));
            }
            prop_assert_eq!(Metric::Euclidean.distance(&a, &a), Distance(0));
        }
    }

    #[test]
    fn a_spread_is_the_mean_over_pairs() {
        let of = |samples: &[[i8; 1]]| Metric::Euclidean.spread(samples);
        assert_eq!([of(&[]), of(&[[3]])], [None, None]);
        assert_eq!(of(&[[0], [3]]), Some(Distance(9)));
        assert_eq!(of(&[[0], [3], [5]]), Some(Distance((9 + 25 + 4) / 3)));
    }

    #[test]
    fn extremes_do_not_overflow() {
        let (low, high) = ([-128i8; MAX_DIM], [127i8; MAX_DIM]);
        assert_eq!(Metric::Euclidean.distance(&low, &high), Distance(255 * 255 * MAX_DIM as u32));
        assert_eq!(Metric::Cosine.distance(&low, &high), Distance(2 * COSINE_ONE));
        assert_eq!(Metric::Cosine.distance(&low, &low), Distance(0));
        assert_eq!(Metric::Cosine.distance(&[0; 4], &[1; 4]), Distance(COSINE_ONE));
    }
}
