//! The dense kernel of desktops, with the vector instructions that every x86-64 has (SSE2).
//!
//! PMADDWD multiplies four pairs of halfwords and adds each pair, which is what a word of a widened row and a word of
//! weights want. Rows go eight or four output pixels at a time, a single pixel goes four pairs of channels at a time.
#![allow(unsafe_code)] // one call, of functions that need SSE2

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_castps_si128, _mm_castsi128_ps, _mm_madd_epi16, _mm_set1_epi32, _mm_setzero_si128,
    _mm_shuffle_ps, _mm_slli_epi16, _mm_srai_epi16, _mm_sub_epi16,
};
use core::array;

use bytemuck::{cast, cast_slice, pod_read_unaligned};

use super::{DenseRow, Winograd, finish, portable};
use crate::winograd::PRODUCTS;

pub use portable::{Probe, Room, depthwise, dot, interleave, planar_rows, pool, squared_distance, widen_rows};

/// Bytes of a vector.
const VECTOR: usize = size_of::<__m128i>();

/// See [`portable::dense_row`].
pub fn dense_row(layer: &DenseRow<'_>, out: &mut [u8], plane: usize) {
    // SAFETY: SSE2 is part of x86-64.
    if unsafe { vectors(layer, out, plane) }.is_none() {
        portable::dense_row(layer, out, plane);
    }
}

/// `None` where the shape has no vector form here, or a slice is too short.
#[target_feature(enable = "sse2")]
fn vectors(layer: &DenseRow<'_>, out: &mut [u8], plane: usize) -> Option<()> {
    let flat = (layer.columns, layer.pitch, layer.rows.len()) == (1, 1, 1);
    match (layer.pixels, layer.stride) {
        (1, _) if flat => pixel(layer, out, plane),
        (8.., 1) => row::<2, 1>(layer, out, plane),
        (8.., 2) => row::<2, 2>(layer, out, plane),
        (4..8, 1) => row::<1, 1>(layer, out, plane),
        (4..8, 2) => row::<1, 2>(layer, out, plane),
        _ => None,
    }
}

/// Four words from byte `at` on.
#[inline]
#[target_feature(enable = "sse2")]
fn load(row: &[u8], at: usize) -> Option<__m128i> {
    Some(pod_read_unaligned(row.get(at..at + VECTOR)?))
}

/// The first, third, fifth and seventh word from byte `at` on; what the last vector of a row lacks is read from before it.
#[inline]
#[target_feature(enable = "sse2")]
fn load_every_other(row: &[u8], at: usize) -> Option<__m128i> {
    // The seventh word is the last that is needed: the second vector begins one word early.
    let (low, high) = (load(row, at)?, load(row, at + 3 * 4)?);
    let (low, high) = (_mm_castsi128_ps(low), _mm_castsi128_ps(high));
    Some(_mm_castps_si128(_mm_shuffle_ps::<0b11_01_10_00>(low, high)))
}

/// The weights of a packed word's two channels: `(low, high)` of `256 * high + low`.
#[inline]
#[target_feature(enable = "sse2")]
fn unpack(packed: __m128i) -> [__m128i; 2] {
    let low = _mm_srai_epi16::<8>(_mm_slli_epi16::<8>(packed));
    [low, _mm_srai_epi16::<8>(_mm_sub_epi16(packed, low))]
}

/// A whole row in blocks of `4 * N` pixels; the last block may overlap the one before. `None` where a slice is too short.
#[inline]
#[target_feature(enable = "sse2")]
fn row<const N: usize, const STRIDE: usize>(layer: &DenseRow<'_>, out: &mut [u8], plane: usize) -> Option<()> {
    let pixels = 4 * N;
    let row_weights = layer.pairs * layer.columns * 4;
    let groups = layer.outputs.div_ceil(4);
    for group in 0..groups {
        let weights_at = group * layer.rows.len() * row_weights;
        let channels = layer.channels.get(group * 4..group * 4 + 4)?;
        let mut next = 0;
        while next < layer.pixels {
            let first = next.min(layer.pixels - pixels);
            let mut sums = [[_mm_setzero_si128(); N]; 4];
            for (ky, row) in layer.rows.iter().enumerate() {
                let row: &[u8] = cast_slice(row);
                let from = weights_at + ky * row_weights;
                let weights: &[u8] = cast_slice(layer.weights.get(from..from + row_weights)?);
                for (pair, weights) in weights.chunks_exact(layer.columns * 8).enumerate() {
                    let at = (pair * layer.pitch + first * STRIDE) * 4;
                    for (column, word) in weights.chunks_exact(8).enumerate() {
                        let [ab, cd]: [i32; 2] = pod_read_unaligned(word);
                        let [a, b] = unpack(_mm_set1_epi32(ab));
                        let [c, d] = unpack(_mm_set1_epi32(cd));
                        for block in 0..N {
                            let at = at + (column + 4 * block * STRIDE) * 4;
                            let x = match STRIDE {
                                1 => load(row, at)?,
                                _ => load_every_other(row, at)?,
                            };
                            for (sums, w) in sums.iter_mut().zip([a, b, c, d]) {
                                sums[block] = _mm_add_epi32(sums[block], _mm_madd_epi16(x, w));
                            }
                        }
                    }
                }
            }
            let outputs = layer.outputs - group * 4;
            for (c, (sums, channel)) in sums.iter().zip(channels).take(outputs).enumerate() {
                let at = (group * 4 + c) * plane + first;
                let out = out.get_mut(at..at + pixels)?;
                let sums = sums.iter().flat_map(|&sums| cast::<_, [i32; 4]>(sums));
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = finish(sum, channel, layer.table);
                }
            }
            next = first + pixels;
        }
    }
    Some(())
}

/// The only pixel of a layer that sees its row as a vector. `None` where a slice is too short.
#[inline]
#[target_feature(enable = "sse2")]
fn pixel(layer: &DenseRow<'_>, out: &mut [u8], plane: usize) -> Option<()> {
    let row: &[i16] = layer.rows.first()?.get(..layer.pairs * 2)?;
    let groups = layer.weights.chunks_exact(layer.pairs * 4);
    for (group, (weights, channels)) in groups.zip(layer.channels.chunks_exact(4)).enumerate() {
        let (inputs, words) = (row.chunks_exact(8), weights.chunks_exact(16));
        let (input_rest, word_rest) = (inputs.remainder(), words.remainder());
        let mut sums = [_mm_setzero_si128(); 4];
        for (x, w) in inputs.zip(words) {
            let x = load(cast_slice(x), 0)?;
            let (first, second) = (load(cast_slice(w), 0)?, load(cast_slice(w), VECTOR)?);
            let (first, second) = (_mm_castsi128_ps(first), _mm_castsi128_ps(second));
            let ab = _mm_castps_si128(_mm_shuffle_ps::<0b10_00_10_00>(first, second));
            let cd = _mm_castps_si128(_mm_shuffle_ps::<0b11_01_11_01>(first, second));
            let [[a, b], [c, d]] = [unpack(ab), unpack(cd)];
            for (sum, w) in sums.iter_mut().zip([a, b, c, d]) {
                *sum = _mm_add_epi32(*sum, _mm_madd_epi16(x, w));
            }
        }
        let mut sums: [i32; 4] = array::from_fn(|c| cast::<_, [i32; 4]>(sums[c]).iter().sum());
        let words = word_rest.as_chunks::<2>().0.as_chunks::<2>().0;
        for (x, words) in input_rest.as_chunks::<2>().0.iter().zip(words) {
            for (sums, w) in sums.as_chunks_mut::<2>().0.iter_mut().zip(words) {
                portable::accumulate(sums, x, w);
            }
        }
        let outputs = layer.outputs.saturating_sub(group * 4).min(4);
        for (c, (&sum, channel)) in sums.iter().zip(channels).take(outputs).enumerate() {
            *out.get_mut((group * 4 + c) * plane)? = finish(sum, channel, layer.table);
        }
    }
    Some(())
}

/// See [`portable::winograd`].
pub fn winograd(layer: &Winograd<'_>, input: &[u8], out: &mut [u8], scratch: &mut [u32]) {
    portable::winograd_by(layer, input, out, scratch, |weights, tiles, sums| {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { multiply(weights, tiles, sums) }
    });
}

/// The sums of products of two output channels: four tiles are a vector. See `portable::multiply`.
#[target_feature(enable = "sse2")]
fn multiply(weights: &[i16], tiles: &[i16], sums: &mut [i32]) {
    let pairs = weights.len() / (PRODUCTS * 4);
    let (tiles, _) = cast_slice::<i16, u8>(tiles).as_chunks::<VECTOR>();
    let (weights, _) = cast_slice::<i16, u8>(weights).as_chunks::<8>();
    let (sums, _) = sums.as_chunks_mut::<8>();
    for (product, (weights, sums)) in weights.chunks_exact(pairs.max(1)).zip(sums).enumerate() {
        let mut both = [_mm_setzero_si128(); 2];
        for (v, u) in tiles.iter().skip(product).step_by(PRODUCTS).zip(weights) {
            let [a, b]: [i32; 2] = cast(*u);
            let v: __m128i = cast(*v);
            both[0] = _mm_add_epi32(both[0], _mm_madd_epi16(v, _mm_set1_epi32(a)));
            both[1] = _mm_add_epi32(both[1], _mm_madd_epi16(v, _mm_set1_epi32(b)));
        }
        *sums = cast(both);
    }
}
