//! Verification where some samples are skilled forgeries: made by someone who had seen the genuine ones. They are impostors of
//! the identity that they imitate only; genuine samples of others are its random forgeries. The two are told apart, since the
//! second are far easier.

use serde::Serialize;

use super::Embedded;
use super::bootstrap::{Interval, Resampling, mean_interval};
use super::comparisons::Comparisons;
use super::verify::{Verification, verify_resampled};
use crate::metrics::Scores;

/// The rates against both kinds of forgeries, templates being made of `references` samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forgeries {
    /// Samples that made each template.
    pub references: usize,
    /// Skilled forgeries, one threshold for all.
    pub eer_skilled: f64,
    /// Its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eer_skilled_interval: Option<Interval>,
    /// Random forgeries, one threshold for all.
    pub eer_random: f64,
    /// Its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eer_random_interval: Option<Interval>,
    /// Skilled forgeries: the mean of the identities' own equal error rates, each at its own threshold, chosen in hindsight.
    pub eer_skilled_user: f64,
    /// Its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eer_skilled_user_interval: Option<Interval>,
    /// Random forgeries, likewise.
    pub eer_random_user: f64,
    /// Its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eer_random_user_interval: Option<Interval>,
    /// All rates with skilled forgeries as the impostors.
    pub skilled: Verification,
    /// All rates with random forgeries as the impostors.
    pub random: Verification,
}

/// Enrols every identity from `references` genuine samples, in turn from all disjoint sets of them, and compares the other
/// genuine samples, the forgeries of it, and the genuine samples of others. None where nothing can be compared.
pub fn forgeries(embedded: &Embedded, references: usize, threshold: Option<u32>, how: Resampling) -> Option<Forgeries> {
    let (skilled, random) =
        (Comparisons::forgeries(embedded, references), Comparisons::templates(embedded, references));
    let (skilled_user, skilled_user_interval) = mean_eer(&skilled.by_user(), how)?;
    let (random_user, random_user_interval) = mean_eer(&random.by_user(), how)?;
    let (skilled, ..) = verify_resampled(&skilled, threshold, how)?;
    let (random, ..) = verify_resampled(&random, threshold, how)?;
    Some(Forgeries {
        references,
        eer_skilled: skilled.eer,
        eer_skilled_interval: skilled.eer_interval,
        eer_random: random.eer,
        eer_random_interval: random.eer_interval,
        eer_skilled_user: skilled_user,
        eer_skilled_user_interval: skilled_user_interval,
        eer_random_user: random_user,
        eer_random_user_interval: random_user_interval,
        skilled,
        random,
    })
}

/// The mean of the users' equal error rates, over those who have one, and its interval.
fn mean_eer(users: &[Scores], how: Resampling) -> Option<(f64, Option<Interval>)> {
    let rates: Vec<(f64, usize)> = users.iter().filter_map(|user| Some((user.eer()?.rate, 1))).collect();
    let mean = rates.iter().map(|(rate, _)| rate).sum::<f64>() / rates.len() as f64;
    (!rates.is_empty()).then(|| (mean, mean_interval(&rates, how)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::embedding::Metric;

    #[test]
    fn both_kinds_by_hand() {
        // Writer 0 writes 0, 1, 2 and is forged as 1 and 9; writer 1 writes 50, 60, 70 and is forged as 90.
        let mut embedded =
            Embedded::int8(Metric::Euclidean, 1, vec![0, 1, 2, 1, 9, 50, 60, 70, 90], vec![0, 0, 0, 0, 0, 1, 1, 1, 1]);
        for forged in [3, 4, 8] {
            embedded.forged[forged] = true;
        }
        let rates = forgeries(&embedded, 1, Some(4), Resampling::default()).unwrap();
        // Random forgeries are at least 48 away, as far as genuine ones of writer 1 at most 20.
        assert_eq!((rates.eer_random, rates.eer_random_user), (0.0, 0.0));
        assert_eq!((rates.random.genuine, rates.random.impostor), (12, 18));
        // Templates 0, 1, 2: genuine 1, 4, 1, 1, 4, 1; skilled 1, 81, 0, 64, 1, 49.
        // Templates 50, 60, 70: genuine 100, 400, 100, 100, 400, 100; skilled 1600, 900, 400.
        assert_eq!((rates.skilled.genuine, rates.skilled.impostor), (12, 9));
        let at = rates.skilled.threshold.unwrap();
        assert!((at.fmr - 3.0 / 9.0).abs() < 1e-12 && (at.fnmr - 0.5).abs() < 1e-12);
        // Writer 0: at 1, 3 of 6 forgeries match and 2 of 6 genuine do not; from (1/6, 1) the line meets at 4/9.
        // Writer 1: (0, 1/3) at 100, (1/3, 0) at 400: the line meets at 1/6.
        let expected = (4.0 / 9.0 + 1.0 / 6.0) / 2.0;
        assert!((rates.eer_skilled_user - expected).abs() < 1e-12, "{}", rates.eer_skilled_user);
        assert!(rates.eer_skilled > rates.eer_random);
    }

    #[test]
    fn without_forgeries_there_is_nothing_to_say() {
        let embedded = Embedded::int8(Metric::Euclidean, 1, vec![0, 1, 50, 51], vec![0, 0, 1, 1]);
        assert_eq!(forgeries(&embedded, 1, None, Resampling::default()), None);
    }
}
