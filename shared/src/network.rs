//! Runs a bundle in a caller's arena, step by step.
//!
//! A dense layer walks its input with a ring of widened rows: each input row is widened to 16 bit once, padding included,
//! and every output row is computed from the rows that the kernel covers. A planar layer widens one padded plane at a time,
//! a pointwise one some pixels, so their output may lie over their input. A fused front computes its rows straight into the
//! next layer's ring.

use bytemuck::{cast_slice, cast_slice_mut};
use thiserror::Error;

use crate::bundle::{Bundle, Entry, Header, Layer};
use crate::embedding::Embedding;
use crate::frontend::{FrontendError, Raw};
use crate::geometry::{Geometry, Kind, MAX_DENSE_ROWS, POINTWISE_PIXELS};
use crate::kernels::{self, DenseRow, PlanarRows, PlaneByPlane, PlaneRows, Tensors, WideRows, Winograd};
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

/// 32-bit words of arena that `bundle` and its front end run in: more than the network's own only where these leave the front end
/// no room beside the input tensor.
pub fn arena_words(bundle: &Bundle<'_>) -> usize {
    let own = (bundle.header().arena as usize).div_ceil(4);
    let (before, after) = beside_input(bundle.header());
    let work = bundle.header().frontend.work_words();
    match before >= work {
        true => own,
        false => own.max(after + work),
    }
}

/// Whole words before the input tensor, and the first one behind it.
fn beside_input(header: &Header) -> (usize, usize) {
    let at = header.input_at as usize;
    (at / 4, at.saturating_add(header.input().len()).div_ceil(4))
}

/// Raw sample -> embedding: the front end, then every step.
pub fn embed(bundle: &Bundle<'_>, raw: Raw<'_>, arena: &mut [u32]) -> Result<Embedding, NetworkError> {
    let (tensor, work) = front_memory(bundle, arena)?;
    bundle.header().frontend.run(raw, tensor, work)?;
    forward(bundle, arena)
}

/// The input tensor and the front end's working memory in the arena: what a [`crate::frontend::Stream`] takes, before [`forward`].
pub fn front_memory<'m>(
    bundle: &Bundle<'_>,
    arena: &'m mut [u32],
) -> Result<(&'m mut [u8], &'m mut [u32]), NetworkError> {
    let header = bundle.header();
    let (needed, given) = (4 * arena_words(bundle), size_of_val(arena));
    let error = NetworkError::Arena { needed, given };
    let (before, after) = beside_input(header);
    let work = header.frontend.work_words();
    let (start, work) = match before >= work {
        true => {
            let (work, rest) = arena.split_at_mut_checked(before).ok_or(error)?;
            (cast_slice_mut::<u32, u8>(rest), work)
        }
        false => {
            let (start, work) = arena.split_at_mut_checked(after).ok_or(error)?;
            (cast_slice_mut::<u32, u8>(start).get_mut(4 * before..).ok_or(error)?, work)
        }
    };
    // What both parts begin with is the word that the tensor's first byte lies in.
    let at = header.input_at as usize % 4;
    let tensor = start.get_mut(at..at + header.input().len());
    tensor.filter(|_| needed <= given).map(|tensor| (tensor, work)).ok_or(error)
}

/// The place in the arena where the input tensor is written before [`forward`].
pub fn input_tensor<'m>(bundle: &Bundle<'_>, arena: &'m mut [u32]) -> Result<&'m mut [u8], NetworkError> {
    let header = bundle.header();
    let (needed, given) = (header.arena as usize, size_of_val(arena));
    let at = header.input_at as usize;
    let tensor = cast_slice_mut::<u32, u8>(arena).get_mut(at..at + header.input().len());
    tensor.filter(|_| needed <= given).ok_or(NetworkError::Arena { needed, given })
}

/// Runs every step on the input tensor that lies in the arena.
pub fn forward(bundle: &Bundle<'_>, arena: &mut [u32]) -> Result<Embedding, NetworkError> {
    let (needed, given) = (bundle.header().arena as usize, size_of_val(arena));
    if given < needed {
        return Err(NetworkError::Arena { needed, given });
    }
    run_steps(bundle, arena);
    Ok(embedding(bundle, arena))
}

#[inline(never)] // so that the embedding takes no stack while the steps run
fn run_steps(bundle: &Bundle<'_>, arena: &mut [u32]) {
    for step in steps(bundle) {
        step.run(arena);
    }
}

/// What the last step left in the arena.
#[inline(never)]
fn embedding(bundle: &Bundle<'_>, arena: &[u32]) -> Embedding {
    let last = bundle.layers().last().map_or(0, |layer| layer.entry.output_at as usize);
    let output = cast_slice::<u32, u8>(arena).get(last..).unwrap_or_default();
    let mut embedding = Embedding::new();
    for &byte in output.iter().take(usize::from(bundle.header().dim)) {
        // There is room for the longest.
        let _ = embedding.push(to_signed(byte));
    }
    embedding
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
            layers.next().map(|layer| Step { front: Some(first), layer })
        } else {
            Some(Step { front: None, layer: first })
        }
    })
}

impl Step<'_> {
    /// Runs the step on its input in `arena`. Does nothing where the arena is shorter than the bundle asks for.
    #[inline(never)]
    pub fn run(&self, arena: &mut [u32]) {
        let arena = cast_slice_mut::<u32, u8>(arena);
        // The bundle's check keeps every region inside the arena and the scratch apart, so only a short arena fails.
        let _ = match (self.layer.entry.geometry.kind, &self.front) {
            (Kind::Dense, front) => run_dense(&self.layer, front.as_ref(), arena),
            (Kind::Planar, _) => run_planar(&self.layer, arena),
            (Kind::Pool, _) => run_pool(&self.layer, arena),
            (Kind::Winograd, _) => run_winograd(&self.layer, arena),
        };
    }
}

fn run_dense(layer: &Layer<'_>, front: Option<&Layer<'_>>, arena: &mut [u8]) -> Option<()> {
    let (entry, geometry) = (&layer.entry, &layer.entry.geometry);
    if geometry.is_pointwise() {
        return pointwise(layer, arena);
    }
    let first = front.map_or(entry, |front| &front.entry);
    let regions = [
        range(first.input_at, first.geometry.input.len()),
        range(entry.output_at, geometry.output.len()),
        range(entry.scratch_at, entry.scratch_len(front.map(|front| &front.entry))),
    ];
    let [input, output, scratch] = arena.get_disjoint_mut(regions).ok()?;
    if let Some(front) = front {
        let (ring, rest) = scratch.split_at_mut_checked(geometry.scratch_len())?;
        let (plane, row) = rest.split_at_mut_checked(front.entry.geometry.scratch_len())?;
        let plane = cast_slice_mut::<u8, i16>(plane);
        plane.fill(i16::from(front.entry.input_zero_point));
        widen_plane(&front.entry, input, plane);
        let mut rows = |y: usize, ring: &mut [i16]| {
            front_row(front, plane, y, row);
            let bytes = PlaneRows { bytes: row, ..plane_rows(geometry, usize::from(geometry.input.width)) };
            kernels::interleave(&bytes, ring, geometry.pitch());
        };
        convolve(layer, &mut rows, output, cast_slice_mut(ring));
    } else {
        let width = usize::from(geometry.input.width);
        let mut rows = |y: usize, ring: &mut [i16]| {
            let bytes = PlaneRows {
                bytes: input.get(y * width..).unwrap_or_default(),
                ..plane_rows(geometry, geometry.input.plane_len())
            };
            kernels::interleave(&bytes, ring, geometry.pitch());
        };
        convolve(layer, &mut rows, output, cast_slice_mut(scratch));
    }
    Some(())
}

fn range(at: u32, len: usize) -> core::ops::Range<usize> {
    at as usize..at as usize + len
}

/// Whole rows of the input of `geometry`, `plane` bytes from one channel's to the next one's; the bytes are still to be set.
fn plane_rows<'a>(geometry: &Geometry, plane: usize) -> PlaneRows<'a> {
    PlaneRows {
        bytes: &[],
        plane,
        channels: usize::from(geometry.input.channels),
        columns: usize::from(geometry.input.width),
    }
}

/// A dense layer over rows that `load(y, ring row from its first pixel)` widens.
fn convolve(layer: &Layer<'_>, load: &mut dyn FnMut(usize, &mut [i16]), output: &mut [u8], ring: &mut [i16]) {
    let geometry = &layer.entry.geometry;
    let (held, row_len) = (geometry.rows_held(), geometry.row_len());
    let [top, left, ..] = geometry.pad.map(usize::from);
    let padding = i16::from(layer.entry.input_zero_point);
    let slot = |row: usize| row % held * row_len..(row % held + 1) * row_len;
    ring.fill(padding);
    let mut next = 0; // the padded input row that is loaded next
    for y in 0..usize::from(geometry.output.height) {
        let first = y * usize::from(geometry.stride);
        while next < first + held {
            let row = ring.get_mut(slot(next)).unwrap_or_default();
            let inside = |y: &usize| *y < usize::from(geometry.input.height);
            match next.checked_sub(top).filter(inside) {
                Some(y) => load(y, row.get_mut(left * 2..).unwrap_or_default()),
                None => row.fill(padding),
            }
            next += 1;
        }
        let mut rows = [&[][..]; MAX_DENSE_ROWS];
        for (ky, row) in rows.iter_mut().enumerate().take(held) {
            *row = ring.get(slot(first + ky)).unwrap_or_default();
        }
        let width = usize::from(geometry.output.width);
        let work = dense_row(layer, rows.get(..held).unwrap_or_default(), width);
        let output = output.get_mut(y * width..).unwrap_or_default();
        kernels::dense_row(&work, output, geometry.output.plane_len());
    }
}

/// A pointwise layer: the plane is one row, taken in steps, each of which is read before its output is written.
fn pointwise(layer: &Layer<'_>, arena: &mut [u8]) -> Option<()> {
    let (entry, geometry) = (&layer.entry, &layer.entry.geometry);
    let plane = geometry.input.plane_len();
    let (low, rest) = arena.split_at_mut_checked(entry.scratch_at as usize)?;
    let (row, high) = rest.split_at_mut_checked(geometry.scratch_len())?;
    let behind = low.len() + row.len();
    let row = cast_slice_mut(row);
    row.fill(0);
    for at in (0..plane).step_by(POINTWISE_PIXELS) {
        let columns = POINTWISE_PIXELS.min(plane - at);
        let bytes = beside(low, high, behind, entry.input_at as usize + at)?;
        kernels::interleave(&PlaneRows { bytes, columns, ..plane_rows(geometry, plane) }, row, geometry.pitch());
        let out = beside(low, high, behind, entry.output_at as usize + at)?;
        kernels::dense_row(&dense_row(layer, &[row], columns), out, plane);
    }
    Some(())
}

/// The arena from `at` on, up to the scratch where that follows: `low` lies before it, `high` begins at `behind`.
fn beside<'m>(low: &'m mut [u8], high: &'m mut [u8], behind: usize, at: usize) -> Option<&'m mut [u8]> {
    match at.checked_sub(behind) {
        Some(at) => high.get_mut(at..),
        None => low.get_mut(at..),
    }
}

fn dense_row<'a>(layer: &Layer<'a>, rows: &'a [&'a [i16]], pixels: usize) -> DenseRow<'a> {
    let geometry = &layer.entry.geometry;
    DenseRow {
        rows,
        columns: usize::from(geometry.kernel[1]),
        pitch: geometry.pitch(),
        pairs: geometry.pairs(),
        stride: usize::from(geometry.stride),
        weights: layer.packed,
        channels: layer.channels,
        outputs: usize::from(geometry.output.channels),
        pixels,
        table: layer.table,
    }
}

fn run_planar(layer: &Layer<'_>, arena: &mut [u8]) -> Option<()> {
    let (entry, geometry) = (&layer.entry, &layer.entry.geometry);
    let scratch = range(entry.scratch_at, geometry.scratch_len());
    let hull = entry.hull();
    let [bytes, wide] = arena.get_disjoint_mut([hull.clone(), scratch]).ok()?;
    let wide = cast_slice_mut::<u8, i16>(wide);
    wide.fill(i16::from(entry.input_zero_point)); // the padding, which stays
    let (input, output) = (entry.input_at as usize - hull.start, entry.output_at as usize - hull.start);
    if geometry.input.channels > 1 {
        let mut tensors = Tensors { bytes, input, output, order: entry.order()? };
        kernels::depthwise(&plane_by_plane(layer), &mut tensors, wide);
    } else {
        widen_plane(entry, bytes.get(input..input + geometry.input.len())?, wide);
        let rows = usize::from(geometry.output.height);
        let out = bytes.get_mut(output..output + geometry.output.len())?;
        kernels::planar_rows(&planar_rows(layer, wide, rows), out, geometry.output.plane_len());
    }
    Some(())
}

fn run_pool(layer: &Layer<'_>, arena: &mut [u8]) -> Option<()> {
    let entry = &layer.entry;
    let hull = entry.hull();
    let mut tensors = Tensors {
        input: entry.input_at as usize - hull.start,
        output: entry.output_at as usize - hull.start,
        bytes: arena.get_mut(hull)?,
        order: entry.order()?,
    };
    kernels::pool(&plane_by_plane(layer), &mut tensors);
    Some(())
}

fn run_winograd(layer: &Layer<'_>, arena: &mut [u8]) -> Option<()> {
    let (entry, geometry) = (&layer.entry, &layer.entry.geometry);
    let regions = [
        range(entry.input_at, geometry.input.len()),
        range(entry.output_at, geometry.output.len()),
        range(entry.scratch_at, geometry.scratch_len()),
    ];
    let [input, output, scratch] = arena.get_disjoint_mut(regions).ok()?;
    let work = Winograd {
        geometry,
        padding: entry.input_zero_point,
        weights: layer.packed,
        channels: layer.channels,
        table: layer.table,
    };
    kernels::winograd(&work, input, output, cast_slice_mut(scratch));
    Some(())
}

fn plane_by_plane<'a>(layer: &'a Layer<'a>) -> PlaneByPlane<'a> {
    PlaneByPlane {
        geometry: &layer.entry.geometry,
        weights: layer.planar,
        channels: layer.channels,
        table: layer.table,
    }
}

/// Output row `y` of all channels of a fused front.
fn front_row(front: &Layer<'_>, plane: &[i16], y: usize, row: &mut [u8]) {
    let geometry = &front.entry.geometry;
    let first = y * usize::from(geometry.stride) * geometry.row_len();
    let work = planar_rows(front, plane.get(first..).unwrap_or_default(), 1);
    kernels::planar_rows(&work, row, usize::from(geometry.output.width));
}

/// The first `rows` output rows of all channels, from a widened plane.
fn planar_rows<'a>(layer: &Layer<'a>, plane: &'a [i16], rows: usize) -> PlanarRows<'a> {
    let geometry = &layer.entry.geometry;
    PlanarRows {
        plane,
        row_len: geometry.row_len(),
        kernel: geometry.kernel.map(usize::from),
        stride: usize::from(geometry.stride),
        weights: layer.planar,
        channels: layer.channels,
        rows,
        pixels: usize::from(geometry.output.width),
        table: layer.table,
    }
}

/// Widens one plane into its padding.
fn widen_plane(entry: &Entry, input: &[u8], plane: &mut [i16]) {
    let geometry = &entry.geometry;
    let width = usize::from(geometry.input.width);
    let [top, left, ..] = geometry.pad.map(usize::from);
    let wide = plane.get_mut(top * geometry.row_len() + left..);
    let mut wide = WideRows { wide: wide.unwrap_or_default(), pitch: geometry.row_len() };
    kernels::widen_rows(input, width, &mut wide);
}
