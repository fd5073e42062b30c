//! Who says it.

use crate::data::dice::Dice;

/// A voice and what it is recorded with.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    /// Hz, on average.
    pub(super) pitch: f32,
    /// How far the pitch wanders, as a part of it.
    pub(super) melody: f32,
    /// Factor of all resonances: a short throat has high ones.
    pub(super) scale: f32,
    /// Factors of the first two resonances besides: everyone's vowels are a little their own.
    pub(super) vowels: [f32; 2],
    /// Factor of the resonances' widths.
    pub(super) width: f32,
    /// Hz above which the glottis grows weak.
    pub(super) sharpness: f32,
    /// Breath beside the tone.
    pub(super) breath: f32,
    /// How irregular the pulses of the glottis are, as a part of their distance.
    pub(super) roughness: f32,
    /// Factor of all durations.
    pub(super) pace: f32,
    /// Factor of all noise.
    pub(super) hiss: f32,
    /// Of the microphone's resonances the frequency in Hz and the gain in dB.
    pub(super) microphone: [(f32, f32); 3],
    /// Noise of the room, as a part of the loudest.
    pub(super) room: f32,
}

impl Voice {
    pub(super) fn new(dice: &mut Dice) -> Voice {
        let scale = dice.between(0.86, 1.24);
        let spread = libm::expf(dice.bell(0.22));
        Voice {
            // Short throats go with high voices, loosely.
            pitch: (120.0 * (1.0 + 3.5 * (scale - 1.0)) * spread).clamp(70.0, 320.0),
            melody: dice.between(0.02, 0.2),
            scale,
            vowels: [1.0 + dice.bell(0.06), 1.0 + dice.bell(0.05)],
            width: dice.between(0.7, 1.8),
            sharpness: dice.between(300.0, 2000.0),
            breath: dice.between(0.0, 0.12),
            roughness: dice.between(0.0, 0.03),
            pace: dice.between(0.75, 1.35),
            hiss: dice.between(0.5, 1.6),
            microphone: [0, 1, 2].map(|_| (dice.between(150.0, 3600.0), dice.between(-9.0, 9.0))),
            room: libm::expf(dice.between(-8.0, -3.8)),
        }
    }
}
