//! The kernels of small cores without vector instructions, whose compilers spill what they multiply: Armv6-M (Cortex-M0,
//! M0+; the M3 runs it too) and 32-bit RISC-V. The inner loops are assembly, the rest is portable.
#![allow(unsafe_code)] // the calls of assembly; the checks before each call make them sound

use core::arch::global_asm;
use core::array;

#[cfg(armv6m)]
use super::Winograd;
use super::{DenseRow, PlanarRows, PlaneByPlane, SEGMENT_WORDS, Tensors, finish, portable};
#[cfg(armv6m)]
use crate::geometry::{WINOGRAD_OUTPUTS, WINOGRAD_TILES};
use crate::quant::Requantizer;
#[cfg(armv6m)]
use crate::winograd::PRODUCTS;

#[cfg(riscv32m)]
pub use portable::winograd;
pub use portable::{Probe, Room, dot, interleave, pool, squared_distance, widen_rows};

#[cfg(armv6m)]
global_asm!(include_str!("scalar/armv6m.s"), options(raw));
#[cfg(riscv32m)]
global_asm!(include_str!("scalar/riscv32.s"), options(raw));

#[repr(C)]
struct Planar3 {
    rows: [*const i16; 3],
    out: *mut u8,
    pixels: usize,
    step: usize,
    channel: Requantizer,
    weights: [i32; 9],
}

unsafe extern "C" {
    fn doppel_scalar_row1(x: *const i16, weights: *const i16, end: *const i16, pitch: usize) -> u64;
    fn doppel_scalar_row3(x: *const i16, weights: *const i16, end: *const i16, pitch: usize) -> u64;
    #[cfg(armv6m)]
    fn doppel_scalar_winograd(tiles: *const i16, weights: *const i16, end: *const i16) -> u64;
    fn doppel_scalar_planar3(work: &Planar3);
}

/// See [`portable::dense_row`].
pub fn dense_row(layer: &DenseRow<'_>, out: &mut [u8], plane: usize) {
    let row_weights = layer.pairs * layer.columns * 4;
    let groups = layer.outputs.div_ceil(4);
    let sound = [1, 3].contains(&layer.columns)
        && layer.pairs > 0
        && layer.pairs % 2 == 0
        && layer.pixels > 0
        && (layer.pixels - 1) * layer.stride + layer.columns <= layer.pitch
        && layer.rows.iter().all(|row| row.len() >= layer.pairs * layer.pitch * 2)
        && layer.weights.len() >= groups * layer.rows.len() * row_weights
        && layer.weights.as_ptr().addr() % 4 == 0;
    if !sound {
        return portable::dense_row(layer, out, plane);
    }
    for output in (0..layer.outputs).step_by(2) {
        let from = output / 4 * layer.rows.len() * row_weights + output % 4;
        for pixel in 0..layer.pixels {
            let mut sums = [0i32; 2];
            for (ky, row) in layer.rows.iter().enumerate() {
                // SAFETY: every pair of the row has the pixel's columns, the group has as many weights, as checked above.
                unsafe { add_row(&mut sums, layer, &row[pixel * layer.stride * 2..], from + ky * row_weights) };
            }
            for (c, sum) in sums.into_iter().enumerate().take(layer.outputs - output) {
                let place = out.get_mut((output + c) * plane + pixel);
                if let (Some(place), Some(channel)) = (place, layer.channels.get(output + c)) {
                    *place = finish(sum, channel, layer.table);
                }
            }
        }
    }
}

/// Adds the sums of one row, `x` from the pixel's first column, weights from halfword `from` on. The sum of the packed pairs
/// is `S = A + 256 * B`, exact in parts of at most [`SEGMENT_WORDS`].
///
/// # Safety
/// One or three columns; `x` has them in each of the layer's pairs, `from` begins a word of weights of the row.
unsafe fn add_row(sums: &mut [i32; 2], layer: &DenseRow<'_>, x: &[i16], from: usize) {
    let limit = if layer.columns == 1 { SEGMENT_WORDS } else { SEGMENT_WORDS / 3 };
    let (mut x, mut weights) = (x.as_ptr(), layer.weights.as_ptr().wrapping_add(from));
    let mut left = layer.pairs;
    while left > 0 {
        let pairs = left.min(limit);
        let end = weights.wrapping_add(pairs * layer.columns * 4);
        // SAFETY: the caller's promise, for these pairs.
        let both = match layer.columns {
            1 => unsafe { doppel_scalar_row1(x, weights, end, layer.pitch * 4) },
            _ => unsafe { doppel_scalar_row3(x, weights, end, layer.pitch * 4) },
        };
        let (packed, low) = (both as i32, (both >> 32) as i32);
        sums[0] += low;
        sums[1] += packed.wrapping_sub(low) >> 8;
        (x, weights) = (x.wrapping_add(pairs * layer.pitch * 2), end);
        left -= pairs;
    }
}

/// See [`portable::planar_rows`].
pub fn planar_rows(layer: &PlanarRows<'_>, out: &mut [u8], distance: usize) {
    let PlanarRows { row_len, stride, rows, pixels, .. } = *layer;
    let sound = layer.kernel == [3, 3]
        && rows > 0
        && pixels > 0
        && (pixels - 1) * stride + 3 <= row_len
        && layer.plane.len() >= ((rows - 1) * stride + 3) * row_len;
    if !sound {
        return portable::planar_rows(layer, out, distance);
    }
    for (c, (&channel, weights)) in layer.channels.iter().zip(layer.weights.as_chunks::<9>().0).enumerate() {
        for row in 0..rows {
            let at = c * distance + row * pixels;
            let Some(out) = out.get_mut(at..at + pixels) else { return };
            let first = layer.plane.as_ptr().wrapping_add(row * stride * row_len);
            let work = Planar3 {
                rows: array::from_fn(|line| first.wrapping_add(line * row_len)),
                out: out.as_mut_ptr(),
                pixels,
                step: stride * 2,
                channel,
                weights: weights.map(i32::from),
            };
            // SAFETY: every window lies in the plane, as checked above, and `out` has the pixels.
            unsafe { doppel_scalar_planar3(&work) };
            if let Some(table) = layer.table {
                out.iter_mut().for_each(|byte| *byte = table[usize::from(*byte)]);
            }
        }
    }
}

/// See [`portable::depthwise`].
pub fn depthwise(layer: &PlaneByPlane<'_>, tensors: &mut Tensors<'_>, wide: &mut [i16]) {
    portable::depthwise_by(layer, tensors, wide, planar_rows);
}

/// See [`portable::winograd`], whose products RISC-V compilers do well.
#[cfg(armv6m)]
pub fn winograd(layer: &Winograd<'_>, input: &[u8], out: &mut [u8], scratch: &mut [u32]) {
    portable::winograd_by(layer, input, out, scratch, multiply);
}

/// The sums of products of two output channels; see `portable::multiply`.
#[cfg(armv6m)]
fn multiply(weights: &[i16], tiles: &[i16], sums: &mut [i32]) {
    let pairs = weights.len() / (PRODUCTS * 4);
    let sound = pairs > 0
        && weights.as_ptr().addr() % 4 == 0
        && tiles.as_ptr().addr() % 4 == 0
        && tiles.len() >= pairs * PRODUCTS * WINOGRAD_TILES * 2;
    if !sound {
        return; // no layer of a checked bundle
    }
    for (at, sums) in sums.chunks_exact_mut(2).enumerate().take(PRODUCTS * WINOGRAD_OUTPUTS * WINOGRAD_TILES / 2) {
        let (product, output, tile) = (at / 4, at / 2 % 2, at % 2 * 2);
        let first = weights.as_ptr().wrapping_add(product * pairs * 4 + output * 2);
        let x = tiles.as_ptr().wrapping_add((product * WINOGRAD_TILES + tile) * 2);
        // SAFETY: there are as many pairs of weights and of tiles, as checked above.
        let both = unsafe { doppel_scalar_winograd(x, first, first.wrapping_add(pairs * 4)) };
        sums.copy_from_slice(&[both as i32, (both >> 32) as i32]);
    }
}
