//! Winograd layers: winograd.s.

use core::{array, ptr};

use super::{is_aligned, table_ptr};
use crate::geometry::WINOGRAD_TILES;
use crate::kernels::Winograd;
use crate::quant::Requantizer;
use crate::winograd::TILE;

/// Of one tile, where its outputs go and which of them are none.
#[derive(Clone, Copy)]
#[repr(C)]
struct Tile {
    out: *mut u8,
    lacks: usize,
}

/// What doppel_winograd_strip reads.
#[repr(C)]
struct WinogradStrip {
    rows: [*const u8; 4],
    planes: [usize; 4],
    columns: usize,
    channels: usize,
    strip: *mut u32,
    steps: [usize; 2],
}

/// What doppel_winograd_tiles reads.
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

unsafe extern "C" {
    fn doppel_winograd_strip(work: &WinogradStrip);
    fn doppel_winograd_input(strip: *const u32, pitch: usize, tiles: *mut u32, pairs: usize);
    fn doppel_winograd_tiles(work: &WinogradTiles);
}

/// See [`portable::winograd`](crate::kernels::portable::winograd).
#[inline(never)]
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
