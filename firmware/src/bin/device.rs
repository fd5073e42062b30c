//! The app on a board: answers over the UART, logs by defmt.
//!
//! `DEFMT_LOG=trace` at build time shows every answer, `info` (when it is unset: `error`) the start only. The log is binary:
//! pipe the emulator's output into `defmt-print -e target/thumbv7em-none-eabihf/board/device`.
#![no_std]
#![no_main]

use core::convert::Infallible;

use defmt::{Display2Format, error, info, trace, warn};
use firmware::app::{App, IDENTITIES};
use firmware::board::{self, Wiring, entry};
use firmware::capture::link::Link;
use firmware::capture::pad::Pad;
use firmware::device::{self, Event};
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

fn run() -> Result<Infallible, Failure> {
    let arena = board::arena().ok_or(Failure::Memory)?;
    let memory = board::memory().ok_or(Failure::Memory)?;
    let Wiring { link, outputs, panel, button, .. } = board::take().ok_or(Failure::Memory)?;
    let bundle = board::bundle()?;
    let engine = KernelEngine::new(bundle, arena)?;
    let mut app = App::new(engine, memory)?;
    info!(
        "model {} of {} bytes, arena of {} bytes, room for {} identities and samples of {} bytes",
        bundle.header().name(),
        bundle.bytes().len(),
        bundle.header().arena,
        IDENTITIES,
        firmware::app::SAMPLE_BYTES,
    );
    let pad =
        panel.and_then(|panel| Pad::<_, _, _, { board::INPUT_LEN }>::new(panel, button, &bundle.header().frontend));
    device::serve(&mut app, Link::new(link), pad, outputs, board::millis, board::idle, |event| match event {
        Event::Answer(Response::Fault(fault)) => warn!("{}", Display2Format(fault)),
        Event::Answer(Response::Decision(decision)) => trace!("{}", defmt::Debug2Format(decision)),
        Event::Answer(Response::Done(identities)) => trace!("{} identities", identities),
        Event::Answer(_) => trace!("answered"),
        Event::Link => warn!("the link lost bytes"),
        Event::Pad => warn!("the signature pad does not answer"),
        Event::Output => warn!("an output cannot be set"),
    })
}

#[entry]
fn main() -> ! {
    let Err(failure) = run();
    error!("{}", Display2Format(&failure));
    board::exit(false)
}
