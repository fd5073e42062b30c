//! Float network -> int8 [`Graph`], in the form that every engine computes alike.
//!
//! Affine quantization `real = scale * (q - zero_point)` (Jacob et al. 2018, section 2.1) with per-channel symmetric weights.
//! Every layer's multiplier `M[c] = s_x * s_w[c] / s_y` is a whole number of 2^-16: the weight scale `s_w[c]` is rounded up to the
//! next one that gives such an `M`, so no weight is clipped. The mean error of every channel is taken off its bias. ReLU is the saturation at a zero point of the lowest byte; LeakyReLU
//! is a table over the requantized sum.

mod bias;

use shared::bundle::{EMBEDDING_ZERO_POINT, TABLE_LEN};
use shared::geometry::{Geometry, Kind, Shape as TensorShape};
use shared::quant::{MAX_PRODUCT, MULTIPLIER_BITS, to_signed, to_unsigned};
use thiserror::Error;

use crate::net::{Activation, FloatLayer, FloatNet, LayerSpec, Shape, Stage};

/// The real length of one step of an input byte; its zero point is 0.
pub const INPUT_SCALE: f32 = 1.0 / 255.0;

/// Largest magnitude of a quantized weight.
const WEIGHT_MAX: f32 = 127.0;

/// A tensor's quantization: `real = scale * (byte - zero_point)`, bytes from 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Real length of one step.
    pub step: f32,
    /// The byte of the real number 0.
    pub zero_point: u8,
}

impl Scale {
    /// The real number of a byte.
    pub fn real(&self, byte: u8) -> f32 {
        self.step * (f32::from(byte) - f32::from(self.zero_point))
    }

    /// The scale that spans `low..=high`, widened to hold 0 exactly at an even zero point, as the board's requantisation
    /// asks.
    fn spanning(low: f32, high: f32) -> Scale {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let even = ((-low / (high - low).max(f32::MIN_POSITIVE)) * 127.5).round() * 2.0;
        let zero_point = even.clamp(0.0, 254.0);
        let below = if zero_point > 0.0 { -low / zero_point } else { 0.0 };
        let step = below.max(high / (255.0 - zero_point)).max(f32::MIN_POSITIVE);
        Scale { step, zero_point: zero_point as u8 }
    }
}

/// A table that follows a layer's requantisation.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The scale of the requantized sum, the table's argument.
    pub sum: Scale,
    /// Slope of the negative side.
    pub slope: f32,
    /// The activation's byte for every byte of the sum.
    pub bytes: Box<[u8; TABLE_LEN]>,
}

impl Table {
    /// LeakyReLU from `sum` to `output`, computed as ONNX's DequantizeLinear (scale `sum.step / output.step`), LeakyRelu and
    /// QuantizeLinear (scale 1) compute it, in f32.
    fn leaky(sum: Scale, output: Scale, slope: f32) -> Table {
        let ratio = sum.step / output.step;
        let entry = |byte: usize| {
            let x = (byte as f32 - f32::from(sum.zero_point)) * ratio;
            let y = if x < 0.0 { x * slope } else { x };
            let q = y.round_ties_even() + f32::from(to_signed(output.zero_point));
            to_unsigned(q.clamp(-128.0, 127.0) as i8)
        };
        Table { sum, slope, bytes: Box::new(std::array::from_fn(entry)) }
    }

    /// The ratio of the scales, as the ONNX file states it.
    pub fn ratio(&self, output: Scale) -> f32 {
        self.sum.step / output.step
    }
}

/// A quantized layer.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantLayer {
    /// Name for people and for the ONNX file.
    pub name: String,
    /// What is computed, in the terms of the board.
    pub geometry: Geometry,
    /// Shape of the input as the float network has it (a fully connected layer's geometry is flattened).
    pub window: Shape,
    /// `[output][input][row][column]`, or `[output][row][column]` for a planar layer and, all one, for a pool.
    pub weights: Vec<i8>,
    /// Biases in accumulator units: `acc = bias + sum((x - zero_point) * w)`.
    pub bias: Vec<i32>,
    /// `M[c] * 2^16`.
    pub multipliers: Vec<i32>,
    /// The input's quantization.
    pub input: Scale,
    /// The output's quantization, behind the table.
    pub output: Scale,
    /// LeakyReLU.
    pub table: Option<Table>,
}

impl QuantLayer {
    /// The quantization of what requantisation gives: the table's argument, or the output.
    pub fn sum_scale(&self) -> Scale {
        self.table.as_ref().map_or(self.output, |table| table.sum)
    }

    /// Weights of one output channel.
    pub fn channel_weights(&self, channel: usize) -> &[i8] {
        let per_channel = self.weights.len() / self.bias.len();
        &self.weights[channel * per_channel..(channel + 1) * per_channel]
    }
}

/// A quantized network: built here, exported, and run by `shared` only.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// The layers in order.
    pub layers: Vec<QuantLayer>,
}

impl Graph {
    /// The real length of one step of an embedding element.
    pub fn embedding_scale(&self) -> f32 {
        self.layers.last().map_or(1.0, |layer| layer.output.step)
    }
}

/// Why a network cannot be quantized.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum QuantizeError {
    /// There is nothing to take ranges from.
    #[error(
        "no calibration samples: ranges cannot be taken; set `export.calibration_samples` in the recipe to at least 1"
    )]
    NoSamples,
    /// A weight or an activation is not a finite number.
    #[error(
        "layer {0} has a value that is not a finite number: the training has diverged; train again with a lower learning rate"
    )]
    NotFinite(String),
    /// A shape is beyond what the board's format holds.
    #[error("layer {0} is larger than the board's format holds: use a smaller input or fewer channels")]
    TooLarge(String),
}

/// Histograms of what a layer gave for the calibration set, before and after its activation.
#[derive(Clone, Debug)]
struct Observed {
    sum: Histogram,
    output: Histogram,
}

const BINS: usize = 2048;

#[derive(Clone, Debug)]
struct Histogram {
    low: f32,
    high: f32,
    counts: Vec<u64>,
}

impl Histogram {
    fn new() -> Self {
        Histogram { low: 0.0, high: 0.0, counts: vec![0; BINS] }
    }

    fn widen(&mut self, values: &[f32]) {
        for &value in values {
            self.low = self.low.min(value);
            self.high = self.high.max(value);
        }
    }

    fn count(&mut self, values: &[f32]) {
        let per_bin = ((self.high - self.low) / BINS as f32).max(f32::MIN_POSITIVE);
        for &value in values {
            let bin = ((value - self.low) / per_bin) as usize;
            self.counts[bin.min(BINS - 1)] += 1;
        }
    }

    /// The part of the range, the same share of both ends, whose quantization to 256 steps has the least squared error over
    /// the histogram: rounding inside, clipping outside.
    fn least_error_range(&self) -> (f32, f32) {
        let error = |share: f32| {
            let (low, high) = (self.low * share, self.high * share);
            let step = f64::from(high - low) / 255.0;
            let width = f64::from(self.high - self.low) / BINS as f64;
            let centre = |bin: usize| f64::from(self.low) + (bin as f64 + 0.5) * width;
            let bins = self.counts.iter().enumerate();
            bins.map(|(bin, &count)| {
                let x = centre(bin);
                let outside = (f64::from(low) - x).max(x - f64::from(high)).max(0.0);
                count as f64 * (step * step / 12.0 + outside * outside)
            })
            .sum::<f64>()
        };
        let shares = (30..=100).map(|percent| percent as f32 / 100.0);
        let best = shares.min_by(|&a, &b| error(a).total_cmp(&error(b))).unwrap_or(1.0);
        (self.low * best, self.high * best)
    }
}

/// Quantizes `net` with activation ranges of least squared error over `samples`, input tensors in CHW as fractions.
pub fn quantize(net: &FloatNet, samples: &[Vec<f32>]) -> Result<Graph, QuantizeError> {
    let observed = observe(net, samples)?;
    let mut input = Scale { step: INPUT_SCALE, zero_point: 0 };
    let mut layers = Vec::new();
    let mut correction = bias::Correction::new(samples);
    let last = net.layers.len() - 1;
    for (index, (layer, observed)) in net.layers.iter().zip(&observed).enumerate() {
        let name = layer_name(&layer.spec, index);
        let mut quantized = quantize_layer(layer, name, observed, input, index == last)?;
        correction.layer(layer, &mut quantized);
        input = quantized.output;
        layers.push(quantized);
    }
    Ok(Graph { layers })
}

fn observe(net: &FloatNet, samples: &[Vec<f32>]) -> Result<Vec<Observed>, QuantizeError> {
    if samples.is_empty() {
        return Err(QuantizeError::NoSamples);
    }
    let mut observed = vec![Observed { sum: Histogram::new(), output: Histogram::new() }; net.layers.len()];
    let mut not_finite = None;
    for counting in [false, true] {
        for batch in samples.chunks(64) {
            net.forward(&batch.concat(), batch.len(), |index, stage, values| {
                if values.iter().any(|value| !value.is_finite()) {
                    not_finite = not_finite.or(Some(index));
                }
                let layer = &mut observed[index];
                let histogram = if stage == Stage::PreActivation { &mut layer.sum } else { &mut layer.output };
                if counting { histogram.count(values) } else { histogram.widen(values) }
            });
            if let Some(index) = not_finite {
                return Err(QuantizeError::NotFinite(layer_name(&net.layers[index].spec, index)));
            }
        }
    }
    Ok(observed)
}

/// A layer's name: its kind and its place, counted from 1.
fn layer_name(spec: &LayerSpec, index: usize) -> String {
    let kind = match spec {
        LayerSpec::Conv { depthwise: true, .. } => "depthwise",
        LayerSpec::Conv { kernel: (1, 1), .. } => "pointwise",
        LayerSpec::Conv { .. } => "conv",
        LayerSpec::AveragePool => "pool",
        LayerSpec::FullyConnected { .. } => "fc",
    };
    format!("{kind}{}", index + 1)
}

fn quantize_layer(
    layer: &FloatLayer,
    name: String,
    observed: &Observed,
    input: Scale,
    last: bool,
) -> Result<QuantLayer, QuantizeError> {
    let geometry = geometry(layer).filter(Geometry::is_consistent).ok_or(QuantizeError::TooLarge(name.clone()))?;

    let slope = match layer.spec {
        LayerSpec::Conv { activation: Activation::LeakyRelu(slope), .. } => Some(slope),
        _ => None,
    };
    let span = |histogram: &Histogram| {
        let (low, high) = histogram.least_error_range();
        Scale::spanning(low, high)
    };
    let mut sum = match slope {
        // The embedding is symmetric around 0, so that cosines need no zero point.
        _ if last => {
            let (low, high) = observed.output.least_error_range();
            let reach = high.max(-low).max(f32::MIN_POSITIVE);
            Scale { step: reach / 127.0, zero_point: EMBEDDING_ZERO_POINT }
        }
        Some(_) => span(&observed.sum),
        None => span(&observed.output),
    };
    let pool = layer.spec == LayerSpec::AveragePool;
    loop {
        let numbers = if pool {
            pool_numbers(&geometry, input, &mut sum)
        } else {
            weight_numbers(&layer.weight, &layer.bias, input, sum)
        };
        // A channel whose worst case leaves the exact range of the rule gets a coarser output; rare, and only by a little.
        if !numbers.in_bounds() {
            sum.step *= 1.125;
            continue;
        }
        if !sum.step.is_finite() {
            return Err(QuantizeError::NotFinite(name));
        }
        let output = if slope.is_some() { span(&observed.output) } else { sum };
        let table = slope.map(|slope| Table::leaky(sum, output, slope));
        let Numbers { weights, bias, multipliers } = numbers;
        return Ok(QuantLayer {
            name,
            geometry,
            window: layer.input,
            weights,
            bias,
            multipliers,
            input,
            output,
            table,
        });
    }
}

struct Numbers {
    weights: Vec<i8>,
    bias: Vec<i32>,
    multipliers: Vec<i32>,
}

impl Numbers {
    /// Whether no input drives a channel past [`MAX_PRODUCT`], as the bundle's check will ask.
    fn in_bounds(&self) -> bool {
        let per_channel = self.weights.len() / self.bias.len();
        let channels = self.weights.chunks_exact(per_channel).zip(self.bias.iter().zip(&self.multipliers));
        channels.into_iter().all(|(weights, (&bias, &multiplier))| channel_in_bounds(weights, bias, multiplier))
    }
}

fn channel_in_bounds(weights: &[i8], bias: i32, multiplier: i32) -> bool {
    let weights: i64 = weights.iter().map(|&w| i64::from(w).abs()).sum();
    // The folded bias differs from `bias` by at most 255 * sum|w|.
    (2 * weights * 255 + i64::from(bias).abs()) * i64::from(multiplier) <= MAX_PRODUCT
}

/// Per-channel weights whose multiplier is a whole number of 2^-16.
fn weight_numbers(weights: &[f32], bias: &[f32], input: Scale, sum: Scale) -> Numbers {
    let per_channel = weights.len() / bias.len();
    let grid = f64::from(1u32 << MULTIPLIER_BITS);
    let (input_step, sum_step) = (f64::from(input.step), f64::from(sum.step));
    let mut numbers = Numbers { weights: Vec::new(), bias: Vec::new(), multipliers: Vec::new() };
    for (weights, &bias) in weights.chunks_exact(per_channel).zip(bias) {
        let reach = weights.iter().fold(0f32, |reach, w| reach.max(w.abs()));
        let finest = f64::from(reach / WEIGHT_MAX);
        let multiplier = (finest * input_step / sum_step * grid).ceil().max(1.0);
        let step = multiplier / grid * sum_step / input_step;
        let limit = f64::from(WEIGHT_MAX);
        let round = |w: &f32| (f64::from(*w) / step).round_ties_even().clamp(-limit, limit) as i8;
        numbers.weights.extend(weights.iter().map(round));
        numbers.bias.push((f64::from(bias) / (input_step * step)).round_ties_even() as i32);
        numbers.multipliers.push(multiplier as i32);
    }
    numbers
}

/// The mean as weights of one: `M = s_x / (s_y * area)`, put on the grid by making the output's step a little coarser.
fn pool_numbers(geometry: &Geometry, input: Scale, sum: &mut Scale) -> Numbers {
    let area = f64::from(geometry.kernel[0]) * f64::from(geometry.kernel[1]);
    let grid = f64::from(1u32 << MULTIPLIER_BITS);
    let exact = f64::from(input.step) / (f64::from(sum.step) * area) * grid;
    let multiplier = exact.floor().max(1.0);
    sum.step = (f64::from(input.step) * grid / (area * multiplier)) as f32;
    let channels = usize::from(geometry.output.channels);
    Numbers {
        weights: vec![1; channels * area as usize],
        bias: vec![0; channels],
        multipliers: vec![multiplier as i32; channels],
    }
}

/// The board's geometry of a float layer: a fully connected layer is a 1x1 convolution of the flattened input.
fn geometry(layer: &FloatLayer) -> Option<Geometry> {
    let shape = |s: Shape| {
        let side = |n: usize| u16::try_from(n).ok();
        Some(TensorShape { height: side(s.height)?, width: side(s.width)?, channels: side(s.channels)? })
    };
    let byte = |n: usize| u8::try_from(n).ok();
    let (input, output) = (shape(layer.input)?, shape(layer.output)?);
    Some(match layer.spec {
        LayerSpec::Conv { kernel: (kh, kw), stride, pad, depthwise, .. } => Geometry {
            kind: if depthwise || layer.input.channels == 1 { Kind::Planar } else { Kind::Dense },
            kernel: [byte(kh)?, byte(kw)?],
            stride: byte(stride)?,
            pad: [byte(pad)?; 4],
            input,
            output,
        },
        LayerSpec::AveragePool => Geometry {
            kind: Kind::Pool,
            kernel: [byte(layer.input.height)?, byte(layer.input.width)?],
            stride: 1,
            pad: [0; 4],
            input,
            output,
        },
        LayerSpec::FullyConnected { .. } => {
            Geometry { kind: Kind::Dense, kernel: [1, 1], stride: 1, pad: [0; 4], input: input.flattened()?, output }
        }
    })
}
