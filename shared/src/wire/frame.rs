//! Frames: where a message begins and ends on the link, and whether it came whole.

use thiserror::Error;

use super::codec::{Reader, Wire, Writer};
use super::{MAX_DIM, PROTOCOL};
use crate::bundle::u32_at;
use crate::checksum::crc32;

/// Most bytes of a frame before it is stuffed: a [`super::Response::Embedding`] is the longest message.
pub const MAX_BODY: usize = 1 + 3 + MAX_DIM + CHECKSUM_LEN;
/// Most bytes of a frame on the link, its closing zero included.
pub const MAX_FRAME: usize = OVERHEAD + MAX_BODY + 1;

const CHECKSUM_LEN: usize = 4;
/// Bytes that stuffing adds at most.
const OVERHEAD: usize = 1 + MAX_BODY / 254;

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
    let mut writer = Writer { bytes: out.get_mut(OVERHEAD..).unwrap_or_default(), len: 0 };
    writer.byte(sequence);
    message.write(&mut writer);
    let len = writer.len;
    let checksum = crc32(out.get(OVERHEAD..OVERHEAD + len).unwrap_or_default());
    if len + CHECKSUM_LEN > MAX_BODY {
        return Err(FrameError::Long);
    }
    crate::bundle::put(out, OVERHEAD + len, &checksum.to_le_bytes());
    let end = stuff(out, len + CHECKSUM_LEN);
    out.get(..end).ok_or(FrameError::Long)
}

/// Stuffs the `len` bytes that lie behind [`OVERHEAD`], in place, and ends them with a zero; where the frame ends.
///
/// Every zero, one more behind the last byte, becomes the number of bytes from the zero before to it, and so does the beginning;
/// 254 bytes without a zero get a 255 of their own. What is written stays behind what is still to be read.
fn stuff(out: &mut [u8; MAX_FRAME], len: usize) -> usize {
    let (mut code_at, mut end) = (0, 1);
    for at in OVERHEAD..OVERHEAD + len {
        let byte = out.get(at).copied().unwrap_or(0);
        let is_long = end - code_at == 0xff;
        if is_long || byte == 0 {
            set(out, code_at, (end - code_at) as u8);
            (code_at, end) = (end, end + 1);
        }
        match byte {
            0 if is_long => {
                set(out, code_at, 1);
                (code_at, end) = (end, end + 1);
            }
            0 => {}
            byte => {
                set(out, end, byte);
                end += 1;
            }
        }
    }
    set(out, code_at, (end - code_at) as u8);
    set(out, end, 0);
    end + 1
}

fn set(out: &mut [u8], at: usize, byte: u8) {
    if let Some(place) = out.get_mut(at) {
        *place = byte;
    }
}

/// Undoes [`stuff`] in `bytes`, which hold no zero, in place; how many there are then. None where they end too early.
fn unstuff(bytes: &mut [u8]) -> Option<usize> {
    let (mut at, mut end) = (0, 0);
    while let Some(&code) = bytes.get(at) {
        for at in at + 1..at + usize::from(code) {
            let byte = *bytes.get(at)?;
            set(bytes, end, byte);
            end += 1;
        }
        at += usize::from(code);
        if code != 0xff && at < bytes.len() {
            set(bytes, end, 0);
            end += 1;
        }
    }
    Some(end)
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
    let len = unstuff(stuffed).ok_or(FrameError::Checksum)?;
    let body = stuffed.get(..len).unwrap_or_default();
    let (content, checksum) = body.split_at_checked(len.saturating_sub(CHECKSUM_LEN)).ok_or(FrameError::Checksum)?;
    match content.split_first() {
        Some((&sequence, message)) if crc32(content) == u32_at(checksum, 0) => Ok(Frame { sequence, message }),
        _ => Err(FrameError::Checksum),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec;

    proptest! {
        /// Few zeros make the long runs.
        #[test]
        fn stuffing_is_cobs(mut body in prop::collection::vec(any::<u8>(), 0..=MAX_BODY), zeros in 0u8..4) {
            body.iter_mut().filter(|byte| **byte < 64 && **byte % 4 >= zeros).for_each(|byte| *byte |= 1);
            let mut out = [0; MAX_FRAME];
            out[OVERHEAD..OVERHEAD + body.len()].copy_from_slice(&body);
            let end = stuff(&mut out, body.len());
            let mut expected = vec![0; MAX_FRAME];
            let len = cobs::encode(&body, &mut expected);
            prop_assert_eq!(&out[..end - 1], &expected[..len]);
            prop_assert_eq!(out[end - 1], 0);
            let len = unstuff(&mut out[..end - 1]).unwrap();
            prop_assert_eq!(&out[..len], &body);
        }

        #[test]
        fn unstuffing_is_cobs(bytes in prop::collection::vec(1u8..=20, 1..100)) {
            let (mut ours, mut theirs) = (bytes.clone(), bytes);
            let ours = unstuff(&mut ours).map(|len| ours[..len].to_vec());
            let theirs = cobs::decode_in_place(&mut theirs).ok().map(|len| theirs[..len].to_vec());
            prop_assert_eq!(ours, theirs);
        }
    }
}
