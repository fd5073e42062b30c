//! What the tests of the command line share.
#![allow(dead_code, reason = "every test file takes its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program.
pub(crate) const DOPPEL: &str = env!("CARGO_BIN_EXE_doppel");

/// Runs the program to its end.
pub(crate) fn doppel(args: &[&str]) -> Output {
    Command::new(DOPPEL).args(args).output().expect("doppel starts")
}

/// The folder of a committed model.
pub(crate) fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name)
}

/// Copies a folder with all that is below it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the model is committed") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// A copy of the committed glyphs, to be harmed.
pub(crate) fn glyphs() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let to = dir.path().join("glyphs");
    copy(&committed("glyphs"), &to);
    (dir, to)
}

/// `path` as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Asserts status 1 and one sentence on stderr that holds every one of `words`, and no part twice.
pub(crate) fn refused(output: &Output, words: &[&str]) {
    refused_with(1, output, words);
}

/// As [`refused`], with another status.
pub(crate) fn refused_with(status: i32, output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "one sentence: {said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing: {said}");
    }
    let parts: Vec<&str> = said.split(['\n', ';']).flat_map(|part| part.split(": ")).map(str::trim).collect();
    for (n, part) in parts.iter().enumerate().filter(|(_, part)| part.len() > 8) {
        assert!(!parts[..n].iter().any(|before| before.contains(part)), "{part:?} is said twice: {said}");
    }
}

/// Everything below `dir`, with its bytes.
pub(crate) fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(contents(&path))
        } else {
            all.push((path.clone(), fs::read(path).expect("a file")))
        }
    }
    all.sort();
    all
}

/// The picture of a square in the middle.
pub(crate) fn square(path: &Path) {
    let ink = |x: u32, y: u32| image::Luma([if (16..32).contains(&x) && (16..32).contains(&y) { 0 } else { 255 }]);
    image::GrayImage::from_fn(48, 48, ink).save(path).expect("a picture");
}
