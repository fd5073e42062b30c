//! A board at the other end of a link: what carries the bytes, and who asks over it.

mod client;
mod emulator;
mod link;

pub use client::{Client, DeviceError};
pub use emulator::{Emulator, build};
pub use link::{Link, open_serial, open_tcp};
