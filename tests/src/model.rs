//! Random models: every kind of layer, no training.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use shared::bundle::{
    self, Bundle, EMBEDDING_ZERO_POINT, Entry, Evidence, Header, LayerSource, TABLE_LEN, Threshold,
};
use shared::embedding::{Distance, Metric};
use shared::frontend::{Image, Pixels, Raw};
use shared::gallery::Gallery;
use shared::geometry::{Geometry, Kind, Layout, Shape, steps};
use shared::golden::{self, Outcome, Sample, Step};
use shared::network;
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
        Aligned {
            words,
            len: bytes.len(),
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }
}

struct Layer {
    entry: Entry,
    weights: Vec<i8>,
    channels: Vec<Channel>,
    table: Option<Box<[u8; TABLE_LEN]>>,
}

/// What a layer does to the tensor before it.
struct Plan {
    kind: Kind,
    kernel: u8,
    stride: u8,
    pad: u8,
    outputs: u16,
    layout: Layout,
    zero_point: u8,
    leaky: bool,
    fused: bool,
}

const PLANS: [Plan; 6] = [
    plan(Kind::Planar, 3, 2, 1, 8, Layout::Hwc),
    plan(Kind::Dense, 3, 1, 1, 10, Layout::Chw),
    plan(Kind::Planar, 3, 2, 1, 10, Layout::Hwc),
    plan(Kind::Dense, 1, 1, 0, 18, Layout::Chw),
    plan(Kind::Planar, 7, 1, 0, 18, Layout::Hwc),
    plan(Kind::Dense, 1, 1, 0, 32, Layout::Hwc),
];

const fn plan(kind: Kind, kernel: u8, stride: u8, pad: u8, outputs: u16, layout: Layout) -> Plan {
    Plan {
        kind,
        kernel,
        stride,
        pad,
        outputs,
        layout,
        zero_point: 0,
        leaky: false,
        fused: false,
    }
}

/// A bundle of random weights: a fused front, dense, depthwise, pointwise, a table, a pool and a last layer, 28x28 -> 32.
pub fn random(seed: u64) -> Aligned {
    let mut rng = StdRng::seed_from_u64(seed);
    let frontend = Pixels {
        width: 28,
        height: 28,
        channels: 1,
        invert: true,
        stretch: true,
    };
    let mut shape = Shape {
        height: 28,
        width: 28,
        channels: 1,
    };
    // Two halves take the tensors in turn, the scratch follows them. The fused tensor lies nowhere: the layer behind it has
    // the same place for its own output.
    let half = 14 * 14 * 10u32;
    let places = [half, half, 0, half, 0, half];
    let (mut input_at, mut zero_point) = (0, 0u8);
    let mut layers = vec![];
    for (index, mut plan) in PLANS.into_iter().enumerate() {
        plan.fused = index == 0;
        if index == 1 {
            (plan.leaky, plan.zero_point) = (true, 100);
        }
        if index == PLANS.len() - 1 {
            plan.zero_point = EMBEDDING_ZERO_POINT;
        }
        let side = |n| steps(n, plan.pad, plan.pad, plan.kernel, plan.stride).unwrap();
        let output = Shape {
            height: side(shape.height),
            width: side(shape.width),
            channels: plan.outputs,
        };
        let entry = Entry {
            geometry: Geometry {
                kind: plan.kind,
                kernel: [plan.kernel; 2],
                stride: plan.stride,
                pad: [plan.pad; 4],
                input: shape,
                output,
            },
            input_zero_point: zero_point,
            output_zero_point: plan.zero_point,
            layout: plan.layout,
            fused: plan.fused,
            input_at,
            output_at: places[index],
            scratch_at: 2 * half,
        };
        layers.push(layer(&mut rng, entry, plan.leaky));
        (shape, zero_point) = (output, plan.zero_point);
        input_at = places[index];
    }
    let fused = layers[0].entry;
    let scratch = layers
        .iter()
        .map(|layer| layer.entry.scratch_len(Some(&fused)))
        .max();
    let mut name = [0; bundle::NAME_LEN];
    name[..6].copy_from_slice(b"random");
    let header = Header {
        model_id: 0x7a6e_0000_0000_0000 | seed,
        name,
        frontend,
        metric: Metric::Euclidean,
        dim: shape.channels,
        arena: 2 * half + scratch.unwrap_or(0) as u32,
        input_at: 0,
        embedding_scale: 0.03125,
        threshold: Some(Threshold {
            distance: Distance(20_000),
            evidence: Evidence {
                target_fmr_ppm: 10_000,
                identities: 3,
                ..Evidence::default()
            },
        }),
    };
    let sources: Vec<LayerSource<'_>> = layers
        .iter()
        .map(|layer| LayerSource {
            entry: layer.entry,
            weights: &layer.weights,
            channels: &layer.channels,
            table: layer.table.as_deref(),
        })
        .collect();
    let mut out = Aligned::new(&vec![0; bundle::encoded_len(&sources)]);
    bundle::encode(&header, &sources, bytemuck::cast_slice_mut(&mut out.words))
        .expect("the random model is consistent");
    out
}

fn layer(rng: &mut StdRng, entry: Entry, leaky: bool) -> Layer {
    let geometry = &entry.geometry;
    let inputs = match geometry.kind {
        Kind::Dense => usize::from(geometry.input.channels),
        Kind::Planar => 1,
    };
    let per_channel = usize::from(geometry.kernel[0]) * usize::from(geometry.kernel[1]) * inputs;
    let outputs = usize::from(geometry.output.channels);
    let weights: Vec<i8> = (0..outputs * per_channel)
        .map(|_| rng.random_range(-127..=127))
        .collect();
    let channels = weights
        .chunks_exact(per_channel)
        .map(|weights| {
            let sum: i64 = weights.iter().map(|&w| i64::from(w)).sum();
            let bias = -sum * 80 + rng.random_range(0..3000);
            let reach = weights
                .iter()
                .map(|&w| 255 * i64::from(w).abs())
                .sum::<i64>()
                + bias.abs();
            let spread = 5000.0 * (per_channel as f64).sqrt();
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
    Layer {
        entry,
        weights,
        channels,
        table,
    }
}

/// Random pictures of `count` sizes, one channel.
pub fn pictures(seed: u64, count: usize) -> Vec<(u16, u16, Vec<u8>)> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let (width, height) = (rng.random_range(5..70u16), rng.random_range(5..70u16));
            let len = usize::from(width) * usize::from(height);
            let (low, high) = (rng.random_range(0..100u8), rng.random_range(100..=255u8));
            let pixels = (0..len).map(|_| rng.random_range(low..=high)).collect();
            (width, height, pixels)
        })
        .collect()
}

/// Golden vectors of `bundle` on random pictures, computed here, with a script of every operation.
pub fn golden(bundle: &Bundle<'_>, seed: u64) -> Vec<u8> {
    let pictures = pictures(seed, 12);
    let mut arena = vec![0; network::arena_words(bundle)];
    let mut parts = vec![];
    for (width, height, pixels) in &pictures {
        let raw = Raw::Image(Image {
            width: *width,
            height: *height,
            channels: 1,
            pixels,
        });
        let mut input = vec![0; bundle.header().input().len()];
        bundle
            .header()
            .frontend
            .run(raw, &mut input)
            .expect("a picture of one channel");
        let embedding = network::embed(bundle, raw, &mut arena).expect("the arena is as asked");
        parts.push((raw, input, embedding));
    }
    let samples: Vec<Sample<'_>> = parts
        .iter()
        .map(|(raw, input, embedding)| Sample {
            raw: *raw,
            input,
            embedding,
        })
        .collect();
    let steps = script(bundle.header(), &samples);
    let mut out = vec![0; golden::encoded_len(&samples, &steps)];
    golden::encode(bundle.header().model_id, &samples, &steps, &mut out)
        .expect("the samples are of one model");
    out
}

/// Enrols the first four samples, then verifies and identifies with all, before and after one is deleted.
fn script(header: &Header, samples: &[Sample<'_>]) -> Vec<Step> {
    let mut gallery = Gallery::<8, 512>::new(header).expect("the random model has a threshold");
    let mut steps = vec![Step::Identify {
        sample: 0,
        outcome: None,
    }];
    for identity in 0..4u16 {
        let embedding = samples[usize::from(identity)].embedding;
        gallery
            .enrol(&golden::label(identity), embedding)
            .expect("there is room");
        steps.push(Step::Enrol {
            sample: identity,
            identity,
        });
    }
    for round in 0..2 {
        for (index, sample) in samples.iter().enumerate() {
            let index = index as u16;
            steps.push(Step::Identify {
                sample: index,
                outcome: Outcome::of(&gallery.identify(sample.embedding)),
            });
            let claimed = gallery
                .verify(&golden::label(index % 3), sample.embedding)
                .expect("three stay");
            steps.push(Step::Verify {
                sample: index,
                outcome: Outcome::of(&claimed).expect("someone is enrolled"),
            });
        }
        if round == 0 {
            gallery.delete(&golden::label(3)).expect("it was enrolled");
            steps.push(Step::Delete { identity: 3 });
        }
    }
    steps
}
