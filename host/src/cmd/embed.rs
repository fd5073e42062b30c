//! `doppel embed`.

use std::path::PathBuf;

use serde::Serialize;
use shared::quant::to_signed;

use super::print_json;
use crate::data::{self, Dataset, Sample, input_tensor};
use crate::evaluate::{Engine, EngineKind};

/// Arguments of `embed`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model's folder
    pub model: PathBuf,
    /// The samples
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Which form of the model embeds
    #[arg(long, value_enum, default_value_t = EngineKind::Int8)]
    pub engine: EngineKind,
    /// Print one line of JSON a file
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    file: &'a str,
    /// The input tensor, CHW.
    input: Vec<i8>,
    embedding: serde_json::Value,
}

/// Embeds and prints.
pub fn run(args: Args) -> anyhow::Result<()> {
    let engine = Engine::open(&args.model, args.engine)?;
    for path in &args.files {
        let raw = data::read(path)?;
        let file = path.display().to_string();
        let tensor = input_tensor(&engine.frontend(), &raw).map_err(|error| anyhow::anyhow!("{file}: {error}"))?;
        let samples = vec![Sample { identity: 0, raw }];
        let one = Dataset { identities: vec![file.clone()], samples, ..Dataset::default() };
        let embedded = engine.embed(&one)?;
        let embedding = match embedded.vector(0) {
            Some(bytes) => serde_json::json!(bytes),
            None => serde_json::json!(embedded.real_vector(0)),
        };
        if args.json {
            let input = tensor.into_iter().map(to_signed).collect();
            print_json(&Row { file: &file, input, embedding })?;
        } else {
            say!("{file}: {embedding}")?;
        }
    }
    Ok(())
}
