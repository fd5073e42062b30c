//! Where samples come from: every source gives the same [`Dataset`] of raw samples with identities.
//!
//! A [`Spec`] names a source and a [`Split`] says which identities train, which choose the threshold and which test;
//! [`Spec::load`] gives one [`Part`] of it. Training reads [`TrainingData`], which passes the front end once over stored
//! samples, draws glyphs anew in every epoch, and deals balanced or shuffled batches.

pub mod augment;
pub mod batches;
mod error;
pub mod glyphs;
pub mod images;
pub mod mnist;
mod natural;
mod pattern;
mod range;
mod spec;
mod split;
mod tensors;
mod training;

use std::collections::HashMap;

pub use error::DataError;
pub use natural::natural_order;
pub use pattern::{Pattern, PatternError};
use shared::frontend::{Image, Raw, Sound};
pub use spec::Spec;
pub use split::{Part, Split};
pub use tensors::{Shape, Tensors, input_tensor};
pub use training::{Batch, Batching, Sampling, TrainingData};

/// A raw sample that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawSample {
    /// A picture, laid out as [`Image`] says.
    Image {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
        /// Samples a pixel, interleaved.
        channels: u8,
        /// `height * width * channels` bytes.
        pixels: Vec<u8>,
    },
    /// A recording of one channel.
    Sound {
        /// Samples a second.
        rate: u32,
        /// The samples.
        samples: Vec<i16>,
    },
}

impl RawSample {
    /// The bytes of a picture; of a recording none.
    pub fn pixels(&self) -> &[u8] {
        match self {
            RawSample::Image { pixels, .. } => pixels,
            RawSample::Sound { .. } => &[],
        }
    }

    /// The view that the front end takes.
    pub fn as_raw(&self) -> Raw<'_> {
        match self {
            RawSample::Image { width, height, channels, pixels } => {
                Raw::Image(Image { width: *width, height: *height, channels: *channels, pixels })
            }
            RawSample::Sound { rate, samples } => {
                // Little-endian, as the front end takes them: `shared` compiles on no other machine.
                Raw::Sound(Sound { rate: *rate, samples: bytemuck::cast_slice(samples) })
            }
        }
    }
}

/// One raw sample and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Index into [`Dataset::identities`].
    pub identity: usize,
    /// The sample as its file or generator gave it.
    pub raw: RawSample,
}

/// Samples with identities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dataset {
    /// Names of the identities, unique.
    pub identities: Vec<String>,
    /// The samples, those of one identity in the order of their source.
    pub samples: Vec<Sample>,
}

impl Dataset {
    /// The identity index of every sample.
    pub fn labels(&self) -> Vec<usize> {
        self.samples.iter().map(|sample| sample.identity).collect()
    }

    /// The identities whose names `keep` accepts, renumbered in their old order, with their samples.
    pub fn retain(self, keep: impl Fn(&str) -> bool) -> Dataset {
        let mut identities = Vec::new();
        let mut renumbered = HashMap::new();
        for (old, name) in self.identities.into_iter().enumerate() {
            if keep(&name) {
                renumbered.insert(old, identities.len());
                identities.push(name);
            }
        }
        let samples = self
            .samples
            .into_iter()
            .filter_map(|sample| renumbered.get(&sample.identity).map(|&identity| Sample { identity, ..sample }))
            .collect();
        Dataset { identities, samples }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retain_renumbers() {
        let sample = |identity, value| Sample {
            identity,
            raw: RawSample::Image { width: 1, height: 1, channels: 1, pixels: vec![value] },
        };
        let all = Dataset {
            identities: ["a", "b", "c"].map(String::from).to_vec(),
            samples: vec![sample(2, 9), sample(0, 1), sample(1, 5), sample(2, 8)],
        };
        let kept = all.retain(|name| name != "b");
        assert_eq!(kept.identities, ["a", "c"]);
        assert_eq!(kept.samples, [sample(1, 9), sample(0, 1), sample(1, 8)]);
        assert_eq!(kept.labels(), [1, 0, 1]);
    }
}
