//! The app on a board: answers over the UART, logs by defmt.
//!
//! `DEFMT_LOG=trace` at build time lets every answer be logged, and the request `Log` chooses among them at run time. The log is
//! binary: pipe the emulator's output into `defmt-print -e target/thumbv7em-none-eabihf/board/device`.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use defmt::{error, info, trace, warn};
use defmt_semihosting as _;
use firmware::app::{App, End, IDENTITIES, StartError};
use firmware::board::{self, QemuFlash, QemuPlatform, Uart};
use firmware::engine::KernelEngine;
use firmware::platform::parts;
use firmware::store::{Settings, Store};
use shared::bundle::Bundle;
use shared::gallery::Decision;
use shared::golden::Golden;
use shared::network;
use shared::wire::Response;

firmware::quiet_handlers!();

/// Why the board does not start; texts of its own, so that no formatting is linked.
type Failure = &'static str;

const MEMORY: Failure = "the board's memory or its flash file cannot be used";

/// What keeps on while one model follows another.
struct Parts {
    store: Store<QemuFlash>,
    slots: [QemuFlash; 2],
}

fn run() -> Result<(), Failure> {
    let arena = board::arena().ok_or(MEMORY)?;
    let memory = board::memory().ok_or(MEMORY)?;
    let mut uart = Uart::take().ok_or(MEMORY)?;
    let (store, slots) = board::flash().ok_or(MEMORY)?;
    let mut parts = Parts { store: Store::open(store).map_err(|_| "the store cannot be opened")?, slots };
    loop {
        let (slot, bundle, golden) = model(&mut parts)?;
        let engine = KernelEngine::new(bundle, arena.as_mut_slice()).map_err(|_| "the arena is too small")?;
        let header = bundle.header();
        info!(
            "model {=u64:016x} of slot {=u8}: {=usize} bytes, arena of {=u32} bytes, room for {=usize} identities",
            header.model_id,
            slot,
            bundle.bytes().len(),
            header.arena,
            IDENTITIES,
        );
        let platform = QemuPlatform::new(parts.slots, golden, slot);
        let mut app = App::new(engine, parts.store, platform, memory).map_err(|error| match error {
            StartError::TooLong { .. } => "the model's embeddings are too long for this program",
            StartError::Store(_) => "the store cannot be read",
        })?;
        let Ok(end) = app.serve(&mut uart, log);
        if end == End::Link {
            return Ok(());
        }
        let (_, store, platform) = app.stop();
        parts = Parts { store, slots: platform.stop() };
    }
}

/// The model of the slot that the store names, or the program's own where that slot holds none that can run here.
fn model(held: &mut Parts) -> Result<(u8, Bundle<'static>, &'static [u8]), Failure> {
    let slot = held.store.settings().slot;
    if let 1 | 2 = slot {
        #[allow(unsafe_code)]
        // SAFETY: the app erases and writes the slot that is not in use only.
        let bytes = unsafe { board::slot_in_place(slot) };
        if let Some((bundle, golden)) = parts(bytes)
            && let (Ok(bundle), Ok(_)) = (Bundle::check(bundle), Golden::check(golden))
            && network::arena_words(&bundle) <= board::ARENA_WORDS
            && usize::from(bundle.header().dim) <= board::DIM
        {
            return Ok((slot, bundle, golden));
        }
        warn!("slot {=u8} holds no model that can run: the program's own is used", slot);
        // Where that cannot be kept, the next start finds it out again.
        let _ = held.store.put(Settings { slot: 0, ..*held.store.settings() });
    }
    let bundle = board::bundle().map_err(|_| "the program's own model is damaged: flash the board again")?;
    Ok((0, bundle, board::golden_bytes()))
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
        error!("{=str}", failure);
    }
    board::exit(result.is_ok())
}
