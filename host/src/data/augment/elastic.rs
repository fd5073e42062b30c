//! Elastic deformation.

use rand::Rng;

use super::Augment;
use crate::data::Shape;

/// The four weights of a cubic B-spline at every column or row, with the first of the four nodes.
struct Weights {
    first: Vec<usize>,
    weights: Vec<[f32; 4]>,
    nodes: usize,
}

/// A smooth random field of displacements (Simard, Steinkraus and Platt 2003).
///
/// They draw a displacement for every pixel and smooth with a Gaussian of standard deviation sigma. Here displacements are
/// drawn, evenly between -1 and 1, for the nodes of a coarse grid and interpolated by cubic B-splines: a kernel with standard
/// deviation `spacing / sqrt(3)`, which hardly differs from the Gaussian, so the nodes are `sqrt(3) * sigma` apart. Then they
/// are scaled to the deviation that is asked for.
pub(super) struct Elastic {
    width: usize,
    /// The columns' part of the interpolation, `[node rows, 2, width]`: x, then y.
    expanded: Vec<f32>,
    down: Weights,
}

/// Mean of the squared weights of a node in one dimension, the integral of the squared cubic B-spline.
const SQUARED: f32 = 151.0 / 315.0;

impl Elastic {
    pub(super) fn draw(augment: &Augment, shape: Shape, rng: &mut impl Rng) -> Elastic {
        let Shape { width, height, .. } = shape;
        let side = width.min(height) as f32;
        let spacing = (augment.elastic_sigma * side * 3f32.sqrt()).max(1.0);
        let (across, down) = (Weights::new(width, spacing), Weights::new(height, spacing));
        let deviation = augment.elastic * side * rng.random::<f32>();
        // An even draw between -1 and 1 has the deviation 1 / sqrt(3).
        let factor = deviation * 3f32.sqrt() / SQUARED;
        let mut expanded = vec![0.0; down.nodes * 2 * width];
        let mut nodes = vec![0.0; across.nodes];
        for line in expanded.chunks_exact_mut(width.max(1)) {
            nodes.fill_with(|| factor * (2.0 * rng.random::<f32>() - 1.0));
            for ((out, &first), weights) in line.iter_mut().zip(&across.first).zip(&across.weights) {
                let four = &nodes[first..first + 4];
                *out = four.iter().zip(weights).map(|(node, weight)| node * weight).sum();
            }
        }
        Elastic { width, expanded, down }
    }

    /// Adds the displacements of row `y` to the places of its pixels.
    pub(super) fn add(&self, y: usize, xs: &mut [f32], ys: &mut [f32]) {
        let (first, [a, b, c, d]) = (self.down.first[y], self.down.weights[y]);
        let line = |node: usize, axis: usize| &self.expanded[((first + node) * 2 + axis) * self.width..][..self.width];
        for (axis, places) in [xs, ys].into_iter().enumerate() {
            let [p, q, r, s] = [0, 1, 2, 3].map(|node| line(node, axis));
            for ((((place, p), q), r), s) in places.iter_mut().zip(p).zip(q).zip(r).zip(s) {
                *place += a * p + b * q + c * r + d * s;
            }
        }
    }
}

impl Weights {
    fn new(length: usize, spacing: f32) -> Weights {
        let at = |i: usize| i as f32 / spacing;
        let first: Vec<usize> = (0..length).map(|i| at(i) as usize).collect();
        let weights = first.iter().enumerate().map(|(i, &first)| cubic(at(i) - first as f32)).collect();
        Weights { nodes: first.last().map_or(0, |last| last + 4), first, weights }
    }
}

/// The weights of the four nodes about a place that is the part `t` of the way from the second to the third.
fn cubic(t: f32) -> [f32; 4] {
    let (u, tt) = (1.0 - t, t * t);
    [u * u * u, 3.0 * tt * t - 6.0 * tt + 4.0, 3.0 * (t + tt - tt * t) + 1.0, tt * t].map(|weight| weight / 6.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn weights_are_a_cubic_spline() {
        assert_eq!(cubic(0.0), [1.0 / 6.0, 4.0 / 6.0, 1.0 / 6.0, 0.0]);
        let half = cubic(0.5);
        for (got, expected) in half.into_iter().zip([1.0, 23.0, 23.0, 1.0]) {
            assert!((got - expected / 48.0).abs() < 1e-6, "{half:?}");
        }
        let mut squared = 0.0;
        for i in 0..1000 {
            let weights = cubic(i as f32 / 1000.0);
            assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            squared += weights.iter().map(|w| w * w).sum::<f32>() / 1000.0;
        }
        assert!((squared - SQUARED).abs() < 1e-3, "{squared}");
    }

    /// Displacements of many fields: their deviation is what was asked for, and neighbours differ little.
    #[test]
    fn displacements_have_the_deviation_and_are_smooth() {
        let shape = Shape { height: 24, width: 32, channels: 1 };
        let augment = Augment { elastic: 0.05, elastic_sigma: 0.125, ..Augment::default() };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut squares, mut steps, fields) = (0.0, 0.0, 600);
        for _ in 0..fields {
            let bend = Elastic::draw(&augment, shape, &mut rng);
            let (mut xs, mut ys) = (vec![0.0; 32], vec![0.0; 32]);
            bend.add(11, &mut xs, &mut ys);
            squares += xs.iter().chain(&ys).map(|v| f64::from(v * v)).sum::<f64>() / 64.0;
            steps += xs.windows(2).chain(ys.windows(2)).map(|w| f64::from(w[1] - w[0]).powi(2)).sum::<f64>() / 62.0;
        }
        // The asked deviation is drawn evenly from 0 to 0.05 * 24: its square is a third of the largest on average.
        let (deviation, expected) = ((squares / f64::from(fields)).sqrt(), 1.2 / 3f64.sqrt());
        assert!((deviation / expected - 1.0).abs() < 0.05, "{deviation} {expected}");
        // Of a field smoothed by a Gaussian of sigma = 3 pixels, neighbours differ by about deviation / (sqrt(2) * sigma).
        let step = (steps / f64::from(fields)).sqrt() / deviation;
        assert!((0.2..0.27).contains(&step), "{step}");
    }
}
