//! Variation of input tensors while training.

mod elastic;
mod light;
mod strokes;
mod warp;

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{DataError, Shape};
use elastic::Elastic;
use warp::Affine;

/// How far a training sample may be varied. Every value is drawn evenly between its bounds; nothing is varied by default.
///
/// In this order: the tensor is moved about its middle, cropped and bent in one pass, sampled bilinearly (in 256ths of a
/// pixel), 0 being beyond its edges; strokes change their width; each value `t` becomes `t * contrast + brightness`, where 0
/// stays 0, so that borders remain what they are; noise is added; a rectangle is erased. Every step rounds to the nearest and
/// saturates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
    /// A window of `1 - crop` to 1 times the sides, anywhere in the tensor, is brought to the whole size.
    pub crop: f32,
    /// Elastic deformation: standard deviation of the displacements, up to this part of the shorter side.
    pub elastic: f32,
    /// Its smoothness: standard deviation of the Gaussian that smooths the displacements, a part of the shorter side.
    pub elastic_sigma: f32,
    /// Light strokes grow or shrink by up to this many pixels on each of their sides.
    pub stroke: f32,
    /// Factor from `1 - contrast` to `1 + contrast`.
    pub contrast: f32,
    /// Summand from `-brightness` to `brightness`, 1 being the whole range.
    pub brightness: f32,
    /// Noise on every value: its standard deviation, from 0 to `noise`, 1 being the whole range.
    pub noise: f32,
    /// A rectangle anywhere becomes 0 (Zhong et al. 2017, random erasing): each side from 0 to this part of the tensor's.
    pub erase: f32,
}

impl Default for Augment {
    fn default() -> Self {
        Augment {
            shift: 0.0,
            scale: 0.0,
            stretch: 0.0,
            rotation: 0.0,
            shear: 0.0,
            flip: false,
            crop: 0.0,
            elastic: 0.0,
            // Simard et al.: 4 of 29 pixels.
            elastic_sigma: 0.14,
            stroke: 0.0,
            contrast: 0.0,
            brightness: 0.0,
            noise: 0.0,
            erase: 0.0,
        }
    }
}

impl Augment {
    /// Whether nothing is varied.
    pub fn is_none(&self) -> bool {
        let unbent = Augment::default().elastic_sigma;
        Augment { elastic_sigma: unbent, ..*self } == Augment::default()
    }

    /// Refuses parameters out of their range.
    pub fn check(&self) -> Result<(), DataError> {
        let limits = [
            ("shift", self.shift, 1.0),
            ("scale", self.scale, 0.9),
            ("stretch", self.stretch, 0.9),
            ("rotation", self.rotation, 180.0),
            ("shear", self.shear, 2.0),
            ("crop", self.crop, 0.9),
            ("elastic", self.elastic, 0.5),
            ("elastic_sigma", self.elastic_sigma, 1.0),
            ("stroke", self.stroke, 4.0),
            ("contrast", self.contrast, 1.0),
            ("brightness", self.brightness, 1.0),
            ("noise", self.noise, 1.0),
            ("erase", self.erase, 1.0),
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
        let back = Affine::draw_inverse(self, shape, rng);
        let bend = (self.elastic > 0.0).then(|| Elastic::draw(self, shape, rng));
        if back.is_identity() && bend.is_none() {
            to.copy_from_slice(from);
        } else {
            warp::warp(shape, &back, bend.as_ref(), from, to);
        }
        if self.stroke > 0.0 {
            strokes::widen(shape, either_way(rng, self.stroke), to);
        }
        if self.contrast > 0.0 || self.brightness > 0.0 {
            light::tone(1.0 + either_way(rng, self.contrast), either_way(rng, self.brightness), to);
        }
        if self.noise > 0.0 {
            light::noise(self.noise * rng.random::<f32>(), to, rng);
        }
        if self.erase > 0.0 {
            light::erase(shape, self.erase, to, rng);
        }
    }
}

fn either_way(rng: &mut impl Rng, bound: f32) -> f32 {
    bound * rng.random_range(-1.0..=1.0)
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
    fn a_crop_enlarges_a_window() {
        let shape = Shape { height: 40, width: 40, channels: 1 };
        let ramp: Vec<u8> = (0..1600).map(|i| 40 + (i % 40) * 4).map(|v| v as u8).collect();
        let crop = Augment { crop: 0.5, ..Augment::default() };
        let (mut lowest, mut highest) = (f32::MAX, f32::MIN);
        for seed in 0..50 {
            let mut to = vec![0; 1600];
            crop.apply(shape, &ramp, &mut to, &mut ChaCha8Rng::seed_from_u64(seed));
            // Away from the edges, where a window at the tensor's own edge mixes with what is beyond.
            let (first, last) = (f32::from(to[20 * 40 + 1]), f32::from(to[20 * 40 + 38]));
            let side = (last - first) / (4.0 * 37.0);
            assert!((0.48..1.02).contains(&side), "{side}");
            assert!(first >= 39.0 && last <= 200.0, "{first} {last}");
            (lowest, highest) = (lowest.min(first), highest.max(last));
        }
        assert!(lowest < 60.0 && highest > 180.0, "windows lie everywhere");
    }

    #[test]
    fn bending_keeps_the_ink() {
        let shape = Shape { height: 28, width: 28, channels: 1 };
        let square: Vec<u8> = (0..784)
            .map(|i| if (9..19).contains(&(i % 28)) && (9..19).contains(&(i / 28)) { 250 } else { 0 })
            .collect();
        let ink = |tensor: &[u8]| tensor.iter().map(|&v| f64::from(v)).sum::<f64>();
        let bend = Augment { elastic: 0.03, ..Augment::default() };
        for seed in 0..50 {
            let mut to = vec![0; 784];
            bend.apply(shape, &square, &mut to, &mut ChaCha8Rng::seed_from_u64(seed));
            let ratio = ink(&to) / ink(&square);
            assert!((0.6..1.6).contains(&ratio), "{ratio}");
            // Displacements of four deviations and more are as good as never.
            let far = (0..784).any(|i| to[i] > 0 && !((4..24).contains(&(i % 28)) && (4..24).contains(&(i / 28))));
            assert!(!far, "seed {seed}");
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
            Augment { crop: 0.5, ..Augment::default() },
            Augment { elastic: 0.1, ..Augment::default() },
            Augment { stroke: 0.7, ..Augment::default() },
            Augment { contrast: 0.3, ..Augment::default() },
            Augment { brightness: 0.3, ..Augment::default() },
            Augment { noise: 0.2, ..Augment::default() },
            Augment { erase: 0.9, ..Augment::default() },
        ];
        for augment in cases {
            assert!(!augment.is_none(), "{augment:?}");
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
    fn any_shape_is_varied() {
        let all = Augment {
            shift: 1.0,
            scale: 0.9,
            stretch: 0.9,
            rotation: 180.0,
            shear: 2.0,
            flip: true,
            crop: 0.9,
            elastic: 0.5,
            elastic_sigma: 0.0,
            stroke: 4.0,
            contrast: 1.0,
            brightness: 1.0,
            noise: 1.0,
            erase: 1.0,
        };
        all.check().expect("the limits are in range");
        for (height, width, channels) in [(0, 0, 0), (0, 4, 1), (4, 0, 1), (1, 1, 1), (1, 9, 1), (9, 1, 2), (3, 5, 3)] {
            let shape = Shape { height, width, channels };
            for (seed, elastic_sigma) in [(1, 0.0), (2, 0.14), (3, 1.0)] {
                let augment = Augment { elastic_sigma, ..all };
                let from = vec![200; shape.bytes()];
                let [one, two] = [0, 9].map(|before| {
                    let mut to = vec![before; shape.bytes()];
                    augment.apply(shape, &from, &mut to, &mut ChaCha8Rng::seed_from_u64(seed));
                    to
                });
                assert_eq!(one, two, "what was there before does not matter");
            }
        }
    }

    #[test]
    fn keys_that_are_missing_vary_nothing() {
        let augment: Augment = serde_json::from_str(r#"{"shift": 0.1, "flip": true}"#).expect("an augmentation");
        assert_eq!(augment, Augment { shift: 0.1, flip: true, ..Augment::default() });
        let sigma = Augment { elastic_sigma: 0.3, ..Augment::default() };
        assert!(sigma.is_none(), "smoothness alone bends nothing");
    }

    #[test]
    fn out_of_range_is_refused() {
        for augment in [
            Augment { scale: 1.0, ..Augment::default() },
            Augment { shift: -0.1, ..Augment::default() },
            Augment { shear: f32::NAN, ..Augment::default() },
            Augment { elastic: 0.6, ..Augment::default() },
            Augment { stroke: -1.0, ..Augment::default() },
        ] {
            assert!(augment.check().is_err(), "{augment:?}");
        }
    }
}
