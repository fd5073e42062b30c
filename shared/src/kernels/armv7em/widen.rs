//! Bytes to halfwords: widen.s.

use super::is_aligned;
use crate::kernels::{PlaneRows, WideRows};

/// What doppel_interleave in widen.s reads.
#[repr(C)]
struct Interleave {
    bytes: *const u8,
    plane: usize,
    pairs: usize,
    columns: usize,
    wide: *mut i16,
    pitch: usize,
}

/// What doppel_widen_rows in widen.s reads.
#[repr(C)]
struct WidenRows {
    bytes: *const u8,
    columns: usize,
    rows: usize,
    wide: *mut i16,
    gap: usize,
}

unsafe extern "C" {
    fn doppel_interleave(work: &Interleave);
    fn doppel_widen_rows(work: &WidenRows);
}

/// See [`portable::interleave`](crate::kernels::portable::interleave).
#[inline(never)]
pub fn interleave(rows: &PlaneRows<'_>, wide: &mut [i16], pitch: usize) {
    let PlaneRows { bytes, plane, channels, columns } = *rows;
    if (plane, columns, pitch) == (1, 1, 1) {
        // A vector: pairs of single elements lie as the elements do.
        let bytes = bytes.get(..channels).unwrap_or_default();
        return widen_rows(bytes, channels, &mut WideRows { wide, pitch: 0 });
    }
    let all = channels.div_ceil(2);
    let sound = columns > 0
        && all > 0
        && is_aligned(wide)
        && bytes.len() >= (channels - 1) * plane + columns
        && wide.len() >= ((all - 1) * pitch + columns) * 2;
    if !sound {
        return; // no layer of a checked bundle
    }
    let whole = channels / 2;
    // A last channel without a partner stands on both sides.
    for (first, pairs, apart) in [(0, whole, plane), (whole, channels % 2, 0)] {
        if pairs == 0 {
            continue;
        }
        let work = Interleave {
            bytes: bytes.as_ptr().wrapping_add(first * 2 * plane),
            plane: apart,
            pairs,
            columns,
            wide: wide.as_mut_ptr().wrapping_add(first * pitch * 2),
            pitch: pitch * 4,
        };
        // SAFETY: both channels of every pair have `columns` bytes, and every pair as many words, as checked above.
        unsafe { doppel_interleave(&work) };
    }
}

/// See [`portable::widen_rows`](crate::kernels::portable::widen_rows).
#[inline(never)]
pub fn widen_rows(bytes: &[u8], columns: usize, wide: &mut WideRows<'_>) {
    let rows = bytes.len() / columns.max(1);
    if rows == 0 || columns == 0 || wide.wide.len() < (rows - 1) * wide.pitch + columns {
        return; // no layer of a checked bundle
    }
    let gap = wide.pitch.wrapping_sub(columns).wrapping_mul(2);
    let work = WidenRows { bytes: bytes.as_ptr(), columns, rows, wide: wide.wide.as_mut_ptr(), gap };
    // SAFETY: so many rows of bytes and of halfwords are there, as checked above; the stores may be unaligned.
    unsafe { doppel_widen_rows(&work) }
}
