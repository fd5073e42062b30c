//! Doppel's board: raw samples come in over a link of bytes, embeddings and decisions go out.
//!
//! [`store`] keeps who is enrolled over a power cut. [`app`] answers the messages of [`shared::wire`] with an [`engine`] that runs
//! the model; [`replay`] holds an engine against the model's golden vectors. A [`slot`] holds a model that came over the link. A
//! `board` gives the app a UART, a console and memory; with the feature `std`, `desktop` gives it TCP and tract, which runs the
//! `onnx` file of the same model.
//!
//! No heap on a board, and no panic on any input.
#![cfg_attr(not(feature = "std"), no_std)]

pub mod app;
#[cfg(all(feature = "board", target_os = "none"))]
pub mod board;
pub mod capture;
#[cfg(feature = "std")]
pub mod desktop;
pub mod device;
pub mod engine;
pub mod image;
#[cfg(feature = "std")]
pub mod onnx;
pub mod pins;
pub mod platform;
pub mod replay;
pub mod session;
pub mod slot;
pub mod store;
