//! Bias correction (Nagel et al. 2019, "Data-free quantization through weight equalization and bias correction", section 4.2, in
//! its empirical form): rounding weights and activations shifts the mean of a channel's sums; the shift over the calibration set
//! is taken off the channel's bias.
//!
//! Layers are corrected in their order, each behind quantized and corrected ones, so that a shift is measured with all that
//! brings it about. The int8 layers are followed in floats here; only means are taken of it.

use shared::quant::MULTIPLIER_BITS;

use super::{QuantLayer, channel_in_bounds};
use crate::net::{Activation, FloatLayer, LayerSpec};

/// Samples that are computed together.
const BATCH: usize = 64;

/// The calibration set on its way through both networks: what the layer at hand gets.
pub(super) struct Correction {
    batches: Vec<Batch>,
}

struct Batch {
    count: usize,
    /// `[count][channels][height][width]` of the float network.
    float: Vec<f32>,
    /// The same of the quantized network.
    int8: Vec<f32>,
}

impl Correction {
    /// Begins with input tensors in CHW as fractions, which bytes hold exactly.
    pub(super) fn new(samples: &[Vec<f32>]) -> Correction {
        let batch = |samples: &[Vec<f32>]| {
            let float = samples.concat();
            Batch { count: samples.len(), int8: float.clone(), float }
        };
        Correction { batches: samples.chunks(BATCH).map(batch).collect() }
    }

    /// Corrects the biases of `quantized`, which `layer` was made into, and goes on behind both.
    pub(super) fn layer(&mut self, layer: &FloatLayer, quantized: &mut QuantLayer) {
        let rounded = dequantized(layer, quantized);
        for batch in &mut self.batches {
            batch.float = layer.sums(&batch.float, batch.count);
            batch.int8 = rounded.sums(&batch.int8, batch.count);
        }
        let channels = layer.output.channels;
        let plane = (layer.output.height * layer.output.width).max(1);
        let mut taken = vec![0.0; channels];
        if layer.spec != LayerSpec::AveragePool {
            for (channel, shift) in self.shifts(channels, plane).into_iter().enumerate() {
                let unit = unit(quantized, channel);
                let bias = quantized.bias[channel];
                let corrected = bias - (shift / unit).round_ties_even() as i32;
                let (weights, multiplier) = (quantized.channel_weights(channel), quantized.multipliers[channel]);
                if channel_in_bounds(weights, corrected, multiplier) {
                    taken[channel] = (f64::from(bias - corrected) * unit) as f32;
                    quantized.bias[channel] = corrected;
                }
            }
        }
        let slope = match layer.spec {
            LayerSpec::Conv { activation: Activation::Relu, .. } => Some(0.0),
            LayerSpec::Conv { activation: Activation::LeakyRelu(slope), .. } => Some(slope),
            _ => None,
        };
        for batch in &mut self.batches {
            for (index, value) in batch.int8.iter_mut().enumerate() {
                *value = output(quantized, *value - taken[index / plane % channels]);
            }
            if let Some(slope) = slope {
                batch.float.iter_mut().filter(|value| **value < 0.0).for_each(|value| *value *= slope);
            }
        }
    }

    /// By how much the mean of each channel's quantized sums exceeds that of its float sums.
    fn shifts(&self, channels: usize, plane: usize) -> Vec<f64> {
        let mut shifts = vec![0.0; channels];
        let mut count = 0;
        for batch in &self.batches {
            count += batch.count * plane;
            for (index, (float, int8)) in batch.float.iter().zip(&batch.int8).enumerate() {
                shifts[index / plane % channels] += f64::from(int8 - float);
            }
        }
        shifts.iter_mut().for_each(|shift| *shift /= count.max(1) as f64);
        shifts
    }
}

/// The real length of a channel's accumulator unit.
fn unit(layer: &QuantLayer, channel: usize) -> f64 {
    f64::from(layer.multipliers[channel]) / f64::from(1u32 << MULTIPLIER_BITS) * f64::from(layer.sum_scale().step)
}

/// `layer` with the real values of the quantized weights and biases.
fn dequantized(layer: &FloatLayer, quantized: &QuantLayer) -> FloatLayer {
    if layer.spec == LayerSpec::AveragePool {
        return layer.clone();
    }
    let channels = 0..quantized.bias.len();
    let step = |channel: usize| unit(quantized, channel) / f64::from(quantized.input.step);
    let real = |channel: usize| {
        let step = step(channel);
        quantized.channel_weights(channel).iter().map(move |&weight| (f64::from(weight) * step) as f32)
    };
    FloatLayer {
        weight: channels.clone().flat_map(real).collect(),
        bias: channels.map(|channel| (f64::from(quantized.bias[channel]) * unit(quantized, channel)) as f32).collect(),
        ..layer.clone()
    }
}

/// The real value that the layer gives for a real sum: requantised, and through the table if there is one.
fn output(layer: &QuantLayer, sum: f32) -> f32 {
    let scale = layer.sum_scale();
    let byte = ((sum / scale.step).round_ties_even() + f32::from(scale.zero_point)).clamp(0.0, 255.0) as u8;
    match &layer.table {
        Some(table) => layer.output.real(table.bytes[usize::from(byte)]),
        None => layer.output.real(byte),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::net::{Architecture, Net, Shape};
    use crate::quantize::quantize;

    /// A corrected network has nothing left to correct, and the plainly rounded biases were others.
    #[test]
    fn what_was_corrected_is_right() {
        let mut rng = StdRng::seed_from_u64(3);
        for architecture in
            [Architecture::compact(Shape::new(1, 16, 16), 0.5, 8), Architecture::article(Shape::new(1, 8, 8), 2)]
        {
            let net = Net::new(&architecture, 5, &Device::flex()).unwrap().fold();
            let samples: Vec<Vec<f32>> = (0..70)
                .map(|_| (0..architecture.input.volume()).map(|_| rng.random_range(0..=255) as f32 / 255.0).collect())
                .collect();
            let graph = quantize(&net, &samples).unwrap();
            let mut again = Correction::new(&samples);
            let mut moved = 0;
            for (layer, quantized) in net.layers.iter().zip(&graph.layers) {
                let mut corrected = quantized.clone();
                again.layer(layer, &mut corrected);
                for channel in 0..layer.bias.len() {
                    assert!((corrected.bias[channel] - quantized.bias[channel]).abs() <= 1, "{}", quantized.name);
                    let plain = f64::from(layer.bias[channel]) / unit(quantized, channel);
                    moved += usize::from((f64::from(quantized.bias[channel]) - plain).abs() > 1.0);
                }
            }
            assert!(moved > 0);
        }
    }
}
