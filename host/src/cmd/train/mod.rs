//! `doppel train`: a network from a data source or a recipe.

mod progress;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context;
use indicatif::HumanDuration;
use shared::frontend::Fill;

use progress::Kept;
pub(super) use progress::Progress;

use super::UsageError;
use crate::data::{Pattern, Sampling, Spec, Split};
use crate::mining::Mining;
use crate::recipe::{self, Assignment, Choices, Family, Loss, Method, Metric, Pool, Recipe, RecipeError};
use crate::train::{Compute, checkpoint_folder, train_on};

/// Trains an embedding network.
///
/// Either with --data and --out, where every other setting has a default that suits the source, or by the recipe of an
/// earlier training: `doppel train models/NAME`, or `--recipe FILE --out models/NAME`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// A model's folder: train it again by its recipe.
    #[arg(value_name = "MODEL", conflicts_with_all = ["data", "recipe", "out"])]
    pub model: Option<PathBuf>,

    /// Where samples come from: glyphs, letters, utterances, espeak, mnist:DIR, omniglot:DIR, images:DIR, signatures:DIR, speech:DIR
    /// (files named WORD_SPEAKER_INDEX.wav are their speaker's; with #word behind DIR their word's, with #both the word's by that
    /// speaker; espeak's are words, with #speaker voices).
    #[arg(long, value_name = "SPEC", conflicts_with = "recipe")]
    pub data: Option<Spec>,

    /// The model's folder, as models/NAME: recipe, checkpoints and log go there.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,

    /// Train by this recipe.
    #[arg(long, value_name = "FILE", requires = "out")]
    pub recipe: Option<PathBuf>,

    /// Set a value of the recipe by its name, as augment.erase=0.25 or phase.1.epochs=3; may come several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Assignment>,

    /// Write recipe.toml into the folder and train nothing.
    #[arg(long, conflicts_with = "resume")]
    pub recipe_only: bool,

    /// Go on from the folder's last checkpoint, as if training had never stopped.
    #[arg(long)]
    pub resume: bool,

    /// What computes: cpu, cuda, cuda:1 (the second GPU), wgpu [default: the GPU that this program was built for, else cpu].
    #[arg(long)]
    pub device: Option<Compute>,

    /// Family of the network.
    #[arg(long, value_name = "NET", help_heading = "Network")]
    pub net: Option<Family>,

    /// Values of an embedding [default: 64].
    #[arg(long, value_name = "D", help_heading = "Network")]
    pub embedding: Option<usize>,

    /// Factor of the compact network's channels [default: 1].
    #[arg(long, value_name = "FACTOR", help_heading = "Network")]
    pub width: Option<f32>,

    /// How the compact network makes one vector of its last picture [default: average].
    #[arg(long, help_heading = "Network")]
    pub pool: Option<Pool>,

    /// How embeddings are compared [default: cosine, euclidean up to 3 values].
    #[arg(long, help_heading = "Network")]
    pub metric: Option<Metric>,

    /// What is minimized [default: triplet].
    #[arg(long, help_heading = "Training")]
    pub method: Option<Method>,

    /// What is minimized afterwards, by a second training of the same network.
    #[arg(long, value_name = "METHOD", help_heading = "Training")]
    pub then: Option<Method>,

    /// Passes over the data, of each training.
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub epochs: Option<usize>,

    /// Seed of weights, batches, augmentation and mining [default: 1].
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub seed: Option<u64>,

    /// Highest learning rate.
    #[arg(long, value_name = "RATE", help_heading = "Training")]
    pub learning_rate: Option<f64>,

    /// Margin of the loss, of every training that has one; SphereFace takes whole numbers.
    #[arg(long, help_heading = "Training")]
    pub margin: Option<f32>,

    /// How pairs and triplets are chosen.
    #[arg(long, help_heading = "Training")]
    pub mining: Option<Mining>,

    /// Identities and samples of each in a batch, as 32x4.
    #[arg(long, value_name = "PxK", value_parser = balanced, help_heading = "Training")]
    pub batch: Option<Sampling>,

    /// Measurements without a new best after which a training ends early; 0 for never [default: 0].
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub patience: Option<usize>,

    /// Rows and columns of the network's input, as 28x28 [default: as suits the source].
    #[arg(long, value_name = "HxW", value_parser = size, help_heading = "Data")]
    pub input: Option<(u16, u16)>,

    /// What stands where a recording has no more frames: repeat, silence or stretch [default: repeat].
    #[arg(long, value_parser = filling, help_heading = "Data")]
    pub fill: Option<Fill>,

    /// Identities that train, as s1-s20,anna [default: as suits the source].
    #[arg(long, value_name = "PATTERN", help_heading = "Data")]
    pub train_on: Option<Pattern>,

    /// Identities that choose the threshold.
    #[arg(long, value_name = "PATTERN", help_heading = "Data")]
    pub threshold_on: Option<Pattern>,

    /// Identities that test.
    #[arg(long, value_name = "PATTERN", help_heading = "Data")]
    pub test_on: Option<Pattern>,

    /// False-match rate that the export chooses the threshold for [default: 0.01].
    #[arg(long, value_name = "RATE", help_heading = "Data")]
    pub fmr: Option<f64>,
}

fn pair<T: std::str::FromStr>(text: &str) -> Option<(T, T)> {
    let (a, b) = text.split_once('x')?;
    Some((a.parse().ok()?, b.parse().ok()?))
}

fn balanced(text: &str) -> Result<Sampling, String> {
    match pair(text) {
        Some((identities, samples)) => Ok(Sampling::Balanced { identities, samples }),
        None => Err("write identities x samples, as 32x4".into()),
    }
}

fn size(text: &str) -> Result<(u16, u16), String> {
    pair(text).ok_or_else(|| "write rows x columns, as 28x28".into())
}

fn filling(text: &str) -> Result<Fill, String> {
    match text {
        "repeat" => Ok(Fill::Repeat),
        "silence" => Ok(Fill::Silence),
        "stretch" => Ok(Fill::Stretch),
        _ => Err("write repeat, silence or stretch".into()),
    }
}

/// Trains.
pub fn run(args: Args) -> anyhow::Result<()> {
    let (recipe, folder) = prepare(&args)?;
    if args.recipe_only {
        if checkpoint_folder(&folder).exists() {
            return usage(format!("{} holds a trained model: name another --out", folder.display()));
        }
        recipe.save(&folder)?;
        note!("wrote {}", folder.join(recipe::FILE_NAME).display());
        return Ok(());
    }
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        // The second time the user means it.
        if asked.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    })
    .context("cannot listen for Ctrl-C")?;

    let started = Instant::now();
    let mut progress = Progress::new();
    let trained = train_on(args.device.unwrap_or_default(), &recipe, &folder, args.resume, |event| {
        progress.show(event);
        match stop.load(Ordering::SeqCst) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    progress.finish();
    trained?;
    if let Some(Kept { phase, step, eer }) = progress.kept {
        note!("kept: step {step} of training {}, validation EER {:.2} %", phase + 1, 100.0 * eer);
    }
    note!(
        "trained {} in {}; next: cargo run --release -- export {}",
        folder.display(),
        HumanDuration(started.elapsed()),
        folder.display()
    );
    Ok(())
}

/// The recipe and the model's folder that the arguments mean.
fn prepare(args: &Args) -> anyhow::Result<(Recipe, PathBuf)> {
    let (mut recipe, folder) = match (&args.model, &args.recipe, &args.data, &args.out) {
        (Some(folder), _, _, _) => (Recipe::load(&folder.join(recipe::FILE_NAME))?, folder.clone()),
        (None, Some(file), _, Some(out)) => {
            let mut recipe = Recipe::load(file)?;
            recipe.name = name(out);
            (recipe, out.clone())
        }
        (None, None, None, Some(out)) if args.resume => (Recipe::load(&out.join(recipe::FILE_NAME))?, out.clone()),
        (None, None, Some(source), Some(out)) => (choose(args, source, out)?, out.clone()),
        _ => {
            return usage(
                "nothing says what to train: give --data SPEC --out models/NAME, or the folder of a trained model",
            );
        }
    };
    change(args, &mut recipe)?;
    let recipe = recipe.with(&args.set)?;
    recipe.check().map_err(|error| by_flag(args, error))?;
    Ok((recipe, folder))
}

fn usage<T>(text: impl Into<String>) -> anyhow::Result<T> {
    Err(UsageError(text.into()).into())
}

/// An error about a value that a flag gave, by the flag's name.
fn by_flag(args: &Args, error: RecipeError) -> anyhow::Error {
    let RecipeError::Range { key, value, expected } = &error else {
        return error.into();
    };
    let flags = [
        ("net.embedding", "--embedding", args.embedding.is_some()),
        ("net.width_multiplier", "--width", args.width.is_some()),
        ("phase.epochs", "--epochs", args.epochs.is_some()),
        ("phase.learning_rate", "--learning-rate", args.learning_rate.is_some()),
        ("phase.loss.margin", "--margin", args.margin.is_some()),
        ("phase.sampling", "--batch", args.batch.is_some()),
        ("input.height", "--input", args.input.is_some()),
        ("input.width", "--input", args.input.is_some()),
        ("export.target_fmr", "--fmr", args.fmr.is_some()),
    ];
    match flags.iter().find(|(of, _, given)| of == key && *given) {
        Some((_, flag, _)) => UsageError(format!("{flag} is {value}; it must be {expected}")).into(),
        None => error.into(),
    }
}

/// The recipe of the arguments' choices, with defaults for the others.
fn choose(args: &Args, source: &Spec, out: &Path) -> anyhow::Result<Recipe> {
    let mut choices = Choices::new(source.clone(), &name(out));
    choices.family = args.net.unwrap_or(choices.family);
    choices.method = args.method.unwrap_or(choices.method);
    choices.then = args.then;
    choices.embedding = args.embedding.unwrap_or(choices.embedding);
    choices.metric = args.metric;
    if args.train_on.is_some() || args.threshold_on.is_some() || args.test_on.is_some() {
        let (Some(train), Some(threshold), Some(test)) = (&args.train_on, &args.threshold_on, &args.test_on) else {
            return usage("--train-on, --threshold-on and --test-on belong together: give all three or none");
        };
        let split = Split { train: train.clone(), threshold: threshold.clone(), test: test.clone() };
        choices.split = Some(source.resolve(split)?);
    }
    choices.recipe().map_err(|error| by_flag(args, error))
}

/// Refuses flags that nothing in the recipe takes, and a margin that its trainings would not mean the same by.
fn refuse_idle(args: &Args, recipe: &Recipe) -> anyhow::Result<()> {
    let methods: Vec<Method> = recipe.phases.iter().map(|phase| phase.loss.method()).collect();
    let has_margin = methods.iter().any(|method| method.has_margin());
    let mines = methods.iter().any(|method| method.mines());
    let compact = recipe.net.family == Family::Compact;
    let flags = [
        ("--margin", args.margin.is_some(), has_margin, "methods with a margin, which softmax has not"),
        ("--mining", args.mining.is_some(), mines, "the methods contrastive and triplet"),
        ("--width", args.width.is_some(), compact, "the compact network"),
        ("--pool", args.pool.is_some(), compact, "the compact network"),
        ("--fill", args.fill.is_some(), recipe.input.sound.is_some(), "recordings"),
    ];
    if let Some((flag, _, _, whose)) = flags.into_iter().find(|&(_, given, taken, _)| given && !taken) {
        return usage(format!("{flag} is only for {whose}; leave it out"));
    }
    let mut with_margin = methods.into_iter().filter(|method| method.has_margin());
    if args.margin.is_some()
        && let Some(one) = with_margin.next()
        && let Some(other) = with_margin.find(|method| *method != one)
    {
        return usage(format!("--margin is not the same to {one} and {other}; edit the margins in the recipe instead"));
    }
    Ok(())
}

/// Changes of single settings, which work on any recipe.
fn change(args: &Args, recipe: &mut Recipe) -> anyhow::Result<()> {
    if args.data.is_none() {
        let fixed = [
            ("--net", args.net.is_some()),
            ("--embedding", args.embedding.is_some()),
            ("--metric", args.metric.is_some()),
            ("--method", args.method.is_some()),
            ("--then", args.then.is_some()),
            ("--train-on", args.train_on.is_some()),
            ("--threshold-on", args.threshold_on.is_some()),
            ("--test-on", args.test_on.is_some()),
        ];
        if let Some((flag, _)) = fixed.iter().find(|(_, given)| *given) {
            return usage(format!("{flag} needs --data: a recipe has settled it, so edit the recipe instead"));
        }
    }
    refuse_idle(args, recipe)?;
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.net.width_multiplier = args.width.unwrap_or(recipe.net.width_multiplier);
    recipe.net.pool = args.pool.unwrap_or(recipe.net.pool);
    recipe.validation.patience = args.patience.unwrap_or(recipe.validation.patience);
    recipe.export.target_fmr = args.fmr.unwrap_or(recipe.export.target_fmr);
    if let Some((height, width)) = args.input {
        recipe.input.height = height;
        recipe.input.width = width;
    }
    if let Some(sound) = &mut recipe.input.sound {
        sound.fill = args.fill.unwrap_or(sound.fill);
    }
    for phase in &mut recipe.phases {
        phase.epochs = args.epochs.unwrap_or(phase.epochs);
        phase.learning_rate = args.learning_rate.unwrap_or(phase.learning_rate);
        phase.sampling = args.batch.unwrap_or(phase.sampling);
        match &mut phase.loss {
            Loss::Contrastive { margin, mining } | Loss::Triplet { margin, mining } => {
                *margin = args.margin.unwrap_or(*margin);
                *mining = args.mining.unwrap_or(*mining);
            }
            Loss::Softmax {} => {}
            Loss::Sphereface { margin, .. } => match args.margin {
                Some(asked) if asked.fract() != 0.0 || asked < 0.0 => {
                    return usage(format!(
                        "--margin is {asked}; SphereFace multiplies the angle by a whole number, as 2 or 4"
                    ));
                }
                Some(asked) => *margin = asked as u32,
                None => {}
            },
            Loss::Cosface { margin, .. } | Loss::Arcface { margin, .. } => *margin = args.margin.unwrap_or(*margin),
        }
    }
    Ok(())
}

/// The last part of the folder's path.
fn name(folder: &Path) -> String {
    let last = folder.file_name().unwrap_or(folder.as_os_str());
    last.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn prepared(line: &str) -> anyhow::Result<(Recipe, PathBuf)> {
        let words = std::iter::once("train").chain(line.split_whitespace());
        prepare(&Command::try_parse_from(words)?.args)
    }

    #[test]
    fn flags_make_a_recipe() {
        let line = "--data glyphs --out models/letters --net article --method softmax --then triplet --patience 6 \
                    --embedding 16 --epochs 3 --seed 9 --batch 8x5 --margin 0.7 --mining hard --input 32x24";
        let (recipe, folder) = prepared(line).unwrap();
        assert_eq!(folder, Path::new("models/letters"));
        assert_eq!((recipe.name.as_str(), recipe.seed), ("letters", 9));
        assert_eq!((recipe.net.family, recipe.net.embedding), (Family::Article, 16));
        assert_eq!((recipe.input.height, recipe.input.width), (32, 24));
        assert_eq!(recipe.validation.patience, 6);
        let losses: Vec<Loss> = recipe.phases.iter().map(|phase| phase.loss).collect();
        assert_eq!(losses, [Loss::Softmax {}, Loss::Triplet { margin: 0.7, mining: Mining::Hard }]);
        assert_eq!(recipe.phases[1].epochs, 3);
        let sampling = recipe.phases[1].sampling;
        assert_eq!(sampling, Sampling::Balanced { identities: 8, samples: 5 });
    }

    #[test]
    fn values_set_by_name_win_over_flags() {
        let line = "--data glyphs --out models/x --epochs 3 --set phase.epochs=5 --set augment.erase=0.5";
        let (recipe, _) = prepared(line).unwrap();
        assert_eq!((recipe.phases[0].epochs, recipe.augment.erase), (5, 0.5));
        let error = prepared("--data glyphs --out models/x --set augment.erase=1.5").unwrap_err().to_string();
        assert!(error.contains("erase"), "{error}");
    }

    #[test]
    fn flags_of_recordings_and_of_the_compact_network_reach_the_recipe() {
        let fills = [("repeat", Fill::Repeat), ("silence", Fill::Silence), ("stretch", Fill::Stretch)];
        for (name, fill) in fills {
            let line = format!("--data utterances --out models/voices --fill {name} --pool weighted --width 0.5");
            let (recipe, _) = prepared(&line).unwrap();
            assert_eq!(recipe.input.sound.unwrap().fill, fill);
            assert_eq!((recipe.net.pool, recipe.net.width_multiplier), (Pool::Weighted, 0.5));
        }
    }

    #[test]
    fn margins_and_mining_reach_the_trainings_that_have_them() {
        let losses = |flags: &str| -> Vec<Loss> {
            let (recipe, _) = prepared(&format!("--data glyphs --out models/x {flags}")).unwrap();
            recipe.phases.iter().map(|phase| phase.loss).collect()
        };
        let arcface = Loss::Arcface { scale: 30.0, margin: 0.2 };
        assert_eq!(losses("--method arcface --then arcface --margin 0.2"), [arcface, arcface]);
        assert_eq!(losses("--method arcface --then softmax --margin 0.2"), [arcface, Loss::Softmax {}]);
        let unmined = losses("--method arcface --then triplet");
        let mined = losses("--method arcface --then triplet --mining random");
        assert_eq!(mined, [unmined[0], Loss::Triplet { margin: 0.3, mining: Mining::Random }]);
        assert_ne!(mined[1], unmined[1]);
    }

    #[test]
    fn flags_that_nothing_takes_are_refused() {
        let cases: [(&str, &[&str]); 9] = [
            ("--method softmax --margin 0.3", &["--margin", "softmax"]),
            ("--method softmax --then softmax --margin 0.3", &["--margin", "softmax"]),
            ("--method arcface --then triplet --margin 0.3", &["--margin", "arcface", "triplet", "recipe"]),
            ("--method contrastive --then triplet --margin 0.3", &["--margin", "contrastive", "triplet", "recipe"]),
            ("--method cosface --mining hard", &["--mining", "triplet"]),
            ("--net article --width 1", &["--width", "compact"]),
            ("--net article --pool weighted", &["--pool", "compact"]),
            ("--fill silence", &["--fill", "recordings"]),
            ("--fill silence --pool average", &["--fill", "recordings"]),
        ];
        let refused = |line: &str, words: &[&str]| {
            let error = prepared(line).unwrap_err();
            assert!(error.is::<UsageError>(), "{line}: {error}");
            let message = error.to_string();
            assert!(words.iter().all(|word| message.contains(word)), "{line}: {message}");
        };
        for (flags, words) in cases {
            refused(&format!("--data glyphs --out models/x {flags}"), words);
        }
        let folder = tempfile::tempdir().unwrap();
        let (recipe, _) = prepared("--data glyphs --out models/x --net article --method softmax").unwrap();
        recipe.save(folder.path()).unwrap();
        let path = folder.path().display();
        refused(&format!("{path} --margin 0.3"), &["--margin"]);
        refused(&format!("{path} --width 2"), &["--width"]);
        refused(&format!("{path} --then triplet"), &["--then", "--data"]);
    }

    #[test]
    fn a_saved_recipe_trains_again_and_only_data_makes_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("letters");
        let (recipe, _) = prepared("--data glyphs --out models/letters --seed 5").unwrap();
        recipe.save(&model).unwrap();
        let path = model.display();
        assert_eq!(prepared(&path.to_string()).unwrap().0, recipe);
        let (again, out) = prepared(&format!("--recipe {path}/recipe.toml --out models/other")).unwrap();
        assert_eq!((again.name.as_str(), again.seed), ("other", 5));
        assert_eq!(out, Path::new("models/other"));
        assert_eq!(prepared(&format!("--resume --out {path}")).unwrap().0, recipe);
        let error = prepared(&format!("{path} --embedding 8")).unwrap_err();
        assert!(error.to_string().contains("--embedding"), "{error}");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let message = |line: &str| prepared(line).unwrap_err().to_string();
        assert!(message("--out models/x").contains("--data"));
        assert!(message("--data glyphs").contains("--out"));
        assert!(message("--data nonsense --out models/x").contains("nonsense"));
        assert!(message("--data glyphs --out models/x --method magic").contains("magic"));
        assert!(message("--data glyphs --out models/x --batch 12").contains("32x4"));
        assert!(message("--data utterances --out models/x --fill nothing").contains("silence"));
        assert!(message("--data glyphs --out models/x --pool most").contains("weighted"));
        assert!(message("--data glyphs --out models/x --embedding 0").contains("--embedding is 0"));
        assert!(message("--data glyphs --out models/x --batch 4x1").contains("--batch is 4x1"));
        assert!(message("--data glyphs --out models/x --input 60000x60000").contains("--input is 60000"));
        assert!(message("--data glyphs --out models/x --train-on 1-9").contains("--threshold-on"));
    }
}
