//! The learning rate over a training.

use std::f64::consts::PI;

/// Learning rate of step `step` (from 0) of `steps`.
///
/// It rises linearly to `highest` in the first `warmup` steps, then falls by half a cosine (Loshchilov, Hutter 2017, eq. 5) to
/// `highest * last` in the last step: `highest * (last + (1 - last) * (1 + cos(pi * t)) / 2)`, `t` from 0 to 1.
pub fn learning_rate(step: usize, steps: usize, highest: f64, warmup: usize, last: f64) -> f64 {
    if step < warmup {
        return highest * (step + 1) as f64 / (warmup + 1) as f64;
    }
    let span = steps.saturating_sub(warmup + 1).max(1);
    let t = ((step - warmup) as f64 / span as f64).min(1.0);
    highest * (last + (1.0 - last) * (1.0 + (PI * t).cos()) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_falls_and_ends_where_it_should() {
        let rate = |step| learning_rate(step, 101, 0.5, 20, 0.1);
        assert!(rate(0) > 0.0 && rate(0) < rate(19) && rate(19) < rate(20));
        assert_eq!(rate(20), 0.5);
        assert!((rate(60) - 0.5 * 0.55).abs() < 1e-12); // half way
        assert!((rate(100) - 0.05).abs() < 1e-12);
        assert!((20..100).all(|step| rate(step) > rate(step + 1)));
        assert_eq!(rate(200), rate(100));
    }

    #[test]
    fn short_trainings_have_a_rate() {
        for steps in 0..4 {
            for warmup in 0..4 {
                let rate = learning_rate(0, steps, 1.0, warmup, 0.0);
                assert!(rate > 0.0 && rate <= 1.0);
            }
        }
    }
}
