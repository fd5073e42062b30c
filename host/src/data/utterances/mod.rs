//! Words of no language, spoken by voices of nobody: recordings for training that need no files and never run out of words or
//! speakers.
//!
//! A word is a plan of one to three syllables, each a vowel or two with consonants around it: hissing, bursting, humming or
//! gliding ones (`word`). A voice is a pitch, the length of a throat, the sharpness of a glottis, breath, and a microphone
//! (`voice`). A recording is the voice's way through the word, by a source and the resonances of a tract that moves
//! (`tract`; Klatt 1980, "Software for a cascade/parallel formant synthesizer").
//!
//! A recording depends on nothing but (seed, task, identity, sample), and is the same on every platform: it is made of ChaCha8's
//! words, of exactly rounded float operations and of the functions of `libm`.

mod tract;
mod voice;
mod word;

use super::RawSample;
use super::dice::Dice;
use super::speech::Task;
use voice::Voice;
use word::Word;

/// Samples a second.
pub const RATE: u32 = 8000;

/// Streams of chance beside those of the samples.
const WORD: u64 = 0;
const VOICE: u64 = 1;

/// Somebody or something to be heard again and again.
#[derive(Clone, Debug)]
pub struct Utterance {
    seed: u64,
    number: u32,
    word: Option<Word>,
    voice: Option<Voice>,
}

impl Utterance {
    /// The identity with this number in the world of `seed`: a voice that says any word, a word that any voice says, or one
    /// word by one voice.
    pub fn new(seed: u64, task: Task, number: u32) -> Utterance {
        let word = matches!(task, Task::Word | Task::Both).then(|| Word::new(&mut Dice::new(seed, number, WORD)));
        let voice = matches!(task, Task::Speaker | Task::Both).then(|| Voice::new(&mut Dice::new(seed, number, VOICE)));
        Utterance { seed, number, word, voice }
    }

    /// The identity's number, which names it.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Recording number `sample`.
    pub fn say(&self, sample: u32) -> RawSample {
        let mut dice = Dice::new(self.seed, self.number, 2 + u64::from(sample));
        let word = self.word.clone().unwrap_or_else(|| Word::new(&mut dice));
        let voice = self.voice.clone().unwrap_or_else(|| Voice::new(&mut dice));
        RawSample::Sound { rate: RATE, samples: tract::speak(&mut dice, &voice, &word) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Tensors;
    use crate::data::made::Maker;
    use flate2::Crc;
    use shared::frontend::{Fill, FrontEnd, LogMel};
    use std::collections::HashSet;

    fn samples(raw: RawSample) -> Vec<i16> {
        match raw {
            RawSample::Sound { samples, .. } => samples,
            RawSample::Image { .. } => panic!("no recording"),
        }
    }

    /// The recordings themselves: a change here makes every model trained with them another one.
    #[test]
    fn recordings_never_change() {
        let mut crc = Crc::new();
        for (task, number) in [(Task::Speaker, 0), (Task::Word, 7), (Task::Both, u32::MAX)] {
            crc.update(bytemuck::cast_slice(&samples(Utterance::new(3, task, number).say(number))));
        }
        assert_eq!(crc.sum(), 0x64b8_4c70);
    }

    #[test]
    fn seed_number_and_sample_matter() {
        let say = |seed, number, sample| Utterance::new(seed, Task::Word, number).say(sample);
        let distinct: HashSet<_> = [say(1, 5, 0), say(2, 5, 0), say(1, 6, 0), say(1, 5, 1)].into_iter().collect();
        assert_eq!(distinct.len(), 4);
        assert_eq!(say(1, 5, 0), say(1, 5, 0));
    }

    #[test]
    fn recordings_are_of_a_words_length_and_loud() {
        for number in 0..100 {
            let wave = samples(Utterance::new(7, Task::Both, number).say(1));
            let loudest = wave.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
            assert!((1000..16_000).contains(&wave.len()), "{number}: {}", wave.len());
            assert!((3000..30_000).contains(&loudest), "{number}: {loudest}");
        }
    }

    /// In log-mel the nearest recording is of the same identity far more often than by chance (1 in 30), and not always.
    #[test]
    fn mates_are_nearer_than_strangers() {
        let front = FrontEnd::LogMel(LogMel {
            rate: 8000,
            window: 256,
            hop: 256,
            bands: 16,
            frames: 24,
            low: 60,
            high: 3800,
            range: 60,
            trim: 30,
            pre_emphasis: true,
            fill: Fill::Repeat,
        });
        for task in [Task::Speaker, Task::Word] {
            let numbers: Vec<u32> = (0..30).collect();
            let dataset = Maker::Utterances(task).dataset(1, &numbers, 6);
            let tensors = Tensors::new(&dataset, &front).expect("sound");
            let distance = |i: usize, j: usize| -> u32 {
                let pairs = tensors.tensor(i).iter().zip(tensors.tensor(j));
                pairs.map(|(&a, &b)| u32::from(a.abs_diff(b)).pow(2)).sum()
            };
            let nearest = |i| (0..tensors.len()).filter(|&j| j != i).min_by_key(|&j| distance(i, j));
            let own = |i: usize| nearest(i).is_some_and(|j| tensors.identities[j] == tensors.identities[i]);
            let rate = (0..tensors.len()).filter(|&i| own(i)).count() as f64 / tensors.len() as f64;
            assert!((0.15..0.95).contains(&rate), "{task:?}: {rate}");
        }
    }
}
