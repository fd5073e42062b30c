//! `doppel enroll`, `verify` and `identify`: the board's decisions on the desktop, over a gallery file.

use std::path::{Path, PathBuf};

use anyhow::bail;
use shared::bundle::{Bundle, Header};
use shared::embedding::{self, Embedding};
use shared::frontend::Flaw;
use shared::gallery::{Candidate, Decision, EnrolError, Template};
use shared::network::{self, NetworkError};
use shared::wire::{Fault, MAX_SAMPLES};

use super::decision::{self, Yardstick};
use super::print_json;
use crate::data;
use crate::gallery::{self, GalleryError};
use crate::model::BundleBytes;

/// What all three take.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// The model's folder
    pub model: PathBuf,
    /// The gallery file; by default `gallery.json` in the model's folder
    #[arg(long)]
    pub gallery: Option<PathBuf>,
}

/// Arguments of `enroll`.
#[derive(Debug, clap::Args)]
pub struct EnrollArgs {
    #[command(flatten)]
    common: Common,
    /// The samples, one to five, whose mean becomes the template
    #[arg(required = true, num_args = 1..=MAX_SAMPLES)]
    files: Vec<PathBuf>,
    /// The identity's label
    #[arg(long = "as")]
    label: String,
    /// Take the place of the template that the label has
    #[arg(long)]
    replace: bool,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    common: Common,
    /// The probes
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The identity that they claim to be
    #[arg(long = "as")]
    label: String,
    /// Print one line of JSON a file
    #[arg(long)]
    json: bool,
}

/// Arguments of `identify`.
#[derive(Debug, clap::Args)]
pub struct IdentifyArgs {
    #[command(flatten)]
    common: Common,
    /// The probes
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print one line of JSON a file
    #[arg(long)]
    json: bool,
}

impl Common {
    fn gallery_path(&self) -> PathBuf {
        self.gallery.clone().unwrap_or_else(|| self.model.join(gallery::FILE_NAME))
    }
}

/// Enrols one identity. A sample that a board refuses, as blank or unlike the others, is refused here as well.
pub fn enroll(args: EnrollArgs) -> anyhow::Result<()> {
    let bytes = BundleBytes::open(&args.common.model)?;
    let bundle = bytes.bundle()?;
    let (path, header) = (args.common.gallery_path(), bundle.header());
    let label = gallery::label(&args.label)?;
    let samples = embed_alike(&bundle, &args.files)?;
    let template = mean(&samples, header);
    let _alone = gallery::lock(&path)?;
    let mut gallery = if path.exists() { gallery::open(&path, header)? } else { gallery::empty(header)? };
    if args.replace {
        let _ = gallery.delete(&label);
    }
    let resembles = match gallery.identify(&template) {
        Decision::Match(Candidate { label, distance, .. }) => Some((label, distance.0)),
        Decision::Unknown(_) => None,
    };
    let template = Template { label: &label, embedding: &template, spread: header.metric.spread(&samples) };
    gallery.enrol(template).map_err(|error| match error {
        EnrolError::Duplicate => anyhow::anyhow!("{label} is enrolled already: choose another label, or add --replace"),
        error => anyhow::anyhow!("--as {label:?}: {error}"),
    })?;
    gallery::save(&path, header, &gallery)?;
    let identities = gallery.templates().len();
    if args.json {
        let resembles = resembles.as_ref().map(|(label, distance)| (label.as_str(), *distance));
        return print_json(&decision::enrolled(&label, samples.len(), identities, resembles));
    }
    if let Some((other, distance)) = resembles {
        note!("warning: {label} would be accepted as {other}, at distance {distance}");
    }
    say!("enrolled {label}; {identities} identities in {}", path.display())?;
    Ok(())
}

/// The embeddings of samples that a board would enrol together.
fn embed_alike(bundle: &Bundle<'_>, files: &[PathBuf]) -> anyhow::Result<Vec<Embedding>> {
    let header = bundle.header();
    let gate = header.threshold.ok_or(GalleryError::Unsealed)?.gate;
    let mut samples = Vec::new();
    for path in files {
        let (embedding, flaw) = embed_judged(bundle, path)?;
        if let Some(flaw) = flaw {
            bail!("{}: {flaw}; enrol another sample", path.display());
        }
        let distance = header.metric.distance(&mean(&samples, header), &embedding);
        if !samples.is_empty() && distance > gate {
            bail!("{}: {}", path.display(), Fault::Unlike { distance, gate });
        }
        samples.push(embedding);
    }
    Ok(samples)
}

/// The mean of `samples`, element by element.
fn mean(samples: &[Embedding], header: &Header) -> Embedding {
    let mean = |element: usize| embedding::mean(samples.iter().map(|sample| sample[element]));
    (0..usize::from(header.dim)).map(mean).collect()
}

/// Compares files with one identity.
pub fn verify(args: VerifyArgs) -> anyhow::Result<()> {
    let label = args.label;
    decide_all(&args.common, args.json, &args.files, |gallery, probe| {
        gallery.verify(&label, probe).map_err(|error| anyhow::anyhow!("{label}: {error}"))
    })
}

/// Compares files with every identity.
pub fn identify(args: IdentifyArgs) -> anyhow::Result<()> {
    decide_all(&args.common, args.json, &args.files, |gallery, probe| Ok(gallery.identify(probe)))
}

fn decide_all(
    common: &Common,
    json: bool,
    files: &[PathBuf],
    decide: impl Fn(&gallery::DesktopGallery, &Embedding) -> anyhow::Result<Decision>,
) -> anyhow::Result<()> {
    let bytes = BundleBytes::open(&common.model)?;
    let bundle = bytes.bundle()?;
    let header = bundle.header();
    let gallery = gallery::open(&common.gallery_path(), header)?;
    let by =
        Yardstick { metric: header.metric, embedding_scale: header.embedding_scale, threshold: gallery.threshold() };
    for path in files {
        let decision = decide(&gallery, &embed(&bundle, path)?)?;
        decision::print(json, &path.display().to_string(), &decision, by)?;
    }
    Ok(())
}

fn embed(bundle: &Bundle<'_>, path: &Path) -> anyhow::Result<Embedding> {
    Ok(embed_judged(bundle, path)?.0)
}

/// The embedding of the sample at `path`, and why it should not be enrolled.
fn embed_judged(bundle: &Bundle<'_>, path: &Path) -> anyhow::Result<(Embedding, Option<Flaw>)> {
    let mut arena = vec![0; network::arena_words(bundle)];
    let raw = data::read(path)?;
    let raw = raw.as_raw();
    let front = bundle.header().frontend;
    let mut judged = || {
        let (tensor, work) = network::front_memory(bundle, &mut arena)?;
        let quality = front.run(raw, tensor, work)?;
        Ok((network::forward(bundle, &mut arena)?, front.flaw(raw.header(), &quality)))
    };
    judged().map_err(|error: NetworkError| anyhow::anyhow!("{}: {error}", path.display()))
}
