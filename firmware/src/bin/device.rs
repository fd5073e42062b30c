//! The app on a board: answers over the UART, logs by defmt.
//!
//! `DEFMT_LOG=trace` at build time lets every answer be logged, and the request `Log` chooses among them at run time. The log is
//! binary: pipe the emulator's output into `defmt-print -e target/thumbv7em-none-eabihf/board/device`.
#![no_std]
#![no_main]

use defmt::{Str, error, info, intern, trace, warn};
use firmware::app::{App, IDENTITIES, StartError};
use firmware::board::{self, Wiring, entry};
use firmware::capture::link::Link;
use firmware::device::Event;
use firmware::engine::{self, KernelEngine};
use firmware::store::Store;
use shared::bundle::BundleError;
use shared::frontend::FrontEnd;
use shared::gallery::Decision;
use shared::wire::{LogLevel, Response};

/// Why the board does not start; a text that lies beside the program, not in it.
type Failure = Str;

fn run() -> Result<(), Failure> {
    let unusable = intern!("the board's memory or its flash cannot be used");
    let arena = board::arena().ok_or(unusable)?;
    let memory = board::memory().ok_or(unusable)?;
    let Wiring { link, mut outputs, panel, button, flash } = board::take().ok_or(unusable)?;
    let (flash, mut slots) = flash;
    let mut store = Store::open(flash).map_err(|_| intern!("the store cannot be opened"))?;
    let mut host = Link::new(link);
    // A model of recordings has no use for a pad.
    let mut pad = match &board::bundle().map_err(damaged)?.header().frontend {
        FrontEnd::Pixels(input) => panel.and_then(|panel| board::pad(panel, button, input)),
        FrontEnd::LogMel(_) => None,
    };
    loop {
        let (slot, bundle, golden) = board::model(&mut store);
        let bundle = engine::check(bundle).map_err(damaged)?;
        let engine = KernelEngine::new(&bundle, arena.as_mut_slice()).map_err(|_| intern!("the arena is too small"))?;
        let header = bundle.header();
        if let Some(pad) = &mut pad {
            board::suit(pad, &header.frontend);
        }
        info!(
            "model {=u64:016x} of slot {=u8}: {=usize} bytes, arena of {=u32} bytes, room for {=usize} identities",
            header.model_id,
            slot,
            bundle.bytes().len(),
            header.arena,
            IDENTITIES,
        );
        let platform = board::BoardPlatform::new(&mut slots, golden, slot);
        let mut app = App::new(engine, store, platform, memory).map_err(|error| match error {
            StartError::TooLong { .. } => intern!("the model's embeddings are too long for this program"),
            StartError::Store(_) => intern!("the store cannot be read"),
        })?;
        app.run(&mut host, &mut pad, &mut outputs, board::millis, board::idle, tell);
        store = app.stop();
    }
}

fn damaged(_: BundleError) -> Failure {
    intern!("the program's own model is damaged: flash the board again")
}

fn tell(event: Event<'_>, level: LogLevel) {
    match event {
        Event::Answer(response) if firmware::app::level(response) <= level => log(response),
        Event::Answer(_) => (),
        Event::Link => warn!("the link lost bytes"),
        Event::Pad => warn!("the signature pad does not answer"),
        Event::Output => warn!("an output cannot be set"),
    }
}

fn log(response: &Response<'_>) {
    match response {
        Response::Fault(fault) => warn!("fault {=u8}", fault.code()),
        Response::Decision(Decision::Match(candidate)) => {
            info!("accepted {=str} at distance {=u32}", candidate.label.as_str(), candidate.distance.0);
        }
        Response::Decision(Decision::Unknown(Some(candidate))) => {
            info!("rejected; {=str} at distance {=u32}", candidate.label.as_str(), candidate.distance.0);
        }
        Response::Decision(Decision::Unknown(None)) => info!("rejected; nobody is enrolled"),
        Response::Enrolled { identities, .. } => info!("enrolled; {=u16} identities", *identities),
        Response::Done(number) => info!("done {=u16}", *number),
        _ => trace!("answered"),
    }
}

#[entry]
fn main() -> ! {
    let result = run();
    if let Err(failure) = result {
        error!("{=istr}", failure);
    }
    board::exit(result.is_ok())
}
