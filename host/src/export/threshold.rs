//! The decision threshold: what it is measured with, and what it rests on.

use shared::bundle::{Evidence, Threshold};
use shared::embedding::Distance;

use super::ExportError;
use crate::evaluate::{Comparisons, Embedded};
use crate::metrics::{Scores, fmr_bound};
use crate::recipe::{Export, Impostors};

/// Part of the genuine pairs that the enrolment gate lets pass.
const GATE_SHARE: f64 = 0.95;

/// What the threshold is measured with, where that is not every pair of the samples in `embedded`.
pub(super) fn compared(export: &Export, embedded: &Embedded) -> Result<Option<Comparisons>, ExportError> {
    let compared = match export {
        Export { against: Impostors::Others, references: 0, .. } => return Ok(None),
        Export { against: Impostors::Others, references, .. } => Comparisons::templates(embedded, *references),
        Export { against: Impostors::Forgeries, references, .. } => {
            Comparisons::forgeries(embedded, (*references).max(1))
        }
    };
    let some = |genuine| compared.blocks.iter().any(|block| block.genuine == genuine && !block.distances.is_empty());
    if some(true) && some(false) { Ok(Some(compared)) } else { Err(ExportError::NoTemplates) }
}

/// The distance that [`GATE_SHARE`] of the genuine pairs are within.
pub(super) fn gate(pairs: &Scores) -> Distance {
    let place = (pairs.genuine().len() as f64 * GATE_SHARE).ceil() as usize;
    Distance(pairs.genuine().get(place.saturating_sub(1)).map_or(0, |&distance| distance as u32))
}

/// The largest distance whose FMR stays within the target, with its evidence; an enrolment `gate` is at least as wide.
pub(super) fn threshold(
    export: &Export,
    scores: &Scores,
    identities: usize,
    unseen: bool,
    gate: Distance,
) -> Result<Threshold, ExportError> {
    let target = export.target_fmr;
    let value = scores.integer_threshold(target).ok_or(ExportError::TargetFmr(target * 100.0))?;
    let at = f64::from(value);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let evidence = Evidence {
        target_fmr_ppm: (target * 1e6).round() as u32,
        identities: count(identities),
        unseen,
        forged: export.against == Impostors::Forgeries,
        genuine: count(scores.genuine().len()),
        false_non_matches: count(scores.false_non_matches(at)),
        impostor: count(scores.impostor().len()),
        false_matches: count(scores.false_matches(at)),
    };
    Ok(Threshold { distance: Distance(value), gate: gate.max(Distance(value)), evidence })
}

/// The smallest FMR that the identities of `evidence` support at 95 %.
pub(super) fn bound(evidence: &Evidence) -> f64 {
    fmr_bound(evidence.identities as usize, evidence.forged)
}

/// The mean over identities of the mean distance between their samples, rounded down.
pub(super) fn usual_spread(comparisons: &Comparisons) -> Option<Distance> {
    let own = comparisons.blocks.iter().filter(|block| block.genuine && !block.distances.is_empty());
    let means: Vec<f64> = own.map(|block| block.distances.iter().sum::<f64>() / block.distances.len() as f64).collect();
    (!means.is_empty()).then(|| Distance((means.iter().sum::<f64>() / means.len() as f64) as u32))
}

/// What a threshold rests on, for people.
pub fn evidence_sentence(threshold: &Threshold) -> String {
    let evidence = &threshold.evidence;
    let percent = |part: u32, whole: u32| 100.0 * f64::from(part) / f64::from(whole.max(1));
    format!(
        "distance <= {} was chosen for FMR <= {} %: {:.3} % of {} {} and {:.2} % of {} genuine comparisons fail, over {} \
         identities {}; so many identities support no claim below an FMR of {:.4} % at 95 %",
        threshold.distance.0,
        f64::from(evidence.target_fmr_ppm) / 1e4,
        percent(evidence.false_matches, evidence.impostor),
        evidence.impostor,
        if evidence.forged { "skilled forgeries'" } else { "impostor" },
        percent(evidence.false_non_matches, evidence.genuine),
        evidence.genuine,
        evidence.identities,
        if evidence.unseen { "that were not trained on" } else { "THAT WERE TRAINED ON" },
        bound(evidence) * 100.0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::embedding::Metric;

    const EXPORT: Export =
        Export { target_fmr: 0.4, against: Impostors::Others, references: 0, calibration_samples: 1, spread: false };

    /// Writer 0 writes 0, 1, 2 and is forged as 2 and 9; writer 1 writes 50, 60, 70 and is forged as 90.
    fn written() -> Embedded {
        let vectors = vec![0, 1, 2, 2, 9, 50, 60, 70, 90];
        let mut embedded = Embedded::int8(Metric::Euclidean, 1, vectors, vec![0, 0, 0, 0, 0, 1, 1, 1, 1]);
        for forged in [3, 4, 8] {
            embedded.forged[forged] = true;
        }
        embedded
    }

    #[test]
    fn forgeries_are_kept_out_where_the_recipe_asks_for_it() {
        assert_eq!(compared(&EXPORT, &written()).unwrap(), None);
        let export = Export { against: Impostors::Forgeries, ..EXPORT };
        let compared = compared(&export, &written()).unwrap().unwrap();
        let scores = compared.scores();
        assert_eq!(scores.impostor(), [0.0, 1.0, 4.0, 49.0, 64.0, 81.0, 400.0, 900.0, 1600.0]);
        // Three of nine are within 48, and 0.4 of them are asked for.
        let sealed = |export: &Export, identities| threshold(export, &scores, identities, true, Distance(7));
        let threshold = sealed(&export, compared.identities).unwrap();
        assert_eq!((threshold.distance, threshold.gate), (Distance(48), Distance(48)));
        let Evidence { forged, identities, impostor, false_matches, .. } = threshold.evidence;
        assert_eq!((forged, identities, impostor, false_matches), (true, 2, 9, 3));
        assert!(evidence_sentence(&threshold).contains("33.333 % of 9 skilled forgeries' and"));
        let nineteen = evidence_sentence(&sealed(&export, 19).unwrap());
        assert!(nineteen.contains("below an FMR of 15.7895 %"), "{nineteen}");
        // One of nine is at distance 0.
        let error = sealed(&Export { target_fmr: 0.1, ..export }, 2).unwrap_err().to_string();
        assert!(error.contains("false-match rate of 10.0000 %") && error.contains("target_fmr"), "{error}");
    }

    #[test]
    fn others_are_compared_with_templates_where_the_recipe_asks_for_it() {
        let export = Export { references: 2, ..EXPORT };
        assert_eq!(compared(&export, &written()).unwrap(), Some(Comparisons::templates(&written(), 2)));
        let export = Export { references: 3, ..EXPORT };
        assert!(matches!(compared(&export, &written()), Err(ExportError::NoTemplates)));
    }

    #[test]
    fn the_gate_lets_all_but_a_twentieth_pass() {
        let genuine: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(gate(&Scores::new(genuine, vec![5.0])), Distance(95));
        assert_eq!(gate(&Scores::new(vec![3.0, 8.0], vec![])), Distance(8));
    }
}
