//! Where things lie in the flash of the boards that need no hardware; both keep it in a file of this layout.
//!
//! ```text
//!       0  slot 1          256 KiB
//! 0x40000  slot 2          256 KiB
//! 0x80000  store            32 KiB
//! ```

use core::ops::Range;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// Bytes of a slot.
pub const SLOT_LEN: usize = 256 * 1024;
/// The store's place.
pub const STORE: Range<usize> = 2 * SLOT_LEN..2 * SLOT_LEN + 32 * 1024;
/// Bytes of the whole flash.
pub const LEN: usize = STORE.end;
/// Bytes of an erase page.
pub const PAGE: usize = 4096;
/// Bytes that are written at once.
pub const WORD: usize = 4;

/// The place of slot 1 or 2.
pub fn slot(slot: u8) -> Range<usize> {
    let start = if slot == 2 { SLOT_LEN } else { 0 };
    start..start + SLOT_LEN
}

/// What a flash does: erasing sets bits, writing clears them, and what outlives the program has both.
#[derive(Debug)]
pub struct Flash<M>(pub M);

/// The memory of a flash.
pub trait Memory {
    /// What it holds.
    fn bytes(&self) -> &[u8];

    /// What it holds, to be changed: [`Memory::keep`] follows.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Brings the bytes in `range`, which were changed, to what outlives the program.
    fn keep(&mut self, range: Range<usize>) -> Result<(), Unkept>;
}

/// What was changed will be gone when the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unkept;

impl<M: Memory> Flash<M> {
    /// What it holds.
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// Changes the bytes in `range`.
    fn change(&mut self, range: Range<usize>, change: impl FnOnce(&mut [u8])) -> Result<(), NorFlashErrorKind> {
        change(self.0.bytes_mut().get_mut(range.clone()).ok_or(NorFlashErrorKind::OutOfBounds)?);
        self.0.keep(range).map_err(|Unkept| NorFlashErrorKind::Other)
    }
}

impl<M> ErrorType for Flash<M> {
    type Error = NorFlashErrorKind;
}

impl<M: Memory> ReadNorFlash for Flash<M> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        let at = offset as usize;
        let held = self.bytes().get(at..at + bytes.len()).ok_or(NorFlashErrorKind::OutOfBounds)?;
        bytes.copy_from_slice(held);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes().len()
    }
}

impl<M: Memory> NorFlash for Flash<M> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        self.change(from as usize..to as usize, |held| held.fill(0xff))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        let at = offset as usize;
        self.change(at..at + bytes.len(), |held| held.iter_mut().zip(bytes).for_each(|(place, &byte)| *place &= byte))
    }
}
