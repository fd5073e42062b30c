//! `doppel report`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::numbers::{MAX_REFERENCES, MAX_REPLICATES, within};
use super::{UsageError, print_json};
use crate::evaluate::Resampling;
use crate::export::ORIGIN;
use crate::gallery::FILE_NAME as GALLERY;
use crate::model::write_all;
use crate::report::{BOARD, CARD, FIGURES, Options, PAGE, Reported, card, collect, comparison, page};

/// Names in a model's folder that are no report's.
const TAKEN: [&str; 3] = [GALLERY, ORIGIN, BOARD];

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The models' folders; several are shown side by side
    #[arg(required = true)]
    pub models: Vec<PathBuf>,
    /// The page; by default report.html in the model's folder, with report.json and the model card README.md beside it
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Samples that each identity is enrolled from [default: every pair of samples is compared; 5 where there are forgeries]
    #[arg(long, value_parser = within(1..=MAX_REFERENCES))]
    pub references: Option<usize>,
    /// Times that the identities are drawn anew for the 95 % intervals
    #[arg(long, default_value_t = 1000, value_parser = within(1..=MAX_REPLICATES))]
    pub replicates: usize,
    /// Seed of random choices
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print the figures as one line of JSON a model
    #[arg(long)]
    pub json: bool,
}

/// Measures and writes.
pub fn run(args: Args) -> anyhow::Result<()> {
    if args.models.len() > 1 && args.out.is_none() {
        return Err(UsageError("several models have no folder in common: name the page with --out FILE".into()).into());
    }
    if let Some(out) = &args.out {
        names(out)?;
    }
    let resampling = Resampling { replicates: args.replicates, seed: args.seed };
    let options = Options { references: args.references, resampling };
    let mut all = Vec::new();
    for model in &args.models {
        if !args.json {
            say!("measuring {}", model.display())?;
        }
        let reported = collect(model, &options).with_context(|| format!("no report on {}", model.display()))?;
        if args.json {
            print_json(&reported.report)?;
        }
        all.push(reported);
    }
    let written = write(&args, &all)?;
    if !args.json {
        say!("wrote {}", written.display())?;
    }
    Ok(())
}

/// Writes page and figures, and the card of a single model that is reported in its own folder.
fn write(args: &Args, all: &[Reported]) -> anyhow::Result<PathBuf> {
    if let ([one], [model], None) = (all, args.models.as_slice(), &args.out) {
        let (page, figures, card) = (page(one), serde_json::to_string(&one.report)? + "\n", card(one));
        write_all(model, &[(PAGE, page.as_bytes()), (FIGURES, figures.as_bytes()), (CARD, card.as_bytes())])?;
        return Ok(model.join(PAGE));
    }
    let out = args.out.as_deref().unwrap_or(Path::new(PAGE));
    let page = match all {
        [one] => page(one),
        _ => comparison(all),
    };
    let reports: Vec<_> = all.iter().map(|one| &one.report).collect();
    let figures = serde_json::to_string(&reports)? + "\n";
    let [page_name, json_name] = names(out)?;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    write_all(folder, &[(&page_name, page.as_bytes()), (&json_name, figures.as_bytes())])?;
    Ok(out.to_path_buf())
}

/// The names of the page `out` and of its figures.
fn names(out: &Path) -> anyhow::Result<[String; 2]> {
    let json = out.with_extension("json");
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let (Some(page_name), Some(json_name)) = (name(out), name(&json)) else {
        bail!("--out {} names no file", out.display());
    };
    if page_name == json_name {
        bail!("--out {} is the name that the figures get: let it end in .html", out.display());
    }
    if TAKEN.contains(&json_name.as_str()) {
        bail!("--out {} would write its figures over {json_name}: choose another name", out.display());
    }
    Ok([page_name, json_name])
}
