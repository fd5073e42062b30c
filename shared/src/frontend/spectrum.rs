//! The power spectrum of one window of samples: Hann window and radix-2 FFT in fixed point.
//!
//! Samples enter with [`FRACTION_BITS`] bits behind the point, and no stage scales: with `|x| < 2^21` after the pre-emphasis, a
//! window of at most [`TURN`] samples and a mean window weight of a half, every value stays within `2^29`.

use super::fixed::{TURN, cosine, sine};

/// Bits behind the point of the samples in the transform: the pre-emphasis is a multiple of 1/32.
const FRACTION_BITS: u32 = 5;
/// Factor of the previous sample in the pre-emphasis, in 32nds: 0.97 to two digits.
const PRE_EMPHASIS: i32 = 31;

/// Writes the windowed `samples` to `work`, as long as they are, and transforms them: afterwards [`power`] can be asked.
///
/// A sample `x[n]` becomes `x[n] - 31/32 x[n - 1]` where `pre_emphasis` is set, the first of a window being its own predecessor.
/// Then comes the Hann window, `(1 - cos(2 pi n / N)) / 2`. The even samples are the real, the odd ones the imaginary parts of
/// half as many complex numbers (in `work` one after the other), whose transform holds that of the real ones.
pub(super) fn transform(samples: &[i16], pre_emphasis: bool, work: &mut [i32]) {
    let stride = TURN / samples.len().max(1);
    let bits = (samples.len() / 2).max(1).ilog2();
    let mut previous = samples.first().map_or(0, |&x| i32::from(x));
    for (n, &x) in samples.iter().enumerate() {
        let x = i32::from(x);
        let before = if pre_emphasis { PRE_EMPHASIS * previous } else { 0 };
        previous = x;
        let window = (1 << 15) - cosine(n * stride);
        let value = multiply((x << FRACTION_BITS) - before, window, 16);
        // The first stage wants its numbers in the order of their reversed bits.
        let pair = (n / 2).reverse_bits() >> (usize::BITS - 1 - bits) >> 1;
        if let Some(place) = work.get_mut(2 * pair + n % 2) {
            *place = value;
        }
    }
    for stage in 0..bits {
        // Two transforms of `half` points each become one of twice as many.
        let (half, step) = (1usize << stage, TURN >> (stage + 1));
        for block in work.chunks_exact_mut((4 * half).max(1)) {
            let Some((low, high)) = block.split_at_mut_checked(2 * half) else { return };
            let points = low.as_chunks_mut::<2>().0.iter_mut().zip(high.as_chunks_mut::<2>().0);
            for (k, (a, b)) in points.enumerate() {
                let [re, im] = turned(*b, k * step);
                *b = [a[0] - re, a[1] - im];
                *a = [a[0] + re, a[1] + im];
            }
        }
    }
}

/// The power of bin `k` (0 to half the window, both included) of the window that [`transform`] has left in `work`:
/// `|2 X(k)|^2 * 4`, where `X(k) = sum of x[n] w[n] e^(-2 pi i k n / N)` and samples count from -32768 to 32767.
#[inline(never)]
pub(super) fn power(work: &[i32], k: usize) -> u64 {
    let (points, _) = work.as_chunks::<2>();
    let pairs = points.len().max(1);
    let at = |k: usize| points.get(k & (pairs - 1)).copied().unwrap_or([0; 2]);
    let ([a, b], [c, d]) = (at(k), at(pairs.wrapping_sub(k)));
    // Z(k) = E(k) + i O(k) with E and O the transforms of the even and of the odd samples: 2 E and 2 O.
    let (even, odd) = ([a + c, b - d], [b + d, c - a]);
    let turned = turned(odd, k * (TURN / (2 * pairs)));
    let (re, im) = (even[0] + turned[0], even[1] + turned[1]);
    let square = |x: i32| (i64::from(x) * i64::from(x)) as u64;
    (square(re) + square(im)) >> (2 * FRACTION_BITS - 2)
}

/// `z e^(-2 pi i k / 512)`.
#[inline(never)]
fn turned([re, im]: [i32; 2], k: usize) -> [i32; 2] {
    let (c, s) = (cosine(k), sine(k));
    [multiply(re, c, 15) + multiply(im, s, 15), multiply(im, c, 15) - multiply(re, s, 15)]
}

/// `a * b / 2^shift`, rounded to the nearest, halves up.
fn multiply(a: i32, b: i32, shift: u32) -> i32 {
    ((i64::from(a) * i64::from(b) + (1 << (shift - 1))) >> shift) as i32
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::PI;
    use std::vec;
    use std::vec::Vec;

    /// The definition, in f64: `|2 X(k)|^2 * 4`.
    fn exact(samples: &[i16], pre_emphasis: bool, k: usize) -> f64 {
        let len = samples.len() as f64;
        let (mut re, mut im) = (0.0, 0.0);
        for (n, &x) in samples.iter().enumerate() {
            let before = f64::from(samples[n.saturating_sub(1)]) * if pre_emphasis { 31.0 / 32.0 } else { 0.0 };
            let window = 0.5 - 0.5 * (2.0 * PI * n as f64 / len).cos();
            let value = (f64::from(x) - before) * window;
            let angle = 2.0 * PI * (k * n) as f64 / len;
            re += value * angle.cos();
            im -= value * angle.sin();
        }
        16.0 * (re * re + im * im)
    }

    fn compare(samples: &[i16], pre_emphasis: bool) {
        let mut work = vec![0; samples.len()];
        transform(samples, pre_emphasis, &mut work);
        for k in 0..=samples.len() / 2 {
            let (got, expected) = ((power(&work, k) as f64).sqrt(), exact(samples, pre_emphasis, k).sqrt());
            // Half a bit of every stage and of the tables: in amplitude, against the window's whole energy.
            let energy: f64 = samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
            let tolerance = 4.0 + 4e-4 * energy.sqrt();
            assert!((got - expected).abs() < tolerance, "bin {k}: {got}, not {expected}");
        }
    }

    proptest! {
        #[test]
        fn is_the_fourier_transform(
            samples in prop::collection::vec(any::<i16>(), 512),
            len in prop::sample::select(vec![128usize, 256, 512]),
            quiet in 0u32..16,
            pre_emphasis: bool,
        ) {
            let samples: Vec<i16> = samples[..len].iter().map(|x| x >> quiet).collect();
            compare(&samples, pre_emphasis);
        }
    }

    #[test]
    fn the_loudest_inputs_do_not_overflow() {
        for len in [128usize, 256, 512] {
            for period in [1, 2, 3, 4, 8, 57, 512] {
                let square: Vec<i16> =
                    (0..len).map(|n| if n / period % 2 == 0 { i16::MIN } else { i16::MAX }).collect();
                compare(&square, true);
                compare(&square, false);
            }
            compare(&vec![i16::MIN; len], false);
        }
    }
}
