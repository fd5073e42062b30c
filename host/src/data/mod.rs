//! Where samples come from: every source gives the same [`Dataset`] of raw samples with identities.
//!
//! A [`Spec`] names a source and a [`Split`] says which identities train, which choose the threshold and which test;
//! [`Spec::load`] gives one [`Part`] of it. Training reads [`TrainingData`], which passes the front end once over stored
//! samples, makes what the program makes anew in every epoch ([`made`]), and deals balanced or shuffled batches.
//!
//! What others have made to pass for an identity's own (forged signatures) never mixes with genuine samples: it stands in
//! [`Dataset::forgeries`], so that every figure taken from [`Dataset::samples`] is one of genuine samples. A protocol that
//! tries forgeries embeds [`Dataset::take_forgeries`], whose identities have the same indices; training may make classes
//! of its own of them ([`Classes`]).

pub mod augment;
pub mod batches;
mod dice;
mod error;
pub mod espeak;
pub mod glyphs;
mod halves;
pub mod images;
pub mod letters;
pub mod made;
mod mixed;
pub mod mnist;
mod natural;
pub mod omniglot;
mod page;
mod pattern;
mod range;
pub mod signatures;
pub mod sound;
mod spec;
pub mod speech;
mod split;
mod tensors;
mod training;
mod turn;
pub mod utterances;

use std::collections::HashMap;
use std::path::Path;

pub use error::DataError;
pub use mixed::MixedData;
pub use natural::natural_order;
pub use pattern::{Pattern, PatternError};
use shared::frontend::{Image, Raw, Sound};
pub use spec::Spec;
pub use split::{Part, Split};
pub use tensors::{Shape, Tensors, input_tensor};
pub use training::{Batch, Batching, Classes, Sampling, TrainingData};

/// A raw sample that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RawSample {
    /// A picture, laid out as [`Image`] says.
    Image {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
        /// Samples a pixel, interleaved.
        channels: u8,
        /// `height * width * channels` bytes.
        pixels: Vec<u8>,
    },
    /// A recording of one channel.
    Sound {
        /// Samples a second.
        rate: u32,
        /// The samples.
        samples: Vec<i16>,
    },
}

impl RawSample {
    /// The bytes of a picture; of a recording none.
    pub fn pixels(&self) -> &[u8] {
        match self {
            RawSample::Image { pixels, .. } => pixels,
            RawSample::Sound { .. } => &[],
        }
    }

    /// The view that the front end takes.
    pub fn as_raw(&self) -> Raw<'_> {
        match self {
            RawSample::Image { width, height, channels, pixels } => {
                Raw::Image(Image { width: *width, height: *height, channels: *channels, pixels })
            }
            RawSample::Sound { rate, samples } => {
                // Little-endian, as the front end takes them: `shared` compiles on no other machine.
                Raw::Sound(Sound { rate: *rate, samples: bytemuck::cast_slice(samples) })
            }
        }
    }
}

/// The sample in the file at `path`: a recording where its name ends with `.wav`, else a picture.
pub fn read(path: &Path) -> Result<RawSample, DataError> {
    match speech::is_recording(path) {
        true => speech::read(path),
        false => images::read(path),
    }
}

/// One raw sample and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Index into [`Dataset::identities`].
    pub identity: usize,
    /// The sample as its file or generator gave it.
    pub raw: RawSample,
}

/// Samples with identities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dataset {
    /// Names of the identities, unique.
    pub identities: Vec<String>,
    /// The genuine samples, those of one identity in the order of their source.
    pub samples: Vec<Sample>,
    /// Imitations by others: the identity is that of the imitated. Empty where the source has none.
    pub forgeries: Vec<Sample>,
}

impl Dataset {
    /// The identity index of every genuine sample.
    pub fn labels(&self) -> Vec<usize> {
        self.samples.iter().map(|sample| sample.identity).collect()
    }

    /// The identities whose names `keep` accepts, renumbered in their old order, with their samples.
    pub fn retain(self, keep: impl Fn(&str) -> bool) -> Dataset {
        let mut identities = Vec::new();
        let mut renumbered = HashMap::new();
        for (old, name) in self.identities.into_iter().enumerate() {
            if keep(&name) {
                renumbered.insert(old, identities.len());
                identities.push(name);
            }
        }
        let kept = |samples: Vec<Sample>| {
            let renumbered = |sample: Sample| Some(Sample { identity: *renumbered.get(&sample.identity)?, ..sample });
            samples.into_iter().filter_map(renumbered).collect()
        };
        Dataset { identities, samples: kept(self.samples), forgeries: kept(self.forgeries) }
    }

    /// The same samples with identities numbered as in `names`; identities that are not among them follow in their old order.
    /// Labels of two data sets mean the same only in one numbering.
    pub fn numbered_as(self, names: &[String]) -> Dataset {
        let mut identities = names.to_vec();
        let renumbered: Vec<usize> = self
            .identities
            .into_iter()
            .map(|name| {
                identities.iter().position(|known| *known == name).unwrap_or_else(|| {
                    identities.push(name);
                    identities.len() - 1
                })
            })
            .collect();
        let numbered = |samples: Vec<Sample>| {
            samples.into_iter().map(|sample| Sample { identity: renumbered[sample.identity], ..sample }).collect()
        };
        Dataset { identities, samples: numbered(self.samples), forgeries: numbered(self.forgeries) }
    }

    /// Every picture with dark and light exchanged.
    pub fn inverted(mut self) -> Dataset {
        for sample in self.samples.iter_mut().chain(&mut self.forgeries) {
            if let RawSample::Image { pixels, .. } = &mut sample.raw {
                pixels.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
            }
        }
        self
    }

    /// The forgeries as samples of a dataset with the same identities, each under the identity that it imitates; none are
    /// left here.
    pub fn take_forgeries(&mut self) -> Dataset {
        let samples = std::mem::take(&mut self.forgeries);
        Dataset { identities: self.identities.clone(), samples, forgeries: Vec::new() }
    }

    /// Every identity's recordings played backwards as an identity of their own, `NAME backwards`, behind the others: another
    /// word. Pictures stay as they are.
    pub fn reversals_as_identities(mut self) -> Dataset {
        let count = self.identities.len();
        let reversed = |sample: &Sample| match &sample.raw {
            RawSample::Sound { rate, samples } => Some(Sample {
                identity: sample.identity + count,
                raw: RawSample::Sound { rate: *rate, samples: samples.iter().rev().copied().collect() },
            }),
            RawSample::Image { .. } => None,
        };
        self.samples.extend(self.samples.iter().filter_map(reversed).collect::<Vec<_>>());
        self.identities.extend(self.identities.iter().map(|name| format!("{name} backwards")).collect::<Vec<_>>());
        self
    }

    /// Every identity as `count` voices, `NAME as 0` and so on: as it is, and at other speeds, which is another pitch, behind
    /// other filters ([`sound::Voice`]). Pictures stay as they are.
    pub fn voices_as_identities(self, count: u16, seed: u64) -> Dataset {
        let mut all = Dataset::default();
        for (identity, name) in self.identities.iter().enumerate() {
            for number in 0..count {
                let voice = sound::Voice::new(seed, identity as u64, number);
                let own = self.samples.iter().filter(|sample| sample.identity == identity);
                let identity = all.identities.len();
                all.samples.extend(own.map(|sample| Sample { identity, raw: voice.say(&sample.raw) }));
                all.identities.push(format!("{name} as {number}"));
            }
        }
        all
    }

    /// The forgeries of each identity as an identity of its own, `NAME forged`, behind the genuine ones: somebody else, who
    /// only looks alike.
    pub fn forgeries_as_identities(mut self) -> Dataset {
        let mut own = HashMap::new();
        for forgery in std::mem::take(&mut self.forgeries) {
            let identity = *own.entry(forgery.identity).or_insert_with(|| {
                self.identities.push(format!("{} forged", self.identities[forgery.identity]));
                self.identities.len() - 1
            });
            self.samples.push(Sample { identity, ..forgery });
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(identity: usize, value: u8) -> Sample {
        Sample { identity, raw: RawSample::Image { width: 1, height: 1, channels: 1, pixels: vec![value] } }
    }

    fn three() -> Dataset {
        Dataset {
            identities: ["a", "b", "c"].map(String::from).to_vec(),
            samples: vec![sample(2, 9), sample(0, 1), sample(1, 5), sample(2, 8)],
            forgeries: vec![sample(2, 7), sample(1, 6), sample(2, 4)],
        }
    }

    #[test]
    fn retain_renumbers() {
        let kept = three().retain(|name| name != "b");
        assert_eq!(kept.identities, ["a", "c"]);
        assert_eq!(kept.samples, [sample(1, 9), sample(0, 1), sample(1, 8)]);
        assert_eq!(kept.forgeries, [sample(1, 7), sample(1, 4)]);
        assert_eq!(kept.labels(), [1, 0, 1]);
    }

    #[test]
    fn another_numbering_keeps_names() {
        let names = ["x", "c", "a"].map(String::from);
        let numbered = three().numbered_as(&names);
        assert_eq!(numbered.identities, ["x", "c", "a", "b"]);
        assert_eq!(numbered.samples, [sample(1, 9), sample(2, 1), sample(3, 5), sample(1, 8)]);
        assert_eq!(numbered.forgeries, [sample(1, 7), sample(3, 6), sample(1, 4)]);
    }

    #[test]
    fn forgeries_are_taken_under_the_imitated_identity() {
        let mut genuine = three();
        let forged = genuine.take_forgeries();
        assert_eq!(forged.identities, genuine.identities);
        assert_eq!(forged.samples, three().forgeries);
        assert!(genuine.forgeries.is_empty() && forged.forgeries.is_empty());
        assert_eq!(genuine.samples, three().samples);
    }

    #[test]
    fn inverted_twice_is_as_before() {
        assert_eq!(three().inverted().samples[0], sample(2, 246));
        assert_eq!(three().inverted().forgeries[0], sample(2, 248));
        assert_eq!(three().inverted().inverted(), three());
    }

    #[test]
    fn backwards_is_another_word() {
        let sound = |identity, samples: &[i16]| Sample {
            identity,
            raw: RawSample::Sound { rate: 8, samples: samples.to_vec() },
        };
        let identities = ["a", "b"].map(String::from).to_vec();
        let samples = vec![sound(0, &[1, 2, 3]), sound(1, &[4, 5])];
        let all = Dataset { identities, samples: samples.clone(), ..Dataset::default() }.reversals_as_identities();
        assert_eq!(all.identities, ["a", "b", "a backwards", "b backwards"]);
        assert_eq!(all.samples, [samples, vec![sound(2, &[3, 2, 1]), sound(3, &[5, 4])]].concat());
    }

    #[test]
    fn every_speaker_becomes_many_voices() {
        let sound = |identity, rate| Sample { identity, raw: RawSample::Sound { rate, samples: vec![100, -200, 50] } };
        let identities = ["a", "b"].map(String::from).to_vec();
        let samples = vec![sound(0, 8000), sound(1, 1000)];
        let few = Dataset { identities, samples: samples.clone(), ..Dataset::default() };
        let all = few.clone().voices_as_identities(3, 7);
        assert_eq!(all.identities, ["a as 0", "a as 1", "a as 2", "b as 0", "b as 1", "b as 2"]);
        assert_eq!(all.labels(), [0, 1, 2, 3, 4, 5]);
        assert_eq!((&all.samples[0].raw, &all.samples[3].raw), (&samples[0].raw, &samples[1].raw));
        let distinct: std::collections::HashSet<_> = all.samples.iter().map(|sample| &sample.raw).collect();
        assert_eq!(distinct.len(), 6);
        assert_eq!(few.clone().voices_as_identities(3, 7), all);
        assert_ne!(few.voices_as_identities(3, 8), all);
    }

    #[test]
    fn forgeries_become_identities_of_their_own() {
        let all = three().forgeries_as_identities();
        assert_eq!(all.identities, ["a", "b", "c", "c forged", "b forged"]);
        assert_eq!(all.samples[..4], three().samples);
        assert_eq!(all.samples[4..], [sample(3, 7), sample(4, 6), sample(3, 4)]);
        assert!(all.forgeries.is_empty());
    }
}
