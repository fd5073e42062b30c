//! The embedding network: [`Architecture`] says what it is made of, [`Net`] learns, [`FloatNet`] is what is left of it for
//! inference and quantization.

mod architecture;
mod fold;

pub use architecture::{Activation, Architecture, ArchitectureError, LEAKY_SLOPE, LayerSpec, Shape, weight_dims};
pub use fold::{FloatLayer, FloatNet, Stage};

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::activation::{leaky_relu, relu};
use burn::tensor::module::conv2d;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::ops::{ConvOptions, conv_affine_act, conv_norm_act};

/// The parameters of one layer; an average pool has none.
#[derive(Module, Debug)]
pub(crate) struct Layer {
    /// `[out, in / groups, kernel rows, kernel columns]`.
    pub(crate) weight: Option<Param<Tensor<4>>>,
    /// `[out]`; absent where a BatchNorm shifts.
    pub(crate) bias: Option<Param<Tensor<1>>>,
    pub(crate) norm: Option<BatchNorm>,
}

/// An embedding network that burn can train.
#[derive(Module, Debug)]
pub struct Net {
    pub(crate) layers: Vec<Layer>,
    #[module(skip)]
    architecture: Architecture,
}

impl Net {
    /// A network with fresh weights: Kaiming uniform (He et al. 2015, fan in, gain of the layer's activation), biases 0, BatchNorm
    /// scale 1 and shift 0. The same seed gives the same weights on every machine.
    pub fn new(architecture: &Architecture, seed: u64, device: &Device) -> Result<Net, ArchitectureError> {
        let shapes = architecture.shapes()?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let layers = architecture
            .layers
            .iter()
            .zip(&shapes)
            .map(|(spec, &input)| Layer::new(spec, input, &mut rng, device))
            .collect();
        Ok(Net { layers, architecture: architecture.clone() })
    }

    /// What the network is made of.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Where the network's weights are.
    pub(crate) fn device(&self) -> Device {
        let weight = self.layers.iter().find_map(|layer| layer.weight.as_ref());
        weight.map_or_else(Device::flex, |weight| weight.val().device())
    }

    /// Embeds a batch: images `[n, channels, height, width]`, pixels as fractions, to `[n, d]`.
    ///
    /// BatchNorm uses the batch's statistics on a device with autodiff, the running ones otherwise.
    pub fn get_embedding(&self, images: Tensor<4>) -> Tensor<2> {
        self.embed_rows(images.permute([0, 2, 3, 1]))
    }

    /// As [`get_embedding`](Net::get_embedding), of images `[n, height, width, channels]`, the layout of the computation.
    pub fn embed_rows(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x = images;
        for (spec, layer) in self.architecture.layers.iter().zip(&self.layers) {
            x = layer.forward(spec, x);
        }
        x.flatten(1, 3)
    }

    /// Every number that inference uses, running statistics included, one list a tensor.
    pub(crate) fn numbers(&self) -> Vec<Vec<f32>> {
        self.layers.iter().flat_map(Layer::numbers).collect()
    }

    /// The network with other [`numbers`](Net::numbers); lists of another length leave a tensor as it is.
    pub(crate) fn with_numbers(&self, numbers: &[Vec<f32>]) -> Net {
        let mut net = self.clone();
        let mut numbers = numbers.iter();
        for layer in &mut net.layers {
            layer.take_numbers(&mut numbers);
        }
        net
    }

    /// The network for inference, BatchNorm folded into the weights.
    pub fn fold(&self) -> FloatNet {
        FloatNet::fold(self)
    }
}

impl Layer {
    fn new(spec: &LayerSpec, input: Shape, rng: &mut ChaCha8Rng, device: &Device) -> Layer {
        let Some(dims) = weight_dims(spec, input) else {
            return Layer { weight: None, bias: None, norm: None };
        };
        let (slope, batch_norm) = match spec {
            LayerSpec::Conv { activation, batch_norm, .. } => (activation.slope(), *batch_norm),
            _ => (1.0, false),
        };
        // Var[w] = gain^2 / fan_in and a uniform distribution over [-bound, bound] has variance bound^2 / 3.
        let gain_squared = 2.0 / (1.0 + slope * slope);
        let fan_in = (dims[1] * dims[2] * dims[3]) as f32;
        let bound = (3.0 * gain_squared / fan_in).sqrt();
        let weights: Vec<f32> = (0..dims.iter().product::<usize>()).map(|_| rng.random_range(-bound..bound)).collect();
        Layer {
            weight: Some(Param::from_data(TensorData::new(weights, dims), device)),
            bias: (!batch_norm).then(|| Param::from_data(TensorData::new(vec![0f32; dims[0]], [dims[0]]), device)),
            norm: batch_norm.then(|| BatchNormConfig::new(dims[0]).init(device)),
        }
    }

    fn numbers(&self) -> Vec<Vec<f32>> {
        let weight = self.weight.iter().map(|weight| values(&weight.val()));
        let bias = self.bias.iter().map(|bias| values(&bias.val()));
        let norm = self.norm.iter().flat_map(|norm| {
            let (mean, variance) = (norm.running_mean.value_sync(), norm.running_var.value_sync());
            [values(&norm.gamma.val()), values(&norm.beta.val()), values(&mean), values(&variance)]
        });
        weight.chain(bias).chain(norm).collect()
    }

    fn take_numbers<'a>(&mut self, numbers: &mut impl Iterator<Item = &'a Vec<f32>>) {
        if let Some(weight) = &mut self.weight {
            replace(weight, numbers.next());
        }
        if let Some(bias) = &mut self.bias {
            replace(bias, numbers.next());
        }
        if let Some(norm) = &mut self.norm {
            replace(&mut norm.gamma, numbers.next());
            replace(&mut norm.beta, numbers.next());
            for running in [&norm.running_mean, &norm.running_var] {
                if let Some(values) = numbers.next() {
                    let device = running.value_sync().device();
                    running.update(Tensor::from_data(TensorData::new(values.clone(), [values.len()]), &device));
                    // A record holds what was synchronized last.
                    let _ = running.value_sync();
                }
            }
        }
    }

    /// `[n, height, width, channels]` to the same.
    fn forward(&self, spec: &LayerSpec, x: Tensor<4>) -> Tensor<4> {
        let Some(weight) = &self.weight else {
            return x.mean_dim(1).mean_dim(2);
        };
        let weight = weight.val();
        match *spec {
            LayerSpec::Conv { stride, pad, depthwise, activation, .. } => {
                let options = ConvOptions { stride, pad, depthwise, slope: activation.slope() };
                match self.fast(&x, &weight, options) {
                    Some(y) => y,
                    None => self.by_parts(x, weight, options, activation),
                }
            }
            LayerSpec::FullyConnected { out } => {
                let n = x.dims()[0];
                let x: Tensor<2> = x.flatten(1, 3);
                let weight: Tensor<2> = weight.permute([0, 2, 3, 1]).flatten(1, 3);
                let y = x.matmul(weight.transpose());
                let y = match &self.bias {
                    Some(bias) => y + bias.val().unsqueeze(),
                    None => y,
                };
                y.reshape([n, 1, 1, out])
            }
            LayerSpec::AveragePool => x,
        }
    }

    /// The layer as one operation, where there is one: on the processor.
    fn fast(&self, x: &Tensor<4>, weight: &Tensor<4>, options: ConvOptions) -> Option<Tensor<4>> {
        if !x.device().is_autodiff() {
            return conv_affine_act(x, weight, || self.affine(), options);
        }
        let norm = self.norm.as_ref().filter(|norm| norm.training.is_enabled())?;
        let (gamma, beta) = (norm.gamma.val(), norm.beta.val());
        let got = conv_norm_act(x, weight, &gamma, &beta, norm.epsilon, options)?;
        for (running, batch) in [(&norm.running_mean, &got.mean), (&norm.running_var, &got.variance)] {
            let moved: Vec<f32> = values(&running.value_sync())
                .iter()
                .zip(batch)
                .map(|(old, new)| {
                    let momentum = norm.momentum as f32;
                    old * (1.0 - momentum) + new * momentum
                })
                .collect();
            let length = moved.len();
            running.update(Tensor::from_data(TensorData::new(moved, [length]), &x.device()));
        }
        Some(got.output)
    }

    /// The layer as burn's own operations, for every other device.
    fn by_parts(&self, x: Tensor<4>, weight: Tensor<4>, options: ConvOptions, activation: Activation) -> Tensor<4> {
        let x = x.permute([0, 3, 1, 2]);
        let groups = if options.depthwise { x.dims()[1] } else { 1 };
        let (stride, pad) = ([options.stride; 2], [options.pad; 2]);
        let burns = burn::tensor::ops::ConvOptions::new(stride, pad, [1; 2], groups);
        let x = conv2d(x, weight, self.bias.as_ref().map(Param::val), burns);
        let x = match &self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        activate(x, activation).permute([0, 2, 3, 1])
    }

    /// What follows the convolution in inference, `u = (z - mean) * scale + shift`: mean, scale and shift of each channel.
    pub(crate) fn affine(&self) -> [Vec<f32>; 3] {
        let channels = self.weight.as_ref().map_or(0, |w| w.val().dims()[0]);
        let bias = match &self.bias {
            Some(bias) => values(&bias.val()),
            None => vec![0.0; channels],
        };
        let Some(norm) = &self.norm else {
            return [vec![0.0; channels], vec![1.0; channels], bias];
        };
        let mean = values(&norm.running_mean.value_sync());
        let variance = values(&norm.running_var.value_sync());
        let scale = values(&norm.gamma.val())
            .iter()
            .zip(&variance)
            .map(|(&gamma, &v)| (f64::from(gamma) / (f64::from(v) + norm.epsilon).sqrt()) as f32)
            .collect();
        let mean = mean.iter().zip(&bias).map(|(mean, bias)| mean - bias);
        [mean.collect(), scale, values(&norm.beta.val())]
    }
}

/// Puts `values` in the place of a parameter's, where there are as many.
fn replace<const D: usize>(parameter: &mut Param<Tensor<D>>, values: Option<&Vec<f32>>) {
    let old = parameter.val();
    let dims = old.dims();
    if let Some(values) = values.filter(|values| values.len() == dims.iter().product::<usize>()) {
        *parameter = Param::from_data(TensorData::new(values.clone(), dims), &old.device());
    }
}

pub(crate) fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().iter::<f32>().collect()
}

/// The activation, element by element.
pub(crate) fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    match activation {
        Activation::None => x,
        Activation::Relu => relu(x),
        Activation::LeakyRelu(slope) => leaky_relu(x, f64::from(slope)),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    fn weights(net: &Net) -> Vec<f32> {
        net.layers
            .iter()
            .filter_map(|layer| layer.weight.as_ref())
            .flat_map(|weight| weight.val().try_into_vec_as::<f32>().unwrap())
            .collect()
    }

    #[test]
    fn a_seed_gives_the_same_weights_and_another_seed_others() {
        let architecture = Architecture::compact(Shape::new(1, 12, 12), 0.5, 4);
        let device = Device::flex();
        let net = |seed| Net::new(&architecture, seed, &device).unwrap();
        assert_eq!(weights(&net(7)), weights(&net(7)));
        assert_ne!(weights(&net(7)), weights(&net(8)));
    }

    #[test]
    fn numbers_come_back() {
        let architecture = Architecture::compact(Shape::new(1, 12, 12), 0.5, 4);
        let net = |seed| Net::new(&architecture, seed, &Device::flex()).unwrap();
        let (one, two) = (net(1), net(2));
        assert_ne!(one.numbers(), two.numbers());
        assert_eq!(two.with_numbers(&one.numbers()).numbers(), one.numbers());
        let images = Tensor::ones([1, 1, 12, 12], &Device::flex());
        let of = |net: &Net| values(&net.get_embedding(images.clone()));
        assert_eq!(of(&two.with_numbers(&one.numbers())), of(&one));
    }

    #[test]
    fn fresh_weights_have_kaiming_variance() {
        let architecture = Architecture::article(Shape::new(1, 28, 28), 16);
        let net = Net::new(&architecture, 1, &Device::flex()).unwrap();
        for (index, (fan_in, slope)) in
            [(288.0, 0.1), (288.0, 0.1), (576.0, 0.1), (3136.0, 1.0)].into_iter().enumerate()
        {
            let weight = net.layers[index + 1].weight.as_ref().unwrap().val();
            let values = weight.try_into_vec_as::<f32>().unwrap();
            let variance = values.iter().map(|w| w * w).sum::<f32>() / values.len() as f32;
            let expected = 2.0 / (1.0 + slope * slope) / fan_in;
            assert!((variance / expected - 1.0).abs() < 0.05, "layer {index}");
        }
    }

    /// Other devices take the path by parts; on the processor both are there to be compared.
    #[test]
    fn one_operation_and_its_parts_give_the_same_outputs_and_running_statistics() {
        let tracked = Device::flex().autodiff();
        tracked.seed(4);
        let input = Shape::new(2, 9, 8);
        for architecture in [Architecture::article(input, 5), Architecture::compact(input, 0.5, 5)] {
            let whole = Net::new(&architecture, 3, &tracked).unwrap();
            let parts = Net::new(&architecture, 3, &tracked).unwrap();
            let images = Tensor::<4>::random([6, 9, 8, 2], Distribution::Uniform(0.0, 1.0), &tracked);
            let (mut x, mut y) = (images.clone(), images);
            for ((spec, whole), parts) in architecture.layers.iter().zip(&whole.layers).zip(&parts.layers) {
                let LayerSpec::Conv { stride, pad, depthwise, activation, .. } = *spec else { break };
                let options = ConvOptions { stride, pad, depthwise, slope: activation.slope() };
                x = whole.forward(spec, x);
                y = parts.by_parts(y, parts.weight.as_ref().unwrap().val(), options, activation);
                assert_close(&values(&x), &values(&y));
                let (whole, parts) = (whole.norm.as_ref().unwrap(), parts.norm.as_ref().unwrap());
                for (a, b) in [(&whole.running_mean, &parts.running_mean), (&whole.running_var, &parts.running_var)] {
                    assert_close(&values(&a.value_sync()), &values(&b.value_sync()));
                }
            }
        }
    }

    fn assert_close(a: &[f32], b: &[f32]) {
        assert_eq!(a.len(), b.len());
        assert!(a.iter().any(|&a| a != 0.0));
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3 * (1.0 + a.abs())), "{a:?} is not {b:?}");
    }

    #[test]
    fn embeddings_have_the_architecture_s_size() {
        let device = Device::flex();
        let article = Architecture::article(Shape::new(3, 9, 11), 5);
        let net = Net::new(&article, 1, &device).unwrap();
        let y = net.get_embedding(Tensor::zeros([2, 3, 9, 11], &device));
        assert_eq!(y.dims(), [2, 5]);
    }
}
