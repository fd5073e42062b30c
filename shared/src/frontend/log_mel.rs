//! The sound front end: a log-mel spectrogram in fixed point, one column a frame.
//!
//! 1. Samples of another rate are resampled to the model's.
//! 2. Every `hop` samples a frame of `window` samples is pre-emphasised, windowed (Hann) and Fourier-transformed; the power of its
//!    bins is summed up in triangular bands on the mel scale.
//! 3. The logarithm of each band's power is counted in steps of `range / 255` dB. The loudest value of the recording becomes 255;
//!    what lies `range` dB or more below it becomes 0. How loud the recording is as a whole does not matter.
//! 4. Silence at both ends is left off: frames whose power in all bands lies more than `trim` dB below the loudest frame's. The
//!    first `frames` frames from there on are kept. Where there are fewer, they are repeated, centred in silence, or stretched.
//!
//! The tensor's row `b` is band `b`, the lowest first; its column `t` is frame `t`.
//!
//! All of that is done as the samples come. The tensor is a ring of the last frames; one more than it holds drops the oldest while
//! that is silent, and else is itself left off, unless it is so loud that all before it was silence. So where more noise than the
//! tensor holds comes first, a soft onset that exceeds the noise by less than `trim` dB is left off with it. When a value exceeds the
//! loudest so far, all others are lowered, so the order of the bytes' arrival is all that matters.

use bytemuck::cast_slice_mut;
use thiserror::Error;

use super::fixed::log2_16;
use super::resample::{HISTORY, MAX_RATIO, MIN_RATE, Resampler};
use super::{FrontendError, Quality, mel, spectrum};

/// Most bands.
pub const MAX_BANDS: u16 = mel::MAX_BANDS;
/// Most frames.
pub const MAX_FRAMES: u16 = 256;
/// Fewest frames of sound that a recording must hold.
pub const MIN_FRAMES: u16 = 4;

/// A recording whose samples all stay below this magnitude is silent: -54 dB of full scale.
const MIN_PEAK: u16 = 64;
/// Added to the power of every band: that of the noise of a 16-bit converter, near enough. Digital silence has a logarithm then.
const FLOOR: u64 = 8 << (4 + mel::WEIGHT_BITS);

/// What stands where the recording has no more frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// The recording lies in the middle, and there is 0 on both sides of it.
    Silence,
    /// The recording from its beginning, as often as there is room.
    #[default]
    Repeat,
    /// The recording is drawn out over all columns: between two frames there are weighted means of them. Column `t` of `width` lies
    /// at frame `t (frames - 1) / (width - 1)`, in 256ths, rounded down.
    Stretch,
}

/// Settings of the sound front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogMel {
    /// Samples a second that the spectrum is taken at, 4000 to 48000.
    pub rate: u16,
    /// Samples of a frame: 128, 256 or 512.
    pub window: u16,
    /// Samples from one frame to the next, 1 to `window`.
    pub hop: u16,
    /// Bands, 1 to [`MAX_BANDS`]: rows of the input tensor.
    pub bands: u16,
    /// Frames, [`MIN_FRAMES`] to [`MAX_FRAMES`]: columns of the input tensor.
    pub frames: u16,
    /// Where the lowest band begins, in Hz.
    pub low: u16,
    /// Where the highest band ends, in Hz, up to half the rate.
    pub high: u16,
    /// dB that the values from 0 to 255 span, 20 to 120.
    pub range: u8,
    /// dB below the loudest frame at which silence begins, 6 to 120.
    pub trim: u8,
    /// Whether each sample loses 31/32 of the one before it, which lifts the high frequencies.
    pub pre_emphasis: bool,
    /// What stands where the recording has no more frames.
    pub fill: Fill,
}

/// Why settings of the sound front end are of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// A value is out of its range.
    #[error("the front end's `{}` is {value}; it must be {}", RULES[*rule as usize].0, RULES[*rule as usize].1)]
    Range {
        /// Which value it is; a number, so that a board needs no texts.
        rule: u32,
        /// The value.
        value: u32,
    },
    /// A band so narrow that no bin of the spectrum lies in it.
    #[error("{bands} bands are too narrow for a window of {window} samples: take fewer bands or a longer window")]
    Narrow {
        /// Bands.
        bands: u32,
        /// Samples of a frame.
        window: u32,
    },
}

/// What is accepted of every setting, in the order of [`LogMel::check`].
static RULES: [(&str, &str); 9] = [
    ("rate", "from 4000 to 48000 Hz"),
    ("window", "128, 256 or 512 samples"),
    ("hop", "at least 1 and at most `window`"),
    ("bands", "from 1 to 64"),
    ("frames", "from 4 to 256"),
    ("low", "below `high`"),
    ("high", "from 1 to half of `rate`"),
    ("range", "from 20 to 120 dB"),
    ("trim", "from 6 to 120 dB"),
];

/// The window's place among the [`RULES`].
const WINDOW: u32 = 1;

impl LogMel {
    /// Refuses settings that no recording could pass.
    pub fn check(&self) -> Result<(), SettingsError> {
        let rules: [(u16, u16, u16); RULES.len()] = [
            (self.rate, 4000, 48000),
            (self.window, 128, 512),
            (self.hop, 1, self.window),
            (self.bands, 1, MAX_BANDS),
            (self.frames, MIN_FRAMES, MAX_FRAMES),
            (self.low, 0, self.high.saturating_sub(1)),
            (self.high, 1, self.rate / 2),
            (self.range.into(), 20, 120),
            (self.trim.into(), 6, 120),
        ];
        for (rule, (value, least, most)) in (0..).zip(rules) {
            // The transform halves its window again and again.
            let divides = rule != WINDOW || value.is_power_of_two();
            if !(least..=most).contains(&value) || !divides {
                return Err(SettingsError::Range { rule, value: value.into() });
            }
        }
        match mel::every_band_has_a_bin(self) {
            true => Ok(()),
            false => Err(SettingsError::Narrow { bands: self.bands.into(), window: self.window.into() }),
        }
    }

    /// The highest sample rate of a recording, in Hz.
    pub fn highest_rate(&self) -> u32 {
        u32::from(self.rate) * MAX_RATIO
    }

    /// Words that a stream works in.
    pub(super) fn work_words(&self) -> usize {
        self.sections().iter().sum()
    }

    /// Writes the filter bank to `work`.
    pub(super) fn prepare(&self, work: &mut [u32]) {
        if let Some(work) = Work::new(self, work) {
            mel::fill(self, work.first, work.rising);
        }
    }

    /// Words of the transform, and of five tables of halfwords: the window's samples, the resampler's history, the weights of the
    /// bins, the first bin of every segment, the loudness of every frame.
    fn sections(&self) -> [usize; 6] {
        let (window, bands) = (usize::from(self.window), usize::from(self.bands));
        [
            window,
            window / 2,
            HISTORY / 2,
            (window / 2 + 1).div_ceil(2),
            (bands + 2).div_ceil(2),
            usize::from(self.frames).div_ceil(2),
        ]
    }

    /// Steps of a value in one doubling of power, times `2^16`: `255 / range * 10 log10(2)`.
    fn steps_16(&self) -> u64 {
        let range = u64::from(self.range.max(1));
        (255 * 301_030 * 65536 / 100_000 + range / 2) / range
    }

    /// The logarithm of a power, in steps.
    fn steps(&self, power: u64) -> u16 {
        ((u64::from(log2_16(power)) * self.steps_16() + (1 << 31)) >> 32) as u16
    }

    /// `trim` in steps.
    fn trim_steps(&self) -> u16 {
        u16::from(self.trim) * 255 / u16::from(self.range.max(1))
    }
}

/// The parts of the working memory.
struct Work<'w> {
    transform: &'w mut [i32],
    samples: &'w mut [i16],
    history: &'w mut [i16],
    rising: &'w mut [u16],
    first: &'w mut [u16],
    loudness: &'w mut [u16],
}

impl<'w> Work<'w> {
    /// None where `words` are too few, which [`super::Stream`] has ruled out.
    fn new(settings: &LogMel, words: &'w mut [u32]) -> Option<Self> {
        let [transform, samples, history, rising, first, loudness] = settings.sections();
        let (transform, words) = words.split_at_mut_checked(transform)?;
        let (samples, words) = words.split_at_mut_checked(samples)?;
        let (history, words) = words.split_at_mut_checked(history)?;
        let (rising, words) = words.split_at_mut_checked(rising)?;
        let (first, words) = words.split_at_mut_checked(first)?;
        let (loudness, _) = words.split_at_mut_checked(loudness)?;
        Some(Work {
            transform: cast_slice_mut(transform),
            samples: cast_slice_mut(samples),
            history: cast_slice_mut(history),
            rising: cast_slice_mut(rising),
            first: cast_slice_mut::<u32, u16>(first).get_mut(..usize::from(settings.bands) + 2)?,
            loudness: cast_slice_mut(loudness),
        })
    }
}

/// Where a recording stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SoundStream {
    /// None where the recording has the model's rate.
    resampler: Option<Resampler>,
    /// The lower byte of a sample whose higher one has not come yet.
    half: Option<u8>,
    /// Samples in the window.
    filled: u16,
    /// The ring of frames: the column of the oldest, and how many there are.
    oldest: u16,
    frames: u16,
    /// A frame was left off because the ring was full of sound.
    left_off: bool,
    /// The loudest value of a band and of a whole frame so far, in steps.
    loudest_value: u16,
    loudest_frame: u16,
    peak: u16,
    clipped: u32,
    samples: u32,
}

impl SoundStream {
    pub(super) fn new(settings: &LogMel, rate: u32) -> Result<Self, FrontendError> {
        settings.check()?;
        if !(MIN_RATE..=settings.highest_rate()).contains(&rate) {
            return Err(FrontendError::Rate { got: rate, lowest: MIN_RATE, highest: settings.highest_rate() });
        }
        let own = u32::from(settings.rate);
        Ok(SoundStream {
            resampler: (rate != own).then(|| Resampler::new(rate, own)),
            half: None,
            filled: 0,
            oldest: 0,
            frames: 0,
            left_off: false,
            loudest_value: 0,
            loudest_frame: 0,
            peak: 0,
            clipped: 0,
            samples: 0,
        })
    }

    pub(super) fn push(&mut self, settings: &LogMel, bytes: &[u8], tensor: &mut [u8], work: &mut [u32]) {
        let Some(mut work) = Work::new(settings, work) else { return };
        for &byte in bytes {
            match self.half.take() {
                None => self.half = Some(byte),
                Some(low) => self.take(settings, i16::from_le_bytes([low, byte]), tensor, &mut work),
            }
        }
    }

    /// Takes a sample at the recording's rate.
    fn take(&mut self, settings: &LogMel, sample: i16, tensor: &mut [u8], work: &mut Work<'_>) {
        let magnitude = sample.unsigned_abs();
        self.peak = self.peak.max(magnitude);
        self.clipped += u32::from(magnitude >= i16::MAX as u16);
        self.samples = self.samples.saturating_add(1);
        match &mut self.resampler {
            None => self.collect(settings, sample, tensor, work),
            Some(resampler) => {
                resampler.push(sample, work.history);
                self.resample(settings, false, tensor, work);
            }
        }
    }

    /// Takes what the resampler has ready.
    fn resample(&mut self, settings: &LogMel, ended: bool, tensor: &mut [u8], work: &mut Work<'_>) {
        while let Some(sample) = self.resampler.as_mut().and_then(|resampler| resampler.next(ended, work.history)) {
            self.collect(settings, sample, tensor, work);
        }
    }

    /// Takes a sample at the model's rate.
    fn collect(&mut self, settings: &LogMel, sample: i16, tensor: &mut [u8], work: &mut Work<'_>) {
        if let Some(place) = work.samples.get_mut(usize::from(self.filled)) {
            *place = sample;
        }
        self.filled += 1;
        if self.filled >= settings.window {
            spectrum::transform(work.samples, settings.pre_emphasis, work.transform);
            self.frame(settings, tensor, work);
            self.filled = self.filled.saturating_sub(settings.hop);
            // What the next frame shares with this one.
            let hop = usize::from(settings.hop).min(work.samples.len());
            work.samples.copy_within(hop.., 0);
        }
    }

    /// Takes the frame whose transform is there.
    fn frame(&mut self, settings: &LogMel, tensor: &mut [u8], work: &mut Work<'_>) {
        let mut values = [0; MAX_BANDS as usize];
        let (mut all, mut highest) = (FLOOR, 0);
        bands(work, |band, power| {
            all = all.wrapping_add(power);
            if let Some(value) = values.get_mut(band) {
                *value = settings.steps(power.wrapping_add(FLOOR));
                highest = highest.max(*value);
            }
        });
        let loudness = settings.steps(all);
        let trim = settings.trim_steps();
        if self.left_off {
            // Frames are missing between the ring and this one.
            if loudness <= self.loudest_frame.saturating_add(trim) {
                return;
            }
            (self.frames, self.left_off) = (0, false);
        }
        self.loudest_frame = self.loudest_frame.max(loudness);
        if self.frames >= settings.frames {
            self.trim_start(settings, work);
        }
        if self.frames >= settings.frames {
            self.left_off = true;
            return;
        }
        if highest > self.loudest_value {
            let lower = u8::try_from(highest - self.loudest_value).unwrap_or(u8::MAX);
            tensor.iter_mut().for_each(|value| *value = value.saturating_sub(lower));
            self.loudest_value = highest;
        }
        let width = usize::from(settings.frames.max(1));
        let column = usize::from(self.oldest + self.frames) % width;
        if let Some(place) = work.loudness.get_mut(column) {
            *place = loudness;
        }
        self.frames += 1;
        // There is a row for every band.
        for (row, value) in tensor.chunks_exact_mut(width).zip(values) {
            let below = self.loudest_value.saturating_sub(value);
            if let Some(place) = row.get_mut(column) {
                *place = 255 - u8::try_from(below).unwrap_or(u8::MAX);
            }
        }
    }

    /// Drops the silent frames at the ring's beginning.
    fn trim_start(&mut self, settings: &LogMel, work: &Work<'_>) {
        while self.frames > 0 && self.is_silent(settings, work, 0) {
            self.oldest = (self.oldest + 1) % settings.frames.max(1);
            self.frames -= 1;
        }
    }

    /// Whether frame `index` of the ring is silent, as far as one knows.
    fn is_silent(&self, settings: &LogMel, work: &Work<'_>, index: u16) -> bool {
        let column = usize::from(self.oldest + index) % usize::from(settings.frames.max(1));
        let loudness = work.loudness.get(column).copied().unwrap_or(0);
        loudness.saturating_add(settings.trim_steps()) < self.loudest_frame
    }

    pub(super) fn finish(
        &mut self,
        settings: &LogMel,
        tensor: &mut [u8],
        work: &mut [u32],
    ) -> Result<Quality, FrontendError> {
        if let Some(mut work) = Work::new(settings, work) {
            self.resample(settings, true, tensor, &mut work);
            if self.peak < MIN_PEAK {
                return Err(FrontendError::Silent { peak: self.peak.into() });
            }
            self.trim_start(settings, &work);
            while self.frames > 0 && self.is_silent(settings, &work, self.frames - 1) {
                self.frames -= 1;
            }
        }
        if self.frames < MIN_FRAMES {
            return Err(FrontendError::Short { frames: self.frames.into() });
        }
        self.place(settings, tensor);
        let Self { peak, clipped, samples, frames, .. } = *self;
        Ok(Quality::Sound { peak, clipped, samples, frames })
    }

    /// Turns the ring's frames to their places.
    fn place(&self, settings: &LogMel, tensor: &mut [u8]) {
        let (oldest, frames) = (usize::from(self.oldest), usize::from(self.frames));
        for row in tensor.chunks_exact_mut(usize::from(settings.frames.max(1))) {
            rotate_left(row, oldest);
            let Some((kept, rest)) = row.split_at_mut_checked(frames) else { continue };
            match settings.fill {
                Fill::Repeat => rest.iter_mut().zip(kept.iter().cycle()).for_each(|(to, from)| *to = *from),
                Fill::Silence => {
                    rest.fill(0);
                    let right = rest.len().div_ceil(2);
                    rotate_left(row, frames + right);
                }
                Fill::Stretch => stretch(row, frames),
            }
        }
    }
}

/// Draws the first `count` values of `row` out over all of it.
fn stretch(row: &mut [u8], count: usize) {
    let last = row.len().saturating_sub(1).max(1);
    // From the end: what a column is made of lies at it or before it.
    for to in (0..row.len()).rev() {
        let place = ((to * count.saturating_sub(1)) << 8) / last;
        let weight = (place & 255) as u32;
        let [before, behind] =
            [place >> 8, (place >> 8) + 1].map(|from| u32::from(row.get(from).copied().unwrap_or(0)));
        if let Some(value) = row.get_mut(to) {
            *value = ((before * (256 - weight) + behind * weight + 128) >> 8) as u8;
        }
    }
}

/// Brings element `first` to the beginning, round the end, by three reversals.
fn rotate_left(row: &mut [u8], first: usize) {
    if let Some((start, end)) = row.split_at_mut_checked(first) {
        start.reverse();
        end.reverse();
        row.reverse();
    }
}

/// Gives every band's number and power, in order: the sum over its bins `k` of `power(k) * weight(k)`, in units of `2^-16` of a
/// squared sample. Of all bins below the last, which is in no band, that is less than `2^64`: by Parseval's theorem at most
/// `2^16 * 512 / 2 * 512 * 3/8 * (2^16)^2`, where 3/8 is the window's mean square.
fn bands(work: &Work<'_>, mut take: impl FnMut(usize, u64)) {
    let mut rising = 0u64;
    for (segment, ends) in work.first.windows(2).enumerate() {
        let &[start, end] = ends else { continue };
        let (before, mut all) = (core::mem::take(&mut rising), 0u64);
        for k in usize::from(start)..usize::from(end).min(work.rising.len()) {
            let power = spectrum::power(work.transform, k);
            let weight = work.rising.get(k).copied().unwrap_or(0);
            all = all.wrapping_add(power);
            rising = rising.wrapping_add(power.wrapping_mul(weight.into()));
        }
        if let Some(band) = segment.checked_sub(1) {
            // What does not rise into the next band falls from this one.
            take(band, before.wrapping_add(all << mel::WEIGHT_BITS).wrapping_sub(rising));
        }
    }
}
