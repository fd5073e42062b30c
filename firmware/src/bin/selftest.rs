//! Replays the model's golden vectors on the board, compares every byte, and exits with the status of success or failure.
#![no_std]
#![no_main]

use firmware::app::IDENTITIES;
use firmware::board::{self, entry, println};
use firmware::engine::{Engine, KernelEngine};
use firmware::replay::{ReplayError, Report, replay};
use shared::bundle::BundleError;
use shared::golden::GoldenError;
use shared::network::NetworkError;
use thiserror::Error;

#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Golden(#[from] GoldenError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error("the board's memory is in use already")]
    Memory,
}

fn run() -> Result<Report, Failure> {
    let arena = board::arena().ok_or(Failure::Memory)?;
    let bundle = board::bundle()?;
    let mut engine = KernelEngine::new(&bundle, arena)?;
    let header = engine.header();
    println!(
        "model {} {:016x}: {} bytes of flash, {} bytes of arena",
        header.name(),
        header.model_id,
        bundle.bytes().len(),
        header.arena
    );
    let golden = board::golden()?;
    Ok(replay::<_, IDENTITIES, { board::DIM }>(&mut engine, &golden)?)
}

#[entry]
fn main() -> ! {
    let success = match run() {
        Ok(report) => {
            println!("{}", report);
            if let Some(difference) = report.first {
                println!("first difference: {}", difference);
            }
            report.is_clean()
        }
        Err(failure) => {
            println!("{}", failure);
            false
        }
    };
    println!("{}", if success { "passed" } else { "failed" });
    board::exit(success)
}
