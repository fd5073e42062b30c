//! The sample at hand: its bytes go through the front end as they come, and are not kept.

use embedded_storage::nor_flash::NorFlash;
use heapless::Vec;
use shared::frontend::{Flaw, FrontEnd, FrontendError, Quality, RawHeader};
use shared::wire::{Fault, MAX_CHUNK, Response};

use super::App;
use crate::engine::Engine;
use crate::platform::Platform;

/// A picture is too small to enrol below this part of the input's side.
const SHORT_SIDE_DIVISOR: u16 = 4;

/// How far the sample has come.
#[derive(Clone, Debug)]
pub(super) enum Sample<const DIM: usize> {
    /// None was begun.
    None,
    /// Its bytes are coming.
    Coming { header: RawHeader, received: u32, expected: u32 },
    /// The front end refused it.
    Refused(Fault),
    /// The network has run.
    Embedded {
        embedding: Vec<i8, DIM>,
        /// Why it should not be enrolled.
        flaw: Option<Fault>,
    },
}

impl<const DIM: usize> Sample<DIM> {
    /// The sample's embedding; the network runs at the first call.
    pub(super) fn embed<E: Engine>(&mut self, engine: &mut E) -> Result<&[i8], Fault> {
        match *self {
            Sample::None => return Err(Fault::NoSample),
            Sample::Refused(fault) => return Err(fault),
            Sample::Coming { received, expected, .. } if received < expected => {
                return Err(Fault::Incomplete { received, expected });
            }
            Sample::Coming { header, .. } => {
                *self = Sample::Refused(Fault::Engine);
                let quality = match engine.finish() {
                    Ok(quality) => quality,
                    Err(error) => {
                        let fault = fault(&error);
                        *self = Sample::Refused(fault);
                        return Err(fault);
                    }
                };
                let flaw = flaw(&engine.header().frontend, header, &quality);
                let Ok(whole) = engine.forward() else {
                    return Err(Fault::Engine);
                };
                // The app has room for its model's embeddings.
                if let Ok(embedding) = Vec::from_slice(&whole) {
                    *self = Sample::Embedded { embedding, flaw };
                }
            }
            Sample::Embedded { .. } => (),
        }
        match self {
            Sample::Embedded { embedding, .. } => Ok(embedding),
            Sample::Refused(fault) => Err(*fault),
            _ => Err(Fault::Engine),
        }
    }

    /// Why the sample, which was embedded, should not be enrolled.
    pub(super) fn flaw(&self) -> Option<Fault> {
        match self {
            Sample::Embedded { flaw, .. } => *flaw,
            _ => None,
        }
    }
}

/// What keeps a sample that the front end took from being enrolled.
fn flaw(front: &FrontEnd, header: RawHeader, quality: &Quality) -> Option<Fault> {
    let small = match (front, header) {
        (FrontEnd::Pixels(pixels), RawHeader::Image { width, height, .. }) => {
            width < pixels.width / SHORT_SIDE_DIVISOR || height < pixels.height / SHORT_SIDE_DIVISOR
        }
        _ => false,
    };
    match quality.flaw() {
        Some(Flaw::Blank) => Some(Fault::Blank),
        Some(Flaw::Clipped) => Some(Fault::Clipped),
        None => small.then_some(Fault::Short),
    }
}

/// The fault that an error of the front end is.
pub(super) fn fault(error: &FrontendError) -> Fault {
    match *error {
        FrontendError::NotSound => Fault::NotSound,
        FrontendError::NotImage => Fault::NotImage,
        FrontendError::Size { .. } => Fault::Size,
        FrontendError::Channels { expected, .. } => Fault::Channels { expected },
        FrontendError::Rate { lowest, highest, .. } => Fault::Rate { lowest, highest },
        FrontendError::Silent { .. } => Fault::Blank,
        FrontendError::Short { .. } => Fault::Short,
        _ => Fault::Engine,
    }
}

impl<E: Engine, F: NorFlash, P: Platform, const ROOM: usize, const DIM: usize> App<'_, E, F, P, ROOM, DIM> {
    #[inline(never)]
    pub(super) fn begin(&mut self, header: RawHeader) -> Result<Response<'static>, Fault> {
        self.sample = Sample::None;
        let expected = u32::try_from(header.bytes()).map_err(|_| Fault::Size)?;
        self.engine.start(header).map_err(|error| fault(&error))?;
        self.sample = Sample::Coming { header, received: 0, expected };
        Ok(Response::Received(0))
    }

    #[inline(never)]
    pub(super) fn chunk(&mut self, offset: u32, bytes: &[u8]) -> Result<Response<'static>, Fault> {
        let Sample::Coming { received, expected, .. } = &mut self.sample else {
            return Err(match self.sample {
                Sample::Refused(fault) => fault,
                _ => Fault::NoSample,
            });
        };
        let behind = fresh(*received, *expected, offset, bytes)?;
        if let Err(error) = self.engine.push(behind) {
            let fault = fault(&error);
            self.sample = Sample::Refused(fault);
            return Err(fault);
        }
        *received += behind.len() as u32;
        Ok(Response::Received(*received))
    }

    /// What used the engine for something else calls this: the sample is gone.
    pub(super) fn drop_sample(&mut self) {
        self.sample = Sample::None;
    }
}

/// The bytes of a chunk at `offset` that were not `received` before.
pub(super) fn fresh(received: u32, expected: u32, offset: u32, bytes: &[u8]) -> Result<&[u8], Fault> {
    let fault = Fault::Chunk { received };
    let end = u32::try_from(bytes.len()).ok().and_then(|len| offset.checked_add(len)).ok_or(fault)?;
    if !(1..=MAX_CHUNK).contains(&bytes.len()) || offset > received || end > expected {
        return Err(fault);
    }
    Ok(bytes.get((received - offset) as usize..).unwrap_or_default())
}
