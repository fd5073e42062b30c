//! The kernels of cores with the DSP extension of Armv7E-M (Cortex-M4, M7; M33 where it has it), in assembly.
//!
//! The compiler never emits SMLAD, and keeps two registers for itself inside of `asm!`; so each inner loop is a whole
//! function in one of the `.s` files beside this one. Here their arguments are checked, once an output row: what a kernel
//! cannot take goes to the portable one.
#![allow(unsafe_code)] // the calls of assembly; the checks before each call make them sound

use core::arch::global_asm;
use core::{array, ptr};

use heapless::Vec;

use super::{
    Bar, DenseRow, PlanarRows, PlaneByPlane, PlaneRows, Reaching, SEGMENT_WORDS, Table, Tensors, WideRows, Winograd,
    portable,
};
use crate::bundle::Order;
use crate::embedding::MAX_DIM;
use crate::geometry::{Geometry, MAX_DENSE_COLUMNS, MAX_DENSE_ROWS, POINTWISE_PIXELS, WINOGRAD_TILES};
use crate::quant::Requantizer;
use crate::winograd::TILE;

pub use portable::{dot, squared_distance};

global_asm!(
    // The assembler knows the extension by the architecture of a Cortex-M4, but not by that of a Cortex-M33.
    #[cfg(armv8m)]
    ".cpu cortex-m33",
    include_str!("armv7em/common.s"),
    include_str!("armv7em/pointwise.s"),
    include_str!("armv7em/dense.s"),
    include_str!("armv7em/planar.s"),
    include_str!("armv7em/pool.s"),
    include_str!("armv7em/widen.s"),
    include_str!("armv7em/winograd.s"),
    include_str!("armv7em/distance.s"),
    options(raw)
);

/// A place in the assembly.
type Label = unsafe extern "C" fn();

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

/// The words of planar.s's frame.
#[repr(C)]
struct Planar3 {
    pairs_len: usize,
    out_len: usize,
    read: usize,
    back: usize,
    bytes: *const u8,
    columns: usize,
    input_rows: usize,
    wide: *const i16,
    table: *const u8,
    entry: Label,
    after: Label,
    next_row: usize,
    pixels: usize,
    input: *const i16,
    row: usize,
    weights: *const i8,
    channels: *const Requantizer,
    count: usize,
    out: *mut u8,
    distance: usize,
}

#[repr(C)]
struct Pool {
    bytes: *const u8,
    read: usize,
    len: usize,
    channels: *const Requantizer,
    step: usize,
    count: usize,
    out: *mut u8,
    written: usize,
    table: *const u8,
}

#[repr(C)]
struct Interleave {
    bytes: *const u8,
    plane: usize,
    pairs: usize,
    columns: usize,
    wide: *mut i16,
    pitch: usize,
}

#[repr(C)]
struct WidenRows {
    bytes: *const u8,
    columns: usize,
    rows: usize,
    wide: *mut i16,
    pitch: usize,
}

/// Of one tile, where its outputs go and which of them are none.
#[derive(Clone, Copy)]
#[repr(C)]
struct Tile {
    out: *mut u8,
    lacks: usize,
}

#[repr(C)]
struct WinogradStrip {
    rows: [*const u8; 4],
    planes: [usize; 4],
    columns: usize,
    channels: usize,
    strip: *mut u32,
    steps: [usize; 2],
}

#[repr(C)]
struct WinogradTiles {
    tiles: *const u32,
    weights: *const i16,
    sums: *mut u32,
    channels: *const Requantizer,
    records: *mut Tile,
    count_len: usize,
    plane: usize,
    width: usize,
    table: *const u8,
    outputs: usize,
    pairs_len: usize,
}

/// What distance.s reads.
#[repr(C)]
struct Search {
    probe: *const u32,
    bar: Bar,
    last: *const i8,
    entry: Label,
    rows: *const i8,
    keys: *const i32,
    probe_end: *const u32,
}

unsafe extern "C" {
    fn doppel_pointwise(work: &Pointwise);
    fn doppel_dense(work: &Dense);
    fn doppel_dense_stride1();
    fn doppel_dense_stride2();
    fn doppel_dense_single_1();
    fn doppel_dense_single_3();
    fn doppel_dense_single();
    fn doppel_dense_flat();
    fn doppel_planar3(work: &Planar3);
    fn doppel_planar3_stride1();
    fn doppel_planar3_stride1_half();
    fn doppel_planar3_stride2();
    fn doppel_planar3_stride2_half();
    fn doppel_planar3_stride1_table();
    fn doppel_planar3_stride1_table_half();
    fn doppel_planar3_stride2_table();
    fn doppel_planar3_stride2_table_half();
    fn doppel_planar3_odd();
    fn doppel_planar3_row();
    fn doppel_pool(work: &Pool);
    fn doppel_interleave(work: &Interleave);
    fn doppel_widen_rows(work: &WidenRows);
    fn doppel_winograd_strip(work: &WinogradStrip);
    fn doppel_winograd_input(strip: *const u32, pitch: usize, tiles: *mut u32, pairs: usize);
    fn doppel_winograd_tiles(work: &WinogradTiles);
    fn doppel_first_reaching(work: &Search) -> u64;
    fn doppel_first_reaching_16();
    fn doppel_first_reaching_32();
    fn doppel_first_reaching_48();
    fn doppel_first_reaching_64();
}

/// See [`portable::dense_row`].
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

fn is_aligned(halfwords: &[i16]) -> bool {
    halfwords.as_ptr().addr().is_multiple_of(4)
}

/// The loop of two pixels, where there is one.
fn pair_loop(layer: &DenseRow<'_>) -> Option<Label> {
    match (layer.columns, layer.stride) {
        (3, 1) => Some(doppel_dense_stride1),
        (3, 2) => Some(doppel_dense_stride2),
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
    pixels: core::ops::Range<usize>,
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

/// See [`portable::planar_rows`].
pub fn planar_rows(layer: &PlanarRows<'_>, out: &mut [u8], distance: usize) {
    let count = layer.channels.len();
    let sound = is_planar_sound(layer) && out.len() >= count.saturating_sub(1) * distance + layer.rows * layer.pixels;
    if !sound {
        return portable::planar_rows(layer, out, distance);
    }
    let work = planar3(layer, out.as_mut_ptr(), distance);
    // SAFETY: `is_planar_sound` holds, and every output lies in `out`.
    unsafe { doppel_planar3(&work) }
}

/// Whether every window of a 3x3 kernel lies in the plane, which is read as words of two elements: rows have an even length,
/// so the word that holds a window's last element is in its row.
fn is_planar_sound(layer: &PlanarRows<'_>) -> bool {
    layer.kernel == [3, 3]
        && (1..=2).contains(&layer.stride)
        && !layer.channels.is_empty()
        && layer.rows > 0
        && layer.pixels > 0
        && layer.row_len.is_multiple_of(2)
        && is_aligned(layer.plane)
        && (layer.pixels - 1) * layer.stride + 3 <= layer.row_len
        && layer.plane.len() >= ((layer.rows - 1) * layer.stride + 3) * layer.row_len
        && layer.weights.len() >= layer.channels.len() * 9
}

/// The work of channels that share a widened plane.
fn planar3(layer: &PlanarRows<'_>, out: *mut u8, distance: usize) -> Planar3 {
    let (pixels, pairs) = (layer.pixels, layer.pixels / 2);
    let (whole, half): (Label, Label) = match (layer.stride, layer.table) {
        (1, None) => (doppel_planar3_stride1, doppel_planar3_stride1_half),
        (1, Some(_)) => (doppel_planar3_stride1_table, doppel_planar3_stride1_table_half),
        (_, None) => (doppel_planar3_stride2, doppel_planar3_stride2_half),
        (_, Some(_)) => (doppel_planar3_stride2_table, doppel_planar3_stride2_table_half),
    };
    Planar3 {
        pairs_len: pairs * 2,
        out_len: layer.rows * pixels,
        read: 0,
        back: 0,
        bytes: ptr::null(),
        columns: 0,
        input_rows: 0,
        wide: ptr::null(),
        table: table_ptr(layer.table),
        entry: match pairs {
            0 => doppel_planar3_odd,
            _ if pairs % 2 == 0 => whole,
            _ => half,
        },
        after: match pixels % 2 {
            0 => doppel_planar3_row,
            _ => doppel_planar3_odd,
        },
        next_row: (layer.stride * layer.row_len * 2).wrapping_sub(pairs * layer.stride * 4),
        pixels,
        input: layer.plane.as_ptr(),
        row: layer.row_len * 2,
        weights: layer.weights.as_ptr(),
        channels: layer.channels.as_ptr(),
        count: layer.channels.len(),
        out,
        distance,
    }
}

fn table_ptr(table: Table<'_>) -> *const u8 {
    table.map_or(ptr::null(), |table| table.as_ptr())
}

/// See [`portable::depthwise`].
pub fn depthwise(layer: &PlaneByPlane<'_>, tensors: &mut Tensors<'_>, wide: &mut [i16]) {
    let Geometry { input, output, .. } = layer.geometry;
    let count = layer.channels.len();
    let rows = PlanarRows {
        plane: wide,
        row_len: layer.geometry.row_len(),
        kernel: layer.geometry.kernel.map(usize::from),
        stride: usize::from(layer.geometry.stride),
        weights: layer.weights,
        channels: layer.channels,
        rows: usize::from(output.height),
        pixels: usize::from(output.width),
        table: layer.table,
    };
    let [top, left, ..] = layer.geometry.pad.map(usize::from);
    let inside = top * rows.row_len + left;
    let (columns, input_rows) = (usize::from(input.width), usize::from(input.height));
    let sound = is_planar_sound(&rows)
        && columns >= 4
        && left + columns <= rows.row_len
        && wide.len() >= inside + (input_rows - 1) * rows.row_len + columns
        && tensors.bytes.len() >= tensors.input + count * input.plane_len()
        && tensors.bytes.len() >= tensors.output + count * output.plane_len();
    if !sound {
        return portable::depthwise(layer, tensors, wide);
    }
    let (read, written) = (input.plane_len(), output.plane_len());
    // The first channel to be computed, and the way to the next one.
    let (first, read_step, written_step, back) = match tensors.order {
        Order::Ascending => (0, read, written, 0),
        Order::Descending => (count - 1, read.wrapping_neg(), written.wrapping_neg(), 18),
    };
    let bytes = tensors.bytes.as_mut_ptr();
    let out = bytes.wrapping_add(tensors.output + first * written);
    let work = planar3(&rows, out, written_step);
    let wide = wide.as_mut_ptr();
    let work = Planar3 {
        read: read_step,
        back,
        bytes: bytes.wrapping_add(tensors.input + first * read),
        columns,
        input_rows,
        wide: wide.wrapping_add(inside),
        input: wide,
        weights: layer.weights.as_ptr().wrapping_add(first * 9),
        channels: layer.channels.as_ptr().wrapping_add(first),
        ..work
    };
    // SAFETY: as for `planar_rows`; every input plane and every output plane lies in the tensors' bytes, and each input row
    // in the widened plane, as checked above. Input and output are reached through the one pointer to both.
    unsafe { doppel_planar3(&work) }
}

/// See [`portable::pool`].
pub fn pool(layer: &PlaneByPlane<'_>, tensors: &mut Tensors<'_>) {
    let Geometry { input, output, .. } = layer.geometry;
    let (count, len) = (layer.channels.len(), input.plane_len());
    let sound = output.plane_len() == 1
        && layer.geometry.kernel.map(u16::from) == [input.height, input.width]
        && count > 0
        && tensors.bytes.len() >= tensors.input + count * len
        && tensors.bytes.len() >= tensors.output + count;
    if !sound {
        return portable::pool(layer, tensors);
    }
    let (first, sign) = match tensors.order {
        Order::Ascending => (0, 1),
        Order::Descending => (count - 1, usize::MAX),
    };
    let bytes = tensors.bytes.as_mut_ptr();
    let work = Pool {
        bytes: bytes.wrapping_add(tensors.input + first * len),
        read: len.wrapping_mul(sign),
        len,
        channels: layer.channels.as_ptr().wrapping_add(first),
        step: size_of::<Requantizer>().wrapping_mul(sign),
        count,
        out: bytes.wrapping_add(tensors.output + first),
        written: sign,
        table: table_ptr(layer.table),
    };
    // SAFETY: every input plane and every output byte lies in the tensors' bytes, as checked above; both are reached through
    // the one pointer to them.
    unsafe { doppel_pool(&work) }
}

/// See [`portable::interleave`].
pub fn interleave(rows: &PlaneRows<'_>, wide: &mut [i16], pitch: usize) {
    let PlaneRows { bytes, plane, channels, columns } = *rows;
    if (plane, columns, pitch) == (1, 1, 1) {
        // A vector: pairs of single elements lie as the elements do.
        let bytes = bytes.get(..channels).unwrap_or_default();
        return widen_rows(bytes, channels, &mut WideRows { wide, pitch: 0 });
    }
    let pairs = channels / 2;
    let sound = columns >= 4
        && columns <= pitch
        && pairs > 0
        && is_aligned(wide)
        && bytes.len() >= (2 * pairs - 1) * plane + columns
        && wide.len() >= ((pairs - 1) * pitch + columns) * 2;
    if !sound {
        return portable::interleave(rows, wide, pitch);
    }
    let work = Interleave { bytes: bytes.as_ptr(), plane, pairs, columns, wide: wide.as_mut_ptr(), pitch: pitch * 4 };
    // SAFETY: both channels of every pair have `columns` bytes, and every pair as many words, as checked above.
    unsafe { doppel_interleave(&work) };
    if channels % 2 != 0 {
        let last = PlaneRows { bytes: bytes.get(2 * pairs * plane..).unwrap_or_default(), channels: 1, ..*rows };
        portable::interleave(&last, wide.get_mut(pairs * pitch * 2..).unwrap_or_default(), pitch);
    }
}

/// See [`portable::widen_rows`].
pub fn widen_rows(bytes: &[u8], columns: usize, wide: &mut WideRows<'_>) {
    let rows = bytes.len() / columns.max(1);
    let sound = columns >= 4 && rows > 0 && wide.wide.len() >= (rows - 1) * wide.pitch + columns;
    if !sound {
        return portable::widen_rows(bytes, columns, wide);
    }
    let work = WidenRows { bytes: bytes.as_ptr(), columns, rows, wide: wide.wide.as_mut_ptr(), pitch: wide.pitch * 2 };
    // SAFETY: so many rows of bytes and of halfwords are there, as checked above; the stores may be unaligned.
    unsafe { doppel_widen_rows(&work) }
}

/// See [`portable::winograd`].
pub fn winograd(layer: &Winograd<'_>, input: &[u8], out: &mut [u8], scratch: &mut [u32]) {
    let geometry = layer.geometry;
    let words = geometry.winograd_words();
    let pairs = geometry.pairs();
    let sound = geometry.is_consistent()
        && input.len() >= geometry.input.len()
        && out.len() >= geometry.output.len()
        && scratch.len() >= words.iter().sum()
        && layer.weights.len() >= geometry.stored_channels() * geometry.weights_per_channel()
        && is_aligned(layer.weights)
        && layer.channels.len() >= usize::from(geometry.output.channels);
    if !sound {
        return; // no layer of a checked bundle
    }
    let (strip, rest) = scratch.split_at_mut(words[0]);
    let (tiles, sums) = rest.split_at_mut(words[1]);
    strip.fill(u32::from_ne_bytes([layer.padding; 4])); // the padding and the channels that fill the last pairs, which stay
    let [rows, columns] = geometry.tiles();
    let width = usize::from(geometry.output.width);
    let mut records = [Tile { out: ptr::null_mut(), lacks: 0 }; WINOGRAD_TILES];
    let mut slot = 0;
    for row in 0..rows {
        fill_strip(layer, input, row, strip, sums);
        for column in 0..columns {
            let (y, x) = (row * TILE, column * TILE);
            records[slot] = Tile {
                out: out.as_mut_ptr().wrapping_add(y * width + x),
                lacks: usize::from(x + 1 == width) | usize::from(y + 1 == usize::from(geometry.output.height)) << 1,
            };
            let first = strip.as_ptr().wrapping_add(x * 2);
            let pitch = geometry.strip_columns() * 8;
            // SAFETY: the tile's four columns of every pair lie in the strip; every pair has 16 products of four tiles.
            unsafe { doppel_winograd_input(first, pitch, tiles.as_mut_ptr().wrapping_add(slot), pairs) };
            slot += 1;
            if slot < WINOGRAD_TILES && (row, column) != (rows - 1, columns - 1) {
                continue;
            }
            let work = WinogradTiles {
                tiles: tiles.as_ptr(),
                weights: layer.weights.as_ptr(),
                sums: sums.as_mut_ptr(),
                channels: layer.channels.as_ptr(),
                records: records.as_mut_ptr(),
                count_len: slot * 4,
                plane: geometry.output.plane_len(),
                width,
                table: table_ptr(layer.table),
                outputs: usize::from(geometry.output.channels),
                pairs_len: pairs * 8,
            };
            // SAFETY: weights, channels and scratch are as long as checked above; each tile writes what of its outputs lies
            // in the planes of `out`.
            unsafe { doppel_winograd_tiles(&work) };
            slot = 0;
        }
    }
}

/// Fills the strip under a row of tiles; `blank` is overwritten with padding.
fn fill_strip(layer: &Winograd<'_>, input: &[u8], row: usize, strip: &mut [u32], blank: &mut [u32]) {
    let geometry = layer.geometry;
    let [top, left, ..] = geometry.pad.map(usize::from);
    let (width, height) = (usize::from(geometry.input.width), usize::from(geometry.input.height));
    let inside = |line: usize| (row * TILE + line).checked_sub(top).filter(|&y| y < height);
    if (0..4).any(|line| inside(line).is_none()) {
        blank.fill(u32::from_ne_bytes([layer.padding; 4]));
    }
    let work = WinogradStrip {
        rows: array::from_fn(|line| match inside(line) {
            Some(y) => input.as_ptr().wrapping_add(y * width),
            None => blank.as_ptr().cast(),
        }),
        planes: array::from_fn(|line| inside(line).map_or(0, |_| geometry.input.plane_len())),
        columns: width,
        channels: usize::from(geometry.input.channels),
        strip: strip.as_mut_ptr().wrapping_add(left * 2),
        steps: [4, geometry.strip_columns() * 8 - 4],
    };
    // SAFETY: `winograd` checked that the input has its planes, that a row fits the blank, and that the strip has the columns
    // of a padded row for every channel.
    unsafe { doppel_winograd_strip(&work) }
}

/// Elements that the search takes at a time.
const SEARCH_STEP: usize = 16;

/// See [`portable::Room`].
pub type Room = Vec<[u32; 2], { MAX_DIM / 4 }>;

/// See [`portable::Probe`].
#[derive(Clone, Debug)]
pub struct Probe<'a> {
    plain: portable::Probe<'a>,
    /// `stride` elements, widened, in the order of distance.s: the even ones of four, then the odd ones; zeros behind the
    /// last. Empty where the kernel cannot take them.
    wide: &'a [[u32; 2]],
    square: i32,
    entry: Label,
}

impl<'a> Probe<'a> {
    /// See [`portable::Probe::new`].
    pub fn new(elements: &'a [i8], stride: usize, wide: &'a mut Room) -> Self {
        wide.clear();
        let mut square = 0;
        let (fours, rest) = elements.as_chunks();
        let mut last = [0; 4];
        for (place, &element) in last.iter_mut().zip(rest) {
            *place = element;
        }
        for &[a, b, c, d] in fours.iter().chain([&last]) {
            let (a, b, c, d) = (i32::from(a), i32::from(b), i32::from(c), i32::from(d));
            square += a * a + b * b + c * c + d * d;
            let pair = |low: i32, high: i32| (low & 0xffff | high << 16) as u32;
            // There is room for every embedding; one that is too long is not searched for by the kernel.
            let _ = wide.push([pair(a, c), pair(b, d)]);
        }
        let sound = stride > 0 && stride <= MAX_DIM && stride.is_multiple_of(SEARCH_STEP) && elements.len() <= stride;
        // There is room for as many.
        let _ = wide.resize(if sound { stride / 4 } else { 0 }, [0; 2]);
        let entry = match stride / SEARCH_STEP % 4 {
            0 => doppel_first_reaching_64,
            1 => doppel_first_reaching_16,
            2 => doppel_first_reaching_32,
            _ => doppel_first_reaching_48,
        };
        Probe { plain: portable::Probe::new(elements, stride, &mut portable::Room::new()), wide, square, entry }
    }

    /// See [`portable::Probe::square`].
    pub fn square(&self) -> i32 {
        self.square
    }

    /// See [`portable::Probe::first_reaching`].
    pub fn first_reaching(&self, rows: &[i8], keys: &[i32], bar: Bar) -> Option<Reaching> {
        let (start, stride, probe) = (rows.as_ptr(), self.wide.len() * 4, self.wide.as_ptr().cast::<u32>());
        if stride == 0 || keys.len() > rows.len() / stride || !start.addr().is_multiple_of(4) {
            return self.plain.first_reaching(rows, keys, bar);
        }
        let work = Search {
            probe,
            bar,
            last: start.wrapping_add(keys.len() * stride),
            entry: self.entry,
            rows: start,
            keys: keys.as_ptr(),
            probe_end: probe.wrapping_add(stride / 2),
        };
        // SAFETY: a vector of `stride` elements lies in `rows` for every key; `new` made `stride` a multiple of the step and
        // as many halfwords of the probe; vectors, keys and probe are aligned to four.
        let found = unsafe { doppel_first_reaching(&work) };
        let (behind, over) = (found as usize, (found >> 32) as i32);
        let index = (behind.checked_sub(start.addr())? / stride).checked_sub(1)?;
        Some(Reaching { index, dot: over.wrapping_sub(bar.start(*keys.get(index)?)) })
    }
}
