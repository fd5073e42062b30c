//! Lake's one-shot classification runs: which of twenty drawings shows the same character as another drawer's
//! (Lake, Salakhutdinov and Tenenbaum 2015, "Human-level concept learning through probabilistic program induction").
//!
//! A folder holds `run01`, `run02` and so on, each with a `class_labels.txt` whose lines pair a test picture with the training
//! picture of its class, as `run01/test/item01.png run01/training/class08.png`. A run's training pictures are the choices.

use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Embedded;
use crate::data::{DataError, Dataset, Sample, images, natural_order};

/// Name of the folder of runs within Omniglot's.
const FOLDER: &str = "one_shot_runs";
/// Name of a run's list of pairs.
const LABELS: &str = "class_labels.txt";

/// Why runs cannot be read.
#[derive(Debug, Error)]
pub enum RunsError {
    /// A folder or file cannot be read.
    #[error("cannot read {}: {source}; give --data the folder of the runs", path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No run is there.
    #[error("{} holds no run with a {LABELS}, nor does a {FOLDER} in it; give --data the folder that holds run01", .0.display())]
    NoRuns(PathBuf),
    /// A line is no pair.
    #[error("line {line} of {}: `{text}` is not a test and a training picture; fetch the runs again", path.display())]
    Pair {
        /// The list.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// A list without a pair.
    #[error("{} names no pictures; fetch the runs again", .0.display())]
    Empty(PathBuf),
    /// A picture cannot be read.
    #[error(transparent)]
    Picture(#[from] DataError),
}

/// One run: its choices and its questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The training pictures.
    pub choices: Vec<PathBuf>,
    /// Test pictures, each with the index of the right choice.
    pub questions: Vec<(PathBuf, usize)>,
}

/// The runs in `folder`, or in the `one_shot_runs` within it, in the order of their numbers.
pub fn runs(folder: &Path) -> Result<Vec<Run>, RunsError> {
    for folder in [folder.join(FOLDER), folder.to_path_buf()] {
        if !folder.is_dir() {
            continue;
        }
        let read = |source| RunsError::Read { path: folder.clone(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(read)? {
            let entry = entry.map_err(read)?;
            if entry.path().join(LABELS).is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort_by(|a, b| natural_order(a, b));
        if !names.is_empty() {
            return names.iter().map(|name| run(&folder, name)).collect();
        }
    }
    Err(RunsError::NoRuns(folder.to_path_buf()))
}

fn run(folder: &Path, name: &str) -> Result<Run, RunsError> {
    let path = folder.join(name).join(LABELS);
    let text = fs::read_to_string(&path).map_err(|source| RunsError::Read { path: path.clone(), source })?;
    let mut pairs = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [test, training] = words[..] else {
            return Err(RunsError::Pair { path, line: index + 1, text: line.to_string() });
        };
        pairs.push((folder.join(test), folder.join(training)));
    }
    if pairs.is_empty() {
        return Err(RunsError::Empty(path));
    }
    let mut choices: Vec<PathBuf> = pairs.iter().map(|(_, training)| training.clone()).collect();
    choices.sort();
    choices.dedup();
    let right = |training: &PathBuf| choices.binary_search(training).unwrap_or(0);
    let questions = pairs.iter().map(|(test, training)| (test.clone(), right(training))).collect();
    Ok(Run { choices, questions })
}

impl Run {
    /// Its pictures, each an identity of its own: its choices, then its questions.
    pub fn load(&self) -> Result<Dataset, RunsError> {
        let mut data = Dataset::default();
        for path in self.choices.iter().chain(self.questions.iter().map(|(path, _)| path)) {
            data.identities.push(path.display().to_string());
            data.samples.push(Sample { identity: data.samples.len(), raw: images::read(path)? });
        }
        Ok(data)
    }

    /// Wrong answers to its questions, of how many, by embeddings of what [`load`](Self::load) gives; a tie for the nearest choice
    /// counts as the chance that a draw among the tied would be wrong.
    pub fn errors(&self, embedded: &Embedded) -> (f64, usize) {
        let right: Vec<usize> = self.questions.iter().map(|&(_, right)| right).collect();
        (wrong(embedded, self.choices.len(), &right), right.len())
    }
}

/// Wrong answers where the first `choices` embeddings are the choices and question `q` follows as number `choices + q`.
fn wrong(embedded: &Embedded, choices: usize, right: &[usize]) -> f64 {
    let answer = |(question, &right): (usize, &usize)| {
        let distance = |choice: usize| embedded.distance(choices + question, embedded, choice);
        let nearest = (0..choices).map(distance).fold(f64::INFINITY, f64::min);
        let tied = (0..choices).filter(|&choice| distance(choice) == nearest).count();
        if distance(right) == nearest { 1.0 - 1.0 / tied as f64 } else { 1.0 }
    };
    right.iter().enumerate().map(answer).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma};
    use shared::embedding::Metric;

    /// Two runs of three choices each under `folder`.
    fn write(folder: &Path) {
        for run in ["run2", "run10"] {
            let mut labels = String::new();
            for (item, class) in [(1, 3), (2, 1), (3, 2)] {
                labels += &format!("{run}/test/item{item}.png {run}/training/class{class}.png\n");
            }
            for (kind, name) in [("test", "item"), ("training", "class")] {
                let own = folder.join(run).join(kind);
                fs::create_dir_all(&own).unwrap();
                for n in 1..=3u8 {
                    GrayImage::from_pixel(4, 4, Luma([n * 50])).save(own.join(format!("{name}{n}.png"))).unwrap();
                }
            }
            fs::write(folder.join(run).join(LABELS), labels).unwrap();
        }
    }

    #[test]
    fn runs_are_found_in_the_folder_or_in_omniglots() {
        let omniglot = tempfile::tempdir().unwrap();
        let folder = omniglot.path().join(FOLDER);
        write(&folder);
        let found = runs(&folder).unwrap();
        assert_eq!(found, runs(omniglot.path()).unwrap());
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].choices[0], folder.join("run10/training/class1.png"));
        assert_eq!(found[0].questions[0], (folder.join("run2/test/item1.png"), 2));
    }

    #[test]
    fn a_folder_without_runs_and_a_broken_list_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = runs(folder.path()).unwrap_err().to_string();
        assert!(error.contains("run01") && !error.contains('\n'), "{error}");
        write(folder.path());
        fs::write(folder.path().join("run2").join(LABELS), "a b\nonly-one\n").unwrap();
        let error = runs(folder.path()).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("only-one"), "{error}");
    }

    #[test]
    fn wrong_answers_by_hand() {
        // Choices 0, 10, 10; questions 1 (right), 6 (nearest are both 10: half a chance), 2 (wrong).
        let embedded = Embedded::int8(Metric::Euclidean, 1, vec![0, 10, 10, 1, 6, 2], (0..6).collect());
        assert_eq!(wrong(&embedded, 3, &[0, 1, 2]), 1.5);
    }
}
