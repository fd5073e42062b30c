//! Verification: every pair of samples is a genuine or an impostor comparison.

use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;

use super::Embedded;
use crate::metrics::{Scores, fmr_bound};

/// Most samples whose pairs are all compared; of more, each identity keeps the same share, its first ones.
pub const MAX_VERIFY_SAMPLES: usize = 5000;

/// The rates of a verification.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verification {
    /// Equal error rate.
    pub eer: f64,
    /// FNMR where the FMR is at most the key.
    pub fnmr_at_fmr: BTreeMap<&'static str, f64>,
    /// Area under the ROC curve.
    pub auc: f64,
    /// Identities compared.
    pub identities: usize,
    /// Genuine comparisons.
    pub genuine: usize,
    /// Impostor comparisons.
    pub impostor: usize,
    /// The smallest FMR that so many identities can support at 95 %.
    pub fmr_bound: f64,
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
    /// FNMR there.
    pub fnmr: f64,
}

/// The distances of every pair of `embedded`, at most [`MAX_VERIFY_SAMPLES`] samples' pairs.
pub fn scores(embedded: &Embedded) -> Scores {
    let mut groups = embedded.by_identity();
    if embedded.len() > MAX_VERIFY_SAMPLES {
        for group in &mut groups {
            group.truncate((group.len() * MAX_VERIFY_SAMPLES / embedded.len()).max(2));
        }
    }
    let chosen: Vec<usize> = groups.concat();
    let rows = chosen.par_iter().enumerate().map(|(row, &a)| {
        let pairs = chosen[row + 1..].iter().map(|&b| {
            let same = embedded.identities[a] == embedded.identities[b];
            (same, embedded.distance(a, embedded, b))
        });
        let (genuine, impostor): (Vec<_>, Vec<_>) = pairs.partition(|(same, _)| *same);
        let distances = |pairs: Vec<(bool, f64)>| pairs.into_iter().map(|(_, distance)| distance).collect::<Vec<_>>();
        (distances(genuine), distances(impostor))
    });
    let (genuine, impostor): (Vec<_>, Vec<_>) = rows.unzip();
    Scores::new(genuine.concat(), impostor.concat())
}

/// The rates of `scores` over `identities`; none where there is no genuine or no impostor comparison.
pub fn verify(scores: &Scores, identities: usize, threshold: Option<u32>) -> Option<Verification> {
    let rates = [("0.1", 0.1), ("0.01", 0.01), ("0.001", 0.001)];
    Some(Verification {
        eer: scores.eer()?.rate,
        fnmr_at_fmr: rates.into_iter().map(|(name, fmr)| (name, scores.fnmr_at_fmr(fmr))).collect(),
        auc: scores.auc(),
        identities,
        genuine: scores.genuine().len(),
        impostor: scores.impostor().len(),
        fmr_bound: fmr_bound(identities),
        threshold: threshold.map(|value| AtThreshold {
            value,
            fmr: scores.fmr(f64::from(value)),
            fnmr: scores.fnmr(f64::from(value)),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::embedding::Metric;

    #[test]
    fn counts_every_pair_once() {
        let embedded = Embedded::int8(Metric::Euclidean, 1, vec![0, 1, 10, 12, 13], vec![0, 0, 3, 3, 3]);
        let scores = scores(&embedded);
        assert_eq!(scores.genuine(), [1., 1., 4., 9.]);
        assert_eq!(scores.impostor(), [81., 100., 121., 144., 144., 169.]);
        let rates = verify(&scores, 2, Some(4)).unwrap();
        assert_eq!((rates.eer, rates.auc), (0.0, 1.0));
        assert_eq!(rates.threshold, Some(AtThreshold { value: 4, fmr: 0.0, fnmr: 0.25 }));
    }
}
