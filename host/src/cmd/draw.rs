//! `doppel draw`.

use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use shared::frontend::{Image, Raw};

use super::{UsageError, flag_value};
use crate::data::made::Maker;
use crate::model::write_all;

/// Arguments of `draw`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write to: DIR/IDENTITY/SAMPLE.png
    pub dir: PathBuf,
    /// What is drawn
    #[arg(long, value_enum, default_value_t = Source::Glyphs)]
    pub source: Source,
    /// How many identities
    #[arg(long, default_value_t = 3)]
    pub identities: u32,
    /// How many samples of each
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=65535))]
    pub samples: u32,
    /// Number of the first identity [default: 1000000 for glyphs (models/glyphs was trained on 0 to 1999 of world 0), 0 for letters]
    #[arg(long)]
    pub first: Option<u32>,
    /// The world of glyphs, the hands of letters
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// Characters of no alphabet, one for every number
    Glyphs,
    /// Letters and signs of several alphabets
    Letters,
}

impl Source {
    fn maker(self) -> Maker {
        match self {
            Source::Glyphs => Maker::Glyphs,
            Source::Letters => Maker::Letters,
        }
    }

    /// Number of the identity that comes first unless another is asked for.
    fn first(self) -> u32 {
        match self {
            Source::Glyphs => 1_000_000,
            Source::Letters => 0,
        }
    }
}

/// Draws characters that the program makes itself as pictures, something to enrol where no camera is at hand.
pub fn run(args: Args) -> anyhow::Result<()> {
    let maker = args.source.maker();
    let (first, last) = (args.first.unwrap_or(args.source.first()), maker.last());
    let end = u64::from(first) + u64::from(args.identities);
    if end > u64::from(last) + 1 {
        let message = format!(
            "--first {first} and --identities {} pass {last}, the last of the {}: lower one of them",
            args.identities,
            flag_value(args.source)
        );
        return Err(UsageError(message).into());
    }
    for number in (first..=last).take(args.identities as usize) {
        let identity = maker.identity(args.seed, number);
        let mut files = Vec::new();
        for sample in 0..args.samples {
            let drawn = identity.sample(sample);
            let Raw::Image(Image { width, height, pixels, .. }) = drawn.as_raw() else {
                continue;
            };
            let mut png = Vec::new();
            PngEncoder::new(&mut png)
                .write_image(pixels, width.into(), height.into(), ExtendedColorType::L8)
                .context("a drawing is a whole picture")?;
            files.push((format!("{sample}.png"), png));
        }
        let files: Vec<_> = files.iter().map(|(name, png)| (name.as_str(), png.as_slice())).collect();
        write_all(&args.dir.join(number.to_string()), &files)?;
    }
    say!("{} samples of {} identities in {}", args.samples, args.identities, args.dir.display())?;
    Ok(())
}
