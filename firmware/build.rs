//! For a board's build: puts the model beside the program, sizes its memory, and chooses the linker scripts.

use std::path::{Path, PathBuf};
use std::{env, fs};

use shared::bundle::Bundle;
use shared::frontend::FrontEnd;
use shared::golden::Golden;

/// Boards by their cargo feature, with their memory map and the scripts that they link by.
const BOARDS: [(&str, &str, &[&str]); 6] = [
    ("NRF52840", "src/board/nrf52840.x", CORTEX_M),
    ("QEMU", "src/board/qemu.x", CORTEX_M),
    ("QEMU_M33", "src/board/qemu_m33.x", CORTEX_M),
    ("QEMU_RISCV", "src/board/qemu_riscv.x", &["-Tmemory.x", "-Tlink.x"]),
    ("RP2350", "src/board/rp2350.x", CORTEX_M),
    ("STM32F4", "src/board/stm32f4.x", CORTEX_M),
];
const CORTEX_M: &[&str] = &["-Tlink.x", "-Tdefmt.x", "-Tbounds.x"];
/// What every program on a Cortex-M keeps to.
const BOUNDS: &str = "src/board/bounds.x";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(thumb2, pictures, recordings)");
    if env::var_os("CARGO_FEATURE_BOARD").is_none() {
        return;
    }
    if let Err(message) = board() {
        println!("cargo::error={message}");
    }
}

fn board() -> Result<(), String> {
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return Err("a board's feature needs the board's target: add --target thumbv7em-none-eabihf".to_string());
    }
    let target = env::var("TARGET").unwrap_or_default();
    if target.starts_with("thumbv7") || target.starts_with("thumbv8m.main") {
        println!("cargo:rustc-cfg=thumb2");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run cargo")?);
    let selected = |board: &&(&str, _, _)| env::var_os(format!("CARGO_FEATURE_{}", board.0)).is_some();
    let Some((_, memory, scripts)) = BOARDS.iter().find(selected) else {
        return Err("no board is selected: add --features qemu".to_string());
    };
    println!("cargo:rerun-if-changed={memory}");
    println!("cargo:rerun-if-changed={BOUNDS}");
    write(&out.join("memory.x"), &read(Path::new(memory))?)?;
    write(&out.join("bounds.x"), &read(Path::new(BOUNDS))?)?;
    if env::var_os("CARGO_FEATURE_QEMU").is_some() {
        // Names of interrupt handlers: the board has none.
        write(&out.join("device.x"), b"")?;
    }
    println!("cargo:rustc-link-search={}", out.display());
    for script in *scripts {
        println!("cargo:rustc-link-arg-bins={script}");
    }
    println!("cargo:rustc-link-arg-bins=--nmagic");
    model(&out)
}

/// Copies the model that `DOPPEL_MODEL` names to `out` and writes down the sizes that follow from it.
fn model(out: &Path) -> Result<(), String> {
    println!("cargo:rerun-if-env-changed=DOPPEL_MODEL");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the workspace has no folder")?;
    let name = env::var("DOPPEL_MODEL").unwrap_or_else(|_| "models/glyphs".to_string());
    let (bundle_path, golden_path) = (root.join(&name).join("model.bundle"), root.join(&name).join("golden.bin"));
    for path in [&bundle_path, &golden_path] {
        println!("cargo:rerun-if-changed={}", path.display());
        if !path.is_file() {
            return Err(format!(
                "{} is missing: run `cargo run --release -- export {name}`, or set DOPPEL_MODEL to the folder of an exported model",
                path.display()
            ));
        }
    }
    let (bundle_bytes, golden_bytes) = (read(&bundle_path)?, read(&golden_path)?);
    // The checked view reads in place, from an address that is a multiple of four.
    let mut words = vec![0u32; bundle_bytes.len().div_ceil(4)];
    let aligned: &mut [u8] = &mut bytemuck::cast_slice_mut(&mut words)[..bundle_bytes.len()];
    aligned.copy_from_slice(&bundle_bytes);
    let bundle = Bundle::check(aligned).map_err(|e| format!("{}: {e}", bundle_path.display()))?;
    let golden = Golden::check(&golden_bytes).map_err(|e| format!("{}: {e}", golden_path.display()))?;
    let header = bundle.header();
    if golden.model_id() != header.model_id {
        return Err(format!(
            "{} belongs to another model than the bundle beside it: run `cargo run --release -- export {name}`",
            golden_path.display()
        ));
    }
    write(&out.join("model.bundle"), &bundle_bytes)?;
    write(&out.join("golden.bin"), &golden_bytes)?;
    // The front end that the program has.
    println!("cargo:rustc-cfg={}", if let FrontEnd::Pixels(_) = header.frontend { "pictures" } else { "recordings" });
    let sizes = format!(
        "/// Words of the arena that the model runs in.\npub const ARENA_WORDS: usize = {};\n\
         /// Elements of the model's embedding.\npub const DIM: usize = {};\n\
         /// Bytes of the model's input tensor.\npub const INPUT_LEN: usize = {};\n",
        shared::network::arena_words(&bundle),
        header.dim,
        header.input().len(),
    );
    write(&out.join("sizes.rs"), sizes.as_bytes())?;
    println!(
        "cargo::warning={name} needs {} bytes of flash and an arena of {} bytes in RAM",
        bundle_bytes.len(),
        header.arena
    );
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|e| format!("cannot write {}: {e}", path.display()))
}
