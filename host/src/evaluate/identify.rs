//! Identification: who is it, among the enrolled, and is it any of them?

use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;

use super::Embedded;
use super::bootstrap::{Interval, Resampling, figure_interval, holding, mean_interval};
use super::comparisons::with_probes;
use super::templates::enrol;
use crate::metrics::Scores;

/// The false-positive rates at which the false-negative rate is given.
const OPERATING_POINTS: [(&str, f64); 2] = [("0.1", 0.1), ("0.01", 0.01)];

/// The rates of an identification, fractions (ISO/IEC 19795-1, section 8.4). Every genuine sample that made no template is a
/// probe, twice: once with its identity enrolled, once as a stranger with that identity taken out of the gallery. Intervals draw
/// the probes' identities anew; who is enrolled stays.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Identification {
    /// Closed set: share of probes whose nearest template is their identity's; ties count as the chance of a draw.
    pub rank1: f64,
    /// Its interval, by identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank1_interval: Option<Interval>,
    /// Closed set: share of probes with fewer than five templates nearer than their identity's.
    pub rank5: f64,
    /// Its interval, by identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank5_interval: Option<Interval>,
    /// Identities enrolled.
    pub identities: usize,
    /// Samples that made each template.
    pub references: usize,
    /// Searches with the probe's identity enrolled, and as many without.
    pub probes: usize,
    /// Open set: share of enrolled probes that are not found where one stranger in the key's inverse is taken for somebody.
    pub fnir_at_fpir: BTreeMap<String, f64>,
    /// Their intervals, by identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fnir_at_fpir_interval: Option<BTreeMap<String, Interval>>,
    /// The rates at the sealed threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<SearchesAtThreshold>,
}

/// Searches at a model's sealed threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SearchesAtThreshold {
    /// The largest distance that is accepted.
    pub value: u32,
    /// Share of strangers who are taken for somebody.
    pub fpir: f64,
    /// Its interval, by identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fpir_interval: Option<Interval>,
    /// Share of the enrolled who are not found or taken for another.
    pub fnir: f64,
    /// Its interval, by identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fnir_interval: Option<Interval>,
}

/// What one probe met in a gallery.
struct Search {
    group: usize,
    /// Distance to its identity's template.
    own: f64,
    /// Distance to the nearest other template.
    other: f64,
    /// Other templates that are nearer than its own.
    nearer: usize,
    /// Other templates that are as near as its own.
    tied: usize,
}

impl Search {
    /// The chance that its own template is among the `rank` nearest when ties are drawn.
    fn hit(&self, rank: usize) -> f64 {
        let places = rank.saturating_sub(self.nearer) as f64;
        (places / (self.tied + 1) as f64).min(1.0)
    }

    fn found(&self, threshold: f64) -> f64 {
        if self.own <= threshold { self.hit(1) } else { 0.0 }
    }
}

/// Enrols every identity from `references` samples, in turn from all disjoint sets of them, and searches for all other genuine
/// samples. None where fewer than two identities have more samples than that.
pub fn identify(
    embedded: &Embedded,
    references: usize,
    threshold: Option<u32>,
    how: Resampling,
) -> Option<Identification> {
    let groups = with_probes(embedded, references);
    if groups.len() < 2 {
        return None;
    }
    let searches = searches(embedded, &groups, references);
    let interval = |figure: &dyn Fn(&Search) -> f64| mean_interval(&by_group(&searches, groups.len(), figure), how);
    let mean = |figure: &dyn Fn(&Search) -> f64| searches.iter().map(figure).sum::<f64>() / searches.len() as f64;
    // Strangers are accepted at their nearest template; sorted so, they give the threshold of a false-positive rate.
    let strangers = Scores::new(Vec::new(), searches.iter().map(|search| search.other).collect());
    let at_threshold = |value: u32| {
        let t = f64::from(value);
        let (accepted, lost) = (|s: &Search| f64::from(s.other <= t), |s: &Search| 1.0 - s.found(t));
        SearchesAtThreshold {
            value,
            fpir: mean(&accepted),
            fpir_interval: interval(&accepted),
            fnir: mean(&lost),
            fnir_interval: interval(&lost),
        }
    };
    let fnir_at = |fpir: f64| {
        let t = strangers.threshold_below(fpir);
        mean(&|search| 1.0 - search.found(t))
    };
    let mut by_stranger: Vec<&Search> = searches.iter().collect();
    by_stranger.sort_unstable_by(|a, b| a.other.total_cmp(&b.other));
    let fnir_at_interval = |fpir: f64| {
        let interval = figure_interval(groups.len(), how, |times| drawn_fnir(&by_stranger, fpir, times))?;
        Some(holding(interval, fnir_at(fpir)))
    };
    let intervals = OPERATING_POINTS.map(|(name, fpir)| Some((name.to_string(), fnir_at_interval(fpir)?)));
    Some(Identification {
        rank1: mean(&|search| search.hit(1)),
        rank1_interval: interval(&|search| search.hit(1)),
        rank5: mean(&|search| search.hit(5)),
        rank5_interval: interval(&|search| search.hit(5)),
        identities: groups.len(),
        references: references.max(1),
        probes: searches.len(),
        fnir_at_fpir: OPERATING_POINTS.map(|(name, fpir)| (name.to_string(), fnir_at(fpir))).into(),
        fnir_at_fpir_interval: intervals.into_iter().collect(),
        threshold: threshold.map(at_threshold),
    })
}

fn searches(embedded: &Embedded, groups: &[Vec<usize>], references: usize) -> Vec<Search> {
    let (templates, enrolled) = enrol(embedded, groups, references);
    // Gallery `round` holds the template of that number of each identity; an identity with fewer starts again.
    let mut of_group = vec![Vec::new(); groups.len()];
    for (template, one) in enrolled.iter().enumerate() {
        of_group[one.group].push(template);
    }
    let rounds = of_group.iter().map(Vec::len).max().unwrap_or(0);
    let tasks: Vec<(usize, usize)> = (0..rounds).flat_map(|r| (0..groups.len()).map(move |g| (r, g))).collect();
    let searches = tasks.into_par_iter().flat_map_iter(|(round, group)| {
        let gallery: Vec<usize> = of_group.iter().map(|own| own[round % own.len()]).collect();
        let used = &enrolled[gallery[group]].references;
        let probes = groups[group].iter().filter(|probe| !used.contains(probe));
        let search = |&probe: &usize| {
            let distance = |g: usize| embedded.distance(probe, &templates, gallery[g]);
            let own = distance(group);
            let mut search = Search { group, own, other: f64::INFINITY, nearer: 0, tied: 0 };
            for other in (0..gallery.len()).filter(|&g| g != group).map(distance) {
                search.other = search.other.min(other);
                search.nearer += usize::from(other < own);
                search.tied += usize::from(other == own);
            }
            search
        };
        probes.map(search).collect::<Vec<_>>()
    });
    searches.collect()
}

/// The FNIR where the FPIR is `fpir`, of searches by rising distance of their strangers, each identity's counting as many times
/// as it was drawn: the threshold is that of the draw.
fn drawn_fnir(by_stranger: &[&Search], fpir: f64, times: &[f64]) -> Option<f64> {
    let all: f64 = by_stranger.iter().map(|search| times[search.group]).sum();
    let mut accepted = 0.0;
    let first = by_stranger.iter().find(|search| {
        accepted += times[search.group];
        accepted > fpir * all + 1e-9
    });
    let t = first.map_or(f64::INFINITY, |search| search.other.next_down());
    let lost: f64 = by_stranger.iter().map(|search| times[search.group] * (1.0 - search.found(t))).sum();
    (all > 0.0).then(|| lost / all)
}

fn by_group(searches: &[Search], groups: usize, figure: &dyn Fn(&Search) -> f64) -> Vec<(f64, usize)> {
    let mut sums = vec![(0.0, 0); groups];
    for search in searches {
        let (sum, count) = &mut sums[search.group];
        *sum += figure(search);
        *count += 1;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::embedding::Metric;

    fn run(values: &[i8], identities: &[usize], threshold: u32) -> Identification {
        let embedded = Embedded::int8(Metric::Euclidean, 1, values.to_vec(), identities.to_vec());
        identify(&embedded, 1, Some(threshold), Resampling::default()).unwrap()
    }

    #[test]
    fn separate_identities_are_found() {
        let found = run(&[0, 1, 50, 51, 100, 102], &[0, 0, 1, 1, 2, 2], 2);
        assert_eq!((found.rank1, found.rank5, found.probes, found.identities), (1.0, 1.0, 6, 3));
        // Distances 1, 1 and 4: the last identity is beyond the threshold; no stranger is within it.
        let at = found.threshold.unwrap();
        assert!((at.fnir - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!((at.value, at.fpir, found.fnir_at_fpir["0.1"]), (2, 0.0, 0.0));
    }

    #[test]
    fn ties_are_chances() {
        let found = run(&[7; 6], &[0, 0, 1, 1, 2, 2], 0);
        assert!((found.rank1 - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(found.rank5, 1.0);
        assert_eq!(found.threshold.unwrap().fpir, 1.0);
    }

    #[test]
    fn ranks_by_hand() {
        // Gallery of first samples 0, 10, 20: probe 6 of identity 0 is nearest to 10; 11 and 19 are right.
        // Gallery of second samples 6, 11, 19: all of 0, 10, 20 are right.
        let found = run(&[0, 6, 10, 11, 20, 19], &[0, 0, 1, 1, 2, 2], 100);
        assert!((found.rank1 - 5.0 / 6.0).abs() < 1e-12);
        // Strangers' nearest: 16, 81, 81 and 121, 16, 81.
        assert!((found.threshold.unwrap().fpir - 5.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn each_draw_has_its_own_threshold() {
        // Strangers' nearest: 16, 36, 1764 and 36, 16, 1156. Just below 16 the last identity, 49 from itself, is lost; in a draw
        // of it alone the threshold is just below 1156 and finds it, so never more than two thirds are lost.
        let found = run(&[0, 1, 5, 6, 40, 47], &[0, 0, 1, 1, 2, 2], 16);
        assert_eq!(found.fnir_at_fpir["0.1"], 2.0 / 6.0);
        assert_eq!(found.fnir_at_fpir_interval.unwrap()["0.1"], [0.0, 4.0 / 6.0]);
        assert_eq!((found.rank1_interval, found.rank5_interval), (Some([1.0, 1.0]), Some([1.0, 1.0])));
    }

    #[test]
    fn two_identities_have_no_interval() {
        let found = run(&[0, 1, 50, 51], &[0, 0, 1, 1], 2);
        let text = serde_json::to_string(&found).unwrap();
        assert!(text.contains("fnir_at_fpir") && !text.contains("interval"), "{text}");
    }

    #[test]
    fn one_sample_each_cannot_be_searched_for() {
        let embedded = Embedded::int8(Metric::Euclidean, 1, vec![0, 1], vec![0, 1]);
        assert_eq!(identify(&embedded, 1, None, Resampling::default()), None);
    }
}
