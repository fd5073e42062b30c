//! `training.jsonl`: what happened, one JSON object a line.
//!
//! `{"phase":0,"step":20,"loss":0.13,"learning_rate":0.002,"images_per_second":2100.0,"seconds":1.2}` every [`EVERY`] steps, before
//! every measurement and where training is stopped, the loss being the mean since the line before; and
//! `{"phase":0,"step":100,"eer":0.04}` for every measurement. `step` counts all phases.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::TrainError;

/// Most steps between two lines on the loss.
pub(super) const EVERY: usize = 10;

/// Name of the log in a model's folder.
pub const FILE_NAME: &str = "training.jsonl";

/// One line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Number of the phase, from 0.
    pub phase: usize,
    /// Steps done in all phases.
    pub step: usize,
    /// Mean loss since the last line that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f32>,
    /// Learning rate of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Images trained on a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images_per_second: Option<f64>,
    /// Seconds that all steps so far took; measurements and pauses of the training are not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Equal error rate on the validation samples, a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eer: Option<f64>,
}

impl Line {
    /// A line without measurements.
    pub(super) fn new(phase: usize, step: usize) -> Line {
        Line { phase, step, loss: None, learning_rate: None, images_per_second: None, seconds: None, eer: None }
    }
}

/// The log of the model in `folder`, in the order of its lines; one that a power cut has left unfinished is passed over.
pub fn read_log(folder: &Path) -> Result<Vec<Line>, TrainError> {
    let path = folder.join(FILE_NAME);
    let text = fs::read_to_string(&path).map_err(|error| TrainError::read(&path, error))?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// The open log.
pub(super) struct Log {
    file: File,
    path: PathBuf,
    /// Of its last line on the loss.
    seconds: f64,
}

impl Log {
    /// Opens the log with its lines up to `step`; the later ones were written after the checkpoint that training goes on from.
    pub(super) fn open(folder: &Path, step: usize) -> Result<Log, TrainError> {
        let path = folder.join(FILE_NAME);
        let mut lines = if step > 0 { read_log(folder).unwrap_or_default() } else { vec![] };
        lines.retain(|line| line.step <= step);
        let seconds = lines.iter().rev().find_map(|line| line.seconds).unwrap_or(0.0);
        let open = || -> std::io::Result<File> {
            let mut kept = String::new();
            for line in &lines {
                kept += &serde_json::to_string(line)?;
                kept += "\n";
            }
            let beside = folder.join(".training.jsonl.new");
            fs::write(&beside, kept)?;
            fs::rename(&beside, &path)?;
            OpenOptions::new().append(true).open(&path)
        };
        let file = open().map_err(|error| TrainError::write(&path, error))?;
        Ok(Log { file, path, seconds })
    }

    /// A line on `images` that steps took so long for.
    pub(super) fn steps(&mut self, line: Line, images: usize, took: Duration) -> Result<(), TrainError> {
        let took = took.as_secs_f64();
        self.seconds += took;
        let seconds = (self.seconds * 1e3).round() / 1e3;
        let rate = images as f64 / took.max(1e-9);
        self.write(&Line { images_per_second: Some(rate), seconds: Some(seconds), ..line })
    }

    pub(super) fn write(&mut self, line: &Line) -> Result<(), TrainError> {
        let write = |file: &mut File| -> std::io::Result<()> {
            let mut text = serde_json::to_vec(line)?;
            text.push(b'\n');
            file.write_all(&text)
        };
        write(&mut self.file).map_err(|error| TrainError::write(&self.path, error))
    }
}
