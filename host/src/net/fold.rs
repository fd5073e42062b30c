//! A trained network with its BatchNorms folded away: plain numbers.

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};

use super::{Activation, Architecture, Layer, LayerSpec, Net, Shape, activate, values};

/// Samples whose embeddings are computed at once.
const CENTRE_BATCH: usize = 64;

/// Which side of a layer's activation is observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The layer's sum with its bias.
    PreActivation,
    /// What the next layer gets; equal to the sum where there is no activation.
    PostActivation,
}

/// One layer of a [`FloatNet`].
#[derive(Clone, Debug, PartialEq)]
pub struct FloatLayer {
    /// What the layer does; its `batch_norm` says what training had, the numbers here have it folded in.
    pub spec: LayerSpec,
    /// Shape of its input.
    pub input: Shape,
    /// Shape of its output.
    pub output: Shape,
    /// Weights `[out][in / groups][kernel rows][kernel columns]`, row-major; the kernel of a fully connected layer is its whole
    /// input. Empty for an average pool.
    pub weight: Vec<f32>,
    /// A bias for each output channel. Empty for an average pool.
    pub bias: Vec<f32>,
}

/// A network for inference in floats.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatNet {
    /// What the network is made of.
    pub architecture: Architecture,
    /// Its layers in the order of execution.
    pub layers: Vec<FloatLayer>,
}

impl FloatNet {
    pub(super) fn fold(net: &Net) -> FloatNet {
        let architecture = net.architecture().clone();
        // A `Net` is only ever built from an architecture whose shapes exist.
        let shapes = architecture.shapes().unwrap_or_default();
        let layers = architecture
            .layers
            .iter()
            .zip(&net.layers)
            .zip(shapes.windows(2))
            .map(|((spec, layer), io)| {
                let (weight, bias) = fold_layer(layer);
                FloatLayer { spec: *spec, input: io[0], output: io[1], weight, bias }
            })
            .collect();
        FloatNet { architecture, layers }
    }

    /// Embeds `n` images: `batch` is `[n][channels][height][width]`, the result `[n][d]`.
    ///
    /// `observe` sees every layer's values, `[n][channels][height][width]`, before and after its activation.
    ///
    /// # Panics
    /// When `batch` is not `n` images long.
    pub fn forward(&self, batch: &[f32], n: usize, mut observe: impl FnMut(usize, Stage, &[f32])) -> Vec<f32> {
        let device = Device::flex();
        let input = self.architecture.input;
        let dims = [n, input.channels, input.height, input.width];
        assert_eq!(batch.len(), n * input.volume(), "a batch of {n} images of {input}");
        let mut x = Tensor::<4>::from_data(TensorData::new(batch.to_vec(), dims), &device);
        for (index, layer) in self.layers.iter().enumerate() {
            let sum = layer.sum(x, &device);
            x = match layer.spec {
                LayerSpec::Conv { activation, .. } if activation != Activation::None => {
                    observe(index, Stage::PreActivation, &values(&sum));
                    let x = activate(sum, activation);
                    observe(index, Stage::PostActivation, &values(&x));
                    x
                }
                _ => {
                    let seen = values(&sum);
                    observe(index, Stage::PreActivation, &seen);
                    observe(index, Stage::PostActivation, &seen);
                    sum
                }
            };
        }
        values(&x)
    }

    /// Moves all embeddings, by the last layer's bias, until those of `samples` lie around the origin: the middle of each element's
    /// range becomes 0. Euclidean distances stay, and a quantized element, whose zero point is the middle byte, has twice the
    /// resolution at most.
    pub fn centre(&mut self, samples: &[Vec<f32>]) {
        let mut ranges: Vec<(f32, f32)> = Vec::new();
        for batch in samples.chunks(CENTRE_BATCH) {
            let embeddings = self.forward(&batch.concat(), batch.len(), |_, _, _| ());
            let elements = embeddings.len() / batch.len().max(1);
            ranges.resize(elements, (f32::INFINITY, f32::NEG_INFINITY));
            for embedding in embeddings.chunks_exact(elements.max(1)) {
                for ((low, high), &element) in ranges.iter_mut().zip(embedding) {
                    (*low, *high) = (low.min(element), high.max(element));
                }
            }
        }
        if let Some(last) = self.layers.last_mut() {
            for (bias, (low, high)) in last.bias.iter_mut().zip(ranges) {
                *bias -= low / 2.0 + high / 2.0;
            }
        }
    }
}

impl FloatLayer {
    /// The layer's sums with their biases, before its activation: `batch` is `[n][channels][height][width]` of the input, the result
    /// of the output.
    ///
    /// # Panics
    /// When `batch` is not `n` inputs long.
    pub fn sums(&self, batch: &[f32], n: usize) -> Vec<f32> {
        let device = Device::flex();
        let dims = [n, self.input.channels, self.input.height, self.input.width];
        values(&self.sum(Tensor::from_data(TensorData::new(batch.to_vec(), dims), &device), &device))
    }

    fn sum(&self, x: Tensor<4>, device: &Device) -> Tensor<4> {
        let (stride, pad, depthwise) = match self.spec {
            LayerSpec::AveragePool => return x.mean_dim(3).mean_dim(2),
            LayerSpec::FullyConnected { .. } => (1, 0, false),
            LayerSpec::Conv { stride, pad, depthwise, .. } => (stride, pad, depthwise),
        };
        // An average pool has returned, so the dimensions exist.
        let dims = super::weight_dims(&self.spec, self.input).unwrap_or_default();
        let weight = Tensor::from_data(TensorData::new(self.weight.clone(), dims), device);
        let bias = Tensor::from_data(TensorData::new(self.bias.clone(), [dims[0]]), device);
        let groups = if depthwise { dims[0] } else { 1 };
        let options = ConvOptions::new([stride; 2], [pad; 2], [1; 2], groups);
        conv2d(x, weight, Some(bias), options)
    }
}

/// `w' = w * scale`, `b' = shift - mean * scale`, with the BatchNorm's `scale = gamma / sqrt(variance + epsilon)`.
fn fold_layer(layer: &Layer) -> (Vec<f32>, Vec<f32>) {
    let Some(weight) = &layer.weight else {
        return (Vec::new(), Vec::new());
    };
    let mut weight = values(&weight.val());
    let [mean, scale, shift] = layer.affine();
    let kernel = (weight.len() / scale.len().max(1)).max(1);
    for (weights, scale) in weight.chunks_exact_mut(kernel).zip(&scale) {
        weights.iter_mut().for_each(|w| *w *= scale);
    }
    let bias =
        (0..scale.len()).map(|c| (f64::from(shift[c]) - f64::from(mean[c]) * f64::from(scale[c])) as f32).collect();
    (weight, bias)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Module;
    use burn::tensor::Distribution;

    fn agrees(architecture: &Architecture) {
        let device = Device::flex().autodiff();
        device.seed(5);
        let net = Net::new(architecture, 3, &device).unwrap();
        let input = architecture.input;
        let dims = [6, input.channels, input.height, input.width];
        // Training passes move the running statistics away from 0 and 1.
        for _ in 0..3 {
            let x = Tensor::<4>::random(dims, Distribution::Uniform(0.0, 1.0), &device);
            net.get_embedding(x);
        }
        let images = Tensor::<4>::random(dims, Distribution::Uniform(0.0, 1.0), &Device::flex());
        let expected = values(&net.valid().get_embedding(images.clone()));
        let folded = net.fold();
        let mut seen = Vec::new();
        let got = folded.forward(&values(&images), 6, |index, stage, observed| {
            assert_eq!(observed.len(), 6 * folded.layers[index].output.volume());
            seen.push((index, stage));
        });
        assert_eq!(seen.len(), 2 * architecture.layers.len());
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(&expected) {
            assert!((got - expected).abs() < 1e-4, "{got} is not {expected}");
        }
    }

    #[test]
    fn folding_keeps_the_embedding() {
        agrees(&Architecture::article(Shape::new(1, 12, 10), 3));
        agrees(&Architecture::compact(Shape::new(3, 16, 16), 0.5, 4));
    }

    #[test]
    fn a_centred_net_keeps_its_distances() {
        let device = Device::flex();
        device.seed(5);
        let net = Net::new(&Architecture::article(Shape::new(1, 8, 8), 3), 3, &device).unwrap().fold();
        let mut centred = net.clone();
        // Elements far from the origin.
        let last = centred.layers.last_mut().unwrap();
        last.bias.copy_from_slice(&[40.0, -3.0, 0.5]);
        let samples: Vec<Vec<f32>> =
            (0..100).map(|i| (0..64).map(|j| ((i * j) % 17) as f32 / 17.0).collect()).collect();
        centred.centre(&samples);
        let embed = |net: &FloatNet| net.forward(&samples.concat(), samples.len(), |_, _, _| ());
        let (before, after) = (embed(&net), embed(&centred));
        for element in 0..3 {
            let column = |all: &[f32]| all.iter().skip(element).step_by(3).copied().collect::<Vec<_>>();
            let (before, after) = (column(&before), column(&after));
            let low = after.iter().copied().fold(f32::INFINITY, f32::min);
            let high = after.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert!((low + high).abs() < 1e-5, "{low} {high}");
            for (before, after) in before.windows(2).zip(after.windows(2)) {
                assert!(((before[1] - before[0]) - (after[1] - after[0])).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn a_convolution_without_norm_keeps_its_bias() {
        let architecture = Architecture {
            input: Shape::new(2, 5, 5),
            layers: vec![
                LayerSpec::Conv {
                    out: 3,
                    kernel: (3, 1),
                    stride: 1,
                    pad: 0,
                    depthwise: false,
                    batch_norm: false,
                    activation: Activation::None,
                },
                LayerSpec::AveragePool,
            ],
        };
        agrees(&architecture);
    }
}
