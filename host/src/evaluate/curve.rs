//! The curve of a detection error trade-off, of which ROC is another view.

use rayon::prelude::*;
use serde::Serialize;

use super::bootstrap::{Bootstrap, Interval, holding};
use crate::metrics::Scores;

/// Points of a curve.
const POINTS: usize = 64;

/// A point of the DET curve; its true-match rate, for ROC, is `1 - fnmr`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RatePoint {
    /// False-match rate, at most.
    pub fmr: f64,
    /// False-non-match rate there.
    pub fnmr: f64,
    /// Its interval, see [`Bootstrap`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

/// The DET curve of `scores`, from the rate of one impostor comparison (1e-5 at the least) to 1, evenly by its logarithm.
pub fn det(scores: &Scores, bootstrap: Option<&Bootstrap>) -> Vec<RatePoint> {
    let least = (1.0 / scores.impostor().len().max(1) as f64).max(1e-5);
    let rates: Vec<f64> = (0..POINTS).map(|n| least.powf(1.0 - n as f64 / (POINTS - 1) as f64)).collect();
    let point = |fmr: f64| {
        let fnmr = scores.fnmr_at_fmr(fmr);
        let interval = bootstrap.map(|bootstrap| holding(bootstrap.fnmr_at_fmr(fmr), fnmr));
        RatePoint { fmr, fnmr, interval }
    };
    rates.into_par_iter().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_falls_from_the_rarest_false_match_to_none_refused() {
        let scores = Scores::new(vec![1.0, 2.0, 3.0, 8.0], (4..24).map(f64::from).collect());
        let curve = det(&scores, None);
        assert_eq!((curve.len(), curve[0].fmr, curve[0].fnmr), (POINTS, 0.05, 0.25));
        assert_eq!(curve[POINTS - 1], RatePoint { fmr: 1.0, fnmr: 0.0, interval: None });
        for pair in curve.windows(2) {
            assert!(pair[0].fmr < pair[1].fmr && pair[0].fnmr >= pair[1].fnmr, "{pair:?}");
        }
        // A quarter of the impostors lies below 9, where everybody is accepted.
        assert!(curve.iter().all(|point| (point.fnmr == 0.0) == (point.fmr >= 0.25)));
    }
}
