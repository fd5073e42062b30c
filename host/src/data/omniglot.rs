//! Omniglot (Lake, Salakhutdinov and Tenenbaum 2015): `DIR/ALPHABET/CHARACTER/*.png`, or several such folders in `DIR`.
//!
//! An identity is a character, named `ALPHABET/CHARACTER`. Where `DIR` holds sets of alphabets (`images_background_small1`,
//! `images_background_small2`), they are merged: an alphabet that stands in several of them is one, and of pictures with the
//! same file name, which is unique within Omniglot, the first is taken. The folder `one_shot_runs`, which is for testing
//! only, is passed over, and so are folders without pictures beside the alphabets (those of strokes); as `DIR` it is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::images::{self, entries, is_picture};
use super::{DataError, Dataset, natural_order};

/// The folder of Lake's one-shot task.
const RUNS: &str = "one_shot_runs";
/// The list of pairs in each of its runs.
const LABELS: &str = "class_labels.txt";

/// One character: its name and its pictures.
struct Character {
    name: String,
    /// By file name.
    files: BTreeMap<String, PathBuf>,
}

/// The names of the characters in `folder`, at least two, those of an alphabet together, in natural order.
pub fn identities(folder: &Path) -> Result<Vec<String>, DataError> {
    Ok(characters(folder)?.into_iter().map(|character| character.name).collect())
}

/// The pictures of the characters in `folder` whose names `keep` accepts; of a character in the order of the file names.
pub fn load(folder: &Path, keep: impl Fn(&str) -> bool) -> Result<Dataset, DataError> {
    let mut characters = characters(folder)?;
    characters.retain(|character| keep(&character.name));
    let files = characters.iter().enumerate();
    let files =
        files.flat_map(|(identity, own)| own.files.values().map(move |path| (identity, path.clone()))).collect();
    let samples = images::read_all(files)?;
    Ok(Dataset { identities: characters.into_iter().map(|own| own.name).collect(), samples, ..Dataset::default() })
}

/// The alphabets of `names`, which are characters as [`identities`] gives them, each with its characters.
pub(super) fn alphabets(names: &[String]) -> Vec<(&str, &[String])> {
    let own = |name: &String| name.split('/').next().unwrap_or_default().len();
    let together = names.chunk_by(|a, b| a[..own(a)] == b[..own(b)]);
    together.filter_map(|names| names.first().map(|first| (&first[..own(first)], names))).collect()
}

fn characters(folder: &Path) -> Result<Vec<Character>, DataError> {
    if !folder.is_dir() {
        return Err(DataError::NoFolder(folder.to_path_buf()));
    }
    let mut all = BTreeMap::new();
    for (name, path) in folders(folder)? {
        if path.join(LABELS).is_file() {
            return Err(DataError::OneShotRuns(folder.to_path_buf()));
        }
        if name == RUNS || alphabet(&name, &path, &mut all)? {
            continue;
        }
        // No alphabet, but maybe a set of them.
        for (name, path) in folders(&path)? {
            alphabet(&name, &path, &mut all)?;
        }
    }
    if all.len() < 2 {
        return Err(DataError::Characters { path: folder.to_path_buf(), found: all.len() });
    }
    let mut all: Vec<_> = all.into_iter().map(|(name, files)| Character { name, files }).collect();
    all.sort_by(|a, b| natural_order(&a.name, &b.name));
    Ok(all)
}

/// Adds the characters of the alphabet `name` at `path`; `false` if that is none, because no folder in it holds pictures.
fn alphabet(name: &str, path: &Path, all: &mut BTreeMap<String, BTreeMap<String, PathBuf>>) -> Result<bool, DataError> {
    let mut found = Vec::new();
    for (character, path) in folders(path)? {
        let pictures: Vec<_> = entries(&path)?.into_iter().filter(|(_, path)| is_picture(path)).collect();
        found.push((character, path, pictures));
    }
    if found.iter().all(|(_, _, pictures)| pictures.is_empty()) {
        return Ok(false);
    }
    for (character, path, pictures) in found {
        if pictures.is_empty() {
            return Err(DataError::NoPictures(path));
        }
        let files = all.entry(format!("{name}/{character}")).or_default();
        for (file, path) in pictures {
            files.entry(file).or_insert(path);
        }
    }
    Ok(true)
}

/// The folders in `folder`.
fn folders(folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let mut entries = entries(folder)?;
    entries.retain(|(_, path)| path.is_dir());
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::images::tests::folder_of;
    use std::fs;
    use tempfile::TempDir;

    /// Of pictures of one pixel, its value the file's number here.
    fn folder(files: &[&str]) -> TempDir {
        folder_of([1, 1], files)
    }

    fn values(dataset: &Dataset) -> Vec<(usize, u8)> {
        let value = |sample: &crate::data::Sample| (sample.identity, sample.raw.pixels()[0]);
        dataset.samples.iter().map(value).collect()
    }

    #[test]
    fn characters_are_named_by_alphabet() {
        let folder =
            folder(&["Latin/character02/1_02.png", "Latin/character02/1_01.png", "Greek/character10/2_01.png"]);
        assert_eq!(identities(folder.path()).expect("sound"), ["Greek/character10", "Latin/character02"]);
        let latin = load(folder.path(), |name| name.starts_with("Latin/")).expect("sound");
        assert_eq!((latin.identities.len(), values(&latin)), (1, vec![(0, 1), (0, 0)]));
    }

    #[test]
    fn sets_are_merged_and_the_runs_left_out() {
        let folder = folder(&[
            "small1/Greek/character01/0394_01.png",
            "small2/Greek/character01/0394_01.png",
            "small2/Greek/character01/0394_02.png",
            "small2/Tagalog/character01/0900_01.png",
            "one_shot_runs/run01/training/item01.png",
        ]);
        fs::create_dir_all(folder.path().join("strokes/Greek/character01")).expect("a folder");
        fs::write(folder.path().join("LICENSE"), "MIT").expect("a file");
        let all = load(folder.path(), |_| true).expect("sound");
        assert_eq!(all.identities, ["Greek/character01", "Tagalog/character01"]);
        assert_eq!(values(&all), [(0, 0), (0, 2), (1, 3)]);
    }

    #[test]
    fn runs_are_no_alphabets() {
        let folder =
            folder(&["one_shot_runs/run01/training/a.png", "one_shot_runs/run01/test/a.png", "A/1/1.png", "A/2/1.png"]);
        let runs = folder.path().join(RUNS);
        fs::write(runs.join("run01").join(LABELS), "run01/test/a.png run01/training/a.png").expect("a file");
        let error = identities(&runs).expect_err("no characters").to_string();
        assert!(error.contains("--protocol one-shot-runs") && !error.contains('\n'), "{error}");
        assert_eq!(identities(folder.path()).expect("sound"), ["A/1", "A/2"]);
    }

    #[test]
    fn alphabets_are_runs_of_names() {
        let names = ["A/1", "A/2", "AB/1"].map(String::from);
        assert_eq!(alphabets(&names), [("A", &names[..2]), ("AB", &names[2..])]);
        assert!(alphabets(&[]).is_empty());
    }

    #[test]
    fn folders_that_are_none_are_named() {
        let flat = folder(&["a/1.png", "b/1.png"]);
        let error = identities(flat.path()).expect_err("no alphabets").to_string();
        assert!(error.contains("ALPHABET/CHARACTER") && error.contains("0 characters"), "{error}");
        let gap = folder(&["A/1/1.png", "A/2/1.png"]);
        fs::create_dir(gap.path().join("A/3")).expect("a folder");
        let error = load(gap.path(), |_| true).expect_err("an empty character").to_string();
        assert!(error.contains("A/3 holds no picture"), "{error}");
        let missing = identities(&gap.path().join("none"));
        assert!(matches!(missing, Err(DataError::NoFolder(_))));
    }
}
