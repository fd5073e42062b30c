//! The sample at hand: its bytes go through the front end as they come, and are not kept.

use embedded_storage::nor_flash::NorFlash;
use heapless::Vec;
use shared::frontend::{Flaw, FrontendError, RawHeader};
use shared::wire::{Fault, MAX_CHUNK, Request, Response};

use super::{App, Asker};
use crate::engine::Engine;
use crate::platform::Platform;

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
                let flaw = engine.header().frontend.flaw(header, &quality).map(flawed);
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

/// The fault that a flaw is.
fn flawed(flaw: Flaw) -> Fault {
    match flaw {
        Flaw::Blank => Fault::Blank,
        Flaw::Clipped => Fault::Clipped,
        Flaw::Small => Fault::Short,
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
        self.drop_sample();
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

    /// Whether `asker` may ask `request`: the sample that one has begun is none of the other's, and neither is what it has collected.
    pub(crate) fn heeds(&mut self, asker: Asker, request: &Request<'_>) -> bool {
        use Request::{Begin, Chunk, Collect, Embed, Enrol, Identify, Verify};
        if self.owner != asker {
            match request {
                Begin(_) => {
                    self.owner = asker;
                    self.memory.collected.clear();
                }
                Chunk { .. } | Embed | Collect | Enrol { .. } | Verify { .. } | Identify => return false,
                _ => (),
            }
        }
        true
    }

    /// What used the engine for something else calls this: the sample is gone.
    pub(super) fn drop_sample(&mut self) {
        self.sample = Sample::None;
    }

    /// The sample's embedding; the network runs once a sample.
    pub(super) fn embed(&mut self) -> Result<&[i8], Fault> {
        self.sample.embed(&mut self.engine)
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
