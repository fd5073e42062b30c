//! How good a raw sample is, measured on its way through the front end.

use serde::{Deserialize, Serialize};

use super::{FrontEnd, RawHeader};

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quality {
    /// Of a picture.
    Image {
        /// The darkest value of the scaled picture, before any inversion or stretch.
        low: u8,
        /// The lightest one.
        high: u8,
        /// How many thousandths of the picture's part of the tensor are 128 or more: its ink, once dark on light was inverted.
        ink_permille: u16,
    },
    /// Of a recording.
    Sound {
        /// The largest magnitude of a sample, up to 32768.
        peak: u16,
        /// Samples at either end of the range.
        clipped: u32,
        /// Samples in all, at the recording's own rate.
        samples: u32,
        /// Frames of sound, silence at both ends left off, as many as the tensor holds at most.
        frames: u16,
    },
}

/// Why a sample should not be enrolled, though a tensor came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Flaw {
    /// The picture is of one tone.
    #[error("the picture is blank")]
    Blank,
    /// Much of the recording is clipped.
    #[error("the recording is clipped: speak more softly, or farther from the microphone")]
    Clipped,
    /// The picture is much smaller than the tensor.
    #[error("the picture is too small: its sides are less than a quarter of the model's input")]
    Small,
}

/// A picture whose values lie within this range is blank.
const BLANK_RANGE: u8 = 16;
/// One sample in so many may be at an end of the range.
const CLIPPED_SHARE: u32 = 100;

/// A picture is too small whose side is shorter than this part of the tensor's.
const SHORT_SIDE_DIVISOR: u16 = 4;

impl FrontEnd {
    /// The flaw of a sample of `header` in which `quality` was measured, where it has one.
    pub fn flaw(&self, header: RawHeader, quality: &Quality) -> Option<Flaw> {
        let is_small = match (self, header) {
            (FrontEnd::Pixels(pixels), RawHeader::Image { width, height, .. }) => {
                width < pixels.width / SHORT_SIDE_DIVISOR || height < pixels.height / SHORT_SIDE_DIVISOR
            }
            _ => false,
        };
        quality.flaw().or(is_small.then_some(Flaw::Small))
    }
}

impl Quality {
    /// What is wrong with the values, whatever the sample's size: see [`FrontEnd::flaw`].
    pub fn flaw(&self) -> Option<Flaw> {
        match *self {
            Quality::Image { low, high, .. } => (high.saturating_sub(low) < BLANK_RANGE).then_some(Flaw::Blank),
            Quality::Sound { clipped, samples, .. } => (clipped > samples / CLIPPED_SHARE).then_some(Flaw::Clipped),
        }
    }
}
