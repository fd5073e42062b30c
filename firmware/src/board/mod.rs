//! The boards. Each file gives the same names: where it has a link `take`, which hands out its [`Wiring`], and the types in it,
//! `NAME`, `millis`, `micros`, `idle` and `slot_memory`; `entry`, `println`, `singleton` and `exit`. What they share is the model,
//! put beside the program when it is built, the memory that it runs in, the slots for other models, and the handlers of faults
//! and panics.

#[cfg(feature = "embassy")]
mod embassy;
#[cfg(feature = "cortex-m")]
mod handlers;
mod measure;
#[cfg(feature = "nrf52840")]
mod nrf52840;
#[cfg(feature = "qemu")]
mod qemu;
#[cfg(feature = "qemu")]
mod qemu_flash;
#[cfg(feature = "qemu-m33")]
mod qemu_m33;
#[cfg(feature = "qemu-pad")]
mod qemu_pad;
#[cfg(feature = "qemu-riscv")]
mod qemu_riscv;
#[cfg(feature = "rp2350")]
mod rp2350;
#[cfg(thumb2)]
mod runtime;
#[cfg(feature = "link")]
mod slots;
#[cfg(feature = "stm32f4")]
mod stm32f4;

#[cfg(feature = "cortex-m")]
pub use handlers::exit;
pub use measure::{Counter, Stack, region};
#[cfg(feature = "nrf52840")]
use nrf52840 as chosen;
#[cfg(feature = "qemu")]
use qemu as chosen;
#[cfg(feature = "qemu")]
pub use qemu_flash::QemuFlash as StoreFlash;
#[cfg(feature = "qemu-m33")]
pub use qemu_m33::{entry, prepare, println, singleton};
#[cfg(feature = "qemu-riscv")]
pub use qemu_riscv::{entry, exit, prepare, println, singleton};
#[cfg(feature = "rp2350")]
use rp2350 as chosen;
#[cfg(feature = "stm32f4")]
use stm32f4 as chosen;

#[cfg(feature = "embassy")]
pub use chosen::SlotFlash as StoreFlash;
#[cfg(feature = "link")]
pub use chosen::{Bus, In, Link, Out, take};
#[cfg(feature = "embassy")]
pub use embassy::{entry, idle, millis, prepare, println, singleton};
#[cfg(feature = "qemu")]
pub use qemu::{entry, idle, millis, prepare, println, singleton};
#[cfg(feature = "link")]
pub use slots::{BoardPlatform, Slots, model};

use core::hint::black_box;

use shared::bundle::{Bundle, BundleError};
#[cfg(feature = "link")]
use shared::frontend::{FrontEnd, Pixels};
use shared::golden::{Golden, GoldenError};

use crate::app::{IDENTITIES, Memory};
#[cfg(feature = "pad")]
use crate::capture::pad::Pad;
#[cfg(feature = "link")]
use crate::capture::xpt2046::Xpt2046;
use crate::engine;
#[cfg(all(feature = "link", not(feature = "pad")))]
use crate::pins::Absent;
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
    /// Where the store lives, and the slots for models.
    pub flash: (StoreFlash, Slots),
    /// What shows a decision.
    pub outputs: Outputs<Out, Out>,
    /// What somebody writes on, where there is one.
    pub panel: Option<Xpt2046<Bus, In>>,
    /// The button that enrols.
    pub button: Button<In>,
}

/// The pad of `panel` and `button` for a model of `input`.
#[cfg(feature = "pad")]
pub fn pad(panel: Xpt2046<Bus, In>, button: Button<In>, input: &Pixels) -> Option<Pad<Bus, In, In, INPUT_LEN>> {
    Pad::new(panel, button, input)
}

/// Lets the pad draw for the model of `front`.
#[cfg(feature = "pad")]
pub fn suit(pad: &mut Pad<Bus, In, In, INPUT_LEN>, front: &FrontEnd) {
    if let FrontEnd::Pixels(input) = front {
        pad.suit(input);
    }
}

/// No value of this pad exists.
#[cfg(all(feature = "link", not(feature = "pad")))]
pub fn suit(_pad: &mut Absent, _front: &FrontEnd) {}

/// None: no value of this panel exists.
#[cfg(all(feature = "link", not(feature = "pad")))]
pub fn pad(_panel: Xpt2046<Bus, In>, _button: Button<In>, _input: &Pixels) -> Option<Absent> {
    None
}

/// What the app keeps on a board.
pub type AppMemory = Memory<IDENTITIES, DIM>;

/// The model in flash. The compiler may not look into it: the check reads the bytes that are there at run time.
pub fn bundle() -> Result<Bundle<'static>, BundleError> {
    engine::check(bundle_bytes())
}

/// The model in flash, unchecked.
pub fn bundle_bytes() -> &'static [u8] {
    black_box(&MODEL.0)
}

/// The model's golden vectors in flash.
pub fn golden() -> Result<Golden<'static>, GoldenError> {
    Golden::check(black_box(GOLDEN))
}

/// The model's golden vectors, unchecked.
pub fn golden_bytes() -> &'static [u8] {
    black_box(GOLDEN)
}

/// The arena, for the first caller.
pub fn arena() -> Option<&'static mut [u32; ARENA_WORDS]> {
    singleton!(ARENA: [u32; ARENA_WORDS] = [0; ARENA_WORDS])
}

/// The app's memory, for the first caller.
pub fn memory() -> Option<&'static mut AppMemory> {
    singleton!(MEMORY: AppMemory = AppMemory::new())
}

/// Bytes of RAM that the linker gave to the program without its arena, and of flash with its model and golden vectors.
#[cfg(target_arch = "arm")]
pub fn footprint() -> (u32, u32) {
    #![allow(unsafe_code)] // places that the linker script names
    unsafe extern "C" {
        static __sdata: u8;
        static __edata: u8;
        static __sbss: u8;
        static __ebss: u8;
        static __sidata: u8;
        static __vector_table: u8;
    }
    let [data, data_end, bss, bss_end, image, start] = [
        &raw const __sdata,
        &raw const __edata,
        &raw const __sbss,
        &raw const __ebss,
        &raw const __sidata,
        &raw const __vector_table,
    ]
    .map(|place| place as u32);
    let data = data_end - data;
    ((data + bss_end - bss).saturating_sub(4 * ARENA_WORDS as u32), image + data - start)
}
