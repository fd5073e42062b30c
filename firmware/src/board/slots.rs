//! The board to the app: its clock, and the slots for models that come over the link.
#![allow(unsafe_code)] // what the slots hold

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use super::chosen::{self, SlotFlash};
use crate::platform::{Platform, SlotFailed};
use crate::slot::{self, SlotModel};
use crate::store::Store;

/// Slots 1 and 2.
pub type Slots = [SlotFlash; 2];

/// The board to the app.
#[allow(missing_debug_implementations)] // the HALs' types have none
pub struct BoardPlatform<'s> {
    slots: &'s mut Slots,
    golden: &'static [u8],
    in_use: u8,
}

impl<'s> BoardPlatform<'s> {
    /// A board whose model, in slot `in_use`, has the vectors `golden`.
    pub fn new(slots: &'s mut Slots, golden: &'static [u8], in_use: u8) -> Self {
        BoardPlatform { slots, golden, in_use }
    }

    fn slot_mut(&mut self, slot: u8) -> Result<&mut SlotFlash, SlotFailed> {
        self.slots.get_mut(usize::from(slot).wrapping_sub(1)).ok_or(SlotFailed)
    }
}

/// The slot of the model that `store` names, and the bytes of its bundle and golden vectors, where that slot holds one that can run here; else the
/// program's own in slot 0, which the store names from now on. Generic, so that the store is compiled once, in the program.
#[inline(never)]
pub fn model<F: NorFlash>(store: &mut Store<F>) -> (u8, &'static [u8], &'static [u8]) {
    let slot = store.settings().slot;
    if (1..=2).contains(&slot) {
        // SAFETY: the app erases and writes the slot that is not in use only.
        let bytes = unsafe { &*chosen::slot_memory(slot) };
        if let Ok(SlotModel { bundle, golden, words, dim }) = slot::check(bytes)
            && words <= super::ARENA_WORDS
            && usize::from(dim) <= super::DIM
        {
            return (slot, bundle, golden);
        }
        // Where that cannot be kept, the next start finds it out again.
        let _ = store.change(&|settings| settings.slot = 0);
    }
    (0, super::bundle_bytes(), super::golden_bytes())
}

impl Platform for BoardPlatform<'_> {
    const NAME: &'static str = chosen::NAME;

    #[inline(never)]
    fn micros(&mut self) -> u64 {
        chosen::micros()
    }

    fn footprint(&self) -> (u32, u32) {
        super::footprint()
    }

    fn golden(&self) -> Option<&[u8]> {
        Some(self.golden)
    }

    fn slot_in_use(&self) -> u8 {
        self.in_use
    }

    fn slot_len(&self) -> u32 {
        let [first, _] = &*self.slots;
        first.capacity() as u32
    }

    fn erase_slot(&mut self, slot: u8) -> Result<(), SlotFailed> {
        let len = self.slot_len();
        self.slot_mut(slot)?.erase(0, len).map_err(|_| SlotFailed)
    }

    fn write_slot(&mut self, slot: u8, offset: u32, bytes: &[u8]) -> Result<(), SlotFailed> {
        self.slot_mut(slot)?.write(offset, bytes).map_err(|_| SlotFailed)
    }

    fn slot(&self, slot: u8) -> &[u8] {
        match slot {
            // SAFETY: slots are written by `&mut self` only.
            1..=2 => unsafe { &*chosen::slot_memory(slot) },
            _ => &[],
        }
    }
}
