//! k-nearest-neighbour classification against a gallery of labelled samples.

use rayon::prelude::*;

use super::Embedded;

/// The share of `queries` whose label wins the vote of their `k` nearest gallery samples. Samples as far as the k-th vote too
/// (int8 embeddings do tie); among labels with as many votes, the one with the nearest sample wins, then the lower label.
/// Both sides' labels must be of one numbering (see [`super::gallery`]). None where there is no query or no gallery.
pub fn knn_accuracy(queries: &Embedded, gallery: &Embedded, k: usize) -> Option<f64> {
    if queries.is_empty() || gallery.is_empty() || k == 0 {
        return None;
    }
    let right = (0..queries.len()).into_par_iter().filter(|&query| {
        let distances: Vec<f64> = (0..gallery.len()).map(|b| queries.distance(query, gallery, b)).collect();
        vote(&distances, &gallery.identities, k) == queries.identities[query]
    });
    Some(right.count() as f64 / queries.len() as f64)
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
    fn accuracy_is_a_share() {
        let gallery = Embedded::int8(Metric::Euclidean, 1, vec![0, 10], vec![0, 1]);
        let queries = Embedded::int8(Metric::Euclidean, 1, vec![1, 2, 9, 1], vec![0, 0, 1, 1]);
        assert_eq!(knn_accuracy(&queries, &gallery, 1), Some(0.75));
    }
}
