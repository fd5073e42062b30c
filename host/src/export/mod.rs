//! Trained network -> the files that a board and other engines run: fold, quantize, measure, seal, write.

mod bundle;
mod golden;
mod layers;
mod origin;

use std::path::Path;

use firmware::onnx::{OnnxError, OnnxModel, seal as seal_onnx};
use prost::Message;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use shared::bundle::{BundleError, Evidence, Threshold, seal};
use shared::embedding::Distance;
use shared::frontend::FrontendError;
use thiserror::Error;

use crate::data::{DataError, Dataset, Part};
use crate::evaluate::{Comparisons, Embedded, Engine, EngineError, Verification, verify};
use crate::metrics::Scores;
use crate::model::{BUNDLE, BundleBytes, GOLDEN, ModelError, ONNX, write_all};
use crate::net::FloatNet;
use crate::onnx;
use crate::quantize::{Graph, QuantizeError, quantize};
use crate::train::{TrainError, Trained};

pub use bundle::bundle_bytes;
pub use layers::LayerReport;
pub use origin::{ORIGIN, Origin, OriginError, check_origin};

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
    /// The sealed threshold's evidence in words.
    pub evidence: String,
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
    let (float, _) = measure(&Engine::float(&trained), &part)?;
    let (int8, (embedded, comparisons, scores)) = measure(&Engine::Int8(bytes.clone()), &part)?;
    if int8.eer > float.eer + options.max_eer_gap {
        return Err(ExportError::EerGap {
            int8: int8.eer * 100.0,
            float: float.eer * 100.0,
            allowed: options.max_eer_gap * 100.0,
        });
    }
    let train = &recipe.data.split.train;
    let unseen = recipe.data.threshold_source.is_some() || part.identities.iter().all(|name| !train.matches(name));
    let spread = recipe.export.spread.then(|| usual_spread(&comparisons)).flatten();
    let threshold = threshold(&scores, recipe.export.target_fmr, int8.identities, unseen);
    seal(bytes.as_mut_slice(), threshold, spread)?;
    let bundle = bytes.bundle()?;
    let header = bundle.header();

    let mut model = onnx::model(&graph, &recipe.name);
    seal_onnx(&mut model, &bundle);
    let onnx = model.encode_to_vec();
    OnnxModel::from_bytes(&onnx)?;
    let golden = golden::encode(&bundle, &part, &embedded)?;
    let layers = layers::report(&graph, &bundle, &net, &tensors);
    let exported = Exported {
        layers,
        float,
        int8: verify(&comparisons, &scores, Some(threshold.distance.0)).unwrap_or(int8),
        bundle: bytes.as_slice().len(),
        onnx: onnx.len(),
        arena: header.arena,
        macs: bundle.macs(),
        target_fmr: recipe.export.target_fmr,
        evidence: evidence_sentence(&threshold),
    };
    let mut files = vec![(BUNDLE, bytes.as_slice()), (ONNX, onnx.as_slice()), (GOLDEN, golden.as_slice())];
    let origin = serde_json::to_string(&Origin::new(dir, recipe, header, &files)?).unwrap_or_default() + "\n";
    files.push((ORIGIN, origin.as_bytes()));
    write_all(dir, &files)?;
    Ok(exported)
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
    let net = trained.net.fold();
    let calibration = sample(data.source.load(Part::Train, split, data.world)?, recipe.export.calibration_samples);
    let frontend = recipe.front_end();
    let tensors = calibration.samples.iter().map(|sample| crate::evaluate::float_tensor(frontend, sample));
    let tensors = tensors.collect::<Result<Vec<_>, _>>()?;
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

/// The largest distance whose FMR stays within `target`, with its evidence.
fn threshold(scores: &Scores, target: f64, identities: usize, unseen: bool) -> Threshold {
    let value = scores.integer_threshold(target);
    let at = f64::from(value);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let evidence = Evidence {
        target_fmr_ppm: (target * 1e6).round() as u32,
        identities: count(identities),
        unseen,
        genuine: count(scores.genuine().len()),
        false_non_matches: count(scores.false_non_matches(at)),
        impostor: count(scores.impostor().len()),
        false_matches: count(scores.false_matches(at)),
    };
    Threshold { distance: Distance(value), evidence }
}

/// The mean over identities of the mean distance between their samples, rounded down.
fn usual_spread(comparisons: &Comparisons) -> Option<Distance> {
    let own = comparisons.blocks.iter().filter(|block| block.genuine && !block.distances.is_empty());
    let means: Vec<f64> = own.map(|block| block.distances.iter().sum::<f64>() / block.distances.len() as f64).collect();
    (!means.is_empty()).then(|| Distance((means.iter().sum::<f64>() / means.len() as f64) as u32))
}

/// What a threshold rests on, for people.
pub fn evidence_sentence(threshold: &Threshold) -> String {
    let evidence = &threshold.evidence;
    let percent = |part: u32, whole: u32| 100.0 * f64::from(part) / f64::from(whole.max(1));
    format!(
        "distance <= {} was chosen for FMR <= {} %: {:.3} % of {} impostor and {:.2} % of {} genuine comparisons fail, over {} \
         identities {}; so many identities support no claim below an FMR of {:.4} % at 95 %",
        threshold.distance.0,
        f64::from(evidence.target_fmr_ppm) / 1e4,
        percent(evidence.false_matches, evidence.impostor),
        evidence.impostor,
        percent(evidence.false_non_matches, evidence.genuine),
        evidence.genuine,
        evidence.identities,
        if evidence.unseen { "that were not trained on" } else { "THAT WERE TRAINED ON" },
        crate::metrics::fmr_bound(evidence.identities as usize) * 100.0,
    )
}
