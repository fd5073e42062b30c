//! The board in the emulator: it replays its golden vectors, it tells what is wrong, and it talks as the desktop does.

use std::path::{Path, PathBuf};

use firmware::desktop::{DesktopApp, DesktopMemory, TractEngine};
use firmware::onnx::OnnxModel;
use host::net::{Architecture, Shape};
use parity::board::{Device, Program, build, run};
use parity::conversation::{self, Tape};
use parity::exported::export;
use shared::bundle::{Bundle, HEADER_LEN};
use shared::golden::{self, Golden};

/// A folder of a model of random weights, and what it is.
fn model(name: &str, seed: u64) -> (PathBuf, parity::exported::Exported) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let architecture = Architecture::compact(Shape::new(1, 28, 28), 0.5, 32);
    let exported = export(&architecture, seed).unwrap();
    exported.write(&dir).unwrap();
    (dir, exported)
}
