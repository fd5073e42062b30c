//! Numbers as the command line takes and prints them.

use std::ops::RangeInclusive;

use clap::builder::RangedU64ValueParser;

/// Takes whole numbers of a range from the command line.
pub(super) fn within(range: RangeInclusive<u64>) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(range)
}

/// Most replicates of a bootstrap that the command line takes.
pub(super) const MAX_REPLICATES: u64 = 100_000;

/// Most samples that an identity is enrolled from.
pub(super) const MAX_REFERENCES: u64 = 10_000;

/// A fraction as a percentage.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{:.2} %", fraction * 100.0)
}
