//! `doppel serve`.

use std::net::TcpListener;
use std::path::PathBuf;

use anyhow::Context;
use firmware::desktop::{DesktopApp, DesktopMemory, TractEngine, serve_stdio, serve_tcp};
use firmware::onnx::OnnxModel;
use shared::wire::Response;

use crate::model::ONNX;

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model's folder
    pub model: PathBuf,
    /// Address to listen at
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7878")]
    pub listen: String,
    /// Talk over standard input and output instead
    #[arg(long, conflicts_with = "listen")]
    pub stdio: bool,
    /// Tell every answer on standard error
    #[arg(long)]
    pub verbose: bool,
}

/// Answers a board's messages until it is stopped, or until the standard input ends.
pub fn run(args: Args) -> anyhow::Result<()> {
    let model = OnnxModel::load(&args.model.join(ONNX))?;
    let mut memory = DesktopMemory::new();
    let mut app = DesktopApp::new(TractEngine::new(model), &mut memory)?;
    let observe = |response: &Response<'_>| {
        if args.verbose {
            eprintln!("{response:?}");
        }
    };
    if args.stdio {
        return Ok(serve_stdio(&mut app, observe)?);
    }
    let listener = TcpListener::bind(&args.listen)
        .with_context(|| format!("cannot listen at {}: name another --listen", args.listen))?;
    eprintln!("listening at {}", listener.local_addr()?);
    Ok(serve_tcp(&mut app, &listener, observe)?)
}
