//! A model's directory: what lies in it, opened and checked.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use shared::bundle::{Bundle, BundleError};
use thiserror::Error;

/// The file of the board's bundle.
pub const BUNDLE: &str = "model.bundle";
/// The file of the quantized network for other engines.
pub const ONNX: &str = "model.onnx";
/// The file of the golden vectors.
pub const GOLDEN: &str = "golden.bin";

/// Why a model's file cannot be used.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; run `doppel export {dir}` to make it", dir = dir.display(), path = path.display())]
    Read {
        /// The model's directory.
        dir: PathBuf,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bundle is damaged or of another program.
    #[error("{path}: {source}; run `doppel export` again", path = path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: BundleError,
    },
    /// Results cannot be written.
    #[error("cannot write {path}: {source}; nothing was changed", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A bundle's bytes at an address that is a multiple of four, as its check asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleBytes {
    words: Vec<u32>,
    len: usize,
}

impl BundleBytes {
    /// Room for `len` bytes, zero.
    pub fn zeroed(len: usize) -> Self {
        BundleBytes { words: vec![0; len.div_ceil(4)], len }
    }

    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut aligned = Self::zeroed(bytes.len());
        aligned.as_mut_slice().copy_from_slice(bytes);
        aligned
    }

    /// Reads and checks the bundle of the model in `dir`.
    pub fn open(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join(BUNDLE);
        let read = |source| ModelError::Read { dir: dir.to_path_buf(), path: path.clone(), source };
        let bytes = Self::copy_of(&fs::read(&path).map_err(read)?);
        bytes.bundle().map_err(|source| ModelError::Bundle { path, source })?;
        Ok(bytes)
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }

    /// The bytes, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len]
    }

    /// The checked view.
    pub fn bundle(&self) -> Result<Bundle<'_>, BundleError> {
        Bundle::check(self.as_slice())
    }
}

/// Writes `files` (name, bytes) into `dir`, all or none: each goes to a temporary file first, and only when all of them are
/// safely on the disk are they renamed into place.
pub fn write_all(dir: &Path, files: &[(&str, &[u8])]) -> Result<(), ModelError> {
    let failed = |name: &str| {
        let path = dir.join(name);
        move |source| ModelError::Write { path, source }
    };
    fs::create_dir_all(dir).map_err(failed(""))?;
    let mut written = Vec::new();
    for (name, bytes) in files {
        let write = || -> io::Result<_> {
            let mut file = tempfile::Builder::new().prefix(".").suffix(".part").tempfile_in(dir)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            Ok(file)
        };
        written.push((name, write().map_err(failed(name))?));
    }
    for (name, file) in written {
        file.persist(dir.join(name)).map_err(|error| failed(name)(error.error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_placed_leaves_no_trace() {
        let dir = tempfile::tempdir().unwrap();
        // A folder in the place of the second file: the first one must not be half of a pair with an old one.
        fs::write(dir.path().join("a"), b"old").unwrap();
        assert!(write_all(&dir.path().join("a"), &[("b", b"new")]).is_err());
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"old");
        write_all(dir.path(), &[("a", b"new"), ("c", b"more")]).unwrap();
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_missing_bundle_says_what_to_run() {
        let dir = tempfile::tempdir().unwrap();
        let error = BundleBytes::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("doppel export"), "{error}");
    }
}
