//! What a training run draws its batches from.

mod batch;
mod batching;
#[cfg(test)]
mod tests;

use shared::frontend::FrontEnd;

use super::augment::Augment;
use super::batches::{PkSampler, Shuffled};
use super::halves::Halves;
use super::made::{self, Made, Maker};
use super::turn::Turn;
use super::{DataError, Dataset, Part, Pattern, Shape, Spec, Split, Tensors};
use batch::Content;

pub use batch::Batch;
pub use batching::{Batching, Classes, Sampling};

/// The training part of a source, ready to be dealt in batches.
///
/// An epoch's batches follow from (seed, epoch) alone. Stored samples pass the front end once and are varied by the
/// [`Augment`]; what the program makes is made anew in every epoch, and recordings that a [`SoundAugment`] varies pass the front end anew.
///
/// [`SoundAugment`]: super::sound::SoundAugment
pub struct TrainingData {
    content: Content,
    shape: Shape,
    /// How every sample of the content is laid: as it is, and turned or mirrored where that counts as a class.
    turns: &'static [Turn],
    /// Where halves of two classes make a class.
    halves: Option<Halves>,
    /// The class of every sample of an epoch: sample `i` is number `i / n` of the content laid as number `i % n` of the `n` turns
    /// says, or one of the `halves` of these.
    labels: Vec<usize>,
    identities: usize,
    sampler: Sampler,
    augment: Augment,
    seed: u64,
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
        spec.check(split)?;
        if Maker::of(spec).is_some() {
            return Self::load_all(spec, split.part(Part::Train), world, front, batching);
        }
        Self::loaded(spec.load(Part::Train, split, world)?, front, batching)
    }

    /// The identities of `spec` that `pattern` accepts, all of their samples.
    pub fn load_all(
        spec: &Spec,
        pattern: &Pattern,
        world: u64,
        front: FrontEnd,
        batching: Batching,
    ) -> Result<Self, DataError> {
        match Maker::of(spec) {
            Some(maker) => Self::made(maker.identities(world, pattern)?, front, batching),
            None => Self::loaded(spec.load_all(pattern, world)?, front, batching),
        }
    }

    fn loaded(mut dataset: Dataset, front: FrontEnd, batching: Batching) -> Result<Self, DataError> {
        if batching.classes.forgeries {
            dataset = dataset.forgeries_as_identities();
        }
        if batching.classes.reversals {
            dataset = dataset.reversals_as_identities();
        }
        if batching.classes.voices > 1 {
            dataset = dataset.voices_as_identities(batching.classes.voices, batching.seed);
        }
        batching.sound.check()?;
        let waveforms = batching.classes.halves && matches!(front, FrontEnd::LogMel(_)) || !batching.sound.is_none();
        if !waveforms {
            return Self::stored(Tensors::new(&dataset, &front)?, batching);
        }
        let labels = dataset.labels();
        Self::new(Shape::of(&front), Content::Recorded { dataset, front, sound: batching.sound }, labels, batching)
    }

    /// Batches of stored tensors.
    pub fn stored(tensors: Tensors, batching: Batching) -> Result<Self, DataError> {
        let labels = tensors.identities.clone();
        Self::new(tensors.shape, Content::Stored(tensors), labels, batching)
    }

    /// Batches of new samples in every epoch; class `i` is `identities[i]`, or `identities[i / n]` laid in
    /// one of `n` ways.
    pub fn made(identities: Vec<Made>, front: FrontEnd, batching: Batching) -> Result<Self, DataError> {
        batching.sound.check()?;
        let each = made::SAMPLES as usize;
        let labels = (0..identities.len() * each).map(|index| index / each).collect();
        let content = Content::Made { identities, front, sound: batching.sound };
        Self::new(Shape::of(&front), content, labels, batching)
    }

    fn new(shape: Shape, content: Content, labels: Vec<usize>, batching: Batching) -> Result<Self, DataError> {
        let Batching { classes, sampling, augment, sound: _, seed } = batching;
        augment.check()?;
        let turns = Turn::all(classes.rotations, classes.mirrors);
        if classes.rotations && shape.height != shape.width {
            return Err(DataError::Rotations { height: shape.height, width: shape.width });
        }
        let turned = |label: usize| (0..turns.len()).map(move |turn| label * turns.len() + turn);
        let labels: Vec<usize> = labels.into_iter().flat_map(turned).collect();
        let halves = classes.halves.then(|| Halves::new(labels.clone()));
        let labels = halves.as_ref().map_or(labels, Halves::classes);
        let sampler = match sampling {
            Sampling::Balanced { identities, samples } => {
                Sampler::Balanced(PkSampler::new(&labels, identities, samples, seed)?)
            }
            Sampling::Shuffled { batch } => Sampler::Shuffled(Shuffled::new(labels.len(), batch, seed)?),
        };
        Ok(TrainingData {
            content,
            shape,
            turns,
            halves,
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

    /// Number of classes: the identities, and what [`Classes`] adds.
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
        self.epoch_from(epoch, 0)
    }

    /// As [`epoch`](Self::epoch), without the first `skip` batches, which are not made.
    pub(super) fn epoch_from(&self, epoch: u64, skip: usize) -> impl Iterator<Item = Result<Batch, DataError>> + '_ {
        let dealt: Box<dyn Iterator<Item = Vec<usize>>> = match &self.sampler {
            Sampler::Balanced(sampler) => Box::new(sampler.epoch(epoch)),
            Sampler::Shuffled(sampler) => Box::new(sampler.epoch(epoch)),
        };
        dealt.enumerate().skip(skip).map(move |(number, indices)| self.batch(epoch, number, &indices))
    }
}
