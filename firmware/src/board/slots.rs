//! The board to the app: its clock, and the slots for models that come over the link.
#![allow(unsafe_code)] // what the slots hold

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use shared::bundle::Bundle;
use shared::golden::Golden;
use shared::network;

use super::chosen::{self, SlotFlash};
use crate::engine;
use crate::platform::{Platform, SlotFailed, parts};
use crate::store::{Settings, Store};

/// Slots 1 and 2.
pub type Slots = [SlotFlash; 2];

/// The board to the app.
#[allow(missing_debug_implementations)] // the HALs' types have none
pub struct BoardPlatform {
    slots: Slots,
    golden: &'static [u8],
    in_use: u8,
}

impl BoardPlatform {
    /// A board whose model, in slot `in_use`, has the vectors `golden`.
    pub fn new(slots: Slots, golden: &'static [u8], in_use: u8) -> Self {
        BoardPlatform { slots, golden, in_use }
    }

    /// The slots, to start again with.
    pub fn stop(self) -> Slots {
        self.slots
    }

    fn slot_mut(&mut self, slot: u8) -> Result<&mut SlotFlash, SlotFailed> {
        self.slots.get_mut(usize::from(slot).wrapping_sub(1)).ok_or(SlotFailed)
    }
}

/// The model of the slot that `store` names with its golden vectors, where that slot holds one that can run here; else the
/// store names the program's own from now on. Generic, so that the store is compiled once, in the program.
pub fn slot_model<F: NorFlash>(store: &mut Store<F>) -> Option<(u8, Bundle<'static>, &'static [u8])> {
    let slot @ 1..=2 = store.settings().slot else {
        return None;
    };
    // SAFETY: the app erases and writes the slot that is not in use only.
    let bytes = unsafe { &*chosen::slot_memory(slot) };
    if let Some((bundle, golden)) = parts(bytes)
        && let (Ok(bundle), Ok(_)) = (Bundle::check(bundle), Golden::check(golden))
        && network::arena_words(&bundle) <= super::ARENA_WORDS
        && usize::from(bundle.header().dim) <= super::DIM
        && engine::has(&bundle.header().frontend)
    {
        return Some((slot, bundle, golden));
    }
    // Where that cannot be kept, the next start finds it out again.
    let _ = store.put(Settings { slot: 0, ..*store.settings() });
    None
}

impl Platform for BoardPlatform {
    const NAME: &'static str = chosen::NAME;

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
        let [first, _] = &self.slots;
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
