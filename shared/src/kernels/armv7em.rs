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
use crate::geometry::{Geometry, POINTWISE_PIXELS, WINOGRAD_TILES};
use crate::quant::Requantizer;
use crate::winograd::TILE;

pub use portable::{dot, squared_distance};

global_asm!(
    // The assembler knows the extension by the architecture of a Cortex-M4, but not by that of a Cortex-M33.
    #[cfg(armv8m)]
    ".cpu cortex-m33",
    include_str!("armv7em/common.s"),
    include_str!("armv7em/pointwise.s"),
    include_str!("armv7em/conv3.s"),
    include_str!("armv7em/single.s"),
    include_str!("armv7em/planar.s"),
    include_str!("armv7em/pool.s"),
    include_str!("armv7em/widen.s"),
    include_str!("armv7em/winograd.s"),
    include_str!("armv7em/distance.s"),
    options(raw)
);

/// Segments of one output pixel; a layer with more goes to the portable kernel.
const MAX_SEGMENTS: usize = 16;
/// Pixels that a group of fewer than four output channels computes at a time, into a buffer of its own.
const PARTIAL_PIXELS: usize = 16;

/// A place in the assembly.
type Label = unsafe extern "C" fn();

/// Part of the sums of a pixel; see conv3.s.
#[derive(Clone, Copy)]
#[repr(C)]
struct Segment {
    inner_loop: Label,
    weights_len: usize,
    after: Label,
    input: *const i16,
}

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

#[repr(C)]
struct Conv3 {
    segments: *const Segment,
    weights: *const i16,
    channels: *const Requantizer,
    out: *mut u8,
    plane: usize,
    blocks: usize,
    step: usize,
    pitch: usize,
    table: *const u8,
}

#[repr(C)]
struct Single {
    segments: *const Segment,
    weights: *const i16,
    channels: *const Requantizer,
    out: *mut u8,
    plane: usize,
    pitch: usize,
    table: *const u8,
    columns: usize,
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
    fn doppel_conv3(work: &Conv3);
    fn doppel_conv3_stride1();
    fn doppel_conv3_stride2();
    fn doppel_conv3_stride1_pitch16();
    fn doppel_conv3_stride1_pitch16_half();
    fn doppel_conv3_stride1_pitch32();
    fn doppel_conv3_stride1_pitch32_half();
    fn doppel_conv3_stride2_pitch16();
    fn doppel_conv3_stride2_pitch16_half();
    fn doppel_conv3_stride2_pitch32();
    fn doppel_conv3_stride2_pitch32_half();
    fn doppel_conv3_carry();
    fn doppel_conv3_segment();
    fn doppel_conv3_finish();
    fn doppel_conv3_finish_table();
    fn doppel_single(work: &Single);
    fn doppel_single_1();
    fn doppel_single_3();
    fn doppel_single_flat();
    fn doppel_single_any();
    fn doppel_single_carry();
    fn doppel_single_segment();
    fn doppel_single_finish();
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
        return portable::dense_row(layer, out, plane);
    }
    let (whole, rest) = (layer.outputs / 4, layer.outputs % 4);
    // SAFETY: `is_sound` holds, and the channels of whole groups lie in `out`.
    unsafe { run(layer, 0..whole, 0..layer.pixels, out.as_mut_ptr(), plane) };
    if rest == 0 {
        return;
    }
    for first in (0..layer.pixels).step_by(PARTIAL_PIXELS) {
        let pixels = first..layer.pixels.min(first + PARTIAL_PIXELS);
        let mut buffer = [0u8; 4 * PARTIAL_PIXELS];
        // SAFETY: `is_sound` holds, and `buffer` has room for four channels of so many pixels.
        unsafe { run(layer, whole..whole + 1, pixels.clone(), buffer.as_mut_ptr(), PARTIAL_PIXELS) };
        for (channel, bytes) in buffer.chunks_exact(PARTIAL_PIXELS).take(rest).enumerate() {
            let at = (whole * 4 + channel) * plane + first;
            if let Some(out) = out.get_mut(at..at + pixels.len()) {
                out.copy_from_slice(&bytes[..pixels.len()]);
            }
        }
    }
}

/// Whether every address that the kernels form for `layer` lies in its slices and is aligned, and the segments of a pixel
/// are not too many. Rows are read as words of two elements, weights as words of two halfwords.
fn is_sound(layer: &DenseRow<'_>, out_len: usize, plane: usize) -> bool {
    let groups = layer.outputs.div_ceil(4);
    let (rows, pairs, columns) = (layer.rows.len(), layer.pairs, layer.columns);
    let limit = segment_pairs(layer);
    limit > 0
        && layer.outputs > 0
        && layer.pixels > 0
        && rows > 0
        && pairs > 0
        && pairs % 2 == 0
        && rows * pairs.div_ceil(limit) <= MAX_SEGMENTS
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

/// Whether the pairs of a row lie without gaps, as a fully connected layer's do: such a row is one segment.
fn is_flat(layer: &DenseRow<'_>) -> bool {
    layer.pitch == 1 && layer.columns == 1 && layer.rows.len() == 1
}

/// Pairs of one segment at most: whole fours where that many fit, so that the unrolled loops take all but the last one.
fn segment_pairs(layer: &DenseRow<'_>) -> usize {
    match SEGMENT_WORDS / layer.columns.max(1) {
        _ if is_flat(layer) => layer.pairs,
        pairs @ 0..4 => pairs & !1,
        pairs => pairs & !3,
    }
}

/// The inner loops and the flow of one kernel.
struct Path {
    fours: Label,
    half: Label,
    carry: Label,
    segment: Label,
    finish: Label,
}

impl Path {
    /// Three columns, pairs of pixels.
    fn conv3(layer: &DenseRow<'_>) -> Option<Path> {
        let (fours, half): (Label, Label) = match (layer.columns, layer.stride, layer.pitch) {
            (3, 1, 16) => (doppel_conv3_stride1_pitch16, doppel_conv3_stride1_pitch16_half),
            (3, 1, 32) => (doppel_conv3_stride1_pitch32, doppel_conv3_stride1_pitch32_half),
            (3, 2, 16) => (doppel_conv3_stride2_pitch16, doppel_conv3_stride2_pitch16_half),
            (3, 2, 32) => (doppel_conv3_stride2_pitch32, doppel_conv3_stride2_pitch32_half),
            (3, 1, _) => (doppel_conv3_stride1, doppel_conv3_stride1),
            (3, 2, _) => (doppel_conv3_stride2, doppel_conv3_stride2),
            _ => return None,
        };
        Some(Path {
            fours,
            half,
            carry: doppel_conv3_carry,
            segment: doppel_conv3_segment,
            finish: match layer.table {
                Some(_) => doppel_conv3_finish_table,
                None => doppel_conv3_finish,
            },
        })
    }

    /// Any shape, single pixels.
    fn single(columns: usize, flat: bool) -> Path {
        let (fours, half): (Label, Label) = match columns {
            _ if flat => (doppel_single_flat, doppel_single_flat),
            1 => (doppel_single_1, doppel_single_1),
            3 => (doppel_single_3, doppel_single_3),
            _ => (doppel_single_any, doppel_single_any),
        };
        Path { fours, half, carry: doppel_single_carry, segment: doppel_single_segment, finish: doppel_single_finish }
    }

    /// The segments of `pixel`, in place of what is in `segments`.
    #[inline(never)]
    fn cut(&self, layer: &DenseRow<'_>, pixel: usize, segments: &mut Vec<Segment, MAX_SEGMENTS, u8>) {
        segments.clear();
        let limit = segment_pairs(layer);
        let mut words = 0;
        for row in layer.rows {
            for pair in (0..layer.pairs).step_by(limit) {
                let pairs = limit.min(layer.pairs - pair);
                words += pairs * layer.columns;
                if words > SEGMENT_WORDS {
                    words = pairs * layer.columns;
                    if let Some(before) = segments.last_mut() {
                        before.after = self.carry;
                    }
                }
                // `is_sound` bounded their number.
                let _ = segments.push(Segment {
                    inner_loop: if pairs.is_multiple_of(4) { self.fours } else { self.half },
                    weights_len: pairs * layer.columns * 8,
                    after: self.segment,
                    input: row.as_ptr().wrapping_add((pair * layer.pitch + pixel * layer.stride) * 2),
                });
            }
        }
        if let Some(last) = segments.last_mut() {
            last.after = self.finish;
        }
    }
}

/// Computes `pixels` of the output groups `groups`, to planes at `out`.
///
/// # Safety
/// [`is_sound`] holds for `layer`, `groups` and `pixels` are within it, and `out` has `4 * groups` planes of `plane` bytes,
/// of the last one at least as many bytes as pixels.
#[inline(never)] // its segments take stack once
unsafe fn run(
    layer: &DenseRow<'_>,
    groups: core::ops::Range<usize>,
    pixels: core::ops::Range<usize>,
    out: *mut u8,
    plane: usize,
) {
    let weights_len = layer.rows.len() * layer.pairs * layer.columns * 4;
    let weights = |group: usize| layer.weights.as_ptr().wrapping_add(group * weights_len);
    let channels = |group: usize| layer.channels.as_ptr().wrapping_add(group * 4);
    let table = table_ptr(layer.table);
    let out_at =
        |group: usize, pixel: usize| out.wrapping_add((group - groups.start) * 4 * plane + pixel - pixels.start);
    let mut segments = Vec::new();
    let mut next = pixels.start;
    let pointwise = layer.rows.len() == 1
        && (layer.columns, layer.stride, layer.pitch) == (1, 1, POINTWISE_PIXELS)
        && layer.pairs <= SEGMENT_WORDS;
    if groups.is_empty() {
        return;
    } else if pointwise {
        let blocks = pixels.len() / 4;
        if blocks > 0 {
            let work = Pointwise {
                input: layer.rows[0].as_ptr().wrapping_add(next * 2),
                weights: weights(groups.start),
                channels: channels(groups.start),
                out,
                plane,
                pairs: layer.pairs,
                blocks,
                halves: groups.len() * 2,
                table,
            };
            // SAFETY: the caller's promise; the kernel reads four columns a block and writes as many bytes.
            unsafe { doppel_pointwise(&work) };
        }
        next += blocks * 4;
    } else if let Some(path) = Path::conv3(layer) {
        let blocks = pixels.len() / 2;
        path.cut(layer, next, &mut segments);
        for group in groups.clone().filter(|_| blocks > 0) {
            let work = Conv3 {
                segments: segments.as_ptr(),
                weights: weights(group),
                channels: channels(group),
                out: out_at(group, next),
                plane,
                blocks,
                step: 2 * layer.stride * 4,
                pitch: layer.pitch * 4,
                table,
            };
            // SAFETY: the caller's promise; both pixels of a block are within their row's pitch.
            unsafe { doppel_conv3(&work) };
        }
        next += blocks * 2;
    }
    let path = Path::single(layer.columns, is_flat(layer));
    for pixel in next..pixels.end {
        path.cut(layer, pixel, &mut segments);
        for group in groups.clone() {
            let work = Single {
                segments: segments.as_ptr(),
                weights: weights(group),
                channels: channels(group),
                out: out_at(group, pixel),
                plane,
                pitch: (layer.pitch - layer.columns) * 4,
                table,
                columns: layer.columns,
            };
            // SAFETY: the caller's promise.
            unsafe { doppel_single(&work) };
        }
    }
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
