//! Dense layers: dense.s, and pointwise.s for whole blocks of pointwise ones.

use core::ops::Range;
use core::ptr;

use super::{Label, is_aligned, table_ptr};
use crate::geometry::{MAX_DENSE_COLUMNS, MAX_DENSE_ROWS, POINTWISE_PIXELS};
use crate::kernels::{DenseRow, SEGMENT_WORDS};
use crate::quant::Requantizer;

/// What pointwise.s reads.
#[repr(C)]
struct Pointwise {
    input: *const i16,
    weights: *const i16,
    channels: *const Requantizer,
    out: *mut u8,
    plane: usize,
    pairs: usize,
    blocks: usize,
    halves: usize,
    table: *const u8,
}

/// What dense.s reads.
#[repr(C)]
struct Dense {
    gap: usize,
    inner_loop: Label,
    part_len: usize,
    rows_end: *const *const i16,
    rows: *const *const i16,
    row_len: usize,
    input: usize,
    step: usize,
    blocks: usize,
    size: usize,
    out: *mut u8,
    outputs: usize,
    weights: *const i16,
    channels: *const Requantizer,
    columns: usize,
    table: *const u8,
    plane: usize,
}

unsafe extern "C" {
    fn doppel_pointwise(work: &Pointwise);
    fn doppel_dense(work: &Dense);
    fn doppel_dense_stride1();
    fn doppel_dense_stride2();
    fn doppel_dense_stride2_pitch16();
    fn doppel_dense_stride2_pitch32();
    fn doppel_dense_single_1();
    fn doppel_dense_single_3();
    fn doppel_dense_single();
    fn doppel_dense_flat();
}

/// See [`portable::dense_row`](crate::kernels::portable::dense_row).
#[inline(never)]
pub fn dense_row(layer: &DenseRow<'_>, out: &mut [u8], plane: usize) {
    if !is_sound(layer, out.len(), plane) {
        return; // no layer of a checked bundle
    }
    let out = out.as_mut_ptr();
    let mut done = 0;
    if layer.rows.len() == 1
        && (layer.columns, layer.stride, layer.pitch) == (1, 1, POINTWISE_PIXELS)
        && layer.pairs <= SEGMENT_WORDS
    {
        done = layer.pixels & !3;
        // SAFETY: `is_sound` holds.
        unsafe { pointwise(layer, done / 4, out, plane) };
    } else if let Some(inner_loop) = pair_loop(layer) {
        done = layer.pixels & !1;
        // SAFETY: `is_sound` holds, and the loop takes the layer's columns and stride.
        unsafe { blocks(layer, inner_loop, 0..done, 2, out, plane) };
    }
    // SAFETY: as above.
    unsafe { blocks(layer, single_loop(layer), done..layer.pixels, 1, out, plane) };
}

/// Whether every address that the kernels form for `layer` lies in its slices and is aligned, and every part of the sums is
/// exact. Rows are read as words of two elements, weights as words of two halfwords.
fn is_sound(layer: &DenseRow<'_>, out_len: usize, plane: usize) -> bool {
    let groups = layer.outputs.div_ceil(4);
    let (rows, pairs, columns) = (layer.rows.len(), layer.pairs, layer.columns);
    layer.outputs > 0
        && layer.pixels > 0
        && (1..=MAX_DENSE_ROWS).contains(&rows)
        && (1..=MAX_DENSE_COLUMNS).contains(&columns)
        && pairs > 0
        && pairs % 2 == 0
        && (layer.pixels - 1) * layer.stride + columns <= layer.pitch
        && layer.rows.iter().all(|row| row.len() >= pairs * layer.pitch * 2 && is_aligned(row))
        && layer.weights.len() >= groups * rows * pairs * columns * 4
        && is_aligned(layer.weights)
        && layer.channels.len() >= groups * 4
        && out_len >= (layer.outputs - 1) * plane + layer.pixels
}

/// The loop of two pixels, where there is one.
fn pair_loop(layer: &DenseRow<'_>) -> Option<Label> {
    match (layer.columns, layer.stride, layer.pitch) {
        (3, 1, _) => Some(doppel_dense_stride1),
        (3, 2, 16) => Some(doppel_dense_stride2_pitch16),
        (3, 2, 32) => Some(doppel_dense_stride2_pitch32),
        (3, 2, _) => Some(doppel_dense_stride2),
        _ => None,
    }
}

/// The loop of one pixel.
fn single_loop(layer: &DenseRow<'_>) -> Label {
    match layer.columns {
        1 if layer.pitch == 1 => doppel_dense_flat,
        1 => doppel_dense_single_1,
        3 => doppel_dense_single_3,
        _ => doppel_dense_single,
    }
}

/// Computes whole blocks of four pixels from the first one on.
///
/// # Safety
/// [`is_sound`] holds for `layer`, which is pointwise, with `out`, and the blocks are within it.
unsafe fn pointwise(layer: &DenseRow<'_>, blocks: usize, out: *mut u8, plane: usize) {
    if blocks == 0 {
        return;
    }
    let whole = layer.outputs / 2;
    // Where the last channel has no partner, it overwrites the partner's bytes.
    for (first, halves, apart) in [(0, whole, plane), (whole, layer.outputs % 2, 0)] {
        if halves == 0 {
            continue;
        }
        let work = Pointwise {
            input: layer.rows[0].as_ptr(),
            weights: layer.weights.as_ptr().wrapping_add(first / 2 * layer.pairs * 4 + first % 2 * 2),
            channels: layer.channels.as_ptr().wrapping_add(first * 2),
            out: out.wrapping_add(first * 2 * plane),
            plane: apart,
            pairs: layer.pairs,
            blocks,
            halves,
            table: table_ptr(layer.table),
        };
        // SAFETY: the caller's promise; the kernel reads four columns a block and writes as many bytes.
        unsafe { doppel_pointwise(&work) };
    }
}

/// Computes `pixels`, `size` at a time.
///
/// # Safety
/// [`is_sound`] holds for `layer` with `out`; `pixels` are within it, whole blocks of `size`, which `inner_loop` computes of the
/// layer's columns and stride.
unsafe fn blocks(
    layer: &DenseRow<'_>,
    inner_loop: Label,
    pixels: Range<usize>,
    size: usize,
    out: *mut u8,
    plane: usize,
) {
    if pixels.is_empty() {
        return;
    }
    let mut rows = [ptr::null(); MAX_DENSE_ROWS];
    for (place, row) in rows.iter_mut().zip(layer.rows) {
        *place = row.as_ptr();
    }
    // Whole pairs, an even number where that many fit: some loops take two at a time.
    let pairs = match SEGMENT_WORDS / layer.columns {
        1 => 1,
        pairs => pairs & !1,
    };
    let work = Dense {
        gap: (layer.pitch - if size == 1 { layer.columns } else { 0 }) * 4,
        inner_loop,
        part_len: pairs * layer.columns * 8,
        rows_end: rows.as_ptr().wrapping_add(layer.rows.len()),
        rows: rows.as_ptr(),
        row_len: layer.pairs * layer.columns * 8,
        input: pixels.start * layer.stride * 4,
        step: size * layer.stride * 4,
        blocks: pixels.len() / size,
        size,
        out: out.wrapping_add(pixels.start),
        outputs: layer.outputs,
        weights: layer.weights.as_ptr(),
        channels: layer.channels.as_ptr(),
        columns: layer.columns,
        table: table_ptr(layer.table),
        plane,
    };
    // SAFETY: the caller's promise.
    unsafe { doppel_dense(&work) };
}
