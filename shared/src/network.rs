//! Runs a bundle in a caller's arena, step by step.
//!
//! A dense layer walks its input with a ring of widened rows: each input row is widened to 16 bit once, padding included,
//! and every output row is computed from the rows that the kernel covers. A planar layer widens one padded plane at a time.
//! A fused front computes its rows straight into the next layer's ring.

use bytemuck::{cast_slice, cast_slice_mut};
use thiserror::Error;

use crate::bundle::{Bundle, Entry, Layer};
use crate::embedding::Embedding;
use crate::frontend::{FrontendError, Raw};
use crate::geometry::{Geometry, Kind, Layout, MAX_DENSE_ROWS, Strides};
use crate::kernels::{self, DenseRow, Finish, PlanarRows, Target};
use crate::quant::to_signed;

/// Why a network could not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// The arena is smaller than the bundle asks for.
    #[error("the network needs an arena of {needed} bytes, {given} were given")]
    Arena {
        /// Bytes that the bundle asks for.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
    /// The raw sample is not one that the model takes.
    #[error(transparent)]
    Frontend(#[from] FrontendError),
}

/// 32-bit words of arena that `bundle` runs in.
pub fn arena_words(bundle: &Bundle<'_>) -> usize {
    (bundle.header().arena as usize).div_ceil(4)
}

/// Raw sample -> embedding: the front end, then every step.
pub fn embed(
    bundle: &Bundle<'_>,
    raw: Raw<'_>,
    arena: &mut [u32],
) -> Result<Embedding, NetworkError> {
    bundle
        .header()
        .frontend
        .run(raw, input_tensor(bundle, arena)?)?;
    forward(bundle, arena)
}

/// The place in the arena where the input tensor is written before [`forward`].
pub fn input_tensor<'m>(
    bundle: &Bundle<'_>,
    arena: &'m mut [u32],
) -> Result<&'m mut [u8], NetworkError> {
    let header = bundle.header();
    let (needed, given) = (header.arena as usize, size_of_val(arena));
    let at = header.input_at as usize;
    let tensor = cast_slice_mut::<u32, u8>(arena).get_mut(at..at + header.input().len());
    tensor
        .filter(|_| needed <= given)
        .ok_or(NetworkError::Arena { needed, given })
}

/// Runs every step on the input tensor that lies in the arena.
pub fn forward(bundle: &Bundle<'_>, arena: &mut [u32]) -> Result<Embedding, NetworkError> {
    let (needed, given) = (bundle.header().arena as usize, size_of_val(arena));
    if given < needed {
        return Err(NetworkError::Arena { needed, given });
    }
    for step in steps(bundle) {
        step.run(arena);
    }
    let last = bundle
        .layers()
        .last()
        .map_or(0, |layer| layer.entry.output_at as usize);
    let output = cast_slice::<u32, u8>(arena).get(last..).unwrap_or_default();
    Ok(output
        .iter()
        .take(usize::from(bundle.header().dim))
        .map(|&byte| to_signed(byte))
        .collect())
}

/// One layer, or a front with the layer that it is fused into.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The layer whose rows the step's layer reads from no tensor.
    pub front: Option<Layer<'a>>,
    /// The layer whose output the step writes.
    pub layer: Layer<'a>,
}

/// The steps of `bundle`, in order.
pub fn steps<'a>(bundle: &Bundle<'a>) -> impl Iterator<Item = Step<'a>> + use<'a> {
    let mut layers = bundle.layers();
    core::iter::from_fn(move || {
        let first = layers.next()?;
        if first.entry.fused {
            layers.next().map(|layer| Step {
                front: Some(first),
                layer,
            })
        } else {
            Some(Step {
                front: None,
                layer: first,
            })
        }
    })
}

impl Step<'_> {
    /// Runs the step on its input in `arena`. Does nothing where the arena is shorter than the bundle asks for.
    pub fn run(&self, arena: &mut [u32]) {
        let entry = &self.layer.entry;
        let first = self.front.as_ref().map_or(entry, |front| &front.entry);
        let scratch_len = entry.scratch_len(self.front.as_ref().map(|front| &front.entry));
        let (input, output) = (first.input_at as usize, entry.output_at as usize);
        let scratch = entry.scratch_at as usize;
        let regions = [
            input..input + first.geometry.input.len(),
            output..output + entry.geometry.output.len(),
            scratch..scratch + scratch_len,
        ];
        let arena = cast_slice_mut::<u32, u8>(arena);
        let Ok([input, output, scratch]) = arena.get_disjoint_mut(regions) else {
            return;
        };
        match (entry.geometry.kind, &self.front) {
            (Kind::Planar, _) => planar(&self.layer, input, output, cast_slice_mut(scratch)),
            (Kind::Dense, None) => {
                let row_bytes = usize::from(entry.geometry.input.width)
                    * usize::from(entry.geometry.input.channels);
                let rows = |y: usize, ring: &mut [i16]| {
                    let row = input
                        .get(y * row_bytes..(y + 1) * row_bytes)
                        .unwrap_or_default();
                    widen_pixels(&entry.geometry, row, ring);
                };
                dense(&self.layer, rows, output, cast_slice_mut(scratch));
            }
            (Kind::Dense, Some(front)) => {
                let (ring, rest) = scratch.split_at_mut(entry.geometry.scratch_len());
                let (plane, row) = rest.split_at_mut(front.entry.geometry.scratch_len());
                let (plane, row) = (cast_slice_mut(plane), &mut row[..front.entry.row_bytes()]);
                widen_plane(&front.entry, input, plane);
                let rows = |y: usize, ring: &mut [i16]| {
                    front_row(front, plane, y, row);
                    widen_pixels(&entry.geometry, row, ring);
                };
                dense(&self.layer, rows, output, cast_slice_mut(ring));
            }
        }
    }
}

/// A dense layer over rows that `load(y, ring row without its padding)` widens.
fn dense(
    layer: &Layer<'_>,
    mut load: impl FnMut(usize, &mut [i16]),
    output: &mut [u8],
    ring: &mut [i16],
) {
    let geometry = &layer.entry.geometry;
    let (held, row_len, pixel) = (
        geometry.rows_held(),
        geometry.row_len(),
        geometry.ring_pixel(),
    );
    let [top, left, ..] = geometry.pad.map(usize::from);
    let inner = left * pixel..(left + usize::from(geometry.input.width)) * pixel;
    let stride = usize::from(geometry.stride);
    let strides = Strides::of(geometry.output, layer.entry.layout);
    let padding = i16::from(layer.entry.input_zero_point);
    ring.fill(padding);
    let mut next = 0; // the padded input row that is loaded next
    for y in 0..usize::from(geometry.output.height) {
        let first = y * stride;
        while next < first + held {
            let slot = next % held * row_len;
            let row = &mut ring[slot..slot + row_len];
            match next
                .checked_sub(top)
                .filter(|&y| y < usize::from(geometry.input.height))
            {
                Some(y) => load(y, &mut row[inner.clone()]),
                None => row.fill(padding),
            }
            next += 1;
        }
        let mut rows = [&[][..]; MAX_DENSE_ROWS];
        for (ky, row) in rows.iter_mut().enumerate().take(held) {
            let slot = (first + ky) % held * row_len;
            *row = &ring[slot..slot + row_len];
        }
        let work = DenseRow {
            rows: &rows[..held],
            taps: usize::from(geometry.kernel[1]) * pixel,
            step: stride * pixel,
            weights: layer.packed,
            channels: layer.channels,
            outputs: usize::from(geometry.output.channels),
            pixels: usize::from(geometry.output.width),
            finish: finish(layer),
        };
        kernels::dense_row(&work, output, target(strides, y * strides.row));
    }
}

/// A planar layer, one channel after the other.
fn planar(layer: &Layer<'_>, input: &[u8], output: &mut [u8], plane: &mut [i16]) {
    let geometry = &layer.entry.geometry;
    let plane_len = usize::from(geometry.input.height) * usize::from(geometry.input.width);
    let strides = Strides::of(geometry.output, layer.entry.layout);
    for channel in 0..usize::from(geometry.output.channels) {
        if channel < usize::from(geometry.input.channels) {
            widen_plane(
                &layer.entry,
                &input[channel * plane_len..(channel + 1) * plane_len],
                plane,
            );
        }
        let rows = usize::from(geometry.output.height);
        let work = planar_work(layer, channel, plane, rows);
        kernels::planar_rows(&work, output, target(strides, channel * strides.channel));
    }
}

/// Output row `y` of a fused front, HWC.
fn front_row(front: &Layer<'_>, plane: &[i16], y: usize, row: &mut [u8]) {
    let geometry = &front.entry.geometry;
    let first = y * usize::from(geometry.stride) * geometry.row_len();
    let strides = Strides::of(geometry.output, Layout::Hwc);
    for channel in 0..usize::from(geometry.output.channels) {
        let work = planar_work(front, channel, &plane[first..], 1);
        kernels::planar_rows(&work, row, target(strides, channel));
    }
}

fn planar_work<'a>(
    layer: &Layer<'a>,
    channel: usize,
    plane: &'a [i16],
    rows: usize,
) -> PlanarRows<'a> {
    let geometry = &layer.entry.geometry;
    let window = geometry.weights_per_channel();
    PlanarRows {
        plane,
        row_len: geometry.row_len(),
        kernel: geometry.kernel.map(usize::from),
        stride: usize::from(geometry.stride),
        weights: &layer.planar[channel * window..(channel + 1) * window],
        channel: layer.channels[channel],
        rows,
        pixels: usize::from(geometry.output.width),
        finish: finish(layer),
    }
}

fn finish<'a>(layer: &Layer<'a>) -> Finish<'a> {
    Finish {
        zero_point: layer.entry.output_zero_point,
        table: layer.table,
    }
}

fn target(strides: Strides, at: usize) -> Target {
    Target {
        at,
        row: strides.row,
        pixel: strides.pixel,
        channel: strides.channel,
    }
}

/// Widens a row of HWC pixels; the channels that round a pixel up to four keep what they have, their weights are zero.
fn widen_pixels(geometry: &Geometry, row: &[u8], ring: &mut [i16]) {
    let (channels, pixel) = (usize::from(geometry.input.channels), geometry.ring_pixel());
    if channels == pixel {
        return kernels::widen(row, ring);
    }
    for (bytes, wide) in row.chunks_exact(channels).zip(ring.chunks_exact_mut(pixel)) {
        kernels::widen(bytes, wide);
    }
}

/// Widens one plane and lays its padding.
fn widen_plane(entry: &Entry, input: &[u8], plane: &mut [i16]) {
    let geometry = &entry.geometry;
    let (row_len, width) = (geometry.row_len(), usize::from(geometry.input.width));
    let [top, left, ..] = geometry.pad.map(usize::from);
    plane.fill(i16::from(entry.input_zero_point));
    for (row, wide) in input
        .chunks_exact(width)
        .zip(plane.chunks_exact_mut(row_len).skip(top))
    {
        kernels::widen(row, &mut wide[left..left + width]);
    }
}
