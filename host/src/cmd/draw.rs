//! `doppel draw`.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use image::GrayImage;
use shared::frontend::{Image, Raw};

use crate::data::glyphs;

/// Arguments of `draw`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write to: DIR/IDENTITY/SAMPLE.png
    pub dir: PathBuf,
    /// How many identities
    #[arg(long, default_value_t = 3)]
    pub identities: u32,
    /// How many samples of each
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=65535))]
    pub samples: u32,
    /// Number of the first identity; the committed model was trained on small ones
    #[arg(long, default_value_t = 1_000_000)]
    pub first: u32,
    /// The world of glyphs
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Draws built-in glyphs as pictures, something to enrol where no camera is at hand.
pub fn run(args: Args) -> anyhow::Result<()> {
    for identity in args.first..args.first.saturating_add(args.identities) {
        let dir = args.dir.join(identity.to_string());
        fs::create_dir_all(&dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
        for sample in 0..args.samples {
            let glyph = glyphs::draw(args.seed, identity, sample);
            let Raw::Image(Image { width, height, pixels, .. }) = glyph.as_raw() else {
                continue;
            };
            let path = dir.join(format!("{sample}.png"));
            let picture = GrayImage::from_raw(width.into(), height.into(), pixels.to_vec())
                .context("a glyph is a whole picture")?;
            picture.save(&path).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    println!("{} samples of {} identities in {}", args.samples, args.identities, args.dir.display());
    Ok(())
}
