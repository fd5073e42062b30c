//! Notices a training that has collapsed.

use crate::recipe::Loss;

/// Steps in a row after which nearly equal embeddings are a collapse.
const FLAT_STEPS: usize = 100;

/// Steps in a row after which a loss at the margin is a collapse.
const STUCK_STEPS: usize = 400;

/// Watches one training.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    /// Margin on the scale of squared distances.
    margin: f32,
    /// The loss of a network that gives every image the same embedding, where that stands out.
    stuck_at: Option<f32>,
    advice: &'static str,
    flat: usize,
    stuck: usize,
    told: bool,
}

impl Monitor {
    pub(super) fn new(loss: &Loss) -> Monitor {
        let (margin, stuck_at) = match *loss {
            Loss::Contrastive { margin, .. } => (margin * margin, None),
            Loss::Triplet { margin, .. } => (margin, Some(margin)),
            // Measured between embeddings of length 1.
            Loss::Softmax {} | Loss::Sphereface { .. } | Loss::Cosface { .. } | Loss::Arcface { .. } => (1.0, None),
        };
        let advice = match loss {
            Loss::Softmax {} => "",
            Loss::Contrastive { .. } | Loss::Triplet { .. } => {
                ", --mining random or semi-hard, or --method softmax first and then this one"
            }
            Loss::Sphereface { .. } | Loss::Cosface { .. } | Loss::Arcface { .. } => " or a smaller --margin",
        };
        Monitor { margin, stuck_at, advice, flat: 0, stuck: 0, told: false }
    }

    /// Takes a step's loss and the mean squared distance of the batch's embeddings; a sentence once when training has collapsed.
    pub(super) fn observe(&mut self, loss: f32, spread: f32) -> Option<String> {
        let count = |so_far: usize, holds: bool| if holds { so_far + 1 } else { 0 };
        self.flat = count(self.flat, spread < 1e-3 * self.margin);
        let near = |level: f32| (loss - level).abs() < 0.02 * level;
        self.stuck = count(self.stuck, self.stuck_at.is_some_and(near));
        let (what, steps) = if self.flat >= FLAT_STEPS {
            ("all embeddings are nearly equal", self.flat)
        } else if self.stuck >= STUCK_STEPS {
            ("the loss has stayed at the margin", self.stuck)
        } else {
            return None;
        };
        if self.told {
            return None;
        }
        self.told = true;
        Some(format!(
            "training has collapsed: {what} for {steps} steps (loss {loss:.4}); stop it and try a lower --learning-rate{}",
            self.advice
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mining::Mining;

    const TRIPLET: Loss = Loss::Triplet { margin: 0.2, mining: Mining::Hard };

    fn told(loss: &Loss, steps: usize, value: f32, spread: f32) -> Vec<String> {
        let mut monitor = Monitor::new(loss);
        (0..steps).filter_map(|_| monitor.observe(value, spread)).collect()
    }

    #[test]
    fn equal_embeddings_are_told_once() {
        let told = told(&TRIPLET, 1000, 0.2, 1e-6);
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("nearly equal") && told[0].contains("--mining"));
    }

    #[test]
    fn advice_is_what_the_method_takes() {
        let margin = Loss::Cosface { scale: 24.0, margin: 0.3 };
        for (loss, end) in [(Loss::Softmax {}, "--learning-rate"), (margin, "--learning-rate or a smaller --margin")] {
            assert!(told(&loss, 200, 1.0, 1e-6)[0].ends_with(end));
        }
    }

    #[test]
    fn a_loss_at_the_margin_is_told_once() {
        let told = told(&TRIPLET, 1000, 0.201, 0.5);
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("margin"));
    }

    #[test]
    fn healthy_training_is_left_alone() {
        assert!(told(&TRIPLET, 1000, 0.1, 0.5).is_empty());
        let mut monitor = Monitor::new(&TRIPLET);
        for step in 0..2000 {
            let spread = if step % 50 == 0 { 1.0 } else { 0.0 };
            assert_eq!(monitor.observe(0.1, spread), None);
        }
    }
}
