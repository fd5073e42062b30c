//! Builds programs for the emulated board and runs them.

use std::fs;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use host::device::Emulator;
use object::{Object, ObjectSection, ObjectSymbol};
use tempfile::TempDir;

/// What programs are built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// Its name on command lines.
    pub name: &'static str,
    target: &'static str,
    feature: &'static str,
}

/// The emulated board.
pub const EMULATED: Board = Board { name: "m4", target: "thumbv7em-none-eabihf", feature: "qemu" };
/// The same with a panel and a button, which a [`Hand`](crate::pad::Hand) plays.
pub const EMULATED_WITH_PAD: Board = Board { name: "m4-pad", feature: "qemu-pad", ..EMULATED };
/// The emulated board, and boards of other cores that the kernels have code for.
pub const CORES: [Board; 4] = [
    EMULATED,
    Board { name: "m33", target: "thumbv8m.main-none-eabihf", feature: "qemu-m33" },
    Board { name: "m0", target: "thumbv6m-none-eabi", feature: "qemu" },
    Board { name: "riscv", target: "riscv32imc-unknown-none-elf", feature: "qemu-riscv" },
];
/// The boards that people own.
pub const OWNED: [Board; 3] = [
    Board { name: "nrf52840", target: "thumbv7em-none-eabihf", feature: "nrf52840" },
    Board { name: "rp2350", target: "thumbv8m.main-none-eabihf", feature: "rp2350" },
    Board { name: "stm32f4", target: "thumbv7em-none-eabihf", feature: "stm32f4" },
];

/// The kernels of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernels {
    /// Those of the core.
    Chosen,
    /// Those that define what each computes.
    Portable,
}

const CONFIG: &str = include_str!("../../.cargo/config.toml");
/// How long a program or an answer may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Builds the board's program `bin` with the model in `model`, and returns the ELF's bytes.
pub fn build(bin: &str, model: &Path) -> anyhow::Result<Vec<u8>> {
    build_for(EMULATED, Kernels::Chosen, bin, model)
}

/// Builds the program `bin` for `board` with the model in `model`, and returns the ELF's bytes.
pub fn build_for(board: Board, kernels: Kernels, bin: &str, model: &Path) -> anyhow::Result<Vec<u8>> {
    let Board { target, feature, .. } = board;
    let libraries = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .context("rustc is missing: install it from https://rustup.rs")?;
    if !Path::new(String::from_utf8_lossy(&libraries.stdout).trim()).is_dir() {
        bail!("the Rust target {target} is missing: run `rustup target add {target}`");
    }
    let mut cargo = Command::new("cargo");
    if kernels == Kernels::Portable {
        cargo.env("DOPPEL_KERNELS", "portable");
    }
    let output = cargo
        .args(["build", "-p", "firmware", "--profile", "board"])
        .args(["--target", target, "--features", feature, "--bin", bin])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .env("DOPPEL_MODEL", fs::canonicalize(model)?)
        .output()
        .context("cargo is missing: install it from https://rustup.rs")?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("{bin} does not build for the board:\n{told}");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .with_context(|| format!("cargo built no {bin}"))?;
    fs::read(&executable).with_context(|| format!("cannot read {}", executable.display()))
}

/// The emulator of `board` as `cargo run` starts it, up to the place of the ELF's path.
fn emulator(board: Board) -> anyhow::Result<Command> {
    let section = format!("[target.{}]", board.target);
    let mut lines = CONFIG.lines().skip_while(|line| *line != section);
    let line = lines.find_map(|line| line.strip_prefix("runner = \""));
    let mut words = line
        .with_context(|| format!(".cargo/config.toml names no runner for {}", board.target))?
        .trim_end_matches('"')
        .split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    Ok(command)
}

fn start(command: &mut Command) -> anyhow::Result<Child> {
    command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!(
            "QEMU is missing: install it (Debian: apt-get install --no-install-recommends qemu-system-arm qemu-system-misc, Homebrew: brew install qemu)"
        ),
        _ => error.into(),
    })
}

/// What a program did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The emulator's exit status.
    pub status: i32,
    /// What the program printed.
    pub output: String,
    /// What its handlers of faults and panics printed.
    pub errors: String,
}

/// Runs the program `elf` on the emulated board to its end.
pub fn run(elf: &[u8]) -> anyhow::Result<Outcome> {
    run_with(EMULATED, elf, &[])
}

/// Runs the program `elf` on `board` with one instruction a tick of the board's clock, so that its timer counts instructions.
pub fn run_counting(board: Board, elf: &[u8]) -> anyhow::Result<Outcome> {
    run_with(board, elf, &["-icount", "shift=0"])
}

fn run_with(board: Board, elf: &[u8], arguments: &[&str]) -> anyhow::Result<Outcome> {
    let dir = TempDir::new()?;
    let path = dir.path().join("program");
    fs::write(&path, elf)?;
    let mut command = emulator(board)?;
    command.arg(&path).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = start(&mut command)?;
    let (output, errors) = (read_all(child.stdout.take()), read_all(child.stderr.take()));
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            bail!("the program did not end within {} s", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(5));
    };
    let text =
        |reader: thread::JoinHandle<Vec<u8>>| String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned();
    Ok(Outcome { status: status.code().unwrap_or(-1), output: text(output), errors: text(errors) })
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = vec![];
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// A program that runs on the emulated board until this is dropped, its UART at a socket.
#[derive(Debug)]
pub struct Device {
    _emulator: Emulator,
    _dir: TempDir,
    /// The other end of the UART.
    pub link: UnixStream,
}

impl Device {
    /// Starts the program `elf` with its flash in the file `flash`.
    pub fn start(elf: &[u8], flash: &Path) -> anyhow::Result<Self> {
        let dir = TempDir::new()?;
        let path = dir.path().join("program");
        fs::write(&path, elf)?;
        let (emulator, link) = Emulator::start(&path, flash, Stdio::null())?;
        link.set_read_timeout(Some(PATIENCE))?;
        Ok(Device { _emulator: emulator, _dir: dir, link })
    }
}

/// What the app on a board takes besides its model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Bytes of flash without bundle and golden vectors.
    pub flash: u64,
    /// Bytes of RAM that the linker gave away, without the arena.
    pub ram: u64,
    /// Symbols of an allocator, of formatting, or of a panic that formats.
    pub unwanted: Vec<String>,
}

/// The footprint of the program `elf` that was built with the model in `model`.
pub fn footprint(elf: &[u8], model: &Path) -> anyhow::Result<Footprint> {
    let file = object::File::parse(elf)?;
    let bytes = |name: &str| file.section_by_name(name).map_or(0, |section| section.size());
    let parts = ["model.bundle", "golden.bin"].map(|name| fs::metadata(model.join(name)).map(|data| data.len()));
    let [bundle, golden] = parts;
    let flash = [".vector_table", ".text", ".rodata", ".data"].map(bytes).iter().sum::<u64>() - bundle? - golden?;
    let arena: u64 = symbols(&file).filter(|(name, _)| name.contains("ARENA")).map(|(_, size)| size).sum();
    anyhow::ensure!(arena > 0, "the program has no arena");
    let ram = [".data", ".bss", ".uninit"].map(bytes).iter().sum::<u64>() - arena;
    let unwanted = symbols(&file).map(|(name, _)| name).filter(|name| {
        let of = |part: &str| name.contains(part);
        of("__rust_alloc") || of("__rdl_alloc") || of("5alloc5alloc") || of("4core3fmt") || of("__rg_alloc")
    });
    Ok(Footprint { flash, ram, unwanted: unwanted.map(String::from).collect() })
}

fn symbols<'f>(file: &'f object::File<'f>) -> impl Iterator<Item = (&'f str, u64)> {
    file.symbols().filter_map(|symbol| Some((symbol.name().ok()?, symbol.size())))
}
