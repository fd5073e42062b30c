//! Doppel's training desk: data, networks, training, quantization, export and evaluation.

pub mod checksum;
pub mod cmd;
pub mod data;
pub mod device;
#[cfg(feature = "training")]
pub mod evaluate;
#[cfg(feature = "training")]
pub mod export;
pub mod gallery;
#[cfg(feature = "training")]
pub mod loss;
#[cfg(feature = "training")]
pub mod metrics;
#[cfg(feature = "training")]
pub mod mining;
pub mod model;
#[cfg(feature = "training")]
pub mod net;
#[cfg(feature = "training")]
pub mod onnx;
#[cfg(feature = "training")]
mod ops;
#[cfg(feature = "training")]
pub mod quantize;
#[cfg(feature = "training")]
pub mod recipe;
#[cfg(feature = "training")]
pub mod report;
#[cfg(feature = "training")]
pub mod train;
