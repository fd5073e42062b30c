//! Trains a network by a recipe.

mod average;
mod checkpoint;
mod compute;
mod embed;
mod log;
mod monitor;
mod objective;
mod run;
mod schedule;
#[cfg(test)]
mod tests;
mod validation;
mod workplace;

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use thiserror::Error;

use crate::checksum::crc32;
use crate::data::{DataError, Tensors};
use crate::net::{ArchitectureError, Net};
use crate::recipe::{self, Recipe, RecipeError};

pub use checkpoint::folder as checkpoint_folder;
pub use compute::{Compute, ComputeError};
pub use log::{FILE_NAME as LOG_FILE_NAME, Line, read_log};
pub use schedule::learning_rate;

use checkpoint::Kind;

/// A trained network and the recipe that it was trained by.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The recipe.
    pub recipe: Recipe,
    /// The network that was kept, for inference: see [`recipe::Keep`].
    pub net: Net,
}

/// What happens while a network is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// A phase begins or goes on.
    Phase {
        /// Its number, from 0.
        phase: usize,
        /// Steps of it that are done.
        done: usize,
        /// Its steps.
        steps: usize,
        /// Images of a step.
        batch: usize,
    },
    /// A step is done.
    Step {
        /// Number of the phase.
        phase: usize,
        /// Steps of the phase that are done.
        step: usize,
        /// The step's loss.
        loss: f32,
    },
    /// The equal error rate has been measured.
    Validation {
        /// Number of the phase.
        phase: usize,
        /// Steps of the phase that are done.
        step: usize,
        /// Mean loss of the last steps.
        loss: f32,
        /// The rate, a fraction.
        eer: f64,
        /// No measurement of the phase before had a lower rate.
        lowest: bool,
        /// The network of this measurement is kept.
        kept: bool,
    },
    /// Something that the user should know, one sentence.
    Warning(&'a str),
}

/// Why there is no trained network.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The recipe is of no use.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The data is of no use.
    #[error(transparent)]
    Data(#[from] DataError),
    /// There is no device to compute on.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// The network cannot be built.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A checkpoint's file is broken.
    #[error("the checkpoint {} cannot be used ({message}); train the model again", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// A checkpoint holds another network than the recipe asks for.
    #[error(
        "the checkpoint {} was made for another network than the recipe beside it says (family, width, input or embedding); \
         restore the recipe, or train again without --resume", path.display()
    )]
    OtherNetwork {
        /// The checkpoint.
        path: PathBuf,
    },
    /// A checkpoint was made by another training than the recipe beside it describes.
    #[error(
        "the checkpoint {} is of another training than the recipe beside it describes; restore that training's recipe, or train \
         the model again", path.display()
    )]
    OtherTraining {
        /// The checkpoint.
        path: PathBuf,
    },
    /// Training is to go on by another recipe than it began with.
    #[error(
        "--resume goes on by {}, but `{key}` is to be another than there; leave out what changes it, or train anew into another \
         --out", folder.join(recipe::FILE_NAME).display()
    )]
    OtherRecipe {
        /// The model's folder.
        folder: PathBuf,
        /// The first key that differs.
        key: String,
    },
    /// There is a trained network, but nothing that its training could go on from.
    #[error(
        "{} is trained and has no checkpoint to go on from; leave out --resume to train it again", folder.display()
    )]
    NothingToResume {
        /// The model's folder.
        folder: PathBuf,
    },
    /// The model to start from has another network.
    #[error("{} has other layers than this recipe asks for; train from a model of the same family and width, or leave `start` out", folder.display())]
    OtherStart {
        /// The model's folder.
        folder: PathBuf,
    },
    /// There is no checkpoint.
    #[error("{} has no checkpoint; train it with `doppel train` first", folder.display())]
    NoCheckpoint {
        /// The model's folder.
        folder: PathBuf,
    },
    /// A model that is to start from itself.
    #[error("net.start {} is the model's own folder, which this training replaces: name another with --out", folder.display())]
    OwnStart {
        /// The folder of both.
        folder: PathBuf,
    },
    /// The threshold part has no two samples of one identity, or no two identities.
    #[error(
        "the threshold identities of {source_name} give nothing to compare: at least two of them need two samples each"
    )]
    NothingToValidate {
        /// The source, as its spec is written.
        source_name: String,
    },
    /// The loss is no number any more.
    #[error("the loss became {loss} in step {step}; train again with a lower --learning-rate")]
    Diverged {
        /// The step, counted over all phases.
        step: usize,
        /// The loss.
        loss: f32,
    },
    /// The observer asked to stop.
    #[error(
        "training was stopped after step {step}; go on with `doppel train --out {} --resume`", folder.display()
    )]
    Stopped {
        /// Steps done in all phases.
        step: usize,
        /// The model's folder.
        folder: PathBuf,
    },
    /// The observer asked to stop before there was anything to put in the place of an earlier model.
    #[error("training was stopped after step {step}, before its first checkpoint: the model in {} is as it was", folder.display())]
    Abandoned {
        /// Steps done.
        step: usize,
        /// The model's folder.
        folder: PathBuf,
    },
}

impl TrainError {
    fn read(path: &Path, source: io::Error) -> TrainError {
        let path = path.to_path_buf();
        TrainError::Read { path, source }
    }

    fn write(path: &Path, source: io::Error) -> TrainError {
        let path = path.to_path_buf();
        TrainError::Write { path, source }
    }
}

/// Trains by `recipe` on the processor; as [`train_on`].
pub fn train(
    recipe: &Recipe,
    folder: &Path,
    resume: bool,
    observer: impl FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<Trained, TrainError> {
    train_on(Compute::Cpu, recipe, folder, resume, observer)
}

/// Trains by `recipe` and keeps recipe, checkpoints and log in `folder`.
///
/// With `resume` training goes on from the folder's last checkpoint, if there is one, by the recipe that it began with, and gives
/// the same weights as if it had never stopped (on the processor). Otherwise what an earlier training has left there is replaced
/// when the first checkpoint of this one is complete; an error before leaves the folder as it was. `observer` hears of everything;
/// when it breaks, a checkpoint is kept and [`TrainError::Stopped`] returned, or, before the first measurement of a training that
/// would replace another one, nothing is kept and [`TrainError::Abandoned`] returned.
pub fn train_on(
    compute: Compute,
    recipe: &Recipe,
    folder: &Path,
    resume: bool,
    mut observer: impl FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<Trained, TrainError> {
    run::run(recipe, folder, resume, compute.open()?.autodiff(), &mut observer)?;
    Trained::load(folder)
}

/// Where a training stands that was not trained to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Steps done of the training that goes on.
    pub step: usize,
    /// Its number among the recipe's, from 1.
    pub training: usize,
}

/// Where the training by `recipe` in `folder` was stopped; none where it came to its end, or left no checkpoint to go on from.
pub fn stopped(folder: &Path, recipe: &Recipe) -> Option<Stopped> {
    let state = checkpoint::state(folder, Kind::Last)?;
    let is_own = state.recipe == recipe.fingerprint();
    let is_left = state.phase < recipe.phases.len();
    (is_own && is_left).then_some(Stopped { step: state.step_in_phase, training: state.phase + 1 })
}

/// The CRC-32 of the network in the kept checkpoint of the model in `folder`; none where there is no checkpoint.
pub fn network_checksum(folder: &Path) -> Result<Option<u32>, TrainError> {
    checkpoint::network(folder, Kind::Best)?
        .map(|path| std::fs::read(&path).map(|bytes| crc32(&bytes)).map_err(|error| TrainError::read(&path, error)))
        .transpose()
}

impl Trained {
    /// The model in `folder`, as [`train`] has left it.
    pub fn load(folder: &Path) -> Result<Trained, TrainError> {
        let recipe = Recipe::load(&folder.join(recipe::FILE_NAME))?;
        let net = Net::new(&recipe.architecture(), recipe.seed, &Device::flex())?;
        match checkpoint::load(folder, Kind::Best, &recipe.fingerprint(), net)? {
            Some((_, net, _)) => Ok(Trained { recipe, net: net.valid() }),
            None => Err(TrainError::NoCheckpoint { folder: folder.to_path_buf() }),
        }
    }

    /// The embeddings of input tensors, `[n][d]`, of length 1 where the recipe's metric is the cosine.
    pub fn embed(&self, tensors: &Tensors) -> Vec<f32> {
        embed::embed_bytes(&self.net, tensors, self.recipe.net.metric)
    }
}
