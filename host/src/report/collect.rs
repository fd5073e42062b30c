//! Measures all that a report shows.

use std::path::Path;

use shared::bundle::Bundle;
use shared::embedding::Distance;

use super::map::map;
use super::mistakes::mistakes;
use super::pictures::{Look, Pictures};
use super::{CurvePoint, Facts, Histogram, OnBoard, Report, ReportError, Reported, Task, Training};
use crate::data::{Dataset, RawSample, Spec};
use crate::evaluate::{
    Choice, Comparisons, Embedded, Engine, EngineKind, NWay, Resampling, Selected, Selection, det, forgeries, gallery,
    identify, knn, mean_interval, nway, runs, unseen, verify, verify_resampled,
};
use crate::export::{check_origin, evidence_sentence, layer_errors};
use crate::metrics::Scores;
use crate::model::{BUNDLE, BundleBytes, ModelError, ONNX};
use crate::recipe::{self, Recipe};
use crate::train::read_log;

/// Bins of the histogram.
const BINS: usize = 70;
/// Lines of a loss curve.
const LOSSES: usize = 400;
/// Samples that signatures are enrolled from.
const SIGNATURES: usize = 5;

/// How a model is measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Samples that templates are made of; every pair of samples is compared where none is given (5 where there are skilled
    /// forgeries).
    pub references: Option<usize>,
    /// How intervals are found.
    pub resampling: Resampling,
}

/// Measures the model in `dir` on the test part of its recipe's data.
pub fn collect(dir: &Path, options: &Options) -> Result<Reported, ReportError> {
    let recipe = Recipe::load(&dir.join(recipe::FILE_NAME))?;
    let bytes = BundleBytes::open(dir)?;
    check_origin(dir, &recipe)?;
    let bundle = bytes.bundle().map_err(|source| ModelError::Bundle { path: dir.join(BUNDLE), source })?;
    let header = bundle.header();
    let (metric, scale, threshold) = (header.metric, header.embedding_scale, header.threshold.map(|t| t.distance.0));
    let Selected { mut data, choice } = unseen(Selection::default(), &recipe)?;
    let forged = data.take_forgeries();
    let how = options.resampling;

    let engine = Engine::Int8(bytes.clone());
    let embedded = engine.embed(&data)?.with_forgeries(engine.embed(&forged)?);
    let references = options.references.or(embedded.has_forgeries().then_some(SIGNATURES));
    let compare = |embedded: &Embedded| match references {
        Some(references) => Comparisons::templates(embedded, references),
        None => Comparisons::pairs(embedded),
    };
    let none = || match references {
        Some(references) => {
            ReportError::TooFewSamples { dir: dir.to_path_buf(), samples: references.saturating_add(1) }
        }
        None => ReportError::NoComparisons(dir.to_path_buf()),
    };
    let comparisons = compare(&embedded);
    let (int8, scores, bootstrap) = verify_resampled(&comparisons, threshold, how).ok_or_else(none)?;
    let float = Engine::open(dir, EngineKind::Float)?;
    let float_comparisons = compare(&float.embed(&data)?);
    let float_scores = float_comparisons.scores();
    let float = verify(&float_comparisons, &float_scores, None).ok_or_else(none)?;

    let real = |distance: f64| f64::from(metric.real(Distance(distance as u32), scale));
    let look = look(&data);
    let pictures = Pictures { data: &data, forged: &forged, bytes: &bytes, look };
    let report = Report {
        name: recipe.name.clone(),
        facts: facts(dir, &bundle),
        protocol: protocol(&recipe, references, &data, &choice),
        curve: det(&scores, bootstrap.as_ref())
            .into_iter()
            .map(|rates| CurvePoint { rates, float: float_scores.fnmr_at_fmr(rates.fmr) })
            .collect(),
        histogram: histogram(&scores, real),
        int8,
        float,
        identification: identify(&embedded, references.unwrap_or(1), threshold, how),
        forgeries: references
            .filter(|_| embedded.has_forgeries())
            .and_then(|references| forgeries(&embedded, references, threshold, how)),
        tasks: tasks(&recipe, &engine, &data.identities, &embedded, how)?,
        training: training(dir),
        layers: layer_errors(dir).unwrap_or_default(),
        map: map(&embedded, &pictures),
        mistakes: mistakes(&embedded, &pictures, threshold, real),
    };
    Ok(Reported { report, recipe })
}

fn facts(dir: &Path, bundle: &Bundle) -> Facts {
    let header = bundle.header();
    let input = header.input();
    let threshold = header.threshold.map(|threshold| {
        let real = header.metric.real(threshold.distance, header.embedding_scale);
        (f64::from(real), evidence_sentence(&threshold))
    });
    let model_id = format!("{:016x}", header.model_id);
    Facts {
        bundle: bundle.bytes().len(),
        onnx: std::fs::metadata(dir.join(ONNX)).map_or(0, |file| file.len()),
        arena: header.arena,
        macs: bundle.macs(),
        input: format!("{} x {} x {}", input.channels, input.height, input.width),
        embedding: header.dim,
        board: OnBoard::read(dir, &model_id),
        model_id,
        threshold,
    }
}

/// Pictures are shown as they are, all else by its spectrogram.
fn look(data: &Dataset) -> Look {
    match data.samples.iter().all(|sample| matches!(sample.raw, RawSample::Image { .. })) {
        true => Look::Picture,
        false => Look::Spectrogram,
    }
}

/// What is compared, in words.
fn protocol(recipe: &Recipe, references: Option<usize>, data: &Dataset, choice: &Choice) -> String {
    let compared = match references {
        Some(1) => "templates of 1 sample against all others".to_string(),
        Some(references) => format!("templates of {references} samples against all others"),
        None => "every pair of samples".to_string(),
    };
    let (samples, identities) = (data.samples.len(), data.identities.len());
    let unseen = match choice.seen {
        0 => format!("{samples} samples of {identities} identities that it was not trained on"),
        seen if seen == identities => {
            format!("{samples} samples that it was not trained on, of {identities} identities that it was")
        }
        seen => format!("{samples} samples of {identities} identities, {seen} of which it was trained on"),
    };
    let unknown = if choice.compared { "" } else { ", not compared with all that trained it" };
    format!("{compared}: {unseen}{unknown} (`{}` of `{}`)", recipe.data.split.test, recipe.data.source)
}

fn histogram(scores: &Scores, real: impl Fn(f64) -> f64) -> Histogram {
    let ends = [scores.genuine(), scores.impostor()];
    let low = ends.iter().filter_map(|list| list.first()).copied().fold(f64::INFINITY, f64::min);
    let high = ends.iter().filter_map(|list| list.last()).copied().fold(0.0, f64::max);
    let (low, high) = (real(low), real(high));
    let width = ((high - low) / BINS as f64).max(f64::MIN_POSITIVE);
    let shares = |list: &[f64]| {
        let mut bins = vec![0usize; BINS];
        for &distance in list {
            bins[(((real(distance) - low) / width) as usize).min(BINS - 1)] += 1;
        }
        bins.into_iter().map(|count| count as f64 / list.len().max(1) as f64).collect()
    };
    Histogram { low, high, genuine: shares(scores.genuine()), impostor: shares(scores.impostor()) }
}

/// The questions that suit the data.
fn tasks(
    recipe: &Recipe,
    engine: &Engine,
    names: &[String],
    embedded: &Embedded,
    how: Resampling,
) -> Result<Vec<Task>, ReportError> {
    let mut tasks = Vec::new();
    let identities = embedded.by_identity().len();
    for (ways, shots) in [(3, 1), (5, 1), (20, 1), (20, 5)] {
        if ways == 3 && identities >= 5 || ways > identities {
            continue;
        }
        let task = NWay { ways, shots, trials: 10_000, seed: how.seed };
        if let Some(answers) = nway(embedded, task) {
            let wrong: Vec<_> = answers.iter().map(|&(right, queries)| (queries as f64 - right, queries)).collect();
            tasks.push(asked(format!("{ways}-way {shots}-shot"), false, &wrong, how));
        }
    }
    let trained = |name: &String| recipe.data.split.train.matches(name);
    if matches!(recipe.data.source, Spec::Mnist(_)) && names.iter().all(trained) {
        let known = engine.embed(&gallery(None, recipe, names)?)?;
        if let Some(wrong) = knn(embedded, &known, 5, &[]) {
            let name = "5 nearest neighbours among the training samples".to_string();
            tasks.insert(0, asked(name, false, &wrong, how));
        }
    }
    if let Spec::Omniglot(folder) = &recipe.data.source
        && let Ok(runs) = runs(folder)
    {
        let answered = runs.iter().map(|run| Ok(run.errors(&engine.embed(&run.load()?)?)));
        let wrong = answered.collect::<Result<Vec<_>, ReportError>>()?;
        let name = format!("Lake's 20-way one-shot, {} runs", runs.len());
        tasks.insert(0, asked(name, true, &wrong, how));
    }
    Ok(tasks)
}

/// A task of which `wrong` has the wrong answers and the questions of each identity, or of each run.
fn asked(name: String, by_run: bool, wrong: &[(f64, usize)], how: Resampling) -> Task {
    let (errors, trials) = wrong.iter().fold((0.0, 0), |(a, b), (c, d)| (a + c, b + d));
    Task { name, error: errors / trials as f64, error_interval: mean_interval(wrong, how), by_run, trials }
}

/// The course of the training; empty where its log is not there.
fn training(dir: &Path) -> Training {
    let lines = read_log(dir).unwrap_or_default();
    let losses: Vec<(usize, f32)> = lines.iter().filter_map(|line| Some((line.step, line.loss?))).collect();
    let every = losses.len().div_ceil(LOSSES).max(1);
    let mean = |chunk: &[(usize, f32)]| {
        let sum: f32 = chunk.iter().map(|(_, loss)| loss).sum();
        (chunk[chunk.len() - 1].0, sum / chunk.len() as f32)
    };
    let later = lines.windows(2).filter(|pair| pair[1].phase > pair[0].phase).map(|pair| pair[0].step);
    Training {
        loss: losses.chunks(every).map(mean).collect(),
        eer: lines.iter().filter_map(|line| Some((line.step, line.eer?))).collect(),
        phases: later.collect(),
        seconds: lines.iter().rev().find_map(|line| line.seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Choices;

    #[test]
    fn samples_are_said_to_be_of_trained_or_of_new_identities() {
        let recipe = Choices::new(Spec::Glyphs, "letters").recipe().unwrap();
        let data = Spec::Glyphs.load_all(&"200000-200001".parse().unwrap(), 0).unwrap();
        let said = |references, seen, compared| {
            protocol(&recipe, references, &data, &Choice { data: Spec::Glyphs, left_out: 0, seen, compared })
        };
        let new = "every pair of samples: 40 samples of 2 identities that it was not trained on (`200000-200399` of `glyphs`)";
        assert_eq!(said(None, 0, true), new);
        let trained =
            "40 samples that it was not trained on, of 2 identities that it was (`200000-200399` of `glyphs`)";
        assert!(said(Some(1), 2, true).ends_with(trained), "{}", said(Some(1), 2, true));
        assert!(said(None, 1, true).contains("of 2 identities, 1 of which it was trained on (`"));
        assert!(said(None, 0, false).contains("not compared with all that trained it"));
    }
}
