//! What a bundle says of the model as a whole.

use serde::{Deserialize, Serialize};

use super::read::read_header;
use super::{BundleError, HEADER_LEN, LOG_MEL_LEN, MAGIC, NAME_LEN, VERSION, u16_at};
use crate::embedding::{Distance, Metric};
use crate::frontend::{All, FrontEnd};
use crate::geometry::Shape;

/// The evidence behind a threshold: comparisons between identities, counted on the int8 embeddings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The false-match rate that was asked for, in parts per million.
    pub target_fmr_ppm: u32,
    /// Identities compared.
    pub identities: u32,
    /// Whether none of them was trained on.
    pub unseen: bool,
    /// Whether the impostors are skilled forgeries, not samples of others.
    pub forged: bool,
    /// Genuine comparisons, and how many of them the threshold rejects.
    pub genuine: u32,
    /// Genuine comparisons rejected.
    pub false_non_matches: u32,
    /// Impostor comparisons.
    pub impostor: u32,
    /// Impostor comparisons accepted.
    pub false_matches: u32,
}

/// A decision threshold with what it rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    /// The largest distance that is still accepted.
    pub distance: Distance,
    /// The enrolment gate: how far a sample may be from the mean of those that it is enrolled with.
    pub gate: Distance,
    /// How it was measured.
    pub evidence: Evidence,
}

/// What a bundle says of the model as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    /// Templates belong to this number: equal only for the same network and front end.
    pub model_id: u64,
    /// The model's name, UTF-8, zero-padded.
    pub name: [u8; NAME_LEN],
    /// Raw sample -> input tensor.
    pub frontend: FrontEnd,
    /// The distance that the embeddings are made for.
    pub metric: Metric,
    /// Elements of an embedding.
    pub dim: u16,
    /// Bytes of arena that the network runs in.
    pub arena: u32,
    /// Where the input tensor lies in the arena.
    pub input_at: u32,
    /// The real length of one step of an embedding element.
    pub embedding_scale: f32,
    /// The threshold, once it was measured.
    pub threshold: Option<Threshold>,
    /// How much samples of one identity usually differ, where templates' own spreads are heeded: see [`crate::gallery::Gallery`].
    pub spread: Option<Distance>,
}

impl Header {
    /// The header of a bundle whose first bytes are `bytes`; what they say of the rest is not checked.
    pub fn read(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.get(..4) != Some(&MAGIC) {
            return Err(BundleError::Magic);
        }
        match u16_at(bytes, 4) {
            VERSION => read_header::<All>(bytes)
                .filter(|header| bytes.len() >= header.encoded_len())
                .ok_or(BundleError::Header),
            version => Err(BundleError::Version(version.into())),
        }
    }

    /// The name without its padding; empty where it is not UTF-8.
    pub fn name(&self) -> &str {
        let len = self.name.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        core::str::from_utf8(self.name.get(..len).unwrap_or_default()).unwrap_or_default()
    }

    /// The input tensor.
    pub fn input(&self) -> Shape {
        self.frontend.shape()
    }

    /// Bytes of the header with all settings of its front end.
    pub fn encoded_len(&self) -> usize {
        match self.frontend {
            FrontEnd::Pixels(_) => HEADER_LEN,
            FrontEnd::LogMel(_) => HEADER_LEN + LOG_MEL_LEN,
        }
    }
}
