//! The app on a board: answers over the UART, logs by defmt.
//!
//! `DEFMT_LOG=trace` at build time shows every answer, `info` (when it is unset: `error`) the start only. The log is binary:
//! pipe the emulator's output into `defmt-print -e target/thumbv7em-none-eabihf/board/device`.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use defmt::{Display2Format, error, info, trace, warn};
use defmt_semihosting as _;
use firmware::app::{App, IDENTITIES};
use firmware::board::{self, Uart};
use firmware::engine::KernelEngine;
use shared::bundle::BundleError;
use shared::network::NetworkError;
use shared::wire::Response;
use thiserror::Error;

#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    App(#[from] firmware::app::TooLong),
    #[error("the board's memory is in use already")]
    Memory,
}

fn run() -> Result<(), Failure> {
    let arena = board::arena().ok_or(Failure::Memory)?;
    let sample = board::sample().ok_or(Failure::Memory)?;
    let mut uart = Uart::take().ok_or(Failure::Memory)?;
    let bundle = board::bundle()?;
    let engine = KernelEngine::new(bundle, arena)?;
    let mut app = App::<_, IDENTITIES, { board::DIM }>::new(engine, sample)?;
    info!(
        "model {} of {} bytes, arena of {} bytes, room for {} identities and samples of {} bytes",
        bundle.header().name(),
        bundle.bytes().len(),
        bundle.header().arena,
        IDENTITIES,
        firmware::app::SAMPLE_BYTES,
    );
    let Ok(()) = app.serve(&mut uart, |response| match response {
        Response::Fault(fault) => warn!("{}", Display2Format(fault)),
        Response::Decision(decision) => trace!("{}", defmt::Debug2Format(decision)),
        Response::Done(identities) => trace!("{} identities", identities),
        _ => trace!("answered"),
    });
    Ok(())
}

#[entry]
fn main() -> ! {
    let result = run();
    if let Err(failure) = &result {
        error!("{}", Display2Format(failure));
    }
    board::exit(result.is_ok())
}
