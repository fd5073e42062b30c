//! `doppel evaluate`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde::Serialize;

use super::{percent, print_json};
use crate::data::mnist::{self, Half};
use crate::data::{Dataset, Part, Pattern, Spec};
use crate::evaluate::{Engine, EngineKind, NWay, Verification, knn_accuracy, nway_accuracy, scores, verify};
use crate::model::BundleBytes;
use crate::recipe::{self, Recipe};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Every pair of samples is a genuine or an impostor comparison
    Verify,
    /// N-way K-shot over unseen identities
    Nway,
    /// k nearest neighbours; the gallery is the training part
    Knn,
}

/// Arguments of `evaluate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model's folder
    pub model: PathBuf,
    /// The samples: glyphs, mnist:DIR, omniglot:DIR, images:DIR, signatures:DIR; by default the recipe's
    #[arg(long)]
    pub data: Option<Spec>,
    /// Identities to use; by default those that the recipe neither trained on nor chose the threshold with
    #[arg(long)]
    pub identities: Option<Pattern>,
    /// What is measured
    #[arg(long, value_enum, default_value_t = Protocol::Verify)]
    pub protocol: Protocol,
    /// Which form of the model embeds
    #[arg(long, value_enum, default_value_t = EngineKind::Int8)]
    pub engine: EngineKind,
    /// Identities to choose among (nway)
    #[arg(long, default_value_t = 20)]
    pub ways: usize,
    /// Samples that each identity is enrolled from (nway)
    #[arg(long, default_value_t = 1)]
    pub shots: usize,
    /// Queries (nway)
    #[arg(long, default_value_t = 10_000)]
    pub trials: usize,
    /// Neighbours that vote (knn)
    #[arg(long, default_value_t = 5)]
    pub k: usize,
    /// Seed of random choices (nway)
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// What came out, as JSON gives it.
#[derive(Serialize)]
struct Outcome {
    protocol: String,
    engine: String,
    #[serde(flatten)]
    rates: Rates,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Rates {
    Verify(Verification),
    Accuracy { accuracy: f64, error: f64, trials: usize, identities: usize },
}

/// Measures and prints.
pub fn run(args: Args) -> anyhow::Result<()> {
    let engine = Engine::open(&args.model, args.engine)?;
    let recipe = Recipe::load(&args.model.join(recipe::FILE_NAME))?;
    let data = test_data(&args, &recipe)?;
    if !args.json {
        println!("{} samples of {} identities", data.samples.len(), data.identities.len());
    }
    let embedded = engine.embed(&data)?;
    let identities = embedded.by_identity().len();
    let rates =
        match args.protocol {
            Protocol::Verify => {
                let threshold = match args.engine {
                    EngineKind::Float => None,
                    _ => BundleBytes::open(&args.model)?.bundle()?.header().threshold.map(|t| t.distance.0),
                };
                let rates = verify(&scores(&embedded), identities, threshold);
                Rates::Verify(rates.context(
                    "the data has no two samples of one identity, or only one identity: give more with --data",
                )?)
            }
            Protocol::Nway => {
                let task = NWay { ways: args.ways, shots: args.shots, trials: args.trials, seed: args.seed };
                let accuracy = nway_accuracy(&embedded, task).with_context(|| {
                    format!(
                        "the data has fewer than {} identities of {} samples: lower --ways or --shots",
                        args.ways,
                        args.shots + 1
                    )
                })?;
                Rates::Accuracy { accuracy, error: 1.0 - accuracy, trials: args.trials, identities }
            }
            Protocol::Knn => {
                let gallery = engine.embed(&gallery_data(&args, &recipe)?)?;
                let accuracy = knn_accuracy(&embedded, &gallery, args.k).context("--k must be at least 1")?;
                Rates::Accuracy { accuracy, error: 1.0 - accuracy, trials: embedded.len(), identities }
            }
        };
    let outcome = Outcome { protocol: flag_value(args.protocol), engine: flag_value(args.engine), rates };
    if args.json {
        return print_json(&outcome);
    }
    let Outcome { protocol, engine, rates } = &outcome;
    match rates {
        Rates::Verify(rates) => print_verification(rates),
        Rates::Accuracy { accuracy, trials, .. } => {
            println!("{protocol}, {engine}: accuracy {} over {trials} queries", percent(*accuracy));
        }
    }
    Ok(())
}

/// What a person writes on the command line for `value`.
fn flag_value(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default()
}

fn print_verification(rates: &Verification) {
    println!("EER {}, AUC {:.5}", percent(rates.eer), rates.auc);
    for (fmr, fnmr) in rates.fnmr_at_fmr.iter().rev() {
        println!("FNMR {} at FMR {fmr}", percent(*fnmr));
    }
    if let Some(at) = &rates.threshold {
        println!("at the sealed threshold {}: FMR {}, FNMR {}", at.value, percent(at.fmr), percent(at.fnmr));
    }
    println!(
        "{} genuine and {} impostor comparisons; {} identities support no claim below an FMR of {:.4} % at 95 %",
        rates.genuine,
        rates.impostor,
        rates.identities,
        rates.fmr_bound * 100.0
    );
}

/// The samples to test on. Identities that the model was trained on, or whose samples chose its threshold, are left out by
/// name; where that leaves nobody (the ten digits), the source's test part is used.
fn test_data(args: &Args, recipe: &Recipe) -> anyhow::Result<Dataset> {
    let (source, split, world) = (&recipe.data.source, &recipe.data.split, recipe.data.world);
    let spec = args.data.as_ref().unwrap_or(source);
    if let Some(pattern) = &args.identities {
        return Ok(match spec {
            Spec::Mnist(folder) => mnist::load(folder, Half::Testing)?.retain(|name| pattern.matches(name)),
            _ => spec.load_all(pattern, world)?,
        });
    }
    if spec == source
        || std::mem::discriminant(spec) == std::mem::discriminant(source)
            && matches!(spec, Spec::Glyphs | Spec::Mnist(_))
    {
        return Ok(spec.load(Part::Test, split, world)?);
    }
    let all = spec.load_all(&Pattern::all(), world)?;
    let before = all.identities.len();
    let same_kind = std::mem::discriminant(spec) == std::mem::discriminant(source);
    let data = if same_kind { all.retain(|name| split.unseen(name)) } else { all };
    if data.identities.is_empty() {
        bail!(
            "every identity of {spec} is one that the model was trained on; name some with --identities to test on them all the same"
        );
    }
    if data.identities.len() < before {
        eprintln!(
            "left out: {} identities that the recipe trains on or chooses the threshold with",
            before - data.identities.len()
        );
    }
    Ok(data)
}

/// The labelled samples of the k-NN gallery: the training part, of MNIST the whole training file.
fn gallery_data(args: &Args, recipe: &Recipe) -> anyhow::Result<Dataset> {
    let spec = args.data.as_ref().unwrap_or(&recipe.data.source);
    Ok(match spec {
        Spec::Mnist(folder) => mnist::load(folder, Half::Training)?,
        _ => spec.load(Part::Train, &recipe.data.split, recipe.data.world)?,
    })
}
