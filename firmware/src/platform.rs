//! What the app asks of the hardware besides a link and a flash for its store.

/// A slot could not be erased or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotFailed;

/// A board, or what plays one.
///
/// Slots hold models that came over the link, as [`crate::slot`] says. Slot 0 is the model that the program was built with and is
/// never written; 1 and 2 are flash.
pub trait Platform {
    /// The board's name.
    const NAME: &'static str;

    /// Microseconds since the start.
    fn micros(&mut self) -> u64;

    /// Bytes of RAM besides arena and stack, and of flash with the program's own model; zeros where nobody counts.
    fn footprint(&self) -> (u32, u32) {
        (0, 0)
    }

    /// The golden vectors of the model in use.
    fn golden(&self) -> Option<&[u8]> {
        None
    }

    /// The slot of the model in use.
    fn slot_in_use(&self) -> u8 {
        0
    }

    /// Bytes of a slot; 0 where there are none.
    fn slot_len(&self) -> u32 {
        0
    }

    /// Erases slot 1 or 2.
    fn erase_slot(&mut self, _slot: u8) -> Result<(), SlotFailed> {
        Err(SlotFailed)
    }

    /// Writes `bytes`, a multiple of [`shared::wire::UPDATE_WORD`], to an erased place of slot 1 or 2.
    fn write_slot(&mut self, _slot: u8, _offset: u32, _bytes: &[u8]) -> Result<(), SlotFailed> {
        Err(SlotFailed)
    }

    /// The bytes of slot 1 or 2.
    fn slot(&self, _slot: u8) -> &[u8] {
        &[]
    }
}
