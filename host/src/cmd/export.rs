//! `doppel export`.

use std::path::{Path, PathBuf};

use super::numbers::percent;
use super::{OutputError, print_json};
use crate::export::{self, Exported, MAX_EER_GAP, Options};
use crate::train::Stopped;

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The trained model's folder
    pub model: PathBuf,
    /// Refuse when the int8 EER exceeds the float EER by more than this fraction
    #[arg(long, default_value_t = MAX_EER_GAP, value_parser = fraction)]
    pub max_eer_gap: f64,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

fn fraction(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("write a fraction from 0 to 1, as 0.003".into()),
    }
}

/// Quantizes, measures, seals and writes.
pub fn run(args: Args) -> anyhow::Result<()> {
    let exported = export::export(&args.model, &Options { max_eer_gap: args.max_eer_gap })?;
    warn(&args.model, &exported);
    if args.json {
        return print_json(&exported);
    }
    print(&exported)?;
    let model = args.model.display();
    say!("\nnext: cargo run --release -- evaluate {model}")?;
    Ok(())
}

/// Says where the training was stopped, where the evidence does not carry the rate that the threshold was chosen for, and what is
/// not there any more.
pub(super) fn warn(model: &Path, exported: &Exported) {
    if !exported.compared {
        note!(
            "warning: the data or the network that the training started from is not where the recipe says, seen from the current \
             folder, so that the threshold's identities were not compared with it"
        );
    }
    if let Some(Stopped { step, training }) = exported.stopped {
        note!(
            "warning: the training was stopped after step {step} of training {training}; \
             `doppel train --out {} --resume` goes on",
            model.display()
        );
    }
    if !exported.removed.is_empty() {
        let (files, model) = (exported.removed.join(", "), model.display());
        note!("removed {files}, which were of another model; `doppel report {model}` writes this one's");
    }
    let bound = exported.fmr_bound;
    if bound > exported.target_fmr {
        note!(
            "warning: the threshold was chosen for an FMR of {}, but its {} identities support no claim below {}: \
             widen `threshold` in the recipe's split",
            percent(exported.target_fmr),
            exported.identities,
            percent(bound)
        );
    }
}

/// The tables of an export.
pub(super) fn print(exported: &Exported) -> Result<(), OutputError> {
    say!("{:<14}{:>12}{:>12}  error of int8", "layer", "output", "MACs")?;
    for layer in &exported.layers {
        let error = layer.error.map_or("in the next layer's".to_string(), percent);
        say!("{:<14}{:>12}{:>12}  {error}", layer.layer, layer.output, layer.macs)?;
    }
    say!(
        "\non the threshold's identities: EER float {}, int8 {}",
        percent(exported.float.eer),
        percent(exported.int8.eer)
    )?;
    say!("threshold: {}", exported.evidence)?;
    say!("enrolment gate: samples of one template are at distance <= {}", exported.gate)?;
    say!(
        "bundle {} bytes, arena {} bytes, {} MACs; ONNX {} bytes",
        exported.bundle,
        exported.arena,
        exported.macs,
        exported.onnx
    )
}
