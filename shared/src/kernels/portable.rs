//! The kernels in plain Rust: the definition that every other variant must equal, and the fallback of every other core.

use super::{DenseRow, Nearest, PlanarRows, PlaneByPlane, PlaneRows, Tensors, WideRows, finish};
use heapless::Vec;

use crate::bundle::unpack;
use crate::embedding::MAX_DIM;

/// Bytes of machine code that this variant adds to the compiled program: none.
pub fn code_len() -> usize {
    0
}

/// `wide[row * pitch + column] = bytes[row * columns + column]`.
pub fn widen_rows(bytes: &[u8], columns: usize, wide: &mut WideRows<'_>) {
    for (row, bytes) in bytes.chunks_exact(columns.max(1)).enumerate() {
        let wide = wide.wide.get_mut(row * wide.pitch..).unwrap_or_default();
        for (out, &byte) in wide.iter_mut().zip(bytes) {
            *out = i16::from(byte);
        }
    }
}

/// `wide[pair][column] = (row of channel 2 * pair, row of channel 2 * pair + 1)[column]`, where a pair has `2 * pitch`
/// elements of `wide`. A last channel without a partner stands on both sides; its partner's weights are zero.
pub fn interleave(rows: &PlaneRows<'_>, wide: &mut [i16], pitch: usize) {
    let row = |channel: usize| {
        let at = channel.min(rows.channels.saturating_sub(1)) * rows.plane;
        rows.bytes.get(at..at + rows.columns).unwrap_or_default()
    };
    for pair in 0..rows.channels.div_ceil(2) {
        let wide = wide.get_mut(pair * pitch * 2..).unwrap_or_default();
        let pixels = row(2 * pair).iter().zip(row(2 * pair + 1));
        for (out, (&a, &b)) in wide.chunks_exact_mut(2).zip(pixels) {
            out.copy_from_slice(&[i16::from(a), i16::from(b)]);
        }
    }
}

/// `out[channel * plane + pixel] = finish(sum over rows, pairs and columns of x * w)`.
pub fn dense_row(layer: &DenseRow<'_>, out: &mut [u8], plane: usize) {
    let row_weights = layer.pairs * layer.columns * 4;
    if row_weights == 0 || layer.rows.is_empty() {
        return;
    }
    let groups = layer.weights.chunks_exact(layer.rows.len() * row_weights).zip(layer.channels.chunks_exact(4));
    for (group, (weights, channels)) in groups.enumerate() {
        let outputs = layer.outputs.saturating_sub(group * 4).min(4);
        for pixel in 0..layer.pixels {
            let mut sums = [0i32; 4];
            for (row, weights) in layer.rows.iter().zip(weights.chunks_exact(row_weights)) {
                for (pair, weights) in weights.chunks_exact(layer.columns * 4).enumerate() {
                    let at = (pair * layer.pitch + pixel * layer.stride) * 2;
                    let window = row.get(at..).unwrap_or_default();
                    for (x, w) in window.chunks_exact(2).zip(weights.chunks_exact(4)) {
                        accumulate(&mut sums, x, w);
                    }
                }
            }
            for (c, (&sum, channel)) in sums.iter().zip(channels).take(outputs).enumerate() {
                if let Some(out) = out.get_mut((group * 4 + c) * plane + pixel) {
                    *out = finish(sum, channel, layer.table);
                }
            }
        }
    }
}

/// Adds the products of a pair of elements with its two words of weights.
#[inline(always)]
pub(super) fn accumulate(sums: &mut [i32; 4], x: &[i16], w: &[i16]) {
    for (word, sums) in w.chunks_exact(2).zip(sums.chunks_exact_mut(2)) {
        for (&x, &w) in x.iter().zip(word) {
            let (low, high) = unpack(w);
            sums[0] += i32::from(x) * i32::from(low);
            sums[1] += i32::from(x) * i32::from(high);
        }
    }
}

/// `out[channel * distance + row * pixels + pixel] = finish(sum over the window of x * w)`.
pub fn planar_rows(layer: &PlanarRows<'_>, out: &mut [u8], distance: usize) {
    let [rows, columns] = layer.kernel;
    if rows * columns == 0 {
        return;
    }
    let channels = layer.channels.iter().zip(layer.weights.chunks_exact(rows * columns));
    for (c, (channel, weights)) in channels.enumerate() {
        for row in 0..layer.rows {
            for pixel in 0..layer.pixels {
                let mut sum = 0i32;
                for (ky, weights) in weights.chunks_exact(columns).enumerate() {
                    let at = (row * layer.stride + ky) * layer.row_len + pixel * layer.stride;
                    let window = layer.plane.get(at..).unwrap_or_default();
                    for (&x, &w) in window.iter().zip(weights) {
                        sum += i32::from(x) * i32::from(w);
                    }
                }
                if let Some(out) = out.get_mut(c * distance + row * layer.pixels + pixel) {
                    *out = finish(sum, channel, layer.table);
                }
            }
        }
    }
}

/// A depthwise convolution, plane by plane through `wide`, which holds the padding.
pub fn depthwise(layer: &PlaneByPlane<'_>, tensors: &mut Tensors<'_>, wide: &mut [i16]) {
    let geometry = layer.geometry;
    let (read, written) = (geometry.input.plane_len(), geometry.output.plane_len());
    let window = geometry.weights_per_channel();
    for channel in tensors.order.channels(layer.channels.len()) {
        let (input, output) = (tensors.input + channel * read, tensors.output + channel * written);
        let (Some(bytes), Some(inside)) =
            (tensors.bytes.get(input..input + read), wide.get_mut(layer.first_inside()..))
        else {
            return;
        };
        let mut rows = WideRows { wide: inside, pitch: geometry.row_len() };
        widen_rows(bytes, usize::from(geometry.input.width), &mut rows);
        let weights = layer.weights.get(channel * window..).unwrap_or_default();
        let work = PlanarRows {
            plane: wide,
            row_len: geometry.row_len(),
            kernel: geometry.kernel.map(usize::from),
            stride: usize::from(geometry.stride),
            weights,
            channels: layer.channels.get(channel..=channel).unwrap_or_default(),
            rows: usize::from(geometry.output.height),
            pixels: usize::from(geometry.output.width),
            table: layer.table,
        };
        let out = tensors.bytes.get_mut(output..output + written);
        planar_rows(&work, out.unwrap_or_default(), written);
    }
}

/// Sums of windows, plane by plane: `out[channel][row][column] = finish(sum over the window of x)`.
pub fn pool(layer: &PlaneByPlane<'_>, tensors: &mut Tensors<'_>) {
    let geometry = layer.geometry;
    let (read, written) = (geometry.input.plane_len(), geometry.output.plane_len());
    let (stride, columns) = (usize::from(geometry.stride), usize::from(geometry.output.width));
    let width = usize::from(geometry.input.width);
    for channel in tensors.order.channels(layer.channels.len()) {
        let Some(requantizer) = layer.channels.get(channel) else {
            return;
        };
        let input = tensors.input + channel * read;
        for pixel in 0..written {
            let first = (pixel / columns * width + pixel % columns) * stride;
            let window = tensors.bytes.get(input + first..input + read);
            let sum = window_sum(window.unwrap_or_default(), width, geometry.kernel.map(usize::from));
            let at = tensors.output + channel * written + pixel;
            if let Some(out) = tensors.bytes.get_mut(at) {
                *out = finish(sum, requantizer, layer.table);
            }
        }
    }
}

/// The sum of `rows` times `columns` bytes, rows `row_len` apart.
fn window_sum(bytes: &[u8], row_len: usize, [rows, columns]: [usize; 2]) -> i32 {
    bytes.chunks(row_len.max(1)).take(rows).flat_map(|row| row.iter().take(columns)).map(|&byte| i32::from(byte)).sum()
}

/// `sum of a * b`; exact for at most [`crate::embedding::MAX_DIM`] elements.
pub fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum()
}

/// `sum of (a - b)^2`; exact for at most [`crate::embedding::MAX_DIM`] elements.
pub fn squared_distance(a: &[i8], b: &[i8]) -> u32 {
    a.iter().zip(b).map(|(&x, &y)| (i32::from(x) - i32::from(y)).pow(2) as u32).sum()
}

/// An embedding that many others are compared with.
#[derive(Clone, Debug)]
pub struct Probe {
    elements: Vec<i8, MAX_DIM>,
}

impl Probe {
    /// The probe of `elements`, at most [`MAX_DIM`] of them.
    pub fn new(elements: &[i8]) -> Self {
        let kept = elements.get(..MAX_DIM).unwrap_or(elements);
        Probe { elements: Vec::from_slice(kept).unwrap_or_default() }
    }

    /// The nearest of the vectors that lie in `rows`, `stride` elements from one to the next one, whose elements behind the
    /// probe's length are zero; the first one among equals, none among none.
    pub fn nearest(&self, rows: &[i8], stride: usize) -> Option<Nearest> {
        Nearest::of(rows.chunks_exact(stride.max(1)).map(|row| squared_distance(&self.elements, row)))
    }
}
