//! The board's app on the desktop, with tract running the model's ONNX file.

use std::error::Error;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use firmware::desktop::{DesktopApp, DesktopMemory, TractEngine, serve_stdio, serve_tcp};
use firmware::onnx::OnnxModel;
use shared::wire::Response;

/// Answer the board's messages on the desktop.
#[derive(Debug, Parser)]
#[command(name = "desktop", version)]
struct Args {
    /// Folder of an exported model
    #[arg(default_value = "models/glyphs")]
    model: PathBuf,
    /// Address to listen at
    #[arg(long, default_value = "127.0.0.1:7878")]
    listen: String,
    /// Talk over standard input and output instead
    #[arg(long)]
    stdio: bool,
    /// Tell every answer on standard error
    #[arg(long)]
    verbose: bool,
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let model = OnnxModel::load(&args.model.join("model.onnx"))?;
    let mut memory = DesktopMemory::EMPTY;
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
        .map_err(|e| format!("cannot listen at {}: {e}; name another --listen", args.listen))?;
    eprintln!("listening at {}", listener.local_addr()?);
    Ok(serve_tcp(&mut app, &listener, observe)?)
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
