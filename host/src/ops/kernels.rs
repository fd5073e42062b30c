//! The inner loops of training, over images laid out `[row][column][channel]`.
//!
//! Every structure here is one loop nest; its `run` checks that all offsets lie within the slices and is then safe to call.
#![allow(unsafe_code)]

use super::simd::{Isa, Kernel, Vector};

/// Vectors side by side in a register tile, for that many output columns.
fn tile_vectors(isa: Isa, columns: usize) -> usize {
    if columns <= isa.lanes() { 1 } else { 2 }
}

/// Columns that one panel of packed weights covers.
pub(super) fn panel_width(isa: Isa, columns: usize) -> usize {
    tile_vectors(isa, columns) * isa.lanes()
}

fn end(offsets: &[usize]) -> usize {
    offsets.iter().max().map_or(0, |&last| last)
}

/// `out[dest[q] + j] = sum over t, k of source[base[q] + taps[t] + k] * panels[j / width][t][k][j % width]` for every position
/// `q` and column `j < columns`; `width` is [`panel_width`].
pub(super) struct Gather<'a> {
    pub(super) source: &'a [f32],
    pub(super) base: &'a [usize],
    pub(super) dest: &'a [usize],
    pub(super) taps: &'a [usize],
    pub(super) depth: usize,
    pub(super) panels: &'a [f32],
    pub(super) columns: usize,
    pub(super) out: &'a mut [f32],
}

impl Gather<'_> {
    pub(super) fn run(self, isa: Isa) {
        if self.base.is_empty() || self.columns == 0 {
            return;
        }
        let width = panel_width(isa, self.columns);
        let panels = self.columns.div_ceil(width);
        assert_eq!(self.base.len(), self.dest.len());
        assert!(self.taps.is_empty() || end(self.base) + end(self.taps) + self.depth <= self.source.len());
        assert!(end(self.dest) + self.columns <= self.out.len());
        assert!(panels * self.taps.len() * self.depth * width <= self.panels.len());
        // SAFETY: the assertions bound every read and write: sources, panels and, by `columns`, the output.
        unsafe { isa.run(self) }
    }

    #[inline(always)]
    unsafe fn panels<V: Vector, const NV: usize>(&mut self, rows: usize) {
        let width = NV * V::LANES;
        let count = self.base.len();
        let mut column = 0;
        let mut panel = self.panels.as_ptr();
        while column < self.columns {
            let mut first = 0;
            while first < count {
                // SAFETY: as `run` has checked.
                unsafe {
                    if count < rows {
                        self.tile::<V, NV, 1>(first, panel, column);
                        first += 1;
                        continue;
                    }
                    // The last tile may do positions again, with the same results.
                    let at = first.min(count - rows);
                    match rows {
                        4 => self.tile::<V, NV, 4>(at, panel, column),
                        6 => self.tile::<V, NV, 6>(at, panel, column),
                        _ => self.tile::<V, NV, 8>(at, panel, column),
                    }
                    first = at + rows;
                }
            }
            column += width;
            panel = panel.wrapping_add(self.taps.len() * self.depth * width);
        }
    }

    #[inline(always)]
    unsafe fn tile<V: Vector, const NV: usize, const MR: usize>(
        &mut self,
        first: usize,
        panel: *const f32,
        column: usize,
    ) {
        // SAFETY: as `run` has checked; `first + MR` positions exist.
        unsafe {
            let mut sums = [[V::splat(0.0); NV]; MR];
            let mut weights = panel;
            let mut at = [self.source.as_ptr(); MR];
            for &tap in self.taps {
                for i in 0..MR {
                    let base = *self.base.get_unchecked(first + i);
                    at[i] = self.source.as_ptr().add(base + tap);
                }
                for k in 0..self.depth {
                    let mut w = [V::splat(0.0); NV];
                    for j in 0..NV {
                        w[j] = V::load(weights.add(j * V::LANES));
                    }
                    for i in 0..MR {
                        let x = V::splat(*at[i].add(k));
                        for j in 0..NV {
                            sums[i][j] = x.mul_add(w[j], sums[i][j]);
                        }
                    }
                    weights = weights.add(NV * V::LANES);
                }
            }
            let valid = self.columns - column;
            for i in 0..MR {
                let to = self.out.as_mut_ptr().add(*self.dest.get_unchecked(first + i) + column);
                if valid >= NV * V::LANES {
                    for j in 0..NV {
                        sums[i][j].store(to.add(j * V::LANES));
                    }
                } else {
                    let mut row = [0f32; 32];
                    for j in 0..NV {
                        sums[i][j].store(row.as_mut_ptr().add(j * V::LANES));
                    }
                    to.copy_from_nonoverlapping(row.as_ptr(), valid);
                }
            }
        }
    }
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        // SAFETY: as `Gather::run` has checked.
        unsafe {
            if self.columns <= V::LANES {
                self.panels::<V, 1>(8);
            } else {
                self.panels::<V, 2>(V::ROWS);
            }
        }
    }
}

/// `out[r * columns + j] += sum over q of source[base[q] + rows[r]] * gradient[j / width * panel + q * step + j % width]`; `width`
/// is [`panel_width`].
pub(super) struct WeightGradient<'a> {
    pub(super) source: &'a [f32],
    pub(super) base: &'a [usize],
    pub(super) gradient: &'a [f32],
    /// From one panel of columns to the next.
    pub(super) panel: usize,
    /// From one position to the next.
    pub(super) step: usize,
    pub(super) rows: &'a [usize],
    pub(super) columns: usize,
    pub(super) out: &'a mut [f32],
}

/// Copies `columns` values from each `at` of `from` into panels `[columns / width][position][width]`, the last one filled up with
/// zeros: a loop over positions then reads memory in order.
pub(super) fn pack_columns(from: &[f32], at: &[usize], columns: usize, width: usize, panels: &mut Vec<f32>) {
    panels.clear();
    for first in (0..columns).step_by(width) {
        let valid = width.min(columns - first);
        for &at in at {
            panels.extend_from_slice(&from[at + first..at + first + valid]);
            panels.resize(panels.len() + width - valid, 0.0);
        }
    }
}

impl WeightGradient<'_> {
    pub(super) fn run(self, isa: Isa) {
        if self.base.is_empty() || self.rows.is_empty() || self.columns == 0 {
            return;
        }
        let width = panel_width(isa, self.columns);
        assert!(end(self.base) + end(self.rows) < self.source.len());
        let last = (self.columns.div_ceil(width) - 1) * self.panel + (self.base.len() - 1) * self.step;
        assert!(last + width <= self.gradient.len());
        assert!(self.rows.len() * self.columns <= self.out.len());
        // SAFETY: the assertions bound every read and write.
        unsafe { isa.run(self) }
    }

    #[inline(always)]
    unsafe fn panels<V: Vector, const NV: usize>(&mut self, rows: usize) {
        let count = self.rows.len();
        let mut column = 0;
        while column < self.columns {
            let mut first = 0;
            while first < count {
                // SAFETY: as `run` has checked.
                unsafe {
                    if count < rows {
                        self.tile::<V, NV, 1>(first, 0, column);
                        first += 1;
                        continue;
                    }
                    // The last tile may hold rows that are done: it leaves them out when it adds.
                    let at = first.min(count - rows);
                    match rows {
                        4 => self.tile::<V, NV, 4>(at, first - at, column),
                        6 => self.tile::<V, NV, 6>(at, first - at, column),
                        _ => self.tile::<V, NV, 8>(at, first - at, column),
                    }
                    first = at + rows;
                }
            }
            column += NV * V::LANES;
        }
    }

    #[inline(always)]
    unsafe fn tile<V: Vector, const NV: usize, const MR: usize>(&mut self, first: usize, done: usize, column: usize) {
        // SAFETY: as `run` has checked; `first + MR` rows exist.
        unsafe {
            let mut sums = [[V::splat(0.0); NV]; MR];
            let mut offsets = [0usize; MR];
            offsets.copy_from_slice(self.rows.get_unchecked(first..first + MR));
            let gradient = self.gradient.as_ptr().add(column / (NV * V::LANES) * self.panel);
            for (q, &base) in self.base.iter().enumerate() {
                let source = self.source.as_ptr().add(base);
                let mut g = [V::splat(0.0); NV];
                let gradient = gradient.add(q * self.step);
                for j in 0..NV {
                    g[j] = V::load(gradient.add(j * V::LANES));
                }
                for i in 0..MR {
                    let x = V::splat(*source.add(offsets[i]));
                    for j in 0..NV {
                        sums[i][j] = x.mul_add(g[j], sums[i][j]);
                    }
                }
            }
            let valid = (self.columns - column).min(NV * V::LANES);
            for i in done..MR {
                let to = self.out.as_mut_ptr().add((first + i) * self.columns + column);
                if valid == NV * V::LANES {
                    for j in 0..NV {
                        let to = to.add(j * V::LANES);
                        V::load(to).add(sums[i][j]).store(to);
                    }
                } else {
                    let mut row = [0f32; 32];
                    for j in 0..NV {
                        sums[i][j].store(row.as_mut_ptr().add(j * V::LANES));
                    }
                    for (j, sum) in row.iter().take(valid).enumerate() {
                        *to.add(j) += sum;
                    }
                }
            }
        }
    }
}

impl Kernel for WeightGradient<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        // SAFETY: as `WeightGradient::run` has checked.
        unsafe {
            if self.columns <= V::LANES {
                self.panels::<V, 1>(8);
            } else {
                self.panels::<V, 2>(V::ROWS);
            }
        }
    }
}

/// Work that treats every channel alike and alone.
pub(super) trait Channelwise {
    /// Works on `B` vectors of channels from `first` on.
    ///
    /// # Safety
    /// The structure's offsets must lie within its slices for all channels; `V`'s instruction set must exist.
    unsafe fn channels<V: Vector, const B: usize>(&mut self, first: usize);
}

/// Runs `work` on all channels.
///
/// # Safety
/// The structure's offsets must lie within its slices for all `channels`; `isa` must come from [`Isa::detect`] or be portable.
pub(super) unsafe fn each_channel<C: Channelwise>(isa: Isa, channels: usize, work: &mut C) {
    // SAFETY: the caller's.
    unsafe { isa.run(EachChannel { work, channels }) }
}

/// Cuts the channels into blocks of vectors, the rest one by one.
struct EachChannel<'a, C> {
    work: &'a mut C,
    channels: usize,
}

impl<C: Channelwise> Kernel for EachChannel<'_, C> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let mut first = 0;
        // SAFETY: the caller's; the blocks stay within `channels`.
        unsafe {
            while first + 2 * V::LANES <= self.channels {
                self.work.channels::<V, 2>(first);
                first += 2 * V::LANES;
            }
            while first + V::LANES <= self.channels {
                self.work.channels::<V, 1>(first);
                first += V::LANES;
            }
            while first < self.channels {
                self.work.channels::<[f32; 1], 1>(first);
                first += 1;
            }
        }
    }
}

/// `out[dest[q] + c] = sum over t of source[base[q] + taps[t] + c] * weights[t * channels + c]`.
pub(super) struct DepthwiseGather<'a> {
    pub(super) source: &'a [f32],
    pub(super) base: &'a [usize],
    pub(super) dest: &'a [usize],
    pub(super) taps: &'a [usize],
    pub(super) weights: &'a [f32],
    pub(super) channels: usize,
    pub(super) out: &'a mut [f32],
}

impl DepthwiseGather<'_> {
    pub(super) fn run(mut self, isa: Isa) {
        let channels = self.channels;
        assert_eq!(self.base.len(), self.dest.len());
        assert!(self.taps.is_empty() || end(self.base) + end(self.taps) + channels <= self.source.len());
        assert!(end(self.dest) + channels <= self.out.len());
        assert!(self.taps.len() * channels <= self.weights.len());
        // SAFETY: the lengths and offsets were checked above.
        unsafe { each_channel(isa, channels, &mut self) };
    }

    #[inline(always)]
    unsafe fn fixed<V: Vector, const T: usize>(&mut self, first: usize) {
        // SAFETY: as `run` has checked.
        unsafe {
            let mut w = [V::splat(0.0); T];
            let mut taps = [0usize; T];
            for t in 0..T {
                w[t] = V::load(self.weights.as_ptr().add(t * self.channels + first));
                taps[t] = *self.taps.get_unchecked(t);
            }
            for q in 0..self.base.len() {
                let source = self.source.as_ptr().add(*self.base.get_unchecked(q) + first);
                let mut sum = V::splat(0.0);
                for t in 0..T {
                    sum = V::load(source.add(taps[t])).mul_add(w[t], sum);
                }
                let dest = *self.dest.get_unchecked(q) + first;
                sum.store(self.out.as_mut_ptr().add(dest));
            }
        }
    }

    #[inline(always)]
    unsafe fn any<V: Vector>(&mut self, first: usize) {
        // SAFETY: as `run` has checked.
        unsafe {
            for q in 0..self.base.len() {
                let source = self.source.as_ptr().add(*self.base.get_unchecked(q) + first);
                let mut sum = V::splat(0.0);
                for (t, &tap) in self.taps.iter().enumerate() {
                    let w = V::load(self.weights.as_ptr().add(t * self.channels + first));
                    sum = V::load(source.add(tap)).mul_add(w, sum);
                }
                let dest = *self.dest.get_unchecked(q) + first;
                sum.store(self.out.as_mut_ptr().add(dest));
            }
        }
    }
}

impl Channelwise for DepthwiseGather<'_> {
    #[inline(always)]
    unsafe fn channels<V: Vector, const B: usize>(&mut self, first: usize) {
        for block in 0..B {
            let first = first + block * V::LANES;
            // SAFETY: the caller's.
            unsafe {
                match self.taps.len() {
                    1 => self.fixed::<V, 1>(first),
                    2 => self.fixed::<V, 2>(first),
                    4 => self.fixed::<V, 4>(first),
                    9 => self.fixed::<V, 9>(first),
                    _ => self.any::<V>(first),
                }
            }
        }
    }
}

/// `out[t * channels + c] += sum over q of source[base[q] + taps[t] + c] * gradient[at[q] + c]`.
pub(super) struct DepthwiseWeightGradient<'a> {
    pub(super) source: &'a [f32],
    pub(super) base: &'a [usize],
    pub(super) gradient: &'a [f32],
    pub(super) at: &'a [usize],
    pub(super) taps: &'a [usize],
    pub(super) channels: usize,
    pub(super) out: &'a mut [f32],
}

impl DepthwiseWeightGradient<'_> {
    pub(super) fn run(mut self, isa: Isa) {
        let channels = self.channels;
        assert_eq!(self.base.len(), self.at.len());
        assert!(self.taps.is_empty() || end(self.base) + end(self.taps) + channels <= self.source.len());
        assert!(end(self.at) + channels <= self.gradient.len());
        assert!(self.taps.len() * channels <= self.out.len());
        // SAFETY: the lengths and offsets were checked above.
        unsafe { each_channel(isa, channels, &mut self) };
    }

    #[inline(always)]
    unsafe fn taps<V: Vector, const T: usize>(&mut self, first: usize, tap: usize) {
        // SAFETY: as `run` has checked; `tap + T` taps exist.
        unsafe {
            let mut sums = [V::splat(0.0); T];
            let mut taps = [0usize; T];
            taps.copy_from_slice(self.taps.get_unchecked(tap..tap + T));
            for q in 0..self.base.len() {
                let source = self.source.as_ptr().add(*self.base.get_unchecked(q) + first);
                let g = V::load(self.gradient.as_ptr().add(*self.at.get_unchecked(q) + first));
                for t in 0..T {
                    sums[t] = V::load(source.add(taps[t])).mul_add(g, sums[t]);
                }
            }
            for (t, sum) in sums.into_iter().enumerate() {
                let to = self.out.as_mut_ptr().add((tap + t) * self.channels + first);
                V::load(to).add(sum).store(to);
            }
        }
    }
}

impl Channelwise for DepthwiseWeightGradient<'_> {
    #[inline(always)]
    unsafe fn channels<V: Vector, const B: usize>(&mut self, first: usize) {
        for block in 0..B {
            let first = first + block * V::LANES;
            let mut tap = 0;
            // SAFETY: the caller's.
            unsafe {
                while tap + 9 <= self.taps.len() {
                    self.taps::<V, 9>(first, tap);
                    tap += 9;
                }
                while tap < self.taps.len() {
                    self.taps::<V, 1>(first, tap);
                    tap += 1;
                }
            }
        }
    }
}
