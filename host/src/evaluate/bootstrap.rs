//! Intervals of error rates by resampling identities.
//!
//! Comparisons that share a person are not independent, so it is people that are drawn again, with replacement, and not
//! comparisons (Bolle, Ratha and Pankanti 2004, "Error analysis of pattern recognition systems: the subsets bootstrap"; for
//! pairs of people as in Owen and Eckles 2012): in a replicate where identity `i` was drawn `m_i` times, its genuine distances
//! count `m_i` times and its impostor distances with `j` count `m_i m_j` times. An interval is the central 95 % of the replicates.
//! One or two identities say nothing about how others differ, so there is no interval from fewer than three.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::comparisons::{Block, Comparisons};
use crate::metrics::Scores;

/// The central 95 % of a figure's replicates: its lower and its upper end.
pub type Interval = [f64; 2];

/// The fewest identities, or other groups that are drawn, from which there is an interval.
pub const MIN_GROUPS: usize = 3;

/// What people read in place of an interval of too few `groups`, as "identities".
pub fn no_interval(groups: &str) -> String {
    format!("too few {groups} for an interval")
}

/// How replicates are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resampling {
    /// Replicates.
    pub replicates: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for Resampling {
    fn default() -> Self {
        Resampling { replicates: 1000, seed: 1 }
    }
}

/// The error rates of every replicate, at a grid of thresholds.
pub struct Bootstrap {
    edges: Vec<f64>,
    replicates: Vec<Replicate>,
}

struct Replicate {
    /// FMR at each edge.
    fmr: Vec<f32>,
    /// FNMR at each edge.
    fnmr: Vec<f32>,
    d_prime: f64,
}

/// Parts that the blocks are counted in: fixed, so that sums do not depend on the number of cores.
const PARTS: usize = 8;

/// Weighted counts of a part of the blocks: `[bin][replicate]`, and the moments of `real` distances likewise.
struct Counts {
    /// Genuine, impostor.
    bins: [Vec<f32>; 2],
    /// Weight, sum and sum of squares of the genuine, then of the impostor distances.
    moments: [Vec<f64>; 6],
}

impl Bootstrap {
    /// Draws the identities of `comparisons`, whose sorted distances are `scores`; the rates at `thresholds` are exact, all
    /// others are interpolated between neighbouring quantiles of the distances. None where fewer than [`MIN_GROUPS`] identities
    /// have genuine or impostor comparisons, or not one replicate holds both.
    pub fn new(comparisons: &Comparisons, scores: &Scores, thresholds: &[f64], how: Resampling) -> Option<Self> {
        if [true, false].iter().any(|&genuine| comparisons.compared(genuine) < MIN_GROUPS) {
            return None;
        }
        let edges = edges(scores, thresholds);
        let times = draws(comparisons.identities, how);
        let size = comparisons.blocks.len().div_ceil(PARTS).max(1);
        let counts: Vec<Counts> = comparisons
            .blocks
            .par_chunks(size)
            .map(|blocks| count(blocks, comparisons, &edges, &times, how.replicates))
            .collect();
        let sum = |of: &dyn Fn(&Counts) -> f64| counts.iter().map(of).sum::<f64>();
        let replicate = |r: usize| {
            let rates = |side: usize| {
                let mut below = 0.0;
                let mut cumulated: Vec<f64> = (0..=edges.len())
                    .map(|bin| {
                        below += sum(&|part| f64::from(part.bins[side][bin * how.replicates + r]));
                        below
                    })
                    .collect();
                let all = cumulated.pop().unwrap_or(0.0);
                (all > 0.0).then(|| cumulated.iter().map(|below| below / all).collect::<Vec<f64>>())
            };
            let (genuine, impostor) = (rates(0)?, rates(1)?);
            let moment = |which: usize| sum(&|part| part.moments[which][r]);
            let normal = |first: usize| {
                let mean = moment(first + 1) / moment(first);
                (mean, moment(first + 2) / moment(first) - mean * mean)
            };
            let ((g, v), (i, w)) = (normal(0), normal(3));
            Some(Replicate {
                fmr: impostor.iter().map(|&rate| rate as f32).collect(),
                fnmr: genuine.iter().map(|&rate| (1.0 - rate) as f32).collect(),
                d_prime: (i - g).abs() / ((v + w).max(0.0) / 2.0).sqrt(),
            })
        };
        let replicates: Vec<Replicate> = (0..how.replicates).into_par_iter().filter_map(replicate).collect();
        (!replicates.is_empty()).then_some(Bootstrap { edges, replicates })
    }

    /// The interval of the equal error rate.
    pub fn eer(&self) -> Interval {
        self.interval(Replicate::eer)
    }

    /// The interval of the FNMR where the FMR is `fmr`.
    pub fn fnmr_at_fmr(&self, fmr: f64) -> Interval {
        self.interval(|replicate| replicate.fnmr_at_fmr(fmr))
    }

    /// The interval of the area under the ROC curve.
    pub fn auc(&self) -> Interval {
        self.interval(Replicate::auc)
    }

    /// The interval of `d'`.
    pub fn d_prime(&self) -> Interval {
        self.interval(|replicate| replicate.d_prime)
    }

    /// The intervals of FMR and FNMR at one of the thresholds that the bootstrap was made for.
    pub fn at(&self, threshold: f64) -> (Interval, Interval) {
        let edge = self.edges.partition_point(|&edge| edge < threshold).min(self.edges.len() - 1);
        (
            self.interval(|replicate| f64::from(replicate.fmr[edge])),
            self.interval(|replicate| f64::from(replicate.fnmr[edge])),
        )
    }

    fn interval(&self, figure: impl Fn(&Replicate) -> f64) -> Interval {
        central(self.replicates.iter().map(figure).collect())
    }
}

impl Replicate {
    /// The operating points in order of rising thresholds, the first being the one that accepts nothing.
    fn points(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let at_edges = self.fmr.iter().zip(&self.fnmr).map(|(&fmr, &fnmr)| (f64::from(fmr), f64::from(fnmr)));
        std::iter::once((0.0, 1.0)).chain(at_edges).chain(std::iter::once((1.0, 0.0)))
    }

    fn eer(&self) -> f64 {
        let mut before = (0.0, 1.0);
        for (fmr, fnmr) in self.points() {
            if fmr >= fnmr {
                let gap = before.1 - before.0;
                let part = if gap > 0.0 { gap / (gap + fmr - fnmr) } else { 0.0 };
                return before.0 + part * (fmr - before.0);
            }
            before = (fmr, fnmr);
        }
        before.0
    }

    fn fnmr_at_fmr(&self, fmr: f64) -> f64 {
        let mut before = (0.0, 1.0);
        for point in self.points() {
            if point.0 > fmr {
                return before.1 + (fmr - before.0) / (point.0 - before.0) * (point.1 - before.1);
            }
            before = point;
        }
        before.1
    }

    fn auc(&self) -> f64 {
        let mut area = 0.0;
        let mut before = (0.0, 1.0);
        for (fmr, fnmr) in self.points() {
            area += (fmr - before.0) * (2.0 - fnmr - before.1) / 2.0;
            before = (fmr, fnmr);
        }
        area
    }
}

/// The interval of the mean over `groups` of (sum, count), the groups being drawn again; none where fewer than [`MIN_GROUPS`]
/// of them count anything.
pub fn mean_interval(groups: &[(f64, usize)], how: Resampling) -> Option<Interval> {
    if groups.iter().filter(|(_, count)| *count > 0).count() < MIN_GROUPS {
        return None;
    }
    let mean = |times: &[f64]| {
        let weighted = groups.iter().zip(times).map(|(&(sum, count), &times)| (times * sum, times * count as f64));
        let (sum, count) = weighted.fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d));
        (count > 0.0).then(|| sum / count)
    };
    let interval = figure_interval(groups.len(), how, mean)?;
    Some(holding(interval, mean(&vec![1.0; groups.len()])?))
}

/// The interval of what `figure` gives for how often each of `groups` is drawn; none where there are fewer than [`MIN_GROUPS`],
/// or the figure is none throughout.
pub(super) fn figure_interval(
    groups: usize,
    how: Resampling,
    figure: impl Fn(&[f64]) -> Option<f64> + Sync,
) -> Option<Interval> {
    if groups < MIN_GROUPS {
        return None;
    }
    let times = draws(groups, how);
    let replicate = |r: usize| {
        let drawn: Vec<f64> = times.iter().map(|times| f64::from(times[r])).collect();
        figure(&drawn)
    };
    let figures: Vec<f64> = (0..how.replicates).into_par_iter().filter_map(replicate).collect();
    (!figures.is_empty()).then(|| central(figures))
}

/// An interval that is widened, if need be, to hold the figure itself: rates that are steps need not be within their quantiles.
pub(super) fn holding([low, high]: Interval, value: f64) -> Interval {
    [low.min(value), high.max(value)]
}

/// How often each of `identities` is drawn in each replicate.
fn draws(identities: usize, how: Resampling) -> Vec<Vec<f32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(how.seed);
    let mut times = vec![Vec::with_capacity(how.replicates); identities];
    for _ in 0..how.replicates {
        let mut drawn = vec![0.0; identities];
        for _ in 0..identities {
            drawn[rng.random_range(0..identities)] += 1.0;
        }
        times.iter_mut().zip(drawn).for_each(|(times, drawn)| times.push(drawn));
    }
    times
}

/// Thresholds at which rates are counted: the quantiles at which an error rate is 0 % to 100 % in steps of half a percent, and
/// 25 to a decade from one comparison on; `thresholds` besides.
fn edges(scores: &Scores, thresholds: &[f64]) -> Vec<f64> {
    let mut edges = thresholds.to_vec();
    for (scores, near_end) in [(scores.impostor(), false), (scores.genuine(), true)] {
        let n = scores.len();
        let decades = (0..).map(|k| 10f64.powf(f64::from(k) / 25.0) as usize).take_while(|&k| k <= n);
        let percents = (0..200).map(|k| k * n / 200);
        for rank in decades.chain(percents) {
            let index = if near_end { n.checked_sub(1 + rank) } else { Some(rank) };
            edges.extend(index.and_then(|index| scores.get(index)).filter(|score| score.is_finite()));
        }
        edges.extend(scores.last().filter(|score| score.is_finite()));
    }
    edges.sort_unstable_by(f64::total_cmp);
    edges.dedup();
    edges
}

fn count(blocks: &[Block], comparisons: &Comparisons, edges: &[f64], times: &[Vec<f32>], replicates: usize) -> Counts {
    let zero = || vec![0.0; (edges.len() + 1) * replicates];
    let none = || vec![0.0; replicates];
    let mut counts = Counts { bins: [zero(), zero()], moments: [none(), none(), none(), none(), none(), none()] };
    let mut weights = vec![0.0f32; replicates];
    let mut filled: Vec<usize> = Vec::new();
    for block in blocks.iter().filter(|block| !block.distances.is_empty()) {
        for (weight, (a, b)) in weights.iter_mut().zip(times[block.a].iter().zip(&times[block.b])) {
            *weight = if block.a == block.b { *a } else { a * b };
        }
        let side = usize::from(!block.genuine);
        filled.clear();
        filled.extend(block.distances.iter().map(|&distance| edges.partition_point(|&edge| edge < distance)));
        filled.sort_unstable();
        for run in filled.chunk_by(|a, b| a == b) {
            let row = &mut counts.bins[side][run[0] * replicates..(run[0] + 1) * replicates];
            let n = run.len() as f32;
            row.iter_mut().zip(&weights).for_each(|(sum, weight)| *sum += n * weight);
        }
        let real = || block.distances.iter().map(|&distance| comparisons.real(distance));
        let moments = [real().count() as f64, real().sum(), real().map(|x| x * x).sum()];
        for (sums, moment) in counts.moments[side * 3..][..3].iter_mut().zip(moments) {
            sums.iter_mut().zip(&weights).for_each(|(sum, weight)| *sum += moment * f64::from(*weight));
        }
    }
    counts
}

/// The 2.5th and 97.5th percentile, interpolated between neighbours.
fn central(mut values: Vec<f64>) -> Interval {
    values.sort_unstable_by(f64::total_cmp);
    let quantile = |part: f64| {
        let at = part * (values.len() - 1) as f64;
        let (below, above) = (values[at.floor() as usize], values[at.ceil() as usize]);
        if below == above { below } else { below + (above - below) * at.fract() }
    };
    [quantile(0.025), quantile(0.975)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::embedding::Metric;

    /// A standard normal deviate (Box and Muller 1958).
    fn normal(rng: &mut ChaCha8Rng) -> f64 {
        let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// Identities whose genuine distances scatter about their own mean, and impostor distances alike.
    fn draw(identities: usize, rng: &mut ChaCha8Rng) -> Comparisons {
        let mut blocks = Vec::new();
        for a in 0..identities {
            let own = normal(rng);
            for b in a..identities {
                let centre = if a == b { 3.0 + 0.5 * own } else { 5.0 };
                let distances = (0..4).map(|_| centre + normal(rng)).collect();
                blocks.push(Block { a, b, genuine: a == b, distances });
            }
        }
        Comparisons { metric: Metric::Cosine, identities, forged: false, blocks }
    }

    fn bootstrap(comparisons: &Comparisons, seed: u64) -> Bootstrap {
        let how = Resampling { replicates: 200, seed };
        Bootstrap::new(comparisons, &comparisons.scores(), &[4.0], how).expect("comparisons")
    }

    #[test]
    fn a_seed_decides_everything() {
        let comparisons = draw(12, &mut ChaCha8Rng::seed_from_u64(1));
        let figures = |seed| {
            let bootstrap = bootstrap(&comparisons, seed);
            (bootstrap.eer(), bootstrap.auc(), bootstrap.d_prime(), bootstrap.fnmr_at_fmr(0.01), bootstrap.at(4.0))
        };
        assert_eq!(figures(7), figures(7));
        assert_ne!(figures(7), figures(8));
    }

    #[test]
    fn identities_are_drawn_and_not_comparisons() {
        // Every identity has the same distances: whoever is drawn, the rates stay.
        let block = |a, b| Block { a, b, genuine: a == b, distances: if a == b { vec![1., 3.] } else { vec![2., 4.] } };
        let blocks = (0..6).flat_map(|a| (a..6).map(move |b| block(a, b))).collect();
        let comparisons = Comparisons { metric: Metric::Cosine, identities: 6, forged: false, blocks };
        let scores = comparisons.scores();
        let bootstrap = Bootstrap::new(&comparisons, &scores, &[2.0], Resampling::default()).expect("comparisons");
        let eer = scores.eer().expect("comparisons").rate;
        for end in bootstrap.eer() {
            assert!((end - eer).abs() < 1e-6, "{end} {eer}");
        }
        assert_eq!(bootstrap.at(2.0), ([0.5, 0.5], [0.5, 0.5]));
        assert!((bootstrap.auc()[0] - scores.auc()).abs() < 1e-6);
        assert!((bootstrap.d_prime()[1] - scores.d_prime(|x| x)).abs() < 1e-6);
    }

    #[test]
    fn intervals_hold_the_truth_about_as_often_as_they_say() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        // The truth by hand: genuine N(3, 1.25), impostor N(5, 1) at the threshold 4 have FMR 0.1587, FNMR 0.1855.
        let (mut fmr, mut fnmr, mut widths, mut rates) = (0, 0, 0.0, Vec::new());
        for seed in 0..60 {
            let drawn = draw(25, &mut rng);
            let scores = drawn.scores();
            rates.push(scores.false_non_matches(4.0) as f64 / scores.genuine().len() as f64);
            let (false_matches, false_non_matches) = bootstrap(&drawn, seed).at(4.0);
            widths += (false_non_matches[1] - false_non_matches[0]) / 60.0;
            fmr += usize::from(false_matches[0] <= 0.1587 && 0.1587 <= false_matches[1]);
            fnmr += usize::from(false_non_matches[0] <= 0.1855 && 0.1855 <= false_non_matches[1]);
        }
        // Nominally 57 of 60; percentile intervals of 25 identities are a little narrow.
        assert!((50..=60).contains(&fmr) && (50..=60).contains(&fnmr), "{fmr} {fnmr}");
        // Nominally 2 * 1.96 standard deviations of the rate.
        let variance = rates.iter().map(|rate| (rate - 0.1855) * (rate - 0.1855)).sum::<f64>() / 60.0;
        assert!((3.0..5.0).contains(&(widths / variance.sqrt())), "{widths} {variance}");
    }

    #[test]
    fn the_mean_of_equal_groups_is_certain() {
        let how = Resampling::default();
        assert_eq!(mean_interval(&[(1.0, 2), (2.0, 4), (3.0, 6)], how), Some([0.5, 0.5]));
        let [low, high] = mean_interval(&[(0.0, 5), (5.0, 5), (0.0, 5), (5.0, 5)], how).expect("groups");
        assert_eq!((low, high), (0.0, 1.0));
    }

    #[test]
    fn fewer_than_three_identities_have_no_interval() {
        let how = Resampling::default();
        let has = |comparisons: &Comparisons| Bootstrap::new(comparisons, &comparisons.scores(), &[], how).is_some();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        assert_eq!([1, 2, 3].map(|identities| has(&draw(identities, &mut rng))), [false, false, true]);
        // Many identities, of which two have more than one sample.
        let mut few = draw(9, &mut rng);
        few.blocks.retain(|block| !block.genuine || block.a < 2);
        assert!(!has(&few));
        assert_eq!(mean_interval(&[(1.0, 2), (0.0, 2), (0.0, 0)], how), None);
        assert!(mean_interval(&[(1.0, 2), (0.0, 2), (0.0, 1)], how).is_some());
    }
}
