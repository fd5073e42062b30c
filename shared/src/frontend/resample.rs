//! Any sample rate -> the model's: a windowed sinc, evaluated at the exact rational place of every output sample.

use core::num::{NonZeroU32, NonZeroU64};

use super::fixed::{CROSSINGS, SINC_POINTS, sinc};

/// Samples of history that a [`Resampler`] works in.
pub(super) const HISTORY: usize = 256;
/// How many times the model's rate a recording's may be.
pub(super) const MAX_RATIO: u32 = 12;
/// The lowest rate of a recording, in Hz.
pub(super) const MIN_RATE: u32 = 2000;

/// Turns samples of one rate into samples of another, one by one.
///
/// Output sample `n` lies at the input's place `n * from / to` and is the sum of the inputs about it, each weighted by
/// `sinc(t) cos^2(pi t / 16)`, `|t| < 8`, where `t` is its distance in samples of the lower of the two rates, divided by the sum
/// of the weights and rounded to the nearest, halves away from 0. Beyond its ends the recording is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resampler {
    from: u32,
    to: NonZeroU32,
    /// Places in the table, with 8 + 24 bits behind the point, in a `to`th of an input sample: a word, as no rate is below 32 Hz.
    scale: u32,
    /// Input samples to either side that bear on an output.
    reach: u32,
    /// Input samples so far.
    taken: u32,
    /// The next output's place: whole input samples, and `to`ths of one.
    at: u32,
    part: u32,
}

impl Resampler {
    /// A resampler of rates in Hz, `from` between [`MIN_RATE`] and [`MAX_RATIO`] times `to`.
    pub(super) fn new(from: u32, to: u32) -> Self {
        let to = NonZeroU32::new(to).unwrap_or(NonZeroU32::MIN);
        let faster = from.max(to.get());
        let reach = (CROSSINGS * faster + to.get() - 1) / to;
        let scale = ((u64::from(SINC_POINTS) << 32) / u64::from(faster.max(1))) as u32;
        Resampler { from, to, reach, scale, taken: 0, at: 0, part: 0 }
    }

    /// Takes one input sample.
    pub(super) fn push(&mut self, sample: i16, history: &mut [i16]) {
        if let Some(place) = history.get_mut(self.taken as usize % HISTORY) {
            *place = sample;
        }
        self.taken = self.taken.wrapping_add(1);
    }

    /// The next output sample, once all inputs that bear on it were taken; with `ended`, what comes after the last input is
    /// silence, and an output lies no later than that input.
    pub(super) fn next(&mut self, ended: bool, history: &[i16]) -> Option<i16> {
        let ready = if ended { self.at < self.taken } else { self.at.saturating_add(self.reach) < self.taken };
        if !ready {
            return None;
        }
        let output = self.output(history);
        self.part += self.from % self.to;
        self.at = self.at.saturating_add(self.from / self.to + self.part / self.to);
        self.part %= self.to;
        Some(output)
    }

    fn output(&self, history: &[i16]) -> i16 {
        let (reach, to) = (self.reach as i32, self.to.get() as i32);
        let (mut sum, mut weights) = (0i64, 0i32);
        for from in 1 - reach..=reach {
            let distance = (from * to - self.part as i32).unsigned_abs();
            let place = ((u64::from(distance) * u64::from(self.scale) + (1 << 23)) >> 24) as u32;
            let (point, between) = ((place >> 8) as usize, (place & 255) as i32);
            let (Some(a), Some(b)) = (sinc(point), sinc(point + 1)) else { continue };
            let weight = a + (((b - a) * between + 128) >> 8);
            weights += weight;
            // Beyond the recording's ends the weights count and the samples are 0, so that it fades in and out.
            if let Some(index) = self.at.checked_add_signed(from).filter(|index| *index < self.taken) {
                let sample = history.get(index as usize % HISTORY).copied().unwrap_or(0);
                sum += i64::from(weight) * i64::from(sample);
            }
        }
        let weights = u64::from(weights.unsigned_abs());
        let magnitude = (2 * sum.unsigned_abs() + weights) / NonZeroU64::new(2 * weights).unwrap_or(NonZeroU64::MIN);
        let magnitude = magnitude.min(1 << 15) as i32;
        (if sum < 0 { -magnitude } else { magnitude }).min(i16::MAX.into()) as i16
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::f64::consts::PI;
    use std::vec::Vec;

    fn resample(samples: &[i16], from: u32, to: u32) -> Vec<i16> {
        let mut resampler = Resampler::new(from, to);
        let mut history = [0; HISTORY];
        let mut out = Vec::new();
        for &sample in samples {
            resampler.push(sample, &mut history);
            while let Some(sample) = resampler.next(false, &history) {
                out.push(sample);
            }
        }
        while let Some(sample) = resampler.next(true, &history) {
            out.push(sample);
        }
        out
    }

    fn tone(frequency: f64, rate: u32, len: usize) -> Vec<i16> {
        let angle = |n: usize| 2.0 * PI * frequency * n as f64 / f64::from(rate);
        (0..len).map(|n| (20000.0 * angle(n).sin()).round() as i16).collect()
    }

    #[test]
    fn a_tone_stays_the_same_tone() {
        for from in [2000, 6000, 8000, 11025, 16000, 22050, 44100, 48000, 96000] {
            let frequency = 500.0;
            let out = resample(&tone(frequency, from, from as usize / 4), from, 8000);
            assert_eq!(out.len(), 2000, "{from}");
            let expected = tone(frequency, 8000, 2000);
            for (n, (&got, &expected)) in out.iter().zip(&expected).enumerate().skip(100).take(1700) {
                assert!(
                    (i32::from(got) - i32::from(expected)).abs() < 60,
                    "{from} Hz, sample {n}: {got}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn tones_beyond_the_band_vanish() {
        for (from, frequency) in [(16000, 5500.0), (44100, 6000.0), (48000, 20000.0)] {
            let out = resample(&tone(frequency, from, from as usize / 4), from, 8000);
            let loudest = out.iter().skip(100).take(1700).map(|x| i32::from(*x).abs()).max();
            assert!(loudest < Some(300), "{from}: {loudest:?}");
        }
    }

    #[test]
    fn the_same_rate_is_a_copy_and_extremes_saturate() {
        let samples: Vec<i16> = (0..500).map(|n| [i16::MIN, i16::MAX][n / 7 % 2]).collect();
        assert_eq!(resample(&samples, 8000, 8000), samples);
        assert_eq!(resample(&samples, 44100, 8000).len(), 91);
    }
}
