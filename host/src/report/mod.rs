//! `report.json` and `report.html`: all that is known of a model in figures and pictures, and its card.
//!
//! [`collect`] measures, [`page`] and [`comparison`] draw, [`card`] writes the model card. The page is one file that loads nothing.

mod board;
mod card;
mod chart;
mod charts;
mod collect;
mod comparison;
mod figures;
mod map;
mod mistakes;
mod page;
pub mod pictures;
mod projection;

use std::path::PathBuf;

use serde::Serialize;
use thiserror::Error;

use crate::data::DataError;
use crate::evaluate::{
    EngineError, Forgeries, Identification, Interval, RatePoint, RunsError, SelectionError, Verification,
};
use crate::export::{ExportError, LayerReport, OriginError};
use crate::model::ModelError;
use crate::recipe::{Recipe, RecipeError};

pub use board::{BOARD, OnBoard};
pub use card::card;
pub use collect::{Options, collect};
pub use comparison::comparison;
pub use map::Map;
pub use mistakes::{Mistakes, Pair};
pub use page::page;

/// The page's name in a model's folder.
pub const PAGE: &str = "report.html";
/// The name of its figures.
pub const FIGURES: &str = "report.json";
/// The model card's name.
pub const CARD: &str = "README.md";

/// Why there is no report.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The recipe's data.
    #[error("{0}; a report measures on the recipe's data")]
    Data(#[from] DataError),
    /// The gallery of nearest neighbours.
    #[error(transparent)]
    Gallery(#[from] SelectionError),
    /// A file of the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model's files are of several trainings.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// An engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The layers' errors.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Lake's runs.
    #[error(transparent)]
    Runs(#[from] RunsError),
    /// Nothing can be compared.
    #[error(
        "the test part of {0} has no two samples of one identity, or only one identity: widen `test` in its recipe's split"
    )]
    NoComparisons(PathBuf),
    /// Nothing is left to compare with templates.
    #[error(
        "the test part of {} has fewer than 2 identities of at least {samples} samples: lower --references, or widen `test` in its \
         recipe's split", dir.display()
    )]
    TooFewSamples {
        /// The model's folder.
        dir: PathBuf,
        /// Samples that an identity needs, one more than the references.
        samples: usize,
    },
}

/// All that is known of a model. Rates are fractions.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The model's name.
    pub name: String,
    /// Sizes.
    pub facts: Facts,
    /// What the rates are of.
    pub protocol: String,
    /// Rates of the bundle, on the recipe's test part.
    pub int8: Verification,
    /// Rates of the float network on the same.
    pub float: Verification,
    /// Searches by the bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identification: Option<Identification>,
    /// Skilled and random forgeries, where the data has some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forgeries: Option<Forgeries>,
    /// Shares of wrong answers to other questions.
    pub tasks: Vec<Task>,
    /// FNMR over FMR, of the bundle and of the float network.
    pub curve: Vec<CurvePoint>,
    /// How distances lie.
    pub histogram: Histogram,
    /// Losses and validation errors of the training.
    pub training: Training,
    /// Sizes and errors of the layers; empty where the trained network is not there any more.
    pub layers: Vec<LayerReport>,
    /// Embeddings in a plane.
    #[serde(skip)]
    pub map: Map,
    /// The worst comparisons.
    #[serde(skip)]
    pub mistakes: Mistakes,
}

/// Sizes of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Facts {
    /// Bytes of the bundle.
    pub bundle: usize,
    /// Bytes of the ONNX file.
    pub onnx: u64,
    /// Bytes of arena.
    pub arena: u32,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// What the emulated board takes for one sample, where it was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board: Option<OnBoard>,
    /// Input, `channels x rows x columns`.
    pub input: String,
    /// Elements of an embedding.
    pub embedding: u16,
    /// The number that templates are bound to, hexadecimal.
    pub model_id: String,
    /// The sealed threshold as people see distances, and its evidence in words.
    pub threshold: Option<(f64, String)>,
}

/// A question with one right answer among several, asked many times.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Task {
    /// What is asked.
    pub name: String,
    /// Share of wrong answers.
    pub error: f64,
    /// Its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_interval: Option<Interval>,
    /// Whether the interval draws runs, not identities.
    #[serde(skip)]
    pub by_run: bool,
    /// Questions.
    pub trials: usize,
}

/// A point of the DET curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Of the bundle.
    #[serde(flatten)]
    pub rates: RatePoint,
    /// False-non-match rate of the float network at the same false-match rate.
    pub float: f64,
}

/// Shares of genuine and of impostor distances in bins of equal width.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Histogram {
    /// Where the first bin begins, as people see distances.
    pub low: f64,
    /// Where the last bin ends.
    pub high: f64,
    /// Share of the genuine distances in each bin.
    pub genuine: Vec<f64>,
    /// Share of the impostor distances in each bin.
    pub impostor: Vec<f64>,
}

/// The course of a training.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Training {
    /// (step, loss).
    pub loss: Vec<(usize, f32)>,
    /// (step, equal error rate on the validation samples).
    pub eer: Vec<(usize, f64)>,
    /// The first step of every phase but the first.
    pub phases: Vec<usize>,
    /// Seconds that the steps took; the measurements between them are not in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// A model's report with the recipe that it was trained by.
#[derive(Clone, Debug)]
pub struct Reported {
    /// The measurements.
    pub report: Report,
    /// The recipe.
    pub recipe: Recipe,
}
