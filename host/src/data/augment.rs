//! Light variation of input tensors while training.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{DataError, Shape};

/// How far a training sample may be varied. Every value is drawn evenly between its bounds; nothing is varied by default.
///
/// The tensor is moved about its middle and sampled bilinearly, 0 being beyond its edges. Then each value `t` becomes
/// `t * contrast + brightness`, rounded to the nearest and saturated; that 0 stays 0, so that borders remain what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Shift along either axis, up to this part of the side.
    pub shift: f32,
    /// Scale from `1 - scale` to `1 + scale`.
    pub scale: f32,
    /// Ratio of width to height, from `1 - stretch` to `1 + stretch` times the former.
    pub stretch: f32,
    /// Rotation either way, up to this many degrees.
    pub rotation: f32,
    /// Horizontal shear either way, in columns a row.
    pub shear: f32,
    /// Mirror left and right in half of the cases.
    pub flip: bool,
    /// Factor from `1 - contrast` to `1 + contrast`.
    pub contrast: f32,
    /// Summand from `-brightness` to `brightness`, 1 being the whole range.
    pub brightness: f32,
}

impl Augment {
    /// Whether nothing is varied.
    pub fn is_none(&self) -> bool {
        *self == Augment::default()
    }

    /// Refuses parameters out of their range.
    pub fn check(&self) -> Result<(), DataError> {
        let limits = [
            ("shift", self.shift, 1.0),
            ("scale", self.scale, 0.9),
            ("stretch", self.stretch, 0.9),
            ("rotation", self.rotation, 180.0),
            ("shear", self.shear, 2.0),
            ("contrast", self.contrast, 1.0),
            ("brightness", self.brightness, 1.0),
        ];
        for (name, value, limit) in limits {
            if !(0.0..=limit).contains(&value) {
                return Err(DataError::Augment { name, value, limit });
            }
        }
        Ok(())
    }

    /// Writes a variation of the tensor `from` to `to`, both of `shape`.
    pub fn apply(&self, shape: Shape, from: &[u8], to: &mut [u8], rng: &mut impl Rng) {
        if self.is_none() {
            to.copy_from_slice(from);
            return;
        }
        let back = self.draw_inverse(shape, rng);
        let plane = (shape.height * shape.width).max(1);
        for (from, to) in from.chunks_exact(plane).zip(to.chunks_exact_mut(plane)) {
            warp(shape, &back, from, to);
        }
        if self.contrast > 0.0 || self.brightness > 0.0 {
            let factor = 1.0 + either_way(rng, self.contrast);
            let summand = 255.0 * either_way(rng, self.brightness);
            for value in to.iter_mut().filter(|value| **value > 0) {
                *value = (f32::from(*value) * factor + summand + 0.5) as u8;
            }
        }
    }

    /// The map from places in the variation to places in the original.
    fn draw_inverse(&self, shape: Shape, rng: &mut impl Rng) -> Affine {
        let (width, height) = (shape.width as f32, shape.height as f32);
        let scale = 1.0 + either_way(rng, self.scale);
        let wide = scale * (1.0 + either_way(rng, self.stretch));
        let (sin, cos) = either_way(rng, self.rotation).to_radians().sin_cos();
        let shear = either_way(rng, self.shear);
        let mirror = if self.flip && rng.random() { -1.0 } else { 1.0 };
        let (dx, dy) = (width * either_way(rng, self.shift), height * either_way(rng, self.shift));
        // Forwards: mirror, scale, shear, rotate, shift. Backwards, with the shift and both middles taken out:
        let (xx, xy) = (cos, sin);
        let (yx, yy) = (-sin, cos);
        let (xx, xy) = (xx - shear * yx, xy - shear * yy);
        let (xx, xy) = (mirror * xx / wide, mirror * xy / wide);
        let (yx, yy) = (yx / scale, yy / scale);
        // Pixel i has its centre at i + 1/2.
        let (cx, cy) = (width / 2.0 - 0.5, height / 2.0 - 0.5);
        Affine { x: [xx, xy, cx - xx * (cx + dx) - xy * (cy + dy)], y: [yx, yy, cy - yx * (cx + dx) - yy * (cy + dy)] }
    }
}

/// `x' = x[0] * x + x[1] * y + x[2]`, y alike.
struct Affine {
    x: [f32; 3],
    y: [f32; 3],
}

fn either_way(rng: &mut impl Rng, bound: f32) -> f32 {
    bound * rng.random_range(-1.0..=1.0)
}

/// Samples one plane.
fn warp(shape: Shape, back: &Affine, from: &[u8], to: &mut [u8]) {
    let pixel = |x: i32, y: i32| -> f32 {
        let inside = (0..shape.width as i32).contains(&x) && (0..shape.height as i32).contains(&y);
        match inside {
            true => f32::from(from[y as usize * shape.width + x as usize]),
            false => 0.0,
        }
    };
    for (i, out) in to.iter_mut().enumerate() {
        let (x, y) = ((i % shape.width) as f32, (i / shape.width) as f32);
        let sx = back.x[0] * x + back.x[1] * y + back.x[2];
        let sy = back.y[0] * x + back.y[1] * y + back.y[2];
        let (left, top) = (sx.floor(), sy.floor());
        let (fx, fy) = (sx - left, sy - top);
        let (left, top) = (left as i32, top as i32);
        let (a, b) = (pixel(left, top), pixel(left + 1, top));
        let (c, d) = (pixel(left, top + 1), pixel(left + 1, top + 1));
        let (upper, lower) = (a + fx * (b - a), c + fx * (d - c));
        *out = (upper + fy * (lower - upper) + 0.5) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    const SHAPE: Shape = Shape { height: 5, width: 5, channels: 1 };

    /// A blurred spot about (x, y), so that its centre of mass can be measured.
    fn spot(x: i32, y: i32) -> Vec<u8> {
        let value = |i: i32| match (i % 5 - x).abs() + (i / 5 - y).abs() {
            0 => 200,
            1 => 50,
            _ => 0,
        };
        (0..25).map(value).collect()
    }

    fn centre(tensor: &[u8]) -> (f32, f32) {
        let mut sums = (0.0, 0.0, 0.0);
        for (i, &value) in tensor.iter().enumerate() {
            let value = f32::from(value);
            sums = (sums.0 + value, sums.1 + value * (i % 5) as f32, sums.2 + value * (i / 5) as f32);
        }
        (sums.1 / sums.0, sums.2 / sums.0)
    }

    fn vary(augment: Augment, from: &[u8], seed: u64) -> Vec<u8> {
        augment.check().expect("in range");
        let mut to = vec![7; from.len()];
        augment.apply(SHAPE, from, &mut to, &mut ChaCha8Rng::seed_from_u64(seed));
        to
    }

    #[test]
    fn none_is_a_copy() {
        let from: Vec<u8> = (0..25).map(|i| i * 10).collect();
        assert_eq!(vary(Augment::default(), &from, 1), from);
    }

    #[test]
    fn each_parameter_moves_the_spot_as_it_says() {
        for seed in 0..50 {
            let at = |augment, x, y| centre(&vary(augment, &spot(x, y), seed));
            let near = |(x, y): (f32, f32), (u, v): (f32, f32)| (x - u).abs().max((y - v).abs()) < 0.06;

            let shift = Augment { shift: 0.2, ..Augment::default() };
            let (x, y) = at(shift, 2, 2);
            assert!((x - 2.0).abs() <= 1.06 && (y - 2.0).abs() <= 1.06, "{x} {y}");

            let rotation = Augment { rotation: 180.0, ..Augment::default() };
            assert!(near(at(rotation, 2, 2), (2.0, 2.0)), "the middle stays");
            let (x, y) = at(rotation, 3, 2);
            assert!(((x - 2.0).hypot(y - 2.0) - 1.0).abs() < 0.1, "the distance stays");

            let scale = Augment { scale: 0.3, ..Augment::default() };
            let (x, y) = at(scale, 3, 2);
            assert!((0.6..1.4).contains(&(x - 2.0)) && (y - 2.0).abs() < 0.06, "{x} {y}");

            let shear = Augment { shear: 0.5, ..Augment::default() };
            assert!(near(at(shear, 2, 2), (2.0, 2.0)));
            let (x, y) = at(shear, 2, 3);
            assert!((x - 2.0).abs() < 0.6 && (y - 3.0).abs() < 0.06, "{x} {y}");

            let flip = Augment { flip: true, ..Augment::default() };
            let flipped = vary(flip, &spot(1, 3), seed);
            assert!(flipped == spot(1, 3) || flipped == spot(3, 3));
        }
    }

    #[test]
    fn every_parameter_varies() {
        let cases = [
            Augment { shift: 0.3, ..Augment::default() },
            Augment { scale: 0.3, ..Augment::default() },
            Augment { stretch: 0.3, ..Augment::default() },
            Augment { rotation: 30.0, ..Augment::default() },
            Augment { shear: 0.3, ..Augment::default() },
            Augment { flip: true, ..Augment::default() },
            Augment { contrast: 0.3, ..Augment::default() },
            Augment { brightness: 0.3, ..Augment::default() },
        ];
        for augment in cases {
            let seen: std::collections::HashSet<_> = (0..20).map(|seed| vary(augment, &spot(3, 1), seed)).collect();
            assert!(seen.len() > 1, "{augment:?}");
        }
    }

    #[test]
    fn black_stays_black_in_any_light() {
        let light = Augment { contrast: 0.5, brightness: 0.5, ..Augment::default() };
        for seed in 0..20 {
            let from = spot(2, 2);
            let to = vary(light, &from, seed);
            assert!(from.iter().zip(&to).all(|(&f, &t)| f > 0 || t == 0));
        }
    }

    #[test]
    fn planes_move_together() {
        let shape = Shape { channels: 3, ..SHAPE };
        let grey = spot(3, 1).repeat(3);
        let augment = Augment { rotation: 40.0, shift: 0.1, contrast: 0.2, ..Augment::default() };
        let mut to = vec![0; 75];
        augment.apply(shape, &grey, &mut to, &mut ChaCha8Rng::seed_from_u64(5));
        assert_eq!(to, vary(augment, &spot(3, 1), 5).repeat(3));
    }

    #[test]
    fn out_of_range_is_refused() {
        for augment in [
            Augment { scale: 1.0, ..Augment::default() },
            Augment { shift: -0.1, ..Augment::default() },
            Augment { shear: f32::NAN, ..Augment::default() },
        ] {
            assert!(augment.check().is_err(), "{augment:?}");
        }
    }
}
