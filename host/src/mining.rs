//! Which pairs and triplets of a batch a loss looks at, chosen on the host from the batch's distance matrix.
//!
//! `squared` is always the row-major `[n][n]` matrix of squared distances and `labels` the identity of each of the `n` images;
//! a comparison of squared distances decides as one of distances.

use rand::Rng;
use rand::seq::IteratorRandom;
use serde::{Deserialize, Serialize};

/// Two images of a batch, by their positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// First image.
    pub a: usize,
    /// Second image, `b > a`.
    pub b: usize,
    /// Both show one identity.
    pub same: bool,
}

/// Three images of a batch, by their positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triplet {
    /// The image that the other two are compared with.
    pub anchor: usize,
    /// Another image of the anchor's identity.
    pub positive: usize,
    /// An image of another identity.
    pub negative: usize,
}

/// How the examples of a batch are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mining {
    /// Negatives by chance.
    Random,
    /// Triplets whose negative is farther than the positive, but as near as that allows (Schroff et al. 2015, section 3.2).
    /// Pairs: as `Hard`.
    SemiHard,
    /// Triplets of every anchor with its farthest positive and its nearest negative, "batch hard" of Hermans, Beyer, Leibe 2017.
    /// Pairs: the nearest negatives.
    Hard,
}

/// Every pair of one identity, and as many pairs of two identities (all of them, if there are fewer): by chance, or the nearest.
pub fn pairs(squared: &[f32], labels: &[usize], mining: Mining, rng: &mut impl Rng) -> Vec<Pair> {
    let n = labels.len();
    let all = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b)));
    let pair = |same| move |(a, b)| Pair { a, b, same };
    let (positives, mut negatives): (Vec<_>, Vec<_>) = all.partition(|&(a, b)| labels[a] == labels[b]);
    let count = positives.len().min(negatives.len());
    let negatives = match mining {
        Mining::Random => negatives.into_iter().choose_multiple(rng, count),
        Mining::SemiHard | Mining::Hard => {
            let distance = |&(a, b): &(usize, usize)| squared[a * n + b];
            if count > 0 && count < negatives.len() {
                negatives.select_nth_unstable_by(count - 1, |x, y| distance(x).total_cmp(&distance(y)).then(x.cmp(y)));
            }
            negatives.truncate(count);
            negatives
        }
    };
    let positives = positives.into_iter().map(pair(true));
    positives.chain(negatives.into_iter().map(pair(false))).collect()
}

/// The triplets of a batch. An anchor without a positive or a negative gives none.
///
/// - `Random`: every ordered pair of one identity, each with a negative by chance.
/// - `SemiHard`: every ordered pair of one identity with the nearest negative that is farther than the positive; where all
///   negatives are nearer, with the farthest of them.
/// - `Hard`: every anchor once, with its farthest positive and nearest negative.
pub fn triplets(squared: &[f32], labels: &[usize], mining: Mining, rng: &mut impl Rng) -> Vec<Triplet> {
    let n = labels.len();
    let mut triplets = Vec::new();
    for anchor in 0..n {
        let row = &squared[anchor * n..][..n];
        let positives = || (0..n).filter(move |&i| i != anchor && labels[i] == labels[anchor]);
        let negatives = || (0..n).filter(move |&i| labels[i] != labels[anchor]);
        let by_distance = |a: &usize, b: &usize| row[*a].total_cmp(&row[*b]);
        match mining {
            Mining::Hard => {
                let positive = positives().max_by(by_distance);
                let negative = negatives().min_by(by_distance);
                if let (Some(positive), Some(negative)) = (positive, negative) {
                    triplets.push(Triplet { anchor, positive, negative });
                }
            }
            Mining::Random | Mining::SemiHard => {
                for positive in positives() {
                    let negative = match mining {
                        Mining::Random => negatives().choose(rng),
                        _ => negatives()
                            .filter(|&i| row[i] > row[positive])
                            .min_by(by_distance)
                            .or_else(|| negatives().max_by(by_distance)),
                    };
                    triplets.extend(negative.map(|negative| Triplet { anchor, positive, negative }));
                }
            }
        }
    }
    triplets
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// A symmetric matrix with a zero diagonal, and labels.
    fn batch() -> impl Strategy<Value = (Vec<f32>, Vec<usize>)> {
        (2usize..9).prop_flat_map(|n| {
            let labels = prop::collection::vec(0usize..3, n);
            let points = prop::collection::vec((-4i8..5, -4i8..5), n);
            (points, labels).prop_map(|(points, labels)| {
                let distance = |a: (i8, i8), b: (i8, i8)| {
                    let (x, y) = (f32::from(a.0 - b.0), f32::from(a.1 - b.1));
                    x * x + y * y
                };
                let matrix = points.iter().flat_map(|&a| points.iter().map(move |&b| distance(a, b))).collect();
                (matrix, labels)
            })
        })
    }

    fn valid(labels: &[usize], list: &[Triplet]) -> bool {
        list.iter().all(|t| {
            t.anchor != t.positive && labels[t.anchor] == labels[t.positive] && labels[t.anchor] != labels[t.negative]
        })
    }

    /// Ordered pairs of one identity whose identity is not alone in the batch.
    fn ordered_positives(labels: &[usize]) -> usize {
        let n = labels.len();
        (0..n)
            .filter(|&a| labels.iter().any(|&l| l != labels[a]))
            .map(|a| labels.iter().filter(|&&l| l == labels[a]).count() - 1)
            .sum()
    }

    proptest! {
        #[test]
        fn pairs_take_all_positives_and_as_many_negatives((squared, labels) in batch(), seed: u64) {
            let n = labels.len();
            let all: Vec<(usize, usize)> = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).collect();
            let positives = all.iter().filter(|&&(a, b)| labels[a] == labels[b]).count();
            let mut other: Vec<f32> = all.iter().filter(|&&(a, b)| labels[a] != labels[b])
                .map(|&(a, b)| squared[a * n + b]).collect();
            for mining in [Mining::Random, Mining::Hard] {
                let got = pairs(&squared, &labels, mining, &mut ChaCha8Rng::seed_from_u64(seed));
                let mut unique: Vec<_> = got.iter().map(|p| (p.a, p.b)).collect();
                unique.sort_unstable();
                unique.dedup();
                prop_assert_eq!(unique.len(), got.len());
                prop_assert!(got.iter().all(|p| p.a < p.b && p.same == (labels[p.a] == labels[p.b])));
                prop_assert_eq!(got.iter().filter(|p| p.same).count(), positives);
                prop_assert_eq!(got.len() - positives, positives.min(other.len()));
            }
            let got = pairs(&squared, &labels, Mining::Hard, &mut ChaCha8Rng::seed_from_u64(seed));
            let mut hardest: Vec<f32> = got.iter().filter(|p| !p.same).map(|p| squared[p.a * n + p.b]).collect();
            hardest.sort_by(f32::total_cmp);
            other.sort_by(f32::total_cmp);
            prop_assert_eq!(&hardest[..], &other[..hardest.len()]);
        }

        #[test]
        fn random_triplets_take_every_ordered_positive((squared, labels) in batch(), seed: u64) {
            let got = triplets(&squared, &labels, Mining::Random, &mut ChaCha8Rng::seed_from_u64(seed));
            prop_assert!(valid(&labels, &got));
            prop_assert_eq!(got.len(), ordered_positives(&labels));
        }

        #[test]
        fn hard_triplets_are_the_worst_of_each_anchor((squared, labels) in batch(), seed: u64) {
            let n = labels.len();
            let got = triplets(&squared, &labels, Mining::Hard, &mut ChaCha8Rng::seed_from_u64(seed));
            prop_assert!(valid(&labels, &got));
            for anchor in 0..n {
                let mut worst: Option<f32> = None;
                for p in 0..n {
                    for q in 0..n {
                        if p != anchor && labels[p] == labels[anchor] && labels[q] != labels[anchor] {
                            let gap = squared[anchor * n + p] - squared[anchor * n + q];
                            worst = Some(worst.map_or(gap, |w| w.max(gap)));
                        }
                    }
                }
                let mine: Vec<f32> = got.iter().filter(|t| t.anchor == anchor)
                    .map(|t| squared[anchor * n + t.positive] - squared[anchor * n + t.negative]).collect();
                prop_assert_eq!(mine, worst.into_iter().collect::<Vec<_>>());
            }
        }

        #[test]
        fn semi_hard_negatives_are_the_nearest_beyond_the_positive((squared, labels) in batch(), seed: u64) {
            let n = labels.len();
            let got = triplets(&squared, &labels, Mining::SemiHard, &mut ChaCha8Rng::seed_from_u64(seed));
            prop_assert!(valid(&labels, &got));
            prop_assert_eq!(got.len(), ordered_positives(&labels));
            for t in got {
                let to = |i: usize| squared[t.anchor * n + i];
                let (positive, negative) = (to(t.positive), to(t.negative));
                for other in (0..n).filter(|&i| labels[i] != labels[t.anchor]).map(to) {
                    if negative > positive {
                        prop_assert!(other <= positive || other >= negative);
                    } else {
                        prop_assert!(other <= negative);
                    }
                }
            }
        }
    }
}
