//! Random models: every kind of layer, no training.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use shared::bundle::{self, Bundle, EMBEDDING_ZERO_POINT, Entry, Evidence, Header, LayerSource, TABLE_LEN, Threshold};
use shared::embedding::{Distance, Metric};
use shared::frontend::{Image, Pixels, Raw};
use shared::gallery::{Gallery, Template};
use shared::geometry::{Geometry, Kind, Shape, steps};
use shared::golden::{self, Outcome, Sample, Step};
use shared::network;
use shared::plan::plan;
use shared::quant::{Channel, MAX_PRODUCT};

/// Bytes that start at a multiple of four, as a bundle has to.
#[derive(Clone, Debug)]
pub struct Aligned {
    words: Vec<u32>,
    len: usize,
}

impl Aligned {
    /// A copy of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        let mut words = vec![0; bytes.len().div_ceil(4)];
        bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Aligned { words, len: bytes.len() }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }

    /// The bytes, to change them.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len]
    }
}

struct Layer {
    weights: Vec<i8>,
    channels: Vec<Channel>,
    table: Option<Box<[u8; TABLE_LEN]>>,
}

/// What a layer does to the tensor before it.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    kind: Kind,
    kernel: u8,
    stride: u8,
    pad: u8,
    outputs: u16,
    leaky: bool,
}

impl Spec {
    /// A 3x3 convolution with a padding of one; of a single-channel picture it is planar.
    pub const fn conv(inputs: u16, outputs: u16, stride: u8) -> Self {
        let kind = if inputs == 1 { Kind::Planar } else { Kind::Dense };
        Spec::new(kind, 3, stride, 1, outputs)
    }

    /// A 3x3 depthwise convolution with a padding of one.
    pub const fn depthwise(channels: u16, stride: u8) -> Self {
        Spec::new(Kind::Planar, 3, stride, 1, channels)
    }

    /// A 1x1 convolution.
    pub const fn pointwise(outputs: u16) -> Self {
        Spec::new(Kind::Dense, 1, 1, 0, outputs)
    }

    /// The average over the whole plane of `side` rows and columns.
    pub const fn pool(side: u8, channels: u16) -> Self {
        Spec::new(Kind::Pool, side, 1, 0, channels)
    }

    /// A fully connected layer over the whole tensor.
    pub const fn fully_connected(outputs: u16) -> Self {
        Spec::new(Kind::Dense, 0, 1, 0, outputs)
    }

    /// The same layer with LeakyReLU in place of ReLU.
    pub const fn leaky(self) -> Self {
        Spec { leaky: true, ..self }
    }

    const fn new(kind: Kind, kernel: u8, stride: u8, pad: u8, outputs: u16) -> Self {
        Spec { kind, kernel, stride, pad, outputs, leaky: false }
    }

    /// The geometry over a tensor of `shape`.
    fn geometry(&self, shape: Shape) -> Geometry {
        let (input, kernel) = match self.kernel {
            0 => (shape.flattened().expect("the tensor is small"), 1),
            kernel => (shape, kernel),
        };
        let side = |n| steps(n, self.pad, self.pad, kernel, self.stride).expect("the kernel fits");
        Geometry {
            kind: self.kind,
            kernel: [kernel; 2],
            stride: self.stride,
            pad: [self.pad; 4],
            input,
            output: Shape { height: side(input.height), width: side(input.width), channels: self.outputs },
        }
    }
}

/// A network: a picture of one channel and the layers behind it; the last one gives the embedding.
#[derive(Clone, Copy, Debug)]
pub struct Net {
    /// At most [`bundle::NAME_LEN`] bytes.
    pub name: &'static str,
    /// Rows and columns of the picture.
    pub input: [u16; 2],
    /// The layers in order.
    pub layers: &'static [Spec],
}

/// Every kind of layer: a front that is fused, dense, depthwise, pointwise, a table, a pool and a last layer.
const RANDOM: Net = Net {
    name: "random",
    input: [28, 28],
    layers: &[
        Spec::conv(1, 8, 2),
        Spec::conv(8, 10, 1).leaky(),
        Spec::depthwise(10, 2),
        Spec::pointwise(18),
        Spec::pool(7, 18),
        Spec::fully_connected(32),
    ],
};

/// A bundle of random weights with every kind of layer, 28x28 -> 32.
pub fn random(seed: u64) -> Aligned {
    build(&RANDOM, seed)
}

/// A bundle of `net` with random weights.
pub fn build(net: &Net, seed: u64) -> Aligned {
    let mut rng = StdRng::seed_from_u64(seed);
    let [height, width] = net.input;
    let mut shape = Shape { height, width, channels: 1 };
    let mut zero_point = 0;
    let mut layers = vec![];
    let mut entries = vec![];
    for (index, spec) in net.layers.iter().enumerate() {
        let output_zero_point = match spec.leaky {
            _ if index + 1 == net.layers.len() => EMBEDDING_ZERO_POINT,
            true => LEAKY_ZERO_POINT,
            false => 0,
        };
        let entry = Entry::new(spec.geometry(shape), zero_point, output_zero_point);
        layers.push(layer(&mut rng, entry, spec.leaky));
        entries.push(entry);
        (shape, zero_point) = (entry.geometry.output, output_zero_point);
    }
    let plan = plan(&mut entries);
    let mut name = [0; bundle::NAME_LEN];
    name[..net.name.len()].copy_from_slice(net.name.as_bytes());
    let header = Header {
        model_id: 0x7a6e_0000_0000_0000 | seed,
        name,
        frontend: Pixels { width, height, channels: 1, invert: true, stretch: true }.into(),
        metric: Metric::Euclidean,
        dim: shape.channels,
        arena: plan.arena,
        input_at: plan.input_at,
        embedding_scale: 0.03125,
        spread: None,
        threshold: Some(Threshold {
            distance: Distance(20_000),
            gate: Distance(30_000),
            evidence: Evidence { target_fmr_ppm: 10_000, identities: 3, ..Evidence::default() },
        }),
    };
    let sources: Vec<LayerSource<'_>> = layers
        .iter()
        .zip(&entries)
        .map(|(layer, &entry)| LayerSource {
            entry,
            weights: &layer.weights,
            channels: &layer.channels,
            table: layer.table.as_deref(),
        })
        .collect();
    let mut out = Aligned::new(&vec![0; bundle::encoded_len(&header, &sources)]);
    bundle::encode(&header, &sources, bytemuck::cast_slice_mut(&mut out.words))
        .expect("the random model is consistent");
    out
}

/// The zero point below a LeakyReLU; the table maps it to itself.
const LEAKY_ZERO_POINT: u8 = 100;

fn layer(rng: &mut StdRng, entry: Entry, leaky: bool) -> Layer {
    let geometry = &entry.geometry;
    let inputs = match geometry.kind {
        Kind::Dense | Kind::Winograd => usize::from(geometry.input.channels),
        Kind::Planar | Kind::Pool => 1,
    };
    let per_channel = usize::from(geometry.kernel[0]) * usize::from(geometry.kernel[1]) * inputs;
    let outputs = usize::from(geometry.output.channels);
    let weights: Vec<i8> = (0..outputs * per_channel).map(|_| rng.random_range(-127..=127)).collect();
    let pool = geometry.kind == Kind::Pool;
    let weights = if pool { vec![1; weights.len()] } else { weights };
    let channels = weights
        .chunks_exact(per_channel)
        .map(|weights| {
            let sum: i64 = weights.iter().map(|&w| i64::from(w)).sum();
            let bias = -sum * 80 + rng.random_range(0..3000);
            let reach = weights.iter().map(|&w| 255 * i64::from(w).abs()).sum::<i64>() + bias.abs();
            let spread = if pool { 100.0 } else { 5000.0 } * (per_channel as f64).sqrt();
            Channel {
                bias: bias as i32,
                multiplier: ((65536.0 * 90.0 / spread) as i64).min(MAX_PRODUCT / reach) as i32,
            }
        })
        .collect();
    let table = leaky.then(|| {
        let zero = entry.output_zero_point;
        Box::new(core::array::from_fn(|byte| {
            let byte = byte as u8;
            byte.max(zero - zero.saturating_sub(byte) / 10)
        }))
    });
    Layer { weights: if pool { vec![] } else { weights }, channels, table }
}

/// A raw picture.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Samples a pixel.
    pub channels: u8,
    /// Rows from the top, channels interleaved.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// As the front end takes it.
    pub fn raw(&self) -> Raw<'_> {
        Raw::Image(Image { width: self.width, height: self.height, channels: self.channels, pixels: &self.pixels })
    }
}

/// `count` random pictures of random sizes.
pub fn pictures(seed: u64, count: usize, channels: u8) -> Vec<Picture> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let (width, height) = (rng.random_range(5..70u16), rng.random_range(5..70u16));
            let len = usize::from(width) * usize::from(height) * usize::from(channels);
            let (low, high) = (rng.random_range(0..100u8), rng.random_range(100..=255u8));
            Picture { width, height, channels, pixels: (0..len).map(|_| rng.random_range(low..=high)).collect() }
        })
        .collect()
}

/// Golden vectors of `bundle` on random pictures, computed here, with a script of every operation.
pub fn golden(bundle: &Bundle<'_>, seed: u64) -> Vec<u8> {
    let pictures = pictures(seed, 12, bundle.header().input().channels as u8);
    let mut arena = vec![0; network::arena_words(bundle)];
    let mut parts = vec![];
    for picture in &pictures {
        let raw = picture.raw();
        let frontend = bundle.header().frontend;
        let (mut input, mut work) = (vec![0; frontend.tensor_len()], vec![0; frontend.work_words()]);
        frontend.run(raw, &mut input, &mut work).expect("the pictures have the model's channels");
        let embedding = network::embed(bundle, raw, &mut arena).expect("the arena is as asked");
        parts.push((raw, input, embedding));
    }
    let samples: Vec<Sample<'_>> =
        parts.iter().map(|(raw, input, embedding)| Sample { raw: *raw, input, embedding }).collect();
    let steps = script(bundle.header(), &samples);
    let mut out = vec![0; golden::encoded_len(&samples, &steps)];
    golden::encode(bundle.header().model_id, &samples, &steps, &mut out).expect("the samples are of one model");
    out
}

/// Enrols the first four samples, then verifies and identifies with all, before and after one is deleted.
fn script(header: &Header, samples: &[Sample<'_>]) -> Vec<Step> {
    let mut gallery = Gallery::<8, 512>::new(header).expect("the random model has a threshold");
    let mut steps = vec![Step::Identify { sample: 0, outcome: None }];
    for identity in 0..4u16 {
        let embedding = samples[usize::from(identity)].embedding;
        gallery.enrol(Template::of_one(&golden::label(identity), embedding)).expect("there is room");
        steps.push(Step::Enrol { sample: identity, identity });
    }
    for round in 0..2 {
        for (index, sample) in samples.iter().enumerate() {
            let index = index as u16;
            steps.push(Step::Identify { sample: index, outcome: Outcome::of(&gallery.identify(sample.embedding)) });
            let claimed = gallery.verify(&golden::label(index % 3), sample.embedding).expect("three stay");
            steps.push(Step::Verify { sample: index, outcome: Outcome::of(&claimed).expect("someone is enrolled") });
        }
        if round == 0 {
            gallery.delete(&golden::label(3)).expect("it was enrolled");
            steps.push(Step::Delete { identity: 3 });
        }
    }
    steps
}
