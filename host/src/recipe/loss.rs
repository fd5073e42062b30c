//! What a training minimizes.

use serde::{Deserialize, Serialize};

use crate::mining::Mining;

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
    Softmax {},
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

    /// Whether it has a margin; no two methods mean the same by it.
    pub fn has_margin(self) -> bool {
        self != Method::Softmax
    }

    /// Whether it chooses among the pairs or triplets of a batch.
    pub fn mines(self) -> bool {
        !self.classifies()
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
            Loss::Softmax {} => Method::Softmax,
            Loss::Sphereface { .. } => Method::Sphereface,
            Loss::Cosface { .. } => Method::Cosface,
            Loss::Arcface { .. } => Method::Arcface,
        }
    }
}
