//! What the programs of the boards take: `tests/run.sh boards`.
//!
//! Builds each program for each board and prints its code without the model, its static memory without the arena, and what
//! is left for the stack. The linker keeps all of it within the board's memory; here `device` is kept within its promise.

use std::path::Path;

use anyhow::{Context, bail};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind};
use parity::board::{EMULATED, Kernels, OWNED, build_for};
use shared::bundle::Bundle;
use shared::network::arena_words;

const MODEL: &str = "models/glyphs";
const PROGRAMS: [&str; 3] = ["device", "bench", "selftest"];
/// Most bytes of code of `device`, without model and golden vectors: the promise is kept on the emulated board; on the others a
/// HAL with its drivers, and those of the panel, come on top.
const CODE: u64 = 48 * 1024;
const CODE_WITH_HAL: u64 = 64 * 1024;
/// Most bytes of static memory of `device`, without the arena; the HAL's buffers for the link come on top.
const DATA: u64 = 8 * 1024;
const DATA_WITH_HAL: u64 = 9 * 1024;
/// Least bytes of stack.
const STACK: u64 = 8 * 1024;

struct Sizes {
    code: u64,
    data: u64,
    stack: u64,
}

fn main() -> anyhow::Result<()> {
    let model = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(MODEL);
    let bytes = host::model::BundleBytes::open(&model)?;
    let arena = 4 * arena_words(&bytes.bundle()?) as u64;
    let golden = std::fs::read(model.join("golden.bin"))?;
    println!("{:<10}{:<10}{:>10}{:>10}{:>10}", "board", "program", "code", "data", "stack");
    let mut over = vec![];
    for board in [EMULATED].into_iter().chain(OWNED) {
        for program in PROGRAMS {
            let elf = build_for(board, Kernels::Chosen, program, &model)?;
            let sizes = measure(&elf, bytes.bundle()?, &golden, arena)?;
            println!("{:<10}{program:<10}{:>10}{:>10}{:>10}", board.name, sizes.code, sizes.data, sizes.stack);
            let (code, data) = if board == EMULATED { (CODE, DATA) } else { (CODE_WITH_HAL, DATA_WITH_HAL) };
            if sizes.stack < STACK {
                over.push(format!("{program} of {} leaves less than {STACK} bytes of stack", board.name));
            }
            if program == "device" && (sizes.code > code || sizes.data > data) {
                over.push(format!(
                    "{program} of {} takes more than {code} bytes of code or {data} of data",
                    board.name
                ));
            }
        }
    }
    if !over.is_empty() {
        bail!("{}", over.join("; "));
    }
    Ok(())
}

fn measure(elf: &[u8], bundle: Bundle<'_>, golden: &[u8], arena: u64) -> anyhow::Result<Sizes> {
    let file = object::File::parse(elf)?;
    let (mut code, mut data) = (0, 0);
    for section in file.sections().filter(|section| section.size() > 0) {
        match section.kind() {
            SectionKind::Text | SectionKind::ReadOnlyData | SectionKind::ReadOnlyString => code += section.size(),
            // Its first content lies in flash.
            SectionKind::Data => {
                code += section.size();
                data += section.size();
            }
            SectionKind::UninitializedData => data += section.size(),
            _ => continue,
        }
        let Ok(bytes) = section.data() else { continue };
        for part in [bundle.bytes(), golden] {
            if contains(bytes, part) {
                code -= part.len() as u64;
            }
        }
    }
    let address = |name: &str| {
        let symbol = file.symbol_by_name(name).with_context(|| format!("the program has no symbol {name}"))?;
        Ok::<_, anyhow::Error>(symbol.address())
    };
    let stack = address("_stack_start")? - address("__sheap")?;
    Ok(Sizes { code, data: data - arena, stack })
}

/// Whether `part` lies in `bytes`.
fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
