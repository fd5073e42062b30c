//! What Doppel's host and board must agree on, in the order in which a sample meets it.
//!
//! A raw sample, a picture or a recording, passes the [`frontend`] chunk by chunk and becomes an input tensor; a [`bundle`] holds the quantized network, which
//! [`network`] runs in a caller's arena with the integer [`kernels`] and the one requantisation rule of [`quant`], over the
//! shapes of [`geometry`], at the places that the [`plan`] made at export; the [`embedding`] that comes out is compared with the templates of a [`gallery`], which decides by
//! the bundle's threshold.
//!
//! No heap, no panic on any input, no unsafe outside the kernel file of a core.
#![no_std]

#[cfg(not(target_endian = "little"))]
compile_error!("bundles are read in place, so only little-endian machines can run them");

pub mod bundle;
mod checksum;
pub mod embedding;
pub mod frontend;
pub mod gallery;
pub mod geometry;
pub mod golden;
pub mod kernels;
pub mod network;
pub mod plan;
pub mod quant;
mod root;
mod search;
pub mod winograd;
pub mod wire;

pub use checksum::crc32;
pub use root::isqrt;
