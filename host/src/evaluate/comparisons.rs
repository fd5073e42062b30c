//! Which samples are compared: distances, with the identities that they are between.

use rayon::prelude::*;
use shared::embedding::Metric;

use super::Embedded;
use super::templates::{Enrolled, enrol};
use crate::metrics::Scores;

/// Most samples whose pairs are all compared; of more, each identity keeps the same share, its first ones, but enough to be
/// enrolled and compared. Where that is still too much, only the first identities are compared.
pub const MAX_SAMPLES: usize = 5000;

/// The distances between the samples of two identities, or of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// One identity.
    pub a: usize,
    /// The other, or the same.
    pub b: usize,
    /// Whether both sides really are the same identity's: not so where `b` imitates `a`.
    pub genuine: bool,
    /// The distances.
    pub distances: Vec<f64>,
}

/// Distances with the identities that they are between.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparisons {
    /// What the distances are: squared Euclidean ones, or cosine distances.
    pub metric: Metric,
    /// How many identities are compared; blocks name them from 0.
    pub identities: usize,
    /// Whether the impostors are skilled forgeries, which attack one identity each.
    pub forged: bool,
    /// The distances; two identities may have several blocks.
    pub blocks: Vec<Block>,
}

impl Comparisons {
    /// Every pair of genuine samples once.
    pub fn pairs(embedded: &Embedded) -> Self {
        let groups = capped(embedded.by_identity(), 1);
        let pairs: Vec<(usize, usize)> =
            (0..groups.len()).flat_map(|a| (a..groups.len()).map(move |b| (a, b))).collect();
        let blocks = pairs.into_par_iter().map(|(a, b)| {
            let mut distances = Vec::new();
            for (index, &x) in groups[a].iter().enumerate() {
                let others = if a == b { &groups[a][index + 1..] } else { &groups[b][..] };
                distances.extend(others.iter().map(|&y| embedded.distance(x, embedded, y)));
            }
            Block { a, b, genuine: a == b, distances }
        });
        Comparisons { metric: embedded.metric, identities: groups.len(), forged: false, blocks: blocks.collect() }
    }

    /// Templates of `references` samples each against the genuine samples that did not make them; see [`enrol`]. Identities
    /// with no sample left to compare are not counted.
    pub fn templates(embedded: &Embedded, references: usize) -> Self {
        let groups = with_probes(embedded, references);
        let (templates, enrolled) = enrol(embedded, &groups, references);
        let blocks = enrolled.par_iter().enumerate().flat_map_iter(|(index, Enrolled { group, references })| {
            let (templates, groups) = (&templates, &groups);
            groups.iter().enumerate().map(move |(b, probes)| {
                let probes = probes.iter().filter(|probe| b != *group || !references.contains(probe));
                let distances = probes.map(|&probe| embedded.distance(probe, templates, index)).collect();
                Block { a: *group, b, genuine: b == *group, distances }
            })
        });
        Comparisons { metric: embedded.metric, identities: groups.len(), forged: false, blocks: blocks.collect() }
    }

    /// As [`Comparisons::templates`], but with the skilled forgeries of each identity as its impostors.
    pub fn forgeries(embedded: &Embedded, references: usize) -> Self {
        let groups = with_probes(embedded, references);
        let (templates, enrolled) = enrol(embedded, &groups, references);
        let blocks = enrolled.par_iter().enumerate().flat_map_iter(|(index, Enrolled { group, references })| {
            let group = *group;
            let distances = |probes: Vec<usize>| {
                probes.into_iter().map(|probe| embedded.distance(probe, &templates, index)).collect::<Vec<_>>()
            };
            let identity = embedded.identities[groups[group][0]];
            let forged = (0..embedded.len()).filter(|&s| embedded.forged[s] && embedded.identities[s] == identity);
            let own = groups[group].iter().copied().filter(|probe| !references.contains(probe));
            let block = |genuine, distances| Block { a: group, b: group, genuine, distances };
            [block(true, distances(own.collect())), block(false, distances(forged.collect()))]
        });
        Comparisons { metric: embedded.metric, identities: groups.len(), forged: true, blocks: blocks.collect() }
    }

    /// How many identities have genuine, or impostor, distances.
    pub fn compared(&self, genuine: bool) -> usize {
        let mut found = vec![false; self.identities];
        for block in self.blocks.iter().filter(|block| block.genuine == genuine && !block.distances.is_empty()) {
            found[block.a] = true;
            found[block.b] = true;
        }
        found.into_iter().filter(|&found| found).count()
    }

    /// The distances, sorted, without their identities.
    pub fn scores(&self) -> Scores {
        let of = |genuine: bool| {
            let blocks = self.blocks.iter().filter(|block| block.genuine == genuine);
            blocks.flat_map(|block| &block.distances).copied().collect()
        };
        Scores::new(of(true), of(false))
    }

    /// The sorted distances of each identity's own blocks: what only concerns its templates.
    pub fn by_user(&self) -> Vec<Scores> {
        let mut users = vec![(Vec::new(), Vec::new()); self.identities];
        for block in &self.blocks {
            let (genuine, impostor) = &mut users[block.a];
            if block.genuine { genuine } else { impostor }.extend(&block.distances);
        }
        users.into_iter().map(|(genuine, impostor)| Scores::new(genuine, impostor)).collect()
    }

    /// A distance as people see it, up to a factor: the root where the metric gives squares.
    pub fn real(&self, distance: f64) -> f64 {
        match self.metric {
            Metric::Euclidean => distance.sqrt(),
            Metric::Cosine => distance,
        }
    }
}

/// At most [`MAX_SAMPLES`] samples of `groups`, but at least two groups where there are as many: the same share of each, but
/// of none fewer than one more than `references` where it has as many, and where that is too much the first groups.
fn capped(mut groups: Vec<Vec<usize>>, references: usize) -> Vec<Vec<usize>> {
    let all: usize = groups.iter().map(Vec::len).sum();
    if all <= MAX_SAMPLES {
        return groups;
    }
    let least = references.max(1) + 1;
    for group in &mut groups {
        group.truncate((group.len() * MAX_SAMPLES / all).max(least));
    }
    let mut samples = 0;
    let within = groups.iter().take_while(|group| {
        samples += group.len();
        samples <= MAX_SAMPLES
    });
    let fitting = within.count();
    groups.truncate(fitting.max(2));
    groups
}

/// The genuine samples, by identity, of the identities that have some left when `references` of them are enrolled; see
/// [`MAX_SAMPLES`].
pub(super) fn with_probes(embedded: &Embedded, references: usize) -> Vec<Vec<usize>> {
    let mut groups = embedded.by_identity();
    groups.retain(|group| group.len() > references);
    capped(groups, references)
}

/// How many genuine samples, of how many identities, are compared where templates are made of `references` samples, or, without
/// them, every pair is compared.
pub fn compared(embedded: &Embedded, references: Option<usize>) -> (usize, usize) {
    let groups = match references {
        Some(references) => with_probes(embedded, references),
        None => capped(embedded.by_identity(), 1),
    };
    (groups.iter().map(Vec::len).sum(), groups.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: &[i8], identities: &[usize]) -> Embedded {
        Embedded::int8(Metric::Euclidean, 1, values.to_vec(), identities.to_vec())
    }

    #[test]
    fn every_pair_is_compared_once() {
        let comparisons = Comparisons::pairs(&line(&[0, 1, 10, 12, 13], &[0, 0, 3, 3, 3]));
        assert_eq!(comparisons.identities, 2);
        let scores = comparisons.scores();
        assert_eq!(scores.genuine(), [1., 1., 4., 9.]);
        assert_eq!(scores.impostor(), [81., 100., 121., 144., 144., 169.]);
        assert_eq!(comparisons.real(81.0), 9.0);
    }

    #[test]
    fn templates_of_one_sample_are_all_ordered_pairs() {
        let embedded = line(&[0, 1, 10, 12, 13], &[0, 0, 1, 1, 1]);
        let (pairs, templates) = (Comparisons::pairs(&embedded), Comparisons::templates(&embedded, 1));
        let twice = |scores: &[f64]| scores.iter().flat_map(|&score| [score, score]).collect::<Vec<_>>();
        assert_eq!(templates.scores().genuine(), twice(pairs.scores().genuine()));
        assert_eq!(templates.scores().impostor(), twice(pairs.scores().impostor()));
    }

    #[test]
    fn references_are_not_compared_with_themselves() {
        // Templates of two: {0, 2} is 1; {20, 22} is 21 and {24, 26} is 25; the lone sample cannot be enrolled from two.
        let embedded = line(&[0, 2, 5, 20, 22, 24, 26, 90], &[0, 0, 0, 1, 1, 1, 1, 2]);
        let comparisons = Comparisons::templates(&embedded, 2);
        assert_eq!(comparisons.identities, 2);
        let scores = comparisons.scores();
        assert_eq!(scores.genuine(), [9., 9., 16., 25., 25.]);
        assert_eq!(scores.impostor().len(), 4 + 3 * 2);
    }

    #[test]
    fn of_too_many_samples_each_identity_keeps_enough() {
        // `identities` of `samples` each.
        let many = |identities: usize, samples: usize| {
            let of: Vec<usize> = (0..identities * samples).map(|sample| sample / samples).collect();
            line(&vec![0; of.len()], &of)
        };
        assert_eq!(compared(&many(250, 20), Some(5)), (5000, 250));
        assert_eq!(compared(&many(400, 20), Some(5)), (400 * 12, 400));
        // A share of five leaves no probe: six of each, and of the first 833 identities.
        assert_eq!(compared(&many(1000, 20), Some(5)), (833 * 6, 833));
        assert_eq!(compared(&many(1000, 20), None), (5000, 1000));
        assert_eq!(compared(&many(4000, 2), None), (5000, 2500));
        assert_eq!(compared(&many(3, 6000), Some(5500)), (2 * 5501, 2));
        // Who has no probe takes nobody's place.
        let lone: Vec<usize> = (0..6000).chain([6000, 6000, 6001, 6001]).collect();
        assert_eq!(compared(&line(&vec![0; lone.len()], &lone), Some(1)), (4, 2));
    }

    #[test]
    fn forgeries_are_compared_with_whom_they_imitate() {
        let mut embedded = line(&[0, 2, 5, 7, 50, 52, 53, 1], &[0, 0, 0, 0, 1, 1, 1, 1]);
        embedded.forged[3] = true;
        embedded.forged[7] = true;
        let comparisons = Comparisons::forgeries(&embedded, 2);
        assert!(comparisons.forged && !Comparisons::templates(&embedded, 2).forged);
        let scores = comparisons.scores();
        assert_eq!(scores.genuine(), [4., 16.]);
        assert_eq!(scores.impostor(), [36., 2500.]);
        let users = comparisons.by_user();
        assert_eq!((users[0].genuine(), users[0].impostor()), ([16.].as_slice(), [36.].as_slice()));
        assert_eq!(Comparisons::pairs(&embedded).scores().genuine().len(), 3 + 3, "no forgery is genuine");
    }
}
