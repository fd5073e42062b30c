//! Variation of recordings while training: of the waveform before the front end, of the spectrogram behind it.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use shared::frontend::{FrontEnd, FrontendError};

use super::{DataError, RawSample, Shape, input_tensor};

/// How far a training recording may be varied. Every value is drawn evenly between its bounds; nothing is varied by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoundAugment {
    /// Speed, and pitch with it, from `1 - speed` to `1 + speed`.
    pub speed: f32,
    /// Gain of each of three resonances anywhere in the band, up to so many dB either way.
    #[serde(skip_serializing_if = "is_zero")]
    pub resonance: f32,
    /// Gain either way, in dB; what exceeds the range of a sample is clipped.
    pub gain: f32,
    /// Loudness of white noise, up to this part of the recording's root mean square.
    pub noise: f32,
    /// Loudness of another recording in the background, up to this part of the recording's root mean square.
    pub mix: f32,
    /// Turn of the frames, what leaves at one end entering at the other, up to this part of the tensor's width.
    pub shift: f32,
    /// Longest run of frames that is silenced, as a part of all (SpecAugment: Park et al. 2019).
    pub time_mask: f32,
    /// Widest run of bands that is silenced, as a part of all.
    pub frequency_mask: f32,
}

impl SoundAugment {
    /// Whether nothing is varied.
    pub fn is_none(&self) -> bool {
        *self == SoundAugment::default()
    }

    /// Refuses parameters out of their range.
    pub fn check(&self) -> Result<(), DataError> {
        let limits = [
            ("speed", self.speed, 0.5),
            ("resonance", self.resonance, 30.0),
            ("gain", self.gain, 30.0),
            ("noise", self.noise, 1.0),
            ("mix", self.mix, 1.0),
            ("shift", self.shift, 1.0),
            ("time_mask", self.time_mask, 1.0),
            ("frequency_mask", self.frequency_mask, 1.0),
        ];
        for (name, value, limit) in limits {
            if !(0.0..=limit).contains(&value) {
                return Err(DataError::Augment { name, value, limit });
            }
        }
        Ok(())
    }

    /// The input tensor of a variation of `raw`, with `other` in its background. Where the front end refuses the variation, the
    /// recording itself takes its place.
    pub fn tensor(
        &self,
        front: &FrontEnd,
        raw: &RawSample,
        other: &RawSample,
        rng: &mut impl Rng,
    ) -> Result<Vec<u8>, FrontendError> {
        let varied = self.recording(raw, other, rng);
        let mut tensor = input_tensor(front, &varied).or_else(|_| input_tensor(front, raw))?;
        self.mask(Shape::of(front), &mut tensor, rng);
        Ok(tensor)
    }

    /// A variation of the waveform.
    fn recording(&self, raw: &RawSample, other: &RawSample, rng: &mut impl Rng) -> RawSample {
        let (RawSample::Sound { rate, samples }, RawSample::Sound { samples: background, .. }) = (raw, other) else {
            return raw.clone();
        };
        let level = root_mean_square(samples);
        let gain = 10f32.powf(either_way(rng, self.gain) / 20.0);
        // An even noise between -1 and 1 has a root mean square of 1 / sqrt(3).
        let noise = level * up_to(rng, self.noise) * 3f32.sqrt();
        let mix = match root_mean_square(background) {
            0.0 => 0.0,
            loudness => level * up_to(rng, self.mix) / loudness,
        };
        let start = rng.random_range(0..background.len().max(1));
        let behind = background.iter().cycle().skip(start).map(|&x| f32::from(x)).chain(std::iter::repeat(0.0));
        let mut wave: Vec<f32> = samples.iter().map(|&x| f32::from(x)).collect();
        if self.resonance > 0.0 {
            resonances(rng, self.resonance).for_each(|(frequency, gain)| peak(&mut wave, frequency, gain));
        }
        let sample = |(x, behind): (f32, f32)| {
            let noise = if noise > 0.0 { noise * rng.random_range(-1.0..=1.0) } else { 0.0 };
            (gain * (x + noise + mix * behind)).round() as i16
        };
        let samples = wave.into_iter().zip(behind).map(sample).collect();
        // Declared to be faster or slower than it was, the recording is resampled by the front end.
        let rate = (*rate as f32 * (1.0 + either_way(rng, self.speed))).round() as u32;
        RawSample::Sound { rate, samples }
    }

    /// Turns the frames of a tensor and silences a run of frames and a run of bands, 0 being silence.
    pub(super) fn mask(&self, shape: Shape, tensor: &mut [u8], rng: &mut impl Rng) {
        let (bands, frames) = (shape.height, shape.width);
        let turn = (frames as f32 * either_way(rng, self.shift)).round() as isize;
        let (time, frequency) = (run(rng, frames, self.time_mask), run(rng, bands, self.frequency_mask));
        for (band, row) in tensor.chunks_exact_mut(frames.max(1)).enumerate() {
            row.rotate_left(turn.rem_euclid(frames.max(1) as isize) as usize);
            row[time.clone()].fill(0);
            if frequency.contains(&band) {
                row.fill(0);
            }
        }
    }
}

/// A voice made of another: its pitch and the resonances that colour it.
#[derive(Clone, Debug, PartialEq)]
pub struct Voice {
    /// Of the speed, and of the pitch with it.
    speed: f32,
    /// Of each resonance its frequency as a part of the rate and its gain in dB.
    resonances: Vec<(f32, f32)>,
}

impl Voice {
    /// Voice number `number` of a speaker; 0 is the speaker's own. Speeds are even between 0.8 and 1.25 on a logarithmic scale;
    /// three resonances lie anywhere in the band, 9 dB at most either way.
    pub fn new(seed: u64, speaker: u64, number: u16) -> Voice {
        if number == 0 {
            return Voice { speed: 1.0, resonances: Vec::new() };
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(speaker << 16 | u64::from(number));
        let speed = 1.25f32.powf(either_way(&mut rng, 1.0));
        Voice { speed, resonances: resonances(&mut rng, 9.0).collect() }
    }

    /// What this voice makes of a recording.
    pub fn say(&self, raw: &RawSample) -> RawSample {
        let RawSample::Sound { rate, samples } = raw else {
            return raw.clone();
        };
        let mut wave: Vec<f32> = samples.iter().map(|&x| f32::from(x)).collect();
        for &(frequency, gain) in &self.resonances {
            peak(&mut wave, frequency, gain);
        }
        // Declared to be faster or slower than it was, the recording is resampled by the front end.
        let rate = (*rate as f32 * self.speed).round() as u32;
        RawSample::Sound { rate, samples: wave.into_iter().map(|x| x.round() as i16).collect() }
    }
}

/// Three resonances: of each its frequency as a part of the rate and its gain in dB.
fn resonances(rng: &mut impl Rng, gain: f32) -> impl Iterator<Item = (f32, f32)> {
    (0..3).map(move |_| (rng.random_range(0.02..0.45), either_way(rng, gain)))
}

fn is_zero(value: &f32) -> bool {
    *value == 0.0
}

/// A peaking equalizer of Q = 1 over `wave` (Bristow-Johnson, Cookbook formulae for audio equalizer biquad filter coefficients).
pub(super) fn peak(wave: &mut [f32], frequency: f32, gain: f32) {
    let (sin, cos) = libm::sincosf(std::f32::consts::TAU * frequency);
    let (amplitude, alpha) = (libm::powf(10.0, gain / 40.0), sin / 2.0);
    let a0 = 1.0 + alpha / amplitude;
    let b = [1.0 + alpha * amplitude, -2.0 * cos, 1.0 - alpha * amplitude].map(|b| b / a0);
    let a = [-2.0 * cos, 1.0 - alpha / amplitude].map(|a| a / a0);
    let (mut before, mut after) = ([0.0; 2], [0.0; 2]);
    for x in wave {
        let y = b[0] * *x + b[1] * before[0] + b[2] * before[1] - a[0] * after[0] - a[1] * after[1];
        before = [*x, before[0]];
        after = [y, after[0]];
        *x = y;
    }
}

fn root_mean_square(samples: &[i16]) -> f32 {
    let squares: f64 = samples.iter().map(|&x| f64::from(x).powi(2)).sum();
    (squares / samples.len().max(1) as f64).sqrt() as f32
}

fn either_way(rng: &mut impl Rng, bound: f32) -> f32 {
    bound * rng.random_range(-1.0..=1.0)
}

fn up_to(rng: &mut impl Rng, bound: f32) -> f32 {
    bound * rng.random_range(0.0..=1.0)
}

/// A run of up to `part` of `len`, anywhere in it.
fn run(rng: &mut impl Rng, len: usize, part: f32) -> std::ops::Range<usize> {
    let own = (len as f32 * up_to(rng, part)) as usize;
    let start = rng.random_range(0..=len - own.min(len));
    start..start + own.min(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use shared::frontend::{Fill, LogMel};

    const FRONT: FrontEnd = FrontEnd::LogMel(LogMel {
        rate: 8000,
        window: 256,
        hop: 128,
        bands: 16,
        frames: 32,
        low: 60,
        high: 4000,
        range: 60,
        trim: 30,
        pre_emphasis: true,
        fill: Fill::Repeat,
    });

    /// A tone of rising pitch, so that every frame is another.
    fn tone(step: f32) -> RawSample {
        let samples =
            (0..4000).map(|n| n as f32).map(|n| (9000.0 * (n * step * (0.5 + n / 8000.0)).sin()) as i16).collect();
        RawSample::Sound { rate: 8000, samples }
    }

    fn vary(augment: SoundAugment, seed: u64) -> Vec<u8> {
        augment.check().expect("in range");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        augment.tensor(&FRONT, &tone(0.5), &tone(1.3), &mut rng).expect("a tone")
    }

    /// The gain at the frequency of a peak is the peak's; far from it, none.
    #[test]
    fn a_peak_amplifies_its_own_frequency() {
        let level = |frequency: f32| {
            let mut wave: Vec<f32> =
                (0..4000).map(|n| 1000.0 * (std::f32::consts::TAU * frequency * n as f32).sin()).collect();
            peak(&mut wave, 0.1, 6.0);
            let tail: f32 = wave[2000..].iter().map(|x| x * x).sum();
            10.0 * (tail / 2000.0 / 500_000.0).log10()
        };
        assert!((level(0.1) - 6.0).abs() < 0.05, "{}", level(0.1));
        assert!(level(0.001).abs() < 0.05 && level(0.49).abs() < 0.2, "{} {}", level(0.001), level(0.49));
    }

    #[test]
    fn nothing_is_varied_by_default() {
        assert_eq!(vary(SoundAugment::default(), 3), input_tensor(&FRONT, &tone(0.5)).expect("a tone"));
    }

    #[test]
    fn every_parameter_varies_and_a_seed_repeats() {
        let none = SoundAugment::default();
        let cases = [
            SoundAugment { speed: 0.2, ..none },
            SoundAugment { resonance: 6.0, ..none },
            SoundAugment { noise: 0.5, ..none },
            SoundAugment { mix: 0.8, ..none },
            SoundAugment { shift: 0.5, ..none },
            SoundAugment { time_mask: 0.5, ..none },
            SoundAugment { frequency_mask: 0.5, ..none },
            SoundAugment { gain: 30.0, ..none },
        ];
        for augment in cases {
            let seen: std::collections::HashSet<_> = (0..20).map(|seed| vary(augment, seed)).collect();
            assert!(seen.len() > 1, "{augment:?}");
            assert_eq!(vary(augment, 5), vary(augment, 5));
        }
    }

    #[test]
    fn masks_silence_runs_within_their_bounds() {
        let augment = SoundAugment { time_mask: 0.25, frequency_mask: 0.25, ..SoundAugment::default() };
        for seed in 0..50 {
            let mut tensor = vec![9; 16 * 32];
            let shape = Shape::of(&FRONT);
            augment.mask(shape, &mut tensor, &mut ChaCha8Rng::seed_from_u64(seed));
            let rows = (0..16).filter(|&b| tensor[b * 32..(b + 1) * 32].iter().all(|&value| value == 0)).count();
            let columns = (0..32).filter(|&t| tensor.iter().skip(t).step_by(32).all(|&value| value == 0)).count();
            assert!(rows <= 4 && columns <= 8, "{rows} {columns}");
            let zeros = tensor.iter().filter(|&&value| value == 0).count();
            assert_eq!(zeros, rows * 32 + columns * 16 - rows * columns);
        }
    }

    #[test]
    fn out_of_range_is_refused() {
        assert!(SoundAugment { speed: 0.6, ..SoundAugment::default() }.check().is_err());
        assert!(SoundAugment { mix: f32::NAN, ..SoundAugment::default() }.check().is_err());
    }
}
