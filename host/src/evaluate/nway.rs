//! N-way K-shot: a query among N unseen identities, each enrolled from K samples (Vinyals et al. 2016, section 4).

use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::Embedded;

/// An N-way K-shot task, repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NWay {
    /// Identities to choose among.
    pub ways: usize,
    /// Samples that each is enrolled from; the query's distance to an identity is the smallest over them.
    pub shots: usize,
    /// Queries.
    pub trials: usize,
    /// Seed of the choices.
    pub seed: u64,
}

/// The share of queries whose nearest identity is the right one; a tie for the nearest counts as the chance that a draw
/// among the tied would be right. None where there are fewer than `ways` identities with `shots + 1` samples.
pub fn nway_accuracy(embedded: &Embedded, task: NWay) -> Option<f64> {
    let right: f64 = nway(embedded, task)?.iter().map(|(right, _)| right).sum();
    Some(right / task.trials as f64)
}

/// The right answers of each identity's queries, and how many it had; see [`nway_accuracy`].
pub fn nway(embedded: &Embedded, task: NWay) -> Option<Vec<(f64, usize)>> {
    let mut groups = embedded.by_identity();
    groups.retain(|group| group.len() > task.shots);
    if groups.len() < task.ways || task.ways == 0 || task.shots == 0 || task.trials == 0 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(task.seed);
    let indices: Vec<usize> = (0..groups.len()).collect();
    let mut answers = vec![(0.0, 0); groups.len()];
    for _ in 0..task.trials {
        let chosen: Vec<usize> = indices.choose_multiple(&mut rng, task.ways).copied().collect();
        let mut own = groups[chosen[0]].clone();
        own.shuffle(&mut rng);
        let query = own[task.shots];
        let nearest = |samples: &[usize]| {
            samples.iter().map(|&b| embedded.distance(query, embedded, b)).fold(f64::INFINITY, f64::min)
        };
        let genuine = nearest(&own[..task.shots]);
        let mut tied = 1.0;
        let mut beaten = false;
        for &other in &chosen[1..] {
            let shots: Vec<usize> = groups[other].choose_multiple(&mut rng, task.shots).copied().collect();
            let impostor = nearest(&shots);
            beaten |= impostor < genuine;
            tied += f64::from(u8::from(impostor == genuine));
        }
        let (right, queries) = &mut answers[chosen[0]];
        *right += if beaten { 0.0 } else { 1.0 / tied };
        *queries += 1;
    }
    Some(answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::embedding::Metric;

    const TASK: NWay = NWay { ways: 2, shots: 1, trials: 200, seed: 1 };

    #[test]
    fn separate_identities_are_always_right_and_equal_ones_are_chance() {
        let apart = Embedded::int8(Metric::Euclidean, 1, vec![0, 1, 50, 51, 100, 101], vec![0, 0, 1, 1, 2, 2]);
        assert_eq!(nway_accuracy(&apart, TASK), Some(1.0));
        let same = Embedded::int8(Metric::Euclidean, 1, vec![7; 6], vec![0, 0, 1, 1, 2, 2]);
        assert_eq!(nway_accuracy(&same, TASK), Some(0.5));
    }

    #[test]
    fn too_few_identities_have_no_accuracy() {
        let embedded = Embedded::int8(Metric::Euclidean, 1, vec![0, 1, 2], vec![0, 0, 1]);
        assert_eq!(nway_accuracy(&embedded, TASK), None);
    }
}
