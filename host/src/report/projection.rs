//! Embeddings in a plane.

/// Points in a plane, with how it was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Projection {
    /// `(x, y)` of every vector.
    pub points: Vec<(f32, f32)>,
    /// Share of the vectors' variance that the plane holds; none where they are of two dimensions anyway.
    pub variance: Option<f64>,
}

/// The vectors themselves where they have two elements; else their projection on the two principal axes of their groups' means
/// (the axes of most variance between groups; Pearson 1901). `groups` tells the group of each vector.
pub(super) fn project(vectors: &[Vec<f32>], groups: &[usize]) -> Projection {
    let dim = vectors.first().map_or(0, Vec::len);
    if dim == 2 {
        return Projection { points: vectors.iter().map(|v| (v[0], v[1])).collect(), variance: None };
    }
    let mean = mean_of(vectors, dim);
    let centred: Vec<Vec<f64>> =
        vectors.iter().map(|vector| vector.iter().zip(&mean).map(|(&x, mean)| f64::from(x) - mean).collect()).collect();
    let count = groups.iter().max().map_or(0, |max| max + 1);
    let mut means = vec![(vec![0.0; dim], 0usize); count];
    for (vector, &group) in centred.iter().zip(groups) {
        let (sum, n) = &mut means[group];
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
        *n += 1;
    }
    let mut rest: Vec<Vec<f64>> = means
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .map(|(sum, n)| sum.into_iter().map(|sum| sum / n as f64).collect())
        .collect();
    let first = principal_axis(&rest, dim);
    remove(&mut rest, &first);
    let second = principal_axis(&rest, dim);
    let along = |vector: &[f64], axis: &[f64]| vector.iter().zip(axis).map(|(x, a)| x * a).sum::<f64>();
    let points: Vec<(f64, f64)> = centred.iter().map(|v| (along(v, &first), along(v, &second))).collect();
    let all: f64 = centred.iter().flatten().map(|x| x * x).sum();
    let held: f64 = points.iter().map(|(x, y)| x * x + y * y).sum();
    Projection {
        points: points.into_iter().map(|(x, y)| (x as f32, y as f32)).collect(),
        variance: Some(if all > 0.0 { held / all } else { 0.0 }),
    }
}

fn mean_of(vectors: &[Vec<f32>], dim: usize) -> Vec<f64> {
    let mut mean = vec![0.0; dim];
    for vector in vectors {
        mean.iter_mut().zip(vector).for_each(|(sum, &x)| *sum += f64::from(x));
    }
    mean.iter().map(|sum| sum / vectors.len().max(1) as f64).collect()
}

/// The axis of most variance by power iteration on `sum v v^T`; of length 1, or 0 where nothing varies. Its largest element
/// is positive, so that a picture does not flip.
fn principal_axis(vectors: &[Vec<f64>], dim: usize) -> Vec<f64> {
    // A start that is not orthogonal to the axis but by bad luck; the same every time.
    let mut axis: Vec<f64> = (0..dim).map(|i| 1.0 + (i as f64 * 0.618).fract()).collect();
    for _ in 0..300 {
        let mut next = vec![0.0; dim];
        for vector in vectors {
            let along: f64 = vector.iter().zip(&axis).map(|(x, a)| x * a).sum();
            next.iter_mut().zip(vector).for_each(|(sum, x)| *sum += along * x);
        }
        let length = next.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length < 1e-12 {
            return vec![0.0; dim];
        }
        axis = next.into_iter().map(|x| x / length).collect();
    }
    let largest = axis.iter().copied().fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
    axis.iter().map(|x| x * largest.signum()).collect()
}

fn remove(vectors: &mut [Vec<f64>], axis: &[f64]) {
    for vector in vectors {
        let along: f64 = vector.iter().zip(axis).map(|(x, a)| x * a).sum();
        vector.iter_mut().zip(axis).for_each(|(x, a)| *x -= along * a);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_stays_as_it_is() {
        let vectors = vec![vec![1.0, 2.0], vec![-3.0, 4.0]];
        assert_eq!(project(&vectors, &[0, 1]), Projection { points: vec![(1.0, 2.0), (-3.0, 4.0)], variance: None });
    }

    #[test]
    fn the_axes_of_most_variance_are_found() {
        // Two groups apart along the second element, two along the third, nothing along the others.
        let vectors: Vec<Vec<f32>> =
            [(9., 0.), (-9., 0.), (0., 4.), (0., -4.)].map(|(y, z)| vec![7., y, z, 1.]).to_vec();
        let Projection { points, variance } = project(&vectors, &[0, 1, 2, 3]);
        let expected = [(9., 0.), (-9., 0.), (0., 4.), (0., -4.)];
        for ((x, y), (p, q)) in points.iter().zip(expected) {
            assert!((x - p).abs() < 1e-4 && (y - q).abs() < 1e-4, "{points:?}");
        }
        assert!((variance.unwrap() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn equal_vectors_fall_together() {
        let Projection { points, variance } = project(&vec![vec![1.0; 5]; 3], &[0, 0, 1]);
        assert_eq!((points, variance), (vec![(0.0, 0.0); 3], Some(0.0)));
    }
}
