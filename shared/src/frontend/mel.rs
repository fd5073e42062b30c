//! Which bins of a spectrum make up which band: triangles that are equally wide on the mel scale and overlap by half.
//!
//! `mel(f) = 2595 log10(1 + f / 700)` (O'Shaughnessy 1987): equal steps of it are equal factors of `700 + f`, so the edges are
//! a geometric series.

use super::LogMel;
use super::fixed::{exp2_16, log2_30};

/// Most bands.
pub(super) const MAX_BANDS: u16 = 64;
/// Bits of a weight: the two triangles over a bin share `2^12`.
pub(super) const WEIGHT_BITS: u32 = 12;

/// Where edge `index` of `bands + 2` lies, in bins with 12 bits behind the point.
#[inline(never)]
fn edge(settings: &LogMel, index: u32) -> u32 {
    let &LogMel { bands, window, rate, low, high, .. } = settings;
    let (first, last) = (log2_30(700 + u32::from(low)), log2_30(700 + u32::from(high)));
    let steps = u64::from(bands) + 1;
    let log = first + (last.saturating_sub(first) * u64::from(index) + steps / 2) / steps;
    let hertz_16 = exp2_16(log).saturating_sub(700 << 16);
    ((hertz_16 * u64::from(window) / u64::from(rate.max(1)) + 8) >> 4) as u32
}

/// Writes down the filter bank: `first[s]` is the first bin at or above edge `s` (of `bands + 2`), and `rising[k]` the part of
/// bin `k` that belongs to the triangle that rises there; the triangle before has the rest.
pub(super) fn fill(settings: &LogMel, first: &mut [u16], rising: &mut [u16]) {
    let bins = u32::from(settings.window) / 2 + 1;
    let mut left = edge(settings, 0);
    for (segment, start) in (0u32..).zip(first.iter_mut()) {
        *start = left.div_ceil(1 << WEIGHT_BITS).min(bins) as u16;
        let right = edge(settings, segment + 1);
        let width = right.saturating_sub(left).max(1);
        if segment <= u32::from(settings.bands) {
            let end = right.div_ceil(1 << WEIGHT_BITS).min(bins) as usize;
            let range = usize::from(*start)..end.max(usize::from(*start));
            for (k, weight) in (u32::from(*start)..).zip(rising.get_mut(range).unwrap_or_default()) {
                let part = (k << WEIGHT_BITS).saturating_sub(left);
                *weight = (((part << WEIGHT_BITS) + width / 2) / width) as u16;
            }
        }
        left = right;
    }
}

/// Whether every band has a bin that is not at its very edge.
pub(super) fn every_band_has_a_bin(settings: &LogMel) -> bool {
    (0..u32::from(settings.bands)).all(|band| {
        let inside = (edge(settings, band) >> WEIGHT_BITS) + 1;
        inside << WEIGHT_BITS < edge(settings, band + 2) && inside <= u32::from(settings.window) / 2
    })
}
