//! Builds programs for the emulated board and runs them.

use std::fs;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use host::device::Emulator;
use object::{Object, ObjectSection, ObjectSymbol};
use tempfile::TempDir;

const CONFIG: &str = include_str!("../../.cargo/config.toml");
/// How long a program or an answer may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Builds the board's program `bin` with the model in `model`, and returns the ELF's bytes.
pub fn build(bin: &str, model: &Path) -> anyhow::Result<Vec<u8>> {
    let executable = host::device::build(bin, model)?;
    fs::read(&executable).with_context(|| format!("cannot read {}", executable.display()))
}

/// The emulator as `cargo run` starts it, up to the place of the ELF's path.
fn emulator() -> anyhow::Result<Command> {
    let line = CONFIG.lines().find_map(|line| line.strip_prefix("runner = \""));
    let mut words = line.context(".cargo/config.toml names no runner")?.trim_end_matches('"').split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    Ok(command)
}

fn start(command: &mut Command) -> anyhow::Result<Child> {
    command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!(
            "qemu-system-arm is missing: install it (Debian: apt-get install --no-install-recommends qemu-system-arm, Homebrew: brew install qemu)"
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
    run_with(elf, &[])
}

/// Runs the program `elf` with one instruction a tick of the board's clock, so that its timer counts instructions.
pub fn run_counting(elf: &[u8]) -> anyhow::Result<Outcome> {
    run_with(elf, &["-icount", "shift=0"])
}

fn run_with(elf: &[u8], arguments: &[&str]) -> anyhow::Result<Outcome> {
    let dir = TempDir::new()?;
    let path = dir.path().join("program");
    fs::write(&path, elf)?;
    let mut command = emulator()?;
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
