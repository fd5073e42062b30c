//! What is said: sounds in a row.

use crate::data::dice::Dice;

/// What makes a sound.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// The glottis: vowels and glides.
    Voice,
    /// The glottis, with the mouth closed.
    Hum,
    /// A narrow gap: noise about `centre` Hz, `width` Hz wide; with the glottis besides, or without.
    Hiss { centre: f32, width: f32, voiced: bool },
    /// A closed mouth that bursts open at its end, about `centre` Hz.
    Burst { centre: f32, voiced: bool },
}

/// One sound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phone {
    pub(super) source: Source,
    /// Where the first three resonances of a tract of average length go, in Hz.
    pub(super) formants: [f32; 3],
    pub(super) seconds: f32,
    /// 1 for a stressed vowel.
    pub(super) level: f32,
}

/// A word.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) phones: Vec<Phone>,
}

impl Word {
    pub(super) fn new(dice: &mut Dice) -> Word {
        let mut phones = Vec::new();
        let syllables = dice.pick(&[1, 1, 1, 1, 1, 2, 2, 2, 2, 3]);
        for _ in 0..syllables {
            let vowel = vowel(dice, syllables);
            if dice.chance(0.85) {
                phones.push(consonant(dice, vowel.formants));
                if dice.chance(0.25) {
                    phones.push(glide(dice));
                }
            }
            phones.push(vowel);
            if dice.chance(0.45) {
                let formants = mouth(dice);
                phones.push(Phone { formants, seconds: 0.7 * vowel.seconds, level: 0.8 * vowel.level, ..vowel });
            }
            if dice.chance(if syllables == 1 { 0.6 } else { 0.3 }) {
                phones.push(consonant(dice, vowel.formants));
            }
        }
        Word { phones }
    }
}

/// Resonances of an open mouth, within the triangle of vowels.
fn mouth(dice: &mut Dice) -> [f32; 3] {
    let first = dice.between(270.0, 800.0);
    let open = first - 270.0;
    let second = dice.between(700.0 + 0.6 * open, 2350.0 - 1.1 * open);
    let third = (second + 400.0).max(dice.between(2150.0, 2900.0));
    [first, second, third]
}

fn vowel(dice: &mut Dice, syllables: usize) -> Phone {
    let seconds = dice.between(0.1, 0.28) / (0.8 + 0.2 * syllables as f32);
    Phone { source: Source::Voice, formants: mouth(dice), seconds, level: dice.between(0.6, 1.0) }
}

fn glide(dice: &mut Dice) -> Phone {
    let [_, second, third] = mouth(dice);
    let first = dice.between(250.0, 400.0);
    Phone { source: Source::Voice, formants: [first, second, third], seconds: dice.between(0.04, 0.08), level: 0.5 }
}

/// A consonant beside a vowel, towards whose resonances its own lean.
fn consonant(dice: &mut Dice, vowel: [f32; 3]) -> Phone {
    let locus = [dice.between(200.0, 400.0), dice.between(800.0, 2200.0), dice.between(2100.0, 2900.0)];
    let mut formants = vowel;
    for (own, locus) in formants.iter_mut().zip(locus) {
        *own += 0.6 * (locus - *own);
    }
    let voiced = dice.chance(0.4);
    let centre = dice.between(1200.0, 3800.0);
    let (source, low, high, level) = match dice.pick(&[0, 0, 0, 1, 1, 1, 2, 2, 3, 3]) {
        0 => (Source::Hiss { centre, width: dice.between(500.0, 2500.0), voiced }, 0.06, 0.16, dice.between(0.1, 0.5)),
        1 => (Source::Burst { centre, voiced }, 0.04, 0.09, dice.between(0.2, 0.6)),
        2 => (Source::Hum, 0.05, 0.12, 0.5),
        _ => (Source::Voice, 0.04, 0.09, 0.5),
    };
    Phone { source, formants, seconds: dice.between(low, high), level }
}
