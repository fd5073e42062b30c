//! Every choice of a training run in one place, kept beside the model as `recipe.toml`: enough to train it again.

mod check;
mod comments;
mod data;
mod defaults;
mod error;
mod identity;
mod input;
mod loss;
mod net;
mod phase;

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
pub use loss::{Loss, Method};
pub use net::{Family, Metric, Network, Pool};
pub use phase::{Contrast, Export, Keep, Optimizer, Phase, Validation};

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

    pub(super) fn recipe() -> Recipe {
        Choices::new("glyphs".parse().unwrap(), "letters").recipe().unwrap()
    }

    #[test]
    fn a_saved_recipe_is_commented_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = recipe();
        recipe.save(folder.path()).unwrap();
        let path = folder.path().join(FILE_NAME);
        assert_eq!(Recipe::load(&path).unwrap(), recipe);
        let text = fs::read_to_string(path).unwrap();
        for key in ["seed", "embedding", "learning_rate", "target_fmr", "world"] {
            let at = text.find(&format!("\n{key} = ")).expect(key);
            let before = text[..at].lines().last().unwrap();
            assert!(before.starts_with("# "), "{key} has no comment");
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
