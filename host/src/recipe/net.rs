//! A recipe's network.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Input, Recipe};
use crate::net::{Architecture, Shape};

/// A family of networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Depthwise and pointwise convolutions, for the board.
    Compact,
    /// Four 3x3 convolutions.
    Article,
}

/// How the compact network makes one vector of the last picture: see [`Architecture::with_weighted_pool`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// The mean over all positions.
    #[default]
    Average,
    /// A mean with learned weights.
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

impl Recipe {
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
}
