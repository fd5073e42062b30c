//! Doppel's training desk: data, networks, training, quantization, export and evaluation.

pub mod checksum;
pub mod cmd;
pub mod data;
pub mod device;
pub mod evaluate;
pub mod export;
pub mod gallery;
pub mod loss;
pub mod metrics;
pub mod mining;
pub mod model;
pub mod net;
pub mod onnx;
mod ops;
pub mod quantize;
pub mod recipe;
pub mod report;
pub mod train;
