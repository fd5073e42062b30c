//! What a training minimizes. Here, metric losses over one batch: each image is embedded once, every pair of the batch is
//! compared once. In [`classify`], losses of a classifier.

pub mod classify;

use burn::tensor::activation::relu;
use burn::tensor::{Int, Tensor, TensorData};

use crate::mining::{Pair, Triplet};

/// Squared distances below this count as zero where a root is taken, so that its gradient stays finite.
const SQUARED_DISTANCE_FLOOR: f64 = 1e-12;

/// Squared Euclidean distance of every two embeddings, `[n, d] -> [n, n]`: `D[i][j] = |e_i|^2 + |e_j|^2 - 2 e_i . e_j`.
///
/// The one distance of the host's training side. For unit vectors it is `2 - 2 cos`.
pub fn squared_distances(embeddings: Tensor<2>) -> Tensor<2> {
    let squares = embeddings.clone().square().sum_dim(1); // [n, 1]
    let products = embeddings.clone().matmul(embeddings.transpose()); // [n, n]
    // Rounding can leave a distance just below zero.
    relu(squares.clone() + squares.transpose() - products.mul_scalar(2.0))
}

/// Scales every embedding to length 1, `[n, d] -> [n, d]`; a zero vector stays zero.
pub fn normalize(embeddings: Tensor<2>) -> Tensor<2> {
    let squares = embeddings.clone().square().sum_dim(1);
    embeddings / squares.clamp_min(SQUARED_DISTANCE_FLOOR).sqrt()
}

/// Contrastive loss (Hadsell, Chopra, LeCun 2006, eq. 4), the mean over `pairs` of
/// `0.5 * (y * d^2 + (1 - y) * max(margin - d, 0)^2)`, `d` the Euclidean distance, `y = 1` for a pair of one identity.
///
/// `squared` is the batch's [`squared_distances`]. At `d = 0` a pair of two identities has the value `0.5 * margin^2` and the
/// gradient zero, because no direction is better than another. No pairs give the loss 0.
pub fn contrastive(squared: Tensor<2>, pairs: &[Pair], margin: f32) -> Tensor<1> {
    let of = |same| pairs.iter().filter(move |pair| pair.same == same).map(|pair| (pair.a, pair.b)).collect::<Vec<_>>();
    let (positives, negatives) = (of(true), of(false));
    let mut loss = squared.clone().sum().mul_scalar(0.0);
    if !positives.is_empty() {
        loss = loss + select(&squared, &positives).sum();
    }
    if !negatives.is_empty() {
        let distances = select(&squared, &negatives).clamp_min(SQUARED_DISTANCE_FLOOR).sqrt();
        loss = loss + relu(distances.neg().add_scalar(margin)).square().sum();
    }
    loss.mul_scalar(0.5 / pairs.len().max(1) as f32)
}

/// Triplet loss (Schroff, Kalenichenko, Philbin 2015, eq. 3), the mean over `triplets` of
/// `max(|a - p|^2 - |a - n|^2 + margin, 0)`.
///
/// `squared` is the batch's [`squared_distances`]. No triplets give the loss 0.
pub fn triplet(squared: Tensor<2>, triplets: &[Triplet], margin: f32) -> Tensor<1> {
    if triplets.is_empty() {
        return squared.sum().mul_scalar(0.0);
    }
    let of = |other: fn(&Triplet) -> usize| {
        triplets.iter().map(|triplet| (triplet.anchor, other(triplet))).collect::<Vec<_>>()
    };
    let positive = select(&squared, &of(|triplet| triplet.positive));
    let negative = select(&squared, &of(|triplet| triplet.negative));
    relu((positive - negative).add_scalar(margin)).mean()
}

/// The entries of `matrix` at `(row, column)`.
fn select(matrix: &Tensor<2>, entries: &[(usize, usize)]) -> Tensor<1> {
    let [rows, columns] = matrix.dims();
    let indices: Vec<i64> = entries.iter().map(|&(row, column)| (row * columns + column) as i64).collect();
    let indices = TensorData::new(indices, [entries.len()]);
    let indices = Tensor::<1, Int>::from_data(indices, &matrix.device());
    matrix.clone().reshape([rows * columns]).select(0, indices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    const SAME: Pair = Pair { a: 0, b: 1, same: true };
    const OTHER: Pair = Pair { a: 0, b: 2, same: false };
    const TRIPLET: Triplet = Triplet { anchor: 0, positive: 1, negative: 2 };

    pub(super) fn tensor(rows: &[f32], columns: usize) -> Tensor<2> {
        let data = TensorData::new(rows.to_vec(), [rows.len() / columns, columns]);
        Tensor::from_data(data, &Device::flex().autodiff()).require_grad()
    }

    pub(super) fn value(loss: Tensor<1>) -> f32 {
        loss.into_scalar()
    }

    pub(super) fn close(got: f32, expected: f32) {
        assert!((got - expected).abs() < 1e-4, "{got} is not {expected}");
    }

    #[test]
    fn distances_of_three_points() {
        // (0, 0), (3, 4), (1, 0)
        let squared = squared_distances(tensor(&[0., 0., 3., 4., 1., 0.], 2));
        let values = squared.into_data().convert::<f32>().try_into_vec::<f32>();
        assert_eq!(values.unwrap(), [0., 25., 1., 25., 0., 20., 1., 20., 0.], "row by row");
    }

    #[test]
    fn contrastive_by_hand() {
        let squared = squared_distances(tensor(&[0., 0., 3., 4., 1., 0.], 2));
        let loss = |pairs: &[Pair], margin| value(contrastive(squared.clone(), pairs, margin));
        close(loss(&[SAME], 1.0), 12.5); // 0.5 * 5^2
        close(loss(&[OTHER], 3.0), 2.0); // 0.5 * (3 - 1)^2
        close(loss(&[OTHER], 0.5), 0.0); // beyond the margin
        close(loss(&[SAME, OTHER], 3.0), 7.25); // the mean
        close(loss(&[], 3.0), 0.0);
    }

    #[test]
    fn triplet_by_hand() {
        let squared = squared_distances(tensor(&[0., 0., 3., 4., 1., 0.], 2));
        let loss = |list: &[Triplet], margin| value(triplet(squared.clone(), list, margin));
        close(loss(&[TRIPLET], 0.5), 24.5); // 25 - 1 + 0.5
        let easy = Triplet { anchor: 0, positive: 2, negative: 1 };
        close(loss(&[easy], 0.5), 0.0); // 1 - 25 + 0.5 < 0
        close(loss(&[TRIPLET, easy], 0.5), 12.25);
        close(loss(&[], 0.5), 0.0);
    }

    #[test]
    fn normalized_distances_are_two_minus_two_cosines() {
        let unit = normalize(tensor(&[2., 0., 0., 5., -3., 0., 0., 0.], 2));
        let squared = squared_distances(unit);
        let values = squared.into_data().convert::<f32>().try_into_vec::<f32>();
        let values = values.unwrap();
        close(values[1], 2.0); // right angle
        close(values[2], 4.0); // opposite
        close(values[3], 1.0); // the zero vector stays zero
    }

    /// Compares the gradient of `loss` with central differences.
    pub(super) fn check_gradient(points: &[f32], columns: usize, loss: impl Fn(Tensor<2>) -> Tensor<1>) {
        let x = tensor(points, columns);
        let gradients = loss(x.clone()).backward();
        let gradient = x.grad(&gradients).unwrap();
        let gradient = gradient.into_data().try_into_vec::<f32>().unwrap();
        let step = 1e-2;
        for index in 0..points.len() {
            let at = |offset: f32| {
                let mut moved = points.to_vec();
                moved[index] += offset;
                value(loss(tensor(&moved, columns)))
            };
            let expected = (at(step) - at(-step)) / (2.0 * step);
            let got = gradient[index];
            assert!((got - expected).abs() < 5e-3, "{got} is not {expected}");
        }
    }

    const POINTS: [f32; 9] = [0.3, -0.2, 0.5, 0.9, 0.4, -0.1, -0.3, 0.2, 0.6];

    #[test]
    fn gradients_are_those_of_finite_differences() {
        check_gradient(&POINTS, 3, |x| contrastive(squared_distances(x), &[SAME, OTHER], 2.0));
        check_gradient(&POINTS, 3, |x| triplet(squared_distances(x), &[TRIPLET], 1.0));
        check_gradient(&POINTS, 3, |x| triplet(squared_distances(normalize(x)), &[TRIPLET], 1.0));
    }

    #[test]
    fn equal_points_have_finite_values_and_gradients() {
        let points = [0.5, 0.25, 0.5, 0.25, 0.5, 0.25];
        let x = tensor(&points, 2);
        let loss = contrastive(squared_distances(x.clone()), &[SAME, OTHER], 1.0)
            + triplet(squared_distances(normalize(x.clone())), &[TRIPLET], 1.0);
        let gradients = loss.backward();
        close(value(loss), 0.25 + 1.0); // mean of 0 and 0.5 * 1^2, and the margin
        let gradient = x.grad(&gradients).unwrap().into_data();
        for got in gradient.try_into_vec::<f32>().unwrap() {
            close(got, 0.0);
        }

        let zeros = tensor(&[0.0; 6], 2);
        let loss = triplet(squared_distances(normalize(zeros.clone())), &[TRIPLET], 1.0);
        let gradient = zeros.grad(&loss.backward()).unwrap().into_data();
        for got in gradient.try_into_vec::<f32>().unwrap() {
            assert!(got.is_finite());
        }
    }
}
