//! Which samples make a batch: balanced by identity, or plainly shuffled.
//!
//! Both samplers give an epoch's batches from (seed, epoch) alone, so that training goes on from any epoch as if it had
//! never stopped.

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::DataError;

/// Balanced batches for losses on pairs and triplets: P identities with K samples each.
///
/// Identities are dealt like cards: each one comes once before any comes again, and a batch holds P different ones. So are
/// the samples of an identity; one with fewer than K samples has all of them in each of its turns, some repeated. An epoch
/// has as many batches as hold all samples once, rounded down, and at least one.
#[derive(Clone, Debug)]
pub struct PkSampler {
    /// Sample indices of every identity that has samples.
    by_identity: Vec<Vec<usize>>,
    identities: usize,
    samples: usize,
    batches: usize,
    seed: u64,
}

impl PkSampler {
    /// Deals batches of `identities` x `samples` (P x K) from samples whose identity indices are `labels`.
    pub fn new(labels: &[usize], identities: usize, samples: usize, seed: u64) -> Result<Self, DataError> {
        let mut by_identity = vec![Vec::new(); labels.iter().max().map_or(0, |&last| last + 1)];
        for (index, &label) in labels.iter().enumerate() {
            by_identity[label].push(index);
        }
        by_identity.retain(|own| !own.is_empty());
        let wrong = |reason: String| DataError::Batches {
            asked: format!("{identities} identities x {samples} samples"),
            reason,
        };
        if identities == 0 || samples == 0 {
            return Err(wrong("both must be at least 1".into()));
        }
        if by_identity.len() < identities {
            return Err(wrong(format!("there are {} identities", by_identity.len())));
        }
        Ok(PkSampler {
            batches: (labels.len() / identities.saturating_mul(samples)).max(1),
            by_identity,
            identities,
            samples,
            seed,
        })
    }

    /// Batches of an epoch.
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// The batches of epoch number `epoch`: sample indices, those of one identity together.
    pub fn epoch(&self, epoch: u64) -> impl Iterator<Item = Vec<usize>> + '_ {
        let mut rng = epoch_rng(self.seed, epoch);
        let mut people = Deck::new((0..self.by_identity.len()).collect());
        let mut own: Vec<Deck> = self.by_identity.iter().cloned().map(Deck::new).collect();
        (0..self.batches).map(move |_| {
            let people = people.deal(self.identities, &mut rng);
            let hands = people.into_iter().map(|identity| own[identity].deal(self.samples, &mut rng));
            hands.flatten().collect()
        })
    }
}

/// Every sample once an epoch in shuffled order, for losses on single samples.
///
/// The samples that do not fill a last batch are left out (others in every epoch); only where all samples together do not
/// fill one, they are one.
#[derive(Clone, Copy, Debug)]
pub struct Shuffled {
    samples: usize,
    batch: usize,
    seed: u64,
}

impl Shuffled {
    /// Deals batches of `batch` of the samples 0 to `samples - 1`.
    pub fn new(samples: usize, batch: usize, seed: u64) -> Result<Self, DataError> {
        if samples == 0 || batch == 0 {
            return Err(DataError::Batches {
                asked: format!("{batch} samples"),
                reason: format!("there are {samples} samples, and both must be at least 1"),
            });
        }
        Ok(Shuffled { samples, batch: batch.min(samples), seed })
    }

    /// Batches of an epoch.
    pub fn batches(&self) -> usize {
        self.samples / self.batch
    }

    /// The batches of epoch number `epoch`: sample indices.
    pub fn epoch(&self, epoch: u64) -> impl Iterator<Item = Vec<usize>> + use<> {
        let mut deck = Deck::new((0..self.samples).collect());
        let mut rng = epoch_rng(self.seed, epoch);
        let batch = self.batch;
        (0..self.batches()).map(move |_| deck.deal(batch, &mut rng))
    }
}

fn epoch_rng(seed: u64, epoch: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch);
    rng
}

/// Cards that are shuffled whenever all of them have been dealt.
struct Deck {
    cards: Vec<usize>,
    /// Cards not yet dealt: the first ones.
    left: usize,
}

impl Deck {
    fn new(cards: Vec<usize>) -> Self {
        Deck { cards, left: 0 }
    }

    /// `count` cards, all different where the deck has as many.
    fn deal(&mut self, count: usize, rng: &mut impl Rng) -> Vec<usize> {
        let mut hand = Vec::with_capacity(count);
        while hand.len() < count && !self.cards.is_empty() {
            if self.left == 0 {
                self.cards.shuffle(rng);
                self.left = self.cards.len();
                // What this hand holds already goes to the bottom.
                let held = hand.len() % self.cards.len();
                let held = &hand[hand.len() - held..];
                self.cards.sort_by_key(|card| !held.contains(card));
            }
            self.left -= 1;
            hand.push(self.cards[self.left]);
        }
        hand
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn labels(sizes: &[usize]) -> Vec<usize> {
        let mut labels: Vec<_> = (0..sizes.len()).flat_map(|i| vec![i; sizes[i]]).collect();
        // Interleaved, as in MNIST.
        labels.sort_by_key(|label| label * 7 % 5);
        labels
    }

    proptest! {
        #[test]
        fn pk_is_balanced(
            sizes in prop::collection::vec(0usize..9, 2..12),
            p in 1usize..6,
            k in 1usize..6,
            seed: u64,
        ) {
            let labels = labels(&sizes);
            let people: Vec<usize> = (0..sizes.len()).filter(|&i| sizes[i] > 0).collect();
            prop_assume!(people.len() >= p);
            let sampler = PkSampler::new(&labels, p, k, seed).expect("enough identities");
            let batches: Vec<_> = sampler.epoch(3).collect();
            prop_assert_eq!(batches.len(), sampler.batches());
            let mut turns = Vec::new();
            for batch in &batches {
                prop_assert_eq!(batch.len(), p * k);
                let mut present = HashSet::new();
                for own in batch.chunks(k) {
                    let identity = labels[own[0]];
                    prop_assert!(own.iter().all(|&index| labels[index] == identity));
                    let distinct: HashSet<_> = own.iter().collect();
                    prop_assert_eq!(distinct.len(), k.min(sizes[identity]));
                    prop_assert!(present.insert(identity), "an identity twice in a batch");
                    turns.push(identity);
                }
            }
            let count = |i| turns.iter().filter(|&&turn| turn == i).count();
            let counts: Vec<usize> = people.iter().map(|&i| count(i)).collect();
            let (most, least) = (counts.iter().max(), counts.iter().min());
            prop_assert!(most <= least.map(|n| n + 1).as_ref(), "{:?}", counts);
        }

        #[test]
        fn a_shuffled_epoch_repeats_nothing(samples in 1usize..50, batch in 1usize..60, seed: u64) {
            let shuffled = Shuffled::new(samples, batch, seed).expect("not empty");
            let dealt: Vec<usize> = shuffled.epoch(0).flatten().collect();
            let size = batch.min(samples);
            prop_assert_eq!(dealt.len(), samples / size * size);
            prop_assert!(dealt.iter().all(|&index| index < samples));
            prop_assert_eq!(dealt.iter().collect::<HashSet<_>>().len(), dealt.len());
        }
    }

    #[test]
    fn epochs_differ_and_come_again() {
        let labels = labels(&[10; 8]);
        let deal = |seed, epoch| -> Vec<Vec<usize>> {
            PkSampler::new(&labels, 4, 5, seed).expect("fits").epoch(epoch).collect()
        };
        assert_eq!(deal(1, 2), deal(1, 2));
        assert_ne!(deal(1, 2), deal(1, 3));
        assert_ne!(deal(1, 2), deal(2, 2));
        // 80 samples in batches of 20: each sample exactly once.
        let all: HashSet<usize> = deal(1, 2).into_iter().flatten().collect();
        assert_eq!(all.len(), 80);
    }

    #[test]
    fn impossible_batches_say_why() {
        let error = PkSampler::new(&labels(&[3, 0, 3]), 3, 2, 0).expect_err("two identities");
        assert_eq!(error.to_string(), "cannot deal batches of 3 identities x 2 samples: there are 2 identities");
        assert!(PkSampler::new(&[0, 1], 2, 0, 0).is_err());
        assert!(Shuffled::new(0, 1, 0).is_err());
        assert!(Shuffled::new(1, 0, 0).is_err());
    }
}
