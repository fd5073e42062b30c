//! The subcommands: each file holds its arguments and its `run`.

pub mod demo;
pub mod device;
pub mod draw;
pub mod embed;
pub mod evaluate;
pub mod export;
pub mod gallery;
pub mod report;
pub mod serve;
pub mod train;

use serde::Serialize;

/// Prints `value` as one line of JSON.
fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}

/// A fraction as a percentage.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{:.2} %", fraction * 100.0)
}
