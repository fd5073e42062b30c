//! What a recipe's network gets to see.

use serde::{Deserialize, Serialize};
use shared::frontend::{Fill, FrontEnd, Image, LogMel, Pixels, Raw};

/// The front end's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Always 1: pictures are read in grey.
    pub channels: u8,
    /// Dark on light becomes light on dark.
    pub invert: bool,
    /// The darkest value becomes 0, the lightest 255.
    pub stretch: bool,
    /// For recordings, whose spectrogram has `height` bands, `width` frames and one channel; for pictures none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<SoundInput>,
}

/// The sound front end's settings, besides bands and frames: see [`LogMel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoundInput {
    /// Samples a second; recordings of another rate are resampled.
    pub rate: u16,
    /// Samples of a frame.
    pub window: u16,
    /// Samples from one frame to the next.
    pub hop: u16,
    /// Where the lowest band begins, in Hz.
    pub low: u16,
    /// Where the highest band ends, in Hz.
    pub high: u16,
    /// dB from the lowest value to the highest.
    pub range: u8,
    /// dB below the loudest frame at which silence begins.
    pub trim: u8,
    /// Lift the high frequencies.
    pub pre_emphasis: bool,
    /// What stands where a recording has no more frames.
    pub fill: Fill,
}

impl Default for SoundInput {
    /// 8 kHz, frames of 32 ms every 16 ms, bands from 60 to 3800 Hz.
    fn default() -> Self {
        SoundInput {
            rate: 8000,
            window: 256,
            hop: 128,
            low: 60,
            high: 3800,
            range: 60,
            trim: 30,
            pre_emphasis: true,
            fill: Fill::Repeat,
        }
    }
}

impl Input {
    /// The front end with these settings.
    pub fn front_end(&self) -> FrontEnd {
        if let Some(sound) = self.sound {
            let SoundInput { rate, window, hop, low, high, range, trim, pre_emphasis, fill } = sound;
            let (bands, frames) = (self.height, self.width);
            let settings = LogMel { rate, window, hop, bands, frames, low, high, range, trim, pre_emphasis, fill };
            return FrontEnd::LogMel(settings);
        }
        FrontEnd::Pixels(Pixels {
            width: self.width,
            height: self.height,
            channels: self.channels,
            invert: self.invert,
            stretch: self.stretch,
        })
    }

    /// As wide, high and coloured as `raw`, with the shorter side brought to `side` where that is shorter.
    pub fn like(raw: Raw<'_>, side: u16) -> Input {
        let (width, height, channels) = match raw {
            Raw::Image(Image { width, height, channels, .. }) => (width, height, channels),
            Raw::Sound(_) => (side, side, 1),
        };
        let shorter = width.min(height).max(1);
        let scale = |length: u16| match shorter > side {
            true => (u32::from(length) * u32::from(side) / u32::from(shorter)) as u16,
            false => length,
        };
        Input { width: scale(width), height: scale(height), channels, invert: false, stretch: false, sound: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_follow_the_pictures() {
        let raw = |width, height| Raw::Image(Image { width, height, channels: 1, pixels: &[] });
        let size = |raw| {
            let input = Input::like(raw, 40);
            (input.width, input.height)
        };
        assert_eq!(size(raw(28, 28)), (28, 28));
        assert_eq!(size(raw(92, 112)), (40, 48));
        assert_eq!(size(raw(220, 155)), (56, 40));
    }
}
