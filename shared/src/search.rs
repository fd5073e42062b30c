//! The exact search of the nearest of many embeddings by few exact distances.
//!
//! A vector is passed over where its dot product with the probe shows that it is no nearer than the second nearest so far: what
//! that takes is a [`Bar`], linear in a key of the vector, and too low by less than two units of the dot product.

use crate::embedding::{COSINE_ONE, Metric, cosine_distance};
use crate::isqrt;
use crate::kernels::{Bar, Probe, Room, dot};

/// Bits behind the point of a norm, `|a| <= 2^11.5`, in a key.
const NORM_BITS: u32 = 19;

/// The nearest of some vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nearest {
    /// Which one it is, the first one among equals.
    pub(crate) index: usize,
    /// Its distance.
    pub(crate) distance: u32,
    /// The next one, the first one among equals, and its distance.
    pub(crate) runner_up: Option<(usize, u32)>,
}

impl Nearest {
    /// The smallest of `distances`, the first one among equals; none of none.
    pub(crate) fn of(distances: impl Iterator<Item = u32>) -> Option<Self> {
        let mut distances = distances.enumerate();
        let (index, distance) = distances.next()?;
        let mut nearest = Nearest { index, distance, runner_up: None };
        distances.for_each(|(index, distance)| nearest.add(index, distance));
        Some(nearest)
    }

    /// Another one, behind those before.
    fn add(&mut self, index: usize, distance: u32) {
        if distance < self.distance {
            self.runner_up = Some((self.index, self.distance));
            (self.index, self.distance) = (index, distance);
        } else if self.runner_up.is_none_or(|(_, second)| distance < second) {
            self.runner_up = Some((index, distance));
        }
    }
}

/// The key of `embedding` for searches by `metric`: `|a|^2`, for the cosine `floor(2^19 * |a|)`.
pub(crate) fn key(metric: Metric, embedding: &[i8]) -> i32 {
    key_of(metric, dot(embedding, embedding))
}

fn key_of(metric: Metric, square: i32) -> i32 {
    match metric {
        Metric::Euclidean => square,
        // |a|^2 <= 2^23: the root is below 2^31.
        Metric::Cosine => isqrt((square as u64) << (2 * NORM_BITS)) as i32,
    }
}

/// The nearest by `metric` of the vectors that lie in `rows`, `stride` elements from one to the next one, those behind the
/// probe's length zero, with their [`key`]s.
pub(crate) fn nearest(metric: Metric, probe: &[i8], rows: &[i8], stride: usize, keys: &[i32]) -> Option<Nearest> {
    let mut room = Room::new();
    let probe = Probe::new(probe, stride, &mut room);
    let own = Own { metric, square: probe.square(), key: key_of(metric, probe.square()) };
    let (mut from, mut bar) = (0, Bar::NONE);
    let mut nearest: Option<Nearest> = None;
    while let (Some(rows), Some(keys)) = (rows.get(from * stride..), keys.get(from..))
        && let Some(found) = probe.first_reaching(rows, keys, bar)
    {
        let (index, distance) = (from + found.index, own.distance(found.dot, keys[found.index]));
        from = index + 1;
        let Some(before) = &mut nearest else {
            nearest = Some(Nearest { index, distance, runner_up: None });
            continue;
        };
        before.add(index, distance);
        match before.runner_up {
            Some((_, 0)) => break,
            Some((_, second)) => bar = own.bar(second),
            None => {}
        }
    }
    nearest
}

/// What a search knows of its probe.
struct Own {
    metric: Metric,
    square: i32,
    key: i32,
}

impl Own {
    /// The distance of the vector of this key whose dot product with the probe is `dot`; equal to [`Metric::distance`].
    fn distance(&self, dot: i32, key: i32) -> u32 {
        match self.metric {
            Metric::Euclidean => (self.square + key - 2 * dot) as u32,
            Metric::Cosine => {
                // Whole products of two words; no key and no square is negative.
                let product = |a: u32, b: u32| u64::from(a) * u64::from(b);
                let key = key as u32;
                // 2^38 |a|^2 is less than 2^32 above the key's square: the next multiple of 2^38.
                let square = ((product(key, key) + (1 << (2 * NORM_BITS)) - 1) >> (2 * NORM_BITS)) as u32;
                let scaled = product(square, self.square as u32) << 16;
                // 2^8 |a| |b| is at most 2^31.5 / 2^30 above the product of the keys: the root is found in three steps.
                let mut root = (product(key, self.key as u32) >> (2 * NORM_BITS - 8)) as u32;
                while product(root + 1, root + 1) <= scaled {
                    root += 1;
                }
                cosine_distance(dot, root).0
            }
        }
    }

    /// A bar that every vector reaches whose distance is below `second`, which is not 0.
    fn bar(&self, second: u32) -> Bar {
        match self.metric {
            // |a|^2 + |b|^2 - 2 dot < second, halved: dot + floor(-|a|^2 / 2) >= floor((|b|^2 - second + 1) / 2)
            Metric::Euclidean => Bar { slope: i32::MIN, offset: -((self.square - second as i32 + 1) >> 1) },
            // floor(2^24 dot / root) >= least, with root in 2^8 |a| |b| - (0, 1]: dot >= least |a| |b| / 2^16 - 2^-8. The slope
            // is less than 1 + 2^-6 off, thus its product less than 0.37 with the key's own error; floor takes less than 1.
            Metric::Cosine => {
                let least = i64::from(COSINE_ONE + 1) - i64::from(second);
                Bar { slope: -((least * i64::from(self.key)) >> 22) as i32, offset: 1 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::embedding::MAX_DIM;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    /// An embedding's elements: any, few of them, tiny ones, extreme ones, none but zeros.
    fn embedding(len: usize) -> impl Strategy<Value = Vec<i8>> {
        let of = |element: BoxedStrategy<i8>| prop::collection::vec(element, len);
        prop_oneof![
            4 => of(any::<i8>().boxed()),
            2 => of((-3i8..=3).boxed()),
            1 => of((-1i8..=0).boxed()),
            1 => of(prop_oneof![Just(-128i8), Just(127)].boxed()),
            1 => Just(vec![0; len]),
        ]
    }

    /// A probe and vectors of its length, some of them equal to it, opposite to it, multiples or near copies.
    fn search() -> impl Strategy<Value = (Vec<i8>, Vec<Vec<i8>>, usize)> {
        let len = prop_oneof![4 => 1usize..=40, 1 => Just(64), 1 => 1usize..=MAX_DIM];
        len.prop_flat_map(|len| {
            let row = (embedding(len), 0..12u8, any::<usize>());
            (embedding(len), prop::collection::vec(row, 0..40), prop_oneof![Just(0usize), 0usize..=20]).prop_map(
                move |(probe, rows, more)| {
                    let row = |(mut row, how, at): (Vec<i8>, u8, usize)| {
                        match how {
                            0 => row.copy_from_slice(&probe),
                            1 => row = probe.iter().map(|&x| x.saturating_neg()).collect(),
                            2 => row = probe.iter().map(|&x| x / 2).collect(),
                            3 | 4 => {
                                let own = row[at % len];
                                row.copy_from_slice(&probe);
                                row[at % len] = own;
                            }
                            _ => {}
                        }
                        row
                    };
                    let rows = rows.into_iter().map(row).collect();
                    (probe, rows, len + more)
                },
            )
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

        #[test]
        fn the_nearest_is_that_of_all_distances((probe, rows, stride) in search()) {
            for metric in [Metric::Euclidean, Metric::Cosine] {
                let mut elements = vec![0; stride * rows.len()];
                for (place, row) in elements.chunks_exact_mut(stride).zip(&rows) {
                    place[..row.len()].copy_from_slice(row);
                }
                let keys: Vec<i32> = rows.iter().map(|row| key(metric, row)).collect();
                let got = nearest(metric, &probe, &elements, stride, &keys);
                prop_assert_eq!(got, Nearest::of(rows.iter().map(|row| metric.distance(row, &probe).0)));
            }
        }

        #[test]
        fn distances_by_keys_are_exact(squares in (0i32..=1 << 23, 0i32..=1 << 23), part in -1f64..=1.0, small in 0u32..20) {
            let (a, b) = (squares.0 >> small, squares.1 >> (small / 2));
            let bound = (i64::from(a) * i64::from(b)).isqrt();
            let own = Own { metric: Metric::Cosine, square: b, key: key_of(Metric::Cosine, b) };
            for dot in [(bound as f64 * part) as i32, bound as i32, -bound as i32] {
                let root = ((i64::from(a) * i64::from(b)) << 16).isqrt();
                let cosine = (i64::from(dot) << 24).checked_div_euclid(root).unwrap_or(0);
                prop_assert_eq!(i64::from(own.distance(dot, key_of(Metric::Cosine, a))), 65536 - cosine.clamp(-65536, 65536));
            }
        }

        /// A vector that its bar passes over is no nearer, and the bar is not far below.
        #[test]
        fn bars_let_every_nearer_vector_pass(squares in (0i32..=1 << 23, 0i32..=1 << 23), part in -1f64..=1.0, small in 0u32..20) {
            let (a, b) = (squares.0 >> small, squares.1 >> (small / 2));
            let bound = (i64::from(a) * i64::from(b)).isqrt() as i32;
            for metric in [Metric::Euclidean, Metric::Cosine] {
                let (own, key) = (Own { metric, square: b, key: key_of(metric, b) }, key_of(metric, a));
                let at = (f64::from(bound) * part) as i32;
                let second = own.distance(at, key);
                if second == 0 {
                    continue;
                }
                let bar = own.bar(second);
                let reaches = |dot: i32| dot + ((i64::from(key) * i64::from(bar.slope)) >> 32) as i32 + bar.offset >= 0;
                for dot in (at - 8).max(-bound)..=(at + 8).min(bound) {
                    prop_assert!(reaches(dot) || own.distance(dot, key) >= second, "{} {} {}", a, b, dot);
                }
                let low = at - 3 - (f64::from(bound) / 65536.0) as i32;
                prop_assert!(a == 0 || b == 0 || low < -bound || !reaches(low));
            }
        }
    }

    #[test]
    fn every_square_comes_back_from_its_key() {
        for square in (0..1u64 << 23).step_by(7).chain([1 << 23]) {
            let key = key_of(Metric::Cosine, square as i32) as u64;
            assert_eq!((key * key).div_ceil(1 << (2 * NORM_BITS)), square);
        }
    }
}
