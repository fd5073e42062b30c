//! The desktop's gallery file: the templates of one model as JSON, decided over by the board's own code.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::bundle::Header;
use shared::embedding::{Distance, MAX_DIM};
use shared::gallery::{self, EnrolError, Gallery, Label};
use thiserror::Error;

use crate::model::{ModelError, write_all};

/// The name of the gallery file in a model's folder.
pub const FILE_NAME: &str = "gallery.json";

/// Most identities of a gallery file.
pub const IDENTITIES: usize = 1024;

/// The board's gallery, sized for a desktop.
pub type DesktopGallery = Box<Gallery<IDENTITIES, MAX_DIM>>;

#[derive(Serialize, Deserialize)]
struct Contents {
    /// The model that the templates belong to, hexadecimal.
    model: String,
    templates: Vec<Template>,
}

#[derive(Serialize, Deserialize)]
struct Template {
    label: String,
    /// Absent of one sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spread: Option<Distance>,
    embedding: Vec<i8>,
}

/// Why a gallery file cannot be used.
#[derive(Debug, Error)]
pub enum GalleryError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}; enrol somebody first with `doppel enroll`", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not a gallery.
    #[error("{path} is not a gallery file: {reason}; name another with --gallery", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A folder.
    #[error("{0} is a folder; name a gallery file with --gallery")]
    Folder(PathBuf),
    /// Its templates were made by another model.
    #[error("{path} holds templates of model {found}, this is model {expected}: enrol again, templates of one model mean nothing to another", path = path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// The model of the templates.
        found: String,
        /// The model in use.
        expected: String,
    },
    /// The model has no threshold.
    #[error("the model's threshold was never sealed: run `doppel export` again")]
    Unsealed,
    /// A template does not fit.
    #[error("{0}")]
    Enrol(#[from] EnrolError),
    /// A label is too long, or holds control characters.
    #[error("the label {0:?} is longer than {max} bytes, or holds control characters: choose another", max = shared::gallery::MAX_LABEL)]
    Label(String),
    /// It cannot be kept from other programs.
    #[error("cannot lock {path}: {source}; name a gallery in another folder with --gallery", path = path.display())]
    Lock {
        /// The file beside it that is locked.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] ModelError),
}

fn id(header: &Header) -> String {
    format!("{:016x}", header.model_id)
}

/// A label of `name`.
pub fn label(name: &str) -> Result<Label, GalleryError> {
    match name.contains(char::is_control) {
        true => Err(GalleryError::Label(name.to_string())),
        false => name.parse().map_err(|_| GalleryError::Label(name.to_string())),
    }
}

/// An empty gallery for the model of `header`.
pub fn empty(header: &Header) -> Result<DesktopGallery, GalleryError> {
    Gallery::new(header).map(Box::new).ok_or(GalleryError::Unsealed)
}

/// Reads the gallery at `path`, which must be of the model of `header`.
pub fn open(path: &Path, header: &Header) -> Result<DesktopGallery, GalleryError> {
    let text = fs::read_to_string(path).map_err(|source| GalleryError::Read { path: path.into(), source })?;
    let format = |reason: String| GalleryError::Format { path: path.into(), reason };
    let file: Contents = serde_json::from_str(&text).map_err(|error| format(error.to_string()))?;
    if file.model != id(header) {
        return Err(GalleryError::Model { path: path.into(), found: file.model, expected: id(header) });
    }
    let mut gallery = empty(header)?;
    for template in file.templates {
        let Template { label: name, spread, embedding } = template;
        let label = label(&name).map_err(|error| format(error.to_string()))?;
        let template = gallery::Template { label: &label, embedding: &embedding, spread };
        gallery.enrol(template).map_err(|error| format(error.to_string()))?;
    }
    Ok(gallery)
}

/// Waits until no other program changes the gallery at `path`; none does until the file that this returns is dropped.
pub fn lock(path: &Path) -> Result<File, GalleryError> {
    let (dir, name) = place(path);
    if name.is_empty() || path.is_dir() {
        return Err(GalleryError::Folder(path.into()));
    }
    // The gallery itself is replaced as a whole, so that its own file is another one after each change.
    let path = dir.join(format!(".{name}.lock"));
    let lock = || -> std::io::Result<File> {
        fs::create_dir_all(dir)?;
        let file = File::options().write(true).create(true).truncate(false).open(&path)?;
        file.lock()?;
        Ok(file)
    };
    lock().map_err(|source| GalleryError::Lock { path: path.clone(), source })
}

/// The folder and the name of the file at `path`.
fn place(path: &Path) -> (&Path, String) {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    (dir, path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
}

/// Writes `gallery` to `path`.
pub fn save(path: &Path, header: &Header, gallery: &DesktopGallery) -> Result<(), GalleryError> {
    let of = |t: gallery::Template<'_>| Template {
        label: t.label.to_string(),
        spread: t.spread,
        embedding: t.embedding.to_vec(),
    };
    let templates = gallery.templates().map(of).collect();
    let text = serde_json::to_vec(&Contents { model: id(header), templates }).unwrap_or_default();
    let (dir, name) = place(path);
    Ok(write_all(dir, &[(&name, &text)])?)
}
