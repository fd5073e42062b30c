//! One batch: its samples are drawn or taken from the store, joined, laid and varied.

use std::borrow::Cow;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;
use shared::frontend::FrontEnd;

use super::TrainingData;
use crate::data::halves::{Share, one_above_the_other, one_after_the_other};
use crate::data::made::{self, Made};
use crate::data::sound::SoundAugment;
use crate::data::{DataError, Dataset, Tensors, input_tensor};

/// Input tensors with their identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The tensors, `[samples, channels, height, width]`; byte `t` stands for `t / 255`.
    pub data: Vec<u8>,
    /// The identity index of every sample, below [`TrainingData::identities`].
    pub identities: Vec<usize>,
}

/// What the samples of a [`TrainingData`] are made of.
pub(super) enum Content {
    Stored(Tensors),
    /// [`made::SAMPLES`] new ones of each in every epoch.
    Made {
        identities: Vec<Made>,
        front: FrontEnd,
        sound: SoundAugment,
    },
    /// Recordings, varied before the front end.
    Recorded {
        dataset: Dataset,
        front: FrontEnd,
        sound: SoundAugment,
    },
}

impl TrainingData {
    pub(super) fn batch(&self, epoch: u64, number: usize, indices: &[usize]) -> Result<Batch, DataError> {
        let size = self.shape.bytes();
        let mut data = vec![0; indices.len() * size];
        data.par_chunks_mut(size.max(1)).zip(indices).enumerate().try_for_each(|(place, (tensor, &index))| {
            let mut rng = self.variation(epoch, (number * indices.len() + place) as u64);
            let laid = match &self.halves {
                None => self.laid(index, epoch, &mut rng)?,
                Some(halves) => {
                    let (first, second) = halves.pair(index, &mut rng);
                    self.joined(first, second, epoch, &mut rng)?
                }
            };
            self.augment.apply(self.shape, &laid, tensor, &mut rng);
            Ok::<_, DataError>(())
        })?;
        let identities = indices.iter().map(|&index| self.labels[index]).collect();
        Ok(Batch { data, identities })
    }

    /// The first half of one laid tensor of an epoch with the second half of another.
    fn joined(
        &self,
        first: usize,
        second: Option<usize>,
        epoch: u64,
        rng: &mut ChaCha8Rng,
    ) -> Result<Cow<'_, [u8]>, DataError> {
        let Some(second) = second else {
            return self.laid(first, epoch, rng);
        };
        if let Content::Recorded { dataset, front, sound } = &self.content {
            let (first, second) = (&dataset.samples[first], &dataset.samples[second]);
            let halves = one_after_the_other(&first.raw, &second.raw, Share::Half);
            // Two quiet halves may hold too little sound.
            let whole = || one_after_the_other(&first.raw, &second.raw, Share::Whole);
            let raw = if input_tensor(front, &halves).is_ok() { halves } else { whole() };
            let other = &dataset.samples[rng.random_range(0..dataset.samples.len())];
            let refused = |source| DataError::Frontend { identity: dataset.identities[first.identity].clone(), source };
            return sound.tensor(front, &raw, &other.raw, rng).map(Cow::Owned).map_err(refused);
        }
        let upper = self.laid(first, epoch, rng)?;
        let lower = self.laid(second, epoch, rng)?;
        Ok(Cow::Owned(one_above_the_other(self.shape, &upper, &lower)))
    }

    /// Tensor number `index / n` of an epoch, laid in way `index % n` of the `n`.
    fn laid(&self, index: usize, epoch: u64, rng: &mut ChaCha8Rng) -> Result<Cow<'_, [u8]>, DataError> {
        let turn = self.turns[index % self.turns.len()];
        Ok(turn.lay(self.shape, self.plain(index / self.turns.len(), epoch, rng)?))
    }

    /// Tensor number `index` of an epoch as the front end gives it.
    fn plain(&self, index: usize, epoch: u64, rng: &mut ChaCha8Rng) -> Result<Cow<'_, [u8]>, DataError> {
        match &self.content {
            Content::Stored(tensors) => Ok(Cow::Borrowed(tensors.tensor(index))),
            Content::Recorded { dataset, front, sound } => {
                let sample = &dataset.samples[index];
                let other = &dataset.samples[rng.random_range(0..dataset.samples.len())];
                match sound.tensor(front, &sample.raw, &other.raw, rng) {
                    Ok(tensor) => Ok(Cow::Owned(tensor)),
                    Err(source) => {
                        Err(DataError::Frontend { identity: dataset.identities[sample.identity].clone(), source })
                    }
                }
            }
            Content::Made { identities, front, sound } => {
                let each = made::SAMPLES as usize;
                let sample = epoch * each as u64 + (index % each) as u64;
                let identity = &identities[index / each];
                let refused = |source| DataError::Frontend { identity: identity.number().to_string(), source };
                let mut tensor = input_tensor(front, &identity.sample(sample as u32)).map_err(refused)?;
                // Every recording has its own pace, pitch and room already.
                if matches!(front, FrontEnd::LogMel(_)) {
                    sound.mask(self.shape, &mut tensor, rng);
                }
                Ok(Cow::Owned(tensor))
            }
        }
    }

    /// Chance of its own for every place of every epoch.
    fn variation(&self, epoch: u64, place: u64) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&epoch.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(place);
        rng
    }
}
