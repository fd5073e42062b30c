//! A NOR flash in memory, whose power can be cut at any word, and which can fail at any word.
#![allow(dead_code, unreachable_pub)] // every test uses its own part

pub mod board;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// Bytes of a word, of a page.
pub const WORD: usize = 4;
pub const PAGE: usize = 1024;

/// A flash that obeys the rules of a bare NOR: a word is written once after its page was erased.
#[derive(Clone, Debug)]
pub struct SimFlash {
    pub bytes: Vec<u8>,
    /// Words that can still be written or erased before the power is cut; forever where there is none.
    pub power: Option<u64>,
    /// Words written or erased so far.
    pub work: u64,
    /// After how many words the next one fails, though the power stays; only once.
    pub fails_after: Option<u64>,
    written: Vec<bool>,
    dice: u32,
}

impl SimFlash {
    pub fn new(pages: usize) -> Self {
        let len = pages * PAGE;
        SimFlash {
            bytes: vec![0xff; len],
            power: None,
            work: 0,
            fails_after: None,
            written: vec![false; len / WORD],
            dice: 12345,
        }
    }

    /// Some number, the next one of a fixed row.
    fn roll(&mut self) -> u8 {
        self.dice = self.dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.dice >> 24) as u8
    }

    /// Whether there was power for one more word, and it did not fail.
    fn spend(&mut self) -> bool {
        if self.fails_after.take_if(|words| *words == self.work).is_some() {
            return false;
        }
        match &mut self.power {
            Some(0) => return false,
            Some(left) => *left -= 1,
            None => (),
        }
        self.work += 1;
        true
    }

    /// Power is back.
    pub fn reboot(mut self) -> Self {
        self.power = None;
        self
    }

    /// Whether `part` lies somewhere in the flash.
    pub fn holds(&self, part: &[u8]) -> bool {
        self.bytes.windows(part.len()).any(|window| window == part)
    }
}

impl ErrorType for SimFlash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for SimFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for SimFlash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    /// Where the power is cut or a word fails, it is undefined, and the page behind it as it was.
    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        for at in (from as usize..to as usize).step_by(WORD) {
            if !self.spend() {
                let noise = [(); WORD].map(|()| self.roll());
                self.bytes[at..at + WORD].copy_from_slice(&noise);
                return Err(NorFlashErrorKind::Other);
            }
            self.bytes[at..at + WORD].fill(0xff);
            self.written[at / WORD] = false;
        }
        Ok(())
    }

    /// Where the power is cut or a word fails, some of its bits are written and some are not.
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        for (index, word) in bytes.chunks(WORD).enumerate() {
            let at = offset as usize + index * WORD;
            if !self.spend() {
                for (place, byte) in word.iter().enumerate() {
                    let missed = self.roll();
                    self.bytes[at + place] &= byte | missed;
                }
                return Err(NorFlashErrorKind::Other);
            }
            assert!(!self.written[at / WORD], "word {at:#x} was written twice");
            self.written[at / WORD] = true;
            for (place, byte) in word.iter().enumerate() {
                self.bytes[at + place] &= byte;
            }
        }
        Ok(())
    }
}
