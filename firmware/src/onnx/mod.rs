//! The ONNX file of a model: its seal, a reader that believes nothing, and tract to run it.
//!
//! The graph takes `input`, int8 NCHW `[1, channels, height, width]` (the front end's byte minus 128), and gives `embedding`,
//! int8 `[1, dim]`. The seal is three entries of the file's metadata:
//!
//! | key | value |
//! |---|---|
//! | `doppel.version` | [`VERSION`] |
//! | `doppel.bundle_header` | the header of the model's bundle ([`shared::bundle`]) in hexadecimal digits |
//! | `doppel.checksum` | CRC-32 of the file's message without this entry, 8 hexadecimal digits |

mod check;

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use crc::{CRC_32_ISO_HDLC, Crc};
use prost::Message;
use shared::bundle::{Bundle, BundleError, Header};
use shared::embedding::Embedding;
use shared::quant::to_signed;
use thiserror::Error;
use tract_onnx::pb::{ModelProto, StringStringEntryProto};
use tract_onnx::prelude::*;

pub use check::GraphError;
pub use tract_onnx::pb;

/// The version of the seal and of the graph's form.
pub const VERSION: &str = "1";
/// Name of the graph's input.
pub const INPUT: &str = "input";
/// Name of the graph's output.
pub const OUTPUT: &str = "embedding";
/// The operator set that the graph is written in.
pub const OPSET: i64 = 13;

const VERSION_KEY: &str = "doppel.version";
const HEADER_KEY: &str = "doppel.bundle_header";
const CHECKSUM_KEY: &str = "doppel.checksum";
/// Longest file that is read.
const MAX_FILE: u64 = 64 << 20;

/// Why an ONNX file cannot be used.
#[derive(Debug, Error)]
pub enum OnnxError {
    /// There is no such file.
    #[error("is missing: make it with `doppel export`")]
    Missing,
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(String),
    /// The file is longer than any model here.
    #[error("is longer than {} MiB, which no Doppel model is", MAX_FILE >> 20)]
    Long,
    /// The bytes are no ONNX model.
    #[error("is not an ONNX model, or was cut off: export the model again")]
    Decode,
    /// The model has no seal.
    #[error(
        "was not exported by Doppel, or was cut off: its metadata lacks `{0}`; export the model with `doppel export`"
    )]
    Foreign(&'static str),
    /// Another version of the seal.
    #[error("has version `{0}` of Doppel's ONNX form, this program reads version {VERSION}: export the model again")]
    Version(String),
    /// The model was changed after it was sealed.
    #[error("was changed after its export: its checksum does not match; export the model again")]
    Checksum,
    /// The seal's header is none.
    #[error("has an unreadable `{HEADER_KEY}` in its metadata: {0}; export the model again")]
    Header(BundleError),
    /// The graph is not one that Doppel writes.
    #[error("has a graph that Doppel did not write: {0}")]
    Graph(GraphError),
    /// tract could not load or run the graph.
    #[error("could not be run by tract: {0}")]
    Engine(String),
    /// The input tensor is of another length than the model's.
    #[error("takes an input tensor of {expected} bytes, but {got} were given")]
    Input {
        /// Bytes given.
        got: usize,
        /// Bytes of the model's input tensor.
        expected: usize,
    },
}

/// What is wrong with which file.
#[derive(Debug, Error)]
#[error("{path} {error}")]
pub struct LoadError {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub error: OnnxError,
}

/// Seals `model` as the ONNX form of `bundle`, replacing an earlier seal: after this, only encode and write it.
pub fn seal(model: &mut ModelProto, bundle: &Bundle<'_>) {
    let keys = [VERSION_KEY, HEADER_KEY, CHECKSUM_KEY];
    let foreign = |entry: &StringStringEntryProto| !keys.contains(&entry.key.as_str());
    model.metadata_props.retain(foreign);
    let header = bundle.header_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    for (key, value) in [(VERSION_KEY, VERSION.to_string()), (HEADER_KEY, header)] {
        push(model, key, value);
    }
    let checksum = checksum(model);
    push(model, CHECKSUM_KEY, checksum);
}

fn push(model: &mut ModelProto, key: &str, value: String) {
    let key = key.to_string();
    model.metadata_props.push(StringStringEntryProto { key, value });
}

/// CRC-32 of the encoded message, as it stands in the metadata.
fn checksum(model: &ModelProto) -> String {
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    format!("{:08x}", crc.checksum(&model.encode_to_vec()))
}

/// The value of the metadata's only entry of `key`.
fn entry(model: &ModelProto, key: &'static str) -> Result<String, OnnxError> {
    let mut values = model.metadata_props.iter().filter(|entry| entry.key == key);
    match (values.next(), values.next()) {
        (Some(entry), None) => Ok(entry.value.clone()),
        _ => Err(OnnxError::Foreign(key)),
    }
}

/// A model that is ready to run.
#[derive(Clone, Debug)]
pub struct OnnxModel {
    header: Header,
    plan: Arc<TypedRunnableModel>,
}

impl OnnxModel {
    /// Reads, checks and prepares the file at `path`.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        Self::read(path).map_err(|error| LoadError { path: path.display().to_string(), error })
    }

    fn read(path: &Path) -> Result<Self, OnnxError> {
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => OnnxError::Missing,
            _ => OnnxError::Read(error.to_string()),
        };
        if fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE {
            return Err(OnnxError::Long);
        }
        Self::from_bytes(&fs::read(path).map_err(unreadable)?)
    }

    /// Checks and prepares the bytes of a file.
    ///
    /// tract sees nothing before the seal, the operators, and every size and reference of the graph were found right.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OnnxError> {
        let mut model = ModelProto::decode(bytes).map_err(|_| OnnxError::Decode)?;
        let header = open_seal(&mut model)?;
        check::check(&model, &header).map_err(OnnxError::Graph)?;
        let plan = guarded(|| {
            let onnx = tract_onnx::onnx().with_ignore_value_info(true);
            onnx.model_for_proto_model(&model)?.into_optimized()?.into_runnable()
        })?;
        Ok(OnnxModel { header, plan })
    }

    /// What the model's bundle says of it.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Runs the network on an input tensor as the front end gives it: bytes, CHW.
    pub fn run(&self, input: &[u8]) -> Result<Embedding, OnnxError> {
        let shape = self.header.input();
        let (got, expected) = (input.len(), shape.len());
        if got != expected {
            return Err(OnnxError::Input { got, expected });
        }
        let signed: Vec<i8> = input.iter().map(|&byte| to_signed(byte)).collect();
        let sides = [1, shape.channels, shape.height, shape.width].map(usize::from);
        let output = guarded(|| {
            let tensor = Tensor::from_shape(&sides, &signed)?;
            let outputs = self.plan.run(tvec!(tensor.into()))?;
            let output = outputs.first().ok_or_else(|| TractError::msg("no output"))?;
            Ok(output.try_as_plain_ram()?.as_slice::<i8>()?.to_vec())
        })?;
        Embedding::from_slice(&output)
            .ok()
            .filter(|embedding| embedding.len() == usize::from(self.header.dim))
            .ok_or_else(|| OnnxError::Engine(format!("it gave {} elements", output.len())))
    }
}

/// Takes the seal off `model`, if it is whole, and gives the header in it.
fn open_seal(model: &mut ModelProto) -> Result<Header, OnnxError> {
    let version = entry(model, VERSION_KEY)?;
    if version != VERSION {
        return Err(OnnxError::Version(version));
    }
    let (stated, header) = (entry(model, CHECKSUM_KEY)?, entry(model, HEADER_KEY)?);
    model.metadata_props.retain(|entry| entry.key != CHECKSUM_KEY);
    if checksum(model) != stated {
        return Err(OnnxError::Checksum);
    }
    let bytes = unhex(&header).ok_or(OnnxError::Header(BundleError::Header))?;
    let header = Header::read(&bytes).map_err(OnnxError::Header)?;
    match header.encoded_len() == bytes.len() {
        true => Ok(header),
        false => Err(OnnxError::Header(BundleError::Header)),
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        digits.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect::<Option<_>>()?;
    let bytes = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    digits.len().is_multiple_of(2).then_some(bytes)
}

/// Runs tract with its panics turned into errors.
fn guarded<T>(work: impl FnOnce() -> TractResult<T>) -> Result<T, OnnxError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(OnnxError::Engine(format!("{error:#}"))),
        Err(_) => Err(OnnxError::Engine("it panicked".to_string())),
    }
}
