//! Moving, cropping and bending in one pass.

use rand::Rng;

use super::elastic::Elastic;
use super::{Augment, either_way};
use crate::data::Shape;

/// Parts of a pixel that positions are rounded to.
const FRACTION: u32 = 256;

/// The map from places in the variation to places in the original: `x' = x[0] * x + x[1] * y + x[2]`, y alike.
#[derive(Debug, PartialEq)]
pub(super) struct Affine {
    x: [f32; 3],
    y: [f32; 3],
}

impl Affine {
    pub(super) fn draw_inverse(augment: &Augment, shape: Shape, rng: &mut impl Rng) -> Affine {
        let (width, height) = (shape.width as f32, shape.height as f32);
        let scale = 1.0 + either_way(rng, augment.scale);
        let wide = scale * (1.0 + either_way(rng, augment.stretch));
        let (sin, cos) = either_way(rng, augment.rotation).to_radians().sin_cos();
        let shear = either_way(rng, augment.shear);
        let mirror = if augment.flip && rng.random() { -1.0 } else { 1.0 };
        let (dx, dy) = (width * either_way(rng, augment.shift), height * either_way(rng, augment.shift));
        // Forwards: mirror, scale, shear, rotate, shift. Backwards, with the shift and both middles taken out:
        let (xx, xy) = (cos, sin);
        let (yx, yy) = (-sin, cos);
        let (xx, xy) = (xx - shear * yx, xy - shear * yy);
        let (xx, xy) = (mirror * xx / wide, mirror * xy / wide);
        let (yx, yy) = (yx / scale, yy / scale);
        // Pixel i has its centre at i + 1/2.
        let (cx, cy) = (width / 2.0 - 0.5, height / 2.0 - 0.5);
        let whole = Affine {
            x: [xx, xy, cx - xx * (cx + dx) - xy * (cy + dy)],
            y: [yx, yy, cy - yx * (cx + dx) - yy * (cy + dy)],
        };
        if augment.crop == 0.0 {
            return whole;
        }
        // The window's side and its middle.
        let side = 1.0 - augment.crop * rng.random::<f32>();
        let (wx, wy) =
            (cx + either_way(rng, (1.0 - side) * width / 2.0), cy + either_way(rng, (1.0 - side) * height / 2.0));
        let window = |[a, b, c]: [f32; 3], own: f32, middle: f32| [side * a, side * b, side * (c - own) + middle];
        Affine { x: window(whole.x, cx, wx), y: window(whole.y, cy, wy) }
    }

    /// Whether every place is its own.
    pub(super) fn is_identity(&self) -> bool {
        *self == Affine { x: [1.0, 0.0, 0.0], y: [0.0, 1.0, 0.0] }
    }
}

/// Samples every plane of `from` where `back` and then `bend` say.
pub(super) fn warp(shape: Shape, back: &Affine, bend: Option<&Elastic>, from: &[u8], to: &mut [u8]) {
    let Shape { width, height, .. } = shape;
    let plane = width * height;
    if plane == 0 {
        return;
    }
    let (padded, stride) = pad(shape, from);
    let size = stride * (height + 3);
    let (mut xs, mut ys) = (vec![0.0; width], vec![0.0; width]);
    let (mut columns, mut rows) = (vec![0; width], vec![0; width]);
    for y in 0..height {
        let (x0, y0) = (back.x[1] * y as f32 + back.x[2], back.y[1] * y as f32 + back.y[2]);
        for (x, (sx, sy)) in xs.iter_mut().zip(&mut ys).enumerate() {
            *sx = back.x[0] * x as f32 + x0;
            *sy = back.y[0] * x as f32 + y0;
        }
        if let Some(bend) = bend {
            bend.add(y, &mut xs, &mut ys);
        }
        fix(&xs, width, &mut columns);
        fix(&ys, height, &mut rows);
        for (from, to) in padded.chunks_exact(size).zip(to.chunks_exact_mut(plane)) {
            let out = &mut to[y * width..][..width];
            for ((out, &column), &row) in out.iter_mut().zip(&columns).zip(&rows) {
                let at = (row / FRACTION) as usize * stride + (column / FRACTION) as usize;
                let four = &from[at..at + stride + 2];
                let [a, b, c, d] = [four[0], four[1], four[stride], four[stride + 1]].map(u32::from);
                let (fx, fy) = (column % FRACTION, row % FRACTION);
                let (upper, lower) = (a * (FRACTION - fx) + b * fx, c * (FRACTION - fx) + d * fx);
                let sum = upper * (FRACTION - fy) + lower * fy;
                *out = ((sum + FRACTION * FRACTION / 2) / (FRACTION * FRACTION)) as u8;
            }
        }
    }
}

/// Every plane with one more row and column of zeros before and two behind, and the length of a row.
fn pad(shape: Shape, from: &[u8]) -> (Vec<u8>, usize) {
    let Shape { width, height, channels } = shape;
    let stride = width + 3;
    let size = stride * (height + 3);
    let mut padded = vec![0; channels * size];
    for (from, to) in from.chunks_exact(width * height).zip(padded.chunks_exact_mut(size)) {
        for (from, to) in from.chunks_exact(width).zip(to.chunks_exact_mut(stride).skip(1)) {
            to[1..=width].copy_from_slice(from);
        }
    }
    (padded, stride)
}

/// Places along a side of `length`, in [`FRACTION`]s of a pixel of the padded plane; what is farther beyond an edge than one
/// pixel is one pixel beyond it, where there is nothing but zeros.
fn fix(places: &[f32], length: usize, fixed: &mut [u32]) {
    let last = (length + 1) as f32;
    for (place, fixed) in places.iter().zip(fixed) {
        *fixed = ((place + 1.0).clamp(0.0, last) * FRACTION as f32 + 0.5) as i32 as u32;
    }
}
