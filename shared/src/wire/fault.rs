//! Why a board did not carry a request out.

#[cfg(test)]
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{MAX_SAMPLES, PROTOCOL, UPDATE_WORD};
use crate::embedding::Distance;
use crate::frontend::MAX_SIDE;
use crate::gallery::MAX_LABEL;

/// Why a board did not carry a request out. Numbers are words, so that a board passes a fault on in few instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[cfg_attr(test, derive(Serialize, Deserialize))]
pub enum Fault {
    /// The frame was too long or its checksum did not match.
    #[error("the board received a damaged message: send it again")]
    Frame,
    /// The message is none of this protocol's.
    #[error("the board does not know this request: its protocol has version {PROTOCOL}")]
    Request,
    /// A picture for a model of recordings.
    #[error("the board's model takes recordings, not pictures")]
    NotSound,
    /// A recording for a model of pictures.
    #[error("the board's model takes pictures, not recordings")]
    NotImage,
    /// A side of the picture is zero or too long.
    #[error("the picture's sides must be from 1 to {MAX_SIDE} pixels")]
    Size,
    /// The picture has other channels than the model's input.
    #[error("the model takes pictures of {expected} channels")]
    Channels {
        /// Channels of the model's input.
        expected: u32,
    },
    /// The recording's rate cannot be brought to the model's.
    #[error("the model takes recordings of {lowest} to {highest} samples a second: convert it")]
    Rate {
        /// The lowest rate, in Hz.
        lowest: u32,
        /// The highest rate, in Hz.
        highest: u32,
    },
    /// A chunk is empty, too long, leaves a gap or passes the end.
    #[error("the board has {received} bytes: send the chunk that follows them")]
    Chunk {
        /// Bytes that are there.
        received: u32,
    },
    /// The request needs a sample, and none was sent.
    #[error("the board has no sample: send one first")]
    NoSample,
    /// The request needs the whole of a sample or model, and only a part was sent.
    #[error("the board has {received} of {expected} bytes: send the rest first")]
    Incomplete {
        /// Bytes that are there.
        received: u32,
        /// Bytes of the whole.
        expected: u32,
    },
    /// The sample shows nothing.
    #[error("the sample is blank: show or say something")]
    Blank,
    /// The recording is at an end of its range too often.
    #[error("the recording is clipped: speak more softly, or farther from the microphone")]
    Clipped,
    /// Too little of the recording is sound, or a side of the picture is less than a quarter of the model's input.
    #[error("the sample is too short or too small: record longer, or take a larger picture")]
    Short,
    /// The sample is farther from the others of its identity than the enrolment gate lets pass.
    #[error("the sample is at distance {distance} from those before it, at most {gate} is enrolled together: is it the same identity?", distance = .distance.0, gate = .gate.0)]
    Unlike {
        /// The distance from the mean of those before it.
        distance: Distance,
        /// The gate.
        gate: Distance,
    },
    /// As many samples as make a template were collected.
    #[error("a template is made of up to {MAX_SAMPLES} samples: enrol those that were sent")]
    Samples,
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
        capacity: u32,
    },
    /// The model has no measured threshold, so nothing can be decided.
    #[error("the board's model has no threshold: export it with `doppel export` and flash it")]
    NoThreshold,
    /// The threshold is larger than the sealed one.
    #[error("the threshold is larger than the sealed {sealed}, for which the false-match rate was measured: add --loosen if you mean it", sealed = .sealed.0)]
    Looser {
        /// The model's threshold.
        sealed: Distance,
    },
    /// The network did not run.
    #[error("the network did not run on this sample")]
    Engine,
    /// Too many comparisons failed in a row.
    #[error("too many attempts failed: wait {seconds} s")]
    Wait {
        /// Seconds until the next comparison, rounded up.
        seconds: u32,
    },
    /// The request needs an admin session.
    #[error("this needs an admin session: give the board's key")]
    Locked,
    /// No key was provisioned.
    #[error("the board has no admin key yet: provision one first")]
    NotProvisioned,
    /// A key was provisioned before.
    #[error("the board has an admin key already, which cannot be changed")]
    Provisioned,
    /// No challenge was asked for, or the proof does not fit it.
    #[error("the key is not this board's")]
    Proof,
    /// The store holds templates of another model.
    #[error(
        "the enrolled templates belong to model {model:016x}, which mean nothing to this one: wipe the board and enrol again"
    )]
    OtherModel {
        /// Their model.
        model: u64,
    },
    /// The store holds another version of its format.
    #[error("the board's store has format {version}, which this program does not read: wipe the board and enrol again")]
    OtherVersion {
        /// The version.
        version: u32,
    },
    /// The store's flash holds something else.
    #[error("the flash for the templates holds something else: wipe the board to use it")]
    Foreign,
    /// The store's flash failed.
    #[error("the board's flash failed: the change was not kept")]
    Flash,
    /// The store has no room for the change.
    #[error("the flash for the templates is full: delete an identity first")]
    StoreFull,
    /// The program has no golden vectors.
    #[error("the board has no golden vectors to test itself with")]
    NoGolden,
    /// There is no slot for another model.
    #[error("the board has no room for a second model: flash it with the new one built in")]
    NoSlots,
    /// The model is larger than a slot.
    #[error("the model is larger than the {room} bytes of a slot: train a smaller one")]
    SlotRoom {
        /// Bytes of a slot.
        room: u32,
    },
    /// An update was not begun.
    #[error("no update was begun, or its chunks are no multiples of {UPDATE_WORD} bytes: begin it again")]
    NoUpdate,
    /// The model's bytes are damaged or of another format.
    #[error("the new model is damaged or of another format: it was not used; export and send it again")]
    Model,
    /// The model's golden vectors are missing, damaged, another model's or not met.
    #[error("the new model failed its self-test: it was not used; export and send it again")]
    ModelTest,
    /// The program was not built for a model of that size.
    #[error(
        "the new model needs an arena of {arena} bytes and {dim} elements a template, more than the program was built with: flash it with the new model built in"
    )]
    ModelRoom {
        /// Bytes of arena, its front end's working memory included.
        arena: u32,
        /// Elements of an embedding.
        dim: u32,
    },
    /// The program was built for models of the other kind of samples.
    #[error(
        "the new model takes pictures and the board's program recordings, or the other way round: flash it with the new model built in"
    )]
    ModelKind,
}

impl Fault {
    /// The fault's number in messages, for a log.
    pub fn code(&self) -> u8 {
        self.tag()
    }
}
