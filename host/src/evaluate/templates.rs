//! Enrolment: templates made of several samples.

use super::Embedded;

/// Most templates that are made of one identity.
const MAX_ROUNDS: usize = 10;

/// Most comparisons of templates with samples.
const MAX_COMPARISONS: usize = 12_500_000;

/// One template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// Index of the identity's group.
    pub group: usize,
    /// The samples that it was made of.
    pub references: Vec<usize>,
}

/// Makes templates of `references` samples of each group, which has more than so many. As many disjoint sets of them as a
/// group has (at most 10, fewer where that would be too many comparisons) are enrolled one after the other, so
/// that no figure hangs on which sample came first. Template `t` belongs to entry `t` of the list.
pub fn enrol(embedded: &Embedded, groups: &[Vec<usize>], references: usize) -> (Embedded, Vec<Enrolled>) {
    let references = references.max(1);
    let samples: usize = groups.iter().map(Vec::len).sum();
    let affordable = MAX_COMPARISONS / (groups.len() * samples).max(1);
    let rounds = affordable.clamp(1, MAX_ROUNDS);
    let mut enrolled = Vec::new();
    for (group, members) in groups.iter().enumerate() {
        let sets = members.chunks_exact(references).take(rounds);
        enrolled.extend(sets.map(|set| Enrolled { group, references: set.to_vec() }));
    }
    let sets: Vec<&[usize]> = enrolled.iter().map(|one| one.references.as_slice()).collect();
    let identities = enrolled.iter().map(|one| one.group).collect();
    (embedded.templates(&sets, identities), enrolled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::embedding::{Distance, Metric};

    #[test]
    fn every_sample_is_a_reference_in_its_turn() {
        let embedded = Embedded::int8(Metric::Euclidean, 1, vec![1, 2, 3, 6, 9], vec![0; 5]);
        let (templates, enrolled) = enrol(&embedded, &[vec![0, 1, 2, 3, 4]], 2);
        assert_eq!(enrolled.iter().map(|one| one.references.clone()).collect::<Vec<_>>(), [[0, 1], [2, 3]]);
        // Means 1.5 and 4.5, halves up.
        assert_eq!((templates.vector(0), templates.vector(1)), (Some([2].as_slice()), Some([5].as_slice())));
        let below = Embedded::int8(Metric::Euclidean, 1, vec![-2, -1, -128, -128], vec![0; 4]);
        let (templates, _) = enrol(&below, &[vec![0, 1, 2, 3]], 2);
        assert_eq!((templates.vector(0), templates.vector(1)), (Some([-1].as_slice()), Some([-128].as_slice())));
    }

    #[test]
    fn a_template_is_compared_as_the_board_compares_it() {
        let usual = Distance(30_001);
        let vectors = vec![0, 3, 3, -2, 40, 41, 41, 47, -9, 80, 2, 2];
        let embedded =
            Embedded::int8(Metric::Cosine, 2, vectors.clone(), vec![0, 0, 1, 1, 2, 2]).with_usual_spread(Some(usual));
        let (templates, enrolled) = enrol(&embedded, &embedded.by_identity(), 2);
        for (template, one) in enrolled.iter().enumerate() {
            let samples: Vec<&[i8]> = one.references.iter().filter_map(|&index| embedded.vector(index)).collect();
            let own = Metric::Cosine.spread(&samples).unwrap();
            for probe in 0..embedded.len() {
                let (a, b) = (embedded.vector(probe).unwrap(), templates.vector(template).unwrap());
                let expected = Metric::Cosine.distance(a, b).with_allowance(own, usual);
                assert_eq!(embedded.distance(probe, &templates, template), f64::from(expected.0));
            }
        }
        let (templates, _) = enrol(&embedded, &embedded.by_identity(), 1);
        let plain = Embedded::int8(Metric::Cosine, 2, vectors, vec![0, 0, 1, 1, 2, 2]);
        assert_eq!(embedded.distance(5, &templates, 0), plain.distance(5, &plain, 0));
    }

    #[test]
    fn a_template_of_one_sample_is_that_sample() {
        let embedded = Embedded::int8(Metric::Cosine, 2, vec![-128, 127, 3, -4], vec![0, 1]);
        let (templates, _) = enrol(&embedded, &[vec![0], vec![1]], 1);
        assert_eq!((templates.vector(0), templates.vector(1)), (embedded.vector(0), embedded.vector(1)));
    }
}
