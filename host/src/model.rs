//! A model's directory: what lies in it, opened and checked.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use shared::bundle::{Bundle, BundleError};
use tempfile::TempPath;
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
/// safely on the disk are they renamed into place. Where that fails for one, those before it are as they were again.
pub fn write_all(dir: &Path, files: &[(&str, &[u8])]) -> Result<(), ModelError> {
    let failed = |name: &str| {
        let path = dir.join(name);
        move |source| ModelError::Write { path, source }
    };
    fs::create_dir_all(dir).map_err(failed(""))?;
    let mut written = Vec::new();
    for (name, bytes) in files {
        written.push((*name, write_beside(dir, bytes).map_err(failed(name))?));
    }
    let mut placed = Vec::new();
    for (name, file) in written {
        let path = dir.join(name);
        let place = || -> io::Result<_> {
            let before = keep(dir, &path)?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(before)
        };
        match place() {
            Ok(before) => placed.push((path, before)),
            Err(error) => {
                for (path, before) in placed {
                    // What was there a moment ago goes back the same way; there is nobody left to tell if it does not.
                    let _ = match before {
                        Some(before) => before.persist(&path).map_err(|error| error.error),
                        None => fs::remove_file(&path),
                    };
                }
                return Err(failed(name)(error));
            }
        }
    }
    Ok(())
}

/// A new hidden file in `dir`, on the disk with `bytes`; it goes when it is dropped.
fn write_beside(dir: &Path, bytes: &[u8]) -> io::Result<TempPath> {
    let mut builder = tempfile::Builder::new();
    // As any other program's file: the user's mask decides who reads it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.prefix(".").suffix(".part").tempfile_in(dir).map_err(plain)?;
    file.as_file().write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file.into_temp_path())
}

/// The system's own error, without the name of a temporary file.
fn plain(error: io::Error) -> io::Error {
    let system = error.get_ref().and_then(|inner| inner.source()?.downcast_ref::<io::Error>()?.raw_os_error());
    system.map_or(error, io::Error::from_raw_os_error)
}

/// A hidden copy of the file at `path`, if there is one; it goes when it is dropped.
fn keep(dir: &Path, path: &Path) -> io::Result<Option<TempPath>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(_) => write_beside(dir, &fs::read(path)?).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_placed_leaves_no_trace() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("a"), b"old").unwrap();
        assert!(write_all(&path("a"), &[("b", b"new")]).is_err());
        // A folder in the place of the last file: those before must not be half of a set with it.
        fs::create_dir(path("c")).unwrap();
        let error = write_all(dir.path(), &[("a", b"new"), ("b", b"new"), ("c", b"new")]).unwrap_err().to_string();
        assert!(error.contains(path("c").to_str().unwrap()) && error.contains("directory"), "{error}");
        assert_eq!(fs::read(path("a")).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        write_all(dir.path(), &[("a", b"new"), ("b", b"more")]).unwrap();
        assert_eq!((fs::read(path("a")).unwrap(), fs::read(path("b")).unwrap()), (b"new".into(), b"more".into()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }

    #[test]
    #[cfg(unix)]
    fn what_is_written_is_as_readable_as_any_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("plain"), b"x").unwrap();
        write_all(dir.path(), &[("ours", b"x")]).unwrap();
        let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("ours"), mode("plain"));
    }

    #[test]
    fn a_missing_bundle_says_what_to_run() {
        let dir = tempfile::tempdir().unwrap();
        let error = BundleBytes::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("doppel export"), "{error}");
    }
}
