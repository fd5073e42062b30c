//! The inner loops of BatchNorm with its activation, over images laid out `[position][channel]`.
#![allow(unsafe_code)]

use super::kernels::{Channelwise, each_channel};
use super::simd::{Isa, Vector};

/// BatchNorm of one batch: `t = z - mean`, `u = t * scale + shift`, `y = u > 0 ? u : slope * u`, channel by channel.
#[derive(Clone, Debug)]
pub(super) struct Affine {
    pub(super) mean: Vec<f32>,
    /// `gamma / sqrt(variance + epsilon)`.
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
    /// Slope of the activation's negative side, 0 to 1.
    pub(super) slope: f32,
}

impl Affine {
    fn channels(&self) -> usize {
        self.mean.len()
    }

    fn check(&self) {
        assert_eq!(self.scale.len(), self.channels());
        assert_eq!(self.shift.len(), self.channels());
    }

    /// The constants of `B` vectors of channels.
    ///
    /// # Safety
    /// `first + B * LANES` channels must exist.
    #[inline(always)]
    unsafe fn load<V: Vector, const B: usize>(&self, first: usize) -> [[V; B]; 3] {
        // SAFETY: the caller's; `check` has made the three lists equally long.
        unsafe {
            let mut all = [[V::splat(0.0); B]; 3];
            for b in 0..B {
                let at = first + b * V::LANES;
                all[0][b] = V::load(self.mean.as_ptr().add(at));
                all[1][b] = V::load(self.scale.as_ptr().add(at));
                all[2][b] = V::load(self.shift.as_ptr().add(at));
            }
            all
        }
    }
}

/// `sum[c] += sum of (z - origin[c])`, `squares[c] += sum of (z - origin[c])^2` over all positions.
pub(super) fn moments(isa: Isa, z: &[f32], origin: &[f32], sum: &mut [f32], squares: &mut [f32]) {
    let channels = origin.len();
    assert!(sum.len() == channels && squares.len() == channels);
    assert_eq!(z.len() % channels, 0);
    // SAFETY: the lengths were checked above.
    unsafe { each_channel(isa, channels, &mut Moments { z, origin, sum, squares }) };
}

struct Moments<'a> {
    z: &'a [f32],
    origin: &'a [f32],
    sum: &'a mut [f32],
    squares: &'a mut [f32],
}

impl Channelwise for Moments<'_> {
    #[inline(always)]
    unsafe fn channels<V: Vector, const B: usize>(&mut self, first: usize) {
        let channels = self.origin.len();
        // SAFETY: `moments` has checked the lengths, `each_channel` keeps the block within the channels.
        unsafe {
            let mut origin = [V::splat(0.0); B];
            let mut sum = [V::splat(0.0); B];
            let mut squares = [V::splat(0.0); B];
            for b in 0..B {
                origin[b] = V::load(self.origin.as_ptr().add(first + b * V::LANES));
            }
            for q in 0..self.z.len() / channels {
                let z = self.z.as_ptr().add(q * channels + first);
                for b in 0..B {
                    let t = V::load(z.add(b * V::LANES)).sub(origin[b]);
                    sum[b] = sum[b].add(t);
                    squares[b] = t.mul_add(t, squares[b]);
                }
            }
            for b in 0..B {
                let at = first + b * V::LANES;
                let (s, q) = (self.sum.as_mut_ptr().add(at), self.squares.as_mut_ptr().add(at));
                V::load(s).add(sum[b]).store(s);
                V::load(q).add(squares[b]).store(q);
            }
        }
    }
}

/// `y = activation(affine(z))`, position by position.
pub(super) fn apply(isa: Isa, affine: &Affine, z: &[f32], y: &mut [f32]) {
    affine.check();
    assert_eq!(z.len(), y.len());
    assert_eq!(z.len() % affine.channels(), 0);
    let mut work = Apply { affine, z: z.as_ptr(), y: y.as_mut_ptr(), len: y.len() };
    // SAFETY: `z` and `y` have `len` values each, whole positions of all channels.
    unsafe { each_channel(isa, affine.channels(), &mut work) };
}

/// `z = activation(affine(z))`, position by position.
pub(super) fn apply_in_place(isa: Isa, affine: &Affine, z: &mut [f32]) {
    affine.check();
    assert_eq!(z.len() % affine.channels(), 0);
    let y = z.as_mut_ptr();
    let mut work = Apply { affine, z: y, y, len: z.len() };
    // SAFETY: as above; that both are the same memory makes no difference, as each value is read before its place is written.
    unsafe { each_channel(isa, affine.channels(), &mut work) };
}

struct Apply<'a> {
    affine: &'a Affine,
    /// `len` values.
    z: *const f32,
    /// As many, perhaps the same.
    y: *mut f32,
    len: usize,
}

impl Channelwise for Apply<'_> {
    #[inline(always)]
    unsafe fn channels<V: Vector, const B: usize>(&mut self, first: usize) {
        let channels = self.affine.channels();
        // SAFETY: the caller's; `each_channel` keeps the block within the channels.
        unsafe {
            let [mean, scale, shift] = self.affine.load::<V, B>(first);
            let slope = V::splat(self.affine.slope);
            for q in 0..self.len / channels {
                let at = q * channels + first;
                for b in 0..B {
                    let at = at + b * V::LANES;
                    let t = V::load(self.z.add(at)).sub(mean[b]);
                    let u = t.mul_add(scale[b], shift[b]);
                    u.max(u.mul(slope)).store(self.y.add(at));
                }
            }
        }
    }
}

/// `sum[c] += sum of g`, `product[c] += sum of g * t`, where `g = dy * activation'(u)`, over all positions.
pub(super) fn gradient_moments(isa: Isa, affine: &Affine, z: &[f32], dy: &[f32], sum: &mut [f32], product: &mut [f32]) {
    affine.check();
    let channels = affine.channels();
    assert!(sum.len() == channels && product.len() == channels);
    assert_eq!(z.len(), dy.len());
    assert_eq!(z.len() % channels, 0);
    // SAFETY: the lengths were checked above.
    unsafe { each_channel(isa, channels, &mut GradientMoments { affine, z, dy, sum, product }) };
}

struct GradientMoments<'a> {
    affine: &'a Affine,
    z: &'a [f32],
    dy: &'a [f32],
    sum: &'a mut [f32],
    product: &'a mut [f32],
}

impl Channelwise for GradientMoments<'_> {
    #[inline(always)]
    unsafe fn channels<V: Vector, const B: usize>(&mut self, first: usize) {
        let channels = self.affine.channels();
        // SAFETY: `gradient_moments` has checked the lengths, `each_channel` keeps the block within the channels.
        unsafe {
            let [mean, scale, shift] = self.affine.load::<V, B>(first);
            let slope = V::splat(self.affine.slope);
            let mut sum = [V::splat(0.0); B];
            let mut product = [V::splat(0.0); B];
            for q in 0..self.z.len() / channels {
                let at = q * channels + first;
                for b in 0..B {
                    let at = at + b * V::LANES;
                    let t = V::load(self.z.as_ptr().add(at)).sub(mean[b]);
                    let dy = V::load(self.dy.as_ptr().add(at));
                    let u = t.mul_add(scale[b], shift[b]);
                    let g = u.where_positive(dy, dy.mul(slope));
                    sum[b] = sum[b].add(g);
                    product[b] = g.mul_add(t, product[b]);
                }
            }
            for b in 0..B {
                let at = first + b * V::LANES;
                let (s, p) = (self.sum.as_mut_ptr().add(at), self.product.as_mut_ptr().add(at));
                V::load(s).add(sum[b]).store(s);
                V::load(p).add(product[b]).store(p);
            }
        }
    }
}

/// `dz[at[q] + c] = g * scale[c] + t * factor[c] + constant[c]`, where `g = dy * activation'(u)`, for every position `q`.
pub(super) struct GradientInput<'a> {
    pub(super) affine: &'a Affine,
    pub(super) factor: &'a [f32],
    pub(super) constant: &'a [f32],
    pub(super) z: &'a [f32],
    pub(super) dy: &'a [f32],
    pub(super) at: &'a [usize],
    pub(super) dz: &'a mut [f32],
}

impl GradientInput<'_> {
    pub(super) fn run(mut self, isa: Isa) {
        self.affine.check();
        let channels = self.affine.channels();
        assert!(self.factor.len() == channels && self.constant.len() == channels);
        assert_eq!(self.z.len(), self.at.len() * channels);
        assert_eq!(self.dy.len(), self.z.len());
        assert!(self.at.iter().all(|&at| at + channels <= self.dz.len()));
        // SAFETY: the lengths and offsets were checked above.
        unsafe { each_channel(isa, channels, &mut self) };
    }
}

impl Channelwise for GradientInput<'_> {
    #[inline(always)]
    unsafe fn channels<V: Vector, const B: usize>(&mut self, first: usize) {
        let channels = self.affine.channels();
        // SAFETY: `run` has checked the lengths, `each_channel` keeps the block within the channels.
        unsafe {
            let [mean, scale, shift] = self.affine.load::<V, B>(first);
            let slope = V::splat(self.affine.slope);
            let mut factor = [V::splat(0.0); B];
            let mut constant = [V::splat(0.0); B];
            for b in 0..B {
                factor[b] = V::load(self.factor.as_ptr().add(first + b * V::LANES));
                constant[b] = V::load(self.constant.as_ptr().add(first + b * V::LANES));
            }
            for (q, &to) in self.at.iter().enumerate() {
                let at = q * channels + first;
                for b in 0..B {
                    let at = at + b * V::LANES;
                    let t = V::load(self.z.as_ptr().add(at)).sub(mean[b]);
                    let dy = V::load(self.dy.as_ptr().add(at));
                    let u = t.mul_add(scale[b], shift[b]);
                    let g = u.where_positive(dy, dy.mul(slope));
                    let dz = g.mul_add(scale[b], t.mul_add(factor[b], constant[b]));
                    dz.store(self.dz.as_mut_ptr().add(to + first + b * V::LANES));
                }
            }
        }
    }
}
