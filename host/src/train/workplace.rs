//! Where a training writes: a new one beside the model that it is to replace, until its first checkpoint is complete.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::recipe::{self, Recipe};

use super::{TrainError, checkpoint, log};

/// The folder, within the model's, of a training without a checkpoint. A training that starts removes what an earlier one has left.
const BESIDE: &str = ".training";
/// Where the replaced checkpoints are until all of the new training is in place.
const REPLACED: &str = ".replaced";

/// A training's folder. One that never gets a checkpoint leaves nothing when it is dropped.
pub(super) struct Workplace {
    model: PathBuf,
    /// Where recipe, log and checkpoints are written.
    folder: PathBuf,
    /// Folders that were made for it, the innermost last.
    made: Vec<PathBuf>,
}

impl Workplace {
    /// Goes on in the model's own folder.
    pub(super) fn resume(model: &Path) -> Workplace {
        Workplace { model: model.to_path_buf(), folder: model.to_path_buf(), made: Vec::new() }
    }

    /// Begins beside the model, with `recipe`.
    pub(super) fn beside(model: &Path, recipe: &Recipe) -> Result<Workplace, TrainError> {
        let folder = model.join(BESIDE);
        remove(&folder)?;
        let missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let mut made: Vec<PathBuf> = model.ancestors().take_while(missing).map(Path::to_path_buf).collect();
        made.reverse();
        let place = Workplace { model: model.to_path_buf(), folder, made };
        recipe.save(&place.folder)?;
        Ok(place)
    }

    /// The model's folder.
    pub(super) fn model(&self) -> &Path {
        &self.model
    }

    /// Where recipe, log and checkpoints are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether a model lies where the training's first checkpoint is still to be put.
    pub(super) fn would_replace(&self) -> bool {
        self.folder != self.model && checkpoint::folder(&self.model).exists()
    }

    /// Puts the training, which now has a checkpoint, in the place of the one before. A power cut on the way leaves the recipe
    /// of the one with the checkpoints of the other, which their fingerprints tell.
    pub(super) fn publish(&mut self) -> Result<(), TrainError> {
        if self.folder == self.model {
            return Ok(());
        }
        let replaced = self.model.join(REPLACED);
        remove(&replaced)?;
        let checkpoints = checkpoint::folder(&self.model);
        if checkpoints.exists() {
            rename(&checkpoints, &replaced)?;
        }
        rename(&checkpoint::folder(&self.folder), &checkpoints)?;
        for file in [recipe::FILE_NAME, log::FILE_NAME] {
            rename(&self.folder.join(file), &self.model.join(file))?;
        }
        remove(&replaced)?;
        remove(&self.folder)?;
        self.folder.clone_from(&self.model);
        Ok(())
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if self.folder != self.model {
            // What cannot be removed is removed by the next training.
            let _ = remove(&self.folder);
            for folder in self.made.iter().rev() {
                let _ = fs::remove_dir(folder);
            }
        }
    }
}

fn remove(folder: &Path) -> Result<(), TrainError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(TrainError::write(folder, error)),
        _ => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), TrainError> {
    fs::rename(from, to).map_err(|error| TrainError::write(to, error))
}
