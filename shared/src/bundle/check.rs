//! The check of a bundle's bytes, from the checksum to the bounds of every accumulator.

use super::read::{has_front_end, read_header, read_layer};
use super::{
    Bundle, BundleError, CHECKED_FROM, EMBEDDING_ZERO_POINT, Entry, HEADER_LEN, LAYER_LEN, Layer, MAGIC, VERSION,
    u16_at, u32_at,
};
use crate::checksum::crc32;
use crate::frontend::{All, Kinds};
use crate::geometry::{Kind, MAX_ARENA, MAX_ELEMENTS, Shape};
use crate::quant::MAX_PRODUCT;

impl<'a> Bundle<'a> {
    /// Checks `bytes` from the checksum to the bounds of every accumulator.
    pub fn check(bytes: &'a [u8]) -> Result<Self, BundleError> {
        Self::check_for::<All>(bytes)
    }

    /// The same for a program that has the front ends `K` only, and refuses the others.
    #[inline(never)]
    pub fn check_for<K: Kinds>(bytes: &'a [u8]) -> Result<Self, BundleError> {
        if bytes.as_ptr().align_offset(4) != 0 {
            return Err(BundleError::Misaligned);
        }
        if bytes.get(..4) != Some(&MAGIC) || bytes.len() < HEADER_LEN {
            return Err(BundleError::Magic);
        }
        let version = u16_at(bytes, 4);
        if version != VERSION {
            return Err(BundleError::Version(version.into()));
        }
        let expected = u32_at(bytes, 8) as usize;
        if bytes.len() != expected || !expected.is_multiple_of(4) {
            return Err(BundleError::Length { got: bytes.len(), expected });
        }
        if u32_at(bytes, 12) != crc32(bytes.get(CHECKED_FROM..).unwrap_or_default()) {
            return Err(BundleError::Checksum);
        }
        if !has_front_end::<K>(bytes) {
            return Err(BundleError::FrontEnd);
        }
        let header = read_header::<K>(bytes).ok_or(BundleError::Header)?;
        if bytes.len() < header.encoded_len() {
            return Err(BundleError::Header);
        }
        let bundle = Bundle { bytes, header, layers: usize::from(u16_at(bytes, 6)) };
        bundle.check_layers()?;
        Ok(bundle)
    }

    #[inline(never)]
    fn check_layers(&self) -> Result<(), BundleError> {
        let (arena, table) = (self.header.arena as usize, self.header.encoded_len());
        if self.layers == 0 {
            return Err(BundleError::Layer(0));
        }
        let input = self.header.input();
        let elements = u64::from(input.height) * u64::from(input.width) * u64::from(input.channels);
        if elements > MAX_ELEMENTS || u64::from(self.header.arena) > MAX_ARENA {
            return Err(BundleError::Header);
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

/// Whether no input can drive `|sum + bias| * multiplier` of a channel past [`MAX_PRODUCT`], no weight is -128, which a packed
/// pair cannot hold, and those of the channels that fill up a group are zero.
#[inline(never)]
fn accumulators_fit(layer: &Layer<'_>) -> bool {
    let geometry = &layer.entry.geometry;
    let zero_point = layer.entry.output_zero_point;
    let limit = if geometry.kind == Kind::Winograd { 1 << 29 } else { 1 << 31 };
    layer.channels.iter().enumerate().all(|(index, channel)| {
        let Some(magnitude) = layer.magnitude(index) else { return false };
        let reach = 255 * i64::from(magnitude);
        let bias = channel.scaled_bias(zero_point).abs();
        channel.multiplier >= 0 && reach < limit && reach * i64::from(channel.multiplier) + bias <= MAX_PRODUCT
    })
}

impl<'a> Layer<'a> {
    /// The sum of the absolute weights of the stored output channel `index`; none where a weight is -128, is none, or is another
    /// than zero though it belongs to a channel that is not there.
    #[inline(never)]
    fn magnitude(&self, index: usize) -> Option<u32> {
        let geometry = &self.entry.geometry;
        let [rows, columns] = geometry.kernel.map(usize::from);
        let (per_channel, pairs) = (geometry.weights_per_channel(), geometry.pairs());
        let inputs = match index < usize::from(geometry.output.channels) {
            true => usize::from(geometry.input.channels),
            false => 0,
        };
        let mut magnitude = Magnitude { inputs, sum: 0, is_allowed: true };
        match geometry.kind {
            Kind::Pool => return Some((rows * columns) as u32),
            Kind::Planar => {
                let weights = self.planar.get(index * per_channel..(index + 1) * per_channel)?;
                magnitude.add(0, weights);
            }
            Kind::Dense => {
                for k in 0..per_channel {
                    magnitude.add(k / 2 / columns % pairs * 2 + k % 2, &[self.packed_weight(index, k)?]);
                }
            }
            Kind::Winograd => {
                for input in 0..2 * pairs {
                    magnitude.add(input, &self.winograd_kernel(index, input)?);
                }
            }
        }
        magnitude.is_allowed.then_some(magnitude.sum)
    }
}

/// The sum of absolute weights of an output channel.
struct Magnitude {
    /// Input channels that are there.
    inputs: usize,
    sum: u32,
    is_allowed: bool,
}

impl Magnitude {
    /// Adds `weights` of the input channel `input`.
    #[inline(never)]
    fn add(&mut self, input: usize, weights: &[i8]) {
        for &weight in weights {
            self.is_allowed &= weight != i8::MIN && (weight == 0 || input < self.inputs);
            self.sum = self.sum.saturating_add(weight.unsigned_abs().into());
        }
    }
}
