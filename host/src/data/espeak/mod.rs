//! What the program espeak-ng speaks: English words in many voices, to train what tells words apart, or many voices, to train
//! what tells people apart.
//!
//! Identities are numbers from 0. That of a word is its line in `words.txt`; numerals are not among the words, so that spoken
//! digits stay unheard. A voice is one of the program's in one accent, at a pitch of its own; what it says are the numerals.

use std::path::Path;
use std::process::{Command, Stdio};

use rayon::prelude::*;

use super::dice::Dice;
use super::{DataError, Dataset, RawSample, Sample, speech};

/// What an identity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A word, in 16 voices.
    Words,
    /// A voice, with 20 utterances.
    Voices,
}

/// Utterances of each word.
const WORD_SAMPLES: u32 = 16;
/// Utterances of each voice.
const VOICE_SAMPLES: u32 = 20;
/// Voices that are told apart.
const SPEAKERS: usize = 400;
/// The dice of a voice itself; those of its utterances have smaller numbers.
const OWN: u64 = 1 << 32;

const NUMERALS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

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
pub fn identities(kind: Kind) -> Vec<String> {
    let count = match kind {
        Kind::Words => words().count(),
        Kind::Voices => SPEAKERS,
    };
    (0..count).map(|number| number.to_string()).collect()
}

/// The identities whose numbers `keep` accepts, spoken as `seed` chooses. What is heard hangs on the version of espeak-ng, which
/// must be installed.
pub fn load(kind: Kind, keep: impl Fn(&str) -> bool, seed: u64) -> Result<Dataset, DataError> {
    let words: Vec<&str> = words().collect();
    let samples = match kind {
        Kind::Words => WORD_SAMPLES,
        Kind::Voices => VOICE_SAMPLES,
    };
    let utterance = |number: u32, sample| match kind {
        Kind::Words => Utterance::of_word(words[number as usize], seed, number, sample),
        Kind::Voices => Utterance::of_voice(seed, number, sample),
    };
    let identities = identities(kind);
    let kept: Vec<u32> = (0..).zip(&identities).filter(|(_, name)| keep(name)).map(|(number, _)| number).collect();
    let folder = tempfile::tempdir().map_err(DataError::Espeak)?;
    let tasks: Vec<(usize, u32)> =
        (0..kept.len()).flat_map(|identity| (0..samples).map(move |sample| (identity, sample))).collect();
    let speak = |(identity, sample): (usize, u32)| {
        let number = kept[identity];
        let path = folder.path().join(format!("{number}-{sample}.wav"));
        Ok(Sample { identity, raw: utterance(number, sample).speak(&path)? })
    };
    let samples = tasks.into_par_iter().map(speak).collect::<Result<_, DataError>>()?;
    let identities = kept.iter().map(u32::to_string).collect();
    Ok(Dataset { identities, samples, ..Dataset::default() })
}

/// What the program is told to say, and how.
struct Utterance {
    text: &'static str,
    voice: String,
    /// From 0 to 99.
    pitch: u32,
    /// Words a minute.
    speed: u32,
}

impl Utterance {
    fn of_word(text: &'static str, seed: u64, number: u32, sample: u32) -> Self {
        let mut dice = Dice::new(seed, number, sample.into());
        let voice = format!("{}+{}", dice.pick(&ACCENTS), dice.pick(&VOICES));
        let [pitch, speed] = [(15.0, 86.0), (110.0, 211.0)].map(|(low, high)| dice.between(low, high) as u32);
        Utterance { text, voice, pitch, speed }
    }

    fn of_voice(seed: u64, number: u32, sample: u32) -> Self {
        let mut own = Dice::new(seed, number, OWN);
        let voice = format!("{}+{}", own.pick(&ACCENTS), VOICES[number as usize % VOICES.len()]);
        let [pitch, speed] = [(10.0, 90.0), (120.0, 190.0)].map(|(low, high)| own.between(low, high));
        let mut dice = Dice::new(seed, number, sample.into());
        let text = NUMERALS[sample as usize % NUMERALS.len()];
        let pitch = (pitch + dice.bell(3.0)).clamp(0.0, 99.0) as u32;
        Utterance { text, voice, pitch, speed: (speed * dice.between(0.85, 1.15)) as u32 }
    }

    /// The recording, by way of the file at `path`, which is removed.
    fn speak(&self, path: &Path) -> Result<RawSample, DataError> {
        let status = Command::new(PROGRAM)
            .args(["-v", &self.voice, "-p", &self.pitch.to_string(), "-s", &self.speed.to_string(), "-w"])
            .arg(path)
            .arg(self.text)
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
        assert!(NUMERALS.iter().all(|digit| !words.contains(digit)));
    }

    fn spoken(kind: Kind, numbers: [&str; 2], samples: u32) {
        let two = |seed| load(kind, |number| numbers.contains(&number), seed).expect("espeak-ng speaks");
        let said = two(1);
        assert_eq!(said.identities, numbers);
        assert_eq!(said.samples.len(), 2 * samples as usize);
        let distinct: HashSet<_> = said.samples.iter().map(|sample| &sample.raw).collect();
        assert_eq!(distinct.len(), said.samples.len());
        assert!(said.samples.iter().all(|sample| match &sample.raw {
            RawSample::Sound { samples, .. } => samples.iter().any(|&x| x.unsigned_abs() > 1000),
            RawSample::Image { .. } => false,
        }));
        assert_eq!(two(1), said);
        assert_ne!(two(2), said);
    }

    #[test]
    fn a_word_is_spoken_in_many_voices_and_always_the_same() {
        spoken(Kind::Words, ["3", "627"], WORD_SAMPLES);
    }

    #[test]
    fn a_voice_says_the_numerals_and_always_the_same() {
        spoken(Kind::Voices, ["3", "399"], VOICE_SAMPLES);
        let all: HashSet<_> = (0..VOICE_SAMPLES).map(|sample| Utterance::of_voice(1, 7, sample).text).collect();
        assert_eq!(all.len(), NUMERALS.len());
        let voices: HashSet<_> = (0..VOICE_SAMPLES).map(|sample| Utterance::of_voice(1, 7, sample).voice).collect();
        assert_eq!(voices.len(), 1);
    }
}
