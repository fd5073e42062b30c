//! What a training run draws its batches from.

use std::borrow::Cow;
use std::fmt;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use shared::frontend::FrontEnd;

use super::augment::Augment;
use super::batches::{PkSampler, Shuffled};
use super::halves::{Halves, Share, one_after_the_other};
use super::made::{self, Made, Maker};
use super::sound::SoundAugment;
use super::turn::Turn;
use super::{DataError, Dataset, Part, Pattern, Shape, Spec, Split, Tensors, input_tensor};

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

impl fmt::Display for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sampling::Balanced { identities, samples } => write!(f, "{identities}x{samples}"),
            Sampling::Shuffled { batch } => write!(f, "{batch} shuffled samples"),
        }
    }
}

/// What counts as a class in training besides the source's identities; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// Every class becomes four: as it is and turned by 90, 180 and 270 degrees. An epoch has four times as many samples.
    pub rotations: bool,
    /// Every class becomes four: as it is, mirrored left and right, upside down, and both; with `rotations` eight. An epoch has as
    /// many times the samples.
    pub mirrors: bool,
    /// The first half of one class and the second half of another are a class as well: of `n` classes, `n * n`, of which an epoch
    /// has `n` times as many samples. The halves of a picture lie one above the other, those of a recording follow each other.
    pub halves: bool,
    /// Every recording played backwards is another class: see [`Dataset::reversals_as_identities`].
    pub reversals: bool,
    /// The forgeries of an identity become a class of their own: see [`Dataset::forgeries_as_identities`].
    ///
    /// [`Dataset::forgeries_as_identities`]: super::Dataset::forgeries_as_identities
    pub forgeries: bool,
    /// Every voice becomes so many, if more than one: see [`Dataset::voices_as_identities`].
    ///
    /// [`Dataset::voices_as_identities`]: super::Dataset::voices_as_identities
    pub voices: u16,
}

/// How the batches of a training run are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Batching {
    /// What counts as a class.
    pub classes: Classes,
    /// Which samples make a batch.
    pub sampling: Sampling,
    /// How each is varied.
    pub augment: Augment,
    /// How each recording is varied, before that.
    pub sound: SoundAugment,
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
/// [`Augment`]; glyphs are drawn anew in every epoch, and recordings that a [`SoundAugment`] varies pass the front end anew.
pub struct TrainingData {
    content: Content,
    shape: Shape,
    /// Where halves of two classes make a class.
    halves: Option<Halves>,
    /// How every sample is laid: as it is, and turned or mirrored where that counts as a class.
    turns: &'static [Turn],
    /// The class of every sample of an epoch: sample `i` is number `i / n` of the content, or of its halves, laid as number
    /// `i % n` of the `n` turns says.
    labels: Vec<usize>,
    identities: usize,
    sampler: Sampler,
    augment: Augment,
    seed: u64,
}

enum Content {
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
        let halves = classes.halves.then(|| Halves::new(labels.clone()));
        let labels = halves.as_ref().map_or(labels, Halves::classes);
        let turned = |label: usize| (0..turns.len()).map(move |turn| label * turns.len() + turn);
        let labels: Vec<usize> = labels.into_iter().flat_map(turned).collect();
        let sampler = match sampling {
            Sampling::Balanced { identities, samples } => {
                Sampler::Balanced(PkSampler::new(&labels, identities, samples, seed)?)
            }
            Sampling::Shuffled { batch } => Sampler::Shuffled(Shuffled::new(labels.len(), batch, seed)?),
        };
        Ok(TrainingData {
            content,
            shape,
            halves,
            turns,
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

    fn batch(&self, epoch: u64, number: usize, indices: &[usize]) -> Result<Batch, DataError> {
        let size = self.shape.bytes();
        let mut data = vec![0; indices.len() * size];
        data.par_chunks_mut(size.max(1)).zip(indices).enumerate().try_for_each(|(place, (tensor, &index))| {
            let mut rng = self.variation(epoch, (number * indices.len() + place) as u64);
            let plain = match &self.halves {
                None => self.plain(index / self.turns.len(), epoch, &mut rng)?,
                Some(halves) => {
                    let (first, second) = halves.pair(index / self.turns.len(), &mut rng);
                    self.joined(first, second, epoch, &mut rng)?
                }
            };
            let turned = self.turns[index % self.turns.len()].lay(self.shape, plain);
            self.augment.apply(self.shape, &turned, tensor, &mut rng);
            Ok::<_, DataError>(())
        })?;
        let identities = indices.iter().map(|&index| self.labels[index]).collect();
        Ok(Batch { data, identities })
    }

    /// The first half of one tensor of an epoch with the second half of another.
    fn joined(
        &self,
        first: usize,
        second: Option<usize>,
        epoch: u64,
        rng: &mut ChaCha8Rng,
    ) -> Result<Cow<'_, [u8]>, DataError> {
        let Some(second) = second else {
            return self.plain(first, epoch, rng);
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
        let mut tensor = self.plain(first, epoch, rng)?.into_owned();
        let below = self.plain(second, epoch, rng)?;
        let Shape { height, width, .. } = self.shape;
        for (plane, below) in tensor.chunks_exact_mut((height * width).max(1)).zip(below.chunks_exact(height * width)) {
            let half = height / 2 * width;
            plane[half..].copy_from_slice(&below[half..]);
        }
        Ok(Cow::Owned(tensor))
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

#[cfg(test)]
mod tests {
    use super::*;
    use shared::frontend::Pixels;
    use std::collections::HashSet;

    const PIXELS: Pixels = Pixels { width: 16, height: 16, channels: 1, invert: true, stretch: false };
    const FRONT: FrontEnd = FrontEnd::Pixels(PIXELS);

    fn batching(sampling: Sampling) -> Batching {
        Batching {
            classes: Classes::default(),
            sampling,
            augment: Augment::default(),
            sound: SoundAugment::default(),
            seed: 4,
        }
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
    fn turns_are_classes() {
        let tensors = Tensors {
            shape: Shape { height: 2, width: 2, channels: 2 },
            data: vec![1, 2, 3, 4, 11, 12, 13, 14, 5, 6, 7, 8, 15, 16, 17, 18],
            identities: vec![0, 1],
        };
        let classes = Classes { rotations: true, ..Classes::default() };
        let asked = Batching { classes, ..batching(Sampling::Shuffled { batch: 8 }) };
        let data = TrainingData::stored(tensors.clone(), asked).expect("square");
        assert_eq!((data.identities(), data.batches()), (8, 1));
        let batch = epoch(&data, 0).remove(0);
        let mut seen: Vec<_> = batch.identities.into_iter().zip(batch.data.chunks(8).map(<[u8]>::to_vec)).collect();
        seen.sort();
        let (own, other) = (&seen[..4], &seen[4..]);
        assert_eq!(own[0], (0, vec![1, 2, 3, 4, 11, 12, 13, 14]));
        assert_eq!(own[1], (1, vec![2, 4, 1, 3, 12, 14, 11, 13]));
        assert_eq!(own[2], (2, vec![4, 3, 2, 1, 14, 13, 12, 11]));
        assert_eq!(own[3], (3, vec![3, 1, 4, 2, 13, 11, 14, 12]));
        assert_eq!(other[0], (4, vec![5, 6, 7, 8, 15, 16, 17, 18]));

        let flat = Tensors { shape: Shape { height: 1, width: 4, channels: 2 }, ..tensors };
        let error = TrainingData::stored(flat, asked).err().expect("not square").to_string();
        assert!(error.contains("1x4") && error.contains("rotations_as_classes"), "{error}");
    }

    #[test]
    fn forgeries_are_classes_only_where_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        for file in ["1/genuine/a.png", "1/genuine/b.png", "2/genuine/a.png", "2/forged/a.png"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect(file);
            image::GrayImage::from_pixel(1, 1, image::Luma([0])).save(&path).expect(file);
        }
        let spec = Spec::Signatures(folder.path().to_path_buf());
        let pattern = |text: &str| text.parse().expect("pattern");
        let split = Split { train: pattern("1,2"), threshold: pattern("3"), test: pattern("4") };
        let load = |forgeries| {
            let classes = Classes { forgeries, ..Classes::default() };
            let asked = Batching { classes, ..batching(Sampling::Shuffled { batch: 9 }) };
            let data = TrainingData::load(&spec, &split, 0, FRONT, asked).expect("sound");
            let mut labels = epoch(&data, 0).remove(0).identities;
            labels.sort();
            (data.identities(), labels)
        };
        assert_eq!(load(false), (2, vec![0, 0, 1]));
        assert_eq!(load(true), (3, vec![0, 0, 1, 2]));
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
                        let drawing = Maker::Glyphs.identity(1, 10 + identity as u32).sample(sample);
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
        let glyphs = || [0, 1].map(|number| Maker::Glyphs.identity(0, number)).to_vec();
        assert!(TrainingData::made(glyphs(), FRONT, batching(BALANCED)).is_err());
        let mut wild = batching(Sampling::Shuffled { batch: 4 });
        wild.augment.shift = 7.0;
        assert!(TrainingData::made(glyphs(), FRONT, wild).is_err());
        let colour = FrontEnd::Pixels(Pixels { channels: 3, ..PIXELS });
        let data = TrainingData::made(glyphs(), colour, batching(Sampling::Shuffled { batch: 4 }));
        let first = data.expect("dealt").epoch(0).next();
        assert!(matches!(first, Some(Err(DataError::Frontend { .. }))));
    }

    #[test]
    fn halves_of_two_classes_are_a_class() {
        // Three identities with two tensors of two rows; the byte tells the sample and the row.
        let tensors = Tensors {
            shape: Shape { height: 2, width: 1, channels: 1 },
            data: (0..6).flat_map(|sample| [10 * sample, 10 * sample + 1]).collect(),
            identities: vec![0, 0, 1, 1, 2, 2],
        };
        let classes = Classes { halves: true, ..Classes::default() };
        let sampling = Sampling::Shuffled { batch: 6 };
        let data = TrainingData::stored(tensors, Batching { classes, ..batching(sampling) }).expect("fits");
        assert_eq!((data.identities(), data.batches()), (9, 3));
        let mut seen = HashSet::new();
        for batch in epoch(&data, 0) {
            for (rows, class) in batch.data.chunks_exact(2).zip(batch.identities) {
                let (first, second) = (rows[0] / 10, rows[1] / 10);
                assert_eq!((rows[0] % 10, rows[1] % 10), (0, 1));
                assert_eq!(class, usize::from(first / 2) * 3 + usize::from(second / 2));
                assert!(class % 4 != 0 || first == second, "a class of one identity is its samples as they are");
                seen.insert((first, class));
            }
        }
        assert_eq!(seen.len(), 18, "every sample begins one of each class");
    }
}
