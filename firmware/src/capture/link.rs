//! A host that asks in frames, over any link of bytes.

use embedded_io::{Read, ReadReady, Write};
use shared::wire::{self, Decoder, Fault, MAX_FRAME, Request, Response};

use super::Source;
use crate::pins::Millis;

/// A host at the other end of a link.
#[derive(Debug)]
pub struct Link<L> {
    io: L,
    decoder: Decoder,
    /// Of the request that is to be answered.
    sequence: u8,
}

impl<L: Read + ReadReady + Write> Link<L> {
    /// A host that has said nothing yet.
    pub fn new(io: L) -> Self {
        Link { io, decoder: Decoder::new(), sequence: 0 }
    }
}

fn send<L: Write>(io: &mut L, sequence: u8, response: &Response<'_>) -> Result<(), L::Error> {
    let mut out = [0; MAX_FRAME];
    // Every answer fits: the longest is an embedding of MAX_DIM elements.
    if let Ok(frame) = wire::encode(sequence, response, &mut out) {
        io.write_all(frame)?;
        io.flush()?;
    }
    Ok(())
}

impl<L: Read + ReadReady + Write> Source for Link<L> {
    type Error = L::Error;

    /// Takes the bytes that are there, up to the end of a frame; one that is no request is answered by its fault at once.
    #[inline(never)]
    fn poll(&mut self, _now: Millis) -> Result<Option<Request<'_>>, L::Error> {
        loop {
            let mut byte = [0];
            if !self.io.read_ready()? || self.io.read(&mut byte)? == 0 {
                return Ok(None);
            }
            // A zero ends a frame; before it there is none to be had.
            if byte == [0] {
                break;
            }
            let _ = self.decoder.push(byte[0]);
        }
        let Some(frame) = self.decoder.push(0) else {
            return Ok(None);
        };
        let (sequence, fault) = match frame {
            Err(_) => (0, Fault::Frame),
            Ok(frame) => match frame.message() {
                Ok(request) => {
                    self.sequence = frame.sequence;
                    return Ok(Some(request));
                }
                Err(_) => (frame.sequence, Fault::Request),
            },
        };
        send(&mut self.io, sequence, &Response::Fault(fault))?;
        Ok(None)
    }

    fn answer(&mut self, response: &Response<'_>) -> Result<(), L::Error> {
        send(&mut self.io, self.sequence, response)
    }
}
