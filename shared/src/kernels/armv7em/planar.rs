//! Layers of single planes: planar.s and pool.s.

use core::ptr;

use super::{Label, is_aligned, table_ptr};
use crate::bundle::Order;
use crate::geometry::Geometry;
use crate::kernels::{PlanarRows, PlaneByPlane, Tensors};
use crate::quant::Requantizer;

/// What planar.s reads.
#[repr(C)]
struct Planar {
    table: *const u8,
    first: Label,
    entry: Label,
    after: Label,
    next_row: usize,
    pixels: usize,
    pairs_len: usize,
    out_len: usize,
    input: *const i16,
    row: usize,
    weights: *const i8,
    channels: *const Requantizer,
    weights_step: usize,
    channels_step: usize,
    out: *mut u8,
    distance: usize,
    count: usize,
    gap: usize,
    bytes: *const u8,
    read: usize,
    columns: usize,
    input_rows: usize,
    wide: *const i16,
    kernel: [usize; 2],
    step: usize,
}

/// What pool.s reads.
#[repr(C)]
struct Pool {
    bytes: *const u8,
    read: usize,
    channels: *const Requantizer,
    channels_step: usize,
    out: *mut u8,
    skip: usize,
    count: usize,
    out_shape: [usize; 2],
    stride: usize,
    down: usize,
    window: [usize; 2],
    width: usize,
    table: *const u8,
}

unsafe extern "C" {
    fn doppel_planar(work: &Planar);
    fn doppel_planar_any();
    fn doppel_planar3();
    fn doppel_planar3_stride1();
    fn doppel_planar3_stride1_half();
    fn doppel_planar3_stride2();
    fn doppel_planar3_stride2_half();
    fn doppel_planar3_stride1_table();
    fn doppel_planar3_stride2_table();
    fn doppel_planar3_odd();
    fn doppel_planar_row();
    fn doppel_pool(work: &mut Pool);
}

/// See [`portable::planar_rows`](crate::kernels::portable::planar_rows).
#[inline(never)]
pub fn planar_rows(layer: &PlanarRows<'_>, out: &mut [u8], distance: usize) {
    let count = layer.channels.len();
    if is_planar_sound(layer) && out.len() >= count.saturating_sub(1) * distance + layer.rows * layer.pixels {
        let work = planar(layer, out.as_mut_ptr(), distance);
        // SAFETY: `is_planar_sound` holds, and every output lies in `out`.
        unsafe { doppel_planar(&work) };
    }
}

/// Whether there is work and every window lies in the plane.
fn is_planar_sound(layer: &PlanarRows<'_>) -> bool {
    let [height, width] = layer.kernel;
    let last_row = (layer.rows.wrapping_sub(1)).wrapping_mul(layer.stride) + height;
    !layer.channels.is_empty()
        && [layer.rows, layer.pixels, height, width].iter().all(|&side| side > 0)
        && (layer.pixels - 1) * layer.stride + width <= layer.row_len
        && layer.plane.len() >= last_row * layer.row_len
        && layer.weights.len() >= layer.channels.len() * height * width
}

/// The work of channels that share a widened plane.
fn planar(layer: &PlanarRows<'_>, out: *mut u8, distance: usize) -> Planar {
    let (pixels, pairs) = (layer.pixels, layer.pixels / 2);
    // Pairs of pixels read words of two elements: rows have an even length, so the word that holds a window's last element is
    // in its row.
    let in_words = layer.row_len.is_multiple_of(2) && is_aligned(layer.plane);
    let loops: Option<(Label, Label)> = match (layer.kernel, layer.stride, layer.table) {
        ([3, 3], 1, None) if in_words => Some((doppel_planar3_stride1, doppel_planar3_stride1_half)),
        ([3, 3], 2, None) if in_words => Some((doppel_planar3_stride2, doppel_planar3_stride2_half)),
        ([3, 3], 1, _) if in_words => Some((doppel_planar3_stride1_table, doppel_planar3_stride1_table)),
        ([3, 3], 2, _) if in_words => Some((doppel_planar3_stride2_table, doppel_planar3_stride2_table)),
        _ => None,
    };
    let (first, entry, in_pairs): (Label, Label, usize) = match loops {
        None => (doppel_planar_any, doppel_planar_any, pixels),
        Some(_) if pairs == 0 => (doppel_planar3, doppel_planar3_odd, 0),
        Some((whole, _)) if pairs % 2 == 0 => (doppel_planar3, whole, pairs * 2),
        Some((_, half)) => (doppel_planar3, half, pairs * 2),
    };
    let [height, width] = layer.kernel;
    Planar {
        table: table_ptr(layer.table),
        first,
        entry,
        after: if pixels % 2 == 0 { doppel_planar_row } else { doppel_planar3_odd },
        next_row: ((layer.row_len - in_pairs) * layer.stride * 2),
        pixels,
        pairs_len: in_pairs,
        out_len: layer.rows * pixels,
        input: layer.plane.as_ptr(),
        row: layer.row_len * 2,
        weights: layer.weights.as_ptr(),
        channels: layer.channels.as_ptr(),
        weights_step: height * width,
        channels_step: size_of::<Requantizer>(),
        out,
        distance,
        count: layer.channels.len(),
        gap: 0,
        bytes: ptr::null(),
        read: 0,
        columns: 0,
        input_rows: 0,
        wide: ptr::null(),
        kernel: layer.kernel,
        step: layer.stride * 2,
    }
}

/// The first channel to be computed, and 1 or -1, which times the distance of two channels is the way to the next one.
fn walk(order: Order, count: usize) -> (usize, usize) {
    match order {
        Order::Ascending => (0, 1),
        Order::Descending => (count - 1, usize::MAX),
    }
}

/// See [`portable::depthwise`](crate::kernels::portable::depthwise).
#[inline(never)]
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
    let (columns, input_rows, row_len) = (usize::from(input.width), usize::from(input.height), rows.row_len);
    let inside = layer.first_inside();
    let (read, written) = (input.plane_len(), output.plane_len());
    let sound = is_planar_sound(&rows)
        && read > 0
        && columns <= row_len
        && wide.len() >= inside + (input_rows - 1) * row_len + columns
        && tensors.bytes.len() >= tensors.input + count * read
        && tensors.bytes.len() >= tensors.output + count * written;
    if !sound {
        return; // no layer of a checked bundle
    }
    let (first, sign) = walk(tensors.order, count);
    let bytes = tensors.bytes.as_mut_ptr();
    let out = bytes.wrapping_add(tensors.output + first * written);
    let work = planar(&rows, out, written.wrapping_mul(sign));
    let wide = wide.as_mut_ptr();
    let work = Planar {
        gap: (row_len - columns) * 2,
        bytes: bytes.wrapping_add(tensors.input + first * read),
        read: read.wrapping_mul(sign),
        columns,
        input_rows,
        wide: wide.wrapping_add(inside),
        input: wide,
        weights: work.weights.wrapping_add(first * work.weights_step),
        weights_step: work.weights_step.wrapping_mul(sign),
        channels: work.channels.wrapping_add(first),
        channels_step: work.channels_step.wrapping_mul(sign),
        ..work
    };
    // SAFETY: as for `planar_rows`; every input plane and every output plane lies in the tensors' bytes, and each input row
    // in the widened plane, as checked above. Input and output are reached through the one pointer to both.
    unsafe { doppel_planar(&work) }
}

/// See [`portable::pool`](crate::kernels::portable::pool).
#[inline(never)]
pub fn pool(layer: &PlaneByPlane<'_>, tensors: &mut Tensors<'_>) {
    let geometry = layer.geometry;
    let Geometry { input, output, .. } = geometry;
    let count = layer.channels.len();
    let (read, written) = (input.plane_len(), output.plane_len());
    let sound = geometry.is_consistent()
        && count > 0
        && tensors.bytes.len() >= tensors.input + count * read
        && tensors.bytes.len() >= tensors.output + count * written;
    if !sound {
        return; // no layer of a checked bundle
    }
    let (first, sign) = walk(tensors.order, count);
    let bytes = tensors.bytes.as_mut_ptr();
    let (stride, width) = (usize::from(geometry.stride), usize::from(input.width));
    let mut window = geometry.kernel.map(usize::from);
    if window[1] == width {
        window = [1, window[0] * width]; // whole rows lie without gaps
    }
    let mut work = Pool {
        bytes: bytes.wrapping_add(tensors.input + first * read),
        read: read.wrapping_mul(sign),
        channels: layer.channels.as_ptr().wrapping_add(first),
        channels_step: size_of::<Requantizer>().wrapping_mul(sign),
        out: bytes.wrapping_add(tensors.output + first * written),
        skip: written.wrapping_mul(sign).wrapping_sub(written),
        count,
        out_shape: [output.height, output.width].map(usize::from),
        stride,
        down: stride * width,
        window,
        width,
        table: table_ptr(layer.table),
    };
    // SAFETY: a consistent geometry's windows lie in its planes; every input plane and every output byte lies in the tensors'
    // bytes, as checked above; both are reached through the one pointer to them.
    unsafe { doppel_pool(&mut work) }
}
