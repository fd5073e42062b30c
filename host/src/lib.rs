//! Doppel's training desk: data, networks, training, quantization, export and evaluation.

pub mod data;
