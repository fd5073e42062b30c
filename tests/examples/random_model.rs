//! Writes a model of random weights with its golden vectors to a folder: `cargo run -p parity --example random_model -- DIR`.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::Context;
use parity::model;
use shared::bundle::Bundle;

fn main() -> anyhow::Result<()> {
    let dir = env::args_os().nth(1).context("name the folder to write to")?;
    let dir = PathBuf::from(dir);
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let bytes = model::random(1);
    let bundle = Bundle::check(bytes.bytes())?;
    fs::write(dir.join("model.bundle"), bytes.bytes())?;
    fs::write(dir.join("golden.bin"), model::golden(&bundle, 2))?;
    println!("{}: {:?}", dir.display(), bundle.header());
    Ok(())
}
