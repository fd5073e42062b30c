//! Losses of a classifier over the training identities, which is dropped afterwards: softmax and its margins.
//!
//! `theta_j` is the angle between an embedding `x` and the weight `w_j` of class `j`, `y` the embedding's own class. Each
//! function gives logits; [`cross_entropy`] of them is the loss.
//!
//! | method | logit of the own class | of the others | source |
//! |---|---|---|---|
//! | softmax | `w_y . x + b_y` | `w_j . x + b_j` | |
//! | SphereFace | `abs(x) (lambda cos theta_y + psi(theta_y)) / (1 + lambda)` | `abs(x) cos theta_j` | Liu et al. 2017, eq. 7 |
//! | CosFace | `s (cos theta_y - m)` | `s cos theta_j` | Wang et al. 2018, eq. 4 |
//! | ArcFace | `s cos(theta_y + m)` | `s cos theta_j` | Deng et al. 2019, eq. 3 |

use std::f32::consts::PI;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};

use super::{SQUARED_DISTANCE_FLOOR, normalize};

/// SphereFace's annealing: `lambda` starts here, as in the authors' code.
const LAMBDA_START: f32 = 1000.0;

/// SphereFace's annealing: after `n` steps `lambda` is divided by `1 + LAMBDA_FALL * n`, as in the authors' code.
const LAMBDA_FALL: f32 = 0.12;

/// Mean over the batch of `-log(exp(z_y) / sum_j exp(z_j))`; `logits` is `[n, classes]`, `labels[i] < classes`.
pub fn cross_entropy(logits: Tensor<2>, labels: &[usize]) -> Tensor<1> {
    let own = one_hot(&logits, labels);
    (log_softmax(logits, 1) * own).sum().mul_scalar(-1.0 / labels.len().max(1) as f32)
}

/// Cosine of the angle between every embedding and every class's weight, `[n, d]` and `[classes, d]` to `[n, classes]`.
pub fn cosines(embeddings: Tensor<2>, weights: Tensor<2>) -> Tensor<2> {
    normalize(embeddings).matmul(normalize(weights).transpose())
}

/// CosFace: `cosines` is [`cosines`], `margin` is subtracted from the own class's cosine.
pub fn cosface(cosines: Tensor<2>, labels: &[usize], scale: f32, margin: f32) -> Tensor<2> {
    let own = one_hot(&cosines, labels);
    (cosines - own.mul_scalar(margin)).mul_scalar(scale)
}

/// ArcFace: `margin` radians are added to the own class's angle.
///
/// Where `theta_y + margin` exceeds pi the cosine would rise again; there `cos theta_y - margin sin(margin)` is taken in its
/// place, as in the authors' code, which falls on.
pub fn arcface(cosines: Tensor<2>, labels: &[usize], scale: f32, margin: f32) -> Tensor<2> {
    let mask = one_hot(&cosines, labels);
    let own = (cosines.clone() * mask.clone()).sum_dim(1); // [n, 1]
    let sine = (own.clone().square().neg() + 1.0).clamp_min(SQUARED_DISTANCE_FLOOR).sqrt();
    let turned = own.clone().mul_scalar(margin.cos()) - sine.mul_scalar(margin.sin());
    let lowered = own.clone() - margin * margin.sin();
    let beyond = own.clone().lower_elem((PI - margin).cos());
    let own = turned.mask_where(beyond, lowered) - own;
    (cosines + mask * own).mul_scalar(scale)
}

/// SphereFace, with `norms` the lengths of the embeddings, `[n, 1]`: the own class's angle counts `margin` times.
///
/// `psi(theta) = (-1)^k cos(margin theta) - 2 k` for `theta` from `k pi / margin` to `(k + 1) pi / margin`. `lambda`, see
/// [`sphereface_lambda`], mixes the plain cosine in.
pub fn sphereface(cosines: Tensor<2>, norms: Tensor<2>, labels: &[usize], margin: u32, lambda: f32) -> Tensor<2> {
    let mask = one_hot(&cosines, labels);
    let own = (cosines.clone() * mask.clone()).sum_dim(1); // [n, 1]
    let bends: Vec<f32> = own.to_data().iter::<f32>().map(|cosine| bend(cosine, margin)).collect();
    let column = |of: fn(f32) -> f32| {
        let values: Vec<f32> = bends.iter().map(|&k| of(k)).collect();
        Tensor::<2>::from_data(TensorData::new(values, [bends.len(), 1]), &own.device())
    };
    let sign = column(|k| if k % 2.0 == 0.0 { 1.0 } else { -1.0 });
    let psi = sign * multiple_angle(own.clone(), margin) - column(|k| 2.0 * k);
    let mixed = (own.clone().mul_scalar(lambda) + psi).div_scalar(1.0 + lambda);
    (cosines + mask * (mixed - own)) * norms
}

/// SphereFace's `lambda` after `step` steps: from 1000 down to `least`.
pub fn sphereface_lambda(step: usize, least: f32) -> f32 {
    (LAMBDA_START / (1.0 + LAMBDA_FALL * step as f32)).max(least)
}

/// The `k` of `psi`: `floor(margin theta / pi)`.
fn bend(cosine: f32, margin: u32) -> f32 {
    let theta = cosine.clamp(-1.0, 1.0).acos();
    (margin as f32 * theta / PI).floor().min(margin.saturating_sub(1) as f32)
}

/// `cos(m theta)` of `cos theta`, by the recurrence of Chebyshev's polynomials.
fn multiple_angle(cosine: Tensor<2>, m: u32) -> Tensor<2> {
    let (mut before, mut this) = (cosine.ones_like(), cosine.clone());
    for _ in 1..m {
        let next = cosine.clone().mul_scalar(2.0) * this.clone() - before;
        before = this;
        this = next;
    }
    this
}

/// Supervised contrastive loss (Khosla et al. 2020, eq. 2), the mean over the images that have another of their identity in
/// the batch of `-1/|P| sum_p log(exp(x . x_p / t) / sum_{a != x} exp(x . x_a / t))`, `x` embeddings of length 1.
///
/// `embeddings` is `[n, d]`, of any length; no two images of one identity give the loss 0.
pub fn batch_contrast(embeddings: Tensor<2>, labels: &[usize], temperature: f32) -> Tensor<1> {
    let n = labels.len();
    let embeddings = normalize(embeddings);
    let others = |i: usize| (0..n).filter(move |&j| j != i && labels[j] == labels[i]).count();
    let anchors = (0..n).filter(|&i| others(i) > 0).count().max(1);
    let (mut weights, mut themselves) = (vec![0f32; n * n], vec![0f32; n * n]);
    for i in 0..n {
        let each = -1.0 / (anchors * others(i).max(1)) as f32;
        for j in (0..n).filter(|&j| j != i && labels[j] == labels[i]) {
            weights[i * n + j] = each;
        }
        // So far below every similarity that the image itself has no part in the sum.
        themselves[i * n + i] = -1e4;
    }
    let device = embeddings.device();
    let square = |values| Tensor::<2>::from_data(TensorData::new(values, [n, n]), &device);
    let similarities = embeddings.clone().matmul(embeddings.transpose()).div_scalar(temperature);
    (log_softmax(similarities + square(themselves), 1) * square(weights)).sum()
}

/// 1 at each label, else 0, in the shape of `like`, `[n, classes]`.
fn one_hot(like: &Tensor<2>, labels: &[usize]) -> Tensor<2> {
    let [n, classes] = like.dims();
    let mut values = vec![0f32; n * classes];
    for (row, &label) in labels.iter().enumerate() {
        values[row * classes + label] = 1.0;
    }
    Tensor::from_data(TensorData::new(values, [n, classes]), &like.device())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_gradient, close, tensor, value};
    use super::*;

    fn row(tensor: Tensor<2>) -> Vec<f32> {
        tensor.to_data().iter::<f32>().collect()
    }

    /// One embedding at 60 degrees from its own class, 0, and 30 from the other.
    fn sixty_and_thirty() -> Tensor<2> {
        tensor(&[60f32.to_radians().cos(), 30f32.to_radians().cos()], 2)
    }

    #[test]
    fn cross_entropy_by_hand() {
        let logits = tensor(&[1.0, 2.0, 0.5, 3.0, -1.0, 0.0], 3);
        let of = |z: [f32; 3], y: usize| z.iter().map(|z| z.exp()).sum::<f32>().ln() - z[y];
        let expected = (of([1.0, 2.0, 0.5], 1) + of([3.0, -1.0, 0.0], 2)) / 2.0;
        close(value(cross_entropy(logits, &[1, 2])), expected);
    }

    #[test]
    fn cosines_are_those_of_the_angles() {
        let got = row(cosines(tensor(&[2.0, 0.0], 2), tensor(&[1.0, 1.0, -3.0, 0.0, 0.0, 5.0], 2)));
        for (got, expected) in got.into_iter().zip([0.5f32.sqrt(), -1.0, 0.0]) {
            close(got, expected);
        }
    }

    #[test]
    fn cosface_by_hand() {
        let logits = row(cosface(sixty_and_thirty(), &[0], 10.0, 0.2));
        close(logits[0], 3.0); // 10 (0.5 - 0.2)
        close(logits[1], 10.0 * 30f32.to_radians().cos());
    }

    #[test]
    fn arcface_by_hand() {
        let logits = row(arcface(sixty_and_thirty(), &[0], 10.0, 30f32.to_radians()));
        close(logits[0], 0.0); // cos 90
        close(logits[1], 10.0 * 30f32.to_radians().cos());
        // 170 + 30 degrees are beyond half a turn.
        let far = tensor(&[170f32.to_radians().cos(), 0.0], 2);
        let margin = 30f32.to_radians();
        let logits = row(arcface(far, &[0], 1.0, margin));
        close(logits[0], 170f32.to_radians().cos() - margin * 0.5);
    }

    #[test]
    fn arcface_falls_with_the_angle() {
        let at = |degrees: f32| row(arcface(tensor(&[degrees.to_radians().cos(), 0.0], 2), &[0], 1.0, 0.5))[0];
        assert!((1..180).all(|degrees| at(degrees as f32) <= at(degrees as f32 - 1.0) + 1e-5));
    }

    #[test]
    fn sphereface_by_hand() {
        let norms = || tensor(&[4.0], 1);
        // Without the plain cosine: psi(60) with m = 2 is cos 120; with m = 4, k = 1: -cos 240 - 2.
        let logits = |m, lambda| row(sphereface(sixty_and_thirty(), norms(), &[0], m, lambda));
        close(logits(2, 0.0)[0], 4.0 * -0.5);
        close(logits(4, 0.0)[0], 4.0 * -1.5);
        close(logits(4, 0.0)[1], 4.0 * 30f32.to_radians().cos());
        // (1 * 0.5 - 1.5) / 2
        close(logits(4, 1.0)[0], 4.0 * -0.5);
        close(logits(1, 0.0)[0], 4.0 * 0.5);
    }

    #[test]
    fn psi_is_continuous_and_falls() {
        for m in 1..=5 {
            let at = |tenths: i32| {
                let cosine = (tenths as f32 / 10.0).to_radians().cos();
                row(sphereface(tensor(&[cosine, 0.0], 2), tensor(&[1.0], 1), &[0], m, 0.0))[0]
            };
            let values: Vec<f32> = (0..=1800).map(at).collect();
            close(values[0], 1.0);
            close(values[1800], 1.0 - 2.0 * m as f32);
            assert!(values.windows(2).all(|two| two[1] <= two[0] + 1e-4 && two[0] - two[1] < 0.02), "m = {m}");
        }
    }

    #[test]
    fn lambda_falls_to_its_least() {
        assert_eq!(sphereface_lambda(0, 5.0), 1000.0);
        assert!((sphereface_lambda(100, 5.0) - 1000.0 / 13.0).abs() < 1e-3);
        assert_eq!(sphereface_lambda(100_000, 5.0), 5.0);
    }

    #[test]
    fn batch_contrast_by_hand() {
        // Two of one identity at a right angle to a third, which has no partner.
        let points = tensor(&[1.0, 0.0, 2.0, 0.0, 0.0, 1.0], 2);
        let expected = (1.0 + (-2f32).exp()).ln(); // -log(e^2 / (e^2 + e^0)) at t = 0.5
        close(value(batch_contrast(points.clone(), &[0, 0, 1], 0.5)), expected);
        close(value(batch_contrast(points, &[0, 1, 2], 0.5)), 0.0);
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        const POINTS: [f32; 6] = [0.3, -0.2, 0.5, 0.9, 0.4, -0.1];
        let weights = || tensor(&[0.2, 0.7, -0.4, -0.5, 0.1, 0.6, 0.8, -0.3, 0.2], 3);
        let labels = &[2, 0];
        let of = |x: Tensor<2>| cosines(x, weights());
        check_gradient(&POINTS, 3, |x| cross_entropy(cosface(of(x), labels, 4.0, 0.2), labels));
        check_gradient(&POINTS, 3, |x| cross_entropy(arcface(of(x), labels, 4.0, 0.3), labels));
        check_gradient(&POINTS, 3, |x| {
            let norms = x.clone().square().sum_dim(1).sqrt();
            cross_entropy(sphereface(of(x), norms, labels, 3, 1.5), labels)
        });
        check_gradient(&POINTS, 3, |x| cross_entropy(x, labels));
        let four = [0.3, -0.2, 0.5, 0.9, 0.4, -0.1, -0.6, 0.2, 0.1, 0.4, 0.5, 0.3];
        check_gradient(&four, 3, |x| batch_contrast(x, &[0, 1, 0, 0], 0.5));
        // The weights learn too.
        let rows = [0.2, 0.7, -0.4, -0.5, 0.1, 0.6];
        check_gradient(&rows, 3, |w| {
            cross_entropy(arcface(cosines(tensor(&POINTS, 3), w), &[1, 0], 4.0, 0.3), &[1, 0])
        });
    }
}
