//! How a recipe's network is trained, watched and exported.

use serde::{Deserialize, Serialize};

use super::{Loss, is_default, is_false};
use crate::data::Sampling;

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
    /// That of the lowest equal error rate on the threshold part, of those of the last phase.
    #[default]
    Best,
    /// The last one: where the threshold part has so few identities that its lowest rate is chance.
    Last,
}

/// Who tries to be taken for somebody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Impostors {
    /// Others, by their own samples.
    #[default]
    Others,
    /// Those who imitate, by skilled forgeries.
    Forgeries,
}

/// What the export does with the trained network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// False-match rate that the decision threshold is chosen for.
    pub target_fmr: f64,
    /// Whom the threshold keeps out at that rate.
    #[serde(default, skip_serializing_if = "is_default")]
    pub against: Impostors,
    /// Samples of each template that it is measured with; 0 for every pair of samples.
    #[serde(default, skip_serializing_if = "is_default")]
    pub references: usize,
    /// Samples of the train part that the quantization ranges are taken from.
    pub calibration_samples: usize,
    /// Whether a template of several samples is compared by how much these differ: see [`shared::gallery::Gallery`].
    #[serde(default, skip_serializing_if = "is_false")]
    pub spread: bool,
}

/// One training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Passes over the data.
    pub epochs: usize,
    /// Steps after which it ends before its epochs do, where these are long; 0 for never.
    #[serde(default, skip_serializing_if = "is_default")]
    pub steps: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Steps in which the learning rate rises from 0 to its highest.
    pub warmup_steps: usize,
    /// Part of the highest learning rate that is left at the end, when half a cosine has brought it down.
    pub final_learning_rate: f64,
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
