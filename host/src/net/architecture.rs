//! What a network is made of, as plain data: shapes, multiply-accumulates and parameters follow from it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Slope of every LeakyReLU for negative values, the article's.
pub const LEAKY_SLOPE: f32 = 0.1;

/// Shape of one activation: channels, rows, columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// Channels, rows, columns.
    pub fn new(channels: usize, height: usize, width: usize) -> Self {
        Shape { channels, height, width }
    }

    /// Number of values.
    pub fn volume(&self) -> usize {
        self.channels * self.height * self.width
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// What follows a layer's sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `y = x`.
    #[default]
    None,
    /// `y = max(x, 0)`.
    Relu,
    /// `y = x` where `x > 0`, else `y = slope * x`, with `0 < slope < 1`.
    LeakyRelu(f32),
}

impl Activation {
    /// Slope of the negative side: 1 where there is no activation, 0 for ReLU.
    pub fn slope(&self) -> f32 {
        match self {
            Activation::None => 1.0,
            Activation::Relu => 0.0,
            Activation::LeakyRelu(slope) => *slope,
        }
    }
}

/// One layer, without its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LayerSpec {
    /// Convolution, then BatchNorm, then the activation.
    Conv {
        /// Output channels; a depthwise convolution has as many as its input.
        out: usize,
        /// Rows and columns of the kernel.
        kernel: (usize, usize),
        /// Step between output positions, down and across.
        stride: usize,
        /// Zeros around the input, on all four sides.
        pad: usize,
        /// Each channel is convolved with its own kernel (`groups = channels`).
        depthwise: bool,
        /// BatchNorm in place of a bias.
        batch_norm: bool,
        /// What follows.
        activation: Activation,
    },
    /// Mean over all positions of each channel.
    AveragePool,
    /// Every output is a weighted sum of the whole input, plus a bias.
    FullyConnected {
        /// Outputs.
        out: usize,
    },
}

/// Why a network cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ArchitectureError {
    /// The input shrinks to less than a kernel needs.
    #[error(
        "a {input} input (channels x height x width) is too small for this network: layer {layer} would get {at}; \
         use an input of at least {minimum}x{minimum} pixels"
    )]
    InputTooSmall {
        /// The network's input.
        input: Shape,
        /// Layer, counted from 1.
        layer: usize,
        /// What that layer would get.
        at: Shape,
        /// Smallest square input that every layer accepts.
        minimum: usize,
    },
    /// A count that must be positive is zero.
    #[error("layer {layer} has {what} 0; it must be at least 1")]
    Zero {
        /// Layer, counted from 1; 0 is the input.
        layer: usize,
        /// The count.
        what: &'static str,
    },
    /// A depthwise convolution changes the number of channels.
    #[error("layer {layer} is depthwise with {out} output channels, but its input has {channels}; they must be equal")]
    Depthwise {
        /// Layer, counted from 1.
        layer: usize,
        /// Output channels.
        out: usize,
        /// Input channels.
        channels: usize,
    },
    /// The padding is so wide that an output would see nothing but padding.
    #[error(
        "layer {layer} pads by {pad}, but its kernel has only {kernel} rows or columns; pad by less than the kernel"
    )]
    Padding {
        /// Layer, counted from 1.
        layer: usize,
        /// Zeros on each side.
        pad: usize,
        /// Shorter side of the kernel.
        kernel: usize,
    },
    /// The last layer leaves more than one position.
    #[error(
        "the last layer leaves {0} in place of a vector; end the network with a fully connected layer or an average pool"
    )]
    NotAVector(Shape),
    /// There are no layers.
    #[error("the network has no layers")]
    Empty,
}

/// A network as plain data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Shape of one input.
    pub input: Shape,
    /// Layers in the order of execution.
    pub layers: Vec<LayerSpec>,
}

impl Architecture {
    /// The article's network: four 3x3 convolutions (32, 32 by stride 2, 64, 64 by stride 2), each with BatchNorm and LeakyReLU
    /// 0.1, then a fully connected layer to `d` values.
    pub fn article(input: Shape, d: usize) -> Self {
        let conv = |out, stride| LayerSpec::Conv {
            out,
            kernel: (3, 3),
            stride,
            pad: 1,
            depthwise: false,
            batch_norm: true,
            activation: Activation::LeakyRelu(LEAKY_SLOPE),
        };
        Architecture {
            input,
            layers: vec![conv(32, 1), conv(32, 2), conv(64, 1), conv(64, 2), LayerSpec::FullyConnected { out: d }],
        }
    }

    /// The network for the board: a 3x3 convolution by stride 2, four pairs of depthwise and pointwise convolution, each with
    /// BatchNorm and ReLU, an average pool and a fully connected layer to `d` values.
    ///
    /// `width_multiplier` scales the channels 16, 32, 64, 64, 96; they are rounded to a multiple of 8, at least 8.
    pub fn compact(input: Shape, width_multiplier: f32, d: usize) -> Self {
        let scaled = |channels: usize| {
            let eighths = (channels as f32 * width_multiplier / 8.0).round();
            (eighths as usize).max(1) * 8
        };
        let conv = |out, side, stride, depthwise| LayerSpec::Conv {
            out,
            kernel: (side, side),
            stride,
            pad: side / 2,
            depthwise,
            batch_norm: true,
            activation: Activation::Relu,
        };
        let mut channels = scaled(16);
        let mut layers = vec![conv(channels, 3, 2, false)];
        for (out, stride) in [(32, 1), (64, 2), (64, 1), (96, 2)] {
            layers.push(conv(channels, 3, stride, true));
            channels = scaled(out);
            layers.push(conv(channels, 1, 1, false));
        }
        layers.push(LayerSpec::AveragePool);
        layers.push(LayerSpec::FullyConnected { out: d });
        Architecture { input, layers }
    }

    /// The same network with each average pool replaced by a mean whose weights are learned, one a position and channel: a depthwise
    /// convolution as large as its input, with BatchNorm and no activation (Chen et al. 2018, MobileFaceNets, section 3.1). Unlike
    /// an average, it knows where something was. A network that cannot be built stays as it is.
    pub fn with_weighted_pool(mut self) -> Self {
        let Ok(shapes) = self.shapes() else { return self };
        for (spec, input) in self.layers.iter_mut().zip(shapes) {
            if *spec == LayerSpec::AveragePool {
                *spec = LayerSpec::Conv {
                    out: input.channels,
                    kernel: (input.height, input.width),
                    stride: 1,
                    pad: 0,
                    depthwise: true,
                    batch_norm: true,
                    activation: Activation::None,
                };
            }
        }
        self
    }

    /// The activation shapes: the input, then the output of each layer (`layers.len() + 1` shapes).
    pub fn shapes(&self) -> Result<Vec<Shape>, ArchitectureError> {
        self.shapes_from(self.input).map_err(|error| match error {
            ArchitectureError::InputTooSmall { input, layer, at, .. } => {
                let minimum = (1..=4096)
                    .find(|&side| self.shapes_from(Shape::new(input.channels, side, side)).is_ok())
                    .unwrap_or(4096);
                ArchitectureError::InputTooSmall { input, layer, at, minimum }
            }
            other => other,
        })
    }

    fn shapes_from(&self, input: Shape) -> Result<Vec<Shape>, ArchitectureError> {
        let positive = |layer, what, value| match value {
            0 => Err(ArchitectureError::Zero { layer, what }),
            _ => Ok(()),
        };
        positive(0, "a side or channel count of", input.volume())?;
        let mut shapes = vec![input];
        let mut at = input;
        for (index, spec) in self.layers.iter().enumerate() {
            let layer = index + 1;
            at = match *spec {
                LayerSpec::AveragePool => Shape::new(at.channels, 1, 1),
                LayerSpec::FullyConnected { out } => {
                    positive(layer, "outputs", out)?;
                    Shape::new(out, 1, 1)
                }
                LayerSpec::Conv { out, kernel: (kh, kw), stride, pad, depthwise, .. } => {
                    positive(layer, "output channels", out)?;
                    positive(layer, "a kernel side of", kh * kw)?;
                    positive(layer, "a stride of", stride)?;
                    if depthwise && out != at.channels {
                        return Err(ArchitectureError::Depthwise { layer, out, channels: at.channels });
                    }
                    if pad >= kh.min(kw) && pad > 0 {
                        let kernel = kh.min(kw);
                        return Err(ArchitectureError::Padding { layer, pad, kernel });
                    }
                    if at.height + pad < kh || at.width + pad < kw {
                        return Err(ArchitectureError::InputTooSmall { input, layer, at, minimum: 0 });
                    }
                    Shape::new(out, (at.height + 2 * pad - kh) / stride + 1, (at.width + 2 * pad - kw) / stride + 1)
                }
            };
            shapes.push(at);
        }
        match shapes.len() {
            1 => Err(ArchitectureError::Empty),
            _ if at.height * at.width != 1 => Err(ArchitectureError::NotAVector(at)),
            _ => Ok(shapes),
        }
    }

    /// Values of an embedding.
    pub fn embedding(&self) -> Result<usize, ArchitectureError> {
        Ok(self.shapes()?.last().map_or(0, Shape::volume))
    }

    /// Multiply-accumulates of each layer for one input; an average pool counts as none.
    pub fn macs(&self) -> Result<Vec<u64>, ArchitectureError> {
        let shapes = self.shapes()?;
        Ok(self
            .layers
            .iter()
            .zip(shapes.windows(2))
            .map(|(spec, io)| {
                let weights = weight_dims(spec, io[0]).map_or(0, |dims| dims.iter().product());
                (weights * io[1].height * io[1].width) as u64
            })
            .collect())
    }

    /// Trainable parameters of each layer: weights, biases, and the BatchNorm's scale and shift.
    pub fn parameters(&self) -> Result<Vec<u64>, ArchitectureError> {
        let shapes = self.shapes()?;
        Ok(self
            .layers
            .iter()
            .zip(shapes.windows(2))
            .map(|(spec, io)| {
                let Some(dims) = weight_dims(spec, io[0]) else {
                    return 0;
                };
                let per_channel = match spec {
                    LayerSpec::Conv { batch_norm: true, .. } => 2,
                    _ => 1,
                };
                (dims.iter().product::<usize>() + per_channel * dims[0]) as u64
            })
            .collect())
    }
}

/// Dimensions of a layer's weights, `[out, in / groups, kernel rows, kernel columns]`, for an input of shape `input`; a fully
/// connected layer is a convolution whose kernel is the whole input.
pub fn weight_dims(spec: &LayerSpec, input: Shape) -> Option<[usize; 4]> {
    match *spec {
        LayerSpec::Conv { out, kernel: (kh, kw), depthwise, .. } => {
            Some([out, if depthwise { 1 } else { input.channels }, kh, kw])
        }
        LayerSpec::AveragePool => None,
        LayerSpec::FullyConnected { out } => Some([out, input.channels, input.height, input.width]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_networks_have_the_published_multiply_accumulates() {
        let article = Architecture::article(Shape::new(1, 28, 28), 64);
        let macs = article.macs().unwrap();
        assert_eq!(macs, [225_792, 1_806_336, 3_612_672, 1_806_336, 200_704]);
        assert_eq!(macs.iter().sum::<u64>(), 7_651_840);

        let compact = Architecture::compact(Shape::new(1, 28, 28), 1.0, 64);
        assert_eq!(compact.macs().unwrap().iter().sum::<u64>(), 613_856);

        let weighted = compact.clone().with_weighted_pool();
        assert_eq!(weighted.embedding(), Ok(64));
        let sum = |counts: Vec<u64>| counts.iter().sum::<u64>();
        let of_pool = 96 * (4 * 4 + 2);
        assert_eq!(sum(weighted.parameters().unwrap()), sum(compact.parameters().unwrap()) + of_pool);
    }

    #[test]
    fn parameters_count_weights_biases_and_norms() {
        let article = Architecture::article(Shape::new(1, 28, 28), 2);
        assert_eq!(
            article.parameters().unwrap(),
            [9 * 32 + 64, 9 * 32 * 32 + 64, 9 * 32 * 64 + 128, 9 * 64 * 64 + 128, 3136 * 2 + 2]
        );
    }

    #[test]
    fn any_input_size_and_channel_count_works() {
        for (channels, height, width) in [(1, 40, 40), (3, 32, 48), (1, 49, 13)] {
            let input = Shape::new(channels, height, width);
            assert_eq!(Architecture::article(input, 5).embedding(), Ok(5));
            assert_eq!(Architecture::compact(input, 2.0, 7).embedding(), Ok(7));
        }
        let wide = Architecture::compact(Shape::new(1, 28, 28), 2.0, 64);
        assert_eq!(wide.shapes().unwrap()[1], Shape::new(32, 14, 14));
    }

    #[test]
    fn a_small_input_is_refused_with_the_size_that_would_do() {
        let compact = Architecture::compact(Shape::new(1, 4, 4), 1.0, 64);
        let error = compact.shapes().unwrap_err();
        assert!(matches!(error, ArchitectureError::InputTooSmall { minimum, .. } if minimum > 4), "{error}");
        let ArchitectureError::InputTooSmall { minimum, .. } = error else { unreachable!() };
        assert!(Architecture::compact(Shape::new(1, minimum, minimum), 1.0, 64).shapes().is_ok());
        assert!(error.to_string().contains("at least"));
    }

    #[test]
    fn a_network_that_ends_in_a_picture_is_refused() {
        let mut article = Architecture::article(Shape::new(1, 28, 28), 2);
        article.layers.pop();
        assert_eq!(article.shapes(), Err(ArchitectureError::NotAVector(Shape::new(64, 7, 7))));
    }
}
