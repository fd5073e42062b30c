//! What a phase minimizes, on the embeddings of a batch.

use burn::module::{Module, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::loss::classify::{arcface, batch_contrast, cosface, cosines, cross_entropy, sphereface, sphereface_lambda};
use crate::loss::{contrastive, normalize, squared_distances, triplet};
use crate::mining;
use crate::recipe::{Contrast, Loss, Metric, Phase};

/// The classifier that some losses train along, dropped when the phase is over.
#[derive(Module, Debug)]
pub(super) struct Head {
    /// One row a training identity, `[classes, d]`.
    weight: Param<Tensor<2>>,
    /// `[classes]`, of a plain softmax.
    bias: Option<Param<Tensor<1>>>,
}

impl Head {
    /// Weights uniform in `-1/sqrt(d)` to `1/sqrt(d)`, biases 0. In a plane the weights are evenly spaced unit vectors: of random
    /// ones some lie between others, and such a class is the likeliest nowhere until training has turned them.
    fn new(classes: usize, d: usize, bias: bool, seed: u64, device: &Device) -> Head {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let bound = 1.0 / (d.max(1) as f32).sqrt();
        let weights: Vec<f32> = match d {
            2 => (0..classes).flat_map(|class| spoke(class, classes)).collect(),
            _ => (0..classes * d).map(|_| rng.random_range(-bound..bound)).collect(),
        };
        let bias = bias.then(|| Param::from_data(TensorData::new(vec![0f32; classes], [classes]), device));
        Head { weight: Param::from_data(TensorData::new(weights, [classes, d]), device), bias }
    }
}

/// Unit vector number `class` of `classes` around a circle.
fn spoke(class: usize, classes: usize) -> [f32; 2] {
    let (sin, cos) = (std::f32::consts::TAU * class as f32 / classes as f32).sin_cos();
    [cos, sin]
}

/// A phase's loss with what belongs to it.
pub(super) struct Objective {
    loss: Loss,
    contrast: Option<Contrast>,
    metric: Metric,
    pub(super) head: Option<Head>,
}

/// A batch under an objective.
pub(super) struct Judged {
    pub(super) loss: Tensor<1>,
    /// Mean squared distance of the batch's embeddings; of those of length 1 where a classifier learns.
    pub(super) spread: f32,
}

impl Objective {
    /// The objective of `phase` for `classes` training identities and embeddings of `d` values.
    pub(super) fn new(
        phase: &Phase,
        metric: Metric,
        classes: usize,
        d: usize,
        seed: u64,
        device: &Device,
    ) -> Objective {
        let head = phase
            .loss
            .method()
            .classifies()
            .then(|| Head::new(classes, d, phase.loss == Loss::Softmax {}, seed.wrapping_add(1), device));
        Objective { loss: phase.loss, contrast: phase.contrast, metric, head }
    }

    /// Judges the embeddings of a batch, as the network gives them, `[n, d]`; `step` counts the steps of the phase.
    pub(super) fn judge(&self, raw: Tensor<2>, labels: &[usize], step: usize, rng: &mut impl Rng) -> Judged {
        let embeddings = match self.metric {
            Metric::Cosine => normalize(raw.clone()),
            Metric::Euclidean => raw.clone(),
        };
        let seen = match self.head {
            Some(_) => normalize(raw.clone().detach()),
            None => embeddings,
        };
        let squared = squared_distances(seen);
        let distances: Vec<f32> = squared.to_data().iter::<f32>().collect();
        let spread = distances.iter().sum::<f32>() / distances.len().max(1) as f32;
        let loss = match (self.loss, &self.head) {
            (Loss::Contrastive { margin, mining }, _) => {
                contrastive(squared, &mining::pairs(&distances, labels, mining, rng), margin)
            }
            (Loss::Triplet { margin, mining }, _) => {
                triplet(squared, &mining::triplets(&distances, labels, mining, rng), margin)
            }
            (loss, Some(head)) => cross_entropy(logits(loss, head, raw.clone(), labels, step), labels),
            // A classifier's loss always comes with its head.
            (_, None) => squared.sum().mul_scalar(0.0),
        };
        let loss = match self.contrast {
            Some(Contrast { weight, temperature }) => {
                loss + batch_contrast(raw, labels, temperature).mul_scalar(weight)
            }
            None => loss,
        };
        Judged { loss, spread }
    }

    /// A step of the head's weights, where there is one.
    pub(super) fn step(&mut self, rate: f64, gradients: &mut Gradients, optimizer: &mut ModuleOptimizer) {
        self.head = self.head.take().map(|head| {
            let gradients = GradientsParams::from_module(gradients, &head);
            optimizer.step(rate, head, gradients)
        });
    }
}

fn logits(loss: Loss, head: &Head, raw: Tensor<2>, labels: &[usize], step: usize) -> Tensor<2> {
    let weight = head.weight.val();
    match loss {
        Loss::Sphereface { margin, lambda_min } => {
            let norms = raw.clone().square().sum_dim(1).clamp_min(1e-12).sqrt();
            sphereface(cosines(raw, weight), norms, labels, margin, sphereface_lambda(step, lambda_min))
        }
        Loss::Cosface { scale, margin } => cosface(cosines(raw, weight), labels, scale, margin),
        Loss::Arcface { scale, margin } => arcface(cosines(raw, weight), labels, scale, margin),
        Loss::Softmax {} | Loss::Contrastive { .. } | Loss::Triplet { .. } => {
            let logits = raw.matmul(weight.transpose());
            match &head.bias {
                Some(bias) => logits + bias.val().unsqueeze(),
                None => logits,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whichever class's own direction an embedding has, that class is the likeliest from the start.
    #[test]
    fn in_a_plane_no_class_hides_behind_others() {
        let head = Head::new(10, 2, true, 1, &Device::flex());
        let weight = head.weight.val();
        let scores = weight.clone().matmul(weight.transpose());
        let scores: Vec<f32> = scores.to_data().iter::<f32>().collect();
        for (class, row) in scores.chunks(10).enumerate() {
            assert!((row[class] - 1.0).abs() < 1e-6);
            assert!(row.iter().enumerate().all(|(other, &score)| other == class || score < 0.9));
        }
    }
}
