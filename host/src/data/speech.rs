//! Recordings: WAV files of any rate, 8 to 32 bit, one channel or several, which are mixed down.
//!
//! Either `DIR/NAME/*.wav`, the folder's name being the identity (a speaker's or, as in Speech Commands, a word), or files that are
//! named `WORD_SPEAKER_INDEX.wav`, as in the Free Spoken Digit Dataset; a [`Task`] says what is the identity. Hidden files are
//! passed over.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavReader, WavSpec};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::images::entries;
use super::{DataError, Dataset, Pattern, RawSample, Sample, Split, natural_order};

/// Whose or what a recording named `WORD_SPEAKER_INDEX.wav` is; recordings in folders are their folder's, whose name says one of the
/// two and not both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Who speaks: `george`.
    #[default]
    Speaker,
    /// What is said: `3`.
    Word,
    /// Who says what: `3_george`. An embedding that tells these apart serves both tasks.
    Both,
}

impl Task {
    /// What stands before the task that `text` ends with, and the task.
    pub(super) fn behind(text: &str) -> (&str, Task) {
        match text.rsplit_once('#') {
            Some((before, "speaker")) => (before, Task::Speaker),
            Some((before, "word")) => (before, Task::Word),
            Some((before, "both")) => (before, Task::Both),
            _ => (text, Task::Speaker),
        }
    }

    /// How it is written behind a source.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Task::Speaker => "",
            Task::Word => "#word",
            Task::Both => "#both",
        }
    }
}

/// A recording's file and what its name says.
struct Recording {
    word: String,
    speaker: String,
    path: PathBuf,
}

impl Recording {
    fn identity(&self, task: Task) -> String {
        match task {
            Task::Speaker => self.speaker.clone(),
            Task::Word => self.word.clone(),
            Task::Both => format!("{}_{}", self.word, self.speaker),
        }
    }
}

/// Whether `path` is named as a recording.
pub fn is_recording(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wav"))
}

/// The recordings in `folder`, by name; those in folders are of a word and a speaker that have their folder's name.
fn recordings(folder: &Path, task: Task) -> Result<Vec<Recording>, DataError> {
    if !folder.is_dir() {
        return Err(DataError::NoFolder(folder.to_path_buf()));
    }
    let all = entries(folder)?;
    let mut found = Vec::new();
    for (name, own) in all.iter().filter(|(_, path)| path.is_dir()) {
        let files = entries(own)?.into_iter().filter(|(_, path)| is_recording(path));
        found.extend(files.map(|(_, path)| Recording { word: name.clone(), speaker: name.clone(), path }));
    }
    if let Some(Recording { path: within, .. }) = found.first() {
        if let Some((_, beside)) = all.iter().find(|(_, path)| path.is_file() && is_recording(path)) {
            return Err(DataError::RecordingPlaces { beside: beside.clone(), within: within.clone() });
        }
        return match task {
            Task::Speaker | Task::Word => Ok(found),
            Task::Both => Err(DataError::SpeechTask(folder.to_path_buf())),
        };
    }
    for (name, path) in all.into_iter().filter(|(_, path)| is_recording(path)) {
        let stem = name.get(..name.len() - ".wav".len()).unwrap_or_default();
        let parts: Vec<&str> = stem.split('_').collect();
        let [word, speaker, _] = parts[..] else {
            return Err(DataError::RecordingName(path));
        };
        found.push(Recording { word: word.to_string(), speaker: speaker.to_string(), path });
    }
    match found.is_empty() {
        true => Err(DataError::NoRecordings(folder.to_path_buf())),
        false => Ok(found),
    }
}

fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort_by(|a, b| natural_order(a, b));
    names.dedup();
    names
}

/// The names of the identities in `folder`, in natural order.
pub fn identities(folder: &Path, task: Task) -> Result<Vec<String>, DataError> {
    Ok(distinct(recordings(folder, task)?.iter().map(|recording| recording.identity(task))))
}

/// The recordings in `folder` of the identities whose names `keep` accepts.
pub fn load(folder: &Path, task: Task, keep: impl Fn(&str) -> bool) -> Result<Dataset, DataError> {
    let recordings = recordings(folder, task)?;
    let identities = distinct(recordings.iter().map(|recording| recording.identity(task)).filter(|name| keep(name)));
    let place = |recording: &Recording| {
        let name = recording.identity(task);
        identities.iter().position(|known| *known == name)
    };
    let mut files: Vec<(usize, PathBuf)> =
        recordings.into_iter().filter_map(|recording| Some((place(&recording)?, recording.path))).collect();
    files.sort_by_key(|(identity, _)| *identity);
    let samples = files
        .into_par_iter()
        .map(|(identity, path)| read(&path).map(|raw| Sample { identity, raw }))
        .collect::<Result<_, _>>()?;
    Ok(Dataset { identities, samples, ..Dataset::default() })
}

/// Words and speakers both unseen: of the speakers, in natural order, the last fifth tests and the fifth before chooses the threshold
/// (at least one each); the last three tenths of the words (at least one) do not train, and of the test speakers only these are
/// heard.
pub fn split_both(folder: &Path) -> Result<Split, DataError> {
    let recordings = recordings(folder, Task::Both)?;
    let speakers = distinct(recordings.iter().map(|recording| recording.speaker.clone()));
    let words = distinct(recordings.iter().map(|recording| recording.word.clone()));
    let fifth = ((speakers.len() * 2 + 5) / 10).max(1);
    let new = ((words.len() * 3 + 5) / 10).max(1);
    if speakers.len() < 2 * fifth + 1 || words.len() < new + 2 {
        let source_name = format!("speech:{}#both", folder.display());
        return Err(DataError::TooFewToSplit { source_name, identities: speakers.len().min(words.len()) });
    }
    let (train, rest) = speakers.split_at(speakers.len() - 2 * fifth);
    let (threshold, test) = rest.split_at(fifth);
    let (known, unknown) = words.split_at(words.len() - new);
    let part = |words: &[String], speakers: &[String]| {
        let joint = distinct(recordings.iter().filter_map(|recording| {
            let meant = words.contains(&recording.word) && speakers.contains(&recording.speaker);
            meant.then(|| recording.identity(Task::Both))
        }));
        Pattern::of_names(&joint)
    };
    Ok(Split { train: part(known, train), threshold: part(&words, threshold), test: part(unknown, test) })
}

/// The recording at `path`, its channels mixed down, in 16 bit.
pub fn read(path: &Path) -> Result<RawSample, DataError> {
    let file = File::open(path).map_err(|source| DataError::Read { path: path.to_path_buf(), source })?;
    let wrong = |reason: String| DataError::Recording { path: path.to_path_buf(), reason };
    let reader = WavReader::new(BufReader::new(file)).map_err(|error| wrong(error.to_string()))?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
    if channels == 0 || !(1..=32).contains(&bits_per_sample) {
        return Err(wrong(format!("it has {channels} channels of {bits_per_sample} bits")));
    }
    // Full scale is 2^15 whatever the file's depth.
    let values: Result<Vec<f64>, hound::Error> = match sample_format {
        SampleFormat::Float => reader.into_samples::<f32>().map(|x| x.map(|x| f64::from(x) * 32768.0)).collect(),
        SampleFormat::Int => {
            let scale = 32768.0 / f64::powi(2.0, i32::from(bits_per_sample) - 1);
            reader.into_samples::<i32>().map(|x| x.map(|x| f64::from(x) * scale)).collect()
        }
    };
    let values = values.map_err(|error| wrong(error.to_string()))?;
    let mix = |frame: &[f64]| frame.iter().sum::<f64>() / f64::from(channels);
    // `as` saturates, and makes 0 of what is not a number.
    let samples = values.chunks_exact(channels.into()).map(|frame| mix(frame).round() as i16).collect();
    Ok(RawSample::Sound { rate: sample_rate, samples })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hound::WavWriter;
    use std::fs;
    use tempfile::TempDir;

    fn write(path: &Path, channels: u16, bits: u16, samples: &[i32]) {
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        let sample_format = SampleFormat::Int;
        let spec = WavSpec { channels, sample_rate: 11025, bits_per_sample: bits, sample_format };
        let mut writer = WavWriter::create(path, spec).expect("a file");
        samples.iter().for_each(|&x| writer.write_sample(x).expect("a sample"));
        writer.finalize().expect("a file");
    }

    /// Two words of four speakers, two recordings each.
    fn folder() -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (s, speaker) in ["ann", "bob", "cy", "dee"].iter().enumerate() {
            for word in 0..4 {
                for index in 0..2 {
                    let path = folder.path().join(format!("{word}_{speaker}_{index}.wav"));
                    write(&path, 1, 16, &[(100 * s + 10 * word + index) as i32]);
                }
            }
        }
        folder
    }

    #[test]
    fn file_names_say_who_and_what() {
        let folder = folder();
        let of = |task| identities(folder.path(), task).expect("sound");
        assert_eq!(of(Task::Speaker), ["ann", "bob", "cy", "dee"]);
        assert_eq!(of(Task::Word), ["0", "1", "2", "3"]);
        assert_eq!(of(Task::Both).len(), 16);
        let bob = load(folder.path(), Task::Both, |name| name == "3_bob").expect("sound");
        assert_eq!(bob.identities, ["3_bob"]);
        let sound = |x| RawSample::Sound { rate: 11025, samples: vec![x] };
        assert_eq!(bob.samples.iter().map(|s| s.raw.clone()).collect::<Vec<_>>(), [sound(130), sound(131)]);
        let word = load(folder.path(), Task::Word, |name| name == "2").expect("sound");
        assert_eq!(word.samples.len(), 8);
        let split = split_both(folder.path()).expect("enough");
        assert_eq!(split.train.to_string(), "0_ann,0_bob,1_ann,1_bob,2_ann,2_bob");
        assert_eq!(split.threshold.to_string(), "0_cy,1_cy,2_cy,3_cy");
        assert_eq!(split.test.to_string(), "3_dee");
        fs::write(folder.path().join("noise.wav"), "").expect("a file");
        let error = identities(folder.path(), Task::Word).expect_err("a name").to_string();
        assert!(error.contains("noise.wav") && error.contains("WORD_SPEAKER_INDEX"), "{error}");
    }

    #[test]
    fn folders_are_identities() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["s10/a.wav", "s2/b.WAV", "s2/a.wav"] {
            write(&folder.path().join(name), 1, 16, &[1, 2]);
        }
        assert_eq!(identities(folder.path(), Task::Speaker).expect("sound"), ["s2", "s10"]);
        assert_eq!(load(folder.path(), Task::Speaker, |_| true).expect("sound").labels(), [0, 0, 1]);
        assert_eq!(identities(folder.path(), Task::Word).expect("sound"), ["s2", "s10"]);
        let error = identities(folder.path(), Task::Both).expect_err("one name for two").to_string();
        assert!(error.contains("leave out #both"), "{error}");
        write(&folder.path().join("0_ann_0.wav"), 1, 16, &[1]);
        let error = identities(folder.path(), Task::Word).expect_err("two layouts").to_string();
        assert!(error.contains("0_ann_0.wav") && error.contains("s2"), "{error}");
    }

    #[test]
    fn every_depth_has_the_same_full_scale() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.wav");
        let samples = |bits, values: &[i32], channels| {
            write(&path, channels, bits, values);
            match read(&path).expect("sound") {
                RawSample::Sound { rate: 11025, samples } => samples,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(samples(8, &[-128, 64, 1], 1), [-32768, 16384, 256]);
        assert_eq!(samples(16, &[-32768, 32767, 5], 1), [-32768, 32767, 5]);
        assert_eq!(samples(24, &[-8388608, 8388607, 256, 100], 1), [-32768, 32767, 1, 0]);
        assert_eq!(samples(32, &[i32::MIN, i32::MAX, 65536], 1), [-32768, 32767, 1]);
        assert_eq!(samples(16, &[100, 200, -10, -20], 2), [150, -15]);
        fs::write(&path, b"RIFF....WAVE").expect("a file");
        let error = read(&path).expect_err("cut off").to_string();
        assert!(error.contains("a.wav is no readable WAV recording") && !error.contains('\n'), "{error}");
    }
}
