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
    recipe.optimizer.average = 0.9;
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
        assert_eq!(weights(&resumed), expected);
        let kept = read_log(&folder).unwrap();
        assert!(kept.windows(2).all(|two| two[0].step <= two[1].step));
        assert_eq!(kept.last().unwrap().step, log.last().unwrap().step);
        let seconds: Vec<f64> = kept.iter().filter_map(|line| line.seconds).collect();
        assert!(seconds.is_sorted() && seconds[0] > 0.0, "{seconds:?}");
    }
}

#[test]
fn patience_counts_measurements_since_the_last_lower_rate() {
    let mut recipe = recipe();
    recipe.phases.truncate(1);
    recipe.phases[0].epochs = 20;
    recipe.validation.patience = 2;
    let folder = tempfile::tempdir().unwrap();
    train_quietly(&recipe, folder.path());
    let log = read_log(folder.path()).unwrap();
    let (mut lowest, mut improved, mut ended) = (f64::INFINITY, 0, false);
    for (step, eer) in log.iter().filter_map(|line| Some((line.step, line.eer?))) {
        assert!(!ended, "it went on after its patience had ended");
        if eer < lowest {
            (lowest, improved) = (eer, step);
        }
        ended = step - improved >= 2 * recipe.validation.every_steps;
    }
    assert!(ended, "it ended before its patience had");
    let (state, _) = loaded_by(&recipe, folder.path(), Kind::Last);
    assert_eq!((state.improved, state.best.unwrap().0), (improved, lowest));
}

#[test]
fn a_model_does_not_start_from_itself() {
    let folder = tempfile::tempdir().unwrap();
    train_quietly(&recipe(), folder.path());
    let mut again = recipe();
    again.net.start = Some(folder.path().join("."));
    let refused = train(&again, folder.path(), false, |_| ControlFlow::Continue(()));
    assert!(matches!(refused, Err(TrainError::OwnStart { .. })));
    assert!(Trained::load(folder.path()).is_ok());
}

fn loaded(folder: &Path, kind: Kind) -> (checkpoint::State, Net) {
    loaded_by(&recipe(), folder, kind)
}

fn loaded_by(recipe: &Recipe, folder: &Path, kind: Kind) -> (checkpoint::State, Net) {
    let fresh = Net::new(&recipe.architecture(), 99, &Device::flex()).unwrap();
    let (state, net, _) = checkpoint::load(folder, kind, &recipe.fingerprint(), fresh).unwrap().unwrap();
    (state, net)
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
    assert!(matches!(&error, TrainError::OtherRecipe { key, .. } if key == "net.embedding"), "{error}");
    // The refusal has changed nothing.
    assert!(Trained::load(folder.path()).is_ok());

    other.save(folder.path()).unwrap();
    let error = Trained::load(folder.path()).unwrap_err();
    assert!(matches!(error, TrainError::OtherNetwork { .. }));
    assert!(error.to_string().contains("another network"));
}

/// Every file below `folder` with its bytes.
fn contents(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(contents(&path)),
            false => all.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    all.sort();
    all
}

fn best(folder: &Path) -> std::path::PathBuf {
    let all = fs::read_dir(folder.join("checkpoint")).unwrap().map(|entry| entry.unwrap().path());
    all.into_iter().find(|path| path.to_string_lossy().contains("best-")).unwrap()
}

#[test]
fn a_training_that_fails_before_its_first_checkpoint_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("some/new"));
    train_quietly(&recipe(), &old);
    let before = contents(&old);
    let mut too_large = recipe();
    too_large.phases[0].sampling = crate::data::Sampling::Balanced { identities: 5000, samples: 4 };
    let mut too_fast = recipe();
    too_fast.phases[0].learning_rate = 1e38;
    too_fast.phases[0].loss = Loss::Triplet { margin: 1.0, mining: Mining::Hard };
    too_fast.net.metric = crate::recipe::Metric::Euclidean;
    too_fast.phases[0].warmup_steps = 0;
    for recipe in [too_large, too_fast] {
        for model in [&old, &new] {
            train(&recipe, model, false, |_| ControlFlow::Continue(())).unwrap_err();
            assert_eq!(contents(&old), before);
            assert!(!folder.path().join("some").exists(), "nothing is left behind");
        }
    }
}

#[test]
fn a_new_training_replaces_the_old_one_with_its_first_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    train_quietly(&recipe(), folder.path());
    let before = contents(folder.path());
    let mut other = recipe();
    other.seed = 2;
    let stopped_after = |last: usize| {
        let mut steps = 0;
        train(&other, folder.path(), false, |event| {
            steps += usize::from(matches!(event, Event::Step { .. }));
            if steps == 1 {
                let old: Vec<_> = contents(folder.path());
                assert!(before.iter().all(|file| old.contains(file)), "the old model is there until then");
            }
            if steps < last { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    };
    // Before there is anything to put in its place, the old model stays.
    assert!(matches!(stopped_after(2), Err(TrainError::Abandoned { step: 2, .. })));
    assert_eq!(contents(folder.path()), before);
    assert!(matches!(stopped_after(5), Err(TrainError::Stopped { step: 5, .. })));
    assert_eq!(Trained::load(folder.path()).unwrap().recipe, other);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn only_its_own_training_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let resume = |recipe: &Recipe| train(recipe, folder.path(), true, |_| ControlFlow::Continue(()));
    train_quietly(&recipe(), folder.path());
    let before = contents(folder.path());
    type Change = fn(&mut Recipe);
    let changes: [(&str, Change); 4] = [
        ("seed", |r| r.seed += 1),
        ("data.split.train", |r| r.data.split.train = "50-59".parse().unwrap()),
        ("phase[0].loss", |r| r.phases[0].loss = Loss::Softmax {}),
        ("phase[1].epochs", |r| r.phases[1].epochs -= 1),
    ];
    for (key, change) in changes {
        let mut other = recipe();
        change(&mut other);
        let error = resume(&other).unwrap_err();
        assert!(matches!(error, TrainError::OtherRecipe { .. }), "{error}");
        assert!(error.to_string().contains(key), "{error}");
        assert_eq!(contents(folder.path()), before);
    }

    // As a model is committed: without the checkpoint to go on from.
    let last = fs::read_dir(folder.path().join("checkpoint")).unwrap().map(|entry| entry.unwrap().path());
    last.filter(|path| path.to_string_lossy().contains("last-")).for_each(|path| fs::remove_dir_all(path).unwrap());
    let before = contents(folder.path());
    let error = resume(&recipe()).unwrap_err();
    assert!(matches!(error, TrainError::NothingToResume { .. }), "{error}");
    assert_eq!(contents(folder.path()), before);

    let nothing = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    let fresh = train(&recipe(), nothing.path(), true, |event| {
        if let Event::Warning(text) = event {
            told.push(text.to_string());
        }
        ControlFlow::Continue(())
    });
    assert!(fresh.is_ok() && told.iter().any(|text| text.contains("at its beginning")), "{told:?}");
}

#[test]
fn a_phase_that_was_longer_when_it_was_stopped_is_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    train_quietly(&recipe(), folder.path());
    for entry in fs::read_dir(folder.path().join("checkpoint")).unwrap() {
        let path = entry.unwrap().path().join("state.json");
        let mut state: checkpoint::State = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        (state.phase, state.step_in_phase) = (1, 1000);
        fs::write(path, serde_json::to_vec(&state).unwrap()).unwrap();
    }
    let never = |event: Event<'_>| match event {
        Event::Step { .. } => panic!("there is nothing left to do"),
        _ => ControlFlow::Continue(()),
    };
    assert!(train(&recipe(), folder.path(), true, never).is_ok());
}

#[test]
fn a_checkpoint_of_another_training_and_a_changed_byte_are_told() {
    let folder = tempfile::tempdir().unwrap();
    train_quietly(&recipe(), folder.path());
    let mut other = recipe();
    std::mem::swap(&mut other.data.split.train, &mut other.data.split.test);
    other.save(folder.path()).unwrap();
    let error = Trained::load(folder.path()).unwrap_err();
    assert!(matches!(error, TrainError::OtherTraining { .. }), "{error}");

    recipe().save(folder.path()).unwrap();
    let network = best(folder.path()).join("network.bpk");
    let mut bytes = fs::read(&network).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&network, bytes).unwrap();
    let error = Trained::load(folder.path()).unwrap_err();
    assert!(error.to_string().contains("network.bpk") && error.to_string().contains("checksum"), "{error}");
}

#[test]
fn the_lowest_rate_of_a_phase_counts_whichever_network_is_kept() {
    for keep in [recipe::Keep::Best, recipe::Keep::Last] {
        let mut recipe = recipe();
        recipe.validation.keep = keep;
        let folder = tempfile::tempdir().unwrap();
        let mut measured = Vec::new();
        train(&recipe, folder.path(), false, |event| {
            if let Event::Validation { phase, eer, lowest, kept, .. } = event {
                measured.push((phase, eer, lowest, kept));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        let mut least = [f64::INFINITY; 2];
        for (phase, eer, lowest, kept) in measured {
            let least = &mut least[phase];
            assert_eq!(lowest, eer <= *least, "{eer} after {least}");
            assert_eq!(kept, lowest || keep == recipe::Keep::Last);
            *least = least.min(eer);
        }
    }
}

#[test]
fn the_network_that_is_kept_is_of_the_last_phase_however_good_the_first_was() {
    let folder = tempfile::tempdir().unwrap();
    // A phase has 12 steps, so this is the first one of the second phase.
    let mut steps = 0;
    let stopped = train(&recipe(), folder.path(), false, |event| {
        steps += usize::from(matches!(event, Event::Step { .. }));
        match steps {
            ..13 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    });
    assert!(matches!(stopped, Err(TrainError::Stopped { step: 13, .. })));
    // As if the first phase had ended with a rate that no measurement finds.
    let (mut state, _) = loaded(folder.path(), Kind::Last);
    state.best = Some((-1.0, 12));
    let path = folder.path().join("checkpoint/last-000000013/state.json");
    fs::write(path, serde_json::to_vec(&state).unwrap()).unwrap();

    let (mut least, mut best) = (f64::INFINITY, 0);
    train(&recipe(), folder.path(), true, |event| {
        if let Event::Validation { phase, step, eer, kept, .. } = event {
            assert_eq!((phase, kept), (1, eer <= least), "{eer} after {least}");
            if kept {
                (least, best) = (eer, 12 + step);
            }
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(best > 13, "the second phase was measured");
    let (state, _) = loaded(folder.path(), Kind::Best);
    assert_eq!((state.step, state.best.map(|(_, step)| step)), (best, Some(best)));
}

#[test]
fn broken_and_missing_checkpoints_are_named() {
    let folder = tempfile::tempdir().unwrap();
    recipe().save(folder.path()).unwrap();
    let error = Trained::load(folder.path()).unwrap_err();
    assert!(matches!(error, TrainError::NoCheckpoint { .. }));

    train_quietly(&recipe(), folder.path());
    let network = best(folder.path()).join("network.bpk");
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
