//! Letters of no alphabet, drawn by many hands: a verification task that needs no files and never runs out of identities.
//!
//! An identity is a plan of one to four strokes, each of lines, bows, bends and loops, joined where letters join theirs. A
//! sample is one hand's drawing of it: every angle, length and joint is a little off, the page is turned, the letter
//! slanted, widened and shifted, the pen thick or thin. One identity in four is a near relative of the one before it.
//!
//! A drawing depends on nothing but (seed, identity, sample), and is the same on every platform: it is made of ChaCha8's
//! words and of exactly rounded float operations.

mod hand;
mod plan;
mod trace;

use plan::Plan;

use super::RawSample;
use super::dice::Dice;

/// A glyph that can be drawn again and again.
#[derive(Clone, Debug)]
pub struct Glyph {
    seed: u64,
    identity: u32,
    plan: Plan,
}

impl Glyph {
    /// The glyph with this number in the world of `seed`.
    pub fn new(seed: u64, identity: u32) -> Self {
        Glyph { seed, identity, plan: plan::plan(seed, identity) }
    }

    /// The glyph's number, which names its identity.
    pub fn number(&self) -> u32 {
        self.identity
    }

    /// Drawing number `sample`: 48x48, 8-bit grey, dark ink on white.
    pub fn draw(&self, sample: u32) -> RawSample {
        let mut dice = Dice::new(self.seed, self.identity, 1 + u64::from(sample));
        hand::write(&mut dice, self.plan.clone()).sample()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::made::{LAST, Maker};
    use crate::data::page::SIDE;
    use flate2::Crc;
    use shared::frontend::Pixels;

    fn draw(seed: u64, identity: u32, sample: u32) -> RawSample {
        Glyph::new(seed, identity).draw(sample)
    }

    fn pixels(raw: RawSample) -> Vec<u8> {
        raw.pixels().to_vec()
    }

    /// The drawings themselves: a change here makes every model trained on glyphs, and every published rate, another one.
    #[test]
    fn drawings_never_change() {
        let mut crc = Crc::new();
        for (seed, identity, sample) in [(0, 0, 0), (1, 3, 7), (u64::MAX, LAST, u32::MAX)] {
            crc.update(&pixels(draw(seed, identity, sample)));
        }
        assert_eq!(crc.sum(), 0x6ef7_1330);
    }

    #[test]
    fn all_three_numbers_matter() {
        let all = [draw(1, 5, 0), draw(2, 5, 0), draw(1, 6, 0), draw(1, 5, 1)].map(pixels);
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn every_drawing_has_ink_and_keeps_off_the_edge() {
        for number in 0..300 {
            let page = pixels(draw(7, number, number));
            let ink: u32 = page.iter().map(|&p| 255 - u32::from(p)).sum();
            let side = usize::from(SIDE);
            assert!((20 * 255..1200 * 255).contains(&ink), "{number}: {ink}");
            let edge = (0..side).flat_map(|i| [i, side * (side - 1) + i, side * i, side * i + side - 1]);
            assert!(edge.map(|i| page[i]).all(|p| p == 255), "{number}");
        }
    }

    /// On blurred pictures a drawing's nearest neighbour is of its own identity far more often than by chance (1 in 60),
    /// and mates are nearer than strangers on average.
    #[test]
    fn mates_are_nearer_than_strangers() {
        let numbers: Vec<u32> = (0..60).collect();
        let dataset = Maker::Glyphs.dataset(3, &numbers, 6);
        let front = Pixels { width: 12, height: 12, channels: 1, invert: true, stretch: true };
        let tensors = super::super::Tensors::new(&dataset, &front.into()).expect("fits");
        let distance = |i: usize, j: usize| -> u32 {
            let pairs = tensors.tensor(i).iter().zip(tensors.tensor(j));
            pairs.map(|(&a, &b)| u32::from(a.abs_diff(b)).pow(2)).sum()
        };
        let (mut mates, mut strangers) = ((0u64, 0u64), (0u64, 0u64));
        let mut right = 0;
        for i in 0..tensors.len() {
            let mut nearest = (u32::MAX, 0);
            for j in (0..tensors.len()).filter(|&j| j != i) {
                let same = tensors.identities[i] == tensors.identities[j];
                let sums = if same { &mut mates } else { &mut strangers };
                *sums = (sums.0 + u64::from(distance(i, j)), sums.1 + 1);
                nearest = nearest.min((distance(i, j), j));
            }
            right += usize::from(tensors.identities[nearest.1] == tensors.identities[i]);
        }
        let rate = right as f64 / tensors.len() as f64;
        assert!((0.3..0.9).contains(&rate), "{rate}");
        assert!(mates.0 * strangers.1 * 10 < strangers.0 * mates.1 * 9);
    }
}
