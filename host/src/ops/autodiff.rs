//! The step of [`block`](super::block) as an operation that burn can differentiate.

use std::fmt;
use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Tensor, TensorData};

use super::block::{self, Norm, Saved};
use super::memory::keep_freed_memory;
use super::normalize::Affine;
use super::plan::Geometry;
use super::simd::Isa;

/// What a convolution does besides its weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ConvOptions {
    /// Step between output positions, down and across.
    pub(crate) stride: usize,
    /// Zeros around the input, on all four sides.
    pub(crate) pad: usize,
    /// Each channel has its own kernel.
    pub(crate) depthwise: bool,
    /// Slope of the following activation's negative side, 0 to 1.
    pub(crate) slope: f32,
}

impl ConvOptions {
    fn geometry(&self, x: [usize; 4], weight: [usize; 4]) -> Geometry {
        let [_, height, width, channels] = x;
        let [out, _, rows, columns] = weight;
        Geometry {
            input: [channels, height, width],
            out,
            kernel: [rows, columns],
            stride: self.stride,
            pad: self.pad,
            depthwise: self.depthwise,
        }
    }
}

/// What a training pass through a block gives.
pub(crate) struct Normalized {
    /// `[n, height, width, channels]`.
    pub(crate) output: Tensor<4>,
    /// Mean of each channel before BatchNorm.
    pub(crate) mean: Vec<f32>,
    /// Variance of each channel before BatchNorm, biased.
    pub(crate) variance: Vec<f32>,
}

/// Convolution, BatchNorm by the batch's statistics, activation: `x` is `[n, height, width, channels]`, `weight` is
/// `[out, in / groups, rows, columns]`.
///
/// `None` where the tensors are not on the Flex backend with autodiff.
pub(crate) fn conv_norm_act(
    x: &Tensor<4>,
    weight: &Tensor<4>,
    gamma: &Tensor<1>,
    beta: &Tensor<1>,
    epsilon: f64,
    options: ConvOptions,
) -> Option<Normalized> {
    type Tracked = Autodiff<Flex>;
    let geometry = options.geometry(x.dims(), weight.dims());
    let n = x.dims()[0];
    let x = x.clone().try_into_primitive::<Tracked>().ok()?;
    keep_freed_memory();
    let weight = weight.clone().try_into_primitive::<Tracked>().ok()?;
    let gamma = gamma.clone().try_into_primitive::<Tracked>().ok()?;
    let beta = beta.clone().try_into_primitive::<Tracked>().ok()?;

    let nodes = [x.node(), weight.node(), gamma.node(), beta.node()];
    let x = x.into_primitive().to_contiguous();
    let weight = weight.into_primitive().to_contiguous();
    let norm = Norm {
        gamma: &values(&gamma.into_primitive()),
        beta: &values(&beta.into_primitive()),
        epsilon,
        slope: options.slope,
    };
    let isa = Isa::detect();
    let trained = block::forward(isa, &geometry, n, slice(&x), slice(&weight), &norm);
    let [height, width] = geometry.output();
    let output = tensor(trained.y, [n, height, width, geometry.out]);
    let mean = trained.affine.mean.clone();
    let inverse = |&v: &f32| (1.0 / (f64::from(v) + epsilon).sqrt()) as f32;
    let state = State(Arc::new(Kept {
        inverse_deviation: trained.variance.iter().map(inverse).collect(),
        geometry,
        n,
        x,
        weight,
        z: trained.z,
        affine: trained.affine,
    }));
    let prepared = ConvNormAct.prepare::<NoCheckpointing>(nodes).compute_bound().stateful();
    let output = match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(state, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    Some(Normalized { output: Tensor::from_primitive::<Tracked>(output), mean, variance: trained.variance })
}

/// Convolution, `u = (z - mean) * scale + shift`, activation, without a gradient; shapes as in [`conv_norm_act`], `affine` gives
/// `[mean, scale, shift]` of each channel.
///
/// `None` where the tensors are not on the Flex backend without autodiff.
pub(crate) fn conv_affine_act(
    x: &Tensor<4>,
    weight: &Tensor<4>,
    affine: impl FnOnce() -> [Vec<f32>; 3],
    options: ConvOptions,
) -> Option<Tensor<4>> {
    let geometry = options.geometry(x.dims(), weight.dims());
    let n = x.dims()[0];
    let x = x.clone().try_into_primitive::<Flex>().ok()?.to_contiguous();
    let weight = weight.clone().try_into_primitive::<Flex>().ok()?;
    let weight = weight.to_contiguous();
    let [mean, scale, shift] = affine();
    let affine = Affine { mean, scale, shift, slope: options.slope };
    let isa = Isa::detect();
    let y = block::infer(isa, &geometry, n, slice(&x), slice(&weight), &affine);
    let [height, width] = geometry.output();
    let y = tensor(y, [n, height, width, geometry.out]);
    Some(Tensor::from_primitive::<Flex>(y))
}

/// The backward step.
#[derive(Debug)]
struct ConvNormAct;

/// What the backward step needs of the forward step.
struct Kept {
    geometry: Geometry,
    n: usize,
    x: FlexTensor,
    weight: FlexTensor,
    z: Vec<f32>,
    affine: Affine,
    inverse_deviation: Vec<f32>,
}

#[derive(Clone)]
struct State(Arc<Kept>);

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&self.0.geometry).finish()
    }
}

impl Backward<Flex, 4> for ConvNormAct {
    type State = State;

    fn backward(self, ops: Ops<State, 4>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let [x, weight, gamma, beta] = ops.parents;
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let kept = &ops.state.0;
        let saved = Saved {
            x: slice(&kept.x),
            z: &kept.z,
            weight: slice(&kept.weight),
            affine: &kept.affine,
            inverse_deviation: &kept.inverse_deviation,
        };
        let geometry = &kept.geometry;
        let (isa, n) = (Isa::detect(), kept.n);
        let got = block::backward(isa, geometry, n, &saved, slice(&dy), x.is_some());
        if let (Some(node), Some(dx)) = (x, got.x) {
            let [channels, height, width] = geometry.input;
            gradients.register::<Flex>(node.id, tensor(dx, [n, height, width, channels]));
        }
        if let Some(node) = weight {
            let [rows, columns] = geometry.kernel;
            let shape = [geometry.out, geometry.depth(), rows, columns];
            gradients.register::<Flex>(node.id, tensor(got.weight, shape));
        }
        if let Some(node) = gamma {
            gradients.register::<Flex>(node.id, tensor(got.gamma, [geometry.out]));
        }
        if let Some(node) = beta {
            gradients.register::<Flex>(node.id, tensor(got.beta, [geometry.out]));
        }
    }
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn values(tensor: &FlexTensor) -> Vec<f32> {
    slice(&tensor.to_contiguous()).to_vec()
}

/// The values of a contiguous tensor; training computes in `f32` throughout.
fn slice(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice::<f32>().expect("a contiguous tensor of f32")
}
