//! The kernels in plain Rust: the definition that every other variant must equal, and the fallback of every other core.

use super::{DenseRow, PlanarRows, Target};
use crate::bundle::unpack;

/// `wide[i] = bytes[i]`, for as many as both have.
pub fn widen(bytes: &[u8], wide: &mut [i16]) {
    for (out, &byte) in wide.iter_mut().zip(bytes) {
        *out = i16::from(byte);
    }
}

/// `out[pixel][channel] = finish(bias + sum over rows and taps of x * w)`.
pub fn dense_row(layer: &DenseRow<'_>, out: &mut [u8], target: Target) {
    let group_len = layer.rows.len() * layer.taps * 2;
    if group_len == 0 {
        return;
    }
    let groups = layer
        .weights
        .chunks_exact(group_len)
        .zip(layer.channels.chunks_exact(4));
    for (group, (weights, channels)) in groups.enumerate() {
        let outputs = layer.outputs.saturating_sub(group * 4).min(4);
        for pixel in 0..layer.pixels {
            let mut sums = [0i32; 4];
            for (row, weights) in layer.rows.iter().zip(weights.chunks_exact(layer.taps * 2)) {
                let window = row.get(pixel * layer.step..).unwrap_or_default();
                for (x, w) in window.chunks_exact(2).zip(weights.chunks_exact(4)) {
                    accumulate(&mut sums, x, w);
                }
            }
            let at = target.at + pixel * target.pixel + group * 4 * target.channel;
            for (c, (&sum, &channel)) in sums.iter().zip(channels).take(outputs).enumerate() {
                if let Some(out) = out.get_mut(at + c * target.channel) {
                    *out = layer.finish.apply(sum, channel);
                }
            }
        }
    }
}

/// Adds the products of two elements with their two packed words of weights.
#[inline(always)]
fn accumulate(sums: &mut [i32; 4], x: &[i16], w: &[i16]) {
    for (pair, sums) in w.chunks_exact(2).zip(sums.chunks_exact_mut(2)) {
        for (&x, &w) in x.iter().zip(pair) {
            let (low, high) = unpack(w);
            sums[0] += i32::from(x) * i32::from(low);
            sums[1] += i32::from(x) * i32::from(high);
        }
    }
}

/// `out[row][pixel] = finish(bias + sum over the window of x * w)`, of one channel.
pub fn planar_rows(layer: &PlanarRows<'_>, out: &mut [u8], target: Target) {
    let [_, columns] = layer.kernel;
    if columns == 0 {
        return;
    }
    for row in 0..layer.rows {
        for pixel in 0..layer.pixels {
            let mut sum = 0i32;
            for (ky, weights) in layer.weights.chunks_exact(columns).enumerate() {
                let at = (row * layer.stride + ky) * layer.row_len + pixel * layer.stride;
                for (&x, &w) in layer
                    .plane
                    .get(at..)
                    .unwrap_or_default()
                    .iter()
                    .zip(weights)
                {
                    sum += i32::from(x) * i32::from(w);
                }
            }
            if let Some(out) = out.get_mut(target.at + row * target.row + pixel * target.pixel) {
                *out = layer.finish.apply(sum, layer.channel);
            }
        }
    }
}

/// `sum of a * b`; exact for at most [`crate::embedding::MAX_DIM`] elements.
pub fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter()
        .zip(b)
        .map(|(&x, &y)| i32::from(x) * i32::from(y))
        .sum()
}

/// `sum of (a - b)^2`; exact for at most [`crate::embedding::MAX_DIM`] elements.
pub fn squared_distance(a: &[i8], b: &[i8]) -> u32 {
    a.iter()
        .zip(b)
        .map(|(&x, &y)| (i32::from(x) - i32::from(y)).pow(2) as u32)
        .sum()
}
