//! What a training run keeps on disk: `checkpoint/best-STEP` and `checkpoint/last-STEP`.
//!
//! | file | what |
//! |---|---|
//! | `network.bpk` | burn's record of the network |
//! | `optimizer.bpk` | burn's record of Adam's moments (`last-STEP` only) |
//! | `average.bpk` | burn's record of the averaged network (`last-STEP` only, where the recipe averages) |
//! | `head.bpk` | burn's record of the phase's classifier (`last-STEP` only, where there is one) |
//! | `state.json` | [`State`] |
//!
//! A folder is written beside, as `.new`, then renamed, and only then are older ones of its kind removed: whenever the power
//! goes, the newest complete one is there.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::store::{ModuleRecord, RecordError};
use serde::{Deserialize, Serialize};

use crate::checksum::crc32;
use crate::net::{Architecture, Net};

use super::TrainError;
use super::objective::Head;

/// Where a training run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// The network that the records belong to.
    pub(super) architecture: Architecture,
    /// [`crate::recipe::Recipe::fingerprint`] of the training.
    pub(super) recipe: String,
    /// Steps done in all phases.
    pub(super) step: usize,
    /// The phase that goes on.
    pub(super) phase: usize,
    /// Steps done in it.
    pub(super) step_in_phase: usize,
    /// The lowest equal error rate of the phase that was measured last, and its step, counted as `step` is.
    pub(super) best: Option<(f64, usize)>,
    /// The step at which it was last lower than ever before, where `best` may have been reached again since.
    #[serde(default)]
    pub(super) improved: usize,
    /// CRC-32 of `network.bpk`, which [`save`] fills in.
    pub(super) network: u32,
}

/// Which of the two checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of the network that is kept: see [`crate::recipe::Keep`].
    Best,
    /// Of the last measurement, to go on from.
    Last,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Kind::Best => "best-",
            Kind::Last => "last-",
        }
    }
}

/// The folder of checkpoints within a model's folder.
pub fn folder(model: &Path) -> PathBuf {
    model.join("checkpoint")
}

/// Whether a model has a checkpoint of a kind.
pub(super) fn exists(model: &Path, kind: Kind) -> Result<bool, TrainError> {
    Ok(newest(model, kind)?.is_some())
}

/// The file of the network of a model's newest checkpoint of a kind.
pub(super) fn network(model: &Path, kind: Kind) -> Result<Option<PathBuf>, TrainError> {
    Ok(newest(model, kind)?.map(|path| path.join(NETWORK)))
}

fn newest(model: &Path, kind: Kind) -> Result<Option<PathBuf>, TrainError> {
    let found = list(model, kind).map_err(|error| TrainError::read(&folder(model), error))?;
    Ok(found.into_iter().max().map(|(_, path)| path))
}

/// What goes on changing beside the network.
pub(super) struct Learning<'a> {
    pub(super) optimizer: &'a ModuleOptimizer,
    pub(super) head: Option<&'a Head>,
    pub(super) average: Option<&'a Net>,
}

/// Keeps a checkpoint and removes the older ones of its kind.
pub(super) fn save(
    model: &Path,
    kind: Kind,
    state: &State,
    net: &Net,
    learning: Option<Learning<'_>>,
) -> Result<(), TrainError> {
    let all = folder(model);
    let path = all.join(format!("{}{:09}", kind.prefix(), state.step));
    let write = || -> Result<(), std::io::Error> {
        let older = list(model, kind)?;
        let beside = all.join(format!("{}new", kind.prefix()));
        if beside.exists() {
            fs::remove_dir_all(&beside)?;
        }
        fs::create_dir_all(&beside)?;
        let record = |result: Result<(), RecordError>| result.map_err(std::io::Error::other);
        record(net.clone().into_record().save(beside.join(NETWORK)))?;
        if let Some(Learning { optimizer, head, average }) = learning {
            record(optimizer.save(beside.join(OPTIMIZER)))?;
            if let Some(average) = average {
                record(average.clone().into_record().save(beside.join(AVERAGE)))?;
            }
            if let Some(head) = head {
                record(head.clone().into_record().save(beside.join(HEAD)))?;
            }
        }
        let network = crc32(&fs::read(beside.join(NETWORK))?);
        fs::write(beside.join(STATE), serde_json::to_vec(&State { network, ..state.clone() })?)?;
        sync(&beside)?;
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::rename(&beside, &path)?;
        sync_names(&all)?;
        for (_, older) in older.into_iter().filter(|(_, older)| *older != path) {
            fs::remove_dir_all(older)?;
        }
        Ok(())
    };
    write().map_err(|error| TrainError::write(&path, error))
}

/// Waits until the files of `folder` are on the disk.
fn sync(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        OpenOptions::new().append(true).open(entry?.path())?.sync_all()?;
    }
    sync_names(folder)
}

/// Waits until the names in `folder` are on the disk, where a folder can be opened.
fn sync_names(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

const NETWORK: &str = "network.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const HEAD: &str = "head.bpk";
const AVERAGE: &str = "average.bpk";
const STATE: &str = "state.json";

/// The state of a model's newest checkpoint of a kind; none where there is no whole one.
pub(super) fn state(model: &Path, kind: Kind) -> Option<State> {
    let path = newest(model, kind).ok()??;
    serde_json::from_slice(&fs::read(path.join(STATE)).ok()?).ok()
}

/// The newest checkpoint of a kind: its state, and `net` with its weights. `None` where there is none; an error where it belongs
/// to another network or, by the recipe's `fingerprint`, to another training.
pub(super) fn load(
    model: &Path,
    kind: Kind,
    fingerprint: &str,
    net: Net,
) -> Result<Option<(State, Net, Checkpoint)>, TrainError> {
    let Some(path) = newest(model, kind)? else {
        return Ok(None);
    };
    let unusable = |file: &str, message: String| TrainError::Unusable { path: path.join(file), message };
    let text = fs::read(path.join(STATE)).map_err(|error| TrainError::read(&path.join(STATE), error))?;
    let state: State = serde_json::from_slice(&text).map_err(|error| unusable(STATE, error.to_string()))?;
    if state.architecture != *net.architecture() {
        return Err(TrainError::OtherNetwork { path });
    }
    if state.recipe != fingerprint {
        return Err(TrainError::OtherTraining { path });
    }
    let file = path.join(NETWORK);
    let bytes = fs::read(&file).map_err(|error| TrainError::read(&file, error))?;
    if crc32(&bytes) != state.network {
        return Err(unusable(NETWORK, "its checksum is not the one that was kept with it".to_string()));
    }
    let net = ModuleRecord::load(&file)
        .and_then(|record| net.try_load_record(record))
        .map_err(|error| unusable(NETWORK, one_line(&error)))?;
    Ok(Some((state, net, Checkpoint { path })))
}

/// A checkpoint on disk.
pub(super) struct Checkpoint {
    path: PathBuf,
}

impl Checkpoint {
    /// `net` with the averaged weights that were kept.
    pub(super) fn average(&self, net: Net) -> Result<Net, TrainError> {
        let path = self.path.join(AVERAGE);
        ModuleRecord::load(&path)
            .and_then(|record| net.try_load_record(record))
            .map_err(|error| TrainError::Unusable { message: one_line(&error), path })
    }

    /// `head` with the weights that were kept.
    pub(super) fn head(&self, head: Head) -> Result<Head, TrainError> {
        let path = self.path.join(HEAD);
        ModuleRecord::load(&path)
            .and_then(|record| head.try_load_record(record))
            .map_err(|error| TrainError::Unusable { message: one_line(&error), path })
    }

    /// `optimizer` with the moments that were kept.
    pub(super) fn optimizer(&self, optimizer: ModuleOptimizer) -> Result<ModuleOptimizer, TrainError> {
        let path = self.path.join(OPTIMIZER);
        match OptimizerRecord::load(&path) {
            Ok(record) => Ok(optimizer.load_record(record)),
            Err(error) => Err(TrainError::Unusable { message: one_line(&error), path }),
        }
    }
}

fn one_line(error: &RecordError) -> String {
    error.to_string().replace('\n', " ")
}

/// The complete checkpoints of a kind with their steps.
fn list(model: &Path, kind: Kind) -> Result<Vec<(usize, PathBuf)>, std::io::Error> {
    let entries = match fs::read_dir(folder(model)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix(kind.prefix()));
        if let Some(step) = number.and_then(|number| number.parse().ok()) {
            found.push((step, path));
        }
    }
    Ok(found)
}
