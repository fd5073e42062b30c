//! Another model over the link: into the slot that is not in use, checked there, and only then used.

use embedded_storage::nor_flash::NorFlash;
use shared::golden::Golden;
use shared::wire::{Fault, Response, UPDATE_WORD, Update};

use super::App;
use super::sample::fresh;
use crate::engine::{self, Engine, KernelEngine};
use crate::platform::Platform;
use crate::replay;
use crate::slot::{self, SlotModel};

/// How much of a model has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    slot: u8,
    received: u32,
    expected: u32,
}

impl<E: Engine, F: NorFlash, P: Platform, const ROOM: usize, const DIM: usize> App<'_, E, F, P, ROOM, DIM> {
    #[inline(never)]
    pub(super) fn update(&mut self, part: &Update<'_>) -> Result<Response<'static>, Fault> {
        self.admin()?;
        match *part {
            Update::Begin { bytes } => self.update_begin(bytes),
            Update::Chunk { offset, bytes } => self.update_chunk(offset, bytes),
            Update::Finish => self.update_finish(),
            Update::Revert => self.run_slot(0),
        }
    }

    fn update_begin(&mut self, expected: u32) -> Result<Response<'static>, Fault> {
        self.update = None;
        let room = match self.platform.slot_len() {
            0 => return Err(Fault::NoSlots),
            room => room,
        };
        if expected == 0 || expected > room {
            return Err(Fault::SlotRoom { room });
        }
        let slot = if self.platform.slot_in_use() == 1 { 2 } else { 1 };
        self.platform.erase_slot(slot).map_err(|_| Fault::Flash)?;
        self.update = Some(Progress { slot, received: 0, expected });
        Ok(Response::Received(0))
    }

    fn update_chunk(&mut self, offset: u32, bytes: &[u8]) -> Result<Response<'static>, Fault> {
        let Progress { slot, received, expected } = self.update.ok_or(Fault::NoUpdate)?;
        let fresh = fresh(received, expected, offset, bytes)?;
        if fresh.is_empty() {
            return Ok(Response::Received(received));
        }
        let end = received + fresh.len() as u32;
        if !fresh.len().is_multiple_of(UPDATE_WORD) && end != expected {
            return Err(Fault::Chunk { received });
        }
        for (index, word) in fresh.chunks(UPDATE_WORD).enumerate() {
            // The last word of the flash is filled up with what an erased one holds.
            let mut padded = [0xff; UPDATE_WORD];
            for (place, &byte) in padded.iter_mut().zip(word) {
                *place = byte;
            }
            let at = received + (index * UPDATE_WORD) as u32;
            self.platform.write_slot(slot, at, &padded).map_err(|_| Fault::Flash)?;
        }
        self.update = Some(Progress { slot, received: end, expected });
        Ok(Response::Received(end))
    }

    fn update_finish(&mut self) -> Result<Response<'static>, Fault> {
        let Progress { slot, received, expected } = self.update.ok_or(Fault::NoUpdate)?;
        if received < expected {
            return Err(Fault::Incomplete { received, expected });
        }
        self.update = None;
        self.drop_sample();
        let bytes = self.platform.slot(slot).get(..expected as usize).ok_or(Fault::Flash)?;
        try_model::<E, DIM>(bytes, &mut self.engine)?;
        self.run_slot(slot)
    }

    /// Starts again with the model of a slot, or with the program's own for 0.
    fn run_slot(&mut self, slot: u8) -> Result<Response<'static>, Fault> {
        self.change(&|settings| settings.slot = slot)?;
        self.restart = true;
        Ok(Response::Done(slot.into()))
    }
}

/// Checks the model in the `bytes` of a slot, and replays its golden vectors in the engine's memory.
fn try_model<E: Engine, const DIM: usize>(bytes: &[u8], engine: &mut E) -> Result<(), Fault> {
    let SlotModel { bundle, golden, words, dim } = slot::check(bytes)?;
    let room = Fault::ModelRoom { arena: 4 * words as u32, dim: dim.into() };
    if usize::from(dim) > DIM {
        return Err(room);
    }
    let tried = engine.lend(words, |arena| {
        // Both passed; to check them again takes less code than to hand them over checked.
        let bundle = engine::check(bundle).map_err(|_| Fault::Model)?;
        let golden = Golden::check(golden).map_err(|_| Fault::ModelTest)?;
        let mut trial = KernelEngine::new(&bundle, arena).map_err(|_| room)?;
        let (samples, agree) = replay::agreement(&mut trial, &golden);
        if samples > 0 && samples == agree { Ok(()) } else { Err(Fault::ModelTest) }
    });
    tried.unwrap_or(Err(room))
}
