//! The boards. Each file gives the same names: `take`, which hands out its [`Wiring`], and the types in it, `millis` and `idle`
//! where it has a link, `entry`, `println`, `singleton` and `exit`; what they share is the model, put beside the program when
//! it is built, the memory that it runs in, and the handlers of faults and panics.

#[cfg(feature = "embassy")]
mod embassy;
#[cfg(feature = "cortex-m")]
mod handlers;
mod measure;
#[cfg(feature = "nrf52840")]
mod nrf52840;
#[cfg(feature = "qemu")]
mod qemu;
#[cfg(feature = "qemu-m33")]
mod qemu_m33;
#[cfg(feature = "qemu-riscv")]
mod qemu_riscv;
#[cfg(feature = "rp2350")]
mod rp2350;
#[cfg(feature = "stm32f4")]
mod stm32f4;

#[cfg(feature = "cortex-m")]
pub use handlers::exit;
pub use measure::{Counter, Stack, region};
#[cfg(feature = "nrf52840")]
use nrf52840 as chosen;
#[cfg(feature = "qemu")]
use qemu as chosen;
#[cfg(feature = "qemu-m33")]
pub use qemu_m33::{entry, prepare, println, singleton};
#[cfg(feature = "qemu-riscv")]
pub use qemu_riscv::{entry, exit, prepare, println, singleton};
#[cfg(feature = "rp2350")]
use rp2350 as chosen;
#[cfg(feature = "stm32f4")]
use stm32f4 as chosen;

#[cfg(feature = "embassy")]
pub use chosen::Flash;
#[cfg(feature = "link")]
pub use chosen::{Bus, In, Link, Out, take};
#[cfg(feature = "embassy")]
pub use embassy::{entry, idle, millis, prepare, println, singleton};
#[cfg(feature = "qemu")]
pub use qemu::{entry, idle, millis, prepare, println, singleton};

use core::hint::black_box;

use shared::bundle::{Bundle, BundleError};
use shared::golden::{Golden, GoldenError};

use crate::app::{IDENTITIES, Memory, SAMPLE_BYTES};
#[cfg(feature = "link")]
use crate::capture::xpt2046::Xpt2046;
#[cfg(feature = "link")]
use crate::pins::{Button, Outputs};

include!(concat!(env!("OUT_DIR"), "/sizes.rs"));

/// Bytes at an address that is a multiple of four.
#[repr(C, align(4))]
struct Aligned<B: ?Sized>(B);

static MODEL: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/model.bundle")));
static GOLDEN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/golden.bin"));

/// What is wired to a board.
#[cfg(feature = "link")]
#[allow(missing_debug_implementations)] // the HALs' types have none
pub struct Wiring {
    /// The host's end of a cable.
    pub link: Link,
    /// Where the store lives.
    #[cfg(feature = "embassy")]
    pub flash: Flash,
    /// What shows a decision.
    pub outputs: Outputs<Out, Out>,
    /// What somebody writes on, where there is one.
    pub panel: Option<Xpt2046<Bus, In>>,
    /// The button that enrols.
    pub button: Button<In>,
}

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

/// Room for an input tensor, for the first caller.
pub fn tensor() -> Option<&'static mut [u8; INPUT_LEN]> {
    singleton!(TENSOR: [u8; INPUT_LEN] = [0; INPUT_LEN])
}
