//! The boards. Each file gives the same names: `entry`, `println`, `singleton`, `exit`, `Uart` where it has one, and the handlers of faults and panics; what they
//! share is the model, put beside the program when it is built, and the memory that it runs in.

mod measure;
#[cfg(feature = "qemu")]
mod qemu;
#[cfg(feature = "qemu-riscv")]
mod qemu_riscv;

pub use measure::{Counter, Stack, region};
#[cfg(feature = "qemu")]
pub use qemu::{Uart, entry, exit, println, singleton};
#[cfg(feature = "qemu-riscv")]
pub use qemu_riscv::{entry, exit, println, singleton};

use core::hint::black_box;

use shared::bundle::{Bundle, BundleError};
use shared::golden::{Golden, GoldenError};

use crate::app::{IDENTITIES, Memory, SAMPLE_BYTES};

include!(concat!(env!("OUT_DIR"), "/sizes.rs"));

/// Bytes at an address that is a multiple of four.
#[repr(C, align(4))]
struct Aligned<B: ?Sized>(B);

static MODEL: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/model.bundle")));
static GOLDEN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/golden.bin"));

/// What the app keeps on a board.
pub type AppMemory = Memory<IDENTITIES, DIM, SAMPLE_BYTES>;

/// The model in flash. The compiler may not look into it: the check reads the bytes that are there at run time.
pub fn bundle() -> Result<Bundle<'static>, BundleError> {
    Bundle::check(black_box(&MODEL.0))
}

/// The model's golden vectors in flash.
pub fn golden() -> Result<Golden<'static>, GoldenError> {
    Golden::check(black_box(GOLDEN))
}

/// The arena, for the first caller.
pub fn arena() -> Option<&'static mut [u32; ARENA_WORDS]> {
    singleton!(ARENA: [u32; ARENA_WORDS] = [0; ARENA_WORDS])
}

/// The app's memory, for the first caller.
pub fn memory() -> Option<&'static mut AppMemory> {
    singleton!(MEMORY: AppMemory = AppMemory::new())
}

/// The front end's working memory, for the first caller.
pub fn front_work() -> Option<&'static mut [u32; FRONT_WORDS]> {
    singleton!(WORK: [u32; FRONT_WORDS] = [0; FRONT_WORDS])
}

/// Room for an input tensor, for the first caller.
pub fn tensor() -> Option<&'static mut [u8; INPUT_LEN]> {
    singleton!(TENSOR: [u8; INPUT_LEN] = [0; INPUT_LEN])
}
