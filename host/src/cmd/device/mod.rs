//! `doppel device`: a board over serial, TCP or in the emulator, asked for everything that it can do.

mod actions;
mod key;
mod show;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use clap::Subcommand;

use super::{EXIT_STATUS, UsageError};
use crate::device::{self, Client, Emulator, Link};

/// How long a board may take to start again with another model.
const RESTART: Duration = Duration::from_secs(10);
/// How often a board that starts again is tried.
const RETRY: Duration = Duration::from_millis(100);

/// Arguments of `device`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// The file of the board's admin key, 64 hexadecimal digits; `provision` makes it
    #[arg(long, global = true, value_name = "FILE", default_value = "doppel.key")]
    key: PathBuf,
    /// Print one line of JSON an answer
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

/// Which board.
#[derive(Debug, clap::Args)]
struct Target {
    /// A board on this serial port
    #[arg(long, global = true, value_name = "PORT", conflicts_with_all = ["tcp", "qemu"])]
    port: Option<String>,
    /// Bits a second on the serial port [default: 115200]
    #[arg(long, global = true, value_name = "BAUD")]
    baud: Option<u32>,
    /// A board that listens at this address: `doppel serve`, or `cargo device`
    #[arg(long, global = true, value_name = "ADDR", conflicts_with = "qemu")]
    tcp: Option<String>,
    /// The emulated board, started for this command: its program is built first, its flash is a file
    #[arg(long, global = true)]
    qemu: bool,
    /// The model that the emulated board's program is built with [default: models/glyphs]
    #[arg(long = "model", global = true, value_name = "DIR", conflicts_with = "elf")]
    built_with: Option<PathBuf>,
    /// The emulated board's program, instead of building it
    #[arg(long, global = true, value_name = "FILE")]
    elf: Option<PathBuf>,
    /// The emulated board's flash; made if it is missing [default: doppel-flash.bin]
    #[arg(long, global = true, value_name = "FILE")]
    flash: Option<PathBuf>,
}

const BAUD: u32 = 115_200;
const MODEL: &str = "models/glyphs";
const FLASH: &str = "doppel-flash.bin";

impl Target {
    /// Refuses flags that the board that is named does not heed.
    fn refuse_idle(&self) -> Result<(), UsageError> {
        let port = (self.port.is_some(), "--port");
        let qemu = (self.qemu, "--qemu");
        let flags = [
            ("--baud", self.baud.is_some(), port),
            ("--model", self.built_with.is_some(), qemu),
            ("--elf", self.elf.is_some(), qemu),
            ("--flash", self.flash.is_some(), qemu),
        ];
        match flags.into_iter().find(|(_, given, (heeded, _))| *given && !heeded) {
            Some((flag, _, (_, target))) => {
                Err(UsageError(format!("{flag} means nothing without {target}: leave it out, or add {target}")))
            }
            None => Ok(()),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// What the board is: model, threshold, memory, how many are enrolled, how worn its flash is
    Info,
    /// Give the board an admin key of its own, once, and keep it in the key file, which must not be there yet
    Provision,
    /// Open an admin session, in which the board's button enrols, for five minutes
    Unlock,
    /// Enrol an identity from one to five samples
    Enroll {
        /// The samples that make the template
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The identity's label
        #[arg(long = "as", value_name = "LABEL")]
        label: String,
    },
    /// Compare samples with one identity
    #[command(after_help = EXIT_STATUS)]
    Verify {
        /// The samples
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The identity that they claim to be
        #[arg(long = "as", value_name = "LABEL")]
        label: String,
    },
    /// Find the identity of samples, or say that it is unknown
    #[command(after_help = EXIT_STATUS)]
    Identify {
        /// The samples
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print the embeddings that the board makes of samples
    Embed {
        /// The samples
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Who is enrolled
    List,
    /// Remove an identity; its bytes are erased
    Delete {
        /// The identity's label
        label: String,
    },
    /// Remove everybody
    Wipe,
    /// Print the threshold, or set it
    Threshold {
        /// The largest distance to accept
        #[arg(long, value_name = "DISTANCE", conflicts_with = "reset")]
        set: Option<u32>,
        /// Go back to the model's sealed threshold
        #[arg(long)]
        reset: bool,
        /// Let it be larger than the sealed one, for which no false-match rate was measured
        #[arg(long, requires = "set")]
        loosen: bool,
    },
    /// Whether confident matches move their template towards the sample
    Adapt {
        /// Whether they do
        #[arg(value_enum)]
        switch: Switch,
    },
    /// Let the board replay its model's golden vectors
    Selftest,
    /// Let the board time an embedding and an identification
    Bench,
    /// Show decisions as they are made, beside others who ask a board at a TCP port, and the log of an emulated board
    Watch {
        /// Stop after so many seconds
        #[arg(long, value_name = "SECONDS")]
        seconds: Option<u64>,
    },
    /// From which level on the board logs
    Log {
        /// The level
        #[arg(value_enum)]
        level: Level,
    },
    /// Send another model, which is checked on the board before it is used
    Update {
        /// The model's folder
        model: PathBuf,
    },
    /// Go back to the model that the board's program was built with
    Revert,
}

/// Whether the board does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

/// [`shared::wire::LogLevel`] on the command line.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Level {
    Off,
    Warn,
    Info,
    Trace,
}

/// A board to talk to; the emulator ends with it.
struct Connection {
    client: Client,
    _emulator: Option<Emulator>,
}

/// Carries one action out.
pub fn run(args: Args) -> anyhow::Result<()> {
    let Connection { client, _emulator } = connect(&args)?;
    actions::run(client, &args)
}

fn connect(args: &Args) -> anyhow::Result<Connection> {
    let target = &args.target;
    target.refuse_idle()?;
    let (link, emulator): (Box<dyn Link>, _) = match (&target.port, &target.tcp, target.qemu) {
        (Some(port), _, _) => (device::open_serial(port, target.baud.unwrap_or(BAUD))?, None),
        (_, Some(address), _) => (device::open_tcp(address)?, None),
        (_, _, true) => {
            let elf = match &target.elf {
                Some(elf) if !elf.is_file() => {
                    anyhow::bail!("there is no program {}: name another with --elf", elf.display())
                }
                Some(elf) => elf.clone(),
                None => {
                    let model = target.built_with.as_deref().unwrap_or(Path::new(MODEL));
                    note!("building the board's program with {}", model.display());
                    device::build("device", model)?
                }
            };
            let flash = target.flash.as_deref().unwrap_or(Path::new(FLASH));
            let watched = matches!(args.action, Action::Watch { .. });
            let log = if watched { Stdio::piped() } else { Stdio::null() };
            let (mut emulator, link) = Emulator::start(&elf, flash, log)?;
            if let Some(log) = emulator.take_log() {
                show::decode_log(log, &elf);
            }
            (Box::new(link), Some(emulator))
        }
        _ => return Err(UsageError("no board is named: give --port, --tcp or --qemu".into()).into()),
    };
    Ok(Connection { client: Client::new(link)?, _emulator: emulator })
}

/// Reaches the board at `address` again, which starts with another model.
fn reconnect(address: &str) -> anyhow::Result<Client> {
    let deadline = Instant::now() + RESTART;
    loop {
        match device::open_tcp(address).and_then(|link| Ok(Client::new(link)?)) {
            Err(_) if Instant::now() < deadline => thread::sleep(RETRY),
            client => return client,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn templates_adapt_on_or_off() {
        let parsed = |word: &str| Cli::try_parse_from(["device", "--qemu", "adapt", word]);
        for (word, expected) in [("on", Switch::On), ("off", Switch::Off)] {
            let Ok(Cli { args: Args { action: Action::Adapt { switch }, .. } }) = parsed(word) else {
                panic!("`adapt {word}` is not understood");
            };
            assert_eq!(switch, expected);
        }
        assert!(parsed("perhaps").is_err());
        assert!(Cli::try_parse_from(["device", "--qemu", "adapt"]).is_err());
    }

    #[test]
    fn flags_that_the_board_does_not_heed_are_refused() {
        let refused = |line: &str| {
            let parsed = Cli::try_parse_from(line.split(' ')).unwrap();
            parsed.args.target.refuse_idle().err().map(|UsageError(text)| text)
        };
        for (line, flag) in [
            ("device --tcp x info --model m", "--model"),
            ("device --tcp x info --baud 1", "--baud"),
            ("device --port x --flash f info", "--flash"),
            ("device --qemu info --baud 1", "--baud"),
        ] {
            assert!(refused(line).is_some_and(|text| text.starts_with(flag)), "{line}");
        }
        for line in
            ["device --qemu info --model m --flash f", "device --qemu --elf e info", "device info --port x --baud 1"]
        {
            assert_eq!(refused(line), None, "{line}");
        }
        assert!(Cli::try_parse_from(["device", "--qemu", "--elf", "e", "--model", "m", "info"]).is_err());
    }
}
