//! Doppel's training desk: data, networks, training, quantization, export and evaluation.

pub mod cmd;
pub mod data;
pub mod loss;
pub mod metrics;
pub mod mining;
pub mod net;
mod ops;
pub mod recipe;
pub mod train;
