//! The device model file: a checked view of its bytes, and its writer.
//!
//! Little-endian; every section starts at a multiple of four, and so must the bytes in memory.
//!
//! ```text
//!   0  magic "DOPL"                 44  threshold: largest accepted distance   u32
//!   4  version                u16   48  target false-match rate, ppm           u32
//!   6  layers                 u16   52  identities behind the threshold        u32
//!   8  length of the file     u32   56  genuine comparisons                    u32
//!  12  CRC-32 of 16..length   u32   60  genuine comparisons rejected           u32
//!  16  model id               u64   64  impostor comparisons                   u32
//!  24  input height           u16   68  impostor comparisons accepted          u32
//!  26  input width            u16   72  real value of one embedding step       f32
//!  28  input channels         u8    76  spread of one identity's samples, or 0 u32
//!  29  front end: see below   u8    80  name, UTF-8, zero-padded               16 bytes
//!  30  flags: see below       u8    96  enrolment gate: largest distance       u32
//!  31  metric                 u8   100  settings of a log-mel front end, then the layer table, 48 bytes each:
//!  32  embedding dimension    u16          0 kind u8, kernel rows u8, kernel columns u8, stride u8
//!  34  reserved, zero         u16          4 padding above, left, below, right: u8 each
//!  36  arena, bytes           u32          8 input height, width, channels; output height, width, channels: u16 each
//!  40  input's place in arena u32         20 input zero point u8, output zero point u8, output layout u8, flags u8
//!                                         24 places in the file: weights, channels, table: u32 each
//!                                         36 places in the arena: input, output, scratch: u32 each
//!
//! front end 0, pixels: height, width and channels of the input, flags 1 and 2; no further settings
//! front end 1, log-mel: height is the bands, width the frames, channels 1; its settings are 16 bytes:
//!   0 rate, 2 window, 4 hop, 6 low, 8 high: u16 each; 10 range u8, 11 trim u8, 12 flags u8, 13 reserved, zero
//!   flags: 1 pre-emphasis, 2 repeated to fill the frames, 4 drawn out over them
//!
//! header flags: 1 inverted, 2 stretched, 4 threshold sealed, 8 identities of the threshold were not trained on, 16 its impostors
//!               are skilled forgeries
//! layer flags:  1 a table of 256 bytes follows the requantisation, 2 the layer's rows go straight into the next layer's ring
//! ```
//!
//! Weights of a planar layer: `[channel][row][column]`, one byte each; of a pool: none.
//!
//! Weights of a dense layer: groups of four output channels `(a, b, c, d)`; in a group, for each kernel row, for each pair
//! `(i, i + 1)` of input channels (as many as make up whole groups of four), for each kernel column, two words: `256 * b + a`
//! of `i` and of `i + 1` as halfwords, then `256 * d + c` alike. Two weights a halfword let one dual multiply serve two
//! channels: with `S = sum x * (256 * b + a)` and `A = sum x * a`, `sum x * b = (S - A) / 256`.
//!
//! Weights of a Winograd layer: pairs of output channels `(a, b)`; in a pair, for each of the 16 products of
//! [`crate::winograd`], for each pair of input channels as above, the transformed weights of `a` for both inputs, then of
//! `b`, as halfwords.
//!
//! A channel is stored as a [`Requantizer`]: multiplier i32, offset i32.
//!
//! [`Requantizer`]: crate::quant::Requantizer

mod check;
mod header;
mod layer;
mod read;
mod write;

use thiserror::Error;

use crate::winograd::PRODUCTS;
use read::read_layer;

pub use header::{Evidence, Header, Threshold};
pub use layer::{Entry, Layer, Order};
pub use write::{LayerSource, WriteError, encode, encoded_len, seal};

/// The version that this code reads and writes.
pub const VERSION: u16 = 2;
/// Bytes of the header, without the settings of a log-mel front end.
pub const HEADER_LEN: usize = 100;
/// Bytes of the settings of a log-mel front end.
pub const LOG_MEL_LEN: usize = 16;
/// Bytes of one entry of the layer table.
pub const LAYER_LEN: usize = 48;
/// Bytes of the name.
pub const NAME_LEN: usize = 16;
/// Bytes of an activation table.
pub const TABLE_LEN: usize = 256;

/// The zero point of the last layer: an embedding's elements are signed around 0.
pub const EMBEDDING_ZERO_POINT: u8 = 128;

const MAGIC: [u8; 4] = *b"DOPL";
const CHECKED_FROM: usize = 16;

const INVERT: u8 = 1;
const STRETCH: u8 = 2;
const SEALED: u8 = 4;
const UNSEEN: u8 = 8;
const FORGED: u8 = 16;
const PIXELS: u8 = 0;
const LOG_MEL: u8 = 1;
const PRE_EMPHASIS: u8 = 1;
const REPEAT: u8 = 2;
const DRAWN_OUT: u8 = 4;
const HAS_TABLE: u8 = 1;
const FUSED: u8 = 2;

/// Why bytes are not a bundle that can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BundleError {
    /// The bytes do not start at a multiple of four.
    #[error("the bundle does not start at a multiple of four in memory")]
    Misaligned,
    /// The bytes do not start with the magic.
    #[error("this is not a Doppel bundle")]
    Magic,
    /// Another version of the format.
    #[error("the bundle has format {0}, this program reads format {VERSION}: export the model again")]
    Version(u32),
    /// Fewer or more bytes than the header says.
    #[error("the bundle is {got} bytes long, but its header says {expected}")]
    Length {
        /// Bytes given.
        got: usize,
        /// Bytes that the header asks for.
        expected: usize,
    },
    /// The bytes were changed after they were written.
    #[error("the bundle's checksum does not match its bytes: it was damaged")]
    Checksum,
    /// The program was built for models of the other kind of samples.
    #[error("this program has no front end for the bundle's samples")]
    FrontEnd,
    /// The header contradicts itself.
    #[error("the bundle's header is not consistent")]
    Header,
    /// A layer contradicts itself, its neighbour, the file or the arena.
    #[error("layer {0} of the bundle is not consistent")]
    Layer(usize),
    /// A channel's sum could leave the range in which the requantisation rule is exact.
    #[error("an accumulator of layer {0} of the bundle could overflow")]
    Overflow(usize),
}

/// A bundle whose bytes were checked: everything that its methods give is consistent.
#[derive(Clone, Copy, Debug)]
pub struct Bundle<'a> {
    bytes: &'a [u8],
    header: Header,
    layers: usize,
}

impl<'a> Bundle<'a> {
    /// The model as a whole.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The file's first bytes, which [`Header::read`] takes.
    pub fn header_bytes(&self) -> &'a [u8] {
        self.bytes.get(..self.header.encoded_len()).unwrap_or_default()
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The layers in the order in which they run.
    pub fn layers(&self) -> impl Iterator<Item = Layer<'a>> + use<'a> {
        let (bytes, table) = (self.bytes, self.header.encoded_len());
        (0..self.layers).filter_map(move |index| read_layer(bytes, table + index * LAYER_LEN))
    }

    /// Multiplications by a weight in one inference.
    pub fn macs(&self) -> u64 {
        self.layers().map(|layer| layer.entry.geometry.macs()).sum()
    }
}

/// Where the halfword of an output channel, a product and an input channel lies in the weights of a Winograd layer.
fn winograd_place(pairs: usize, output: usize, product: usize, input: usize) -> usize {
    ((output / 2 * PRODUCTS + product) * pairs + input / 2) * 4 + output % 2 * 2 + input % 2
}

/// `256 * high + low`.
pub fn pack(low: i8, high: i8) -> i16 {
    (i16::from(high) << 8).wrapping_add(i16::from(low))
}

/// `(low, high)` of a packed pair.
#[inline(always)]
pub fn unpack(pair: i16) -> (i8, i8) {
    let low = pair as i8;
    (low, (pair.wrapping_sub(i16::from(low)) >> 8) as i8)
}

pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|slice| slice.try_into().ok()).unwrap_or([0; N])
}

pub(crate) fn u8_at(bytes: &[u8], at: usize) -> u8 {
    u8::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}
