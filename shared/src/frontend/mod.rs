//! Raw sample -> input tensor: integer arithmetic only, so that host and board feed their networks the same bytes.
//!
//! A [`FrontEnd`] is started with the [`RawHeader`] of a sample and takes its bytes in chunks of any size; nothing of the raw
//! sample is kept. All that a [`Stream`] needs besides itself is the input tensor, which it fills as it goes, and
//! [`FrontEnd::work_words`] words of working memory, both the caller's and both free again when the stream has finished.
//!
//! ```text
//! pictures   a row of sums for the cells of one tensor row: 12 bytes a column and channel
//! sound      one window of samples, its transform, the filter bank and the resampler's history: 2 to 5 KB
//! ```

mod fixed;
mod log_mel;
mod mel;
mod pixels;
mod quality;
mod resample;
mod spectrum;

use core::marker::PhantomData;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::geometry::Shape;

pub use log_mel::{Fill, LogMel, MAX_BANDS, MAX_FRAMES, MIN_FRAMES, SettingsError};
pub use pixels::{MAX_SIDE, Pixels};
pub use quality::{Flaw, Quality};

/// A raw sample, as it comes from a file, a sensor or the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw<'a> {
    /// A picture.
    Image(Image<'a>),
    /// A recording.
    Sound(Sound<'a>),
}

/// A picture of 8-bit samples: rows from the top, pixels from the left, channels interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Samples a pixel: 1 for grey, 3 for RGB.
    pub channels: u8,
    /// `height * width * channels` bytes.
    pub pixels: &'a [u8],
}

/// A recording of one channel: linear PCM, 16 bit signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound<'a> {
    /// Samples a second.
    pub rate: u32,
    /// The samples, two bytes each, the lower one first.
    pub samples: &'a [u8],
}

/// What a raw sample is, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RawHeader {
    /// A picture, laid out as [`Image`] says.
    Image {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
        /// Samples a pixel.
        channels: u8,
    },
    /// A recording, laid out as [`Sound`] says.
    Sound {
        /// Samples a second.
        rate: u32,
        /// Samples in all.
        samples: u32,
    },
}

impl RawHeader {
    /// Bytes of the raw sample.
    pub fn bytes(&self) -> u64 {
        match *self {
            RawHeader::Image { width, height, channels } => u64::from(width) * u64::from(height) * u64::from(channels),
            RawHeader::Sound { samples, .. } => 2 * u64::from(samples),
        }
    }
}

impl<'a> Raw<'a> {
    /// What the sample is. A recording's odd last byte is no sample.
    pub fn header(&self) -> RawHeader {
        match *self {
            Raw::Image(Image { width, height, channels, .. }) => RawHeader::Image { width, height, channels },
            Raw::Sound(Sound { rate, samples }) => {
                RawHeader::Sound { rate, samples: u32::try_from(samples.len() / 2).unwrap_or(u32::MAX) }
            }
        }
    }

    /// The sample's bytes.
    pub fn bytes(&self) -> &'a [u8] {
        match *self {
            Raw::Image(image) => image.pixels,
            Raw::Sound(sound) => sound.samples,
        }
    }
}

/// Why a raw sample cannot become an input tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrontendError {
    /// A picture for a model of sounds.
    #[error("this is a picture, but the model takes recordings")]
    NotSound,
    /// A recording for a model of pictures.
    #[error("this is a recording, but the model takes pictures")]
    NotImage,
    /// A side is zero or longer than [`MAX_SIDE`].
    #[error("the picture is {width}x{height} pixels; sides from 1 to {MAX_SIDE} are accepted")]
    Size {
        /// Columns of the picture.
        width: u32,
        /// Rows of the picture.
        height: u32,
    },
    /// The picture's channels are not the model's.
    #[error("the picture has {got} channels, the model takes {expected}")]
    Channels {
        /// Channels of the picture.
        got: u32,
        /// Channels of the model's input.
        expected: u32,
    },
    /// The recording's sample rate cannot be brought to the model's.
    #[error("the recording has {got} samples a second; from {lowest} to {highest} are accepted")]
    Rate {
        /// Rate of the recording, in Hz.
        got: u32,
        /// The lowest rate, in Hz.
        lowest: u32,
        /// The highest rate, in Hz.
        highest: u32,
    },
    /// Nothing in the recording is louder than the noise of a converter.
    #[error("the recording is silent: its loudest sample is {peak} of 32768; speak up, or move the microphone nearer")]
    Silent {
        /// The largest magnitude of a sample.
        peak: u32,
    },
    /// Too little of the recording is sound.
    #[error("the recording holds {frames} frames of sound, at least {MIN_FRAMES} are needed: record longer")]
    Short {
        /// Frames that are not silent.
        frames: u32,
    },
    /// The bytes are not as many as the header says.
    #[error("the sample's header asks for {expected} bytes, but {got} came")]
    Length {
        /// Bytes that came.
        got: usize,
        /// Bytes that the header asks for.
        expected: usize,
    },
    /// The output buffer is not as long as the input tensor.
    #[error("the input tensor has {expected} bytes, the buffer {got}")]
    Tensor {
        /// Bytes of the buffer.
        got: usize,
        /// Bytes of the tensor.
        expected: usize,
    },
    /// The working memory is too small.
    #[error("the front end works in {expected} words, {got} were given")]
    Work {
        /// Words given.
        got: usize,
        /// Words needed.
        expected: usize,
    },
    /// The settings contradict themselves.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// What makes input tensors of a model's raw samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontEnd {
    /// Pictures.
    Pixels(Pixels),
    /// Recordings.
    LogMel(LogMel),
}

impl FrontEnd {
    /// The input tensor: CHW, one plane a channel, columns fastest.
    pub fn shape(&self) -> Shape {
        match *self {
            FrontEnd::Pixels(Pixels { width, height, channels, .. }) => {
                Shape { height, width, channels: u16::from(channels) }
            }
            FrontEnd::LogMel(LogMel { bands, frames, .. }) => Shape { height: bands, width: frames, channels: 1 },
        }
    }

    /// Bytes of the input tensor.
    pub fn tensor_len(&self) -> usize {
        self.shape().len()
    }

    /// Words of working memory that a stream needs.
    pub fn work_words(&self) -> usize {
        match self {
            FrontEnd::Pixels(pixels) => pixels.work_words(),
            FrontEnd::LogMel(log_mel) => log_mel.work_words(),
        }
    }

    /// Begins a sample of `header`; whatever lay in `tensor` and `work` is gone.
    pub fn start(&self, header: RawHeader, tensor: &mut [u8], work: &mut [u32]) -> Result<Stream, FrontendError> {
        Stream::start(self, header, tensor, work)
    }

    /// Writes the input tensor of `raw` to `tensor`, in `work`'s memory: all of its bytes as one chunk of a [`Stream`].
    pub fn run(&self, raw: Raw<'_>, tensor: &mut [u8], work: &mut [u32]) -> Result<Quality, FrontendError> {
        let mut stream = self.start(raw.header(), tensor, work)?;
        stream.push(raw.bytes(), tensor, work)?;
        stream.finish(tensor, work)
    }
}

impl From<Pixels> for FrontEnd {
    fn from(pixels: Pixels) -> Self {
        FrontEnd::Pixels(pixels)
    }
}

impl From<LogMel> for FrontEnd {
    fn from(log_mel: LogMel) -> Self {
        FrontEnd::LogMel(log_mel)
    }
}

/// Which front ends a program has: one without the other's is smaller.
pub trait Kinds {
    /// Whether it takes pictures.
    const PICTURES: bool;
    /// Whether it takes recordings.
    const SOUND: bool;
}

/// Pictures and recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum All {}

/// Pictures only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pictures {}

/// Recordings only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recordings {}

impl Kinds for All {
    const PICTURES: bool = true;
    const SOUND: bool = true;
}

impl Kinds for Pictures {
    const PICTURES: bool = true;
    const SOUND: bool = false;
}

impl Kinds for Recordings {
    const PICTURES: bool = false;
    const SOUND: bool = true;
}

/// A raw sample on its way into an input tensor.
///
/// Every call takes the same `tensor` and the same `work`, and nobody else writes to them in between; other contents give another
/// tensor, never a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream<K = All> {
    kinds: PhantomData<K>,
    front: FrontEnd,
    received: usize,
    expected: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pixels(pixels::PixelStream),
    LogMel(log_mel::SoundStream),
}

impl<K: Kinds> Stream<K> {
    /// Begins a sample of `header` for `front`; whatever lay in `tensor` and `work` is gone.
    pub fn start(
        front: &FrontEnd,
        header: RawHeader,
        tensor: &mut [u8],
        work: &mut [u32],
    ) -> Result<Self, FrontendError> {
        let expected = usize::try_from(header.bytes()).unwrap_or(usize::MAX);
        let state = match (front, header) {
            (FrontEnd::Pixels(pixels), RawHeader::Image { width, height, channels }) if K::PICTURES => {
                State::Pixels(pixels::PixelStream::new(pixels, (width, height), channels)?)
            }
            (FrontEnd::LogMel(log_mel), RawHeader::Sound { rate, .. }) if K::SOUND => {
                State::LogMel(log_mel::SoundStream::new(log_mel, rate)?)
            }
            (FrontEnd::Pixels(_), _) => return Err(FrontendError::NotImage),
            (FrontEnd::LogMel(_), _) => return Err(FrontendError::NotSound),
        };
        let stream = Stream { kinds: PhantomData, front: *front, received: 0, expected, state };
        stream.check(tensor, work)?;
        tensor.fill(0);
        work.fill(0);
        match front {
            FrontEnd::LogMel(log_mel) if K::SOUND => log_mel.prepare(work),
            _ => {}
        }
        Ok(stream)
    }

    /// Takes the next bytes of the raw sample, as many as there are.
    pub fn push(&mut self, bytes: &[u8], tensor: &mut [u8], work: &mut [u32]) -> Result<(), FrontendError> {
        self.check(tensor, work)?;
        let got = self.received.saturating_add(bytes.len());
        if got > self.expected {
            return Err(FrontendError::Length { got, expected: self.expected });
        }
        self.received = got;
        match (&mut self.state, &self.front) {
            (State::Pixels(state), FrontEnd::Pixels(pixels)) if K::PICTURES => {
                state.push(pixels, bytes, tensor, work);
            }
            (State::LogMel(state), FrontEnd::LogMel(log_mel)) if K::SOUND => {
                state.push(log_mel, bytes, tensor, work);
            }
            _ => {} // `start` made both of one kind that there is
        }
        Ok(())
    }

    /// Completes the tensor once all bytes have come, and says how good the sample was.
    pub fn finish(mut self, tensor: &mut [u8], work: &mut [u32]) -> Result<Quality, FrontendError> {
        self.check(tensor, work)?;
        if self.received != self.expected {
            return Err(FrontendError::Length { got: self.received, expected: self.expected });
        }
        match (&mut self.state, &self.front) {
            (State::Pixels(state), FrontEnd::Pixels(pixels)) if K::PICTURES => Ok(state.finish(pixels, tensor)),
            (State::LogMel(state), FrontEnd::LogMel(log_mel)) if K::SOUND => state.finish(log_mel, tensor, work),
            (State::Pixels(_), _) => Err(FrontendError::NotImage),
            (State::LogMel(_), _) => Err(FrontendError::NotSound),
        }
    }

    #[inline(never)]
    fn check(&self, tensor: &[u8], work: &[u32]) -> Result<(), FrontendError> {
        let (got, expected) = (tensor.len(), self.front.tensor_len());
        if got != expected {
            return Err(FrontendError::Tensor { got, expected });
        }
        let (got, expected) = (work.len(), self.front.work_words());
        if got < expected {
            return Err(FrontendError::Work { got, expected });
        }
        Ok(())
    }
}
