//! Measures the model of the build on the board: each step of its network and the whole of it, in instructions where the
//! emulator counts them (`-icount shift=0`), in cycles on a real core. One line a step, for `tests/run.sh bench` to read:
//!
//! `step INDEX MACS COUNT`, then `net MACS COUNT ARENA STACK MODEL`, then `search METRIC TEMPLATES DIM COUNT` by each metric, the
//! model's own first, among few templates and among many, then `embed COUNT`: a golden sample from its raw bytes to its embedding.
#![no_std]
#![no_main]

use firmware::board::{self, Counter, Stack, entry, println};
use firmware::engine::{Engine, KernelEngine};
use shared::bundle::{Bundle, BundleError, Header};
use shared::embedding::Metric;
use shared::gallery::{Decision, EnrolError, Gallery, Template};
use shared::golden::{self, GoldenError};
use shared::network::{self, NetworkError, Step};
use thiserror::Error;

/// Every step runs so often, which divides the error of one tick.
const ROUNDS: u32 = 10;
/// Templates of the 1:N search, and their elements.
const TEMPLATES: usize = 1000;
/// Templates of a search whose cost is held against an embedding's.
const FEW_TEMPLATES: usize = 200;
const DIM: usize = 64;

#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("the board's memory or counter is in use already")]
    Memory,
    #[error("the model has no threshold, so it cannot search")]
    Threshold,
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    #[error(transparent)]
    Golden(#[from] GoldenError),
    #[error("the golden file has no sample")]
    Sample,
    #[error("the search missed the template that equals the probe")]
    Search,
}

fn run() -> Result<(), Failure> {
    let bundle = board::bundle()?;
    board::prepare();
    let arena = board::arena().ok_or(Failure::Memory)?;
    let counter = Counter::take().ok_or(Failure::Memory)?;
    fill(network::input_tensor(&bundle, arena)?, 1);
    for (index, step) in network::steps(&bundle).enumerate() {
        let count = measure(&counter, || run_step(&step, arena));
        println!("step {} {} {}", index, macs(&step), count);
    }
    let stack = Stack::paint();
    let _ = network::forward(&bundle, arena)?;
    let stack = stack.used();
    let count = measure(&counter, || {
        let _ = network::forward(&bundle, arena);
    });
    println!("net {} {} {} {} {}", bundle.macs(), count, bundle.header().arena, stack, bundle.bytes().len());
    search(&counter, bundle.header())?;
    embed(&counter, bundle, arena)
}

/// A step, marked for plugins of the emulator.
#[inline(never)]
fn run_step(step: &Step<'_>, arena: &mut [u32]) {
    board::region(|| step.run(arena));
}

fn measure(counter: &Counter, mut work: impl FnMut()) -> u32 {
    let empty = counter.count(|| ());
    let mut total = 0;
    for _ in 0..ROUNDS {
        total += counter.count(&mut work) - empty;
    }
    (total + ROUNDS / 2) / ROUNDS
}

fn macs(step: &Step<'_>) -> u64 {
    let front = step.front.map_or(0, |front| front.entry.geometry.macs());
    front + step.layer.entry.geometry.macs()
}

fn fill(bytes: &mut [u8], seed: u32) {
    let mut state = seed;
    for byte in bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
}

/// The exact search among templates, few and many, by each metric, the model's own first.
fn search(counter: &Counter, header: &Header) -> Result<(), Failure> {
    let room = board::singleton!(: Option<Gallery<TEMPLATES, DIM>> = None).ok_or(Failure::Memory)?;
    let other = match header.metric {
        Metric::Euclidean => Metric::Cosine,
        Metric::Cosine => Metric::Euclidean,
    };
    for metric in [header.metric, other] {
        let header = Header { dim: DIM as u16, metric, ..*header };
        let gallery = room.insert(Gallery::new(&header).ok_or(Failure::Threshold)?);
        let mut embedding = [0u8; DIM];
        for identity in 0..TEMPLATES {
            fill(&mut embedding, identity as u32);
            gallery.enrol(Template::of_one(&golden::label(identity as u16), &embedding.map(|byte| byte as i8)))?;
            let count = identity + 1;
            if count == FEW_TEMPLATES || count == TEMPLATES {
                let probe = embedding.map(|byte| byte as i8);
                let mut decision = Decision::Unknown(None);
                let instructions = measure(counter, || decision = gallery.identify(&probe));
                let name = match metric {
                    Metric::Euclidean => "euclidean",
                    Metric::Cosine => "cosine",
                };
                println!("search {} {} {} {}", name, count, DIM, instructions);
                if !matches!(&decision, Decision::Match(candidate) if candidate.distance.0 == 0) {
                    return Err(Failure::Search);
                }
            }
        }
    }
    Ok(())
}

/// A golden sample, front end and network.
fn embed(counter: &Counter, bundle: Bundle<'_>, arena: &mut [u32]) -> Result<(), Failure> {
    let golden = board::golden()?;
    let sample = golden.samples().next().ok_or(Failure::Sample)?;
    let mut engine = KernelEngine::new(&bundle, arena)?;
    let count = measure(counter, || {
        let _ = engine.embed(sample.raw);
    });
    println!("embed {}", count);
    Ok(())
}

#[entry]
fn main() -> ! {
    let result = run();
    if let Err(failure) = &result {
        println!("{}", failure);
    }
    board::exit(result.is_ok())
}
