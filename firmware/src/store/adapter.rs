//! A blocking flash behind the asynchronous trait that `sequential-storage` asks for; no call ever waits.

use embedded_storage::nor_flash as blocking;
use embedded_storage_async::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};

/// What may be done to the flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing that changes it: a repair fails.
    Read,
    /// Anything.
    Write,
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// The flash said so.
    Flash,
    /// It was only to be read.
    Access,
}

impl NorFlashError for Failed {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

/// The flash for one operation; counts the pages that it erases.
pub(super) struct Adapter<'f, F> {
    pub(super) flash: &'f mut F,
    pub(super) erased: &'f mut u32,
    pub(super) access: Access,
}

impl<F> Adapter<'_, F> {
    fn writable(&mut self) -> Result<&mut F, Failed> {
        match self.access {
            Access::Read => Err(Failed::Access),
            Access::Write => Ok(self.flash),
        }
    }
}

impl<F> ErrorType for Adapter<'_, F> {
    type Error = Failed;
}

impl<F: blocking::ReadNorFlash> ReadNorFlash for Adapter<'_, F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Failed> {
        self.flash.read(offset, bytes).map_err(|_| Failed::Flash)
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl<F: blocking::NorFlash> NorFlash for Adapter<'_, F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Failed> {
        let pages = (to - from) / F::ERASE_SIZE as u32;
        self.writable()?.erase(from, to).map_err(|_| Failed::Flash)?;
        *self.erased = self.erased.saturating_add(pages);
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Failed> {
        self.writable()?.write(offset, bytes).map_err(|_| Failed::Flash)
    }
}
