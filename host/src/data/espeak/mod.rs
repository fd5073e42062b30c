//! English words that the program espeak-ng speaks, in many voices: to train what tells words apart.
//!
//! Identities are numbers: that of a word's line in `words.txt`, from 0. Numerals are not among the words, so that spoken digits
//! stay unheard.

use std::path::Path;
use std::process::{Command, Stdio};

use rayon::prelude::*;

use super::dice::Dice;
use super::{DataError, Dataset, RawSample, Sample, speech};

/// Utterances of each word.
const SAMPLES: u32 = 16;

const PROGRAM: &str = "espeak-ng";

const ACCENTS: [&str; 8] =
    ["en-us", "en-gb", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029", "en-us-nyc"];

/// Names of voices; one that a version of the program lacks speaks as the accent's own.
const VOICES: [&str; 72] = [
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m6",
    "m7",
    "m8",
    "f1",
    "f2",
    "f3",
    "f4",
    "f5",
    "klatt",
    "klatt2",
    "klatt3",
    "klatt4",
    "klatt5",
    "klatt6",
    "adam",
    "Alex",
    "Alicia",
    "Andrea",
    "Andy",
    "Annie",
    "antonio",
    "aunty",
    "belinda",
    "benjamin",
    "boris",
    "caleb",
    "david",
    "Denis",
    "Diogo",
    "ed",
    "edward",
    "Gene",
    "gustave",
    "Henrique",
    "Hugo",
    "iven",
    "Jacky",
    "john",
    "Lee",
    "linda",
    "marcelo",
    "Marco",
    "Mario",
    "max",
    "Michael",
    "michel",
    "miguel",
    "Mike",
    "pablo",
    "paul",
    "pedro",
    "quincy",
    "rob",
    "robert",
    "steph",
    "Storm",
    "zac",
    "anika",
    "anikaRobot",
    "grandma",
    "grandpa",
    "norbert",
    "sandro",
    "shelby",
    "travis",
    "victor",
    "kaukovalta",
];

fn words() -> impl Iterator<Item = &'static str> {
    include_str!("words.txt").lines()
}

/// The names of the identities, in their order.
pub fn identities() -> Vec<String> {
    (0..words().count()).map(|number| number.to_string()).collect()
}

/// The words whose numbers `keep` accepts, each spoken in 16 voices that `seed` chooses. What is heard hangs on the version of
/// espeak-ng, which must be installed.
pub fn load(keep: impl Fn(&str) -> bool, seed: u64) -> Result<Dataset, DataError> {
    let words: Vec<(usize, &str)> = words().enumerate().filter(|(number, _)| keep(&number.to_string())).collect();
    let folder = tempfile::tempdir().map_err(DataError::Espeak)?;
    let tasks: Vec<(usize, u32)> =
        (0..words.len()).flat_map(|identity| (0..SAMPLES).map(move |sample| (identity, sample))).collect();
    let speak = |(identity, sample): (usize, u32)| {
        let (number, word) = words[identity];
        let path = folder.path().join(format!("{number}-{sample}.wav"));
        let raw = speak(word, Dice::new(seed, number as u32, sample.into()), &path)?;
        Ok(Sample { identity, raw })
    };
    let samples = tasks.into_par_iter().map(speak).collect::<Result<_, DataError>>()?;
    let identities = words.into_iter().map(|(number, _)| number.to_string()).collect();
    Ok(Dataset { identities, samples, ..Dataset::default() })
}

/// `word`, spoken into the file at `path`, which is read and removed.
fn speak(word: &str, mut dice: Dice, path: &Path) -> Result<RawSample, DataError> {
    let voice = format!("{}+{}", dice.pick(&ACCENTS), dice.pick(&VOICES));
    let [pitch, speed] = [(15.0, 86.0), (110.0, 211.0)].map(|(low, high)| dice.between(low, high) as u32);
    let status = Command::new(PROGRAM)
        .args(["-v", &voice, "-p", &pitch.to_string(), "-s", &speed.to_string(), "-w"])
        .arg(path)
        .arg(word)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(DataError::Espeak)?;
    if !status.success() {
        return Err(DataError::Espeak(std::io::Error::other(format!("it ended with {status}"))));
    }
    let raw = speech::read(path)?;
    std::fs::remove_file(path).map_err(DataError::Espeak)?;
    Ok(raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn words_are_distinct_and_no_numerals() {
        let words: Vec<&str> = words().collect();
        let distinct: HashSet<_> = words.iter().collect();
        assert_eq!(distinct.len(), words.len());
        let digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
        assert!(digits.iter().all(|digit| !words.contains(digit)));
    }

    #[test]
    fn a_word_is_spoken_in_many_voices_and_always_the_same() {
        let two = |seed| load(|number| number == "3" || number == "627", seed).expect("espeak-ng speaks");
        let said = two(1);
        assert_eq!(said.identities, ["3", "627"]);
        assert_eq!(said.samples.len(), 2 * SAMPLES as usize);
        let distinct: HashSet<_> = said.samples.iter().map(|sample| &sample.raw).collect();
        assert_eq!(distinct.len(), said.samples.len());
        assert!(said.samples.iter().all(|sample| match &sample.raw {
            RawSample::Sound { samples, .. } => samples.iter().any(|&x| x.unsigned_abs() > 1000),
            RawSample::Image { .. } => false,
        }));
        assert_eq!(two(1), said);
        assert_ne!(two(2), said);
    }
}
