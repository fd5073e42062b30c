//! A source of sound and the resonances behind it, moving from sound to sound.

use super::RATE;
use super::voice::Voice;
use super::word::{Phone, Source, Word};
use crate::data::dice::Dice;
use crate::data::sound::peak;

/// Samples for which the tract stands still: 2.5 ms.
const STEP: usize = 20;
/// Part of the way to its aim that the tract goes in a step, about 17 ms to go 63 % of it.
const MOVE: f32 = 0.135;
/// The same of loudness.
const FADE: f32 = 0.35;
/// Seconds of a word, its faint sounds counting in part.
const SHORTEST: f32 = 0.22;
/// Widths of the resonances in Hz, and where the fourth stands.
const WIDTHS: [f32; 4] = [60.0, 90.0, 150.0, 250.0];
const FOURTH: f32 = 3500.0;

/// What the tract heads for, and where it stands.
#[derive(Clone, Copy, Default)]
struct Posture {
    formants: [f32; 4],
    /// Loudness of the glottis, and of noise at the gap.
    tone: f32,
    noise: f32,
    /// Where the noise is, and how wide.
    centre: f32,
    width: f32,
}

/// `voice` saying `word`, a little different each time.
pub(super) fn speak(dice: &mut Dice, voice: &Voice, word: &Word) -> Vec<i16> {
    let rate = RATE as f32;
    // However hasty, nobody is faster than can be heard.
    let spoken: f32 = word.phones.iter().map(|phone| phone.seconds * phone.level.min(0.5) * 2.0).sum();
    let pace = (voice.pace * (1.0 + dice.bell(0.08))).max(SHORTEST / spoken);
    let lead = dice.between(0.0, 0.05) * rate;
    let mut wave = vec![0.0; lead as usize];
    let mut glottis = Glottis::new(dice, voice);
    let mut tract = [Resonator::default(); 4];
    let mut gap = Resonator::default();
    let mut stance: Option<Posture> = None;
    let steps_of = |phone: &Phone, dice: &mut Dice| {
        let seconds = phone.seconds * pace * (1.0 + dice.bell(0.12)).max(0.5);
        ((seconds * rate) as usize / STEP).max(2)
    };
    let plan: Vec<(Posture, Posture, usize)> = word
        .phones
        .iter()
        .map(|phone| (aim(dice, voice, phone, false), aim(dice, voice, phone, true), steps_of(phone, dice)))
        .collect();
    let total: usize = plan.iter().map(|(_, _, steps)| steps).sum();
    let mut done = 0;
    let end = Posture { tone: 0.0, noise: 0.0, ..plan.last().map(|(held, ..)| *held).unwrap_or_default() };
    for (held, last, steps) in plan.into_iter().chain([(end, end, 16)]) {
        for step in 0..steps {
            // A burst is the last 10 ms of its sound.
            let aim = if step + 4 >= steps { last } else { held };
            let now = stance.get_or_insert(Posture { tone: 0.0, noise: 0.0, ..aim });
            now.approach(&aim);
            for (resonator, (frequency, width)) in tract.iter_mut().zip(now.formants.into_iter().zip(WIDTHS)) {
                resonator.tune(frequency, width * voice.width);
            }
            gap.tune(now.centre, now.width);
            glottis.bend(voice, done as f32 / total.max(1) as f32);
            for _ in 0..STEP {
                let noise = dice.between(-1.0, 1.0);
                let tone = now.tone * (glottis.next(dice, voice) + voice.breath * noise);
                let voiced = tract.iter_mut().fold(tone, |x, resonator| resonator.next(x));
                wave.push(voiced + gap.next(0.5 * now.noise * voice.hiss * noise));
            }
            done += 1;
        }
    }
    for (frequency, gain) in voice.microphone {
        peak(&mut wave, frequency / rate, gain);
    }
    let loudest = wave.iter().fold(1e-6, |most: f32, x| most.max(x.abs()));
    let level = dice.between(0.2, 0.7) * 32767.0;
    wave.into_iter().map(|x| (level * (x / loudest + voice.room * dice.between(-1.0, 1.0))) as i16).collect()
}

/// What `phone` is for `voice`, this time: as it is held, or as it ends.
fn aim(dice: &mut Dice, voice: &Voice, phone: &Phone, last: bool) -> Posture {
    let [first, second, third] = phone.formants.map(|frequency| frequency * voice.scale * (1.0 + dice.bell(0.03)));
    let formants =
        [first * voice.vowels[0], second * voice.vowels[1], third, FOURTH * voice.scale].map(|hz| hz.min(3850.0));
    let level = phone.level * (1.0 + dice.bell(0.15));
    let still = Posture { formants, centre: 2500.0, width: 1000.0, ..Posture::default() };
    match phone.source {
        Source::Voice => Posture { tone: level, ..still },
        // A closed mouth leaves the lowest resonance.
        Source::Hum => Posture {
            tone: 0.5 * level,
            formants: [260.0 * voice.scale, formants[1], formants[2], formants[3]],
            ..still
        },
        Source::Hiss { centre, width, voiced } => {
            let tone = if voiced { 0.3 * level } else { 0.0 };
            Posture { tone, noise: level, centre: (centre * voice.scale).min(3850.0), width, ..still }
        }
        Source::Burst { centre, voiced } => {
            let (tone, noise) = (if voiced { 0.1 } else { 0.0 }, if last { level } else { 0.0 });
            Posture { tone, noise, centre: (centre * voice.scale).min(3850.0), width: 1200.0, ..still }
        }
    }
}

impl Posture {
    fn approach(&mut self, aim: &Posture) {
        let go = |from: &mut f32, to: f32, part: f32| *from += part * (to - *from);
        for (own, aim) in self.formants.iter_mut().zip(aim.formants) {
            go(own, aim, MOVE);
        }
        go(&mut self.tone, aim.tone, FADE);
        go(&mut self.noise, aim.noise, FADE);
        go(&mut self.centre, aim.centre, FADE);
        go(&mut self.width, aim.width, FADE);
    }
}

/// Pulses, made dull.
struct Glottis {
    /// Of the way to the next pulse.
    phase: f32,
    /// Hz now, and the melody: where it starts, bends and ends, as factors.
    pitch: f32,
    melody: [f32; 3],
    /// Part of itself that a low-pass of one pole keeps, and what two in a row hold.
    keep: f32,
    held: [f32; 2],
}

impl Glottis {
    fn new(dice: &mut Dice, voice: &Voice) -> Glottis {
        let today = 1.0 + dice.bell(0.05);
        let melody = [0, 1, 2].map(|_| today * (1.0 + dice.bell(voice.melody)).max(0.5));
        let keep = libm::expf(-std::f32::consts::TAU * voice.sharpness / RATE as f32);
        Glottis { phase: 0.0, pitch: voice.pitch, melody, keep, held: [0.0; 2] }
    }

    /// Sets the pitch at `part` of the word, from 0 to 1; it falls towards the end.
    fn bend(&mut self, voice: &Voice, part: f32) {
        let [start, middle, end] = self.melody;
        let part = part.min(1.0);
        let factor = match part < 0.5 {
            true => start + (middle - start) * 2.0 * part,
            false => middle + (end - middle) * (2.0 * part - 1.0),
        };
        self.pitch = voice.pitch * factor * (1.05 - 0.15 * part);
    }

    fn next(&mut self, dice: &mut Dice, voice: &Voice) -> f32 {
        self.phase += self.pitch / RATE as f32;
        let mut x = 0.0;
        if self.phase >= 1.0 {
            self.phase -= 1.0 + dice.bell(voice.roughness);
            // Pulses of equal power at any pitch.
            x = 6.0;
        }
        for held in &mut self.held {
            *held = x + self.keep * (*held - x);
            x = *held;
        }
        x
    }
}

/// A resonance of gain 1 at 0 Hz: `y[n] = a x[n] + b y[n-1] + c y[n-2]` (Klatt 1980, eq. 1 and 2).
#[derive(Clone, Copy, Default)]
struct Resonator {
    a: f32,
    b: f32,
    c: f32,
    before: [f32; 2],
}

impl Resonator {
    fn tune(&mut self, frequency: f32, width: f32) {
        let rate = RATE as f32;
        let radius = libm::expf(-std::f32::consts::PI * width / rate);
        self.c = -radius * radius;
        self.b = 2.0 * radius * libm::cosf(std::f32::consts::TAU * frequency / rate);
        self.a = 1.0 - self.b - self.c;
    }

    fn next(&mut self, x: f32) -> f32 {
        let y = self.a * x + self.b * self.before[0] + self.c * self.before[1];
        self.before = [y, self.before[0]];
        y
    }
}
