//! The emulated board: its program built with a model, and the emulator that runs it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use firmware::image::LEN;
use tempfile::TempDir;

const TARGET: &str = "thumbv7em-none-eabihf";
/// Sockets: of the link, of the second UART and of the monitor.
const LINK: &str = "uart";
const PAD: &str = "pad";
const MONITOR: &str = "monitor";

/// How long the emulator may take to open a socket.
const PATIENCE: Duration = Duration::from_secs(20);

/// Builds the board's program `bin` with the model in `model`; its path.
pub fn build(bin: &str, model: &Path) -> anyhow::Result<PathBuf> {
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    if !Path::new(workspace).join("firmware").is_dir() {
        bail!("the board's sources are no longer where this program was built from: name a built program with --elf");
    }
    let model = fs::canonicalize(model)
        .with_context(|| format!("cannot find the model {}: name an exported one with --model", model.display()))?;
    let output = Command::new("cargo")
        .args(["build", "-p", "firmware", "--profile", "board"])
        .args(["--target", TARGET, "--features", "qemu", "--bin", bin])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(workspace)
        .env("DOPPEL_MODEL", model)
        .output()
        .context("cargo is missing: install it from https://rustup.rs")?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        let first = told.lines().find(|line| line.starts_with("error")).unwrap_or("cargo failed");
        bail!(
            "the board's program does not build: {first}; `rustup target add {TARGET}` adds a missing target, and `cargo build \
             -p firmware --profile board --target {TARGET} --features qemu --bin {bin}` shows all messages"
        );
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .with_context(|| format!("cargo built no {bin}"))
}

/// The emulated board, which runs until this is dropped.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    dir: TempDir,
}

impl Emulator {
    /// Starts the program `elf` with its flash in the file `flash`; the other end of its UART. What the board logs goes to
    /// `log`.
    pub fn start(elf: &Path, flash: &Path, log: Stdio) -> anyhow::Result<(Self, UnixStream)> {
        let mut emulator = Emulator::launch(elf, flash, log, None)?;
        let link = emulator.reach(LINK)?;
        Ok((emulator, link))
    }

    /// The same of a program with a pad, and the other end of its second UART, where it asks for its panel and its button.
    pub fn start_with_pad(elf: &Path, flash: &Path, log: Stdio) -> anyhow::Result<(Self, UnixStream, UnixStream)> {
        let mut emulator = Emulator::launch(elf, flash, log, Some(PAD))?;
        let (link, pad) = (emulator.reach(LINK)?, emulator.reach(PAD)?);
        Ok((emulator, link, pad))
    }

    /// `second` is the socket of the second UART; the board begins once somebody is there.
    fn launch(elf: &Path, flash: &Path, log: Stdio, second: Option<&str>) -> anyhow::Result<Self> {
        check_elf(elf)?;
        check_flash(flash)?;
        let dir = TempDir::new()?;
        let socket = |name: &str, wait: &str| format!("unix:{},server=on,wait={wait}", dir.path().join(name).display());
        let mut command = Command::new("qemu-system-arm");
        command
            .args(["-M", "mps2-an386", "-cpu", "cortex-m4", "-display", "none"])
            .args(["-semihosting-config", "enable=on,target=native"])
            .args(["-monitor", &socket(MONITOR, "off"), "-serial", &socket(LINK, "off")])
            .args(second.map(|name| ["-serial".to_string(), socket(name, "on")]).into_iter().flatten())
            .arg("-kernel")
            .arg(elf)
            .arg("-append")
            .arg(format!("flash={}", flash.display()))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => anyhow::anyhow!(
                "qemu-system-arm is missing: install it (Debian: apt-get install --no-install-recommends qemu-system-arm, Homebrew: brew install qemu)"
            ),
            _ => error.into(),
        })?;
        Ok(Emulator { child, dir })
    }

    /// The other end of the socket `name`, once the emulator has opened it.
    fn reach(&mut self, name: &str) -> anyhow::Result<UnixStream> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                let mut told = String::new();
                if let Some(mut errors) = self.child.stderr.take() {
                    errors.read_to_string(&mut told)?;
                }
                bail!("the emulator ended with {status}: {}", told.trim());
            }
            match UnixStream::connect(self.dir.path().join(name)) {
                Ok(link) => return Ok(link),
                Err(error) if Instant::now() > deadline => return Err(error).context("the emulator opened no link"),
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// The word at `address` of the board's memory, which may be a register, as the emulator's monitor reads it.
    pub fn word(&self, address: u32) -> anyhow::Result<u32> {
        let mut monitor = UnixStream::connect(self.dir.path().join(MONITOR)).context("the emulator has no monitor")?;
        monitor.set_read_timeout(Some(PATIENCE))?;
        writeln!(monitor, "xp /1wx {address:#x}")?;
        for line in BufReader::new(monitor).lines() {
            // The monitor echoes what it is told with control sequences; the answer stands alone.
            if let Some((place, word)) = line?.split_once(": 0x")
                && u64::from_str_radix(place, 16).is_ok_and(|place| place == u64::from(address))
            {
                return Ok(u32::from_str_radix(word.trim(), 16)?);
            }
        }
        bail!("the emulator's monitor does not read {address:#x}")
    }

    /// What the board logs, where it was piped.
    pub fn take_log(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }
}

/// Refuses a file that is no program of a board, which the emulator would take for one.
fn check_elf(path: &Path) -> anyhow::Result<()> {
    let mut magic = [0; 4];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    match read {
        Ok(()) if magic == *b"\x7fELF" => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Err(error).with_context(|| format!("cannot read the program {}: name another with --elf", path.display()))
        }
        _ => bail!("{} is no program of a board: name another with --elf", path.display()),
    }
}

/// Refuses a file that cannot be the emulated board's flash.
fn check_flash(path: &Path) -> anyhow::Result<()> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() || found.len() != LEN as u64 => {
            bail!(
                "{} is no flash of the emulated board, a file of {LEN} bytes: name another with --flash",
                path.display()
            )
        }
        _ => Ok(()),
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
