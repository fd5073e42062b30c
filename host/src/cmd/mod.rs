//! The subcommands, one file each: their arguments and their `run`.

pub mod train;
