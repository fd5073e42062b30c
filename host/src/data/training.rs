//! What a training run draws its batches from.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use shared::frontend::FrontEnd;

use super::augment::Augment;
use super::batches::{PkSampler, Shuffled};
use super::glyphs::{self, Glyph};
use super::{DataError, Part, Shape, Spec, Split, Tensors, input_tensor};

/// How batches are made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sampling {
    /// So many identities with so many samples each: see [`PkSampler`].
    Balanced {
        /// Identities in a batch, P.
        identities: usize,
        /// Samples of each, K.
        samples: usize,
    },
    /// So many samples in shuffled order: see [`Shuffled`].
    Shuffled {
        /// Samples in a batch.
        batch: usize,
    },
}

/// How the batches of a training run are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Batching {
    /// Which samples make a batch.
    pub sampling: Sampling,
    /// How each is varied.
    pub augment: Augment,
    /// Seed of the order and of the variation.
    pub seed: u64,
}

/// Input tensors with their identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The tensors, `[samples, channels, height, width]`; byte `t` stands for `t / 255`.
    pub data: Vec<u8>,
    /// The identity index of every sample, below [`TrainingData::identities`].
    pub identities: Vec<usize>,
}

/// The training part of a source, ready to be dealt in batches.
///
/// An epoch's batches follow from (seed, epoch) alone. Stored samples pass the front end once and are varied by the
/// [`Augment`]; glyphs are drawn anew in every epoch.
pub struct TrainingData {
    content: Content,
    shape: Shape,
    /// The identity index of every sample of an epoch.
    labels: Vec<usize>,
    identities: usize,
    sampler: Sampler,
    augment: Augment,
    seed: u64,
}

enum Content {
    Stored(Tensors),
    /// [`glyphs::SAMPLES`] drawings of each in every epoch.
    Drawn {
        glyphs: Vec<Glyph>,
        front: FrontEnd,
    },
}

enum Sampler {
    Balanced(PkSampler),
    Shuffled(Shuffled),
}

impl TrainingData {
    /// The training part of `spec`; `world` is the seed of its samples, as in [`Spec::load`].
    pub fn load(
        spec: &Spec,
        split: &Split,
        world: u64,
        front: FrontEnd,
        batching: Batching,
    ) -> Result<Self, DataError> {
        if *spec != Spec::Glyphs {
            let tensors = Tensors::new(&spec.load(Part::Train, split, world)?, &front)?;
            return Self::stored(tensors, batching);
        }
        spec.check(split)?;
        let glyphs =
            glyphs::numbers(split.part(Part::Train))?.into_par_iter().map(|number| Glyph::new(world, number)).collect();
        Self::drawn(glyphs, front, batching)
    }

    /// Batches of stored tensors.
    pub fn stored(tensors: Tensors, batching: Batching) -> Result<Self, DataError> {
        let labels = tensors.identities.clone();
        Self::new(tensors.shape, Content::Stored(tensors), labels, batching)
    }

    /// Batches of new drawings in every epoch; identity `i` is `glyphs[i]`.
    pub fn drawn(glyphs: Vec<Glyph>, front: FrontEnd, batching: Batching) -> Result<Self, DataError> {
        let each = glyphs::SAMPLES as usize;
        let labels = (0..glyphs.len() * each).map(|index| index / each).collect();
        let content = Content::Drawn { glyphs, front };
        Self::new(Shape::of(&front), content, labels, batching)
    }

    fn new(shape: Shape, content: Content, labels: Vec<usize>, batching: Batching) -> Result<Self, DataError> {
        let Batching { sampling, augment, seed } = batching;
        augment.check()?;
        let sampler = match sampling {
            Sampling::Balanced { identities, samples } => {
                Sampler::Balanced(PkSampler::new(&labels, identities, samples, seed)?)
            }
            Sampling::Shuffled { batch } => Sampler::Shuffled(Shuffled::new(labels.len(), batch, seed)?),
        };
        Ok(TrainingData {
            content,
            shape,
            identities: labels.iter().max().map_or(0, |&last| last + 1),
            labels,
            sampler,
            augment,
            seed,
        })
    }

    /// Sizes of an input tensor.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Number of identities.
    pub fn identities(&self) -> usize {
        self.identities
    }

    /// Batches of an epoch.
    pub fn batches(&self) -> usize {
        match &self.sampler {
            Sampler::Balanced(sampler) => sampler.batches(),
            Sampler::Shuffled(sampler) => sampler.batches(),
        }
    }

    /// The batches of epoch number `epoch`, each made when it is asked for.
    pub fn epoch(&self, epoch: u64) -> impl Iterator<Item = Result<Batch, DataError>> + '_ {
        let dealt: Box<dyn Iterator<Item = Vec<usize>>> = match &self.sampler {
            Sampler::Balanced(sampler) => Box::new(sampler.epoch(epoch)),
            Sampler::Shuffled(sampler) => Box::new(sampler.epoch(epoch)),
        };
        dealt.enumerate().map(move |(number, indices)| self.batch(epoch, number, &indices))
    }

    fn batch(&self, epoch: u64, number: usize, indices: &[usize]) -> Result<Batch, DataError> {
        let size = self.shape.bytes();
        let mut data = vec![0; indices.len() * size];
        data.par_chunks_mut(size.max(1)).zip(indices).enumerate().try_for_each(|(place, (tensor, &index))| {
            let mut rng = self.variation(epoch, (number * indices.len() + place) as u64);
            match &self.content {
                Content::Stored(tensors) => {
                    self.augment.apply(self.shape, tensors.tensor(index), tensor, &mut rng);
                    Ok(())
                }
                Content::Drawn { glyphs, front } => {
                    let each = glyphs::SAMPLES as usize;
                    let sample = epoch * each as u64 + (index % each) as u64;
                    self.draw(&glyphs[index / each], sample as u32, front, tensor, &mut rng)
                }
            }
        })?;
        let identities = indices.iter().map(|&index| self.labels[index]).collect();
        Ok(Batch { data, identities })
    }

    fn draw(
        &self,
        glyph: &Glyph,
        sample: u32,
        front: &FrontEnd,
        tensor: &mut [u8],
        rng: &mut ChaCha8Rng,
    ) -> Result<(), DataError> {
        let plain = input_tensor(front, &glyph.draw(sample))
            .map_err(|source| DataError::Frontend { identity: glyph.number().to_string(), source })?;
        self.augment.apply(self.shape, &plain, tensor, rng);
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use shared::frontend::Pixels;
    use std::collections::HashSet;

    const PIXELS: Pixels = Pixels { width: 16, height: 16, channels: 1, invert: true, stretch: false };
    const FRONT: FrontEnd = FrontEnd::Pixels(PIXELS);

    fn batching(sampling: Sampling) -> Batching {
        Batching { sampling, augment: Augment::default(), seed: 4 }
    }

    const BALANCED: Sampling = Sampling::Balanced { identities: 3, samples: 4 };

    /// Six identities with five tensors of one byte, which tells the sample.
    fn stored(augment: Augment, sampling: Sampling) -> TrainingData {
        let tensors = Tensors {
            shape: Shape { height: 1, width: 1, channels: 1 },
            data: (0..30).collect(),
            identities: (0..30).map(|i| i / 5).collect(),
        };
        let batching = Batching { augment, ..batching(sampling) };
        TrainingData::stored(tensors, batching).expect("fits")
    }

    fn epoch(data: &TrainingData, number: u64) -> Vec<Batch> {
        let batches: Result<Vec<_>, _> = data.epoch(number).collect();
        let batches = batches.expect("fits");
        assert_eq!(batches.len(), data.batches());
        batches
    }

    #[test]
    fn stored_tensors_keep_their_identities() {
        for sampling in [BALANCED, Sampling::Shuffled { batch: 7 }] {
            let data = stored(Augment::default(), sampling);
            assert_eq!(data.identities(), 6);
            for batch in epoch(&data, 1) {
                let own = batch.data.iter().map(|&value| usize::from(value) / 5);
                assert!(own.eq(batch.identities));
            }
        }
    }

    #[test]
    fn glyphs_are_new_in_every_epoch() {
        let spec = Spec::Glyphs;
        let split = Split {
            train: "10-14".parse().expect("pattern"),
            threshold: "20".parse().expect("pattern"),
            test: "30".parse().expect("pattern"),
        };
        let data = TrainingData::load(&spec, &split, 1, FRONT, batching(BALANCED)).expect("fits");
        assert_eq!((data.identities(), data.batches(), data.shape().bytes()), (5, 100 / 12, 256));
        let mut seen = HashSet::new();
        for number in 0..2 {
            for batch in epoch(&data, number) {
                for (tensor, identity) in batch.data.chunks(256).zip(batch.identities) {
                    assert!(seen.insert(tensor.to_vec()), "a drawing came twice");
                    let mine = (0..40).any(|sample| {
                        let drawing = glyphs::draw(1, 10 + identity as u32, sample);
                        input_tensor(&FRONT, &drawing).is_ok_and(|own| own == tensor)
                    });
                    assert!(mine, "not identity {identity}");
                }
            }
        }
    }

    #[test]
    fn an_epoch_comes_again_exactly() {
        let vary = Augment { brightness: 0.5, ..Augment::default() };
        let data = stored(vary, BALANCED);
        assert_eq!(epoch(&data, 3), epoch(&stored(vary, BALANCED), 3));
        assert_ne!(epoch(&data, 3), epoch(&data, 4));
        let plain = stored(Augment::default(), BALANCED);
        assert_ne!(epoch(&data, 3), epoch(&plain, 3));
    }

    #[test]
    fn what_cannot_be_dealt_is_refused() {
        let glyphs = || vec![Glyph::new(0, 0), Glyph::new(0, 1)];
        assert!(TrainingData::drawn(glyphs(), FRONT, batching(BALANCED)).is_err());
        let mut wild = batching(Sampling::Shuffled { batch: 4 });
        wild.augment.shift = 7.0;
        assert!(TrainingData::drawn(glyphs(), FRONT, wild).is_err());
        let colour = FrontEnd::Pixels(Pixels { channels: 3, ..PIXELS });
        let data = TrainingData::drawn(glyphs(), colour, batching(Sampling::Shuffled { batch: 4 }));
        let first = data.expect("dealt").epoch(0).next();
        assert!(matches!(first, Some(Err(DataError::Frontend { .. }))));
    }
}
