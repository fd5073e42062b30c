//! Letters and signs of several alphabets, written by many hands: characters of real shapes that need no files.
//!
//! An identity is a letter: one or more ways of writing it, each of strokes through a few points (`letters.txt`). A sample is
//! one hand's writing of one of them: proportions, points, joints and corners a little off, strokes too short or too long,
//! some with hooks at their ends or not drawn to them, some letters with a bar more, the letter slanted, widened and turned,
//! the pen thick or thin. It is placed as MNIST's digits are: the longer side takes five sevenths of the page, and the middle
//! of the ink is the page's.
//!
//! A writing depends on nothing but (seed, identity, sample), and is the same on every platform: it is made of ChaCha8's
//! words and of exactly rounded float operations.

mod forms;
mod hand;

use super::RawSample;
use super::dice::Dice;

/// A letter that can be written again and again.
#[derive(Clone, Copy, Debug)]
pub struct Letter {
    seed: u64,
    number: u32,
}

impl Letter {
    /// The letter with this number, of [`identities`], in the hands of the world of `seed`.
    pub fn new(seed: u64, number: u32) -> Self {
        Letter { seed, number }
    }

    /// The letter's number, which names its identity.
    pub fn number(self) -> u32 {
        self.number
    }

    /// Writing number `sample`: 48x48, 8-bit grey, dark ink on white; of a number that is no letter's an empty page.
    pub fn write(self, sample: u32) -> RawSample {
        let mut dice = Dice::new(self.seed, self.number, 1 + u64::from(sample));
        let ways = forms::LETTERS.get(self.number as usize).map_or(&[][..], |letter| &letter.ways);
        hand::write(&mut dice, ways).sample()
    }
}

/// The number of the last letter.
pub fn last() -> u32 {
    forms::LETTERS.len() as u32 - 1
}

/// The numbers of all letters, as names.
pub fn identities() -> Vec<String> {
    (0..=last()).map(|number| number.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::page::SIDE;
    use flate2::Crc;

    fn pixels(seed: u64, number: u32, sample: u32) -> Vec<u8> {
        Letter::new(seed, number).write(sample).pixels().to_vec()
    }

    /// The writings themselves: a change here makes every model trained on letters another one.
    #[test]
    fn writings_never_change() {
        let mut crc = Crc::new();
        for (seed, number, sample) in [(0, 0, 0), (1, 33, 7), (u64::MAX, 112, u32::MAX)] {
            crc.update(&pixels(seed, number, sample));
        }
        assert_eq!(crc.sum(), 2_855_861_082);
    }

    #[test]
    fn all_three_numbers_matter() {
        let all = [pixels(1, 5, 0), pixels(2, 5, 0), pixels(1, 6, 0), pixels(1, 5, 1)];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }

    /// Ink within the page, from left to right its middle at most four pixels off the page's (more would be pushed over the edge).
    #[test]
    fn every_letter_lies_in_the_middle_of_its_page() {
        let side = usize::from(SIDE);
        for number in 0..identities().len() as u32 {
            for sample in 0..20 {
                let page = pixels(3, number, sample);
                let edge = (0..side).flat_map(|i| [i, side * (side - 1) + i, side * i, side * i + side - 1]);
                assert!(edge.map(|i| page[i]).all(|p| p == 255), "{number} {sample}");
                let ink: u32 = page.iter().map(|&p| 255 - u32::from(p)).sum();
                let column: u32 = page.iter().enumerate().map(|(i, &p)| (255 - u32::from(p)) * (i % side) as u32).sum();
                let middle = column as f32 / ink as f32 - (side as f32 - 1.0) / 2.0;
                assert!((60 * 255..900 * 255).contains(&ink), "{number} {sample}: {ink}");
                assert!(middle.abs() < 4.0, "{number} {sample}: {middle}");
            }
        }
    }

    #[test]
    fn a_number_of_no_letter_is_an_empty_page() {
        assert!(pixels(0, 1_000_000, 0).iter().all(|&p| p == 255));
    }
}
