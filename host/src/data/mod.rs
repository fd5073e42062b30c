//! Where samples come from: every source gives the same [`Dataset`] of raw samples with identities.

use shared::frontend::{Image, Raw};

/// A raw sample that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

impl RawSample {
    /// The view that the front end takes.
    pub fn as_raw(&self) -> Raw<'_> {
        match self {
            RawSample::Image {
                width,
                height,
                channels,
                pixels,
            } => Raw::Image(Image {
                width: *width,
                height: *height,
                channels: *channels,
                pixels,
            }),
        }
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
    /// The samples, those of one identity in the order of their source.
    pub samples: Vec<Sample>,
}
