//! How the batches of a training run are asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::data::augment::Augment;
use crate::data::sound::SoundAugment;

/// How batches are made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Sampling {
    /// So many identities with so many samples each: see [`PkSampler`](crate::data::batches::PkSampler).
    Balanced {
        /// Identities in a batch, P.
        identities: usize,
        /// Samples of each, K.
        samples: usize,
    },
    /// So many samples in shuffled order: see [`Shuffled`](crate::data::batches::Shuffled).
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
    /// The first half of one class and the second half of another are a class as well: of `n` classes (turned and mirrored ones
    /// included), `n * n`, of which an epoch has `n` times as many samples. The halves of a picture lie one above the other, so
    /// that their strokes meet, those of a recording follow each other.
    pub halves: bool,
    /// Every recording played backwards is another class: see [`Dataset::reversals_as_identities`].
    ///
    /// [`Dataset::reversals_as_identities`]: crate::data::Dataset::reversals_as_identities
    pub reversals: bool,
    /// The forgeries of an identity become a class of their own: see [`Dataset::forgeries_as_identities`].
    ///
    /// [`Dataset::forgeries_as_identities`]: crate::data::Dataset::forgeries_as_identities
    pub forgeries: bool,
    /// Every voice becomes so many, if more than one: see [`Dataset::voices_as_identities`].
    ///
    /// [`Dataset::voices_as_identities`]: crate::data::Dataset::voices_as_identities
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
