//! The equal error rate on identities that are not trained on.

use rand::SeedableRng;
use rand::seq::{IteratorRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::data::Tensors;
use crate::metrics::Scores;
use crate::net::Net;
use crate::recipe::Metric;

use super::embed::embed_bytes;

/// Samples of one identity that are compared with each other, at least, where there are as many.
const SAMPLES_OF_ONE: usize = 5;

/// Samples and the pairs of them that are compared, the same at every measurement.
pub(super) struct ValidationSet {
    tensors: Tensors,
    genuine: Vec<(usize, usize)>,
    impostor: Vec<(usize, usize)>,
}

impl ValidationSet {
    /// At most `samples` of `all`, spread over identities, and at most `pairs` pairs of them.
    pub(super) fn new(all: &Tensors, samples: usize, pairs: usize, seed: u64) -> ValidationSet {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let chosen = choose(&all.identities, samples, &mut rng);
        let tensors = Tensors {
            shape: all.shape,
            data: chosen.iter().flat_map(|&i| all.tensor(i)).copied().collect(),
            identities: chosen.iter().map(|&i| all.identities[i]).collect(),
        };
        let n = tensors.len();
        let every = || (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b)));
        let same = |&(a, b): &(usize, usize)| tensors.identities[a] == tensors.identities[b];
        let genuine = every().filter(same).choose_multiple(&mut rng, pairs / 2);
        let impostor = every().filter(|pair| !same(pair)).choose_multiple(&mut rng, pairs - genuine.len());
        ValidationSet { tensors, genuine, impostor }
    }

    /// Whether there is nothing to compare: no pair of one identity, or none of two.
    pub(super) fn is_empty(&self) -> bool {
        self.genuine.is_empty() || self.impostor.is_empty()
    }

    /// The equal error rate of `net`, which is in inference; `None` without pairs of either kind.
    pub(super) fn eer(&self, net: &Net, metric: Metric) -> Option<f64> {
        let embeddings = embed_bytes(net, &self.tensors, metric);
        let d = embeddings.len() / self.tensors.len().max(1);
        let distance = |&(a, b): &(usize, usize)| -> f64 {
            let row = |i: usize| &embeddings[i * d..(i + 1) * d];
            row(a).iter().zip(row(b)).map(|(x, y)| f64::from((x - y).powi(2))).sum()
        };
        let genuine = self.genuine.iter().map(distance).collect();
        let impostor = self.impostor.iter().map(distance).collect();
        Scores::new(genuine, impostor).eer().map(|at| at.rate)
    }
}

/// At most `count` positions of `identities`: identities by chance, of each the same number.
fn choose(identities: &[usize], count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut by_identity = vec![Vec::new(); identities.iter().max().map_or(0, |last| last + 1)];
    for (index, &identity) in identities.iter().enumerate() {
        by_identity[identity].push(index);
    }
    by_identity.retain(|own| own.len() > 1);
    by_identity.shuffle(rng);
    let each = (count / by_identity.len().max(1)).max(SAMPLES_OF_ONE);
    let mut chosen: Vec<usize> =
        by_identity.into_iter().flat_map(|own| own.into_iter().choose_multiple(rng, each)).take(count).collect();
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Shape;

    fn tensors(labels: Vec<usize>) -> Tensors {
        let shape = Shape { height: 1, width: 1, channels: 1 };
        Tensors { shape, data: (0..labels.len()).map(|i| i as u8).collect(), identities: labels }
    }

    #[test]
    fn pairs_are_of_the_right_kind_and_number() {
        let labels = (0..200).map(|i| i % 20).collect();
        let set = ValidationSet::new(&tensors(labels), 60, 100, 1);
        assert_eq!(set.tensors.len(), 60);
        let same = |&(a, b): &(usize, usize)| set.tensors.identities[a] == set.tensors.identities[b];
        assert_eq!(set.genuine.len(), 50);
        assert!(set.genuine.iter().all(same));
        assert_eq!(set.impostor.len(), 50);
        assert!(!set.impostor.iter().any(same));
    }

    #[test]
    fn few_samples_are_all_used() {
        let set = ValidationSet::new(&tensors(vec![0, 0, 1, 1, 1, 2]), 1000, 1000, 1);
        assert_eq!(set.tensors.len(), 5); // the third identity is alone
        assert_eq!((set.genuine.len(), set.impostor.len()), (4, 6));
    }
}
