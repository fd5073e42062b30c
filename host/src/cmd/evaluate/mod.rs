//! `doppel evaluate`.

mod outcome;

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::ValueEnum;

use super::numbers::{MAX_REFERENCES, MAX_REPLICATES, within};
use super::{UsageError, flag_value, print_json};
use crate::data::{Pattern, Spec};
use crate::evaluate::{
    Choice, Comparisons, Embedded, Engine, EngineError, EngineKind, MAX_SAMPLES, NOT_COMPARED, NWay, Resampling, Run,
    Selected, Selection, compared, count_seen, det, forgeries, gallery, identify, knn, nway, runs, same_samples,
    unseen, verify_resampled,
};
use crate::export::check_origin;
use crate::model::BundleBytes;
use crate::recipe::{self, Recipe};

use outcome::{Accuracy, Outcome, Rates, Verified};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Genuine against impostor comparisons: every pair of samples, or templates of --references samples
    Verify,
    /// Lake's one-shot classification runs, in the folder that --data names
    OneShotRuns,
    /// N-way K-shot over unseen identities
    Nway,
    /// k nearest neighbours; the gallery is the training part
    Knn,
    /// Who is it among all, and is it any of them: closed and open set
    Identify,
    /// As verify, with templates of 5 samples and skilled and random forgeries apart
    Signatures,
}

/// Arguments of `evaluate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model's folder
    pub model: PathBuf,
    /// The samples: glyphs, letters, utterances, espeak, mnist:DIR, omniglot:DIR, images:DIR, signatures:DIR, speech:DIR (utterances and
    /// speech also with #word, #both, espeak with #speaker); by default the recipe's
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
    /// Samples that each identity is enrolled from (verify, identify, signatures) [default: every pair, 1, 5]
    #[arg(long, value_parser = within(1..=MAX_REFERENCES))]
    pub references: Option<usize>,
    /// Identities to choose among (nway) [default: 20]
    #[arg(long, value_parser = within(2..=100_000))]
    pub ways: Option<usize>,
    /// Samples that each identity is enrolled from (nway) [default: 1]
    #[arg(long, value_parser = within(1..=MAX_REFERENCES))]
    pub shots: Option<usize>,
    /// Queries (nway) [default: 10000]
    #[arg(long, value_parser = within(1..=100_000_000))]
    pub trials: Option<usize>,
    /// Neighbours that vote (knn) [default: 5]
    #[arg(long, value_parser = within(1..=100_000))]
    pub k: Option<usize>,
    /// Times that the identities are drawn anew for the 95 % intervals
    #[arg(long, default_value_t = 1000, value_parser = within(1..=MAX_REPLICATES))]
    pub replicates: usize,
    /// Seed of random choices
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Measures and prints.
pub fn run(args: Args) -> anyhow::Result<()> {
    refuse_idle(&args)?;
    if !args.model.is_dir() {
        bail!("there is no model folder {}: give the one that `doppel train` wrote", args.model.display());
    }
    let engine = Engine::open(&args.model, args.engine)?;
    let recipe = Recipe::load(&args.model.join(recipe::FILE_NAME))?;
    if args.engine != EngineKind::Float {
        check_origin(&args.model, &recipe)?;
    }
    let (choice, rates) = match args.protocol {
        Protocol::OneShotRuns => one_shot_runs(&args, &engine, &recipe)?,
        _ => over_identities(&args, &engine, &recipe)?,
    };
    let outcome = Outcome {
        protocol: flag_value(args.protocol),
        engine: flag_value(args.engine),
        model: model_id(&engine)?,
        choice,
        rates,
    };
    if args.json {
        return print_json(&outcome);
    }
    Ok(outcome.print()?)
}

/// Refuses flags that the protocol does not heed.
fn refuse_idle(args: &Args) -> Result<(), UsageError> {
    use Protocol::{Identify, Knn, Nway, OneShotRuns, Signatures, Verify};
    let protocol = args.protocol;
    let enrols = matches!(protocol, Verify | Identify | Signatures);
    let nway = (protocol == Nway, "--protocol nway");
    let flags = [
        ("--identities", args.identities.is_some(), (protocol != OneShotRuns, "protocols other than one-shot-runs")),
        ("--references", args.references.is_some(), (enrols, "--protocol verify, identify and signatures")),
        ("--ways", args.ways.is_some(), nway),
        ("--shots", args.shots.is_some(), nway),
        ("--trials", args.trials.is_some(), nway),
        ("--k", args.k.is_some(), (protocol == Knn, "--protocol knn")),
    ];
    match flags.into_iter().find(|&(_, given, (taken, _))| given && !taken) {
        Some((flag, _, (_, whose))) => Err(UsageError(format!("{flag} is only for {whose}; leave it out"))),
        None => Ok(()),
    }
}

/// The number that an exported model's templates are bound to, in hexadecimal; the float network has none.
fn model_id(engine: &Engine) -> anyhow::Result<Option<String>> {
    let id = match engine {
        Engine::Float { .. } => return Ok(None),
        Engine::Int8(bytes) => bytes.bundle()?.header().model_id,
        Engine::Onnx(model) => model.header().model_id,
    };
    Ok(Some(format!("{id:016x}")))
}

fn one_shot_runs(args: &Args, engine: &Engine, recipe: &Recipe) -> anyhow::Result<(Choice, Rates)> {
    let spec = args.data.as_ref().unwrap_or(&recipe.data.source);
    let Some(folder) = spec.folder() else {
        bail!("{spec} has no one-shot runs: give their folder with --data omniglot:DIR");
    };
    let runs = runs(folder)?;
    let loaded = runs.iter().map(Run::load).collect::<Result<Vec<_>, _>>()?;
    let pictures = || loaded.iter().flat_map(|data| &data.samples).map(|sample| &sample.raw);
    let seen = count_seen(recipe, pictures());
    match seen {
        Some(0) => {}
        Some(seen) => note!(
            "{seen} of the {} pictures trained the model, or one that it started from, or chose its threshold",
            pictures().count()
        ),
        None => note!("{NOT_COMPARED}"),
    }
    let answered = runs.iter().zip(&loaded).map(|(run, data)| Ok(run.errors(&engine.embed(data)?)));
    let wrong = answered.collect::<Result<Vec<_>, EngineError>>()?;
    // Every picture is an identity of its own.
    let choice = Choice { data: spec.clone(), left_out: 0, seen: seen.unwrap_or(0), compared: seen.is_some() };
    Ok((choice, Rates::Accuracy(Accuracy { runs: Some(wrong.len()), ..Accuracy::new(&wrong, resampling(args)) })))
}

fn over_identities(args: &Args, engine: &Engine, recipe: &Recipe) -> anyhow::Result<(Choice, Rates)> {
    let selection = Selection { source: args.data.as_ref(), identities: args.identities.as_ref() };
    let Selected { mut data, choice } = unseen(selection, recipe)?;
    for note in choice.notes() {
        note!("{note}");
    }
    let forgeries = data.take_forgeries();
    if !args.json {
        let forged = match forgeries.samples.len() {
            0 => String::new(),
            count => format!(" and {count} forgeries"),
        };
        say!("{} samples of {} identities{forged}", data.samples.len(), data.identities.len())?;
    }
    let embedded = engine.embed(&data)?.with_forgeries(engine.embed(&forgeries)?);
    // None for every pair.
    let references = match args.protocol {
        Protocol::Signatures => args.references.or(Some(5)),
        Protocol::Identify => args.references.or(Some(1)),
        _ => args.references,
    };
    let is_capped = matches!(args.protocol, Protocol::Verify | Protocol::Signatures | Protocol::Identify);
    if is_capped && !args.json && data.samples.len() > MAX_SAMPLES {
        let (samples, identities) = compared(&embedded, references);
        say!("{samples} samples of {identities} of them are compared")?;
    }
    let rates = match args.protocol {
        Protocol::Verify => Rates::Verified(Box::new(verified(args, &embedded, references)?)),
        Protocol::Signatures => {
            if !embedded.has_forgeries() {
                bail!("the data has no forgeries: give some with --data signatures:DIR, or use --protocol verify");
            }
            Rates::Verified(Box::new(verified(args, &embedded, references)?))
        }
        Protocol::Identify => {
            let references = references.unwrap_or(1);
            let found = identify(&embedded, references, threshold(args)?, resampling(args));
            Rates::Identified(found.with_context(|| too_few(2, references))?)
        }
        Protocol::Nway => {
            let (ways, shots) = (args.ways.unwrap_or(20), args.shots.unwrap_or(1));
            let task = NWay { ways, shots, trials: args.trials.unwrap_or(10_000), seed: args.seed };
            let answers = nway(&embedded, task).with_context(|| {
                format!("{}: lower --ways or --shots, or give more with --data", too_few(ways, shots))
            })?;
            let wrong: Vec<_> = answers.iter().map(|&(right, queries)| (queries as f64 - right, queries)).collect();
            let identities = Some(embedded.by_identity().iter().filter(|samples| samples.len() > shots).count());
            let (ways, shots, seed) = (Some(ways), Some(shots), Some(args.seed));
            Rates::Accuracy(Accuracy { identities, ways, shots, seed, ..Accuracy::new(&wrong, resampling(args)) })
        }
        Protocol::Knn => {
            let gallery = gallery(args.data.as_ref(), recipe, &data.identities)?;
            let (k, own) = (args.k.unwrap_or(5), same_samples(&data, &gallery));
            let wrong = knn(&embedded, &engine.embed(&gallery)?, k, &own).context("the data has no sample to name")?;
            let identities = Some(wrong.len());
            Rates::Accuracy(Accuracy { identities, k: Some(k), ..Accuracy::new(&wrong, resampling(args)) })
        }
        Protocol::OneShotRuns => bail!("one-shot runs are not measured over identities"),
    };
    Ok((choice, rates))
}

/// Genuine against impostor comparisons, and, where the data has some, against skilled forgeries.
fn verified(args: &Args, embedded: &Embedded, references: Option<usize>) -> anyhow::Result<Verified> {
    let (threshold, how) = (threshold(args)?, resampling(args));
    let enrolled = references.unwrap_or(1);
    let forgeries = match embedded.has_forgeries() {
        true => Some(forgeries(embedded, enrolled, threshold, how).with_context(|| too_few(2, enrolled))?),
        false => None,
    };
    let comparisons = match references {
        Some(references) => Comparisons::templates(embedded, references),
        None => Comparisons::pairs(embedded),
    };
    let (rates, scores, bootstrap) =
        verify_resampled(&comparisons, threshold, how).with_context(|| too_few(2, enrolled))?;
    let identified = identify(embedded, enrolled, None, how);
    Ok(Verified {
        rates,
        det: args.json.then(|| det(&scores, bootstrap.as_ref())),
        // Forgeries bring the same figure.
        references: references.filter(|_| forgeries.is_none()),
        rank1: identified.as_ref().map(|found| found.rank1),
        rank1_interval: identified.and_then(|found| found.rank1_interval),
        forgeries,
    })
}

fn too_few(identities: usize, references: usize) -> String {
    let samples = references.saturating_add(1);
    format!("the data has fewer than {identities} identities of at least {samples} samples")
}

fn resampling(args: &Args) -> Resampling {
    Resampling { replicates: args.replicates, seed: args.seed }
}

/// The sealed threshold; the float network has none.
fn threshold(args: &Args) -> anyhow::Result<Option<u32>> {
    Ok(match args.engine {
        EngineKind::Float => None,
        _ => BundleBytes::open(&args.model)?.bundle()?.header().threshold.map(|threshold| threshold.distance.0),
    })
}
