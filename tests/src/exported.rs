//! A network of random weights on its whole way through the host: quantized, and in every form that is exported.

use std::fs;
use std::path::Path;

use anyhow::Context;
use firmware::onnx;
use host::export::bundle_bytes;
use host::model::{BUNDLE, GOLDEN, ONNX};
use host::net::{Architecture, FloatLayer, FloatNet, weight_dims};
use host::quantize::quantize;
use prost::Message;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use shared::bundle::{Bundle, Evidence, Threshold, seal};
use shared::embedding::{Distance, Metric};
use shared::frontend::Pixels;
use shared::network;

use crate::model::{Aligned, golden, pictures};

/// Calibration inputs.
const CALIBRATION: usize = 8;

/// A model in every form.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The bundle, its threshold sealed.
    pub bundle: Aligned,
    /// The sealed ONNX file.
    pub onnx: Vec<u8>,
    /// Golden vectors.
    pub golden: Vec<u8>,
}

impl Exported {
    /// The model in the folder `dir`.
    pub fn read(dir: &Path) -> anyhow::Result<Exported> {
        let read = |name| fs::read(dir.join(name)).with_context(|| dir.join(name).display().to_string());
        Ok(Exported { bundle: Aligned::new(&read(BUNDLE)?), onnx: read(ONNX)?, golden: read(GOLDEN)? })
    }
}

/// Quantizes and exports `architecture` with random weights.
pub fn export(architecture: &Architecture, seed: u64) -> anyhow::Result<Exported> {
    let mut rng = StdRng::seed_from_u64(seed);
    let net = random_net(architecture, &mut rng)?;
    let volume = architecture.input.volume();
    let samples: Vec<Vec<f32>> =
        (0..CALIBRATION).map(|_| (0..volume).map(|_| rng.random_range(0.0..1.0)).collect()).collect();
    let graph = quantize(&net, &samples)?;
    let frontend = Pixels {
        width: u16::try_from(architecture.input.width)?,
        height: u16::try_from(architecture.input.height)?,
        channels: u8::try_from(architecture.input.channels)?,
        invert: true,
        stretch: true,
    };
    let bytes = bundle_bytes(&graph, "random", frontend.into(), Metric::Euclidean)?;
    let distance = median_distance(&Bundle::check(bytes.as_slice())?, seed)?;
    let threshold = Threshold { distance, gate: distance, evidence: Evidence::default() };
    let mut bundle = Aligned::new(bytes.as_slice());
    seal(bundle.bytes_mut(), threshold, None)?;
    let checked = Bundle::check(bundle.bytes())?;
    let mut model = host::onnx::model(&graph, "random");
    onnx::seal(&mut model, &checked);
    let golden = golden(&checked, seed);
    Ok(Exported { onnx: model.encode_to_vec(), golden, bundle })
}

impl Exported {
    /// Writes the three files to `dir`, as `doppel export` does.
    pub fn write(&self, dir: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        for (name, bytes) in
            [("model.bundle", self.bundle.bytes()), ("model.onnx", &self.onnx), ("golden.bin", &self.golden)]
        {
            let path = dir.join(name);
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// The median distance between random pictures: a threshold that half of all comparisons pass.
fn median_distance(bundle: &Bundle<'_>, seed: u64) -> anyhow::Result<Distance> {
    let mut arena = vec![0; network::arena_words(bundle)];
    let channels = bundle.header().input().channels as u8;
    let embeddings = pictures(seed, 12, channels)
        .iter()
        .map(|picture| network::embed(bundle, picture.raw(), &mut arena))
        .collect::<Result<Vec<_>, _>>()?;
    let metric = bundle.header().metric;
    let mut distances: Vec<Distance> = embeddings
        .iter()
        .enumerate()
        .flat_map(|(index, a)| embeddings[..index].iter().map(|b| metric.distance(a, b)))
        .collect();
    distances.sort();
    Ok(distances[distances.len() / 2])
}

/// `architecture` with weights that keep the size of their input's values, and small biases.
fn random_net(architecture: &Architecture, rng: &mut StdRng) -> anyhow::Result<FloatNet> {
    let shapes = architecture.shapes()?;
    let layers = architecture
        .layers
        .iter()
        .zip(shapes.windows(2))
        .map(|(spec, io)| {
            let dims = weight_dims(spec, io[0]).unwrap_or([0; 4]);
            let fan_in = (dims[1] * dims[2] * dims[3]).max(1) as f32;
            let bound = (6.0 / fan_in).sqrt();
            let count = dims.iter().product::<usize>();
            FloatLayer {
                spec: *spec,
                input: io[0],
                output: io[1],
                weight: (0..count).map(|_| rng.random_range(-bound..bound)).collect(),
                bias: (0..dims[0]).map(|_| rng.random_range(-0.2..0.2)).collect(),
            }
        })
        .collect();
    Ok(FloatNet { architecture: architecture.clone(), layers })
}
