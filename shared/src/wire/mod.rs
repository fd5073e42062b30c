//! Messages between host and board, framed for any link of bytes.
//!
//! The host asks, the board answers every request once; the host sends its next request after the answer.
//!
//! ```text
//! frame    COBS(sequence u8, message, CRC-32 of both u32 little-endian), then one byte of zero
//! message  postcard: the variant's number below, then its fields in order; integers longer than a byte are varints, a float is
//!          four bytes, little-endian; text and bytes are their length as a varint, then themselves, those of a number that is
//!          stated here (key, proof, challenge) without it; an option is 0, or 1 and its content
//!
//! request                                              answer
//!   0 Info                                               0 Info        protocol u8 first, in every version
//!   1 Begin      raw header of a sample                  1 Received    bytes u32 of the sample
//!   2 Chunk      offset u32, bytes (1 to 256)            1 Received
//!   3 Embed                                              2 Embedding   bytes (int8)
//!   4 Collect    (admin)                                 3 Done        samples u16 collected
//!   5 Enrol      label (admin)                           4 Enrolled    identities u16, the candidate that it resembles
//!   6 Verify     label                                   5 Decision
//!   7 Identify                                           5 Decision
//!   8 List       first u16                               6 Identities  total u16, labels from `first` on (up to 8)
//!   9 Delete     label (admin)                           3 Done        identities u16 enrolled now
//!  10 Wipe       (admin)                                 3 Done        0
//!  11 Threshold  an adjustment or none (admin)           7 Threshold   sealed u32, in use u32
//!  12 Adapt      bool (admin)                            3 Done        0 or 1
//!  13 Challenge                                          8 Challenge   16 bytes
//!  14 Unlock     proof, 32 bytes                         3 Done        seconds u16 that the session lasts without a request
//!  15 Lock                                               3 Done        0
//!  16 Provision  key, 32 bytes                           3 Done        0
//!  17 SelfTest                                           9 SelfTest    samples u16, of which agree u16
//!  18 Bench                                             10 Bench       microseconds u32 to embed, u32 to identify, identities u16
//!  19 Board                                             11 Board
//!  20 Log        level                                   3 Done        0
//!  21 Events     after u32                              12 Events      decisions since (up to 4)
//!  22 Update     a part of a model, or Revert (admin)    1 Received, or 3 Done with the slot once it is in use, 0 for Revert
//!     any                                               13 Fault
//! ```
//!
//! The board repeats the request's sequence number in its answer. A frame that it cannot read is answered with
//! [`Fault::Frame`] under the sequence number 0, which no request carries. Zero bytes between frames mean nothing, so a
//! sender may open with one to end what noise began.
//!
//! An admin session begins with [`Request::Unlock`], whose proof is HMAC-SHA256 under the provisioned key over
//! [`PROOF_CONTEXT`] and the last challenge; a challenge serves once. The session ends by [`Request::Lock`], when the link
//! ends (where the board can tell), or when it was idle for [`SESSION_SECONDS`].

mod codec;
mod fault;
mod frame;
#[cfg(test)]
mod tests;

use heapless::Vec;
#[cfg(test)]
use serde::{Deserialize, Serialize};

use crate::bundle::Threshold;
use crate::embedding::{Distance, MAX_DIM, Metric};
use crate::frontend::RawHeader;
use crate::gallery::{Candidate, Decision, Label};

pub use codec::Wire;
pub use fault::Fault;
pub use frame::{Decoder, Frame, FrameError, MAX_BODY, MAX_FRAME, encode};

/// The version of the protocol; a board and a host of different versions share nothing but [`Request::Info`] and the first
/// field of [`Info`].
pub const PROTOCOL: u8 = 4;
/// Most bytes of a sample or a model in one message.
pub const MAX_CHUNK: usize = 256;
/// Most labels in one [`Response::Identities`].
pub const MAX_LABELS: usize = 8;
/// Most events in one [`Response::Events`].
pub const MAX_EVENTS: usize = 4;
/// Most samples that make one template.
pub const MAX_SAMPLES: usize = 5;
/// Bytes of the key that admin sessions are opened with.
pub const KEY_LEN: usize = 32;
/// Bytes of a challenge.
pub const CHALLENGE_LEN: usize = 16;
/// Bytes of the proof that the key is known.
pub const PROOF_LEN: usize = 32;
/// What the proof is over, before the challenge.
pub const PROOF_CONTEXT: &[u8] = b"doppel admin session 2";
/// Seconds without an admin request after which an admin session ends.
pub const SESSION_SECONDS: u16 = 300;

/// What the host asks of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Serialize, Deserialize))]
pub enum Request<'a> {
    /// What are you?
    Info,
    /// The bytes of this sample follow in chunks; whatever was sent before is dropped.
    Begin(RawHeader),
    /// Bytes of the sample, at most [`MAX_CHUNK`]. A chunk may be sent again; none may leave a gap.
    Chunk {
        /// Where in the sample the bytes belong.
        offset: u32,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Embed the sample and show the result.
    Embed,
    /// Keep the sample as one of up to [`MAX_SAMPLES`] that the next [`Request::Enrol`] makes its template of.
    Collect,
    /// Enrol what was collected, or else the sample.
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
    /// Remove every identity and the adjusted threshold, whatever the store holds, and forget what was collected.
    Wipe,
    /// Which threshold is used? With an adjustment: use this one from now on.
    Threshold(Option<Adjustment>),
    /// Whether a confident match moves its template towards the sample.
    Adapt(bool),
    /// Give something to prove the key with.
    Challenge,
    /// Open an admin session.
    Unlock {
        /// See the module's documentation.
        proof: [u8; PROOF_LEN],
    },
    /// End the admin session.
    Lock,
    /// Take this key for admin sessions; once only.
    Provision {
        /// The key.
        key: [u8; KEY_LEN],
    },
    /// Replay the model's golden vectors.
    SelfTest,
    /// Measure an embedding and an identification.
    Bench,
    /// What hardware are you, and how worn?
    Board,
    /// Log from this level on.
    Log(LogLevel),
    /// Which decisions were made?
    Events {
        /// The number of the last one that is known; 0 for all that are still there.
        after: u32,
    },
    /// Take a part of another model.
    Update(Update<'a>),
}

/// Another threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Serialize, Deserialize))]
pub struct Adjustment {
    /// The largest distance to accept; none to go back to the model's sealed one.
    pub distance: Option<Distance>,
    /// Whether it may be larger than the sealed one, for which no false-match rate was measured.
    pub loosen: bool,
}

/// A part of a model: its bundle, zeros up to a multiple of four, its golden vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Serialize, Deserialize))]
pub enum Update<'a> {
    /// A model of so many bytes follows; the slot that is not in use is erased.
    Begin {
        /// Bytes of bundle, padding and golden vectors.
        bytes: u32,
    },
    /// Bytes of the model, at most [`MAX_CHUNK`], a multiple of [`UPDATE_WORD`] but for the last; each chunk behind the one
    /// before.
    Chunk {
        /// Where in the model the bytes belong.
        offset: u32,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// All has been sent: check it, replay its golden vectors, and use it from now on.
    Finish,
    /// Use the model that the program was built with again.
    Revert,
}

/// A chunk of an update is a multiple of this many bytes, so that every flash can write it in whole words.
pub const UPDATE_WORD: usize = 32;

/// From which level on a board logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(Serialize, Deserialize))]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Requests that were not carried out.
    #[default]
    Warn,
    /// Decisions and changes as well.
    Info,
    /// Every answer.
    Trace,
}

/// What a board answers.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(test, derive(Serialize, Deserialize))]
pub enum Response<'a> {
    /// What the board is.
    #[cfg_attr(test, serde(borrow))]
    Info(Info<'a>),
    /// Bytes of the sample or the model that are there, without a gap.
    Received(u32),
    /// The embedding of the sample, one int8 a byte: see [`Response::embedding`].
    Embedding(&'a [u8]),
    /// It was done; the number is the one that the request's line above names.
    Done(u16),
    /// The identity was enrolled.
    Enrolled {
        /// Identities enrolled now.
        identities: u16,
        /// Another identity that would be accepted in the place of this one.
        resembles: Option<Candidate>,
    },
    /// What the sample turned out to be.
    Decision(Decision),
    /// Some of the identities.
    Identities {
        /// Identities enrolled.
        total: u16,
        /// Labels in the order of enrolment, from the `first` that was asked for.
        labels: Vec<Label, MAX_LABELS>,
    },
    /// The thresholds.
    Threshold {
        /// The one that was measured for the model.
        sealed: Distance,
        /// The one that decides.
        used: Distance,
    },
    /// What to prove the key with.
    Challenge([u8; CHALLENGE_LEN]),
    /// What came of the golden vectors.
    SelfTest {
        /// Golden samples.
        samples: u16,
        /// Samples whose input tensor and embedding agree in every byte.
        agree: u16,
    },
    /// How long things take.
    Bench {
        /// Microseconds of the network on one input tensor.
        embed: u32,
        /// Microseconds of one identification among the enrolled.
        identify: u32,
        /// How many are enrolled.
        identities: u16,
    },
    /// What hardware it is.
    Board(Hardware<'a>),
    /// Decisions that were made.
    Events(Vec<Event, MAX_EVENTS>),
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
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(test, derive(Serialize, Deserialize))]
pub struct Info<'a> {
    /// [`PROTOCOL`] of the board.
    pub protocol: u8,
    /// Version of the board's program.
    pub firmware: &'a str,
    /// The model's number.
    pub model_id: u64,
    /// The model's name.
    pub name: &'a str,
    /// The slot that the model was read from: 0 for the program's own.
    pub slot: u8,
    /// A sample that the model's input shows in full; larger and smaller ones are brought to it.
    pub input: RawHeader,
    /// The distance between embeddings.
    pub metric: Metric,
    /// Elements of an embedding.
    pub dim: u16,
    /// The real length of one step of an embedding element.
    pub embedding_scale: f32,
    /// The threshold with its evidence; without one the board enrols and compares nothing.
    pub threshold: Option<Threshold>,
    /// The threshold that decides, where it is not the model's.
    pub adjusted: Option<Distance>,
    /// Whether confident matches move their template.
    pub adapt: bool,
    /// Bytes of arena that the network runs in.
    pub arena: u32,
    /// Identities enrolled.
    pub identities: u16,
    /// Identities that there is room for.
    pub capacity: u16,
    /// Whether the store can be used as it is, or why not.
    pub store: StoreState,
    /// Whether a key was provisioned.
    pub provisioned: bool,
    /// Whether an admin session is open.
    pub unlocked: bool,
}

/// What a board's store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Serialize, Deserialize))]
pub enum StoreState {
    /// Templates of the board's model, or nothing.
    Ready,
    /// Templates of another model.
    OtherModel(u64),
    /// Templates in another version of the format.
    OtherVersion(u32),
    /// Something else.
    Foreign,
}

/// What hardware a board is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Serialize, Deserialize))]
pub struct Hardware<'a> {
    /// The board's name.
    pub name: &'a str,
    /// Bytes of RAM that the program takes besides arena and stack.
    pub ram: u32,
    /// Bytes of flash that the program takes, its own model included.
    pub flash: u32,
    /// Bytes of the largest model that an update can bring; 0 where there are no slots.
    pub slot: u32,
    /// Erase pages of the store.
    pub store_pages: u32,
    /// How often a page of the store was erased, over all its pages.
    pub store_erased: u32,
}

/// A decision that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Serialize, Deserialize))]
pub struct Event {
    /// Decisions since the start, this one included.
    pub number: u32,
    /// Whether the sample was accepted.
    pub accepted: bool,
    /// The nearest identity or the one that was claimed, and its distance.
    pub nearest: Option<(Label, Distance)>,
}
