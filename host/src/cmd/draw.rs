//! `doppel draw`.

use std::path::PathBuf;

use anyhow::Context;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use shared::frontend::{Image, Raw};

use super::UsageError;
use crate::data::glyphs;
use crate::model::write_all;

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
    /// Number of the first identity; models/glyphs was trained on 0 to 1999 of world 0
    #[arg(long, default_value_t = 1_000_000)]
    pub first: u32,
    /// The world of glyphs
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Draws built-in glyphs as pictures, something to enrol where no camera is at hand.
pub fn run(args: Args) -> anyhow::Result<()> {
    let Some(last) = args.first.checked_add(args.identities.saturating_sub(1)) else {
        let message = format!(
            "--first {} and --identities {} pass {}, the last glyph: lower one of them",
            args.first,
            args.identities,
            u32::MAX
        );
        return Err(UsageError(message).into());
    };
    for identity in (args.first..=last).take(args.identities as usize) {
        let mut files = Vec::new();
        for sample in 0..args.samples {
            let glyph = glyphs::draw(args.seed, identity, sample);
            let Raw::Image(Image { width, height, pixels, .. }) = glyph.as_raw() else {
                continue;
            };
            let mut png = Vec::new();
            PngEncoder::new(&mut png)
                .write_image(pixels, width.into(), height.into(), ExtendedColorType::L8)
                .context("a glyph is a whole picture")?;
            files.push((format!("{sample}.png"), png));
        }
        let files: Vec<_> = files.iter().map(|(name, png)| (name.as_str(), png.as_slice())).collect();
        write_all(&args.dir.join(identity.to_string()), &files)?;
    }
    say!("{} samples of {} identities in {}", args.samples, args.identities, args.dir.display())?;
    Ok(())
}
