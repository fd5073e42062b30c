//! Chains of layers for the executor and its kernels, and the naive definition that they face. No allocation: the same
//! cases run on the host and on the emulated core.

use shared::bundle::{EMBEDDING_ZERO_POINT, Entry, Header, LayerSource, NAME_LEN, TABLE_LEN, WriteError, encode};
use shared::embedding::Metric;
use shared::frontend::{FrontEnd, Pixels};
use shared::geometry::{Geometry, Kind, Shape, steps};
use shared::network;
use shared::plan::plan;
use shared::quant::{Channel, MAX_PRODUCT};

/// Most layers of a chain, without the fully connected one that ends every bundle here.
pub(crate) const MAX_LAYERS: usize = 3;
/// Elements of the embedding that the last layer gives.
const DIM: u16 = 5;
const MAX_TENSOR: usize = 1 << 15;
const MAX_WEIGHTS: usize = 1 << 18;
const MAX_CHANNELS: usize = 512;

/// Numbers from a seed (splitmix64, Steele et al. 2014).
pub(crate) struct Rng(pub u64);

impl Rng {
    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `low..=high`.
    pub(crate) fn within(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low + 1) as u64) as i64
    }
}

/// How weights or inputs are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// Any value.
    Random,
    /// The lowest one.
    Low,
    /// The highest one.
    High,
    /// One of the two ends.
    Ends,
}

impl Fill {
    fn draw(self, rng: &mut Rng, low: i64, high: i64) -> i64 {
        match self {
            Fill::Random => rng.within(low, high),
            Fill::Low => low,
            Fill::High => high,
            Fill::Ends => [low, high][rng.next() as usize % 2],
        }
    }
}

/// One layer of a chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerCase {
    /// What is computed.
    pub(crate) kind: Kind,
    /// Kernel rows and columns.
    pub(crate) kernel: [u8; 2],
    /// Step of the kernel.
    pub(crate) stride: u8,
    /// Padding above, left, below, right.
    pub(crate) pad: [u8; 4],
    /// Output channels of a dense layer, or of a planar one that reads a single plane.
    pub(crate) outputs: u16,
    /// The zero point that requantisation adds.
    pub(crate) zero_point: u8,
    /// Whether a table follows.
    pub(crate) table: bool,
    /// How the weights are drawn.
    pub(crate) weights: Fill,
    /// Whether multipliers are powers of two, which makes exact ties common.
    pub(crate) ties: bool,
}

impl LayerCase {
    /// The geometry over `input`, where the kernel fits.
    fn geometry(&self, input: Shape) -> Option<Geometry> {
        let [top, left, bottom, right] = self.pad;
        let [kh, kw] = self.kernel;
        let channels = match self.kind {
            Kind::Planar if input.channels > 1 => input.channels,
            Kind::Pool => input.channels,
            _ => self.outputs,
        };
        let geometry = Geometry {
            kind: self.kind,
            kernel: self.kernel,
            stride: self.stride,
            pad: self.pad,
            input,
            output: Shape {
                height: steps(input.height, top, bottom, kh, self.stride)?,
                width: steps(input.width, left, right, kw, self.stride)?,
                channels,
            },
        };
        geometry.is_consistent().then_some(geometry)
    }
}

/// A chain of layers and what is fed to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    /// The input tensor.
    pub(crate) input: Shape,
    /// How the input is drawn.
    pub(crate) inputs: Fill,
    /// At most [`MAX_LAYERS`].
    pub(crate) layers: &'a [LayerCase],
    /// What the numbers are drawn from.
    pub(crate) seed: u64,
}

/// Why a case failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Failure {
    /// A layer does not fit its input or a buffer of this file.
    Shape(usize),
    /// The bundle could not be written.
    Write(WriteError),
    /// The network did not run.
    Run(network::NetworkError),
    /// An output is not what the definition says.
    Output {
        /// The layer, counted from 0.
        layer: usize,
        /// Channel, row and column.
        at: [usize; 3],
        /// What the kernels gave.
        got: i8,
        /// What the definition gives.
        expected: i8,
    },
}

/// What a passed case says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Outputs compared.
    pub(crate) outputs: usize,
    /// Whether a front was fused.
    pub(crate) fused: bool,
    /// Outputs whose rounding was an exact tie.
    pub(crate) ties: usize,
}

/// The buffers of a case, large: keep it in a static or on the heap.
pub(crate) struct Workspace {
    bundle: [u32; MAX_WEIGHTS],
    arena: [u32; MAX_TENSOR],
    weights: [i8; MAX_WEIGHTS],
    channels: [Channel; MAX_CHANNELS],
    biases: [i32; MAX_CHANNELS],
    tables: [[u8; TABLE_LEN]; MAX_LAYERS + 1],
    tensors: [[i8; MAX_TENSOR]; 2],
}

impl Workspace {
    /// Zeros.
    pub(crate) const fn new() -> Self {
        Workspace {
            bundle: [0; MAX_WEIGHTS],
            arena: [0; MAX_TENSOR],
            weights: [0; MAX_WEIGHTS],
            channels: [Channel { bias: 0, multiplier: 0 }; MAX_CHANNELS],
            biases: [0; MAX_CHANNELS],
            tables: [[0; TABLE_LEN]; MAX_LAYERS + 1],
            tensors: [[0; MAX_TENSOR]; 2],
        }
    }

    /// Builds the bundle of `case`, runs it, and compares every output of every step with the definition.
    pub(crate) fn run(&mut self, case: &Case<'_>) -> Result<Passed, Failure> {
        let mut rng = Rng(case.seed);
        let last = LayerCase {
            kind: Kind::Dense,
            kernel: [1, 1],
            stride: 1,
            pad: [0; 4],
            outputs: DIM,
            zero_point: EMBEDDING_ZERO_POINT,
            table: false,
            weights: Fill::Random,
            ties: false,
        };
        let blank = Entry::new(last.geometry(case.input).ok_or(Failure::Shape(0))?, 0, 0);
        let mut entries = [blank; MAX_LAYERS + 1];
        let count = case.layers.len() + 1;
        let layers = || case.layers.iter().chain([&last]);
        let (mut shape, mut zero_point) = (case.input, 0);
        let mut spans = [(0, 0); MAX_LAYERS + 2]; // of weights and channels
        for (index, layer) in layers().enumerate() {
            let fails = Failure::Shape(index);
            let flat = index + 1 == count;
            let input = if flat { shape.flattened() } else { Some(shape) }.ok_or(fails)?;
            let geometry = layer.geometry(input).ok_or(fails)?;
            entries[index] =
                Entry { geometry, input_zero_point: zero_point, output_zero_point: layer.zero_point, ..blank };
            let (weights_at, channels_at) = spans[index];
            let outputs = usize::from(geometry.output.channels);
            let per_channel = macs_per_output(&geometry);
            let stored = if layer.kind == Kind::Pool { 0 } else { outputs * per_channel };
            spans[index + 1] = (weights_at + stored, channels_at + outputs);
            let weights = self.weights.get_mut(weights_at..weights_at + stored).ok_or(fails)?;
            weights.fill_with(|| layer.weights.draw(&mut rng, -127, 127) as i8);
            for c in 0..outputs {
                let weights = weights.get(c * per_channel..(c + 1) * per_channel);
                let (channel, bias) = draw_channel(&mut rng, weights, per_channel, zero_point, layer.ties);
                *self.channels.get_mut(channels_at + c).ok_or(fails)? = channel;
                self.biases[channels_at + c] = bias;
            }
            self.tables[index].fill_with(|| rng.next() as u8);
            zero_point = match layer.table {
                true => self.tables[index][usize::from(layer.zero_point)],
                false => layer.zero_point,
            };
            shape = geometry.output;
            if shape.len() > MAX_TENSOR || input.len() > MAX_TENSOR {
                return Err(fails);
            }
        }
        let plan = plan(&mut entries[..count]);
        let mut sources = [LayerSource { entry: blank, weights: &[], channels: &[], table: None }; MAX_LAYERS + 1];
        for (index, layer) in layers().enumerate() {
            let (from, to) = (spans[index], spans[index + 1]);
            sources[index] = LayerSource {
                entry: entries[index],
                weights: &self.weights[from.0..to.0],
                channels: &self.channels[from.1..to.1],
                table: layer.table.then_some(&self.tables[index]),
            };
        }
        let header = header(case.input, plan.arena, plan.input_at);
        let sources = &sources[..count];
        let bundle = encode(&header, sources, bytemuck::cast_slice_mut(&mut self.bundle)).map_err(Failure::Write)?;
        let [mut input, mut output] = self.tensors.each_mut();
        let drawn = &mut input[..case.input.len()];
        drawn.fill_with(|| case.inputs.draw(&mut rng, -128, 127) as i8);
        let tensor = network::input_tensor(&bundle, &mut self.arena).map_err(Failure::Run)?;
        for (byte, &value) in tensor.iter_mut().zip(drawn.iter()) {
            *byte = (i16::from(value) + 128) as u8;
        }
        let mut passed = Passed::default();
        let mut ran = network::steps(&bundle);
        for (index, source) in sources.iter().enumerate() {
            let biases = &self.biases[spans[index].1..spans[index + 1].1];
            passed.ties += define(source, biases, input, output);
            if source.entry.fused {
                passed.fused = true;
            } else {
                if let Some(step) = ran.next() {
                    step.run(&mut self.arena);
                }
                passed.outputs += compare(index, source, &self.arena, output)?;
            }
            core::mem::swap(&mut input, &mut output);
        }
        Ok(passed)
    }
}

/// Weights that one output is made of.
fn macs_per_output(geometry: &Geometry) -> usize {
    let inputs = match geometry.kind {
        Kind::Dense | Kind::Winograd => usize::from(geometry.input.channels),
        Kind::Planar | Kind::Pool => 1,
    };
    inputs * usize::from(geometry.kernel[0]) * usize::from(geometry.kernel[1])
}

/// A channel with the bias as the board holds it, and the bias as ONNX states it.
fn draw_channel(
    rng: &mut Rng,
    weights: Option<&[i8]>,
    per_channel: usize,
    zero_point: u8,
    ties: bool,
) -> (Channel, i32) {
    let ones = per_channel as i64;
    let total = |f: fn(i64) -> i64| weights.map_or(ones, |w| w.iter().map(|&w| f(i64::from(w))).sum::<i64>());
    let (sum, magnitude) = (total(|w| w), total(i64::abs));
    let bias = rng.within(-64 * magnitude - 1, 64 * magnitude + 1);
    let folded = bias - i64::from(zero_point) * sum;
    let limit = MAX_PRODUCT / (255 * magnitude + folded.abs() + 1);
    let bits = rng.within(0, i64::from(limit.max(1).ilog2()));
    let multiplier = match ties {
        true => 1 << bits,
        false => rng.within(1 << bits, 2 << bits).min(limit),
    };
    let channel = Channel { bias: folded as i32, multiplier: multiplier as i32 };
    (channel, bias as i32)
}

fn header(input: Shape, arena: u32, input_at: u32) -> Header {
    Header {
        model_id: 1,
        name: [0; NAME_LEN],
        frontend: FrontEnd::Pixels(Pixels {
            width: input.width,
            height: input.height,
            channels: input.channels as u8,
            invert: false,
            stretch: false,
        }),
        metric: Metric::Euclidean,
        dim: DIM,
        arena,
        input_at,
        embedding_scale: 1.0,
        spread: None,
        threshold: None,
    }
}

/// `QLinearConv` as ONNX states it, on signed bytes with zero points, then the table. Returns how many roundings were ties.
fn define(layer: &LayerSource<'_>, biases: &[i32], input: &[i8], output: &mut [i8]) -> usize {
    let geometry = &layer.entry.geometry;
    let (x, y) = (geometry.input, geometry.output);
    let per_channel = macs_per_output(geometry);
    let signed = |byte: u8| i64::from(byte) - 128;
    let zero = signed(layer.entry.input_zero_point);
    let [kh, kw] = geometry.kernel.map(usize::from);
    let mut ties = 0;
    #[allow(clippy::needless_range_loop)] // a place has three coordinates, and the output is one of its uses
    for at in 0..y.len() {
        let (channel, row, column) = position(y, at);
        let planes = match geometry.kind {
            Kind::Dense | Kind::Winograd => 0..usize::from(x.channels),
            _ if x.channels == 1 => 0..1,
            _ => channel..channel + 1,
        };
        let mut acc = i64::from(biases[channel]);
        for (i, plane) in planes.enumerate() {
            for tap in 0..kh * kw {
                let iy = (row * usize::from(geometry.stride) + tap / kw).checked_sub(usize::from(geometry.pad[0]));
                let ix = (column * usize::from(geometry.stride) + tap % kw).checked_sub(usize::from(geometry.pad[1]));
                let inside = |i: &usize, side: u16| *i < usize::from(side);
                let (iy, ix) = (iy.filter(|i| inside(i, x.height)), ix.filter(|i| inside(i, x.width)));
                let value = match (iy, ix) {
                    (Some(iy), Some(ix)) => {
                        let at = plane * x.plane_len() + iy * usize::from(x.width) + ix;
                        i64::from(input[at])
                    }
                    _ => zero,
                };
                let weight = match geometry.kind {
                    Kind::Pool => 1,
                    _ => i64::from(layer.weights[channel * per_channel + i * kh * kw + tap]),
                };
                acc += (value - zero) * weight;
            }
        }
        let product = acc * i64::from(layer.channels[channel].multiplier);
        let (floor, rest) = (product.div_euclid(1 << 16), product.rem_euclid(1 << 16));
        ties += usize::from(rest == 1 << 15);
        let up = rest > 1 << 15 || (rest == 1 << 15 && floor % 2 != 0);
        let rounded = floor + i64::from(up) + signed(layer.entry.output_zero_point);
        let value = rounded.clamp(-128, 127);
        output[at] = match layer.table {
            Some(table) => signed(table[(value + 128) as usize]) as i8,
            None => value as i8,
        };
    }
    ties
}

fn position(shape: Shape, at: usize) -> (usize, usize, usize) {
    let (plane, width) = (shape.plane_len(), usize::from(shape.width));
    (at / plane, at % plane / width, at % plane % width)
}

fn compare(layer: usize, source: &LayerSource<'_>, arena: &[u32], expected: &[i8]) -> Result<usize, Failure> {
    let shape = source.entry.geometry.output;
    let from = source.entry.output_at as usize;
    let got = &bytemuck::cast_slice::<u32, u8>(arena)[from..from + shape.len()];
    for (at, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let got = (i16::from(got) - 128) as i8;
        if got != expected {
            let (channel, row, column) = position(shape, at);
            return Err(Failure::Output { layer, at: [channel, row, column], got, expected });
        }
    }
    Ok(shape.len())
}
