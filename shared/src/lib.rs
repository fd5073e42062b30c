//! What Doppel's host and board must agree on, in the order in which a sample meets it.
//!
//! A raw sample passes the [`frontend`] and becomes an input tensor; a [`bundle`] holds the quantized network, which
//! [`network`] runs in a caller's arena with the integer [`kernels`] and the one requantisation rule of [`quant`]; the
//! [`embedding`] that comes out is compared with the templates of a [`gallery`], which decides by the bundle's threshold.
//!
//! No heap, no panic on any input, no unsafe outside the kernel file of a core.
#![no_std]

pub mod frontend;
