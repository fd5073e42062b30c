//! What the files of an export were made from, and whether they still belong together.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::bundle::Header;
use thiserror::Error;

use super::bundle::padded;
use crate::checksum::crc32;
use crate::model::{BUNDLE, BundleBytes, ModelError};
use crate::recipe::Recipe;
use crate::train::{self, TrainError};

/// The name of an [`Origin`] in a model's folder.
pub const ORIGIN: &str = "export.json";

/// What an export was made from and what came out, as `export.json` holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The model id of bundle, ONNX file and golden vectors, 16 hexadecimal digits.
    pub model: String,
    /// [`Recipe::fingerprint`] of the training.
    pub training: String,
    /// [`Recipe::export_fingerprint`].
    pub export: String,
    /// CRC-32 of the checkpoint's `network.bpk`, 8 hexadecimal digits.
    pub network: String,
    /// CRC-32 of each file that was written.
    pub files: Vec<(String, String)>,
}

/// Why a model's files do not belong together.
#[derive(Debug, Error)]
pub enum OriginError {
    /// The bundle is another model's than the recipe describes.
    #[error(
        "{} does not come from the recipe beside it, whose {what} is another: run `doppel export {}`, or restore the file",
        dir.join(BUNDLE).display(), dir.display()
    )]
    OtherModel {
        /// The model's folder.
        dir: PathBuf,
        /// What differs first.
        what: &'static str,
    },
    /// Recipe or checkpoint are of a training after the export.
    #[error(
        "{} was exported before {what} beside it changed: run `doppel export {}`, or restore what it was exported from",
        dir.join(BUNDLE).display(), dir.display()
    )]
    OtherTraining {
        /// The model's folder.
        dir: PathBuf,
        /// What differs first.
        what: &'static str,
    },
    /// There is a checkpoint, but nothing says whether the bundle is of it.
    #[error(
        "{} does not tell whether it is of the checkpoint beside it, since {} is missing: run `doppel export {}`",
        dir.join(BUNDLE).display(), ORIGIN, dir.display()
    )]
    NoOrigin {
        /// The model's folder.
        dir: PathBuf,
    },
    /// A file is not the one that the export wrote.
    #[error("{} is not the file that the export wrote: run `doppel export {}`", dir.join(file).display(), dir.display())]
    Changed {
        /// The model's folder.
        dir: PathBuf,
        /// The file.
        file: String,
    },
    /// The note on the export is not one.
    #[error("{} cannot be read ({reason}): run `doppel export` again", path.display())]
    Format {
        /// The note.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file of the model cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] TrainError),
}

impl Origin {
    /// The note on an export of the training in `dir` that gave `files` (name, bytes).
    pub(super) fn new(
        dir: &Path,
        recipe: &Recipe,
        header: &Header,
        files: &[(&str, &[u8])],
    ) -> Result<Origin, TrainError> {
        Ok(Origin {
            model: format!("{:016x}", header.model_id),
            training: recipe.fingerprint(),
            export: recipe.export_fingerprint(),
            network: train::network_checksum(dir)?.map(hex).unwrap_or_default(),
            files: files.iter().map(|(name, bytes)| (name.to_string(), hex(crc32(bytes)))).collect(),
        })
    }

    /// The note in `dir`; none where the export was made without one.
    pub fn load(dir: &Path) -> Result<Option<Origin>, OriginError> {
        let path = dir.join(ORIGIN);
        let format = |reason: String| OriginError::Format { path: path.clone(), reason };
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| format(error.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format(error.to_string())),
        }
    }
}

fn hex(checksum: u32) -> String {
    format!("{checksum:08x}")
}

/// Refuses the bundle in `dir` where it was not exported from `recipe` and from the checkpoint beside it, if there is one. Without
/// an [`Origin`] and a checkpoint only what the bundle itself says is compared.
pub fn check_origin(dir: &Path, recipe: &Recipe) -> Result<(), OriginError> {
    let bytes = BundleBytes::open(dir)?;
    let header = *bytes.bundle().map_err(|source| ModelError::Bundle { path: dir.join(BUNDLE), source })?.header();
    let same = [
        ("name", header.name == padded(&recipe.name)),
        ("input", header.frontend == recipe.front_end()),
        ("metric", header.metric == recipe.net.metric.into()),
        ("embedding", usize::from(header.dim) == recipe.net.embedding),
    ];
    if let Some(&(what, _)) = same.iter().find(|(_, same)| !same) {
        return Err(OriginError::OtherModel { dir: dir.to_path_buf(), what });
    }
    let network = train::network_checksum(dir)?.map(hex);
    let origin = match Origin::load(dir)? {
        Some(origin) => origin,
        None if network.is_some() => return Err(OriginError::NoOrigin { dir: dir.to_path_buf() }),
        None => return Ok(()),
    };
    let other = |what| Err(OriginError::OtherTraining { dir: dir.to_path_buf(), what });
    if origin.training != recipe.fingerprint() || origin.export != recipe.export_fingerprint() {
        return other("the recipe");
    } else if network.is_some_and(|network| network != origin.network) {
        return other("the checkpoint");
    }
    for (file, expected) in origin.files {
        let found = fs::read(dir.join(&file)).ok().map(|bytes| hex(crc32(&bytes)));
        if found.is_some_and(|found| found != expected) {
            return Err(OriginError::Changed { dir: dir.to_path_buf(), file });
        }
    }
    Ok(())
}
