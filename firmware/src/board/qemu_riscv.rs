//! QEMU's `virt` with one 32-bit RISC-V core: a console by semihosting, no link.
#![allow(unsafe_code)] // memory that is handed out once

pub use riscv_rt::entry;
pub use semihosting::println;

/// Memory for its first caller: `singleton!(NAME: Type = value)`, as the crate `cortex-m` has it.
#[macro_export]
macro_rules! singleton {
    ($($name:ident)?: $ty:ty = $value:expr) => {{
        use core::mem::MaybeUninit;
        use core::sync::atomic::{AtomicBool, Ordering};
        static TAKEN: AtomicBool = AtomicBool::new(false);
        static mut PLACE: MaybeUninit<$ty> = MaybeUninit::uninit();
        // One core without interrupts: nobody comes between the two.
        let taken = TAKEN.load(Ordering::Relaxed);
        TAKEN.store(true, Ordering::Relaxed);
        #[allow(unsafe_code)]
        // SAFETY: only the first caller gets here.
        (!taken).then(|| unsafe { (*(&raw mut PLACE)).write($value) })
    }};
}
pub use crate::singleton;

/// Ends the emulator with the status of success or failure.
pub fn exit(success: bool) -> ! {
    semihosting::process::exit(i32::from(!success))
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    println!("{info}");
    exit(false)
}

/// The emulator needs no clocks.
pub fn prepare() {}
