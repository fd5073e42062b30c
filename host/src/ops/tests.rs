//! The operations against burn's own and against finite differences, on every instruction set at hand.

use burn::module::Param;
use burn::tensor::activation::leaky_relu;
use burn::tensor::module::{batch_norm_train, conv2d};
use burn::tensor::ops::ConvOptions as BurnOptions;
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::block::{self, Norm, Saved};
use super::plan::Geometry;
use super::simd::Isa;
use super::{ConvOptions, conv_affine_act, conv_norm_act};

const EPSILON: f64 = 1e-5;

struct Case {
    n: usize,
    /// Channels, rows, columns.
    input: [usize; 3],
    out: usize,
    kernel: [usize; 2],
    stride: usize,
    pad: usize,
    depthwise: bool,
    slope: f32,
}

/// Every branch: strides, borders, odd sizes, one channel, tails of rows, of columns and of vectors, more images than runs.
fn cases() -> Vec<Case> {
    let case = |n, input, out, kernel, stride, pad, depthwise, slope| Case {
        n,
        input,
        out,
        kernel,
        stride,
        pad,
        depthwise,
        slope,
    };
    vec![
        case(2, [1, 7, 6], 5, [3, 3], 1, 1, false, 0.1),
        case(3, [3, 8, 8], 16, [3, 3], 2, 1, false, 0.1),
        case(37, [16, 5, 5], 24, [1, 1], 1, 0, false, 0.0),
        case(2, [4, 5, 7], 40, [3, 1], 1, 0, false, 1.0),
        case(2, [8, 6, 6], 9, [1, 1], 2, 0, false, 0.0),
        case(2, [2, 9, 9], 3, [5, 4], 3, 2, false, 0.1),
        case(19, [24, 7, 7], 24, [3, 3], 1, 1, true, 0.0),
        case(2, [17, 7, 8], 17, [3, 3], 2, 1, true, 0.1),
        case(2, [9, 8, 8], 9, [2, 3], 1, 1, true, 0.0),
    ]
}

impl Case {
    fn options(&self) -> ConvOptions {
        ConvOptions { stride: self.stride, pad: self.pad, depthwise: self.depthwise, slope: self.slope }
    }

    fn x_dims(&self) -> [usize; 4] {
        let [channels, height, width] = self.input;
        [self.n, height, width, channels]
    }

    fn weight_dims(&self) -> [usize; 4] {
        let depth = if self.depthwise { 1 } else { self.input[0] };
        [self.out, depth, self.kernel[0], self.kernel[1]]
    }

    fn geometry(&self) -> Geometry {
        Geometry {
            input: self.input,
            out: self.out,
            kernel: self.kernel,
            stride: self.stride,
            pad: self.pad,
            depthwise: self.depthwise,
        }
    }
}

fn vector<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().try_into_vec().unwrap()
}

fn assert_close(what: &str, got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let size = expected.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() < 2e-4 * size, "{what}[{i}]: {g} is not {e}");
    }
}

fn random<const D: usize>(dims: [usize; D], low: f64, high: f64, device: &Device) -> Tensor<D> {
    Tensor::random(dims, Distribution::Uniform(low, high), device)
}

/// Burn's own operations on `x` `[n, height, width, channels]`: output in the same layout, mean and variance.
fn burns(
    case: &Case,
    x: Tensor<4>,
    weight: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    let groups = if case.depthwise { case.out } else { 1 };
    let options = BurnOptions::new([case.stride; 2], [case.pad; 2], [1; 2], groups);
    let z = conv2d(x.permute([0, 3, 1, 2]), weight, None, options);
    let normalized = batch_norm_train(z, gamma, beta, EPSILON);
    let y = leaky_relu(normalized.output, f64::from(case.slope));
    (y.permute([0, 2, 3, 1]), normalized.mean, normalized.variance)
}

#[test]
fn training_steps_equal_burn_s_own() {
    let device = Device::flex().autodiff();
    device.seed(1);
    for case in cases() {
        let x = Param::from_tensor(random(case.x_dims(), -1.0, 1.5, &device)).val();
        let weight = random(case.weight_dims(), -0.5, 0.5, &device).require_grad();
        let gamma = random([case.out], 0.5, 1.5, &device).require_grad();
        let beta = random([case.out], -0.5, 0.5, &device).require_grad();
        let expected = burns(&case, x.clone(), weight.clone(), gamma.clone(), beta.clone());
        let got = conv_norm_act(&x, &weight, &gamma, &beta, EPSILON, case.options()).unwrap();
        assert_eq!(got.output.dims(), expected.0.dims());
        assert_close("output", &vector(&got.output), &vector(&expected.0));
        assert_close("mean", &got.mean, &vector(&expected.1));
        assert_close("variance", &got.variance, &vector(&expected.2));

        let weights = random(expected.0.dims(), -1.0, 1.0, &device);
        let expected = (expected.0 * weights.clone()).sum().backward();
        let got = (got.output * weights).sum().backward();
        let pair = |name: &str, got: Vec<f32>, expected: Vec<f32>| assert_close(name, &got, &expected);
        pair("dx", vector(&x.grad(&got).unwrap()), vector(&x.grad(&expected).unwrap()));
        let both = |t: &Tensor<1>| (vector(&t.grad(&got).unwrap()), vector(&t.grad(&expected).unwrap()));
        let (g, e) = both(&gamma);
        pair("dgamma", g, e);
        let (g, e) = both(&beta);
        pair("dbeta", g, e);
        let got = vector(&weight.grad(&got).unwrap());
        pair("dweight", got, vector(&weight.grad(&expected).unwrap()));
    }
}

#[test]
fn inference_equals_burn_s_own() {
    let device = Device::flex();
    device.seed(2);
    for case in cases() {
        let x = random(case.x_dims(), -1.0, 1.0, &device);
        let weight = random(case.weight_dims(), -0.5, 0.5, &device);
        let constants = [0.1, 0.7, 0.3].map(|value| random([case.out], value - 0.1, value, &device));
        let groups = if case.depthwise { case.out } else { 1 };
        let options = BurnOptions::new([case.stride; 2], [case.pad; 2], [1; 2], groups);
        let z = conv2d(x.clone().permute([0, 3, 1, 2]), weight.clone(), None, options);
        let z = z.permute([0, 2, 3, 1]);
        let [mean, scale, shift] = constants.clone().map(|c| c.reshape([1, 1, 1, case.out]));
        let expected = leaky_relu((z - mean) * scale + shift, f64::from(case.slope));
        let affine = || constants.map(|c| vector(&c));
        let got = conv_affine_act(&x, &weight, affine, case.options()).unwrap();
        assert_eq!(got.dims(), expected.dims());
        assert_close("output", &vector(&got), &vector(&expected));
    }
}

/// One step in plain numbers.
struct Step {
    x: Vec<f32>,
    weight: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    /// Weights of the outputs in the loss.
    loss: Vec<f32>,
}

impl Step {
    fn new(case: &Case) -> Step {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut list =
            |len: usize, low: f32, high: f32| -> Vec<f32> { (0..len).map(|_| rng.random_range(low..high)).collect() };
        let geometry = case.geometry();
        Step {
            x: list(case.x_dims().iter().product(), -1.0, 1.0),
            weight: list(case.weight_dims().iter().product(), -0.5, 0.5),
            gamma: list(case.out, 0.5, 1.5),
            beta: list(case.out, -0.5, 0.5),
            loss: list(case.n * geometry.output_len(), -1.0, 1.0),
        }
    }

    fn forward(&self, isa: Isa, case: &Case) -> block::Trained {
        let norm = Norm { gamma: &self.gamma, beta: &self.beta, epsilon: EPSILON, slope: case.slope };
        block::forward(isa, &case.geometry(), case.n, &self.x, &self.weight, &norm)
    }

    fn loss(&self, isa: Isa, case: &Case) -> f64 {
        let y = self.forward(isa, case).y;
        y.iter().zip(&self.loss).map(|(&y, &w)| f64::from(y) * f64::from(w)).sum()
    }

    fn gradients(&self, isa: Isa, case: &Case) -> block::Gradients {
        let trained = self.forward(isa, case);
        let inverse: Vec<f32> = trained.variance.iter().map(|v| 1.0 / (v + EPSILON as f32).sqrt()).collect();
        let saved = Saved {
            x: &self.x,
            z: &trained.z,
            weight: &self.weight,
            affine: &trained.affine,
            inverse_deviation: &inverse,
        };
        block::backward(isa, &case.geometry(), case.n, &saved, &self.loss, true)
    }
}

fn instruction_sets() -> Vec<Isa> {
    let mut all = vec![Isa::Portable, Isa::PortableWide];
    all.extend(Isa::detected());
    all
}

#[test]
fn instruction_sets_agree() {
    for case in cases() {
        let step = Step::new(&case);
        let y = step.forward(Isa::Portable, &case).y;
        let expected = step.gradients(Isa::Portable, &case);
        for isa in instruction_sets() {
            assert_close("output", &step.forward(isa, &case).y, &y);
            let got = step.gradients(isa, &case);
            assert_close("dx", &got.x.unwrap(), expected.x.as_ref().unwrap());
            assert_close("dweight", &got.weight, &expected.weight);
            assert_close("dgamma", &got.gamma, &expected.gamma);
            assert_close("dbeta", &got.beta, &expected.beta);
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    type Field = fn(&mut Step) -> &mut Vec<f32>;
    let fields: [(&str, Field); 4] =
        [("x", |s| &mut s.x), ("weight", |s| &mut s.weight), ("gamma", |s| &mut s.gamma), ("beta", |s| &mut s.beta)];
    // Slope 1 has no kink that a finite step could straddle; the kink itself is covered by the comparison with burn.
    for case in cases().into_iter().map(|case| Case { slope: 1.0, ..case }) {
        let isa = Isa::detect();
        let mut step = Step::new(&case);
        let got = step.gradients(isa, &case);
        let all = [got.x.as_ref().unwrap(), &got.weight, &got.gamma, &got.beta];
        for ((name, field), got) in fields.iter().zip(all) {
            let size = got.iter().fold(0.1f32, |m, v| m.max(v.abs()));
            for index in (0..got.len()).step_by(got.len().div_ceil(5)) {
                let h = 1e-2f32;
                let before = field(&mut step)[index];
                field(&mut step)[index] = before + h;
                let high = step.loss(isa, &case);
                field(&mut step)[index] = before - h;
                let low = step.loss(isa, &case);
                field(&mut step)[index] = before;
                let expected = ((high - low) / (2.0 * f64::from(h))) as f32;
                assert!(
                    (got[index] - expected).abs() < 2e-2 * size,
                    "d{name}[{index}]: {} is not {expected}",
                    got[index]
                );
            }
        }
    }
}

#[test]
fn a_large_mean_costs_no_accuracy() {
    let device = Device::flex().autodiff();
    let values: Vec<f32> = (0..800).map(|i| 1000.0 + (i % 7) as f32 * 0.01).collect();
    let x = Tensor::<4>::from_data(TensorData::new(values.clone(), [8, 10, 10, 1]), &device);
    let one = |value: f32| Tensor::<1>::from_data([value], &device);
    let weight = Tensor::<4>::from_data([[[[1.0]]]], &device);
    let options = ConvOptions { stride: 1, pad: 0, depthwise: false, slope: 1.0 };
    let got = conv_norm_act(&x, &weight, &one(1.0), &one(0.0), EPSILON, options).unwrap();
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / 800.0;
    let squares = values.iter().map(|&v| (f64::from(v) - mean).powi(2));
    let variance = (squares.sum::<f64>() / 800.0) as f32;
    assert!((got.variance[0] / variance - 1.0).abs() < 1e-3);
}

#[test]
fn other_devices_are_left_to_burn() {
    let plain = Device::flex();
    let x = Tensor::<4>::zeros([1, 2, 2, 1], &plain);
    let weight = Tensor::<4>::zeros([1, 1, 1, 1], &plain);
    let one = Tensor::<1>::zeros([1], &plain);
    let case = &cases()[0];
    assert!(conv_norm_act(&x, &weight, &one, &one, EPSILON, case.options()).is_none());
    let tracked = Tensor::<4>::zeros([1, 2, 2, 1], &plain.autodiff());
    let affine = || unreachable!("nobody asks for constants that nobody uses");
    assert!(conv_affine_act(&tracked, &weight, affine, case.options()).is_none());
}
