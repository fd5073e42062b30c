//! The subcommands: each file holds its arguments and its `run`.

/// Prints a line on standard output; an [`OutputError`] where that fails.
macro_rules! say {
    ($($text:tt)*) => { $crate::cmd::print_line(format_args!($($text)*)) };
}

/// Prints a line on standard error, if anybody listens.
macro_rules! note {
    ($($text:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

mod decision;
#[cfg(feature = "training")]
pub mod demo;
pub mod device;
pub mod draw;
#[cfg(feature = "training")]
pub mod embed;
#[cfg(feature = "training")]
pub mod evaluate;
#[cfg(feature = "training")]
pub mod export;
pub mod gallery;
#[cfg(feature = "training")]
pub(crate) mod numbers;
#[cfg(feature = "training")]
pub mod report;
#[cfg(feature = "training")]
pub mod serve;
#[cfg(feature = "training")]
pub mod train;

use std::fmt;
use std::io::{self, ErrorKind, Write};

use clap::ValueEnum;
use serde::Serialize;
use thiserror::Error;

/// What a command that decides says of its exit status.
pub const EXIT_STATUS: &str = "The exit status tells of errors only; decisions are in the output.";

/// Arguments that do not make a command together, which ends with status 2.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// What a person writes on the command line for `value`.
fn flag_value(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default()
}

/// Why nothing more can be printed.
#[derive(Debug, Error)]
pub enum OutputError {
    /// Nobody reads it any more, as behind `| head`.
    #[error("standard output is closed")]
    Closed,
    /// It takes no more.
    #[error("cannot write to standard output: {0}; send it elsewhere")]
    Failed(io::Error),
}

fn print_line(text: fmt::Arguments<'_>) -> Result<(), OutputError> {
    writeln!(io::stdout(), "{text}").map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => OutputError::Closed,
        _ => OutputError::Failed(error),
    })
}

/// Prints `value` as one line of JSON.
fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    say!("{}", serde_json::to_string(value)?)?;
    Ok(())
}

/// An error in one sentence: its text and its causes', each once though texts may quote their cause.
pub fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match () {
        () if told.is_empty() => cause,
        () if told.contains(&cause) => told,
        () => format!("{told}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[derive(Debug, Error)]
    #[error("cannot read it: {source}; look again")]
    struct Quoting {
        source: io::Error,
    }

    #[test]
    fn every_cause_is_told_once() {
        let quoting = || Quoting { source: io::Error::other("it is gone") };
        assert_eq!(sentence(&quoting().into()), "cannot read it: it is gone; look again");
        let with = Err::<(), _>(quoting()).context("no report").unwrap_err();
        assert_eq!(sentence(&with), "no report: cannot read it: it is gone; look again");
        assert_eq!(sentence(&anyhow::anyhow!("a").context("b")), "b: a");
    }
}
