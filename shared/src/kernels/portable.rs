//! The kernels in plain Rust: the definition that every other variant must equal, and the fallback of every other core.
//!
//! Whole kernels stay out of line, so that a fallback takes no room in its caller.

use super::{Bar, DenseRow, PlanarRows, PlaneByPlane, PlaneRows, Reaching, Tensors, WideRows, Winograd, finish};
use core::array;

use bytemuck::cast_slice_mut;
use heapless::Vec;

use crate::geometry::{WINOGRAD_OUTPUTS, WINOGRAD_TILES};
use crate::winograd::{PRODUCTS, TILE, transform_input, transform_output};

/// `wide[row * pitch + column] = bytes[row * columns + column]`.
#[inline(never)]
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
#[inline(never)]
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
#[inline(never)]
pub fn dense_row(layer: &DenseRow<'_>, out: &mut [u8], plane: usize) {
    let row_weights = layer.pairs * layer.columns * 4;
    if row_weights == 0 || layer.rows.is_empty() {
        return;
    }
    let groups = layer.weights.chunks_exact(layer.rows.len() * row_weights).zip(layer.channels.chunks_exact(4));
    for (group, (weights, channels)) in groups.enumerate() {
        for pixel in 0..layer.pixels {
            let mut sums = [[0i32; 2]; 2];
            for (row, weights) in layer.rows.iter().zip(weights.chunks_exact(row_weights)) {
                let pairs = row.get(pixel * layer.stride * 2..).unwrap_or_default().chunks(layer.pitch * 2);
                for (x, w) in pairs.zip(weights.chunks_exact(layer.columns * 4)) {
                    for (x, [a, b, c, d]) in x.as_chunks::<2>().0.iter().zip(w.as_chunks::<4>().0) {
                        accumulate(&mut sums[0], x, &[*a, *b]);
                        accumulate(&mut sums[1], x, &[*c, *d]);
                    }
                }
            }
            for (c, (&sum, channel)) in sums.as_flattened().iter().zip(channels).enumerate() {
                let place = out.get_mut((group * 4 + c) * plane + pixel);
                if let Some(place) = place.filter(|_| group * 4 + c < layer.outputs) {
                    *place = finish(sum, channel, layer.table);
                }
            }
        }
    }
}

/// Adds the products of two elements with the weights of two channels.
#[inline(always)]
pub(super) fn accumulate(sums: &mut [i32; 2], x: &[i16; 2], w: &[i16; 2]) {
    for (&x, &w) in x.iter().zip(w) {
        let low = i32::from(w as i8);
        sums[0] += i32::from(x) * low;
        sums[1] += i32::from(x) * ((i32::from(w) - low) >> 8);
    }
}

/// `out[channel * distance + row * pixels + pixel] = finish(sum over the window of x * w)`.
#[inline(never)]
pub fn planar_rows(layer: &PlanarRows<'_>, out: &mut [u8], distance: usize) {
    let [rows, columns] = layer.kernel;
    if rows * columns == 0 {
        return;
    }
    let channels = layer.channels.iter().zip(layer.weights.chunks_exact(rows * columns));
    for (c, (channel, weights)) in channels.enumerate() {
        for row in 0..layer.rows {
            let lines = layer.plane.get(row * layer.stride * layer.row_len..).unwrap_or_default();
            let out = out.get_mut(c * distance + row * layer.pixels..).unwrap_or_default();
            for (pixel, out) in out.iter_mut().take(layer.pixels).enumerate() {
                let lines = lines.get(pixel * layer.stride..).unwrap_or_default().chunks(layer.row_len);
                let products = lines
                    .zip(weights.chunks_exact(columns))
                    .flat_map(|(line, weights)| line.iter().zip(weights).map(|(&x, &w)| i32::from(x) * i32::from(w)));
                *out = finish(products.sum(), channel, layer.table);
            }
        }
    }
}

/// A depthwise convolution, plane by plane through `wide`, which holds the padding.
#[inline(never)]
pub fn depthwise(layer: &PlaneByPlane<'_>, tensors: &mut Tensors<'_>, wide: &mut [i16]) {
    depthwise_by(layer, tensors, wide, planar_rows);
}

/// The same with another way to compute the rows.
pub(super) fn depthwise_by(
    layer: &PlaneByPlane<'_>,
    tensors: &mut Tensors<'_>,
    wide: &mut [i16],
    planar_rows: impl Fn(&PlanarRows<'_>, &mut [u8], usize),
) {
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
#[inline(never)]
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

/// A Winograd layer, some tiles at a time; see [`crate::winograd`].
#[inline(never)]
pub fn winograd(layer: &Winograd<'_>, input: &[u8], out: &mut [u8], scratch: &mut [u32]) {
    winograd_by(layer, input, out, scratch, multiply);
}

/// The same with another way to multiply: `(weights of two outputs, transformed tiles, sums)`, as [`multiply`] does.
pub(super) fn winograd_by(
    layer: &Winograd<'_>,
    input: &[u8],
    out: &mut [u8],
    scratch: &mut [u32],
    multiply: impl Fn(&[i16], &[i16], &mut [i32]),
) {
    let geometry = layer.geometry;
    let [strip, tiles_len, sums_len] = geometry.winograd_words();
    let Some((tiles, sums)) = scratch.get_mut(strip..).and_then(|s| s.split_at_mut_checked(tiles_len)) else {
        return;
    };
    let tiles: &mut [i16] = cast_slice_mut(tiles);
    let Some(sums) = sums.get_mut(..sums_len).map(cast_slice_mut::<u32, i32>) else {
        return;
    };
    let [rows, columns] = geometry.tiles();
    for first in (0..rows * columns).step_by(WINOGRAD_TILES) {
        let count = WINOGRAD_TILES.min(rows * columns - first);
        for slot in 0..count {
            let at = first + slot;
            transform_tile(layer, input, (at / columns, at % columns), slot, tiles);
        }
        let weights = layer.weights.chunks_exact(PRODUCTS * geometry.pairs() * 4);
        for (pair, weights) in weights.enumerate() {
            multiply(weights, tiles, sums);
            for which in 0..count * WINOGRAD_OUTPUTS {
                let (slot, output) = (which % count, pair * WINOGRAD_OUTPUTS + which / count);
                let at = first + slot;
                let products = |product: usize| {
                    let at = product * WINOGRAD_TILES * WINOGRAD_OUTPUTS + which / count * WINOGRAD_TILES + slot;
                    sums.get(at).copied().unwrap_or(0)
                };
                put_tile(layer, transform_output(array::from_fn(products)), output, (at / columns, at % columns), out);
            }
        }
    }
}

/// Transforms the tile of one place, all channels, into `slot` of `tiles`: `[pair][product][slot][2]`.
fn transform_tile(layer: &Winograd<'_>, input: &[u8], tile: (usize, usize), slot: usize, tiles: &mut [i16]) {
    let geometry = layer.geometry;
    let [top, left, ..] = geometry.pad.map(usize::from);
    let (height, width) = (usize::from(geometry.input.height), usize::from(geometry.input.width));
    let plane = geometry.input.plane_len();
    for channel in 0..usize::from(geometry.input.channels) {
        let element = |at: usize| {
            let row = (tile.0 * TILE + at / 4).checked_sub(top).filter(|&row| row < height);
            let column = (tile.1 * TILE + at % 4).checked_sub(left).filter(|&column| column < width);
            let byte = match (row, column) {
                (Some(row), Some(column)) => input.get(channel * plane + row * width + column).copied(),
                _ => None,
            };
            i16::from(byte.unwrap_or(layer.padding))
        };
        let transformed = transform_input(array::from_fn(element));
        for (product, value) in transformed.into_iter().enumerate() {
            let at = ((channel / 2 * PRODUCTS + product) * WINOGRAD_TILES + slot) * 2 + channel % 2;
            if let Some(place) = tiles.get_mut(at) {
                *place = value;
            }
        }
    }
}

/// `sums[product][output][slot] = sum over input channels of u * v`, of two output channels.
fn multiply(weights: &[i16], tiles: &[i16], sums: &mut [i32]) {
    let pairs = weights.len() / (PRODUCTS * 4);
    let sums = sums.chunks_exact_mut(WINOGRAD_TILES * WINOGRAD_OUTPUTS);
    for (product, (weights, sums)) in weights.chunks_exact(pairs.max(1) * 4).zip(sums).enumerate() {
        sums.fill(0);
        for (pair, u) in weights.chunks_exact(4).enumerate() {
            let from = (pair * PRODUCTS + product) * WINOGRAD_TILES * 2;
            let tiles = tiles.get(from..from + WINOGRAD_TILES * 2).unwrap_or_default();
            for (u, sums) in u.chunks_exact(2).zip(sums.chunks_exact_mut(WINOGRAD_TILES)) {
                for (v, sum) in tiles.chunks_exact(2).zip(sums) {
                    let products = u.iter().zip(v).map(|(&u, &v)| i32::from(u) * i32::from(v));
                    *sum = products.fold(*sum, i32::wrapping_add);
                }
            }
        }
    }
}

/// Writes what of the tile's outputs is inside the plane.
fn put_tile(layer: &Winograd<'_>, sums: [i32; TILE * TILE], output: usize, tile: (usize, usize), out: &mut [u8]) {
    let shape = layer.geometry.output;
    let (height, width) = (usize::from(shape.height), usize::from(shape.width));
    let Some(channel) = layer.channels.get(output).filter(|_| output < usize::from(shape.channels)) else {
        return;
    };
    for (at, sum) in sums.into_iter().enumerate() {
        let (row, column) = (tile.0 * TILE + at / TILE, tile.1 * TILE + at % TILE);
        let place = out.get_mut(output * shape.plane_len() + row * width + column);
        if let Some(place) = place.filter(|_| row < height && column < width) {
            *place = finish(sum, channel, layer.table);
        }
    }
}

/// `sum of a * b`; exact for at most [`crate::embedding::MAX_DIM`] elements.
pub fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum()
}

/// `sum of (a - b)^2`; exact for at most [`crate::embedding::MAX_DIM`] elements.
pub fn squared_distance(a: &[i8], b: &[i8]) -> u32 {
    a.iter().zip(b).map(|(&x, &y)| (i32::from(x) - i32::from(y)).pow(2) as u32).sum()
}

/// Where a [`Probe`] keeps what it prepares.
pub type Room = Vec<[u32; 2], 0>;

/// An embedding that many others are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    elements: &'a [i8],
    stride: usize,
}

impl<'a> Probe<'a> {
    /// The probe of `elements`, at most [`crate::embedding::MAX_DIM`] of them, for vectors that lie `stride` elements from one
    /// to the next one, those behind the probe's length zero.
    pub fn new(elements: &'a [i8], stride: usize, _: &mut Room) -> Self {
        Probe { elements, stride }
    }

    /// Its dot product with itself.
    pub fn square(&self) -> i32 {
        dot(self.elements, self.elements)
    }

    /// The first of the vectors in `rows` whose dot product with the probe reaches its bar. Each has a key in `keys`.
    pub fn first_reaching(&self, rows: &[i8], keys: &[i32], bar: Bar) -> Option<Reaching> {
        let dots = rows.chunks_exact(self.stride.max(1)).map(|row| dot(self.elements, row));
        let mut found = dots.zip(keys).enumerate();
        let reaches = |dot: i32, key: i32| dot.wrapping_add(bar.start(key)) >= 0;
        found.find_map(|(index, (dot, &key))| reaches(dot, key).then_some(Reaching { index, dot }))
    }
}
