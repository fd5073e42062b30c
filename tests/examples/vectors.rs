//! Writes what the referee compares: random inputs of models and the embeddings that their bundles give.
//!
//! `cargo run --release -p parity --example vectors -- OUT MODEL…` writes `OUT/NAME.onnx` and `OUT/NAME.vectors` of every
//! model's folder, and of two networks of random weights.
//!
//! ```text
//! vectors   little-endian: count u32, bytes of an input u32, elements of an embedding u32; then count times
//!           the input int8 (CHW), the embedding int8
//! ```

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::Context;
use host::net::{Architecture, Shape};
use parity::exported::export;
use parity::inputs;
use parity::model::Aligned;
use shared::bundle::Bundle;
use shared::golden::Golden;
use shared::network;
use shared::quant::to_signed;

/// Random inputs of a committed model; its golden ones follow.
const INPUTS: usize = 1000;
/// Random inputs of a random network.
const RANDOM_INPUTS: usize = 200;

fn main() -> anyhow::Result<()> {
    let mut args = env::args_os().skip(1).map(PathBuf::from);
    let out = args.next().context("name the folder to write to")?;
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    for dir in args {
        let read = |name: &str| {
            let path = dir.join(name);
            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let bundle = Aligned::new(&read("model.bundle")?);
        let name = dir.file_name().context("name a model's folder")?;
        let path = out.join(name);
        write(&path, &bundle, &read("model.onnx")?, &read("golden.bin")?, INPUTS)?;
    }
    let picture = Shape::new(1, 28, 28);
    for (name, architecture) in [
        ("random-compact", Architecture::compact(picture, 1.0, 64)),
        ("random-article", Architecture::article(picture, 64)),
    ] {
        let exported = export(&architecture, 5)?;
        let path = out.join(name);
        write(&path, &exported.bundle, &exported.onnx, &exported.golden, RANDOM_INPUTS)?;
    }
    Ok(())
}

fn write(path: &Path, bundle: &Aligned, onnx: &[u8], golden: &[u8], count: usize) -> anyhow::Result<()> {
    let bundle = Bundle::check(bundle.bytes())?;
    let golden = Golden::check(golden)?;
    let header = bundle.header();
    let len = header.input().len();
    let inputs = inputs::random(9, len, count).chain(golden.samples().map(|s| s.input.to_vec()));
    let inputs: Vec<Vec<u8>> = inputs.collect();
    let mut bytes = vec![];
    for number in [inputs.len(), len, usize::from(header.dim)] {
        bytes.extend(u32::try_from(number)?.to_le_bytes());
    }
    let mut arena = vec![0; network::arena_words(&bundle)];
    for input in &inputs {
        network::input_tensor(&bundle, &mut arena)?.copy_from_slice(input);
        let embedding = network::forward(&bundle, &mut arena)?;
        bytes.extend(input.iter().map(|&byte| to_signed(byte) as u8));
        bytes.extend(embedding.iter().map(|&element| element as u8));
    }
    fs::write(path.with_extension("onnx"), onnx)?;
    fs::write(path.with_extension("vectors"), bytes)?;
    Ok(())
}
