//! What the programs of the boards take: `tests/run.sh boards`.
//!
//! Builds each program for each board, and `device` of the emulated board once more for recordings and once with a pad, and
//! prints its code without the model, its static memory without the arena, and what is left for the stack. The linker keeps all
//! of it within the board's memory; here `device` is kept within its promise.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use host::model::BundleBytes;
use object::{Object, ObjectSection, ObjectSymbol, SectionKind};
use parity::board::{Board, EMULATED, EMULATED_WITH_PAD, Kernels, OWNED, build_for};
use shared::network::arena_words;

/// What a program is built for, with a model of it.
const PICTURES: (&str, &str) = ("pictures", "models/glyphs");
const RECORDINGS: (&str, &str) = ("recordings", "models/voices");
const PROGRAMS: [&str; 3] = ["device", "bench", "selftest"];
/// Most bytes of code of `device`, without model and golden vectors: the promise is kept on the emulated board; on the others a
/// HAL with its drivers comes on top.
const CODE: u64 = 48 * 1024;
const CODE_WITH_HAL: u64 = 60 * 1024;
/// Most bytes of static memory of `device`, without the arena.
const DATA: u64 = 8 * 1024;
/// Least bytes of stack.
const STACK: u64 = 8 * 1024;

struct Sizes {
    code: u64,
    data: u64,
    stack: u64,
}

/// Most bytes of code of `device` on `board`.
fn most_code(board: Board) -> u64 {
    match board {
        EMULATED | EMULATED_WITH_PAD => CODE,
        _ => CODE_WITH_HAL,
    }
}

fn main() -> anyhow::Result<()> {
    let [pictures, recordings] = [PICTURES, RECORDINGS].map(Model::open);
    let (pictures, recordings) = (pictures?, recordings?);
    let all = [EMULATED].into_iter().chain(OWNED).flat_map(|board| PROGRAMS.map(|program| (board, program)));
    let builds = all
        .map(|(board, program)| (board, program, &pictures))
        .chain([(EMULATED, "device", &recordings), (EMULATED_WITH_PAD, "device", &pictures)]);
    println!("{:<10}{:<10}{:<12}{:>8}{:>8}{:>10}", "board", "program", "for", "code", "data", "stack");
    let mut over = vec![];
    for (board, program, model) in builds {
        let Sizes { code, data, stack } = model.sizes(&build_for(board, Kernels::Chosen, program, &model.folder)?)?;
        let (name, samples) = (board.name, model.samples);
        println!("{name:<10}{program:<10}{samples:<12}{code:>8}{data:>8}{stack:>10}");
        if stack < STACK {
            over.push(format!("{program} of {name} leaves less than {STACK} bytes of stack"));
        }
        let most_code = most_code(board);
        if program == "device" && (code > most_code || data > DATA) {
            let bounds = format!("{most_code} bytes of code or {DATA} of data");
            over.push(format!("{program} of {name} for {samples} takes more than {bounds}"));
        }
    }
    if !over.is_empty() {
        bail!("{}", over.join("; "));
    }
    Ok(())
}

/// An exported model that programs are built with.
struct Model {
    samples: &'static str,
    folder: PathBuf,
    bundle: BundleBytes,
    golden: Vec<u8>,
}

impl Model {
    fn open((samples, path): (&'static str, &str)) -> anyhow::Result<Model> {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path);
        let golden = folder.join("golden.bin");
        let golden = fs::read(&golden).with_context(|| format!("cannot read {}", golden.display()))?;
        Ok(Model { samples, bundle: BundleBytes::open(&folder)?, golden, folder })
    }

    /// What the program `elf` takes besides this model.
    fn sizes(&self, elf: &[u8]) -> anyhow::Result<Sizes> {
        let file = object::File::parse(elf)?;
        let bundle = self.bundle.bundle()?;
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
            for part in [bundle.bytes(), &self.golden] {
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
        Ok(Sizes { code, data: data - 4 * arena_words(&bundle) as u64, stack })
    }
}

/// Whether `part` lies in `bytes`.
fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
