//! Every choice of a training run in one place, kept beside the model as `recipe.toml`: enough to train it again.

mod check;
mod comments;
mod data;
mod defaults;
mod error;
mod identity;
mod input;
mod lineage;
mod loss;
mod net;
mod phase;
mod set;

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use shared::frontend::FrontEnd;

use crate::data::augment::Augment;
use crate::data::sound::SoundAugment;
use crate::data::{Batching, Classes};

pub use data::{Also, Data};
pub use defaults::Choices;
pub use error::RecipeError;
pub use input::{Input, SoundInput};
pub use lineage::Lineage;
pub use loss::{Loss, Method};
pub use net::{Family, Metric, Network, Pool};
pub use phase::{Contrast, Export, Impostors, Keep, Optimizer, Phase, Validation};
pub use set::Assignment;

/// Name of a recipe in a model's folder.
pub const FILE_NAME: &str = "recipe.toml";

/// A training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The model's name.
    pub name: String,
    /// Seed of weights, batches, augmentation and mining: the same seed gives the same model on the same machine.
    pub seed: u64,
    /// Where samples come from.
    pub data: Data,
    /// What the network gets to see.
    pub input: Input,
    /// The network.
    pub net: Network,
    /// How training samples are varied.
    pub augment: Augment,
    /// How training recordings are varied.
    #[serde(default, skip_serializing_if = "SoundAugment::is_none")]
    pub sound_augment: SoundAugment,
    /// Adam's settings.
    pub optimizer: Optimizer,
    /// How training is watched.
    pub validation: Validation,
    /// What the export does with the trained network.
    pub export: Export,
    /// Trainings one after the other, each with its own loss; the network is handed on.
    #[serde(rename = "phase")]
    pub phases: Vec<Phase>,
}

impl Recipe {
    /// Reads a recipe; unknown keys and values out of range are errors.
    pub fn load(path: &Path) -> Result<Recipe, RecipeError> {
        let text = fs::read_to_string(path).map_err(|source| RecipeError::Read { path: path.to_path_buf(), source })?;
        let recipe: Recipe = toml::from_str(&text)
            .map_err(|error| RecipeError::Parse { path: path.to_path_buf(), message: one_line(&error, &text) })?;
        match recipe.check() {
            Ok(()) => Ok(recipe),
            Err(cause) => Err(RecipeError::Unusable { path: path.to_path_buf(), cause: Box::new(cause) }),
        }
    }

    /// Writes `recipe.toml` into `folder`, which is made if need be; never a half of it.
    pub fn save(&self, folder: &Path) -> Result<(), RecipeError> {
        let path = folder.join(FILE_NAME);
        let write = |text: String| {
            fs::create_dir_all(folder)?;
            let beside = folder.join(".recipe.toml.new");
            fs::write(&beside, text)?;
            fs::rename(&beside, &path)
        };
        write(self.to_toml()).map_err(|source| RecipeError::Write { path: path.clone(), source })
    }

    /// The recipe as commented TOML.
    pub fn to_toml(&self) -> String {
        // Serialization fails on maps without text keys and the like only; a recipe has none.
        comments::add(&toml::to_string(self).unwrap_or_default())
    }

    /// The front end.
    pub fn front_end(&self) -> FrontEnd {
        self.input.front_end()
    }

    /// How the batches of phase number `phase` are made.
    pub fn batching(&self, phase: usize) -> Option<Batching> {
        let Data {
            rotations_as_classes: rotations,
            mirrors_as_classes: mirrors,
            halves_as_classes: halves,
            forgeries_as_classes: forgeries,
            reversals_as_classes: reversals,
            voices_as_classes: voices,
            ..
        } = self.data;
        self.phases.get(phase).map(|this| Batching {
            classes: Classes { rotations, mirrors, halves, reversals, forgeries, voices },
            sampling: this.sampling,
            augment: self.augment,
            sound: self.sound_augment,
            seed: self.seed.wrapping_add(phase as u64),
        })
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Where the text is wrong and why, in one line.
fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().replace('\n', " ");
    match error.span() {
        Some(span) => {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            format!("line {line}: {message}")
        }
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::espeak::Kind;
    use crate::data::{Sampling, Spec, Split};
    use crate::mining::Mining;

    pub(super) fn recipe() -> Recipe {
        Choices::new("glyphs".parse().unwrap(), "letters").recipe().unwrap()
    }

    #[test]
    fn a_saved_recipe_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = recipe();
        recipe.save(folder.path()).unwrap();
        let path = folder.path().join(FILE_NAME);
        assert_eq!(Recipe::load(&path).unwrap(), recipe);
        assert_eq!(fs::read_to_string(path).unwrap(), recipe.to_toml());
    }

    /// A recipe with every key that there is, written out so that a new one is missed here; no training could use it.
    fn everything() -> Recipe {
        let some = |text: &str| Some(text.to_string());
        let balanced = Sampling::Balanced { identities: 8, samples: 4 };
        let also = Also {
            source: Spec::Glyphs,
            name: some("Glyphs"),
            licence: some("MIT"),
            identities: "0-9".parse().unwrap(),
            invert: true,
            rotations_as_classes: true,
            sampling: balanced,
        };
        let phase = |loss, sampling, contrast| Phase {
            epochs: 2,
            steps: 1000,
            learning_rate: 0.5,
            warmup_steps: 3,
            final_learning_rate: 0.25,
            sampling,
            loss,
            contrast,
        };
        let (margin, scale, mining) = (0.5, 30.0, Mining::Hard);
        let shuffled = Sampling::Shuffled { batch: 32 };
        Recipe {
            name: "all".to_string(),
            seed: 1,
            data: Data {
                source: Spec::Espeak(Kind::Words),
                name: some("Words"),
                licence: some("GPL"),
                note: some("Spoken by a program."),
                world: 1,
                rotations_as_classes: true,
                mirrors_as_classes: true,
                forgeries_as_classes: true,
                halves_as_classes: true,
                reversals_as_classes: true,
                voices_as_classes: 8,
                threshold_source: Some(Spec::Glyphs),
                threshold_inverted: true,
                split: Split {
                    train: "0-9".parse().unwrap(),
                    threshold: "10-19".parse().unwrap(),
                    test: "20-29".parse().unwrap(),
                },
                also: vec![also.clone(), also],
            },
            input: Input {
                width: 48,
                height: 40,
                channels: 1,
                invert: true,
                stretch: true,
                sound: Some(SoundInput::default()),
            },
            net: Network {
                family: Family::Compact,
                width_multiplier: 1.5,
                pool: Pool::Weighted,
                embedding: 64,
                metric: Metric::Cosine,
                start: Some("models/other".into()),
            },
            augment: Augment::default(),
            sound_augment: SoundAugment {
                speed: 0.5,
                resonance: 6.0,
                gain: 3.0,
                noise: 0.5,
                mix: 0.5,
                shift: 0.5,
                time_mask: 0.5,
                frequency_mask: 0.5,
            },
            optimizer: Optimizer { weight_decay: 0.5, average: 0.5 },
            validation: Validation { every_steps: 100, samples: 1000, pairs: 2000, patience: 3, keep: Keep::Last },
            export: Export {
                target_fmr: 0.5,
                against: Impostors::Forgeries,
                references: 5,
                calibration_samples: 500,
                spread: true,
            },
            phases: vec![
                phase(Loss::Contrastive { margin, mining }, balanced, None),
                phase(Loss::Triplet { margin, mining }, balanced, None),
                phase(Loss::Softmax {}, shuffled, Some(Contrast { weight: 1.0, temperature: 0.5 })),
                phase(Loss::Sphereface { margin: 4, lambda_min: 5.0 }, shuffled, None),
                phase(Loss::Cosface { scale, margin }, shuffled, None),
                phase(Loss::Arcface { scale, margin }, shuffled, None),
            ],
        }
    }

    #[test]
    fn every_table_and_key_has_a_comment_and_every_comment_a_key() {
        let text = everything().to_toml();
        assert_eq!(toml::from_str::<Recipe>(&text).unwrap(), everything());
        let lines: Vec<&str> = text.lines().collect();
        for (before, line) in lines.iter().zip(&lines[1..]) {
            let explained = line.is_empty() || line.starts_with('#') || before.starts_with("# ");
            assert!(explained, "`{line}` has no comment");
        }
        for (table, key, comment) in comments::COMMENTS {
            let line = if key.is_empty() { "[".to_string() } else { format!("{key} = ") };
            assert!(text.contains(&format!("# {comment}\n{line}")), "[{table}] {key} is not in the recipe");
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wrong.toml");
        let text = recipe().to_toml().replace("seed =", "sed =");
        fs::write(&path, text).unwrap();
        let message = Recipe::load(&path).unwrap_err().to_string();
        assert!(message.contains("`sed`") && message.contains("line"), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
}
