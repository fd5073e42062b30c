//! Trained network -> the files that a board and other engines run: fold, quantize, measure, seal, write.

mod bundle;
mod golden;
mod layers;
mod origin;
mod threshold;

use std::fs;
use std::path::Path;

use firmware::onnx::{OnnxError, OnnxModel, seal as seal_onnx};
use prost::Message;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use shared::bundle::{BundleError, seal};
use shared::frontend::FrontendError;
use thiserror::Error;

use crate::data::{DataError, Dataset, Part};
use crate::evaluate::{Comparisons, Embedded, Engine, EngineError, Verification, threshold_trained, verify};
use crate::metrics::Scores;
use crate::model::{BUNDLE, BundleBytes, GOLDEN, ModelError, ONNX, write_all};
use crate::net::FloatNet;
use crate::onnx;
use crate::quantize::{Graph, QuantizeError, quantize};
use crate::recipe::{Impostors, Metric};
use crate::report::{CARD, FIGURES, PAGE};
use crate::train::{Stopped, TrainError, Trained, stopped};

pub use bundle::bundle_bytes;
pub use layers::LayerReport;
pub use origin::{ORIGIN, Origin, OriginError, check_origin};
pub use threshold::evidence_sentence;
use threshold::{bound, compared, gate, threshold, usual_spread};

/// By how much the int8 EER may exceed the float EER before the export refuses, a fraction.
pub const MAX_EER_GAP: f64 = 0.003;

/// What an export may do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// By how much the int8 EER may exceed the float EER, a fraction.
    pub max_eer_gap: f64,
}

impl Default for Options {
    fn default() -> Self {
        Options { max_eer_gap: MAX_EER_GAP }
    }
}

/// What an export measured.
#[derive(Clone, Debug, Serialize)]
pub struct Exported {
    /// Each layer's size and error.
    pub layers: Vec<LayerReport>,
    /// The float network on the threshold's identities.
    pub float: Verification,
    /// The bundle on the same.
    pub int8: Verification,
    /// Bytes of the bundle.
    pub bundle: usize,
    /// Bytes of the ONNX file.
    pub onnx: usize,
    /// Bytes of arena.
    pub arena: u32,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// The false-match rate that the threshold was chosen for, a fraction.
    pub target_fmr: f64,
    /// Identities that the threshold was measured on.
    pub identities: usize,
    /// The smallest false-match rate that they can support at 95 %, a fraction.
    pub fmr_bound: f64,
    /// The enrolment gate: the largest distance at which samples are enrolled together.
    pub gate: u32,
    /// The sealed threshold's evidence in words.
    pub evidence: String,
    /// Files of another model's report that were removed.
    #[serde(skip)]
    pub removed: Vec<&'static str>,
    /// Where the training was stopped, if it was not trained to its end.
    #[serde(skip)]
    pub stopped: Option<Stopped>,
    /// Whether the threshold's identities could be compared with all that the network, or one that it started from, was trained on.
    pub compared: bool,
}

/// Why a model cannot be exported.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The trained network.
    #[error(transparent)]
    Trained(#[from] TrainError),
    /// The data of the recipe.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A sample that the front end refuses.
    #[error("a sample of the recipe's data does not suit its front end: {0}")]
    Frontend(#[from] FrontendError),
    /// The quantization.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// The bundle that came out is not one: a fault of this program.
    #[error("the bundle cannot be written: {0}")]
    Bundle(#[from] shared::bundle::WriteError),
    /// The bundle that came out does not pass its check: a fault of this program.
    #[error("the bundle cannot be sealed: {0}")]
    Seal(#[from] BundleError),
    /// The golden vectors.
    #[error("the golden vectors cannot be written: {0}")]
    Golden(#[from] shared::golden::WriteError),
    /// The ONNX file.
    #[error("the ONNX file cannot be made: {0}")]
    Onnx(#[from] OnnxError),
    /// An engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The files.
    #[error(transparent)]
    Write(#[from] ModelError),
    /// Too few samples to measure anything.
    #[error(
        "the threshold part of the data has no two samples of one identity, or only one identity: widen `threshold` in the recipe's split"
    )]
    NoComparisons,
    /// Nothing to measure the threshold with.
    #[error(
        "the threshold part of the data has no identity with more samples than `references`, or no forgeries: widen `threshold` in \
         the recipe's split, or change `references` or `against` in its [export]"
    )]
    NoTemplates,
    /// The smallest threshold accepts too much.
    #[error(
        "even distance 0 is more than a false-match rate of {0:.4} %: raise `target_fmr` in the recipe's [export], or train longer"
    )]
    TargetFmr(f64),
    /// int8 is too much worse than float.
    #[error(
        "the int8 network's EER of {int8:.2} % exceeds the float network's {float:.2} % by more than {allowed:.2} points: \
         nothing was written; train longer, widen the network, or allow it with --max-eer-gap"
    )]
    EerGap {
        /// EER of the bundle, percent.
        int8: f64,
        /// EER of the float network, percent.
        float: f64,
        /// What was allowed, percent points.
        allowed: f64,
    },
}

/// Exports the model that was trained in `dir`, and returns what was measured.
pub fn export(dir: &Path, options: &Options) -> Result<Exported, ExportError> {
    let trained = Trained::load(dir)?;
    let recipe = &trained.recipe;
    let Quantized { net, tensors, graph, mut bytes } = quantized(&trained)?;

    let part = recipe.threshold_part()?;
    let engine = Engine::Int8(bytes.clone());
    let (float, _) = measure(&Engine::float(&trained), &part)?;
    let (int8, (embedded, comparisons, pairs)) = measure(&engine, &part)?;
    if int8.eer > float.eer + options.max_eer_gap {
        return Err(ExportError::EerGap {
            int8: int8.eer * 100.0,
            float: float.eer * 100.0,
            allowed: options.max_eer_gap * 100.0,
        });
    }
    let trained = threshold_trained(recipe, &part);
    let unseen = !trained.unwrap_or(false);
    let spread = recipe.export.spread.then(|| usual_spread(&comparisons)).flatten();
    let mut tried = embedded.clone().with_usual_spread(spread);
    if recipe.export.against == Impostors::Forgeries {
        tried = tried.with_forgeries(engine.embed(&part.clone().take_forgeries())?);
    }
    let compared = compared(&recipe.export, &tried)?;
    let (scores, identities) = match &compared {
        Some(compared) => (&compared.scores(), compared.compared(false)),
        None => (&pairs, comparisons.compared(false)),
    };
    let threshold = threshold(&recipe.export, scores, identities, unseen, gate(&pairs))?;
    seal(bytes.as_mut_slice(), threshold, spread)?;
    let bundle = bytes.bundle()?;
    let header = bundle.header();

    let mut model = onnx::model(&graph, &recipe.name);
    seal_onnx(&mut model, &bundle);
    let onnx = model.encode_to_vec();
    OnnxModel::from_bytes(&onnx)?;
    let golden = golden::encode(&bundle, &part, &embedded)?;
    let layers = layers::report(&graph, &bundle, &net, &tensors);
    let mut exported = Exported {
        layers,
        float,
        int8: verify(&comparisons, &pairs, Some(threshold.distance.0)).unwrap_or(int8),
        bundle: bytes.as_slice().len(),
        onnx: onnx.len(),
        arena: header.arena,
        macs: bundle.macs(),
        target_fmr: recipe.export.target_fmr,
        identities,
        fmr_bound: bound(&threshold.evidence),
        gate: threshold.gate.0,
        evidence: evidence_sentence(&threshold),
        compared: trained.is_some(),
        removed: Vec::new(),
        stopped: stopped(dir, recipe),
    };
    let mut files = vec![(BUNDLE, bytes.as_slice()), (ONNX, onnx.as_slice()), (GOLDEN, golden.as_slice())];
    let origin = serde_json::to_string(&Origin::new(dir, recipe, header, &files)?).unwrap_or_default() + "\n";
    files.push((ORIGIN, origin.as_bytes()));
    write_all(dir, &files)?;
    exported.removed = remove_report(dir, header.model_id);
    Ok(exported)
}

/// Removes page, figures and card from `dir` where the figures say that they are of another model than `model_id`; what was removed.
fn remove_report(dir: &Path, model_id: u64) -> Vec<&'static str> {
    let figures = fs::read(dir.join(FIGURES)).ok();
    let figures = figures.and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
    let reported = figures.as_ref().and_then(|figures| figures["facts"]["model_id"].as_str());
    match reported {
        Some(reported) if reported != format!("{model_id:016x}") => {
            [PAGE, CARD, FIGURES].into_iter().filter(|file| fs::remove_file(dir.join(file)).is_ok()).collect()
        }
        _ => Vec::new(),
    }
}

/// Each layer's size and error of the model that was trained in `dir`; nothing is written.
pub fn layer_errors(dir: &Path) -> Result<Vec<LayerReport>, ExportError> {
    let Quantized { net, tensors, graph, bytes } = quantized(&Trained::load(dir)?)?;
    Ok(layers::report(&graph, &bytes.bundle()?, &net, &tensors))
}

/// A network on its way to a board.
struct Quantized {
    net: FloatNet,
    /// The calibration samples' input tensors.
    tensors: Vec<Vec<f32>>,
    graph: Graph,
    /// The bundle, not yet sealed.
    bytes: BundleBytes,
}

fn quantized(trained: &Trained) -> Result<Quantized, ExportError> {
    let recipe = &trained.recipe;
    let (data, split) = (&recipe.data, &recipe.data.split);
    let mut net = trained.net.fold();
    let calibration = sample(data.source.load(Part::Train, split, data.world)?, recipe.export.calibration_samples);
    let frontend = recipe.front_end();
    let tensors = calibration.samples.iter().map(|sample| crate::evaluate::float_tensor(frontend, sample));
    let tensors = tensors.collect::<Result<Vec<_>, _>>()?;
    if recipe.net.metric == Metric::Euclidean {
        net.centre(&tensors);
    }
    let graph = quantize(&net, &tensors)?;
    let bytes = bundle_bytes(&graph, &recipe.name, frontend, recipe.net.metric.into())?;
    Ok(Quantized { net, tensors, graph, bytes })
}

type Measured = (Verification, (Embedded, Comparisons, Scores));

fn measure(engine: &Engine, part: &Dataset) -> Result<Measured, ExportError> {
    let embedded = engine.embed(part)?;
    let comparisons = Comparisons::pairs(&embedded);
    let scores = comparisons.scores();
    let rates = verify(&comparisons, &scores, None).ok_or(ExportError::NoComparisons)?;
    Ok((rates, (embedded, comparisons, scores)))
}

/// `count` samples of `dataset`, drawn evenly and always the same ones.
fn sample(mut dataset: Dataset, count: usize) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let all = dataset.samples.len();
    let chosen = index::sample(&mut rng, all, count.min(all));
    dataset.samples = chosen.iter().map(|index| dataset.samples[index].clone()).collect();
    dataset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_another_model_goes() {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| fs::write(dir.path().join(file), text).unwrap();
        // A card that no report wrote is somebody's own.
        write(CARD, "mine");
        assert!(remove_report(dir.path(), 7).is_empty());
        write(PAGE, "page");
        write(FIGURES, "{\"facts\":{\"model_id\":\"0000000000000007\"}}");
        assert!(remove_report(dir.path(), 7).is_empty());
        assert_eq!(remove_report(dir.path(), 8), [PAGE, CARD, FIGURES]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
