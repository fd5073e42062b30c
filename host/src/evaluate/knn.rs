//! k-nearest-neighbour classification against a gallery of labelled samples.

use std::collections::HashMap;

use rayon::prelude::*;

use super::Embedded;
use crate::data::{Dataset, RawSample};

/// For each sample of `queries` those of `gallery` that are the same.
pub fn same_samples(queries: &Dataset, gallery: &Dataset) -> Vec<Vec<usize>> {
    let mut places: HashMap<&RawSample, Vec<usize>> = HashMap::new();
    for (place, sample) in gallery.samples.iter().enumerate() {
        places.entry(&sample.raw).or_default().push(place);
    }
    queries.samples.iter().map(|sample| places.get(&sample.raw).cloned().unwrap_or_default()).collect()
}

/// Of each identity's genuine samples in `queries` how many are named wrongly, and how many there are: named by the label that
/// wins the vote of the `k` nearest gallery samples. Samples as far as the k-th vote too (int8 embeddings do tie); among labels
/// with as many votes, the one with the nearest sample wins, then the lower label. Both sides' labels must be of one numbering
/// (see [`super::gallery`]). The gallery's samples of `own`, one list a query, have no vote: they are the query itself; lists
/// that are missing are empty. None where there is no query or no gallery.
pub fn knn(queries: &Embedded, gallery: &Embedded, k: usize, own: &[Vec<usize>]) -> Option<Vec<(f64, usize)>> {
    let groups = queries.by_identity();
    if groups.is_empty() || gallery.is_empty() || k == 0 {
        return None;
    }
    let wrong = |query: usize| {
        let own = own.get(query).map_or(&[][..], Vec::as_slice);
        let others = (0..gallery.len()).filter(|place| !own.contains(place));
        let (distances, labels): (Vec<f64>, Vec<usize>) =
            others.map(|place| (queries.distance(query, gallery, place), gallery.identities[place])).unzip();
        distances.is_empty() || vote(&distances, &labels, k) != queries.identities[query]
    };
    let counts = groups.iter().map(|group| {
        let count = group.par_iter().filter(|&&query| wrong(query)).count();
        (count as f64, group.len())
    });
    Some(counts.collect())
}

fn vote(distances: &[f64], labels: &[usize], k: usize) -> usize {
    let mut sorted = distances.to_vec();
    let kth = k.min(sorted.len()) - 1;
    let (_, &mut reach, _) = sorted.select_nth_unstable_by(kth, f64::total_cmp);
    let classes = labels.iter().max().map_or(0, |max| max + 1);
    let mut votes = vec![(0usize, f64::INFINITY); classes];
    for (&distance, &label) in distances.iter().zip(labels).filter(|(distance, _)| **distance <= reach) {
        votes[label].0 += 1;
        votes[label].1 = votes[label].1.min(distance);
    }
    let best = votes.iter().enumerate().max_by(|(label, vote), (other_label, other)| {
        vote.0.cmp(&other.0).then(other.1.total_cmp(&vote.1)).then(other_label.cmp(label))
    });
    best.map_or(0, |(label, _)| label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::embedding::Metric;

    #[test]
    fn votes_by_hand() {
        assert_eq!(vote(&[5.0, 1.0, 2.0], &[0, 1, 2], 1), 1);
        assert_eq!(vote(&[1.0, 2.0, 2.0], &[0, 1, 1], 2), 1, "the third is as far as the second");
        assert_eq!(vote(&[1.0, 3.0, 2.0, 2.5], &[0, 0, 1, 1], 4), 0, "as many votes: the nearest decides");
        assert_eq!(vote(&[1.0], &[4], 9), 4);
    }

    #[test]
    fn wrong_names_are_counted_by_identity() {
        let gallery = Embedded::int8(Metric::Euclidean, 1, vec![0, 10], vec![0, 1]);
        let mut queries = Embedded::int8(Metric::Euclidean, 1, vec![1, 2, 9, 1, 1], vec![0, 0, 1, 1, 1]);
        assert_eq!(knn(&queries, &gallery, 1, &[]), Some(vec![(0.0, 2), (2.0, 3)]));
        let own = [vec![], vec![], vec![1]];
        assert_eq!(knn(&queries, &gallery, 1, &own), Some(vec![(0.0, 2), (3.0, 3)]), "a sample does not name itself");
        queries.forged[4] = true;
        assert_eq!(
            knn(&queries, &gallery, 1, &[]),
            Some(vec![(0.0, 2), (1.0, 2)]),
            "a forgery has no name to be found"
        );
    }
}
