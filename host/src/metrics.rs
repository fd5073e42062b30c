//! Error rates of verification: exact, from sorted distances, no binning.
//!
//! Two samples match when their distance is at most the threshold `t`: `FMR(t)` is the share of impostor distances `<= t`,
//! `FNMR(t)` that of genuine distances `> t` (ISO/IEC 19795-1, sections 8.2 and 8.3).

/// Where the false-match rate and the false-non-match rate are equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EqualError {
    /// The rate, a fraction.
    pub rate: f64,
    /// The distance at or below which two samples match there.
    pub threshold: f64,
}

/// Genuine and impostor distances, ascending.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    genuine: Vec<f64>,
    impostor: Vec<f64>,
}

impl Scores {
    /// Sorts the distances; a NaN counts as infinitely far.
    pub fn new(genuine: Vec<f64>, impostor: Vec<f64>) -> Self {
        let sorted = |mut scores: Vec<f64>| {
            for score in scores.iter_mut().filter(|score| score.is_nan()) {
                *score = f64::INFINITY;
            }
            scores.sort_unstable_by(f64::total_cmp);
            scores
        };
        Scores { genuine: sorted(genuine), impostor: sorted(impostor) }
    }

    /// Distances of one identity's samples, ascending.
    pub fn genuine(&self) -> &[f64] {
        &self.genuine
    }

    /// Distances between identities, ascending.
    pub fn impostor(&self) -> &[f64] {
        &self.impostor
    }

    /// Impostor comparisons accepted at `threshold`.
    pub fn false_matches(&self, threshold: f64) -> usize {
        self.impostor.partition_point(|&score| score <= threshold)
    }

    /// Genuine comparisons rejected at `threshold`.
    pub fn false_non_matches(&self, threshold: f64) -> usize {
        self.genuine.len() - self.genuine.partition_point(|&score| score <= threshold)
    }

    /// `FMR(threshold)`.
    pub fn fmr(&self, threshold: f64) -> f64 {
        share(self.false_matches(threshold), self.impostor.len())
    }

    /// `FNMR(threshold)`.
    pub fn fnmr(&self, threshold: f64) -> f64 {
        share(self.false_non_matches(threshold), self.genuine.len())
    }

    /// The equal error rate. Both rates are step functions of the threshold; where they cross between two neighbouring
    /// operating points, the rate is that of the straight line between the points. `None` when either list is empty.
    pub fn eer(&self) -> Option<EqualError> {
        if self.genuine.is_empty() || self.impostor.is_empty() {
            return None;
        }
        let (mut g, mut i) = (0, 0);
        let mut before = (0.0, 1.0);
        loop {
            // Both lists run out only past the crossing: there FMR is 1 and FNMR 0.
            let threshold = match (self.genuine.get(g), self.impostor.get(i)) {
                (Some(&a), Some(&b)) => a.min(b),
                (Some(&only), None) | (None, Some(&only)) => only,
                (None, None) => return None,
            };
            g += self.genuine[g..].partition_point(|&score| score <= threshold);
            i += self.impostor[i..].partition_point(|&score| score <= threshold);
            let (fmr, fnmr) = (share(i, self.impostor.len()), 1.0 - share(g, self.genuine.len()));
            if fmr >= fnmr {
                let gap = before.1 - before.0;
                let part = gap / (gap + fmr - fnmr);
                return Some(EqualError { rate: before.0 + part * (fmr - before.0), threshold });
            }
            before = (fmr, fnmr);
        }
    }

    /// The smallest FNMR over all thresholds whose FMR is at most `fmr`: no interpolation, ties refused.
    pub fn fnmr_at_fmr(&self, fmr: f64) -> f64 {
        self.fnmr(self.threshold_below(fmr))
    }

    /// The supremum of the thresholds whose FMR is at most `fmr`, just below the first impostor that may not match; infinite
    /// where all may.
    pub(crate) fn threshold_below(&self, fmr: f64) -> f64 {
        let allowed = (fmr * self.impostor.len() as f64 + 1e-9).floor() as usize;
        self.impostor.get(allowed).map_or(f64::INFINITY, |first| first.next_down())
    }

    /// The largest whole-number threshold whose FMR is at most `fmr`, for integer distances; at most the largest genuine
    /// distance, beyond which nothing is gained. `None` where the FMR of 0 is more.
    pub fn integer_threshold(&self, fmr: f64) -> Option<u32> {
        let reach = self.genuine.last().copied().unwrap_or(0.0);
        let below = self.threshold_below(fmr);
        (below >= 0.0).then(|| below.min(reach).floor().max(0.0) as u32)
    }

    /// The probability that a genuine distance is smaller than an impostor distance, ties counted half: the area under the
    /// ROC curve (Mann and Whitney 1947).
    pub fn auc(&self) -> f64 {
        let mut wins = 0.0;
        let (mut below, mut through) = (0, 0);
        for score in &self.impostor {
            while self.genuine.get(below).is_some_and(|g| g < score) {
                below += 1;
            }
            through = through.max(below);
            while self.genuine.get(through).is_some_and(|g| g <= score) {
                through += 1;
            }
            wins += below as f64 + (through - below) as f64 / 2.0;
        }
        wins / (self.genuine.len() as f64 * self.impostor.len() as f64)
    }

    /// The decidability `d' = |m_i - m_g| / sqrt((v_g + v_i) / 2)` of the genuine and impostor distances' means `m` and
    /// variances `v`, each distance as `real` gives it (Daugman and Williams 1996): how many standard deviations the two lie
    /// apart. Infinite where neither varies.
    pub fn d_prime(&self, real: impl Fn(f64) -> f64) -> f64 {
        let moments = |scores: &[f64]| {
            let n = scores.len().max(1) as f64;
            let mean = scores.iter().map(|&score| real(score)).sum::<f64>() / n;
            let variance = scores.iter().map(|&score| (real(score) - mean).powi(2)).sum::<f64>() / n;
            (mean, variance)
        };
        let ((genuine, v), (impostor, w)) = (moments(&self.genuine), moments(&self.impostor));
        (impostor - genuine).abs() / ((v + w) / 2.0).sqrt()
    }
}

/// The smallest false-non-match rate that `identities` people can support at 95 %: the rule of three over them, at most 1.
pub fn fnmr_bound(identities: usize) -> f64 {
    if identities > 0 { (3.0 / identities as f64).min(1.0) } else { 1.0 }
}

/// The smallest false-match rate that `identities` people can support at 95 %: the rule of three over the independent pairs,
/// `3 / (n (n - 1) / 2)`, at most 1 (ISO/IEC 19795-1, annex B.1). Skilled forgeries attack only whom they imitate: where the
/// impostors are `forged`, it is taken over the people.
pub fn fmr_bound(identities: usize, forged: bool) -> f64 {
    if forged {
        return fnmr_bound(identities);
    }
    let pairs = identities.saturating_sub(1) as f64 * identities as f64 / 2.0;
    if pairs > 0.0 { (3.0 / pairs).min(1.0) } else { 1.0 }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(genuine: &[f64], impostor: &[f64]) -> f64 {
        Scores::new(genuine.to_vec(), impostor.to_vec()).eer().unwrap().rate
    }

    #[test]
    fn separable_scores_have_no_error() {
        let scores = Scores::new(vec![0.1, 0.2], vec![0.5, 0.9]);
        assert_eq!(scores.eer(), Some(EqualError { rate: 0.0, threshold: 0.2 }));
        assert_eq!(scores.auc(), 1.0);
        assert_eq!(scores.fnmr_at_fmr(0.0), 0.0);
    }

    #[test]
    fn equal_error_by_hand() {
        // At 2: one of four impostors matches, one of four genuine does not.
        assert_eq!(rate(&[0., 1., 2., 4.], &[2., 3., 5., 6.]), 0.25);
        // Swapped lists are wrong throughout.
        assert_eq!(rate(&[5., 6.], &[1., 2.]), 1.0);
        // All scores equal: one point from (0, 1) to (1, 0), crossed in the middle.
        assert_eq!(rate(&[1., 1.], &[1., 1., 1.]), 0.5);
        // (0, 0.5) to (1, 0.5) crosses at one half.
        assert_eq!(rate(&[0., 3.], &[1.]), 0.5);
    }

    #[test]
    fn nothing_to_compare_has_no_rate() {
        assert_eq!(Scores::new(vec![], vec![1.0]).eer(), None);
        assert_eq!(Scores::new(vec![1.0], vec![]).eer(), None);
    }

    #[test]
    fn not_a_number_never_matches() {
        assert_eq!(rate(&[0.0, f64::NAN], &[f64::NAN, 9.0]), 0.5);
    }

    #[test]
    fn operating_points_by_hand() {
        let scores = Scores::new(vec![1., 2., 3., 9.], (5..15).map(f64::from).collect());
        assert_eq!(scores.fnmr_at_fmr(0.0), 0.25);
        assert_eq!(scores.fnmr_at_fmr(0.5), 0.0);
        assert_eq!(scores.integer_threshold(0.0), Some(4));
        assert_eq!(scores.integer_threshold(0.1), Some(5));
        assert_eq!(scores.integer_threshold(1.0), Some(9));
        assert_eq!((scores.false_matches(5.0), scores.false_non_matches(5.0)), (1, 1));
    }

    #[test]
    fn tied_impostors_are_accepted_together_or_not_at_all() {
        let scores = Scores::new(vec![1., 7.], vec![5., 5., 5., 8.]);
        assert_eq!(scores.integer_threshold(0.5), Some(4));
        assert_eq!(scores.fmr(f64::from(scores.integer_threshold(0.75).unwrap())), 0.75);
    }

    #[test]
    fn no_threshold_exceeds_its_rate() {
        let scores = Scores::new(vec![1.], vec![0., 0., 5.]);
        assert_eq!((scores.integer_threshold(0.0), scores.integer_threshold(0.6)), (None, None));
        assert_eq!(scores.integer_threshold(0.7), Some(1));
        assert_eq!(Scores::new(vec![1.], vec![1., 5.]).integer_threshold(0.0), Some(0));
    }

    #[test]
    fn area_counts_pairs_and_halves_ties() {
        let (genuine, impostor) = ([1., 2., 2., 5.], [2., 3., 0., 5.]);
        let pairs = genuine.iter().flat_map(|g| impostor.iter().map(move |i| (g, i)));
        let wins: f64 = pairs
            .map(|(g, i)| {
                if g < i {
                    1.0
                } else if g == i {
                    0.5
                } else {
                    0.0
                }
            })
            .sum();
        assert_eq!(Scores::new(genuine.to_vec(), impostor.to_vec()).auc(), wins / 16.0);
    }

    #[test]
    fn decidability_by_hand() {
        // Means 2 and 10, variances 1 and 4: 8 / sqrt(2.5).
        let scores = Scores::new(vec![1., 3.], vec![8., 12.]);
        assert!((scores.d_prime(|x| x) - 8.0 / 2.5f64.sqrt()).abs() < 1e-12);
        // Roots 1, 2 and 3, 4: means 1.5 and 3.5, variances 0.25.
        let squared = Scores::new(vec![1., 4.], vec![9., 16.]);
        assert!((squared.d_prime(f64::sqrt) - 4.0).abs() < 1e-12);
        assert_eq!(Scores::new(vec![1.], vec![2.]).d_prime(|x| x), f64::INFINITY);
    }

    #[test]
    fn bound_is_the_rule_of_three() {
        assert_eq!((fnmr_bound(30), fnmr_bound(2)), (0.1, 1.0));
        assert!((fmr_bound(30, false) - 3.0 / 435.0).abs() < 1e-12);
        assert_eq!(fmr_bound(1, false), 1.0);
        assert_eq!((fmr_bound(19, true), fmr_bound(2, true), fmr_bound(0, true)), (3.0 / 19.0, 1.0, 1.0));
    }
}
