//! The command line: a subcommand a file.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use host::cmd::{EXIT_STATUS, OutputError, UsageError, device, draw, gallery, sentence};
#[cfg(feature = "training")]
use host::cmd::{demo, embed, evaluate, export, report, serve, train};

/// Few-shot biometric verification: train on the desktop, verify on a microcontroller.
#[derive(Parser)]
#[command(name = "doppel", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the whole path on built-in glyphs: train, export, evaluate; a few minutes, no files needed
    #[cfg(feature = "training")]
    Demo(demo::Args),
    /// Train an embedding network
    #[cfg(feature = "training")]
    Train(train::Args),
    /// Quantize a trained network, choose its threshold, and write bundle, ONNX and golden vectors
    #[cfg(feature = "training")]
    Export(export::Args),
    /// Measure a model on samples
    #[cfg(feature = "training")]
    Evaluate(evaluate::Args),
    /// Print the input tensor and the embedding of files
    #[cfg(feature = "training")]
    Embed(embed::Args),
    /// Enrol an identity from one to five files
    Enroll(gallery::EnrollArgs),
    /// Compare files with an enrolled identity
    #[command(after_help = EXIT_STATUS)]
    Verify(gallery::VerifyArgs),
    /// Find the enrolled identity of files, or say that it is unknown
    #[command(after_help = EXIT_STATUS)]
    Identify(gallery::IdentifyArgs),
    /// Write a model's report (HTML, JSON) and its card, or a comparison of several models
    #[cfg(feature = "training")]
    Report(report::Args),
    /// Draw glyphs or letters as pictures, to have something to enrol
    Draw(draw::Args),
    /// Ask a board: over serial, TCP, or in the emulator
    Device(device::Args),
    /// Be a board on the desktop: the same app over TCP, with tract running the ONNX
    #[cfg(feature = "training")]
    Serve(serve::Args),
    /// What only a program with training knows
    #[cfg(not(feature = "training"))]
    #[command(external_subcommand)]
    Other(Vec<String>),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        #[cfg(feature = "training")]
        Command::Demo(args) => demo::run(args),
        #[cfg(feature = "training")]
        Command::Train(args) => train::run(args),
        #[cfg(feature = "training")]
        Command::Export(args) => export::run(args),
        #[cfg(feature = "training")]
        Command::Evaluate(args) => evaluate::run(args),
        #[cfg(feature = "training")]
        Command::Embed(args) => embed::run(args),
        Command::Enroll(args) => gallery::enroll(args),
        Command::Verify(args) => gallery::verify(args),
        Command::Identify(args) => gallery::identify(args),
        #[cfg(feature = "training")]
        Command::Report(args) => report::run(args),
        Command::Draw(args) => draw::run(args),
        Command::Device(args) => device::run(args),
        #[cfg(feature = "training")]
        Command::Serve(args) => serve::run(args),
        #[cfg(not(feature = "training"))]
        Command::Other(words) => Err(UsageError(format!(
            "there is no `{}` in this program, which was built without training: leave out --no-default-features",
            words.first().map_or("", String::as_str)
        ))
        .into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if matches!(error.downcast_ref(), Some(OutputError::Closed)) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed the status has to do.
            let _ = writeln!(io::stderr(), "doppel: {}", sentence(&error));
            match error.is::<UsageError>() {
                true => ExitCode::from(2),
                false => ExitCode::FAILURE,
            }
        }
    }
}
