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
//!  28  input channels         u8    76  reserved, zero                         u32
//!  29  front end: see below   u8    80  name, UTF-8, zero-padded               16 bytes
//!  30  flags: see below       u8    96  settings of a log-mel front end, then the layer table, 48 bytes each:
//!  31  metric                 u8           0 kind u8, kernel rows u8, kernel columns u8, stride u8
//!  32  embedding dimension    u16          4 padding above, left, below, right: u8 each
//!  34  reserved, zero         u16          8 input height, width, channels; output height, width, channels: u16 each
//!  36  arena, bytes           u32         20 input zero point u8, output zero point u8, output layout u8, flags u8
//!  40  input's place in arena u32         24 places in the file: weights, channels, table: u32 each
//!                                         36 places in the arena: input, output, scratch: u32 each
//!
//! front end 0, pixels: height, width and channels of the input, flags 1 and 2; no further settings
//! front end 1, log-mel: height is the bands, width the frames, channels 1; its settings are 16 bytes:
//!   0 rate, 2 window, 4 hop, 6 low, 8 high: u16 each; 10 range u8, 11 trim u8, 12 flags u8, 13 reserved, zero
//!   flags: 1 pre-emphasis, 2 repeated to fill the frames, 4 drawn out over them
//!
//! header flags: 1 inverted, 2 stretched, 4 threshold sealed, 8 identities of the threshold were not trained on
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

use bytemuck::{cast_slice, try_cast_slice};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::checksum::crc32;
use crate::embedding::{Distance, MAX_DIM, Metric};
use crate::frontend::{Fill, FrontEnd, LogMel, Pixels};
use crate::geometry::{Geometry, Kind, Shape};
use crate::quant::{Channel, MAX_PRODUCT, Requantizer};
use crate::winograd::{PRODUCTS, recover_kernel, transform_kernel};

/// The version that this code reads and writes.
pub const VERSION: u16 = 1;
/// Bytes of the header, without the settings of a log-mel front end.
pub const HEADER_LEN: usize = 96;
/// Bytes of the settings of a log-mel front end.
pub const LOG_MEL_LEN: usize = 16;
/// Bytes of one entry of the layer table.
pub const LAYER_LEN: usize = 48;
/// Bytes of the name.
pub const NAME_LEN: usize = 16;
/// Bytes of an activation table.
pub const TABLE_LEN: usize = 256;

const MAGIC: [u8; 4] = *b"DOPL";
const CHECKED_FROM: usize = 16;

const INVERT: u8 = 1;
const STRETCH: u8 = 2;
const SEALED: u8 = 4;
const UNSEEN: u8 = 8;
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
    Version(u16),
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

/// The evidence behind a threshold: comparisons between identities, counted on the int8 embeddings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The false-match rate that was asked for, in parts per million.
    pub target_fmr_ppm: u32,
    /// Identities compared.
    pub identities: u32,
    /// Whether none of them was trained on.
    pub unseen: bool,
    /// Genuine comparisons, and how many of them the threshold rejects.
    pub genuine: u32,
    /// Genuine comparisons rejected.
    pub false_non_matches: u32,
    /// Impostor comparisons.
    pub impostor: u32,
    /// Impostor comparisons accepted.
    pub false_matches: u32,
}

/// A decision threshold with what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    /// The largest distance that is still accepted.
    pub distance: Distance,
    /// How it was measured.
    pub evidence: Evidence,
}

/// What a bundle says of the model as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    /// Templates belong to this number: equal only for the same network and front end.
    pub model_id: u64,
    /// The model's name, UTF-8, zero-padded.
    pub name: [u8; NAME_LEN],
    /// Raw sample -> input tensor.
    pub frontend: FrontEnd,
    /// The distance that the embeddings are made for.
    pub metric: Metric,
    /// Elements of an embedding.
    pub dim: u16,
    /// Bytes of arena that the network runs in.
    pub arena: u32,
    /// Where the input tensor lies in the arena.
    pub input_at: u32,
    /// The real length of one step of an embedding element.
    pub embedding_scale: f32,
    /// The threshold, once it was measured.
    pub threshold: Option<Threshold>,
}

impl Header {
    /// The header of a bundle whose first bytes are `bytes`; what they say of the rest is not checked.
    pub fn read(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.get(..4) != Some(&MAGIC) {
            return Err(BundleError::Magic);
        }
        match u16_at(bytes, 4) {
            VERSION => {
                read_header(bytes).filter(|header| bytes.len() >= header.encoded_len()).ok_or(BundleError::Header)
            }
            version => Err(BundleError::Version(version)),
        }
    }

    /// The name without its padding; empty where it is not UTF-8.
    pub fn name(&self) -> &str {
        let len = self.name.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        core::str::from_utf8(self.name.get(..len).unwrap_or_default()).unwrap_or_default()
    }

    /// The input tensor.
    pub fn input(&self) -> Shape {
        self.frontend.shape()
    }

    /// Bytes of the header with all settings of its front end.
    pub fn encoded_len(&self) -> usize {
        match self.frontend {
            FrontEnd::Pixels(_) => HEADER_LEN,
            FrontEnd::LogMel(_) => HEADER_LEN + LOG_MEL_LEN,
        }
    }
}

/// Shape, places and zero points of a layer: what its entry in the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is computed.
    pub geometry: Geometry,
    /// The input's byte for the real number 0; padding is filled with it.
    pub input_zero_point: u8,
    /// The zero point that requantisation adds, even (see [`Requantizer`]).
    pub output_zero_point: u8,
    /// The output rows go straight into the next layer's ring and never lie in the arena as a whole.
    pub fused: bool,
    /// The input tensor's place in the arena.
    pub input_at: u32,
    /// The output tensor's place in the arena.
    pub output_at: u32,
    /// The scratch's place in the arena, a multiple of four.
    pub scratch_at: u32,
}

impl Entry {
    /// Scratch of the step that ends with this layer; `front` is the layer fused into it. The front's own scratch and one of
    /// its output rows follow the ring.
    pub fn scratch_len(&self, front: Option<&Entry>) -> usize {
        let front = front.map_or(0, |f| f.geometry.scratch_len() + f.row_bytes().next_multiple_of(4));
        self.geometry.scratch_len() + front
    }

    /// Bytes of one output row of all channels.
    pub fn row_bytes(&self) -> usize {
        usize::from(self.geometry.output.width) * usize::from(self.geometry.output.channels)
    }

    /// Whether the layer may hand its rows to `next`: a convolution of one plane into a dense layer that walks rows.
    pub fn fits_front_of(&self, next: &Entry) -> bool {
        self.geometry.kind == Kind::Planar
            && self.geometry.input.channels == 1
            && next.geometry.kind == Kind::Dense
            && next.geometry.input == self.geometry.output
            && !next.geometry.is_pointwise()
    }

    /// The region of the arena from the first to the last byte of input and output.
    pub fn hull(&self) -> core::ops::Range<usize> {
        let (input, output) = (self.input_at as usize, self.output_at as usize);
        let end = (input + self.geometry.input.len()).max(output + self.geometry.output.len());
        input.min(output)..end
    }

    /// The order in which the output planes can be written without hurting an input plane that is still to be read; none
    /// where input and output lie over each other in a way that no order serves.
    pub fn order(&self) -> Option<Order> {
        let Geometry { input, output, .. } = self.geometry;
        let (reads, writes) = (self.input_at as usize, self.output_at as usize);
        let (read, written) = (input.plane_len(), output.plane_len());
        if writes + output.len() <= reads || reads + input.len() <= writes {
            return Some(Order::Ascending);
        }
        if !self.geometry.runs_in_place() {
            return None;
        }
        if self.geometry.is_pointwise() {
            // Every plane lies over a whole plane, so that a pixel is written where it was read.
            return reads.abs_diff(writes).is_multiple_of(read).then_some(Order::Ascending);
        }
        let channels = usize::from(input.channels);
        let others = || 1..channels; // the planes on either side of a boundary between two
        if others().all(|c| writes + c * written <= reads + c * read) {
            Some(Order::Ascending)
        } else if others().all(|c| writes + c * written >= reads + c * read) {
            Some(Order::Descending)
        } else {
            None
        }
    }
}

/// Which output plane is written first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The first channel's.
    Ascending,
    /// The last channel's.
    Descending,
}

/// A layer, ready to run.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Shape and places.
    pub entry: Entry,
    /// Stored weights of a dense layer, two channels a halfword, or of a Winograd layer; empty for the others.
    pub packed: &'a [i16],
    /// Weights of a planar layer; empty for the others.
    pub planar: &'a [i8],
    /// One entry a stored channel.
    pub channels: &'a [Requantizer],
    /// The table that follows the requantisation.
    pub table: Option<&'a [u8; TABLE_LEN]>,
}

/// A bundle whose bytes were checked: everything that its methods give is consistent.
#[derive(Clone, Copy, Debug)]
pub struct Bundle<'a> {
    bytes: &'a [u8],
    header: Header,
    layers: usize,
}

impl<'a> Bundle<'a> {
    /// Checks `bytes` from the checksum to the bounds of every accumulator.
    pub fn check(bytes: &'a [u8]) -> Result<Self, BundleError> {
        if bytes.as_ptr().align_offset(4) != 0 {
            return Err(BundleError::Misaligned);
        }
        if bytes.get(..4) != Some(&MAGIC) || bytes.len() < HEADER_LEN {
            return Err(BundleError::Magic);
        }
        let version = u16_at(bytes, 4);
        if version != VERSION {
            return Err(BundleError::Version(version));
        }
        let expected = u32_at(bytes, 8) as usize;
        if bytes.len() != expected || !expected.is_multiple_of(4) {
            return Err(BundleError::Length { got: bytes.len(), expected });
        }
        if u32_at(bytes, 12) != crc32(bytes.get(CHECKED_FROM..).unwrap_or_default()) {
            return Err(BundleError::Checksum);
        }
        let header = read_header(bytes).ok_or(BundleError::Header)?;
        if bytes.len() < header.encoded_len() {
            return Err(BundleError::Header);
        }
        let bundle = Bundle { bytes, header, layers: usize::from(u16_at(bytes, 6)) };
        bundle.check_layers()?;
        Ok(bundle)
    }

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

    #[inline(never)]
    fn check_layers(&self) -> Result<(), BundleError> {
        let (arena, table) = (self.header.arena as usize, self.header.encoded_len());
        if self.layers == 0 {
            return Err(BundleError::Layer(0));
        }
        // Shape, zero point and place of the tensor that the next layer reads.
        let mut tensor = (self.header.input(), 0u8, self.header.input_at);
        let mut front: Option<Entry> = None;
        for index in 0..self.layers {
            let layer = read_layer(self.bytes, table + index * LAYER_LEN).ok_or(BundleError::Layer(index))?;
            let entry = layer.entry;
            let reads = (entry.input_zero_point, entry.input_at);
            let shape = entry.geometry.input;
            let chained = (shape == tensor.0 || tensor.0.flattened() == Some(shape))
                && (reads == (tensor.1, tensor.2) || front.is_some() && reads.0 == tensor.1)
                && entry.output_zero_point % 2 == 0
                && front.is_none_or(|front| front.fits_front_of(&entry))
                && (!entry.fused || index + 1 < self.layers && front.is_none());
            if !chained || !self.fits_arena(&entry, front.as_ref(), arena) {
                return Err(BundleError::Layer(index));
            }
            if !accumulators_fit(&layer) {
                return Err(BundleError::Overflow(index));
            }
            tensor = (entry.geometry.output, entry.output_zero_point, entry.output_at);
            if let Some(table) = layer.table {
                // The table maps the zero point to the byte that the next layer takes for zero.
                tensor.1 = table.get(usize::from(tensor.1)).copied().unwrap_or(0);
            }
            front = entry.fused.then_some(entry);
        }
        let (shape, zero_point, _) = tensor;
        let vector = Shape { height: 1, width: 1, channels: self.header.dim };
        if shape != vector || zero_point != EMBEDDING_ZERO_POINT { Err(BundleError::Header) } else { Ok(()) }
    }

    /// Whether input, output and scratch of the step that ends with `entry` lie in the arena, the scratch apart from the
    /// tensors, the output where [`Entry::order`] allows it.
    #[inline(never)]
    fn fits_arena(&self, entry: &Entry, front: Option<&Entry>, arena: usize) -> bool {
        if entry.fused {
            return true; // its step ends with the next layer
        }
        let first = front.unwrap_or(entry);
        let input = (first.input_at as usize, first.geometry.input.len());
        let output = (entry.output_at as usize, entry.geometry.output.len());
        let scratch = (entry.scratch_at as usize, entry.scratch_len(front));
        let inside =
            [input, output, scratch].iter().all(|&(at, len)| at.checked_add(len).is_some_and(|end| end <= arena));
        if !inside {
            return false;
        }
        let apart = |a: (usize, usize), b: (usize, usize)| a.0 + a.1 <= b.0 || b.0 + b.1 <= a.0 || b.1 == 0;
        let ordered = match front {
            Some(_) => apart(input, output),
            None => entry.order().is_some(),
        };
        // A planar layer or a pool sees both tensors as one region.
        let hull = entry.hull();
        let outside = match entry.geometry.kind {
            Kind::Dense | Kind::Winograd => apart(input, scratch) && apart(output, scratch),
            Kind::Planar | Kind::Pool => apart((hull.start, hull.len()), scratch),
        };
        ordered && outside && entry.scratch_at.is_multiple_of(4)
    }
}

/// The zero point of the last layer: an embedding's elements are signed around 0.
pub const EMBEDDING_ZERO_POINT: u8 = 128;

/// Whether no input can drive `|sum + bias| * multiplier` of a channel past [`MAX_PRODUCT`], and no weight is -128, which a
/// packed pair cannot hold.
#[inline(never)]
fn accumulators_fit(layer: &Layer<'_>) -> bool {
    let geometry = &layer.entry.geometry;
    let outputs = usize::from(geometry.output.channels);
    let zero_point = layer.entry.output_zero_point;
    let limit = if geometry.kind == Kind::Winograd { 1 << 29 } else { 1 << 31 };
    (0..outputs).zip(layer.channels).all(|(index, channel)| {
        let Some(magnitude) = layer.magnitude(index) else { return false };
        let reach = 255 * magnitude;
        let bias = channel.scaled_bias(zero_point).abs();
        channel.multiplier >= 0 && reach < limit && reach * i64::from(channel.multiplier) + bias <= MAX_PRODUCT
    })
}

impl<'a> Layer<'a> {
    /// The sum of the absolute weights of output channel `index`; none where a weight is -128, or is none.
    #[inline(never)]
    fn magnitude(&self, index: usize) -> Option<i64> {
        let geometry = &self.entry.geometry;
        let per_channel = geometry.weights_per_channel();
        let magnitude = |w: i8| (w != i8::MIN).then_some(i64::from(w).abs());
        match geometry.kind {
            Kind::Pool => Some(i64::from(geometry.kernel[0]) * i64::from(geometry.kernel[1])),
            Kind::Planar => {
                self.planar.get(index * per_channel..(index + 1) * per_channel)?.iter().map(|&w| magnitude(w)).sum()
            }
            Kind::Dense => (0..per_channel).map(|k| magnitude(self.packed_weight(index, k)?)).sum(),
            Kind::Winograd => {
                let mut sum = 0;
                for input in 0..2 * geometry.pairs() {
                    for weight in self.winograd_kernel(index, input)? {
                        sum += magnitude(weight)?;
                    }
                }
                Some(sum)
            }
        }
    }

    /// Stored weight `k` of output channel `index` of a dense layer.
    fn packed_weight(&self, index: usize, k: usize) -> Option<i8> {
        let per_channel = self.entry.geometry.weights_per_channel();
        let at = index / 4 * 2 * per_channel + k / 2 * 4 + index % 4 / 2 * 2 + k % 2;
        let (low, high) = unpack(*self.packed.get(at)?);
        Some(if index.is_multiple_of(2) { low } else { high })
    }

    /// The kernel of output channel `output` and input channel `input` of a Winograd layer.
    #[inline(never)]
    fn winograd_kernel(&self, output: usize, input: usize) -> Option<[i8; 9]> {
        let pairs = self.entry.geometry.pairs();
        let mut transformed = [0; PRODUCTS];
        for (product, transformed) in transformed.iter_mut().enumerate() {
            *transformed = *self.packed.get(winograd_place(pairs, output, product, input))?;
        }
        recover_kernel(transformed)
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

#[inline(never)]
fn read_header(bytes: &[u8]) -> Option<Header> {
    let frontend = read_frontend(bytes)?;
    // Of a length that the compiler knows: the places below need no check.
    let bytes: &[u8; HEADER_LEN] = bytes.first_chunk()?;
    let flags = u8_at(bytes, 30);
    let evidence = Evidence {
        target_fmr_ppm: u32_at(bytes, 48),
        identities: u32_at(bytes, 52),
        unseen: flags & UNSEEN != 0,
        genuine: u32_at(bytes, 56),
        false_non_matches: u32_at(bytes, 60),
        impostor: u32_at(bytes, 64),
        false_matches: u32_at(bytes, 68),
    };
    let threshold = Threshold { distance: Distance(u32_at(bytes, 44)), evidence };
    let (dim, scale) = (u16_at(bytes, 32), f32::from_bits(u32_at(bytes, 72)));
    let sound = flags & !(INVERT | STRETCH | SEALED | UNSEEN) == 0
        && (1..=MAX_DIM).contains(&usize::from(dim))
        && scale.is_finite()
        && scale > 0.0;
    if !sound {
        return None;
    }
    Some(Header {
        model_id: u64::from(u32_at(bytes, 16)) | u64::from(u32_at(bytes, 20)) << 32,
        name: array_at(bytes, 80),
        frontend,
        metric: Metric::from_code(u8_at(bytes, 31))?,
        dim,
        arena: u32_at(bytes, 36),
        input_at: u32_at(bytes, 40),
        embedding_scale: scale,
        threshold: (flags & SEALED != 0).then_some(threshold),
    })
}

fn read_frontend(bytes: &[u8]) -> Option<FrontEnd> {
    let (bytes, rest) = bytes.split_first_chunk::<HEADER_LEN>()?;
    let (height, width, channels, flags) = (u16_at(bytes, 24), u16_at(bytes, 26), u8_at(bytes, 28), u8_at(bytes, 30));
    let (invert, stretch) = (flags & INVERT != 0, flags & STRETCH != 0);
    match u8_at(bytes, 29) {
        PIXELS => Some(FrontEnd::Pixels(Pixels { width, height, channels, invert, stretch })),
        LOG_MEL => {
            let at: &[u8; LOG_MEL_LEN] = rest.first_chunk()?;
            let own = u8_at(at, 12);
            let fill = match own & (REPEAT | DRAWN_OUT) {
                0 => Fill::Silence,
                REPEAT => Fill::Repeat,
                DRAWN_OUT => Fill::Stretch,
                _ => return None,
            };
            let log_mel = LogMel {
                rate: u16_at(at, 0),
                window: u16_at(at, 2),
                hop: u16_at(at, 4),
                bands: height,
                frames: width,
                low: u16_at(at, 6),
                high: u16_at(at, 8),
                range: u8_at(at, 10),
                trim: u8_at(at, 11),
                pre_emphasis: own & PRE_EMPHASIS != 0,
                fill,
            };
            let plain = channels == 1 && !invert && !stretch && own & !(PRE_EMPHASIS | REPEAT | DRAWN_OUT) == 0;
            (plain && log_mel.check().is_ok()).then_some(FrontEnd::LogMel(log_mel))
        }
        _ => None,
    }
}

/// The layer whose entry starts at byte `start`.
fn read_layer(bytes: &[u8], start: usize) -> Option<Layer<'_>> {
    let at: &[u8; LAYER_LEN] = bytes.get(start..)?.first_chunk()?;
    let shape = |from| Shape { height: u16_at(at, from), width: u16_at(at, from + 2), channels: u16_at(at, from + 4) };
    let geometry = Geometry {
        kind: match u8_at(at, 0) {
            0 => Kind::Dense,
            1 => Kind::Planar,
            2 => Kind::Pool,
            3 => Kind::Winograd,
            _ => return None,
        },
        kernel: array_at(at, 1),
        stride: u8_at(at, 3),
        pad: array_at(at, 4),
        input: shape(8),
        output: shape(14),
    };
    let flags = u8_at(at, 23);
    if !geometry.is_consistent() || u8_at(at, 22) != 0 || flags & !(HAS_TABLE | FUSED) != 0 {
        return None;
    }
    let entry = Entry {
        geometry,
        input_zero_point: u8_at(at, 20),
        output_zero_point: u8_at(at, 21),
        fused: flags & FUSED != 0,
        input_at: u32_at(at, 36),
        output_at: u32_at(at, 40),
        scratch_at: u32_at(at, 44),
    };
    let section = |from: usize, len: usize| {
        let begin = u32_at(at, from) as usize;
        bytes.get(begin..begin.checked_add(len)?)
    };
    let weights = section(24, geometry.weights_len())?;
    let channels = section(28, geometry.stored_channels() * size_of::<Requantizer>())?;
    let table = match flags & HAS_TABLE {
        0 => None,
        _ => Some(section(32, TABLE_LEN)?.try_into().ok()?),
    };
    let used = geometry.stored_channels() * geometry.weights_per_channel();
    let (packed, planar): (&[i16], &[i8]) = match geometry.kind {
        Kind::Dense | Kind::Winograd => (try_cast_slice(weights).ok()?, &[]),
        Kind::Planar | Kind::Pool => (&[], cast_slice(weights.get(..used)?)),
    };
    Some(Layer { entry, packed, planar, channels: try_cast_slice(channels).ok()?, table })
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

/// A layer as the writer takes it: weights in plain order.
#[derive(Clone, Copy, Debug)]
pub struct LayerSource<'a> {
    /// Shape and places.
    pub entry: Entry,
    /// `[output][input][row][column]` for a dense or Winograd layer, `[output][row][column]` for a planar one, none for a pool; no
    /// channel is stored extra.
    pub weights: &'a [i8],
    /// One entry an output channel.
    pub channels: &'a [Channel],
    /// The table that follows the requantisation.
    pub table: Option<&'a [u8; TABLE_LEN]>,
}

/// Why a bundle could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The buffer is too short.
    #[error("the bundle needs {0} bytes")]
    Space(usize),
    /// A layer's weights or channels are not as many as its shape asks for.
    #[error("layer {0} does not have the weights that its shape asks for")]
    Weights(usize),
    /// What was written does not pass the reader's check.
    #[error(transparent)]
    Check(#[from] BundleError),
}

/// Bytes of the bundle of `header` and `layers`.
pub fn encoded_len(header: &Header, layers: &[LayerSource<'_>]) -> usize {
    let sections: usize = layers.iter().map(|layer| section_lens(layer).iter().sum::<usize>()).sum();
    header.encoded_len() + layers.len() * LAYER_LEN + sections
}

/// Writes a bundle to the start of `out`, which begins at a multiple of four, and returns its checked view.
pub fn encode<'o>(header: &Header, layers: &[LayerSource<'_>], out: &'o mut [u8]) -> Result<Bundle<'o>, WriteError> {
    let len = encoded_len(header, layers);
    let out = out.get_mut(..len).ok_or(WriteError::Space(len))?;
    out.fill(0);
    let mut at = header.encoded_len() + layers.len() * LAYER_LEN;
    for (index, layer) in layers.iter().enumerate() {
        let geometry = &layer.entry.geometry;
        let inputs = match geometry.kind {
            Kind::Dense | Kind::Winograd => usize::from(geometry.input.channels),
            Kind::Planar => 1,
            Kind::Pool => 0,
        };
        let window = usize::from(geometry.kernel[0]) * usize::from(geometry.kernel[1]);
        let outputs = usize::from(geometry.output.channels);
        if layer.weights.len() != outputs * window * inputs || layer.channels.len() != outputs {
            return Err(WriteError::Weights(index));
        }
        let [weights_len, channels_len, table_len] = section_lens(layer);
        let places = [at, at + weights_len, at + weights_len + channels_len];
        put_weights(layer, window, inputs, out.get_mut(places[0]..places[1]).unwrap_or_default());
        let zero_point = layer.entry.output_zero_point;
        for (index, &channel) in layer.channels.iter().enumerate() {
            let stored = [Requantizer::new(channel, zero_point)];
            put(out, places[1] + index * size_of::<Requantizer>(), cast_slice(&stored));
        }
        put(out, places[2], layer.table.map_or(&[], |table| table.as_slice()));
        put_entry(layer, places, out.get_mut(header.encoded_len() + index * LAYER_LEN..).unwrap_or_default());
        at += weights_len + channels_len + table_len;
    }
    put_header(header, layers.len(), out);
    Ok(Bundle::check(out)?)
}

fn section_lens(layer: &LayerSource<'_>) -> [usize; 3] {
    let geometry = &layer.entry.geometry;
    let table = if layer.table.is_some() { TABLE_LEN } else { 0 };
    [geometry.weights_len(), geometry.stored_channels() * size_of::<Requantizer>(), table]
}

fn put_weights(layer: &LayerSource<'_>, window: usize, inputs: usize, out: &mut [u8]) {
    let geometry = &layer.entry.geometry;
    match geometry.kind {
        Kind::Dense => {}
        Kind::Planar | Kind::Pool => return put(out, 0, cast_slice(layer.weights)),
        Kind::Winograd => return put_winograd(layer, inputs, out),
    }
    let columns = usize::from(geometry.kernel[1]);
    let weight = |output: usize, k: usize| {
        let (column, pair) = (k / 2 % columns, k / 2 / columns % geometry.pairs());
        let (row, input) = (k / 2 / columns / geometry.pairs(), pair * 2 + k % 2);
        let stored = input < inputs && output < usize::from(geometry.output.channels);
        let at = (output * inputs + input) * window + row * columns + column;
        stored.then(|| layer.weights.get(at).copied()).flatten().unwrap_or(0)
    };
    let per_channel = geometry.weights_per_channel();
    for (at, half) in out.chunks_exact_mut(2).enumerate() {
        let (group, within) = (at / (2 * per_channel), at % (2 * per_channel));
        let (pair, k) = (within / 2 % 2, within / 4 * 2 + within % 2);
        let output = group * 4 + pair * 2;
        half.copy_from_slice(&pack(weight(output, k), weight(output + 1, k)).to_le_bytes());
    }
}

fn put_winograd(layer: &LayerSource<'_>, inputs: usize, out: &mut [u8]) {
    let pairs = layer.entry.geometry.pairs();
    for (at, kernel) in layer.weights.as_chunks::<9>().0.iter().enumerate() {
        let (output, input) = (at / inputs, at % inputs);
        for (product, weight) in transform_kernel(*kernel).into_iter().enumerate() {
            put(out, 2 * winograd_place(pairs, output, product, input), &weight.to_le_bytes());
        }
    }
}

fn put_entry(layer: &LayerSource<'_>, places: [usize; 3], out: &mut [u8]) {
    let entry = &layer.entry;
    let geometry = &entry.geometry;
    let [kh, kw] = geometry.kernel;
    put(out, 0, &[geometry.kind as u8, kh, kw, geometry.stride]);
    put(out, 4, &geometry.pad);
    let sides = [geometry.input, geometry.output].map(|s| [s.height, s.width, s.channels]);
    for (index, side) in sides.as_flattened().iter().enumerate() {
        put(out, 8 + 2 * index, &side.to_le_bytes());
    }
    let flags = if layer.table.is_some() { HAS_TABLE } else { 0 } | if entry.fused { FUSED } else { 0 };
    put(out, 20, &[entry.input_zero_point, entry.output_zero_point, 0, flags]);
    let arena = [entry.input_at, entry.output_at, entry.scratch_at];
    for (index, place) in places.iter().map(|&p| p as u32).chain(arena).enumerate() {
        put(out, 24 + 4 * index, &place.to_le_bytes());
    }
}

fn put_header(header: &Header, layers: usize, out: &mut [u8]) {
    let (invert, stretch) = match header.frontend {
        FrontEnd::Pixels(Pixels { invert, stretch, .. }) => (invert, stretch),
        FrontEnd::LogMel(_) => (false, false),
    };
    let threshold = header.threshold.unwrap_or(Threshold { distance: Distance(0), evidence: Evidence::default() });
    let evidence = threshold.evidence;
    let flags = [(invert, INVERT), (stretch, STRETCH), (header.threshold.is_some(), SEALED), (evidence.unseen, UNSEEN)];
    let flags = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum();
    put(out, 0, &MAGIC);
    put(out, 4, &VERSION.to_le_bytes());
    put(out, 6, &(layers as u16).to_le_bytes());
    put(out, 8, &(out.len() as u32).to_le_bytes());
    put(out, 16, &header.model_id.to_le_bytes());
    let Shape { height, width, channels } = header.input();
    put(out, 24, &height.to_le_bytes());
    put(out, 26, &width.to_le_bytes());
    let kind = match &header.frontend {
        FrontEnd::Pixels(_) => PIXELS,
        FrontEnd::LogMel(log_mel) => {
            put(out, HEADER_LEN, &log_mel_bytes(log_mel));
            LOG_MEL
        }
    };
    put(out, 28, &[channels as u8, kind, flags, header.metric.code()]);
    put(out, 32, &header.dim.to_le_bytes());
    let words = [
        (36, header.arena),
        (40, header.input_at),
        (44, threshold.distance.0),
        (48, evidence.target_fmr_ppm),
        (52, evidence.identities),
        (56, evidence.genuine),
        (60, evidence.false_non_matches),
        (64, evidence.impostor),
        (68, evidence.false_matches),
        (72, header.embedding_scale.to_bits()),
    ];
    for (at, word) in words {
        put(out, at, &word.to_le_bytes());
    }
    put(out, 80, &header.name);
    let checksum = crc32(out.get(CHECKED_FROM..).unwrap_or_default());
    put(out, 12, &checksum.to_le_bytes());
}

fn log_mel_bytes(log_mel: &LogMel) -> [u8; LOG_MEL_LEN] {
    let mut bytes = [0; LOG_MEL_LEN];
    let LogMel { rate, window, hop, low, high, .. } = *log_mel;
    for (index, value) in [rate, window, hop, low, high].into_iter().enumerate() {
        put(&mut bytes, 2 * index, &value.to_le_bytes());
    }
    let pre_emphasis = if log_mel.pre_emphasis { PRE_EMPHASIS } else { 0 };
    let fill = match log_mel.fill {
        Fill::Silence => 0,
        Fill::Repeat => REPEAT,
        Fill::Stretch => DRAWN_OUT,
    };
    put(&mut bytes, 10, &[log_mel.range, log_mel.trim, pre_emphasis | fill]);
    bytes
}

pub(crate) fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// Seals `threshold` into the bundle in `bytes`, in place: the same network, front end and id.
pub fn seal(bytes: &mut [u8], threshold: Threshold) -> Result<(), BundleError> {
    let bundle = Bundle::check(bytes)?;
    let (header, layers) = (Header { threshold: Some(threshold), ..*bundle.header() }, bundle.layers);
    put_header(&header, layers, bytes);
    Ok(())
}
