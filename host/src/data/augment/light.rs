//! What changes values where they are.

use rand::Rng;

use crate::data::Shape;

/// `t * factor + 255 * summand`, 0 staying 0.
pub(super) fn tone(factor: f32, summand: f32, tensor: &mut [u8]) {
    let summand = 255.0 * summand;
    for value in tensor.iter_mut() {
        let toned = (f32::from(*value) * factor + summand + 0.5) as u8;
        *value = if *value > 0 { toned } else { 0 };
    }
}

/// Adds noise of this deviation, 1 being the whole range: sums of four even draws, which are nearly normal.
pub(super) fn noise(deviation: f32, tensor: &mut [u8], rng: &mut impl Rng) {
    // A byte has the variance (256 * 256 - 1) / 12; a gain in 2^-16.
    let gain = (deviation * 255.0 / (65_535.0f32 / 3.0).sqrt() * 65_536.0) as i32;
    let mut bytes = [0; 1024];
    for values in tensor.chunks_mut(bytes.len() / 4) {
        let bytes = &mut bytes[..4 * values.len()];
        rng.fill_bytes(bytes);
        for (value, four) in values.iter_mut().zip(bytes.chunks_exact(4)) {
            let sum: i32 = four.iter().map(|&byte| i32::from(byte)).sum();
            let noisy = i32::from(*value) + (((sum - 510) * gain + 32_768) >> 16);
            *value = noisy.clamp(0, 255) as u8;
        }
    }
}

/// Sets a rectangle to 0 in every plane, its sides from 0 to `part` of the plane's.
pub(super) fn erase(shape: Shape, part: f32, tensor: &mut [u8], rng: &mut impl Rng) {
    let Shape { width, height, .. } = shape;
    let mut side = |length: usize| {
        let own = ((part * rng.random::<f32>() * length as f32).round() as usize).min(length);
        let first = rng.random_range(0..=length - own);
        first..first + own
    };
    let (columns, rows) = (side(width), side(height));
    for plane in tensor.chunks_exact_mut((width * height).max(1)) {
        for row in plane.chunks_exact_mut(width.max(1)).skip(rows.start).take(rows.len()) {
            row[columns.clone()].fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn noise_has_its_deviation_and_no_drift() {
        let mut tensor = vec![128; 40_000];
        noise(0.1, &mut tensor, &mut ChaCha8Rng::seed_from_u64(1));
        let off = |value: &u8| f64::from(*value) - 128.0;
        let mean = tensor.iter().map(off).sum::<f64>() / 40_000.0;
        let deviation = (tensor.iter().map(|v| off(v).powi(2)).sum::<f64>() / 40_000.0).sqrt();
        assert!(mean.abs() < 0.5, "{mean}");
        assert!((deviation - 25.5).abs() < 0.5, "{deviation}");
        let mut still = vec![0, 7, 255];
        noise(0.0, &mut still, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(still, [0, 7, 255]);
    }

    #[test]
    fn a_rectangle_of_every_plane_is_erased() {
        let shape = Shape { height: 6, width: 9, channels: 2 };
        let mut largest = 0;
        for seed in 0..300 {
            let mut tensor = vec![1; 108];
            erase(shape, 0.5, &mut tensor, &mut ChaCha8Rng::seed_from_u64(seed));
            assert_eq!(tensor[..54], tensor[54..]);
            let erased: Vec<(usize, usize)> = (0..54).filter(|&i| tensor[i] == 0).map(|i| (i % 9, i / 9)).collect();
            let side = |of: fn(&(usize, usize)) -> usize| {
                let (low, high) = (erased.iter().map(of).min(), erased.iter().map(of).max());
                low.zip(high).map_or(0, |(low, high)| high - low + 1)
            };
            let (width, height) = (side(|at| at.0), side(|at| at.1));
            assert_eq!(width * height, erased.len(), "a rectangle");
            assert!(width <= 5 && height <= 3, "{width} {height}");
            largest = largest.max(erased.len());
        }
        assert!(largest > 9, "{largest}");
    }
}
