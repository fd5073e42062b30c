//! Writes the nets that the bench measures, with random weights, to a folder each:
//! `cargo run --release -p parity --example reference_models -- DIR`.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::Context;
use parity::model;
use parity::reference::REFERENCES;
use shared::bundle::Bundle;

fn main() -> anyhow::Result<()> {
    let parent = env::args_os().nth(1).context("name the folder to write to")?;
    for reference in REFERENCES {
        let dir = PathBuf::from(&parent).join(reference.net.name);
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let bytes = model::build(&reference.net, 1);
        let bundle = Bundle::check(bytes.bytes())?;
        fs::write(dir.join("model.bundle"), bytes.bytes())?;
        fs::write(dir.join("golden.bin"), model::golden(&bundle, 2))?;
        let header = bundle.header();
        println!("{}: {} MACs, arena {} bytes", dir.display(), bundle.macs(), header.arena);
    }
    Ok(())
}
