//! What the app asks of the hardware besides a link and a flash for its store.

/// A slot could not be erased or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotFailed;

/// A board, or what plays one.
///
/// Slots hold models that came over the link: a bundle at an address that is a multiple of four, zeros up to the next one,
/// golden vectors. Slot 0 is the model that the program was built with and is never written; 1 and 2 are flash.
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

/// Bundle and golden vectors in the `bytes` of a slot, which may go on behind them; none where nothing was written.
pub fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    /// Where both formats have their length.
    const LENGTH_AT: usize = 8;
    let length = |bytes: &[u8]| {
        let field = bytes.get(LENGTH_AT..)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*field)).ok()
    };
    let (bundle, rest) = bytes.split_at_checked(length(bytes)?)?;
    let padding = bundle.len().checked_next_multiple_of(4)? - bundle.len();
    let golden = rest.get(padding..)?;
    Some((bundle, golden.get(..length(golden)?)?))
}
