//! Every choice of a training run in one place, kept beside the model as `recipe.toml`: enough to train it again.

mod comments;
mod defaults;
mod identity;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::embedding::MAX_DIM;
use shared::frontend::{Fill, FrontEnd, Image, LogMel, Pixels, Raw, SettingsError};
use thiserror::Error;

use crate::data::augment::Augment;
use crate::data::sound::SoundAugment;
use crate::data::{Batching, Classes, DataError, Dataset, Part, Pattern, Sampling, Spec, Split};
use crate::mining::Mining;
use crate::net::{Architecture, ArchitectureError, Shape};

pub use defaults::Choices;

/// Name of a recipe in a model's folder.
pub const FILE_NAME: &str = "recipe.toml";
/// Most samples of a batch.
const MAX_BATCH: usize = 65_536;
/// Most rows and columns of an input tensor.
const MAX_INPUT: u16 = 1024;

/// A training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The model's name.
    pub name: String,
    /// Seed of weights, batches, augmentation and mining: the same seed gives the same model on the same machine.
    pub seed: u64,
    /// Where samples come from.
    pub data: Data,
    /// What the network gets to see.
    pub input: Input,
    /// The network.
    pub net: Network,
    /// How training samples are varied.
    pub augment: Augment,
    /// How training recordings are varied.
    #[serde(default, skip_serializing_if = "SoundAugment::is_none")]
    pub sound_augment: SoundAugment,
    /// Adam's settings.
    pub optimizer: Optimizer,
    /// How training is watched.
    pub validation: Validation,
    /// What the export does with the trained network.
    pub export: Export,
    /// Trainings one after the other, each with its own loss; the network is handed on.
    #[serde(rename = "phase")]
    pub phases: Vec<Phase>,
}

/// Where samples come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The source: glyphs, utterances, mnist:DIR, omniglot:DIR, images:DIR, signatures:DIR, speech:DIR.
    pub source: Spec,
    /// What people call the data, for the model card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The data's licence and where it is from, for the model card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Which world of glyphs is drawn, of utterances spoken; files do not heed it.
    pub world: u64,
    /// Every identity that trains becomes four: as it is and turned by 90, 180 and 270 degrees.
    #[serde(default)]
    pub rotations_as_classes: bool,
    /// Every identity that trains becomes four: as it is, mirrored left and right, upside down, and both; with rotations eight.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mirrors_as_classes: bool,
    /// The forgeries of every identity that trains become one more identity; without it they do not train.
    #[serde(default)]
    pub forgeries_as_classes: bool,
    /// The first half of one identity that trains and the second half of another become an identity as well: the upper and lower
    /// half of a picture, the beginning and end of a recording.
    #[serde(default, skip_serializing_if = "is_false")]
    pub halves_as_classes: bool,
    /// Every recording that trains is another identity played backwards.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reversals_as_classes: bool,
    /// Every voice that trains becomes so many: as it is, and at other pitches behind other filters. 0 for as it is.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub voices_as_classes: u16,
    /// The source of the identities that choose the threshold, where the main one has too few to spare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_source: Option<Spec>,
    /// Whether its dark on light becomes light on dark.
    #[serde(default, skip_serializing_if = "is_false")]
    pub threshold_inverted: bool,
    /// The identities that train, choose the threshold and test.
    pub split: Split,
    /// Other sources that train along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Also>,
}

/// A source that only trains: every batch holds some of its samples behind those of the main source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Also {
    /// The source.
    pub source: Spec,
    /// The data's name, for the model card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The data's licence and where it is from, for the model card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Its identities that train.
    pub identities: Pattern,
    /// Whether dark on light becomes light on dark; the rest of the front end is the recipe's.
    pub invert: bool,
    /// Every identity becomes four: as it is and turned by 90, 180 and 270 degrees.
    #[serde(default)]
    pub rotations_as_classes: bool,
    /// Its part of every batch.
    pub sampling: Sampling,
}

/// The front end's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Always 1: pictures are read in grey.
    pub channels: u8,
    /// Dark on light becomes light on dark.
    pub invert: bool,
    /// The darkest value becomes 0, the lightest 255.
    pub stretch: bool,
    /// For recordings, whose spectrogram has `height` bands, `width` frames and one channel; for pictures none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<SoundInput>,
}

/// The sound front end's settings, besides bands and frames: see [`LogMel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoundInput {
    /// Samples a second; recordings of another rate are resampled.
    pub rate: u16,
    /// Samples of a frame.
    pub window: u16,
    /// Samples from one frame to the next.
    pub hop: u16,
    /// Where the lowest band begins, in Hz.
    pub low: u16,
    /// Where the highest band ends, in Hz.
    pub high: u16,
    /// dB from the lowest value to the highest.
    pub range: u8,
    /// dB below the loudest frame at which silence begins.
    pub trim: u8,
    /// Lift the high frequencies.
    pub pre_emphasis: bool,
    /// What stands where a recording has no more frames.
    pub fill: Fill,
}

impl Default for SoundInput {
    /// 8 kHz, frames of 32 ms every 16 ms, bands from 60 to 3800 Hz.
    fn default() -> Self {
        SoundInput {
            rate: 8000,
            window: 256,
            hop: 128,
            low: 60,
            high: 3800,
            range: 60,
            trim: 30,
            pre_emphasis: true,
            fill: Fill::Repeat,
        }
    }
}

/// A family of networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Depthwise and pointwise convolutions, for the board.
    Compact,
    /// Four 3x3 convolutions.
    Article,
}

/// How the compact network makes one vector of the last picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// The mean over all positions.
    #[default]
    Average,
    /// A mean with learned weights: see [`Architecture::with_weighted_pool`].
    Weighted,
}

impl Pool {
    fn is_average(&self) -> bool {
        *self == Pool::Average
    }
}

/// How embeddings are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// By their Euclidean distance.
    Euclidean,
    /// By the angle between them: they are scaled to length 1 first.
    Cosine,
}

impl From<Metric> for shared::embedding::Metric {
    fn from(metric: Metric) -> Self {
        match metric {
            Metric::Euclidean => shared::embedding::Metric::Euclidean,
            Metric::Cosine => shared::embedding::Metric::Cosine,
        }
    }
}

/// The network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Family.
    pub family: Family,
    /// Factor of the compact network's channels.
    pub width_multiplier: f32,
    /// How the compact network makes one vector of the last picture.
    #[serde(default, skip_serializing_if = "Pool::is_average")]
    pub pool: Pool,
    /// Values of an embedding.
    pub embedding: usize,
    /// How embeddings are compared.
    pub metric: Metric,
    /// A model's folder whose weights training starts from, if not by chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<PathBuf>,
}

/// Settings of Adam with decoupled weight decay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// Part of every weight that a step of learning rate 1 takes away.
    pub weight_decay: f32,
    /// Decay of the exponential average of the weights, which is what is measured and kept; 0 for the weights themselves.
    #[serde(default)]
    pub average: f32,
}

/// How training is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Steps between two measurements of the equal error rate; a checkpoint is kept after each.
    pub every_steps: usize,
    /// Samples of the threshold part that are embedded, at most.
    pub samples: usize,
    /// Pairs of them that are compared, at most, half of them of one identity where there are as many.
    pub pairs: usize,
    /// Measurements without a new best after which a phase ends early; 0 for never.
    #[serde(default)]
    pub patience: usize,
    /// Which network is kept.
    #[serde(default)]
    pub keep: Keep,
}

/// Which network of a training is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// That of the lowest equal error rate on the threshold part.
    #[default]
    Best,
    /// The last one: where the threshold part has so few identities that its lowest rate is chance.
    Last,
}

/// What the export does with the trained network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// False-match rate that the decision threshold is chosen for.
    pub target_fmr: f64,
    /// Samples of the train part that the quantization ranges are taken from.
    pub calibration_samples: usize,
}

/// One training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Passes over the data.
    pub epochs: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Steps in which the learning rate rises from 0 to its highest.
    pub warmup_steps: usize,
    /// Part of the highest learning rate that is left at the end, when half a cosine has brought it down.
    pub final_learning_rate: f64,
    /// Only the last layer learns (and the classifier, where there is one): first steps on a fresh last layer would undo what the
    /// others have learnt before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub last_layer_only: bool,
    /// How batches are made up: `balanced` with P `identities` of K `samples` each, or `shuffled` with so many in a `batch`.
    pub sampling: Sampling,
    /// What is minimized.
    pub loss: Loss,
    /// What is minimized besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrast: Option<Contrast>,
}

/// [`crate::loss::classify::batch_contrast`] beside a phase's loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contrast {
    /// Factor of it in the sum.
    pub weight: f32,
    /// Divisor of the similarities.
    pub temperature: f32,
}

/// What a training minimizes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Loss {
    /// [`crate::loss::contrastive`].
    Contrastive {
        /// Distance beyond which two identities are left alone.
        margin: f32,
        /// How the pairs of two identities are chosen.
        mining: Mining,
    },
    /// [`crate::loss::triplet`].
    Triplet {
        /// How much the squared distance to the negative is to exceed that to the positive.
        margin: f32,
        /// How triplets are chosen.
        mining: Mining,
    },
    /// Cross-entropy of a classifier over the training identities.
    Softmax,
    /// [`crate::loss::classify::sphereface`].
    Sphereface {
        /// How many times the own class's angle counts.
        margin: u32,
        /// Where the annealed weight of the plain cosine ends.
        lambda_min: f32,
    },
    /// [`crate::loss::classify::cosface`].
    Cosface {
        /// Factor of the cosines.
        scale: f32,
        /// What is subtracted from the own class's cosine.
        margin: f32,
    },
    /// [`crate::loss::classify::arcface`].
    Arcface {
        /// Factor of the cosines.
        scale: f32,
        /// Radians that are added to the own class's angle.
        margin: f32,
    },
}

/// The name of a [`Loss`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Pairs: near if of one identity, else at least the margin apart.
    Contrastive,
    /// Triplets: nearer to one's own than to another identity, by the margin.
    Triplet,
    /// A classifier over the training identities, which is dropped afterwards.
    Softmax,
    /// The same with the own class's angle multiplied.
    Sphereface,
    /// The same with a margin between cosines.
    Cosface,
    /// The same with a margin between angles.
    Arcface,
}

impl Method {
    /// Whether it trains a classifier along.
    pub fn classifies(self) -> bool {
        !matches!(self, Method::Contrastive | Method::Triplet)
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Method::Contrastive => "contrastive",
            Method::Triplet => "triplet",
            Method::Softmax => "softmax",
            Method::Sphereface => "sphereface",
            Method::Cosface => "cosface",
            Method::Arcface => "arcface",
        })
    }
}

impl Loss {
    /// Its name.
    pub fn method(&self) -> Method {
        match self {
            Loss::Contrastive { .. } => Method::Contrastive,
            Loss::Triplet { .. } => Method::Triplet,
            Loss::Softmax => Method::Softmax,
            Loss::Sphereface { .. } => Method::Sphereface,
            Loss::Cosface { .. } => Method::Cosface,
            Loss::Arcface { .. } => Method::Arcface,
        }
    }
}

/// Why a recipe is of no use.
#[derive(Debug, Error)]
pub enum RecipeError {
    /// The file cannot be read.
    #[error("cannot read the recipe {}: {source}; name a folder that `doppel train` has made, or a recipe file", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the recipe {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The text is no recipe.
    #[error("{} is no recipe: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// A value is out of its range.
    #[error("`{key}` is {value}; it must be {expected}")]
    Range {
        /// The value's name.
        key: &'static str,
        /// The value.
        value: String,
        /// What is accepted.
        expected: &'static str,
    },
    /// The file asks for what no training can use.
    #[error("{}: {cause}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: Box<RecipeError>,
    },
    /// The sound front end's settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The network does not fit its input.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    /// The data source does not fit.
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
}

impl Recipe {
    /// Reads a recipe; unknown keys and values out of range are errors.
    pub fn load(path: &Path) -> Result<Recipe, RecipeError> {
        let text = fs::read_to_string(path).map_err(|source| RecipeError::Read { path: path.to_path_buf(), source })?;
        let recipe: Recipe = toml::from_str(&text)
            .map_err(|error| RecipeError::Parse { path: path.to_path_buf(), message: one_line(&error, &text) })?;
        match recipe.check() {
            Ok(()) => Ok(recipe),
            Err(cause) => Err(RecipeError::Unusable { path: path.to_path_buf(), cause: Box::new(cause) }),
        }
    }

    /// Writes `recipe.toml` into `folder`, which is made if need be; never a half of it.
    pub fn save(&self, folder: &Path) -> Result<(), RecipeError> {
        let path = folder.join(FILE_NAME);
        let write = |text: String| {
            fs::create_dir_all(folder)?;
            let beside = folder.join(".recipe.toml.new");
            fs::write(&beside, text)?;
            fs::rename(&beside, &path)
        };
        write(self.to_toml()).map_err(|source| RecipeError::Write { path: path.clone(), source })
    }

    /// The recipe as commented TOML.
    pub fn to_toml(&self) -> String {
        // Serialization fails on maps without text keys and the like only; a recipe has none.
        comments::add(&toml::to_string(self).unwrap_or_default())
    }

    /// Refuses values that no training can use.
    pub fn check(&self) -> Result<(), RecipeError> {
        let positive = |key, value: f64| match value {
            value if value > 0.0 && value.is_finite() => Ok(()),
            _ => range(key, value, "a positive number"),
        };
        let share = |key, value: f64| match value {
            value if (0.0..=1.0).contains(&value) => Ok(()),
            _ => range(key, value, "between 0 and 1"),
        };
        let at_least_one = |key, value: usize| match value {
            0 => range(key, value, "at least 1"),
            _ => Ok(()),
        };
        if self.input.channels != 1 {
            return range("input.channels", self.input.channels, "1: pictures are read in grey");
        }
        for (key, side) in [("input.height", self.input.height), ("input.width", self.input.width)] {
            if !(1..=MAX_INPUT).contains(&side) {
                return range(key, side, "between 1 and 1024");
            }
        }
        let (sounds, speech) = (self.input.sound.is_some(), matches!(self.data.source, Spec::Speech(..)));
        if sounds != speech {
            let expected = "there for `speech:DIR`, and for no other source";
            return range("input.sound", if sounds { "there" } else { "missing" }, expected);
        }
        if self.data.reversals_as_classes && !speech {
            return range("data.reversals_as_classes", true, "false for pictures");
        }
        let voices = self.data.voices_as_classes;
        if voices > 0 && !speech {
            return range("data.voices_as_classes", voices, "0 for pictures");
        }
        if let FrontEnd::LogMel(log_mel) = self.front_end() {
            log_mel.check()?;
            if (self.input.channels, self.input.invert, self.input.stretch) != (1, false, false) {
                let expected = "1, with `invert` and `stretch` false, for recordings";
                return range("input.channels", self.input.channels, expected);
            }
        }
        self.sound_augment.check()?;
        if !(1.0 / 16.0..=16.0).contains(&self.net.width_multiplier) {
            let value = self.net.width_multiplier;
            return range("net.width_multiplier", value, "between 0.0625 and 16");
        }
        if !(1..=MAX_DIM).contains(&self.net.embedding) {
            return range("net.embedding", self.net.embedding, "between 1 and 512, the most that a bundle holds");
        }
        share("optimizer.weight_decay", self.optimizer.weight_decay.into())?;
        if !(0.0..1.0).contains(&self.optimizer.average) {
            return range("optimizer.average", self.optimizer.average, "at least 0 and below 1");
        }
        at_least_one("validation.every_steps", self.validation.every_steps)?;
        at_least_one("validation.samples", self.validation.samples)?;
        at_least_one("validation.pairs", self.validation.pairs)?;
        share("export.target_fmr", self.export.target_fmr)?;
        at_least_one("export.calibration_samples", self.export.calibration_samples)?;
        at_least_one("the number of [[phase]] tables", self.phases.len())?;
        for phase in &self.phases {
            at_least_one("phase.epochs", phase.epochs)?;
            positive("phase.learning_rate", phase.learning_rate)?;
            share("phase.final_learning_rate", phase.final_learning_rate)?;
            match phase.loss {
                Loss::Contrastive { margin, .. } | Loss::Triplet { margin, .. } => {
                    positive("phase.loss.margin", margin.into())?;
                }
                Loss::Softmax => {}
                Loss::Sphereface { margin, lambda_min } => {
                    if !(1..=8).contains(&margin) {
                        return range("phase.loss.margin", margin, "from 1 to 8 for sphereface");
                    }
                    positive("phase.loss.lambda_min", f64::from(lambda_min) + f64::MIN_POSITIVE)?;
                }
                Loss::Cosface { scale, margin } | Loss::Arcface { scale, margin } => {
                    positive("phase.loss.scale", scale.into())?;
                    share("phase.loss.margin", margin.into())?;
                }
            }
            if let Some(Contrast { weight, temperature }) = phase.contrast {
                positive("phase.contrast.weight", weight.into())?;
                positive("phase.contrast.temperature", temperature.into())?;
            }
            sampling("phase.sampling", phase.sampling)?;
            match phase.sampling {
                Sampling::Balanced { samples: 2.., .. } => {}
                _ if phase.loss.method().classifies() && phase.contrast.is_none() => {}
                sampling => {
                    let expected = "balanced with at least 2 samples an identity, for a loss on pairs or triplets";
                    return range("phase.sampling", sampling, expected);
                }
            }
        }
        for also in &self.data.also {
            sampling("data.also.sampling", also.sampling)?;
            if !matches!(also.sampling, Sampling::Balanced { samples: 2.., .. }) {
                let expected = "balanced with at least 2 samples an identity";
                return range("data.also.sampling", also.sampling, expected);
            }
            if also.rotations_as_classes && self.input.height != self.input.width {
                let size = format!("{}x{}", self.input.height, self.input.width);
                return range("input with data.also.rotations_as_classes", size, "square");
            }
        }
        self.augment.check()?;
        let Input { height, width, .. } = self.input;
        if self.data.rotations_as_classes && height != width {
            return Err(DataError::Rotations { height: height.into(), width: width.into() }.into());
        }
        self.data.source.check(&self.data.split)?;
        self.architecture().shapes()?;
        Ok(())
    }

    /// The front end.
    pub fn front_end(&self) -> FrontEnd {
        self.input.front_end()
    }

    /// The network.
    pub fn architecture(&self) -> Architecture {
        let Input { width, height, channels, .. } = self.input;
        let input = Shape::new(channels.into(), height.into(), width.into());
        let d = self.net.embedding;
        match self.net.family {
            Family::Compact => {
                let compact = Architecture::compact(input, self.net.width_multiplier, d);
                match self.net.pool {
                    Pool::Average => compact,
                    Pool::Weighted => compact.with_weighted_pool(),
                }
            }
            Family::Article => Architecture::article(input, d),
        }
    }

    /// The samples that choose the threshold.
    pub fn threshold_part(&self) -> Result<Dataset, DataError> {
        let Data { source, threshold_source, threshold_inverted, split, world, .. } = &self.data;
        let Some(other) = threshold_source else {
            return source.load(Part::Threshold, split, *world);
        };
        let part = other.load_all(&split.threshold, *world)?;
        Ok(if *threshold_inverted { part.inverted() } else { part })
    }

    /// How the batches of phase number `phase` are made.
    pub fn batching(&self, phase: usize) -> Option<Batching> {
        let Data {
            rotations_as_classes: rotations,
            mirrors_as_classes: mirrors,
            halves_as_classes: halves,
            forgeries_as_classes: forgeries,
            reversals_as_classes: reversals,
            voices_as_classes: voices,
            ..
        } = self.data;
        self.phases.get(phase).map(|this| Batching {
            classes: Classes { rotations, mirrors, halves, reversals, forgeries, voices },
            sampling: this.sampling,
            augment: self.augment,
            sound: self.sound_augment,
            seed: self.seed.wrapping_add(phase as u64),
        })
    }
}

impl Input {
    /// The front end with these settings.
    pub fn front_end(&self) -> FrontEnd {
        if let Some(sound) = self.sound {
            let SoundInput { rate, window, hop, low, high, range, trim, pre_emphasis, fill } = sound;
            let (bands, frames) = (self.height, self.width);
            let settings = LogMel { rate, window, hop, bands, frames, low, high, range, trim, pre_emphasis, fill };
            return FrontEnd::LogMel(settings);
        }
        FrontEnd::Pixels(Pixels {
            width: self.width,
            height: self.height,
            channels: self.channels,
            invert: self.invert,
            stretch: self.stretch,
        })
    }

    /// As wide, high and coloured as `raw`, with the shorter side brought to `side` where that is shorter.
    pub fn like(raw: Raw<'_>, side: u16) -> Input {
        let (width, height, channels) = match raw {
            Raw::Image(Image { width, height, channels, .. }) => (width, height, channels),
            Raw::Sound(_) => (side, side, 1),
        };
        let shorter = width.min(height).max(1);
        let scale = |length: u16| match shorter > side {
            true => (u32::from(length) * u32::from(side) / u32::from(shorter)) as u16,
            false => length,
        };
        Input { width: scale(width), height: scale(height), channels, invert: false, stretch: false, sound: None }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u16) -> bool {
    *value == 0
}

fn range<T>(key: &'static str, value: impl ToString, expected: &'static str) -> Result<T, RecipeError> {
    Err(RecipeError::Range { key, value: value.to_string(), expected })
}

/// Refuses batches of nothing and those that no memory holds.
fn sampling(key: &'static str, sampling: Sampling) -> Result<(), RecipeError> {
    let size = match sampling {
        Sampling::Balanced { identities, samples } => identities.saturating_mul(samples),
        Sampling::Shuffled { batch } => batch,
    };
    match size {
        1..=MAX_BATCH => Ok(()),
        _ => range(key, sampling, "of 1 to 65536 samples in all"),
    }
}

/// Where the text is wrong and why, in one line.
fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().replace('\n', " ");
    match error.span() {
        Some(span) => {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            format!("line {line}: {message}")
        }
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        Choices::new("glyphs".parse().unwrap(), "letters").recipe().unwrap()
    }

    #[test]
    fn a_saved_recipe_is_commented_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = recipe();
        recipe.save(folder.path()).unwrap();
        let path = folder.path().join(FILE_NAME);
        assert_eq!(Recipe::load(&path).unwrap(), recipe);
        let text = fs::read_to_string(path).unwrap();
        for key in ["seed", "embedding", "learning_rate", "target_fmr", "world"] {
            let at = text.find(&format!("\n{key} = ")).expect(key);
            let before = text[..at].lines().last().unwrap();
            assert!(before.starts_with("# "), "{key} has no comment");
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wrong.toml");
        let text = recipe().to_toml().replace("seed =", "sed =");
        fs::write(&path, text).unwrap();
        let message = Recipe::load(&path).unwrap_err().to_string();
        assert!(message.contains("`sed`") && message.contains("line"), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }

    #[test]
    fn values_out_of_range_are_named() {
        let wrong = |change: fn(&mut Recipe)| {
            let mut recipe = recipe();
            change(&mut recipe);
            recipe.check().unwrap_err().to_string()
        };
        assert!(wrong(|r| r.net.embedding = 0).contains("net.embedding"));
        assert!(wrong(|r| r.net.embedding = 513).contains("512"));
        assert!(wrong(|r| r.input.height = 5000).contains("input.height"));
        let batch = |r: &mut Recipe| r.phases[0].sampling = Sampling::Balanced { identities: 4, samples: usize::MAX };
        assert!(wrong(batch).contains("65536"));
        let single = |r: &mut Recipe| r.phases[0].sampling = Sampling::Balanced { identities: 4, samples: 1 };
        assert!(wrong(single).contains("is 4x1"));
        assert!(wrong(|r| r.input.channels = 3).contains("grey"));
        assert!(wrong(|r| r.input.channels = 2).contains("input.channels"));
        assert!(wrong(|r| r.phases.clear()).contains("[[phase]]"));
        assert!(wrong(|r| r.phases[0].learning_rate = f64::NAN).contains("learning_rate"));
        assert!(wrong(|r| r.input.width = 2).contains("too small"));
        let turned = |r: &mut Recipe| (r.data.rotations_as_classes, r.input.width) = (true, 40);
        assert!(wrong(turned).contains("square"));
        let shuffled = |r: &mut Recipe| r.phases[0].sampling = Sampling::Shuffled { batch: 9 };
        assert!(wrong(shuffled).contains("balanced"));
    }

    #[test]
    fn another_source_may_choose_the_threshold() {
        let mut recipe = recipe();
        recipe.data.split.threshold = "100007,100009".parse().unwrap();
        let own = recipe.threshold_part().unwrap();
        assert_eq!(own.identities, ["100007", "100009"]);
        recipe.data.threshold_inverted = true;
        recipe.data.threshold_source = Some(Spec::Glyphs);
        assert_eq!(recipe.threshold_part().unwrap(), own.inverted());
        let text = recipe.to_toml();
        assert!(text.contains("threshold_source = \"glyphs\"") && text.contains("threshold_inverted = true"), "{text}");
    }

    #[test]
    fn inputs_follow_the_pictures() {
        let raw = |width, height| Raw::Image(Image { width, height, channels: 1, pixels: &[] });
        let size = |raw| {
            let input = Input::like(raw, 40);
            (input.width, input.height)
        };
        assert_eq!(size(raw(28, 28)), (28, 28));
        assert_eq!(size(raw(92, 112)), (40, 48));
        assert_eq!(size(raw(220, 155)), (56, 40));
    }
}
