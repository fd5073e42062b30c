//! Whole trainings of tiny networks on a few glyphs.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use super::*;
use crate::mining::Mining;
use crate::recipe::{Choices, Loss};

/// Two phases of a few steps each.
fn recipe() -> Recipe {
    let mut choices = Choices::new("glyphs".parse().unwrap(), "tiny");
    choices.method = recipe::Method::Cosface;
    choices.then = Some(recipe::Method::Contrastive);
    choices.split = Some(crate::data::Split {
        train: "0-9".parse().unwrap(),
        threshold: "1000-1004".parse().unwrap(),
        test: "2000-2004".parse().unwrap(),
    });
    choices.embedding = 8;
    let mut recipe = choices.recipe().unwrap();
    recipe.input.width = 16;
    recipe.input.height = 16;
    recipe.net.width_multiplier = 0.5;
    recipe.validation.every_steps = 4;
    for phase in &mut recipe.phases {
        phase.epochs = 2;
        phase.warmup_steps = 3;
        phase.sampling = crate::data::Sampling::Balanced { identities: 5, samples: 6 };
    }
    recipe
}

fn weights(trained: &Trained) -> Vec<Vec<f32>> {
    let folded = trained.net.fold();
    let layers = folded.layers.into_iter();
    layers.map(|layer| [layer.weight, layer.bias].concat()).collect()
}

fn train_quietly(recipe: &Recipe, folder: &Path) -> Trained {
    train(recipe, folder, false, |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn a_seed_gives_one_model() {
    let folder = tempfile::tempdir().unwrap();
    let one = train_quietly(&recipe(), &folder.path().join("a"));
    let two = train_quietly(&recipe(), &folder.path().join("b"));
    assert_eq!(weights(&one), weights(&two));
    let mut other = recipe();
    other.seed = 2;
    let three = train_quietly(&other, &folder.path().join("c"));
    assert_ne!(weights(&one), weights(&three));
}

#[test]
fn stopped_anywhere_and_resumed_gives_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let straight = folder.path().join("straight");
    let expected = weights(&train_quietly(&recipe(), &straight));
    let log = read_log(&straight).unwrap();
    // Within the first phase, at its end, and within the second.
    for stop_after in [3, 12, 17] {
        let folder = folder.path().join(format!("stopped-{stop_after}"));
        let mut steps = 0;
        let stopped = train(&recipe(), &folder, false, |event| {
            steps += usize::from(matches!(event, Event::Step { .. }));
            match steps >= stop_after {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        assert!(matches!(stopped, Err(TrainError::Stopped { .. })));
        let resumed = train(&recipe(), &folder, true, |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(last_weights(&folder), last_weights(&straight));
        // A stop measures once more, so the best of all measurements may be another step's.
        if resumed_best(&folder) == resumed_best(&straight) {
            assert_eq!(weights(&resumed), expected);
        }
        let kept = read_log(&folder).unwrap();
        assert!(kept.windows(2).all(|two| two[0].step <= two[1].step));
        assert_eq!(kept.last().unwrap().step, log.last().unwrap().step);
    }
}

fn loaded(folder: &Path, kind: Kind) -> (checkpoint::State, Net) {
    let recipe = recipe();
    let fresh = Net::new(&recipe.architecture(), 99, &Device::flex()).unwrap();
    let (state, net, _) = checkpoint::load(folder, kind, fresh).unwrap().unwrap();
    (state, net)
}

fn resumed_best(folder: &Path) -> usize {
    loaded(folder, Kind::Best).0.step
}

fn last_weights(folder: &Path) -> Vec<Vec<f32>> {
    let (_, net) = loaded(folder, Kind::Last);
    weights(&Trained { recipe: recipe(), net })
}

#[test]
fn a_finished_training_resumes_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    let trained = train_quietly(&recipe(), folder.path());
    let again = train(&recipe(), folder.path(), true, |event| panic!("nothing is left to do, but {event:?}"));
    assert_eq!(weights(&again.unwrap()), weights(&trained));
}

#[test]
fn the_model_s_folder_holds_what_is_promised() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = Vec::new();
    let trained = train(&recipe(), folder.path(), false, |event| {
        events.push(format!("{event:?}"));
        ControlFlow::Continue(())
    })
    .unwrap();
    let mut names: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["checkpoint", "recipe.toml", "training.jsonl"]);
    let kept = fs::read_dir(folder.path().join("checkpoint")).unwrap();
    assert_eq!(kept.count(), 2);
    assert_eq!(weights(&Trained::load(folder.path()).unwrap()), weights(&trained));

    // 200 samples in batches of 30 are 6 steps an epoch, so 12 steps a phase and 3 measurements.
    let count = |name: &str| events.iter().filter(|e| e.starts_with(name)).count();
    assert_eq!((count("Phase"), count("Step"), count("Validation")), (2, 24, 6));
    let log = read_log(folder.path()).unwrap();
    assert_eq!(log.iter().filter(|line| line.eer.is_some()).count(), 6);
    assert!(log.iter().any(|line| line.loss.is_some_and(f32::is_finite)));
    assert_eq!(log.last().unwrap().step, 24);
}

#[test]
fn training_learns() {
    let mut recipe = recipe();
    recipe.phases.truncate(1);
    recipe.phases[0].epochs = 12;
    recipe.phases[0].loss = Loss::Triplet { margin: 0.3, mining: Mining::SemiHard };
    let folder = tempfile::tempdir().unwrap();
    let mut rates = Vec::new();
    train(&recipe, folder.path(), false, |event| {
        if let Event::Validation { eer, .. } = event {
            rates.push(eer);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    let best = rates.iter().copied().fold(1.0, f64::min);
    assert!(best < 0.3 && best < rates[0], "{rates:?}");
}

#[test]
fn a_checkpoint_of_another_network_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    train_quietly(&recipe(), folder.path());
    let mut other = recipe();
    other.net.embedding = 9;
    let error = train(&other, folder.path(), true, |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, TrainError::OtherNetwork { .. }));
    assert!(error.to_string().contains("another network"));
    // The refusal has changed nothing.
    assert!(Trained::load(folder.path()).is_ok());

    other.save(folder.path()).unwrap();
    let error = Trained::load(folder.path()).unwrap_err();
    assert!(matches!(error, TrainError::OtherNetwork { .. }));
}

#[test]
fn broken_and_missing_checkpoints_are_named() {
    let folder = tempfile::tempdir().unwrap();
    recipe().save(folder.path()).unwrap();
    let error = Trained::load(folder.path()).unwrap_err();
    assert!(matches!(error, TrainError::NoCheckpoint { .. }));

    train_quietly(&recipe(), folder.path());
    let network = fs::read_dir(folder.path().join("checkpoint"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("best-"))
        .unwrap()
        .join("network.bpk");
    let bytes = fs::read(&network).unwrap();
    for length in [0, 10, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&network, &bytes[..length]).unwrap();
        let error = Trained::load(folder.path()).unwrap_err();
        assert!(matches!(error, TrainError::Unusable { .. }), "{length}: {error}");
        assert!(!error.to_string().contains('\n'));
    }
}

#[test]
fn a_learning_rate_out_of_all_bounds_ends_in_a_sentence() {
    let mut recipe = recipe();
    recipe.net.metric = crate::recipe::Metric::Euclidean;
    recipe.phases[0].learning_rate = 1e30;
    recipe.phases[0].loss = Loss::Triplet { margin: 1.0, mining: Mining::Hard };
    let folder = tempfile::tempdir().unwrap();
    let got = train(&recipe, folder.path(), false, |_| ControlFlow::Continue(()));
    let error = got.unwrap_err();
    assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
    assert!(error.to_string().contains("--learning-rate"));
}
