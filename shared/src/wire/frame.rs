//! Frames: where a message begins and ends on the link, and whether it came whole.

use thiserror::Error;

use super::codec::{Reader, Wire, Writer};
use super::{MAX_DIM, PROTOCOL};
use crate::bundle::u32_at;
use crate::checksum::crc32;

/// Most bytes of a frame before it is stuffed: a [`super::Response::Embedding`] is the longest message.
pub const MAX_BODY: usize = 1 + 3 + MAX_DIM + CHECKSUM_LEN;
/// Most bytes of a frame on the link, its closing zero included.
pub const MAX_FRAME: usize = cobs::max_encoding_length(MAX_BODY) + 1;

const CHECKSUM_LEN: usize = 4;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The frame is longer than [`MAX_FRAME`].
    #[error("the frame is longer than {MAX_FRAME} bytes")]
    Long,
    /// The frame's checksum does not match its bytes.
    #[error("the frame's checksum does not match its bytes")]
    Checksum,
    /// The frame holds no message of this protocol.
    #[error("the frame holds no message of protocol version {PROTOCOL}")]
    Message,
}

/// A frame whose checksum was found right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Ties an answer to its request.
    pub sequence: u8,
    pub(super) message: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The version of the protocol that an answer to [`super::Request::Info`] gives, whichever version wrote it.
    pub fn protocol(&self) -> Option<u8> {
        match *self.message {
            [0, protocol, ..] => Some(protocol),
            _ => None,
        }
    }

    /// The frame's message; [`FrameError::Message`] where it is none, or bytes follow it.
    pub fn message<M: Wire<'a>>(&self) -> Result<M, FrameError> {
        let mut reader = Reader::new(self.message);
        let message = M::read(&mut reader);
        if reader.is_done() { Ok(message) } else { Err(FrameError::Message) }
    }
}

/// Writes a frame to `out` and returns its bytes.
pub fn encode<'o, 'm, M: Wire<'m>>(
    sequence: u8,
    message: &M,
    out: &'o mut [u8; MAX_FRAME],
) -> Result<&'o [u8], FrameError> {
    let mut body = [0; MAX_BODY];
    let mut writer = Writer { bytes: &mut body, len: 0 };
    writer.byte(sequence);
    message.write(&mut writer);
    let len = writer.len;
    if len + CHECKSUM_LEN > MAX_BODY {
        return Err(FrameError::Long);
    }
    let checksum = crc32(body.get(..len).unwrap_or_default());
    crate::bundle::put(&mut body, len, &checksum.to_le_bytes());
    let body = body.get(..len + CHECKSUM_LEN).ok_or(FrameError::Long)?;
    let stuffed = cobs::try_encode(body, out).map_err(|_| FrameError::Long)?;
    *out.get_mut(stuffed).ok_or(FrameError::Long)? = 0;
    out.get(..=stuffed).ok_or(FrameError::Long)
}

/// Finds the frames in a stream of bytes, and its way back after any garbage: a frame ends with a zero, whatever came before.
#[derive(Clone, Debug)]
pub struct Decoder {
    buffer: [u8; MAX_FRAME],
    /// Bytes of the frame so far, counted on past the buffer's end.
    len: usize,
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub const fn new() -> Self {
        Decoder { buffer: [0; MAX_FRAME], len: 0 }
    }

    /// Takes one byte; a frame, or why it is none, once the byte ends one.
    pub fn push(&mut self, byte: u8) -> Option<Result<Frame<'_>, FrameError>> {
        if byte != 0 {
            if let Some(place) = self.buffer.get_mut(self.len) {
                *place = byte;
            }
            self.len = self.len.saturating_add(1);
            return None;
        }
        match core::mem::take(&mut self.len) {
            0 => None,
            len => Some(unpack(self.buffer.get_mut(..len))),
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder::new()
    }
}

/// The frame in stuffed bytes, or [`FrameError::Long`] where there were too many.
fn unpack(stuffed: Option<&mut [u8]>) -> Result<Frame<'_>, FrameError> {
    let stuffed = stuffed.ok_or(FrameError::Long)?;
    let len = cobs::decode_in_place(stuffed).map_err(|_| FrameError::Checksum)?;
    let body = stuffed.get(..len).unwrap_or_default();
    let (content, checksum) = body.split_at_checked(len.saturating_sub(CHECKSUM_LEN)).ok_or(FrameError::Checksum)?;
    match content.split_first() {
        Some((&sequence, message)) if crc32(content) == u32_at(checksum, 0) => Ok(Frame { sequence, message }),
        _ => Err(FrameError::Checksum),
    }
}
