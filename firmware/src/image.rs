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

/// What a flash does: erasing sets bits, writing clears them, and both reach what outlives the program by `keep`.
#[derive(Debug)]
pub struct Flash<'m, K> {
    bytes: &'m mut [u8],
    keep: K,
}

/// What outlives the program.
pub trait Keep {
    /// `bytes` now lie at `offset` of the flash.
    fn keep(&mut self, offset: usize, bytes: &[u8]) -> Result<(), Unkept>;
}

/// What was changed will be gone when the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unkept;

impl<'m, K: Keep> Flash<'m, K> {
    /// A flash that holds `bytes`, which `keep` holds as well.
    pub fn new(bytes: &'m mut [u8], keep: K) -> Self {
        Flash { bytes, keep }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }
}

impl<K> ErrorType for Flash<'_, K> {
    type Error = NorFlashErrorKind;
}

impl<K> ReadNorFlash for Flash<'_, K> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        let at = offset as usize;
        let held = self.bytes.get(at..at + bytes.len()).ok_or(NorFlashErrorKind::OutOfBounds)?;
        bytes.copy_from_slice(held);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<K: Keep> NorFlash for Flash<'_, K> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        let held = self.bytes.get_mut(from as usize..to as usize).ok_or(NorFlashErrorKind::OutOfBounds)?;
        held.fill(0xff);
        self.keep.keep(from as usize, held).map_err(|Unkept| NorFlashErrorKind::Other)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        let at = offset as usize;
        let held = self.bytes.get_mut(at..at + bytes.len()).ok_or(NorFlashErrorKind::OutOfBounds)?;
        for (place, &byte) in held.iter_mut().zip(bytes) {
            *place &= byte;
        }
        self.keep.keep(at, held).map_err(|Unkept| NorFlashErrorKind::Other)
    }
}
