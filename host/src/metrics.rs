//! Error rates of verification.

/// Where the false-match rate and the false-non-match rate are equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EqualError {
    /// The rate, a fraction.
    pub rate: f64,
    /// The distance at or below which two samples match there.
    pub threshold: f32,
}

/// The equal error rate, exact: no binning of the scores.
///
/// Two samples match when their distance is at most the threshold, so `FMR(t)` is the share of `impostor` distances `<= t` and
/// `FNMR(t)` that of `genuine` distances `> t`. Both are step functions of `t`; where they cross between two neighbouring
/// operating points, the rate is that of the straight line between the points. A NaN counts as an infinite distance.
/// `None` when either list is empty.
pub fn eer(genuine: &[f32], impostor: &[f32]) -> Option<EqualError> {
    if genuine.is_empty() || impostor.is_empty() {
        return None;
    }
    let sorted = |scores: &[f32]| {
        let finite = |&s: &f32| if s.is_nan() { f32::INFINITY } else { s };
        let mut scores: Vec<f32> = scores.iter().map(finite).collect();
        scores.sort_unstable_by(f32::total_cmp);
        scores
    };
    let (genuine, impostor) = (sorted(genuine), sorted(impostor));
    let (mut g, mut i) = (0, 0);
    let mut before = (0.0, 1.0);
    loop {
        // Both lists run out only past the crossing: there FMR is 1 and FNMR 0.
        let threshold = match (genuine.get(g), impostor.get(i)) {
            (Some(&a), Some(&b)) => a.min(b),
            (Some(&only), None) | (None, Some(&only)) => only,
            (None, None) => return None,
        };
        g += genuine[g..].partition_point(|&s| s <= threshold);
        i += impostor[i..].partition_point(|&s| s <= threshold);
        let fmr = i as f64 / impostor.len() as f64;
        let fnmr = 1.0 - g as f64 / genuine.len() as f64;
        if fmr >= fnmr {
            let gap = before.1 - before.0;
            let share = gap / (gap + fmr - fnmr);
            let rate = before.0 + share * (fmr - before.0);
            return Some(EqualError { rate, threshold });
        }
        before = (fmr, fnmr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(genuine: &[f32], impostor: &[f32]) -> f64 {
        eer(genuine, impostor).unwrap().rate
    }

    #[test]
    fn separable_scores_have_no_error() {
        let got = eer(&[0.1, 0.2], &[0.5, 0.9]).unwrap();
        assert_eq!(
            got,
            EqualError {
                rate: 0.0,
                threshold: 0.2
            }
        );
    }

    #[test]
    fn by_hand() {
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
        assert_eq!(eer(&[], &[1.0]), None);
        assert_eq!(eer(&[1.0], &[]), None);
    }

    #[test]
    fn not_a_number_never_matches() {
        assert_eq!(rate(&[0.0, f32::NAN], &[f32::NAN, 9.0]), 0.5);
    }

    #[test]
    fn lies_between_the_neighbouring_operating_points() {
        let genuine: Vec<f32> = (0..97).map(|i| (i * 37 % 97) as f32 / 97.0).collect();
        let impostor: Vec<f32> = (0..89)
            .map(|i| 0.4 + (i * 53 % 89) as f32 / 89.0)
            .collect();
        let got = eer(&genuine, &impostor).unwrap();
        let share = |scores: &[f32]| {
            scores.iter().filter(|&&s| s <= got.threshold).count() as f64 / scores.len() as f64
        };
        assert!((share(&impostor) - got.rate).abs() < 0.02);
        assert!((1.0 - share(&genuine) - got.rate).abs() < 0.02);
    }
}
