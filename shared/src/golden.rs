//! Golden vectors: what a model must answer, byte for byte, on every engine. A checked view of the file, and its writer.
//!
//! Little-endian, no alignment.
//!
//! ```text
//!   0  magic "DGLD"                 16  model id                 u64
//!   4  version                u16   24  bytes of an input tensor u32
//!   6  samples                u16   28  embedding dimension      u16
//!   8  length of the file     u32   30  steps of the script      u16
//!  12  CRC-32 of 16..length   u32   32  samples, one after the other, then the steps
//!
//! sample:  0 kind u8: 0 picture, 1 sound
//!            picture: channels u8, width u16, height u16, reserved u16 (zero)
//!            sound: rate in Hz u24, samples u32
//!          8 raw bytes (height * width * channels; samples of i16), input tensor (CHW, u8), embedding (int8)
//! step:    0 operation u8: 0 enrol, 1 verify, 2 identify, 3 delete
//!          1 flags u8: 1 accepted, 2 an identity is nearest, 4 there is a runner-up
//!          2 sample u16, identity u16, reserved u16 (zero)
//!          8 distance u32, the runner-up's distance u32
//! ```
//!
//! A step counts identities; [`label`] names them.

use bytemuck::cast_slice;
use thiserror::Error;

use crate::bundle::{array_at, put, u8_at, u16_at, u32_at};
use crate::checksum::crc32;
use crate::embedding::{Distance, MAX_DIM};
use crate::frontend::{Image, Raw, RawHeader, Sound};
use crate::gallery::{Decision, Label};

/// The version that this code reads and writes.
pub const VERSION: u16 = 1;
/// Bytes before the first sample.
pub const HEADER_LEN: usize = 32;
/// Bytes of a sample before its raw bytes.
pub const SAMPLE_HEAD_LEN: usize = 8;
/// Bytes of a step.
pub const STEP_LEN: usize = 16;

const MAGIC: [u8; 4] = *b"DGLD";
const CHECKED_FROM: usize = 16;
const ACCEPTED: u8 = 1;
const NEAREST: u8 = 2;
const RUNNER_UP: u8 = 4;

/// Why bytes are not golden vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GoldenError {
    /// The bytes do not start with the magic.
    #[error("this is not a Doppel golden file")]
    Magic,
    /// Another version of the format.
    #[error("the golden file has format {0}, this program reads format {VERSION}: export the model again")]
    Version(u32),
    /// Fewer or more bytes than the header says.
    #[error("the golden file is {got} bytes long, but its header says {expected}")]
    Length {
        /// Bytes given.
        got: usize,
        /// Bytes that the header asks for.
        expected: usize,
    },
    /// The bytes were changed after they were written.
    #[error("the golden file's checksum does not match its bytes: it was damaged")]
    Checksum,
    /// A sample lies outside of the file or is of no known kind.
    #[error("sample {0} of the golden file is not consistent")]
    Sample(usize),
    /// A step is of no known operation or names a sample that is not there.
    #[error("step {0} of the golden file is not consistent")]
    Step(usize),
}

/// A raw sample with everything that must come out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    /// What the front end takes.
    pub raw: Raw<'a>,
    /// What the front end gives: the input tensor, CHW.
    pub input: &'a [u8],
    /// What the network gives.
    pub embedding: &'a [i8],
}

/// One step of the script of decisions, in a gallery that starts empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Enrol the embedding of a sample.
    Enrol {
        /// Index of the sample.
        sample: u16,
        /// The new identity.
        identity: u16,
    },
    /// Compare a sample with the identity that `outcome` names.
    Verify {
        /// Index of the sample.
        sample: u16,
        /// What must come out.
        outcome: Outcome,
    },
    /// Compare a sample with every identity.
    Identify {
        /// Index of the sample.
        sample: u16,
        /// What must come out; none from an empty gallery.
        outcome: Option<Outcome>,
    },
    /// Remove an identity.
    Delete {
        /// The identity.
        identity: u16,
    },
}

/// A decision in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the distance is within the threshold.
    pub accepted: bool,
    /// The nearest identity, or the one that was claimed.
    pub identity: u16,
    /// Its distance.
    pub distance: Distance,
    /// The distance of the next identity.
    pub runner_up: Option<Distance>,
}

impl Outcome {
    /// `decision` in numbers; none where no identity is enrolled, or where a label is not one of [`label`]'s.
    pub fn of(decision: &Decision) -> Option<Self> {
        let (accepted, candidate) = match decision {
            Decision::Match(candidate) => (true, candidate),
            Decision::Unknown(candidate) => (false, candidate.as_ref()?),
        };
        Some(Outcome {
            accepted,
            identity: candidate.label.parse().ok()?,
            distance: candidate.distance,
            runner_up: candidate.runner_up.as_ref().map(|&(_, distance)| distance),
        })
    }
}

/// The label under which a script enrols `identity`: its number in decimal digits.
pub fn label(identity: u16) -> Label {
    let mut label = Label::new();
    // Five digits always fit.
    let _ = core::fmt::write(&mut label, format_args!("{identity}"));
    label
}

/// Golden vectors whose bytes were checked: every sample and step can be read.
#[derive(Clone, Copy, Debug)]
pub struct Golden<'a> {
    bytes: &'a [u8],
    script_at: usize,
}

impl<'a> Golden<'a> {
    /// Checks `bytes`.
    pub fn check(bytes: &'a [u8]) -> Result<Self, GoldenError> {
        if bytes.get(..4) != Some(&MAGIC) || bytes.len() < HEADER_LEN {
            return Err(GoldenError::Magic);
        }
        let version = u16_at(bytes, 4);
        if version != VERSION {
            return Err(GoldenError::Version(version.into()));
        }
        let (got, expected) = (bytes.len(), u32_at(bytes, 8) as usize);
        if got != expected {
            return Err(GoldenError::Length { got, expected });
        }
        if u32_at(bytes, 12) != crc32(bytes.get(CHECKED_FROM..).unwrap_or_default()) {
            return Err(GoldenError::Checksum);
        }
        let mut golden = Golden { bytes, script_at: HEADER_LEN };
        if golden.dim() > MAX_DIM {
            return Err(GoldenError::Sample(0));
        }
        for index in 0..golden.sample_count() {
            let (_, next) = golden.sample_at(golden.script_at).ok_or(GoldenError::Sample(index))?;
            golden.script_at = next;
        }
        let steps = usize::from(u16_at(bytes, 30));
        let expected = golden.script_at + steps * STEP_LEN;
        if expected != got {
            return Err(GoldenError::Length { got, expected });
        }
        match (0..steps).find(|&index| golden.step(index).is_none()) {
            Some(index) => Err(GoldenError::Step(index)),
            None => Ok(golden),
        }
    }

    /// The model that the vectors belong to.
    pub fn model_id(&self) -> u64 {
        u64::from_le_bytes(array_at(self.bytes, 16))
    }

    /// Bytes of an input tensor.
    pub fn input_len(&self) -> usize {
        u32_at(self.bytes, 24) as usize
    }

    /// Elements of an embedding.
    pub fn dim(&self) -> usize {
        usize::from(u16_at(self.bytes, 28))
    }

    /// How many samples there are.
    pub fn sample_count(&self) -> usize {
        usize::from(u16_at(self.bytes, 6))
    }

    /// The samples, in order.
    pub fn samples(&self) -> impl Iterator<Item = Sample<'a>> + use<'a> {
        let (golden, mut at) = (*self, HEADER_LEN);
        (0..self.sample_count()).map_while(move |_| {
            let (sample, next) = golden.sample_at(at)?;
            at = next;
            Some(sample)
        })
    }

    /// The script, in order.
    pub fn steps(&self) -> impl Iterator<Item = Step> + use<'a> {
        let golden = *self;
        (0..usize::from(u16_at(self.bytes, 30))).map_while(move |index| golden.step(index))
    }

    /// The sample at byte `at` and where the next one starts.
    fn sample_at(&self, at: usize) -> Option<(Sample<'a>, usize)> {
        let head: &[u8; SAMPLE_HEAD_LEN] = self.bytes.get(at..)?.first_chunk()?;
        let header = match u8_at(head, 0) {
            0 => RawHeader::Image { width: u16_at(head, 2), height: u16_at(head, 4), channels: u8_at(head, 1) },
            1 => RawHeader::Sound { rate: u32_at(head, 0) >> 8, samples: u32_at(head, 4) },
            _ => return None,
        };
        let raw_end = (at + SAMPLE_HEAD_LEN).checked_add(usize::try_from(header.bytes()).ok()?)?;
        let input_end = raw_end.checked_add(self.input_len())?;
        let end = input_end.checked_add(self.dim())?;
        let bytes = self.bytes.get(at + SAMPLE_HEAD_LEN..raw_end)?;
        let sample = Sample {
            raw: match header {
                RawHeader::Image { width, height, channels } => {
                    Raw::Image(Image { width, height, channels, pixels: bytes })
                }
                RawHeader::Sound { rate, .. } => Raw::Sound(Sound { rate, samples: bytes }),
            },
            input: self.bytes.get(raw_end..input_end)?,
            embedding: cast_slice(self.bytes.get(input_end..end)?),
        };
        Some((sample, end))
    }

    fn step(&self, index: usize) -> Option<Step> {
        let start = self.script_at + index * STEP_LEN;
        let at: &[u8; STEP_LEN] = self.bytes.get(start..)?.first_chunk()?;
        let (flags, sample, identity) = (u8_at(at, 1), u16_at(at, 2), u16_at(at, 4));
        let outcome = Outcome {
            accepted: flags & ACCEPTED != 0,
            identity,
            distance: Distance(u32_at(at, 8)),
            runner_up: (flags & RUNNER_UP != 0).then_some(Distance(u32_at(at, 12))),
        };
        let step = match u8_at(at, 0) {
            0 => Step::Enrol { sample, identity },
            1 => Step::Verify { sample, outcome },
            2 => Step::Identify { sample, outcome: (flags & NEAREST != 0).then_some(outcome) },
            3 => Step::Delete { identity },
            _ => return None,
        };
        let has_sample = matches!(step, Step::Delete { .. }) || usize::from(sample) < self.sample_count();
        has_sample.then_some(step)
    }
}

/// Why golden vectors could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The buffer is too short.
    #[error("the golden vectors need {0} bytes")]
    Space(usize),
    /// More than 65,535 samples or steps.
    #[error("a golden file holds at most 65535 samples and as many steps")]
    Count,
    /// A sample's raw bytes are not as many as its shape says, or its tensor or embedding is of another length than the
    /// first sample's.
    #[error("golden sample {0} is not of the shape that it states")]
    Sample(usize),
    /// What was written does not pass the reader's check.
    #[error(transparent)]
    Check(#[from] GoldenError),
}

/// Bytes of the golden file of `samples` and `steps`.
pub fn encoded_len(samples: &[Sample<'_>], steps: &[Step]) -> usize {
    let samples: usize = samples
        .iter()
        .map(|sample| SAMPLE_HEAD_LEN + sample.raw.bytes().len() + sample.input.len() + sample.embedding.len())
        .sum();
    HEADER_LEN + samples + steps.len() * STEP_LEN
}

/// Writes golden vectors to the start of `out` and returns their checked view.
pub fn encode<'o>(
    model_id: u64,
    samples: &[Sample<'_>],
    steps: &[Step],
    out: &'o mut [u8],
) -> Result<Golden<'o>, WriteError> {
    let len = encoded_len(samples, steps);
    let out = out.get_mut(..len).ok_or(WriteError::Space(len))?;
    out.fill(0);
    let count = |n: usize| u16::try_from(n).map_err(|_| WriteError::Count);
    let (input_len, dim) = samples.first().map_or((0, 0), |first| (first.input.len(), first.embedding.len()));
    put(out, 0, &MAGIC);
    put(out, 4, &VERSION.to_le_bytes());
    put(out, 6, &count(samples.len())?.to_le_bytes());
    put(out, 8, &(len as u32).to_le_bytes());
    put(out, 16, &model_id.to_le_bytes());
    put(out, 24, &(input_len as u32).to_le_bytes());
    put(out, 28, &u16::try_from(dim).map_err(|_| WriteError::Sample(0))?.to_le_bytes());
    put(out, 30, &count(steps.len())?.to_le_bytes());
    let mut at = HEADER_LEN;
    for (index, sample) in samples.iter().enumerate() {
        let (header, bytes) = (sample.raw.header(), sample.raw.bytes());
        let whole = bytes.len() as u64 == header.bytes();
        if !whole || (sample.input.len(), sample.embedding.len()) != (input_len, dim) {
            return Err(WriteError::Sample(index));
        }
        match header {
            RawHeader::Image { width, height, channels } => {
                put(out, at, &[0, channels]);
                put(out, at + 2, &width.to_le_bytes());
                put(out, at + 4, &height.to_le_bytes());
            }
            RawHeader::Sound { rate, .. } if rate >= 1 << 24 => return Err(WriteError::Sample(index)),
            RawHeader::Sound { rate, samples } => {
                put(out, at, &(rate << 8 | 1).to_le_bytes());
                put(out, at + 4, &samples.to_le_bytes());
            }
        }
        at += SAMPLE_HEAD_LEN;
        for part in [bytes, sample.input, cast_slice(sample.embedding)] {
            put(out, at, part);
            at += part.len();
        }
    }
    for step in steps {
        put(out, at, &step_bytes(step));
        at += STEP_LEN;
    }
    let checksum = crc32(out.get(CHECKED_FROM..).unwrap_or_default());
    put(out, 12, &checksum.to_le_bytes());
    Ok(Golden::check(out)?)
}

fn step_bytes(step: &Step) -> [u8; STEP_LEN] {
    let (operation, sample, identity, outcome) = match *step {
        Step::Enrol { sample, identity } => (0, sample, identity, None),
        Step::Verify { sample, outcome } => (1, sample, outcome.identity, Some(outcome)),
        Step::Identify { sample, outcome } => (2, sample, outcome.map_or(0, |o| o.identity), outcome),
        Step::Delete { identity } => (3, 0, identity, None),
    };
    let mut bytes = [0; STEP_LEN];
    if let Some(outcome) = outcome {
        let accepted = if outcome.accepted { ACCEPTED } else { 0 };
        let runner_up = outcome.runner_up.map_or(0, |_| RUNNER_UP);
        put(&mut bytes, 1, &[accepted | runner_up | NEAREST]);
        put(&mut bytes, 8, &outcome.distance.0.to_le_bytes());
        let second = outcome.runner_up.map_or(0, |distance| distance.0);
        put(&mut bytes, 12, &second.to_le_bytes());
    }
    put(&mut bytes, 0, &[operation]);
    put(&mut bytes, 2, &sample.to_le_bytes());
    put(&mut bytes, 4, &identity.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    const PIXELS: [u8; 12] = [0, 1, 2, 3, 250, 251, 252, 253, 254, 255, 7, 8];

    fn image(width: u16, height: u16, channels: u8) -> Raw<'static> {
        let len = usize::from(width) * usize::from(height) * usize::from(channels);
        Raw::Image(Image { width, height, channels, pixels: &PIXELS[..len] })
    }

    fn sound(rate: u32) -> Raw<'static> {
        Raw::Sound(Sound { rate, samples: &PIXELS[..8] })
    }

    fn samples() -> [Sample<'static>; 3] {
        [
            Sample { raw: image(3, 4, 1), input: &[1, 2, 3, 4], embedding: &[-128, 0, 127] },
            Sample { raw: image(2, 1, 3), input: &[5, 6, 7, 8], embedding: &[1, -1, 5] },
            Sample { raw: sound(1 << 23 | 5), input: &[9, 9, 9, 9], embedding: &[0, 0, 1] },
        ]
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        let distance = any::<u32>().prop_map(Distance);
        (any::<bool>(), any::<u16>(), distance.clone(), prop::option::of(distance))
            .prop_map(|(accepted, identity, distance, runner_up)| Outcome { accepted, identity, distance, runner_up })
    }

    fn step() -> impl Strategy<Value = Step> {
        let sample = 0..2u16;
        prop_oneof![
            (sample.clone(), any::<u16>()).prop_map(|(sample, identity)| Step::Enrol { sample, identity }),
            (sample.clone(), outcome()).prop_map(|(sample, outcome)| Step::Verify { sample, outcome }),
            (sample, prop::option::of(outcome())).prop_map(|(sample, outcome)| Step::Identify { sample, outcome }),
            any::<u16>().prop_map(|identity| Step::Delete { identity }),
        ]
    }

    fn written(steps: &[Step]) -> Vec<u8> {
        let mut out = vec![0xaa; encoded_len(&samples(), steps)];
        encode(77 << 40 | 5, &samples(), steps, &mut out).unwrap();
        out
    }

    proptest! {
        #[test]
        fn reads_what_was_written(steps in prop::collection::vec(step(), 0..20)) {
            let bytes = written(&steps);
            let golden = Golden::check(&bytes).unwrap();
            prop_assert_eq!(golden.model_id(), 77 << 40 | 5);
            prop_assert_eq!(golden.samples().collect::<Vec<_>>(), samples());
            prop_assert_eq!(golden.steps().collect::<Vec<_>>(), steps);
        }

        #[test]
        fn finds_every_change(at in 0usize..100, bit in 0u8..8) {
            let mut bytes = written(&[Step::Delete { identity: 1 }]);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(Golden::check(&bytes).is_err());
        }

        #[test]
        fn never_panics_on_sealed_garbage(garbage in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = written(&[]);
            bytes.truncate(6);
            bytes.extend([0; 10]);
            bytes.extend(&garbage);
            bytes[6] = garbage.len() as u8 % 8;
            let len = bytes.len() as u32;
            bytes[8..12].copy_from_slice(&len.to_le_bytes());
            let checksum = crc32(&bytes[16..]);
            bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
            if let Ok(golden) = Golden::check(&bytes) {
                prop_assert_eq!(golden.samples().count(), golden.sample_count());
            }
        }
    }

    #[test]
    fn refuses_samples_that_do_not_fit_together() {
        let mut samples = samples();
        samples[1].embedding = &[1];
        let mut out = [0; 256];
        assert_eq!(encode(0, &samples, &[], &mut out).unwrap_err(), WriteError::Sample(1));
        assert_eq!(encode(0, &samples, &[], &mut []).unwrap_err(), WriteError::Space(encoded_len(&samples, &[])));
        let mut samples = self::samples();
        samples[2].raw = sound(1 << 24);
        assert_eq!(encode(0, &samples, &[], &mut out).unwrap_err(), WriteError::Sample(2));
        samples[2].raw = Raw::Sound(Sound { rate: 8000, samples: &PIXELS[..7] });
        assert_eq!(encode(0, &samples, &[], &mut out).unwrap_err(), WriteError::Sample(2));
        let unknown = Step::Enrol { sample: 3, identity: 0 };
        let error = encode(0, &self::samples(), &[unknown], &mut out).unwrap_err();
        assert_eq!(error, WriteError::Check(GoldenError::Step(0)));
    }

    #[test]
    fn labels_are_read_back() {
        for identity in [0, 9, 65535] {
            let candidate =
                crate::gallery::Candidate { label: label(identity), distance: Distance(3), runner_up: None };
            let outcome = Outcome::of(&Decision::Match(candidate)).unwrap();
            assert_eq!((outcome.identity, outcome.accepted), (identity, true));
        }
        assert_eq!(Outcome::of(&Decision::Unknown(None)), None);
    }
}
