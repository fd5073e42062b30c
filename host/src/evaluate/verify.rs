//! Verification: how well genuine comparisons are told from impostor ones.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Embedded;
use super::bootstrap::{Bootstrap, Interval, Resampling, holding};
use super::comparisons::Comparisons;
use crate::metrics::{Scores, fmr_bound, fnmr_bound};

/// The false-match rates at which the false-non-match rate is given.
pub const OPERATING_POINTS: [(&str, f64); 3] = [("0.1", 0.1), ("0.01", 0.01), ("0.001", 0.001)];

/// The rates of a verification, fractions; intervals hold 95 % of the replicates of a bootstrap by identity, and are none where
/// there are too few identities for one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verification {
    /// Equal error rate.
    pub eer: f64,
    /// Its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eer_interval: Option<Interval>,
    /// FNMR where the FMR is at most the key.
    pub fnmr_at_fmr: BTreeMap<String, f64>,
    /// Their intervals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fnmr_at_fmr_interval: Option<BTreeMap<String, Interval>>,
    /// Area under the ROC curve.
    pub auc: f64,
    /// Its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auc_interval: Option<Interval>,
    /// Decidability, see [`Scores::d_prime`]; none where neither kind of distance varies.
    pub d_prime: Option<f64>,
    /// Its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d_prime_interval: Option<Interval>,
    /// Identities compared.
    pub identities: usize,
    /// Genuine comparisons.
    pub genuine: usize,
    /// Identities that they are of.
    pub genuine_identities: usize,
    /// Impostor comparisons.
    pub impostor: usize,
    /// Identities that they are of; of skilled forgeries those who are imitated.
    pub impostor_identities: usize,
    /// The smallest FMR that `impostor_identities` can support at 95 %; see [`fmr_bound`].
    pub fmr_bound: f64,
    /// The smallest FNMR that `genuine_identities` can support at 95 %.
    pub fnmr_bound: f64,
    /// The rates at the sealed threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<AtThreshold>,
}

/// The rates at a model's sealed threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtThreshold {
    /// The largest distance that is accepted.
    pub value: u32,
    /// FMR there.
    pub fmr: f64,
    /// Its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fmr_interval: Option<Interval>,
    /// FNMR there.
    pub fnmr: f64,
    /// Its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fnmr_interval: Option<Interval>,
}

/// The sorted distances of every pair of `embedded`; see [`Comparisons::pairs`].
pub fn scores(embedded: &Embedded) -> Scores {
    Comparisons::pairs(embedded).scores()
}

/// The rates of `comparisons`, whose sorted distances are `scores`, without intervals; none where there is no genuine or no
/// impostor comparison.
pub fn verify(comparisons: &Comparisons, scores: &Scores, threshold: Option<u32>) -> Option<Verification> {
    let identities = comparisons.identities;
    let [genuine_identities, impostor_identities] = [true, false].map(|genuine| comparisons.compared(genuine));
    let d_prime = scores.d_prime(|distance| comparisons.real(distance));
    Some(Verification {
        eer: scores.eer()?.rate,
        eer_interval: None,
        fnmr_at_fmr: OPERATING_POINTS.map(|(name, fmr)| (name.to_string(), scores.fnmr_at_fmr(fmr))).into(),
        fnmr_at_fmr_interval: None,
        auc: scores.auc(),
        auc_interval: None,
        d_prime: d_prime.is_finite().then_some(d_prime),
        d_prime_interval: None,
        identities,
        genuine: scores.genuine().len(),
        impostor: scores.impostor().len(),
        genuine_identities,
        impostor_identities,
        fmr_bound: fmr_bound(impostor_identities, comparisons.forged),
        fnmr_bound: fnmr_bound(genuine_identities),
        threshold: threshold.map(|value| AtThreshold {
            value,
            fmr: scores.fmr(f64::from(value)),
            fmr_interval: None,
            fnmr: scores.fnmr(f64::from(value)),
            fnmr_interval: None,
        }),
    })
}

impl Verification {
    /// With the intervals of `bootstrap`, widened to hold the figures themselves (a bootstrap's quantiles are interpolated).
    pub fn with_intervals(mut self, bootstrap: &Bootstrap) -> Self {
        let at_fmr = OPERATING_POINTS.map(|(name, fmr)| {
            let interval = holding(bootstrap.fnmr_at_fmr(fmr), self.fnmr_at_fmr[name]);
            (name.to_string(), interval)
        });
        self.eer_interval = Some(holding(bootstrap.eer(), self.eer));
        self.fnmr_at_fmr_interval = Some(at_fmr.into());
        self.auc_interval = Some(holding(bootstrap.auc(), self.auc));
        self.d_prime_interval = self.d_prime.map(|d_prime| holding(bootstrap.d_prime(), d_prime));
        if let Some(at) = &mut self.threshold {
            let (fmr, fnmr) = bootstrap.at(f64::from(at.value));
            at.fmr_interval = Some(holding(fmr, at.fmr));
            at.fnmr_interval = Some(holding(fnmr, at.fnmr));
        }
        self
    }
}

/// The rates of `comparisons` with their intervals; see [`verify`].
pub fn verify_resampled(
    comparisons: &Comparisons,
    threshold: Option<u32>,
    how: Resampling,
) -> Option<(Verification, Scores, Option<Bootstrap>)> {
    let scores = comparisons.scores();
    let rates = verify(comparisons, &scores, threshold)?;
    let thresholds: Vec<f64> = threshold.into_iter().map(f64::from).collect();
    let bootstrap = Bootstrap::new(comparisons, &scores, &thresholds, how);
    let rates = match &bootstrap {
        Some(bootstrap) => rates.with_intervals(bootstrap),
        None => rates,
    };
    Some((rates, scores, bootstrap))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::Block;
    use shared::embedding::Metric;

    #[test]
    fn rates_by_hand() {
        let embedded = Embedded::int8(Metric::Euclidean, 1, vec![0, 1, 10, 12, 13], vec![0, 0, 3, 3, 3]);
        let comparisons = Comparisons::pairs(&embedded);
        let rates = verify(&comparisons, &comparisons.scores(), Some(4)).unwrap();
        assert_eq!((rates.eer, rates.auc, rates.identities), (0.0, 1.0, 2));
        assert_eq!((rates.genuine, rates.impostor), (4, 6));
        let at = rates.threshold.unwrap();
        assert_eq!((at.value, at.fmr, at.fnmr), (4, 0.0, 0.25));
        // Roots 1, 1, 2, 3 and 9, 10, 11, 12, 12, 13: means 7/4 and 67/6, variances 11/16 and 65/36.
        let expected = (67.0 / 6.0 - 1.75) / ((0.6875 + 65.0 / 36.0) / 2.0f64).sqrt();
        assert!((rates.d_prime.unwrap() - expected).abs() < 1e-9, "{:?} {expected}", rates.d_prime);
    }

    #[test]
    fn forgeries_are_as_many_cases_as_there_are_writers() {
        let bound = |forged| {
            let block = |a, genuine| Block { a, b: a, genuine, distances: vec![if genuine { 1.0 } else { 9.0 }] };
            let blocks = (0..19).flat_map(|a| [block(a, true), block(a, false)]).collect();
            let comparisons = Comparisons { metric: Metric::Euclidean, identities: 19, forged, blocks };
            verify(&comparisons, &comparisons.scores(), None).unwrap().fmr_bound
        };
        assert_eq!(bound(true), 3.0 / 19.0);
        assert!((bound(false) - 3.0 / 171.0).abs() < 1e-12);
    }

    #[test]
    fn two_identities_have_rates_and_no_intervals() {
        let json = |values: &[i8], identities: &[usize]| {
            let embedded = Embedded::int8(Metric::Euclidean, 1, values.to_vec(), identities.to_vec());
            let how = Resampling::default();
            let (rates, _, bootstrap) = verify_resampled(&Comparisons::pairs(&embedded), Some(4), how).unwrap();
            assert_eq!(bootstrap.is_some(), rates.eer_interval.is_some());
            serde_json::to_string(&rates).unwrap()
        };
        let two = json(&[0, 1, 10, 12], &[0, 0, 1, 1]);
        assert!(two.contains("\"eer\"") && !two.contains("interval"), "{two}");
        let three = json(&[0, 1, 10, 12, 20, 23], &[0, 0, 1, 1, 2, 2]);
        assert!(three.contains("\"eer_interval\"") && three.contains("\"fnmr_interval\""), "{three}");
    }

    #[test]
    fn intervals_hold_their_figures() {
        let vectors = (0..60u8).map(|n| (n / 4 * 5 + n % 4 * (1 + n % 3)) as i8).collect();
        let embedded = Embedded::int8(Metric::Euclidean, 1, vectors, (0..60).map(|n| n / 4).collect());
        let (rates, ..) = verify_resampled(&Comparisons::pairs(&embedded), Some(9), Resampling::default()).unwrap();
        let holds = |[low, high]: Interval, value: f64| assert!(low <= value && value <= high && low < high);
        holds(rates.eer_interval.unwrap(), rates.eer);
        holds(rates.auc_interval.unwrap(), rates.auc);
        holds(rates.d_prime_interval.unwrap(), rates.d_prime.unwrap());
        let at = rates.threshold.unwrap();
        holds(at.fmr_interval.unwrap(), at.fmr);
        holds(at.fnmr_interval.unwrap(), at.fnmr);
        for (fmr, interval) in rates.fnmr_at_fmr_interval.unwrap() {
            holds(interval, rates.fnmr_at_fmr[&fmr]);
        }
    }
}
