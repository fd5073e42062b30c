//! The engines that embed: the float network, the bundle by `shared`'s kernels, and the ONNX file by tract.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use firmware::onnx::{LoadError, OnnxError, OnnxModel};
use rayon::prelude::*;
use shared::bundle::{Bundle, Header};
use shared::embedding::{self, COSINE_ONE, Distance, Metric};
use shared::frontend::{FrontEnd, FrontendError};
use shared::network::{self, NetworkError};
use thiserror::Error;

use crate::data::{Dataset, Sample, input_tensor};
use crate::model::{BUNDLE, BundleBytes, ModelError, ONNX};
use crate::net::FloatNet;
use crate::train::{TrainError, Trained};

/// Which form of the model embeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EngineKind {
    /// The trained network, in floats.
    Float,
    /// The bundle, as the board runs it.
    #[default]
    Int8,
    /// The ONNX file, run by tract.
    Onnx,
}

/// A model that embeds raw samples.
pub enum Engine {
    /// The trained network with its BatchNorms folded.
    Float {
        /// The network.
        net: FloatNet,
        /// Raw sample -> input tensor.
        frontend: FrontEnd,
        /// The distance that its embeddings are made for.
        metric: Metric,
        /// [`Header::spread`] of the bundle made of it, in this network's units.
        spread: Option<f64>,
    },
    /// The bundle.
    Int8(BundleBytes),
    /// The ONNX file.
    Onnx(Box<OnnxModel>),
}

/// Why an engine cannot be opened or cannot embed.
#[derive(Debug, Error)]
pub enum EngineError {
    /// A file of the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The trained network.
    #[error(transparent)]
    Trained(#[from] TrainError),
    /// The ONNX file cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The ONNX file cannot be run.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The ONNX file and the bundle beside it are two models.
    #[error("{} is of another model than {} beside it: run `doppel export {}`", .0.join(ONNX).display(), BUNDLE, .0.display())]
    OtherExport(PathBuf),
    /// A sample that the model does not take.
    #[error("sample {index} ({name}): {source}")]
    Sample {
        /// Which sample of the data.
        index: usize,
        /// Its identity.
        name: String,
        /// What is wrong with it.
        source: NetworkError,
    },
}

/// Embeddings of a data set.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// The distance that they are made for.
    pub metric: Metric,
    /// Elements of an embedding.
    pub dim: usize,
    /// The identity of each; of a forgery the one that it imitates.
    pub identities: Vec<usize>,
    /// Which of them are skilled forgeries.
    pub forged: Vec<bool>,
    vectors: Vectors,
    /// See [`Header::spread`].
    usual_spread: Option<f64>,
    /// Of templates that have any, what is taken off the distances from each.
    allowances: Vec<f64>,
}

#[derive(Clone, Debug)]
enum Vectors {
    Float(Vec<f32>),
    Int8(Vec<i8>),
}

impl Engine {
    /// Opens the form `kind` of the model in `dir`.
    pub fn open(dir: &Path, kind: EngineKind) -> Result<Self, EngineError> {
        Ok(match kind {
            EngineKind::Float => {
                let mut engine = Self::float(&Trained::load(dir)?);
                if let Engine::Float { spread, .. } = &mut engine
                    && dir.join(BUNDLE).exists()
                {
                    let bytes = BundleBytes::open(dir)?;
                    *spread = spread_in_units(checked(&bytes).header());
                }
                engine
            }
            EngineKind::Int8 => Engine::Int8(BundleBytes::open(dir)?),
            EngineKind::Onnx => {
                let model = OnnxModel::load(&dir.join(ONNX))?;
                // The threshold and whatever else goes with the model is read from the bundle.
                if dir.join(BUNDLE).exists()
                    && BundleBytes::open(dir)?.bundle().map(|b| *b.header()) != Ok(*model.header())
                {
                    return Err(EngineError::OtherExport(dir.to_path_buf()));
                }
                Engine::Onnx(Box::new(model))
            }
        })
    }

    /// The float engine of a trained network.
    pub fn float(trained: &Trained) -> Self {
        let recipe = &trained.recipe;
        Engine::Float {
            net: trained.net.fold(),
            frontend: recipe.front_end(),
            metric: recipe.net.metric.into(),
            spread: None,
        }
    }

    /// Raw sample -> input tensor.
    pub fn frontend(&self) -> FrontEnd {
        match self {
            Engine::Float { frontend, .. } => *frontend,
            Engine::Int8(bytes) => checked(bytes).header().frontend,
            Engine::Onnx(model) => model.header().frontend,
        }
    }

    /// Embeds every sample of `data`, on all cores.
    pub fn embed(&self, data: &Dataset) -> Result<Embedded, EngineError> {
        let failed = |index: usize, source: NetworkError| {
            let name = data.identities[data.samples[index].identity].clone();
            EngineError::Sample { index, name, source }
        };
        let identities = data.labels();
        let forged = vec![false; identities.len()];
        let frontend = self.frontend();
        let (metric, dim, usual_spread, vectors) = match self {
            Engine::Float { net, metric, spread, .. } => {
                let vectors = embed_float(net, frontend, &data.samples).map_err(|(i, e)| failed(i, e.into()))?;
                let dim = net.layers.last().map_or(0, |layer| layer.output.volume());
                (*metric, dim, *spread, Vectors::Float(vectors))
            }
            Engine::Int8(bytes) => {
                let bundle = checked(bytes);
                let arena = || vec![0u32; network::arena_words(&bundle)];
                let each = data.samples.par_iter().enumerate().map_init(arena, |arena, (index, sample)| {
                    network::embed(&bundle, sample.raw.as_raw(), arena).map_err(|error| failed(index, error))
                });
                let vectors = each.collect::<Result<Vec<_>, _>>()?.concat();
                of_header(bundle.header(), vectors)
            }
            Engine::Onnx(model) => {
                let header = model.header();
                let mut vectors = Vec::new();
                for (index, sample) in data.samples.iter().enumerate() {
                    let tensor = input_tensor(&frontend, &sample.raw);
                    vectors.extend(model.run(&tensor.map_err(|error| failed(index, error.into()))?)?);
                }
                of_header(header, vectors)
            }
        };
        Ok(Embedded { metric, dim, identities, forged, vectors, usual_spread, allowances: Vec::new() })
    }
}

/// What [`Engine::embed`] gives of int8 vectors.
fn of_header(header: &Header, vectors: Vec<i8>) -> (Metric, usize, Option<f64>, Vectors) {
    let spread = header.spread.map(|spread| f64::from(spread.0));
    (header.metric, usize::from(header.dim), spread, Vectors::Int8(vectors))
}

/// [`Header::spread`] in the float network's units: a squared Euclidean distance or `1 - cos`.
fn spread_in_units(header: &Header) -> Option<f64> {
    let unit = match header.metric {
        Metric::Euclidean => f64::from(header.embedding_scale).powi(2),
        Metric::Cosine => 1.0 / f64::from(COSINE_ONE),
    };
    header.spread.map(|spread| f64::from(spread.0) * unit)
}

/// The view of bytes that were checked when the engine was opened.
fn checked(bytes: &BundleBytes) -> Bundle<'_> {
    bytes.bundle().expect("an engine holds only bundles that passed their check")
}

/// The float embeddings of `samples`, or which sample the front end refuses.
fn embed_float(net: &FloatNet, frontend: FrontEnd, samples: &[Sample]) -> Result<Vec<f32>, (usize, FrontendError)> {
    const BATCH: usize = 64;
    let mut vectors = Vec::new();
    for (batch, samples) in samples.chunks(BATCH).enumerate() {
        let mut images = Vec::new();
        for (index, sample) in samples.iter().enumerate() {
            images.extend(float_tensor(frontend, sample).map_err(|error| (batch * BATCH + index, error))?);
        }
        vectors.extend(net.forward(&images, samples.len(), |_, _, _| {}));
    }
    Ok(vectors)
}

/// The input tensor of a sample as the float network takes it: CHW, fractions.
pub(crate) fn float_tensor(frontend: FrontEnd, sample: &Sample) -> Result<Vec<f32>, FrontendError> {
    let tensor = input_tensor(&frontend, &sample.raw)?;
    Ok(tensor.iter().map(|&byte| f32::from(byte) / 255.0).collect())
}

impl Embedded {
    /// Embeddings given as int8, all `dim` long.
    pub fn int8(metric: Metric, dim: usize, vectors: Vec<i8>, identities: Vec<usize>) -> Self {
        let forged = vec![false; identities.len()];
        let vectors = Vectors::Int8(vectors);
        Embedded { metric, dim, identities, forged, vectors, usual_spread: None, allowances: Vec::new() }
    }

    /// For templates with an allowance, where samples of one identity usually differ by `spread`.
    pub fn with_usual_spread(self, spread: Option<Distance>) -> Self {
        Embedded { usual_spread: spread.map(|spread| spread.0.into()), ..self }
    }

    /// With the embeddings of skilled forgeries, whose identities are those that they imitate.
    pub fn with_forgeries(mut self, forgeries: Embedded) -> Self {
        self.identities.extend(forgeries.identities);
        self.forged.resize(self.identities.len(), true);
        match (&mut self.vectors, forgeries.vectors) {
            (Vectors::Int8(own), Vectors::Int8(more)) => own.extend(more),
            (Vectors::Float(own), Vectors::Float(more)) => own.extend(more),
            // Of another engine: they have no distance to these.
            _ => {
                self.identities.truncate(self.forged.iter().filter(|forged| !**forged).count());
                self.forged.truncate(self.identities.len());
            }
        }
        self
    }

    /// Whether any embedding is a skilled forgery's.
    pub fn has_forgeries(&self) -> bool {
        self.forged.contains(&true)
    }

    /// How many embeddings there are.
    pub fn len(&self) -> usize {
        self.identities.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }

    /// Embedding `index` as int8; none from the float engine.
    pub fn vector(&self, index: usize) -> Option<&[i8]> {
        match &self.vectors {
            Vectors::Int8(vectors) => vectors.get(index * self.dim..(index + 1) * self.dim),
            Vectors::Float(_) => None,
        }
    }

    /// Embedding `index` as real numbers, in steps for int8.
    pub fn real_vector(&self, index: usize) -> Vec<f32> {
        let range = index * self.dim..(index + 1) * self.dim;
        match &self.vectors {
            Vectors::Int8(vectors) => vectors[range].iter().map(|&x| f32::from(x)).collect(),
            Vectors::Float(vectors) => vectors[range].to_vec(),
        }
    }

    /// The distance between two embeddings, this one's `a` and `other`'s `b`: for int8 the exact integer of [`Metric`], for float
    /// the squared Euclidean distance or `1 - cos`. Where `other` are templates, the allowance of `b` is taken off, as
    /// [`Gallery`](shared::gallery::Gallery) does.
    pub fn distance(&self, a: usize, other: &Embedded, b: usize) -> f64 {
        let (a, b) = (a * self.dim..(a + 1) * self.dim, b * other.dim..(b + 1) * other.dim);
        let distance = match (&self.vectors, &other.vectors) {
            (Vectors::Int8(x), Vectors::Int8(y)) => f64::from(self.metric.distance(&x[a], &y[b.clone()]).0),
            (Vectors::Float(x), Vectors::Float(y)) => f64::from(float_distance(self.metric, &x[a], &y[b.clone()])),
            _ => f64::NAN,
        };
        match other.allowances.get(b.start / other.dim.max(1)) {
            Some(allowance) => (distance - allowance).max(0.0),
            None => distance,
        }
    }

    /// What is taken off the distances from a template of `set`, samples of one identity of which `usual` is the usual spread.
    fn allowance(&self, set: &[usize], usual: f64) -> f64 {
        if let Vectors::Int8(_) = self.vectors {
            let samples: Vec<&[i8]> = set.iter().filter_map(|&index| self.vector(index)).collect();
            return self.metric.spread(&samples).map_or(0.0, |own| own.allowance(Distance(usual as u32)) as f64);
        }
        let pairs = set.iter().enumerate().flat_map(|(index, &a)| set[..index].iter().map(move |&b| (a, b)));
        let distances: Vec<f64> = pairs.map(|(a, b)| self.distance(a, self, b)).collect();
        match distances.len() {
            0 => 0.0,
            count => (distances.iter().sum::<f64>() / count as f64 - usual) / 2.0,
        }
    }

    /// The templates of several sets of samples, belonging to `identities`: the mean of each set, element by element; of int8
    /// with halves rounded up, as the board makes it.
    pub fn templates(&self, sets: &[&[usize]], identities: Vec<usize>) -> Embedded {
        let elements = sets.iter().flat_map(|set| (0..self.dim).map(move |element| (set, element)));
        let vectors = match &self.vectors {
            Vectors::Int8(vectors) => {
                let mean = |(set, element): (&&[usize], usize)| {
                    embedding::mean(set.iter().map(|&index| vectors[index * self.dim + element]))
                };
                Vectors::Int8(elements.map(mean).collect())
            }
            Vectors::Float(vectors) => {
                let mean = |(set, element): (&&[usize], usize)| {
                    set.iter().map(|&index| vectors[index * self.dim + element]).sum::<f32>() / set.len() as f32
                };
                Vectors::Float(elements.map(mean).collect())
            }
        };
        let forged = vec![false; identities.len()];
        let allowances = match self.usual_spread {
            Some(usual) => sets.iter().map(|set| self.allowance(set, usual)).collect(),
            None => Vec::new(),
        };
        let (metric, dim, usual_spread) = (self.metric, self.dim, self.usual_spread);
        Embedded { metric, dim, identities, forged, vectors, usual_spread, allowances }
    }

    /// The genuine samples of each identity that has any, by index.
    pub fn by_identity(&self) -> Vec<Vec<usize>> {
        let mut groups = vec![Vec::new(); self.identities.iter().max().map_or(0, |max| max + 1)];
        for (index, &identity) in self.identities.iter().enumerate().filter(|(index, _)| !self.forged[*index]) {
            groups[identity].push(index);
        }
        groups.retain(|group| !group.is_empty());
        groups
    }
}

fn float_distance(metric: Metric, a: &[f32], b: &[f32]) -> f32 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(p, q)| p * q).sum::<f32>();
    match metric {
        Metric::Euclidean => a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum(),
        Metric::Cosine => 1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f32::MIN_POSITIVE),
    }
}
