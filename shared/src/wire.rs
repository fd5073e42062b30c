//! Messages between host and board, framed for any link of bytes.
//!
//! The host asks, the board answers every request once; the host sends its next request after the answer.
//!
//! ```text
//! frame    COBS(sequence u8, message, CRC-32 of both u32 little-endian), then one byte of zero
//! message  postcard: the variant's number below, then its fields in order; integers longer than a byte are varints, text and
//!          bytes are their length as a varint, then themselves; an option is 0, or 1 and its content
//!
//! request                                         answer
//!   0 Info                                          0 Info       protocol u8 first, in every version
//!   1 Begin    width u16, height u16, channels u8   1 Received   bytes u32 of the sample
//!   2 Chunk    offset u32, bytes (1 to 256)         1 Received
//!   3 Embed                                         2 Embedding  bytes (int8)
//!   4 Enrol    label                                3 Done       identities u16 enrolled now
//!   5 Verify   label                                4 Decision
//!   6 Identify                                      4 Decision
//!   7 List     first u16                            5 Identities total u16, labels from `first` on (up to 8)
//!   8 Delete   label                                3 Done
//!   any                                             6 Fault
//! ```
//!
//! The board repeats the request's sequence number in its answer. A frame that it cannot read is answered with
//! [`Fault::Frame`] under the sequence number 0, which no request carries. Zero bytes between frames mean nothing, so a
//! sender may open with one to end what noise began.

use heapless::Vec;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::bundle::{CHECKSUM, Threshold, u32_at};
use crate::embedding::{MAX_DIM, Metric};
use crate::frontend::MAX_SIDE;
use crate::gallery::{Decision, Label, MAX_LABEL};

/// The version of the protocol; a board and a host of different versions share nothing but [`Request::Info`] and the first
/// field of [`Info`].
pub const PROTOCOL: u8 = 1;
/// Most bytes of a sample in one [`Request::Chunk`].
pub const MAX_CHUNK: usize = 256;
/// Most labels in one [`Response::Identities`].
pub const MAX_LABELS: usize = 8;
/// Most bytes of a frame before it is stuffed: a [`Response::Embedding`] is the longest message.
pub const MAX_BODY: usize = 1 + 3 + MAX_DIM + CHECKSUM_LEN;
/// Most bytes of a frame on the link, its closing zero included.
pub const MAX_FRAME: usize = cobs::max_encoding_length(MAX_BODY) + 1;

const CHECKSUM_LEN: usize = 4;

/// What the host asks of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request<'a> {
    /// What are you?
    Info,
    /// A picture of this shape follows in chunks; whatever was sent before is dropped.
    Begin(Picture),
    /// Bytes of the sample, at most [`MAX_CHUNK`]. A chunk may be sent again; none may leave a gap.
    Chunk {
        /// Where in the sample the bytes belong.
        offset: u32,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Embed the sample and show the result.
    Embed,
    /// Enrol the sample.
    Enrol {
        /// The new identity.
        label: &'a str,
    },
    /// Compare the sample with one identity.
    Verify {
        /// The identity that is claimed.
        label: &'a str,
    },
    /// Compare the sample with every identity.
    Identify,
    /// Who is enrolled?
    List {
        /// How many identities to pass over.
        first: u16,
    },
    /// Remove an identity.
    Delete {
        /// The identity.
        label: &'a str,
    },
}

/// The shape of a raw picture: rows from the top, pixels from the left, channels interleaved, one byte each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Samples a pixel.
    pub channels: u8,
}

impl Picture {
    /// Bytes of the picture.
    pub fn len(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * u64::from(self.channels)
    }

    /// Whether a side is zero.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a board answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Response<'a> {
    /// What the board is.
    #[serde(borrow)]
    Info(Info<'a>),
    /// Bytes of the sample that are there, without a gap.
    Received(u32),
    /// The embedding of the sample, one int8 a byte: see [`Response::embedding`].
    Embedding(&'a [u8]),
    /// The gallery was changed; identities enrolled now.
    Done(u16),
    /// What the sample turned out to be.
    Decision(Decision),
    /// Some of the identities.
    Identities {
        /// Identities enrolled.
        total: u16,
        /// Labels in the order of enrolment, from the `first` that was asked for.
        labels: Vec<Label, MAX_LABELS>,
    },
    /// The request was not carried out.
    Fault(Fault),
}

impl<'a> Response<'a> {
    /// The answer that shows `embedding`.
    pub fn embedding(embedding: &'a [i8]) -> Self {
        Response::Embedding(bytemuck::cast_slice(embedding))
    }
}

/// What a board is: its model, its program, its room.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Info<'a> {
    /// [`PROTOCOL`] of the board.
    pub protocol: u8,
    /// Version of the board's program.
    pub firmware: &'a str,
    /// The model's number.
    pub model_id: u64,
    /// The model's name.
    pub name: &'a str,
    /// The input tensor that the front end makes of every sample.
    pub input: Picture,
    /// The distance between embeddings.
    pub metric: Metric,
    /// Elements of an embedding.
    pub dim: u16,
    /// The real length of one step of an embedding element.
    pub embedding_scale: f32,
    /// The threshold with its evidence; without one the board enrols and compares nothing.
    pub threshold: Option<Threshold>,
    /// Bytes of arena that the network runs in.
    pub arena: u32,
    /// Identities enrolled.
    pub identities: u16,
    /// Identities that there is room for.
    pub capacity: u16,
    /// Bytes of the largest raw sample.
    pub sample_capacity: u32,
}

/// Why a board did not carry a request out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
pub enum Fault {
    /// The frame was too long or its checksum did not match.
    #[error("the board received a damaged message: send it again")]
    Frame,
    /// The message is none of this protocol's.
    #[error("the board does not know this request: its protocol has version {PROTOCOL}")]
    Request,
    /// A side of the picture is zero or too long.
    #[error("the picture's sides must be from 1 to {MAX_SIDE} pixels")]
    Size,
    /// The picture has other channels than the model's input.
    #[error("the model takes pictures of {expected} channels")]
    Channels {
        /// Channels of the model's input.
        expected: u8,
    },
    /// The sample does not fit into the board's memory.
    #[error("the sample is larger than the {capacity} bytes that the board has room for: send a smaller one")]
    Capacity {
        /// Bytes of the largest sample.
        capacity: u32,
    },
    /// A chunk is empty, too long, leaves a gap or passes the end of the sample.
    #[error("the board has {received} bytes of the sample: send the chunk that follows them")]
    Chunk {
        /// Bytes that are there.
        received: u32,
    },
    /// The request needs a sample, and none was sent.
    #[error("the board has no sample: send one first")]
    NoSample,
    /// The request needs a sample, and only a part of it was sent.
    #[error("the board has {received} of the sample's {expected} bytes: send the rest first")]
    Incomplete {
        /// Bytes that are there.
        received: u32,
        /// Bytes of the whole sample.
        expected: u32,
    },
    /// The label is empty or too long.
    #[error("a label has from 1 to {MAX_LABEL} bytes")]
    Label,
    /// The label is taken.
    #[error("an identity of that label is enrolled already: delete it first")]
    Duplicate,
    /// No identity of that label is enrolled.
    #[error("no identity of that label is enrolled")]
    NotEnrolled,
    /// The gallery is full.
    #[error("the gallery is full at {capacity} identities: delete one first")]
    Full {
        /// Identities that there is room for.
        capacity: u16,
    },
    /// The model has no measured threshold, so nothing can be decided.
    #[error("the board's model has no threshold: export it with `doppel export` and flash it")]
    NoThreshold,
    /// The network did not run.
    #[error("the network did not run on this sample")]
    Engine,
}

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
    message: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame's message; [`FrameError::Message`] where it is none, or bytes follow it.
    pub fn message<M: Deserialize<'a>>(&self) -> Result<M, FrameError> {
        match postcard::take_from_bytes(self.message) {
            Ok((message, [])) => Ok(message),
            _ => Err(FrameError::Message),
        }
    }
}

/// Writes a frame to `out` and returns its bytes.
pub fn encode<'o, M: Serialize>(
    sequence: u8,
    message: &M,
    out: &'o mut [u8; MAX_FRAME],
) -> Result<&'o [u8], FrameError> {
    let mut body = [0; MAX_BODY];
    let (head, rest) = body.split_at_mut(1);
    head.fill(sequence);
    let room = rest.len() - CHECKSUM_LEN;
    let message =
        postcard::to_slice(message, rest.get_mut(..room).unwrap_or_default()).map_err(|_| FrameError::Long)?;
    let len = 1 + message.len();
    let checksum = CHECKSUM.checksum(body.get(..len).unwrap_or_default());
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
        Some((&sequence, message)) if CHECKSUM.checksum(content) == u32_at(checksum, 0) => {
            Ok(Frame { sequence, message })
        }
        _ => Err(FrameError::Checksum),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::bundle::Evidence;
    use crate::embedding::Distance;
    use crate::gallery::Candidate;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec as Bytes;

    const LABEL: &str = "[a-zé]{0,12}";

    fn request<'a>(kind: u8, number: u32, label: &'a str, bytes: &'a [u8]) -> Request<'a> {
        let picture = Picture { width: number as u16, height: (number >> 16) as u16, channels: kind };
        match kind {
            0 => Request::Info,
            1 => Request::Begin(picture),
            2 => Request::Chunk { offset: number, bytes },
            3 => Request::Embed,
            4 => Request::Enrol { label },
            5 => Request::Verify { label },
            6 => Request::Identify,
            7 => Request::List { first: number as u16 },
            _ => Request::Delete { label },
        }
    }

    fn response<'a>(kind: u8, number: u32, label: &'a str, bytes: &'a [u8]) -> Response<'a> {
        let candidate = Candidate {
            label: label.parse().unwrap(),
            distance: Distance(number),
            runner_up: number.is_multiple_of(3).then_some(Distance(!number)),
        };
        match kind {
            0 => Response::Info(Info {
                protocol: PROTOCOL,
                firmware: label,
                model_id: u64::MAX - u64::from(number),
                name: label,
                input: Picture { width: 28, height: 28, channels: 1 },
                metric: Metric::Cosine,
                dim: number as u16,
                embedding_scale: 0.125,
                threshold: number.is_multiple_of(2).then_some(Threshold {
                    distance: Distance(number),
                    evidence: Evidence { impostor: u32::MAX, unseen: true, ..Evidence::default() },
                }),
                arena: number,
                identities: 3,
                capacity: u16::MAX,
                sample_capacity: u32::MAX,
            }),
            1 => Response::Received(number),
            2 => Response::Embedding(bytes),
            3 => Response::Done(number as u16),
            4 => Response::Decision(Decision::Match(candidate)),
            5 => Response::Decision(Decision::Unknown(number.is_multiple_of(2).then_some(candidate))),
            6 => Response::Identities {
                total: number as u16,
                labels: core::iter::repeat_n(label.parse().unwrap(), number as usize % 9).collect(),
            },
            7 => Response::Fault(Fault::Incomplete { received: number, expected: !number }),
            _ => Response::Fault(Fault::Engine),
        }
    }

    /// Every frame in `bytes`: its sequence number and message, or why it is none.
    fn frames(bytes: &[u8]) -> Bytes<Result<(u8, Bytes<u8>), FrameError>> {
        let mut decoder = Decoder::new();
        let mut frames = vec![];
        for &byte in bytes {
            if let Some(frame) = decoder.push(byte) {
                frames.push(frame.map(|frame| (frame.sequence, frame.message.to_vec())));
            }
        }
        frames
    }

    proptest! {
        #[test]
        fn messages_come_back(
            kind in 0u8..9, sequence: u8, number: u32, label in LABEL,
            bytes in prop::collection::vec(any::<u8>(), 0..=MAX_DIM),
        ) {
            let mut out = [0; MAX_FRAME];
            let mut decoder = Decoder::new();
            let sent = request(kind, number, &label, &bytes[..bytes.len().min(MAX_CHUNK)]);
            let bytes_sent = encode(sequence, &sent, &mut out).unwrap();
            let (last, rest) = bytes_sent.split_last().unwrap();
            prop_assert!(rest.iter().all(|&byte| decoder.push(byte).is_none()));
            let frame = decoder.push(*last).unwrap().unwrap();
            prop_assert_eq!(frame.sequence, sequence);
            prop_assert_eq!(frame.message::<Request>().unwrap(), sent);

            let answer = response(kind, number, &label, &bytes);
            let mut decoder = Decoder::new();
            let bytes_sent = encode(sequence, &answer, &mut out).unwrap();
            let (last, rest) = bytes_sent.split_last().unwrap();
            prop_assert!(rest.iter().all(|&byte| decoder.push(byte).is_none()));
            let frame = decoder.push(*last).unwrap().unwrap();
            prop_assert_eq!(frame.message::<Response>().unwrap(), answer);
        }

        #[test]
        fn finds_the_frame_after_garbage(garbage in prop::collection::vec(any::<u8>(), 0..1500)) {
            let mut out = [0; MAX_FRAME];
            let mut bytes = garbage;
            bytes.push(0);
            bytes.extend(encode(9, &Request::Identify, &mut out).unwrap());
            prop_assert_eq!(frames(&bytes).pop(), Some(Ok((9, vec![6]))));
        }

        #[test]
        fn finds_every_flipped_bit(at: usize, bit in 0u8..8, bytes in prop::collection::vec(any::<u8>(), 1..=MAX_CHUNK)) {
            let mut out = [0; MAX_FRAME];
            let mut sent = encode(7, &Request::Chunk { offset: 300, bytes: &bytes }, &mut out).unwrap().to_vec();
            let at = at % (sent.len() - 1);
            sent[at] ^= 1 << bit;
            prop_assert!(frames(&sent).iter().all(|frame| frame.is_err()));
        }

        #[test]
        fn no_message_panics(message in prop::collection::vec(any::<u8>(), 0..64)) {
            let frame = Frame { sequence: 0, message: &message };
            let _ = frame.message::<Request>();
            let _ = frame.message::<Response>();
        }
    }

    #[test]
    fn the_longest_messages_fit() {
        let mut out = [0; MAX_FRAME];
        let elements = [1i8; MAX_DIM];
        assert_eq!(encode(1, &Response::embedding(&elements), &mut out).unwrap().len(), MAX_FRAME);
        let full: Label = core::iter::repeat_n('x', MAX_LABEL).collect();
        let labels = core::iter::repeat_n(full, MAX_LABELS).collect();
        assert!(encode(1, &Response::Identities { total: 8, labels }, &mut out).is_ok());
        let bytes = [1; MAX_BODY];
        assert_eq!(encode(1, &Response::Embedding(&bytes), &mut out), Err(FrameError::Long));
    }

    #[test]
    fn a_frame_that_is_too_long_is_told_apart() {
        let mut bytes = vec![1; MAX_FRAME + 1];
        bytes.push(0);
        assert_eq!(frames(&bytes), [Err(FrameError::Long)]);
        assert_eq!(frames(&[0, 0, 0]), []);
        assert_eq!(frames(&[2, 1, 0]), [Err(FrameError::Checksum)]);
    }

    #[test]
    fn bytes_behind_a_message_are_refused() {
        let frame = Frame { sequence: 1, message: &[6, 0] };
        assert_eq!(frame.message::<Request>(), Err(FrameError::Message));
    }
}
