//! Convolution, BatchNorm and activation as one step over a batch, forward and backward, images laid out
//! `[row][column][channel]`.
//!
//! A batch is cut into at most [`TASKS`] runs of images whatever the number of threads, and sums over runs are taken in their
//! order: the result does not depend on which thread did what.

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::kernels::{DepthwiseGather, DepthwiseWeightGradient, Gather, WeightGradient, pack_columns, panel_width};
use super::memory::written_in_parts;
use super::normalize::{Affine, GradientInput, apply, apply_in_place, gradient_moments, moments};
use super::plan::{self, Class, Geometry, Plan};
use super::simd::Isa;

/// Runs of images that a batch is cut into.
const TASKS: usize = 16;

/// Output positions that a kernel gets at once, so that small images do not end in ragged tiles.
const POSITIONS: usize = 256;

thread_local! {
    /// Padded source, padded gradient and the gradient's panels of the images at hand.
    static SCRATCH: RefCell<[Vec<f32>; 3]> = const { RefCell::new([Vec::new(), Vec::new(), Vec::new()]) };
}

/// Weights as the kernels read them: one list for each class of a plan.
struct Packed(Vec<Vec<f32>>);

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Forward,
    Backward,
}

impl Packed {
    /// From `[out][in / groups][kernel row][kernel column]`.
    fn new(isa: Isa, geometry: &Geometry, plan: &Plan, weight: &[f32], direction: Direction) -> Packed {
        let [rows, columns] = geometry.kernel;
        let depth = geometry.depth();
        let at = |o: usize, c: usize, [ky, kx]: [usize; 2]| weight[((o * depth + c) * rows + ky) * columns + kx];
        let (inputs, outputs) = match direction {
            Direction::Forward => (geometry.input[0], geometry.out),
            Direction::Backward => (geometry.out, geometry.input[0]),
        };
        let pack = |class: &Class| {
            let mut packed = Vec::new();
            if geometry.depthwise {
                for &k in &class.kernel {
                    packed.extend((0..outputs).map(|c| at(c, 0, k)));
                }
                return packed;
            }
            let width = panel_width(isa, outputs);
            for first in (0..outputs).step_by(width) {
                for &k in &class.kernel {
                    for input in 0..inputs {
                        packed.extend((first..first + width).map(|output| match direction {
                            _ if output >= outputs => 0.0,
                            Direction::Forward => at(output, input, k),
                            Direction::Backward => at(input, output, k),
                        }));
                    }
                }
            }
            packed
        };
        Packed(plan.classes.iter().map(pack).collect())
    }
}

/// Convolves `images` images of `source`, which is padded as the plan says.
fn convolve(
    isa: Isa,
    plan: &Plan,
    packed: &Packed,
    columns: usize,
    depthwise: bool,
    source: &[f32],
    images: usize,
    out: &mut [f32],
) {
    for (class, weights) in plan.classes.iter().zip(&packed.0) {
        let count = images * class.per_image;
        let (base, dest) = (&class.base[..count], &class.dest[..count]);
        let taps = &class.taps;
        if depthwise {
            let channels = columns;
            DepthwiseGather { source, base, dest, taps, weights, channels, out }.run(isa);
        } else {
            Gather { source, base, dest, taps, depth: plan.source.channels, panels: weights, columns, out }.run(isa);
        }
    }
}

/// The runs of a batch of `n` images.
fn runs(n: usize) -> Vec<Range<usize>> {
    let tasks = n.min(TASKS);
    (0..tasks).map(|task| task * n / tasks..(task + 1) * n / tasks).collect()
}

/// The values of each run, `unit` of them an image.
fn lengths(runs: &[Range<usize>], unit: usize) -> Vec<usize> {
    runs.iter().map(|run| run.len() * unit).collect()
}

/// The padded copy of `images`, in `scratch` unless no border is needed.
fn padded<'a>(plan: &Plan, images: &'a [f32], unit: usize, scratch: &'a mut Vec<f32>) -> &'a [f32] {
    if plan.source.is_plain() {
        return images;
    }
    let len = plan.source.len();
    let count = images.len() / unit;
    grow(scratch, count * len);
    for (image, to) in images.chunks_exact(unit).zip(scratch.chunks_exact_mut(len)) {
        plan.source.fill(image, to);
    }
    &scratch[..count * len]
}

fn grow(scratch: &mut Vec<f32>, len: usize) {
    if scratch.len() < len {
        scratch.resize(len, 0.0);
    }
}

fn images_at_once(geometry: &Geometry, n: usize) -> usize {
    let largest_run = n.div_ceil(n.clamp(1, TASKS));
    (POSITIONS / geometry.positions().max(1)).clamp(1, largest_run)
}

/// The convolution of `n` images, followed on each group of images by `finish(output of the group, task's state)`; the states in
/// the order of the tasks.
fn convolved<S: Send>(
    isa: Isa,
    geometry: &Geometry,
    n: usize,
    x: &[f32],
    weight: &[f32],
    start: impl Fn() -> S + Sync,
    finish: impl Fn(&mut [f32], &mut S) + Sync,
) -> (Vec<f32>, Vec<S>) {
    let group = images_at_once(geometry, n);
    let plan = plan::forward(geometry, group);
    let packed = Packed::new(isa, geometry, &plan, weight, Direction::Forward);
    let (from, to) = (geometry.input_len(), geometry.output_len());
    let runs = runs(n);
    written_in_parts(&lengths(&runs, to), |index, z| {
        let run = &runs[index];
        let mut state = start();
        for x in x[run.start * from..run.end * from].chunks(group * from) {
            let images = x.len() / from;
            let z = z.next(images * to);
            SCRATCH.with_borrow_mut(|[scratch, _, _]| {
                let source = padded(&plan, x, from, scratch);
                convolve(isa, &plan, &packed, geometry.out, geometry.depthwise, source, images, z);
            });
            finish(z, &mut state);
        }
        state
    })
}

/// Mean and summed squared deviations of each channel.
#[derive(Clone)]
struct Moments {
    count: f64,
    mean: Vec<f64>,
    deviations: Vec<f64>,
}

impl Moments {
    fn new(channels: usize) -> Moments {
        Moments { count: 0.0, mean: vec![0.0; channels], deviations: vec![0.0; channels] }
    }

    /// The moments of both (Chan, Golub, LeVeque 1983).
    fn merge(&mut self, other: &Moments) {
        let count = self.count + other.count;
        if other.count == 0.0 {
            return;
        }
        for c in 0..self.mean.len() {
            let difference = other.mean[c] - self.mean[c];
            self.mean[c] += difference * other.count / count;
            self.deviations[c] += other.deviations[c] + difference * difference * self.count * other.count / count;
        }
        self.count = count;
    }

    /// Adds the values `[position][channel]`; sums are taken about the first position, so that a large mean costs no accuracy.
    fn add(&mut self, isa: Isa, z: &[f32]) {
        let channels = self.mean.len();
        let count = (z.len() / channels) as f64;
        let origin = &z[..channels];
        let (mut sum, mut squares) = (vec![0f32; channels], vec![0f32; channels]);
        moments(isa, z, origin, &mut sum, &mut squares);
        let mut other = Moments::new(channels);
        other.count = count;
        for c in 0..channels {
            let (s, q) = (f64::from(sum[c]), f64::from(squares[c]));
            other.mean[c] = f64::from(origin[c]) + s / count;
            other.deviations[c] = (q - s * s / count).max(0.0);
        }
        self.merge(&other);
    }
}

/// What the forward pass leaves.
pub(super) struct Trained {
    /// The convolution's sums.
    pub(super) z: Vec<f32>,
    /// The output.
    pub(super) y: Vec<f32>,
    /// BatchNorm's constants for this batch.
    pub(super) affine: Affine,
    /// Variance of each channel, biased.
    pub(super) variance: Vec<f32>,
}

/// Scale, shift and constants of a BatchNorm and its activation.
pub(super) struct Norm<'a> {
    pub(super) gamma: &'a [f32],
    pub(super) beta: &'a [f32],
    pub(super) epsilon: f64,
    /// Slope of the activation's negative side, 0 to 1.
    pub(super) slope: f32,
}

/// Forward pass of a training step: the batch's own statistics normalize it.
pub(super) fn forward(isa: Isa, geometry: &Geometry, n: usize, x: &[f32], weight: &[f32], norm: &Norm<'_>) -> Trained {
    let start = || Moments::new(geometry.out);
    let (z, states) = convolved(isa, geometry, n, x, weight, start, |z, state: &mut Moments| state.add(isa, z));
    let mut total = Moments::new(geometry.out);
    states.iter().for_each(|state| total.merge(state));
    let variance: Vec<f64> = total.deviations.iter().map(|deviations| deviations / total.count.max(1.0)).collect();
    let scale = norm
        .gamma
        .iter()
        .zip(&variance)
        .map(|(&gamma, variance)| (f64::from(gamma) / (variance + norm.epsilon).sqrt()) as f32)
        .collect();
    let affine = Affine {
        mean: total.mean.iter().map(|&mean| mean as f32).collect(),
        scale,
        shift: norm.beta.to_vec(),
        slope: norm.slope,
    };
    let runs = runs(n);
    let unit = geometry.output_len();
    let (y, _) = written_in_parts(&lengths(&runs, unit), |index, y| {
        for image in runs[index].clone() {
            apply(isa, &affine, &z[image * unit..(image + 1) * unit], y.next(unit));
        }
    });
    Trained { z, y, affine, variance: variance.iter().map(|&variance| variance as f32).collect() }
}

/// Forward pass of inference: `activation(affine(convolution))`.
pub(super) fn infer(isa: Isa, geometry: &Geometry, n: usize, x: &[f32], weight: &[f32], affine: &Affine) -> Vec<f32> {
    let finish = |z: &mut [f32], _: &mut ()| apply_in_place(isa, affine, z);
    convolved(isa, geometry, n, x, weight, || (), finish).0
}

/// The gradients of one step.
pub(super) struct Gradients {
    /// Of the input, if it was asked for.
    pub(super) x: Option<Vec<f32>>,
    /// `[out][in / groups][kernel row][kernel column]`.
    pub(super) weight: Vec<f32>,
    pub(super) gamma: Vec<f32>,
    pub(super) beta: Vec<f32>,
}

/// What the backward pass needs of the forward pass.
pub(super) struct Saved<'a> {
    pub(super) x: &'a [f32],
    pub(super) z: &'a [f32],
    pub(super) weight: &'a [f32],
    pub(super) affine: &'a Affine,
    /// `1 / sqrt(variance + epsilon)` of each channel.
    pub(super) inverse_deviation: &'a [f32],
}

/// Backward pass of a training step, from `dy`, the gradient of the output.
///
/// With `g = dy * activation'(u)` and `t = z - mean` over the batch's `m` positions: `dbeta = sum g`,
/// `dgamma = sum(g t) / deviation`, `dz = scale * (g - sum(g) / m - t * sum(g t) / (m * deviation^2))`.
pub(super) fn backward(
    isa: Isa,
    geometry: &Geometry,
    n: usize,
    saved: &Saved<'_>,
    dy: &[f32],
    wants_dx: bool,
) -> Gradients {
    let channels = geometry.out;
    let unit = geometry.output_len();
    let runs = runs(n);
    let sums: Vec<[Vec<f64>; 2]> = runs
        .par_iter()
        .map(|run| {
            let mut total = [vec![0f64; channels], vec![0f64; channels]];
            for image in run.clone() {
                let at = image * unit..(image + 1) * unit;
                let mut sums = [vec![0f32; channels], vec![0f32; channels]];
                let [sum, product] = &mut sums;
                gradient_moments(isa, saved.affine, &saved.z[at.clone()], &dy[at], sum, product);
                for (total, sums) in total.iter_mut().zip(&sums) {
                    total.iter_mut().zip(sums).for_each(|(t, &s)| *t += f64::from(s));
                }
            }
            total
        })
        .collect();
    let total = |which: usize, c: usize| sums.iter().map(|run| run[which][c]).sum::<f64>();
    let count = (n * geometry.positions()) as f64;
    let (mut gamma, mut beta) = (vec![0f32; channels], vec![0f32; channels]);
    let (mut factor, mut constant) = (vec![0f32; channels], vec![0f32; channels]);
    for c in 0..channels {
        let (sum, product) = (total(0, c), total(1, c));
        let inverse = f64::from(saved.inverse_deviation[c]);
        let scale = f64::from(saved.affine.scale[c]);
        beta[c] = sum as f32;
        gamma[c] = (product * inverse) as f32;
        constant[c] = (-scale * sum / count) as f32;
        factor[c] = (-scale * inverse * inverse * product / count) as f32;
    }
    let (x, weight) = through_convolution(isa, geometry, n, saved, dy, [&factor, &constant], wants_dx);
    Gradients { x, weight, gamma, beta }
}

/// From `dy` to the gradients of the convolution's input, if it is asked for, and of its weight.
fn through_convolution(
    isa: Isa,
    geometry: &Geometry,
    n: usize,
    saved: &Saved<'_>,
    dy: &[f32],
    [factor, constant]: [&[f32]; 2],
    wants_dx: bool,
) -> (Option<Vec<f32>>, Vec<f32>) {
    let group = images_at_once(geometry, n);
    let reading = plan::forward(geometry, group);
    let plan = plan::backward(geometry, group);
    let packed = Packed::new(isa, geometry, &plan, saved.weight, Direction::Backward);
    let positions = plan.source.positions(group);
    let weight_sum = WeightSum::new(isa, geometry, &reading.classes[0]);
    let (from, to) = (geometry.input_len(), geometry.output_len());
    let runs = runs(n);
    let written = if wants_dx { from } else { 0 };
    let (dx, weights) = written_in_parts(&lengths(&runs, written), |index, dx| {
        let run = &runs[index];
        let mut dweight = weight_sum.zero();
        for first in run.clone().step_by(group) {
            let images = group.min(run.end - first);
            let x = &saved.x[first * from..(first + images) * from];
            let range = first * to..(first + images) * to;
            let at = &positions[..images * geometry.positions()];
            SCRATCH.with_borrow_mut(|[x_scratch, dz, panels]| {
                let len = images * plan.source.len();
                grow(dz, len);
                let plain = plan.source.is_plain();
                if !plain {
                    dz[..len].fill(0.0);
                }
                let (z, dy) = (&saved.z[range.clone()], &dy[range]);
                GradientInput { affine: saved.affine, factor, constant, z, dy, at, dz: &mut dz[..] }.run(isa);
                let source = padded(&reading, x, from, x_scratch);
                weight_sum.add(source, dz, at, plain, panels, &mut dweight);
                if wants_dx {
                    let (columns, depthwise) = (geometry.input[0], geometry.depthwise);
                    convolve(isa, &plan, &packed, columns, depthwise, dz, images, dx.next(images * from));
                }
            });
        }
        dweight
    });
    (wants_dx.then_some(dx), weight_sum.unpack(&weights))
}

/// The weight's gradient, summed over groups of images as `[kernel position][in / groups][out]`.
struct WeightSum<'a> {
    isa: Isa,
    geometry: &'a Geometry,
    class: &'a Class,
    /// Where the padded source has each kernel position and channel, from an output position's base.
    rows: Vec<usize>,
}

impl<'a> WeightSum<'a> {
    fn new(isa: Isa, geometry: &'a Geometry, class: &'a Class) -> WeightSum<'a> {
        let depth = geometry.depth();
        let rows = class.taps.iter().flat_map(|&tap| (0..depth).map(move |k| tap + k)).collect();
        WeightSum { isa, geometry, class, rows }
    }

    fn zero(&self) -> Vec<f32> {
        vec![0.0; self.rows.len() * self.geometry.out]
    }

    /// Adds the part of images whose padded input is `source` and whose output's gradient lies in `gradient` at `at`; `plain`: one
    /// position after the other.
    fn add(&self, source: &[f32], gradient: &[f32], at: &[usize], plain: bool, panels: &mut Vec<f32>, out: &mut [f32]) {
        let base = &self.class.base[..at.len()];
        let columns = self.geometry.out;
        if self.geometry.depthwise {
            let taps = &self.class.taps;
            DepthwiseWeightGradient { source, base, gradient, at, taps, channels: columns, out }.run(self.isa);
            return;
        }
        let width = panel_width(self.isa, columns);
        let (gradient, panel, step) = if plain && columns.is_multiple_of(width) {
            (gradient, width, columns)
        } else {
            pack_columns(gradient, at, columns, width, panels);
            (&panels[..], width * at.len(), width)
        };
        WeightGradient { source, base, gradient, panel, step, rows: &self.rows, columns, out }.run(self.isa);
    }

    /// The sum of the tasks' gradients as `[out][in / groups][kernel position]`.
    fn unpack(&self, tasks: &[Vec<f32>]) -> Vec<f32> {
        let (taps, depth, out) = (self.class.kernel.len(), self.geometry.depth(), self.geometry.out);
        let mut weight = vec![0f32; taps * depth * out];
        weight.par_chunks_mut(taps * depth).enumerate().for_each(|(o, weight)| {
            for k in 0..depth {
                for t in 0..taps {
                    let at = (t * depth + k) * out + o;
                    weight[k * taps + t] = tasks.iter().map(|task| task[at]).sum();
                }
            }
        });
        weight
    }
}
