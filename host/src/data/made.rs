//! Identities that the program makes itself, by their numbers: glyphs, letters and utterances.

use rayon::prelude::*;

use super::glyphs::Glyph;
use super::letters::{self, Letter};
use super::speech::Task;
use super::utterances::Utterance;
use super::{DataError, Dataset, Pattern, RawSample, Sample, Spec};

/// The number of the last identity.
pub const LAST: u32 = u32::MAX;

/// Samples of each identity in a [`Dataset`], and in an epoch of training: as many as Omniglot has.
pub const SAMPLES: u32 = 20;

/// The most identities in one part (of [`SAMPLES`] glyphs each: 0.9 GB).
pub const MAX_IDENTITIES: u64 = 20_000;

/// An identity that has as many samples as are asked for.
#[derive(Clone, Debug)]
pub enum Made {
    /// A character, drawn again and again.
    Glyph(Glyph),
    /// A letter, written again and again.
    Letter(Letter),
    /// A voice or a word, heard again and again.
    Utterance(Utterance),
}

impl Made {
    /// Its number, which names it.
    pub fn number(&self) -> u32 {
        match self {
            Made::Glyph(glyph) => glyph.number(),
            Made::Letter(letter) => letter.number(),
            Made::Utterance(utterance) => utterance.number(),
        }
    }

    /// Sample number `sample`.
    pub fn sample(&self, sample: u32) -> RawSample {
        match self {
            Made::Glyph(glyph) => glyph.draw(sample),
            Made::Letter(letter) => letter.write(sample),
            Made::Utterance(utterance) => utterance.say(sample),
        }
    }
}

/// What makes the identities of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// See [`super::glyphs`].
    Glyphs,
    /// See [`super::letters`].
    Letters,
    /// See [`super::utterances`].
    Utterances(Task),
}

impl Maker {
    /// That of `spec`; none where samples come from files.
    pub fn of(spec: &Spec) -> Option<Maker> {
        match spec {
            Spec::Glyphs => Some(Maker::Glyphs),
            Spec::Letters => Some(Maker::Letters),
            Spec::Utterances(task) => Some(Maker::Utterances(*task)),
            _ => None,
        }
    }

    /// The number of its last identity.
    pub fn last(self) -> u32 {
        match self {
            Maker::Letters => letters::last(),
            Maker::Glyphs | Maker::Utterances(_) => LAST,
        }
    }

    /// Whether there is an identity for every number, up to [`LAST`].
    pub fn is_endless(self) -> bool {
        self.last() == LAST
    }

    /// Identity number `number` in the world of `seed`.
    pub fn identity(self, seed: u64, number: u32) -> Made {
        match self {
            Maker::Glyphs => Made::Glyph(Glyph::new(seed, number)),
            Maker::Letters => Made::Letter(Letter::new(seed, number)),
            Maker::Utterances(task) => Made::Utterance(Utterance::new(seed, task, number)),
        }
    }

    /// The identities that `pattern` means.
    pub fn identities(self, seed: u64, pattern: &Pattern) -> Result<Vec<Made>, DataError> {
        Ok(self.numbers(pattern)?.into_par_iter().map(|number| self.identity(seed, number)).collect())
    }

    /// The numbers that `pattern` means, ascending, each once.
    pub fn numbers(self, pattern: &Pattern) -> Result<Vec<u32>, DataError> {
        match self {
            Maker::Glyphs | Maker::Utterances(_) => numbers(pattern),
            Maker::Letters => {
                let names = letters::identities();
                Spec::Letters.know(pattern, &names)?;
                Ok((0..).zip(names).filter(|(_, name)| pattern.matches(name)).map(|(number, _)| number).collect())
            }
        }
    }

    /// Samples 0 to `samples - 1` of each of the identities, which are named by their numbers.
    pub fn dataset(self, seed: u64, identities: &[u32], samples: u32) -> Dataset {
        let samples = identities
            .par_iter()
            .enumerate()
            .flat_map_iter(|(identity, &number)| {
                let made = self.identity(seed, number);
                (0..samples).map(move |sample| Sample { identity, raw: made.sample(sample) })
            })
            .collect();
        Dataset { identities: identities.iter().map(u32::to_string).collect(), samples, ..Dataset::default() }
    }
}

/// As [`Maker::numbers`], of identities without an end.
fn numbers(pattern: &Pattern) -> Result<Vec<u32>, DataError> {
    let wrong = |item: String| DataError::Numbers { item, limit: MAX_IDENTITIES, last: LAST };
    let runs = pattern.numbers().map_err(wrong)?;
    let mut numbers = Vec::new();
    for (low, high) in runs {
        let fits = high <= u64::from(LAST) && high - low < MAX_IDENTITIES;
        if !fits || numbers.len() as u64 > MAX_IDENTITIES {
            return Err(wrong(pattern.to_string()));
        }
        numbers.extend((low..=high).map(|number| number as u32));
    }
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.len() as u64 > MAX_IDENTITIES {
        return Err(wrong(pattern.to_string()));
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dataset_is_the_samples_in_order() {
        for maker in [Maker::Glyphs, Maker::Letters, Maker::Utterances(Task::Word)] {
            let dataset = maker.dataset(9, &[4, 2], 3);
            assert_eq!(dataset.identities, ["4", "2"]);
            assert_eq!(dataset.labels(), [0, 0, 0, 1, 1, 1]);
            assert_eq!(dataset.samples[5].raw, maker.identity(9, 2).sample(2));
        }
    }

    #[test]
    fn patterns_choose_numbers() {
        let chosen = |text: &str| numbers(&text.parse().expect(text));
        assert_eq!(chosen("7,2-4,3").expect("numbers"), [2, 3, 4, 7]);
        assert_eq!(chosen("4294967295").expect("number"), [LAST]);
        assert_eq!(chosen("0-19999").expect("numbers").len(), 20_000);
        for text in ["*", "anna", "001-040", "s1-s3", "4294967296", "0-20000", "0-4294967295", "0-19999,20001"] {
            let error = chosen(text).expect_err(text).to_string();
            assert!(error.contains(" cannot choose what the program makes: name up to 20000 numbers"), "{error}");
        }
    }
}
