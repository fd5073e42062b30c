//! `doppel demo`: the whole path without a file.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use indicatif::HumanDuration;

use super::numbers::percent;
use super::train::Progress;
use crate::data::{Dataset, Part, Spec};
use crate::evaluate::{Comparisons, Engine, EngineKind, NWay, Verification, nway_accuracy, verify};
use crate::export::{self, Options};
use crate::recipe::Choices;
use crate::train::train;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model's folder
    #[arg(long, default_value = "models/demo")]
    pub out: PathBuf,
}

/// One row of the demo's table.
struct Row {
    engine: &'static str,
    verification: Verification,
    five_way: f64,
    twenty_way: f64,
}

/// Draws glyphs, trains the compact network with triplets, exports it and measures it on glyphs that it never saw.
pub fn run(args: Args) -> anyhow::Result<()> {
    let started = Instant::now();
    let recipe = Choices::new(Spec::Glyphs, "demo").recipe()?;
    let split = &recipe.data.split;
    say!("training on glyphs {}, threshold from {}, tested on {}", split.train, split.threshold, split.test)?;
    let mut progress = Progress::new();
    let trained = train(&recipe, &args.out, false, |event| {
        progress.show(event);
        ControlFlow::Continue(())
    });
    progress.finish();
    trained?;
    say!("")?;
    let exported = export::export(&args.out, &Options::default())?;
    super::export::warn(&args.out, &exported);
    super::export::print(&exported)?;

    let unseen = recipe.data.source.load(Part::Test, split, recipe.data.world)?;
    let rows = [
        row("float", &Engine::open(&args.out, EngineKind::Float)?, &unseen)?,
        row("int8", &Engine::open(&args.out, EngineKind::Int8)?, &unseen)?,
    ];
    say!(
        "\non {} glyphs that nothing was trained or chosen with, {} samples:\n",
        unseen.identities.len(),
        unseen.samples.len()
    )?;
    say!(
        "{:<7}{:>9}{:>20}{:>21}{:>14}{:>15}",
        "engine",
        "EER",
        "FNMR at FMR 1e-2",
        "FNMR at FMR 1e-3",
        "5-way 1-shot",
        "20-way 1-shot"
    )?;
    for Row { engine, verification, five_way, twenty_way } in &rows {
        let fnmr = |fmr: &str| verification.fnmr_at_fmr.get(fmr).copied().map_or(String::new(), percent);
        say!(
            "{engine:<7}{:>9}{:>20}{:>21}{:>14}{:>15}",
            percent(verification.eer),
            fnmr("0.01"),
            fnmr("0.001"),
            percent(*five_way),
            percent(*twenty_way)
        )?;
    }
    say!(
        "\nmodel {} bytes, arena {} bytes, {} MACs; {} in all",
        exported.bundle,
        exported.arena,
        exported.macs,
        HumanDuration(started.elapsed())
    )?;
    say!("\nnext: run these bits on the emulated board with DOPPEL_MODEL={} tests/run.sh board", args.out.display())?;
    Ok(())
}

fn row(engine: &'static str, opened: &Engine, unseen: &Dataset) -> anyhow::Result<Row> {
    let embedded = opened.embed(unseen)?;
    let comparisons = Comparisons::pairs(&embedded);
    let verification = verify(&comparisons, &comparisons.scores(), None).context("no comparisons")?;
    let accuracy = |ways| {
        nway_accuracy(&embedded, NWay { ways, shots: 1, trials: 10_000, seed: 1 }).context("too few unseen glyphs")
    };
    Ok(Row { engine, verification, five_way: accuracy(5)?, twenty_way: accuracy(20)? })
}
